//! `admit checklist`: the 14 steps of seed 004 against a running server, as a stranger with the
//! sandbox's public key. Every proof is checked here, against the logs' keys.

mod client;

use std::path::PathBuf;
use std::process::ExitCode;

use admit_core::edge::EdgeSetup;
use admit_core::id::GateNo;
use admit_core::log::note::Verifier;
use admit_core::log::validation::{Proven, Validation};
use admit_core::spent::SpentList;
use anyhow::{Context, ensure};
use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};

use super::say;
use crate::clock;
use client::Client;

const TICKETS: &str = "sandbox-event";
const EDGE: &str = "sandbox-edge";
/// An Ed25519 public key of nobody: the base point, for a gate that only verifies.
const NOBODY: [u8; 32] = [
    0x58, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66,
    0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66,
];

#[derive(clap::Args)]
pub(super) struct Checklist {
    /// The server, such as <https://gate.example>
    url: String,
    /// Its certificate authority, PEM, when it is its own: DATA/tls/ca.pem
    #[arg(long)]
    ca: Option<PathBuf>,
}

/// What the steps learn from one another.
struct Session {
    client: Client,
    /// Keys of the two logs, as they were first told.
    vkeys: [String; 2],
    ticket: Value,
    edge: Value,
}

type Step = (&'static str, fn(&mut Session) -> anyhow::Result<String>);

const STEPS: [Step; 14] = [
    ("Open the sandbox", open),
    ("Record the Merkle roots", record_roots),
    ("Mint a ticket for the main gate", mint),
    ("Verify it at its gate", verify),
    ("Ask its status without a gate", status_without_gate),
    ("Ask its status at the wrong gate", status_at_wrong_gate),
    ("Issue an edge ticket", edge_issue),
    ("Verify it at the edge, without the network", edge_verify),
    ("Consume it at the edge", edge_consume),
    ("Scan the same code again", edge_again),
    ("Redeem the first ticket", redeem),
    ("Look at the log of requests", activity),
    ("Export the spent list", export),
    ("Clear the session", clear),
];

impl Checklist {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let client = Client::new(&self.url, self.ca.as_deref())?;
        let (ticket, edge) = (Value::Null, Value::Null);
        let mut session = Session { client, vkeys: Default::default(), ticket, edge };
        let mut failed = 0;
        for (number, (title, step)) in (1..).zip(STEPS) {
            let (word, evidence) = match step(&mut session) {
                Ok(evidence) => ("pass", evidence),
                Err(error) => {
                    failed += 1;
                    ("FAIL", format!("{error:#}"))
                }
            };
            say(&format!("{number:>2}  {word}  {title}: {evidence}"))?;
        }
        for request in session.client.requests() {
            say(&format!("    {:>4} ms  {}  {}", request.ms, request.status, request.path))?;
        }
        say(&format!("{} of 14 passed", STEPS.len() - failed))?;
        Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

impl Session {
    fn post(&mut self, path: &str, body: &Value) -> anyhow::Result<Value> {
        self.client.post(&format!("/v1/tickets/{path}"), body)
    }

    /// Checks the proof in an answer against the key of the log it belongs to.
    fn prove(&self, answer: &Value, circuit: &str) -> anyhow::Result<Proven> {
        let validation = answer.get("merkle_validation").context("no proof")?;
        expect(validation, "/circuit_id", &json!(circuit))?;
        let [tickets, edge] = &self.vkeys;
        let vkey = if circuit == "edge" { edge } else { tickets };
        Ok(serde_json::from_value::<Validation>(validation.clone())?.check(vkey)?)
    }

    fn status(&mut self, gate: &str) -> anyhow::Result<Value> {
        let number = text(&self.ticket, "/ticketId")?;
        self.client.get(&format!("/v1/tickets/{number}/status{gate}"))
    }

    fn at_edge(&mut self, path: &str) -> anyhow::Result<Value> {
        let token = text(&self.edge, "/token")?;
        self.post(path, &json!({"token": token, "event": EDGE, "gate": "gate-a"}))
    }
}

fn text(answer: &Value, pointer: &str) -> anyhow::Result<String> {
    let found = answer.pointer(pointer).and_then(Value::as_str);
    Ok(found.with_context(|| format!("no {pointer} in the answer"))?.to_owned())
}

fn expect(answer: &Value, pointer: &str, wanted: &Value) -> anyhow::Result<()> {
    let found = answer.pointer(pointer).unwrap_or(&Value::Null);
    ensure!(found == wanted, "{pointer} is {found}, not {wanted}");
    Ok(())
}

fn open(session: &mut Session) -> anyhow::Result<String> {
    let told = session.client.get("/v1/sandbox")?;
    let closed = "the sandbox is closed; open it with: admit serve --sandbox";
    session.client.use_key(&text(&told, "/key").context(closed)?);
    Ok("a public key and two events".to_owned())
}

fn record_roots(session: &mut Session) -> anyhow::Result<String> {
    let mut roots = Vec::new();
    for (event, vkey) in [TICKETS, EDGE].into_iter().zip(&mut session.vkeys) {
        let log = session.client.get(&format!("/v1/events/{event}/log"))?;
        *vkey = text(&log, "/vkey")?;
        Verifier::parse(vkey)?;
        roots.push(text(&log, "/root")?.chars().take(16).collect::<String>());
    }
    Ok(roots.join(", "))
}

fn mint(session: &mut Session) -> anyhow::Result<String> {
    let exp = clock::now().plus(24 * 3_600_000).0 / 1000;
    let body = json!({"event": TICKETS, "tier": "standard", "maxUses": 1,
        "entryPoint": "main-gate", "exp": exp, "qrMode": "link"});
    let minted = session.post("generate", &body)?;
    session.ticket = minted.clone();
    expect(&minted, "/format", &json!("a1"))?;
    expect(&minted, "/registry/usesRemaining", &json!(1))?;
    let proven = session.prove(&minted, "ticket")?;
    ensure!(proven.kind == "issue", "the leaf tells of {}", proven.kind);
    Ok(format!("leaf {} of {}, proved", proven.index, proven.size))
}

fn verify(session: &mut Session) -> anyhow::Result<String> {
    let token = text(&session.ticket, "/token")?;
    let body = json!({"token": token, "event": TICKETS, "entryPoint": "main-gate"});
    let seen = session.post("verify", &body)?;
    expect(&seen, "/valid", &json!(true))?;
    expect(&seen, "/policy/usesRemaining", &json!(1))?;
    session.prove(&seen, "ticket")?;
    Ok(format!("valid, one use remaining, {} ms", session.client.last_ms()))
}

fn status_without_gate(session: &mut Session) -> anyhow::Result<String> {
    let seen = session.status("")?;
    expect(&seen, "/policy/reason", &json!("entry_point_denied"))?;
    Ok("entry_point_denied".to_owned())
}

fn status_at_wrong_gate(session: &mut Session) -> anyhow::Result<String> {
    let seen = session.status("?entryPoint=vip-north")?;
    expect(&seen, "/policy/reason", &json!("entry_point_denied"))?;
    expect(&seen, "/crypto/signatureValid", &json!(true))?;
    Ok("denied, and the signature is right".to_owned())
}

fn edge_issue(session: &mut Session) -> anyhow::Result<String> {
    let body = json!({"event": EDGE, "entryPoint": "gate-a", "maxUses": 1});
    let issued = session.post("edge/issue", &body)?;
    session.edge = issued.clone();
    expect(&issued, "/verification/offlineCapable", &json!(true))?;
    expect(&issued, "/verification/serverRequired", &json!(false))?;
    session.prove(&issued, "edge")?;
    Ok("offline capable, no server required".to_owned())
}

fn edge_verify(session: &mut Session) -> anyhow::Result<String> {
    let key = BASE64URL_NOPAD.encode(&NOBODY);
    let body = json!({"event": EDGE, "name": "Checklist", "publicKey": key});
    let setup = session.post("edge/devices", &body)?;
    let seen = session.at_edge("edge/verify")?;
    expect(&seen, "/offline", &json!(true))?;
    session.prove(&seen, "edge")?;
    // From here on nothing is asked: public keys and the token decide.
    let asked = session.client.requests().len();
    let setup: EdgeSetup = serde_json::from_value(setup)?;
    let gate = setup.open(GateNo(1)).context("the keys are not understood")?;
    let verdict = gate.verify(&text(&session.edge, "/token")?, clock::now());
    ensure!(verdict.signature == Some(true), "the gate does not accept the signature");
    let admits = matches!(verdict.verdict, admit_core::admission::Verdict::Admit(_));
    ensure!(admits, "the gate refuses");
    ensure!(session.client.requests().len() == asked, "a request was made");
    Ok("admitted with public keys alone, no request made".to_owned())
}

fn edge_consume(session: &mut Session) -> anyhow::Result<String> {
    let consumed = session.at_edge("edge/consume")?;
    expect(&consumed, "/consumed", &json!(true))?;
    let digest = text(&session.edge, "/proofDigest")?;
    expect(&consumed, "/spentProof/digest", &json!(digest))?;
    let proven = session.prove(&consumed, "edge")?;
    Ok(format!("spent, leaf {}", proven.index))
}

fn edge_again(session: &mut Session) -> anyhow::Result<String> {
    let refused = session.at_edge("edge/consume")?;
    expect(&refused, "/reason", &json!("proof_digest_spent"))?;
    expect(&refused, "/crypto/signatureValid", &json!(true))?;
    Ok(format!("proof_digest_spent, {} ms", session.client.last_ms()))
}

fn redeem(session: &mut Session) -> anyhow::Result<String> {
    let token = text(&session.ticket, "/token")?;
    let body = json!({"token": token, "event": TICKETS, "entryPoint": "main-gate"});
    let redeemed = session.post("redeem", &body)?;
    expect(&redeemed, "/redeemed", &json!(true))?;
    expect(&redeemed, "/registry/usesRemaining", &json!(0))?;
    let minted = session.ticket.pointer("/merkle_validation/inclusion_index");
    let minted = minted.and_then(Value::as_u64).context("no index")?;
    let proven = session.prove(&redeemed, "ticket")?;
    ensure!(proven.index > minted, "the index did not grow");
    Ok(format!("no use remaining, leaf {} after {minted}", proven.index))
}

fn activity(session: &mut Session) -> anyhow::Result<String> {
    let requests = session.client.requests();
    let operations = requests.iter().filter(|request| request.path.contains("/tickets/")).count();
    ensure!(operations == 10, "{operations} operations, not 10");
    Ok(format!("{} requests, the slowest {} ms", requests.len(), session.client.slowest_ms()))
}

fn export(session: &mut Session) -> anyhow::Result<String> {
    let mut after = 0;
    let digest = text(&session.edge, "/proofDigest")?;
    loop {
        let path = format!("/v1/tickets/edge/spent/export?event={EDGE}&gate=gate-a&after={after}");
        let export = session.client.get(&path)?;
        let vkey = Verifier::parse(&text(&export, "/vkey")?)?;
        let list = SpentList::open(&text(&export, "/signed")?, &[vkey])?;
        if list.entries.iter().any(|entry| entry.digest.to_string() == digest) {
            return Ok(format!("signed, {} entries, ours among them", list.entries.len()));
        }
        let next = export.pointer("/next").and_then(Value::as_u64);
        after = next.context("the consumed digest is not in the list")?;
    }
}

fn clear(session: &mut Session) -> anyhow::Result<String> {
    ensure!(!session.client.was_given_a_cookie(), "the server wants to remember us");
    session.ticket = Value::Null;
    session.edge = Value::Null;
    Ok("nothing was kept, here or in a cookie".to_owned())
}
