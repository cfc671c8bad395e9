//! A gate's HTTP client: one connection, blocking, which tells a lost answer from a given one.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicU64, Ordering};

use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};

/// An answer that arrived whole.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Value,
}

/// A connection to the server.
pub(crate) struct Client {
    stream: BufReader<TcpStream>,
}

impl Client {
    pub(crate) fn connect(port: u16) -> io::Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_nodelay(true)?;
        Ok(Self { stream: BufReader::new(stream) })
    }

    /// Posts JSON. An error means that nobody knows what became of the request.
    pub(crate) fn post(&mut self, path: &str, header: &str, body: &Value) -> io::Result<Answer> {
        let body = body.to_string();
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n{header}\r\n\r\n",
            body.len()
        );
        self.stream.get_mut().write_all(format!("{head}{body}").as_bytes())?;
        let status = self.line()?;
        let status = status.split(' ').nth(1).and_then(|code| code.parse().ok());
        let mut length = 0;
        loop {
            let line = self.line()?.to_lowercase();
            if line.is_empty() {
                break;
            }
            if let Some(value) = line.strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
        }
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body)?;
        let body = serde_json::from_slice(&body).unwrap();
        Ok(Answer { status: status.unwrap(), body })
    }

    /// Presents a code at gate 1.
    pub(crate) fn present(&mut self, token: &str, code: &str, scan_id: &str) -> io::Result<Answer> {
        self.post(
            "/v1/gate/admissions",
            &format!("Authorization: Bearer {token}"),
            &json!({ "code": code, "gate": 1, "scan_id": scan_id }),
        )
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        match self.stream.read_line(&mut line)? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(line.trim_end().to_owned()),
        }
    }
}

/// A scan id that no other call returns.
pub(crate) fn new_scan_id() -> String {
    static DRAWN: AtomicU64 = AtomicU64::new(0);
    let number = u128::from(DRAWN.fetch_add(1, Ordering::Relaxed));
    BASE64URL_NOPAD.encode(&number.to_be_bytes())
}
