//! What a blind signature costs over HTTP, whole: the receipt counted, the leaf written, the answer
//! sent, in processor time of the server.

use std::cell::RefCell;
use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use data_encoding::BASE64;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::LocalSet;

use super::Effort;
use super::site::{Disk, Template};
use crate::probe::cpu_time;

/// Buyers at once, each at an address of its own: signatures are limited by address.
const BUYERS: u8 = 32;
/// Tickets of one order.
const QUANTITY: usize = 10;
/// Orders of each buyer; more signatures than a cell needs.
const ORDERS: usize = 60;
const BODY_BYTES_MAX: usize = 64 * 1024;

/// Signatures a second of the server's processor time, each of another token.
pub(super) fn rate(effort: Effort) -> Result<f64> {
    let template = Template::make(10)?;
    let serving = template.serve(Disk::Real, &["--demo"])?;
    let port = serving.server.port("plain")?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&runtime, async {
        let kind = make_room(port, template.api_key.trim()).await?;
        let mut buyers = Vec::new();
        for number in 1..=BUYERS {
            buyers.push(Buyer::ready(port, kind, number).await?);
        }
        let process = serving.server.id();
        let (begun, before) = (Instant::now(), cpu_time(process)?);
        let done = Rc::new(RefCell::new(0_u32));
        let tasks = buyers.into_iter().map(|mut buyer| {
            let done = Rc::clone(&done);
            tokio::task::spawn_local(async move {
                while begun.elapsed() < effort.cell && buyer.sign().await? {
                    *done.borrow_mut() += 1;
                }
                anyhow::Ok(())
            })
        });
        for task in tasks.collect::<Vec<_>>() {
            task.await??;
        }
        let signed = f64::from(*done.borrow());
        let (wall, used) = (begun.elapsed(), cpu_time(process)?.saturating_sub(before));
        println!(
            "over HTTP: {:.0} signed per s, {:.0} per s of the server's processor time",
            signed / wall.as_secs_f64(),
            signed / used.as_secs_f64()
        );
        Ok(signed / used.as_secs_f64())
    })
}

/// The sample's type that is sold, with room for all orders.
async fn make_room(port: u16, api_key: &str) -> Result<u64> {
    let mut asker = Asker::at(port, Ipv4Addr::LOCALHOST).await?;
    let event = asker.ask("GET", "/v1/events/sample/public", "", None).await?;
    let kinds = event.get("ticket_types").and_then(Value::as_array).context("no types")?;
    let sold = kinds.iter().find(|kind| kind.get("sale").is_some_and(Value::is_object));
    let number = sold.and_then(|kind| kind.get("number")?.as_u64()).context("nothing is sold")?;
    let path = format!("/v1/desk/events/sample/ticket-types/{number}");
    asker.ask("PATCH", &path, api_key, Some(&json!({"quota": 100_000}))).await?;
    Ok(number)
}

/// A connection from an address.
struct Asker {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Asker {
    async fn at(port: u16, from: Ipv4Addr) -> Result<Self> {
        let socket = TcpSocket::new_v4()?;
        socket.bind(SocketAddr::from((from, 0)))?;
        let stream = socket.connect(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::new() })
    }

    async fn ask(
        &mut self,
        method: &str,
        path: &str,
        bearer: &str,
        body: Option<&Value>,
    ) -> Result<Value> {
        let body = body.map(Value::to_string).unwrap_or_default();
        let key = if bearer.is_empty() {
            String::new()
        } else {
            format!("authorization: Bearer {bearer}\r\n")
        };
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: localhost\r\n{key}content-type: application/json\r\n\
             content-length: {}\r\n\r\n{body}",
            body.len()
        );
        self.stream.write_all(request.as_bytes()).await?;
        let (head, body) = self.answer().await?;
        ensure!(head.starts_with("HTTP/1.1 200"), "{path}: {head} {body}");
        Ok(serde_json::from_str(&body)?)
    }

    /// Head and body of the next answer.
    async fn answer(&mut self) -> Result<(String, String)> {
        loop {
            let text = String::from_utf8_lossy(&self.buffer).into_owned();
            if let Some((head, rest)) = text.split_once("\r\n\r\n") {
                let length = head.lines().find_map(|line| {
                    let (name, value) = line.split_once(": ")?;
                    name.eq_ignore_ascii_case("content-length").then(|| value.parse::<usize>())
                });
                if rest.len() >= length.context("an answer without a length")?? {
                    self.buffer.clear();
                    return Ok((head.to_owned(), rest.to_owned()));
                }
            }
            ensure!(self.buffer.len() < BODY_BYTES_MAX, "an answer that is too long");
            ensure!(self.stream.read_buf(&mut self.buffer).await? > 0, "the server hung up");
        }
    }
}

/// Somebody who has paid, and asks for one signature after another.
struct Buyer {
    asker: Asker,
    receipts: Vec<String>,
    asked: usize,
    number: u8,
}

impl Buyer {
    async fn ready(port: u16, kind: u64, number: u8) -> Result<Self> {
        let mut asker = Asker::at(port, Ipv4Addr::new(127, 0, 1, number)).await?;
        let mut receipts = Vec::new();
        for _ in 0..ORDERS {
            let order = json!({"event": "sample", "ticket_type": kind, "quantity": QUANTITY,
                "payment_provider": "TEST"});
            let order = asker.ask("POST", "/v1/checkout", "", Some(&order)).await?;
            let reference = order.get("provider_receipt_id").context("no order")?;
            let pay = json!({"provider_receipt_id": reference});
            asker.ask("POST", "/test/verify", "", Some(&pay)).await?;
            let verify = json!({"payment_provider": "TEST", "provider_receipt_id": reference});
            let receipt = asker.ask("POST", "/v1/verify_receipt", "", Some(&verify)).await?;
            let id = receipt.get("receipt_id").and_then(Value::as_str).context("not paid")?;
            receipts.push(id.to_owned());
        }
        Ok(Self { asker, receipts, asked: 0, number })
    }

    /// Asks for the next signature; whether anything was left to ask for.
    async fn sign(&mut self) -> Result<bool> {
        let Some(receipt) = self.receipts.get(self.asked / QUANTITY) else { return Ok(false) };
        // To the signer every number below the modulus is a blinded token.
        let mut blinded = [self.number; 256];
        blinded.iter_mut().take(1).for_each(|first| *first = 0);
        let place = self.asked.to_be_bytes();
        blinded.iter_mut().skip(8).zip(place).for_each(|(byte, value)| *byte = value);
        let body = json!({"receipt_id": receipt, "blinded_token": BASE64.encode(&blinded)});
        self.asker.ask("POST", "/v1/sign_blinded", "", Some(&body)).await?;
        self.asked += 1;
        Ok(true)
    }
}
