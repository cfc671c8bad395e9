//! The load generator: many keep-alive connections on one thread, closed loop or open loop.
//!
//! Raw sockets and the least of HTTP/1.1, because server and generator share the cores: what the
//! generator burns is missing from the figure. A latency is exact to three digits.

use std::cell::RefCell;
use std::io::{Read, Write};
use std::rc::Rc;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use data_encoding::BASE64URL_NOPAD;
use hdrhistogram::Histogram;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::task::LocalSet;

/// Longest latency that is told apart, in microseconds.
const LATENCY_US_MAX: u64 = 60_000_000;

/// How requests follow one another.
#[derive(Clone, Copy)]
pub(crate) enum Pace {
    /// Each client asks again as soon as it was answered.
    Closed,
    /// So many requests a second, whatever the answers do; latency counts from the moment that a
    /// request was due, so that a stall is not hidden by the requests it kept from being sent.
    Open(u32),
}

/// What to ask, and how.
pub(crate) struct Plan<'a> {
    pub(crate) port: u16,
    pub(crate) path: &'a str,
    pub(crate) token: &'a str,
    /// One for each request, from the front; when they run out the run is over.
    pub(crate) codes: &'a [String],
    /// Start again from the front instead, where the server does not look at the tickets.
    pub(crate) reuse_codes: bool,
    pub(crate) clients: usize,
    pub(crate) pace: Pace,
    pub(crate) length: Duration,
}

/// What came of it.
pub(crate) struct Outcome {
    /// Answers of status 200.
    pub(crate) done: u64,
    pub(crate) elapsed: Duration,
    /// In microseconds.
    pub(crate) latency: Histogram<u64>,
}

impl Outcome {
    /// Answers a second.
    pub(crate) fn rate(&self) -> f64 {
        let done = u32::try_from(self.done).unwrap_or(u32::MAX);
        f64::from(done) / self.elapsed.as_secs_f64()
    }

    /// A percentile of the latency, in milliseconds.
    pub(crate) fn latency_ms(&self, percentile: f64) -> f64 {
        let us = self.latency.value_at_percentile(percentile);
        f64::from(u32::try_from(us).unwrap_or(u32::MAX)) / 1000.0
    }
}

/// What the clients share: one thread, so no lock.
struct Shared {
    next: usize,
    latency: Histogram<u64>,
    done: u64,
    end: Instant,
    /// When the next request is due; none in a closed loop.
    due: Option<(Instant, Duration)>,
    scan: u128,
}

/// Runs a plan. Fails on any answer but 200: a figure with failures in it means nothing.
pub(crate) fn run(plan: &Plan<'_>) -> Result<Outcome> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&runtime, drive(plan))
}

async fn drive(plan: &Plan<'_>) -> Result<Outcome> {
    let mut streams = Vec::new();
    for _ in 0..plan.clients {
        let stream = TcpStream::connect(("127.0.0.1", plan.port)).await?;
        stream.set_nodelay(true)?;
        streams.push(stream);
    }
    let begun = Instant::now();
    let shared = Rc::new(RefCell::new(Shared {
        next: 0,
        latency: Histogram::new_with_max(LATENCY_US_MAX, 3).map_err(|error| anyhow!("{error}"))?,
        done: 0,
        end: begun + plan.length,
        due: match plan.pace {
            Pace::Closed => None,
            Pace::Open(rate) => Some((begun, Duration::from_secs(1) / rate.max(1))),
        },
        scan: first_scan()?,
    }));
    let codes: Rc<[String]> = plan.codes.into();
    let turns = match plan.pace {
        Pace::Closed => None,
        Pace::Open(rate) => Some(give_turns(begun, plan.length, rate)),
    };
    let tasks: Vec<_> = streams
        .into_iter()
        .map(|stream| {
            let client = Client {
                stream,
                turns: turns.clone(),
                reuse_codes: plan.reuse_codes,
                head: format!(
                    "POST {} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\n\
                     Content-Type: application/json\r\nContent-Length: ",
                    plan.path, plan.token
                ),
                answer: Vec::new(),
            };
            tokio::task::spawn_local(client.repeat(Rc::clone(&shared), Rc::clone(&codes)))
        })
        .collect();
    for task in tasks {
        task.await??;
    }
    let elapsed = begun.elapsed();
    let shared = shared.borrow();
    Ok(Outcome { done: shared.done, elapsed, latency: shared.latency.clone() })
}

