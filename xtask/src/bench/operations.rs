//! The seed's operations, one after another over one connection, beside the seed's own table.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use hdrhistogram::Histogram;
use serde_json::{Value, json};

use super::Effort;
use super::site::{Disk, Template};

/// Operations of each kind that are timed in a full run.
const TIMES: usize = 500;

/// An operation, and the milliseconds that the seed's table gives it.
struct Row {
    what: &'static str,
    seed_ms: f64,
    times: Histogram<u64>,
}

impl Row {
    fn new(what: &'static str, seed_ms: f64) -> Result<Self> {
        Ok(Self { what, seed_ms, times: Histogram::new(3)? })
    }

    fn print(&self) {
        let ms = |percentile| Duration::from_nanos(self.times.value_at_quantile(percentile));
        let (p50, p99) = (ms(0.5).as_secs_f64() * 1e3, ms(0.99).as_secs_f64() * 1e3);
        println!("{:<20} {p50:>9.2} {p99:>9.2} {:>9.0}", self.what, self.seed_ms);
    }
}

/// A client with a connection of its own, and an organiser's key.
struct Asker {
    agent: ureq::Agent,
    base: String,
    key: String,
}

impl Asker {
    fn ask(&self, row: &mut Row, path: &str, body: Option<&Value>) -> Result<Value> {
        let url = format!("{}/v1/tickets/{path}", self.base);
        let begun = Instant::now();
        let answer = match body {
            Some(body) => self.agent.post(url).header("authorization", &self.key).send_json(body),
            None => self.agent.get(url).header("authorization", &self.key).call(),
        };
        let mut answer = answer.with_context(|| format!("no answer to {path}"))?;
        let value: Value = answer.body_mut().read_json()?;
        row.times.record(u64::try_from(begun.elapsed().as_nanos())?)?;
        Ok(value)
    }
}

pub(super) fn run(effort: Effort) -> Result<()> {
    let template = Template::make(1000)?;
    let serving = template.serve(Disk::Real, &[])?;
    let config = ureq::Agent::config_builder().http_status_as_error(false).build();
    let asker = Asker {
        agent: config.into(),
        base: format!("http://127.0.0.1:{}", serving.server.port("plain")?),
        key: format!("Bearer {}", template.api_key.trim()),
    };
    let mut rows = [
        Row::new("mint", 82.0)?,
        Row::new("verify", 74.0)?,
        Row::new("redeem", 88.0)?,
        Row::new("status", 51.0)?,
        Row::new("edge consume", 93.0)?,
        Row::new("duplicate reject", 61.0)?,
    ];
    let times = if effort.cell > Duration::from_secs(1) { TIMES } else { TIMES / 5 };
    for _ in 0..times {
        once(&asker, &mut rows)?;
    }
    println!("{:<20} {:>9} {:>9} {:>9}", "operation", "p50 ms", "p99 ms", "seed ms");
    rows.iter().for_each(Row::print);
    Ok(())
}

fn once(asker: &Asker, rows: &mut [Row; 6]) -> Result<()> {
    let [mint, verify, redeem, status, consume, duplicate] = rows;
    let terms = json!({"event": "sample", "tier": "load", "maxUses": 1, "entryPoint": "main-gate"});
    let minted = asker.ask(mint, "generate", Some(&terms))?;
    let at_gate = |ticket: &Value, gate: &str| {
        let token = ticket.get("token").cloned().unwrap_or_default();
        json!({"token": token, "event": "sample", gate: "main-gate"})
    };
    asker.ask(verify, "verify", Some(&at_gate(&minted, "entryPoint")))?;
    let redeemed = asker.ask(redeem, "redeem", Some(&at_gate(&minted, "entryPoint")))?;
    ensure!(redeemed.get("redeemed") == Some(&json!(true)), "not redeemed: {redeemed}");
    let number = minted.get("ticketId").and_then(Value::as_str).context("no ticket number")?;
    asker.ask(status, &format!("{number}/status?entryPoint=main-gate"), None)?;
    let mut untimed = Row::new("edge issue", 361.0)?;
    let issued = asker.ask(&mut untimed, "edge/issue", Some(&terms))?;
    let consumed = asker.ask(consume, "edge/consume", Some(&at_gate(&issued, "gate")))?;
    ensure!(consumed.get("consumed") == Some(&json!(true)), "not consumed: {consumed}");
    let again = asker.ask(duplicate, "edge/consume", Some(&at_gate(&issued, "gate")))?;
    ensure!(again.get("reason") == Some(&json!("proof_digest_spent")), "not refused: {again}");
    Ok(())
}