/// Gives a turn whenever one is due, from a thread of its own: the runtime's timers are good to a
/// millisecond only, which is as much as what we measure.
fn give_turns(begun: Instant, length: Duration, rate: u32) -> Arc<Semaphore> {
    let turns = Arc::new(Semaphore::new(0));
    let giver = Arc::clone(&turns);
    let gap = Duration::from_secs(1) / rate.max(1);
    thread::spawn(move || {
        let mut due = begun;
        while due < begun + length {
            thread::sleep(due.saturating_duration_since(Instant::now()));
            giver.add_permits(1);
            due += gap;
        }
        giver.close();
    });
    turns
}

/// Scan ids are unique by counting up from a random start.
fn first_scan() -> Result<u128> {
    let mut random = [0; 16];
    std::fs::File::open("/dev/urandom")?.read_exact(&mut random)?;
    Ok(u128::from_be_bytes(random))
}

struct Client {
    stream: TcpStream,
    /// Says when the next request is due; none in a closed loop.
    turns: Option<Arc<Semaphore>>,
    reuse_codes: bool,
    head: String,
    answer: Vec<u8>,
}

impl Client {
    async fn repeat(mut self, shared: Rc<RefCell<Shared>>, codes: Rc<[String]>) -> Result<()> {
        loop {
            if let Some(turns) = &self.turns {
                match turns.acquire().await {
                    Ok(turn) => turn.forget(),
                    Err(_) => return Ok(()),
                }
            }
            let Some((begun, at, scan)) = next(&shared) else { return Ok(()) };
            // Fewer tickets than time: the cell is then as long as they lasted.
            let at = if self.reuse_codes { at.checked_rem(codes.len()) } else { Some(at) };
            let Some(code) = at.and_then(|at| codes.get(at)) else { return Ok(()) };
            let scan = BASE64URL_NOPAD.encode(&scan.to_be_bytes());
            // No character of a code needs escaping in JSON: base45 has no quote, no backslash.
            let body = format!(r#"{{"code":"{code}","gate":1,"scan_id":"{scan}"}}"#);
            let request = format!("{}{}\r\n\r\n{body}", self.head, body.len());
            self.stream.write_all(request.as_bytes()).await?;
            self.read_answer().await?;
            let mut shared = shared.borrow_mut();
            let us = u64::try_from(begun.elapsed().as_micros()).unwrap_or(LATENCY_US_MAX);
            shared.latency.saturating_record(us);
            shared.done = shared.done.saturating_add(1);
        }
    }

    async fn read_answer(&mut self) -> Result<()> {
        self.answer.clear();
        loop {
            if self.stream.read_buf(&mut self.answer).await? == 0 {
                bail!("the server closed the connection");
            }
            match whole_answer(&self.answer)? {
                None => {}
                Some(("200", _)) => return Ok(()),
                Some((status, body)) => bail!("{status}: {}", String::from_utf8_lossy(body)),
            }
        }
    }
}

/// The next request: when it is due, its ticket, its scan id. None when the time is over.
fn next(shared: &RefCell<Shared>) -> Option<(Instant, usize, u128)> {
    let mut shared = shared.borrow_mut();
    let due = match &mut shared.due {
        None => Instant::now(),
        Some((due, gap)) => {
            let now = *due;
            *due += *gap;
            now
        }
    };
    if due >= shared.end {
        return None;
    }
    let at = shared.next;
    shared.next = at.saturating_add(1);
    shared.scan = shared.scan.wrapping_add(1);
    Some((due, at, shared.scan))
}

/// The status and the body of an answer, once it is complete.
fn whole_answer(bytes: &[u8]) -> Result<Option<(&str, &[u8])>> {
    let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else { return Ok(None) };
    let (head, body) = bytes.split_at(end.saturating_add(4));
    let head = std::str::from_utf8(head)?;
    let status = head.split(' ').nth(1).context("no status")?;
    let length: usize = head
        .lines()
        .filter_map(|line| line.split_once(": "))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .context("an answer without a length")?
        .1
        .parse()?;
    Ok((body.len() >= length).then_some((status, body)))
}

/// Posts JSON once and returns the answer's; anything but 200 is an error.
pub(crate) fn post(port: u16, path: &str, token: &str, body: &str) -> Result<serde_json::Value> {
    let mut stream = std::net::TcpStream::connect(("127.0.0.1", port))?;
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(format!("{head}{body}").as_bytes())?;
    let mut answer = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        let read = stream.read(&mut chunk)?;
        answer.extend_from_slice(chunk.get(..read).unwrap_or_default());
        match whole_answer(&answer)? {
            Some(("200", body)) => return Ok(serde_json::from_slice(body)?),
            Some((status, body)) => bail!("{path}: {status} {}", String::from_utf8_lossy(body)),
            None if read == 0 => bail!("{path}: no answer"),
            None => {}
        }
    }
}
