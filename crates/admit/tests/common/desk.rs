//! A desk that watches the live feed.

use std::io::{self, BufRead, BufReader, Write};
use std::net::TcpStream;

use serde_json::Value;

/// A connection to the feed.
pub(crate) struct Desk {
    stream: BufReader<TcpStream>,
    /// Id of the newest message: where to go on.
    pub(crate) position: String,
    /// Numbers of the tickets in the scans seen through this connection, in order.
    pub(crate) numbers: Vec<String>,
}

impl Desk {
    pub(crate) fn watch(port: u16, key: &str, since: Option<&str>) -> io::Result<Self> {
        let mut stream = TcpStream::connect(("127.0.0.1", port))?;
        let since = since.map(|id| format!("Last-Event-ID: {id}\r\n")).unwrap_or_default();
        let request = format!(
            "GET /v1/desk/events/sample/live HTTP/1.1\r\nHost: localhost\r\n\
             Authorization: Bearer {key}\r\n{since}\r\n"
        );
        stream.write_all(request.as_bytes())?;
        let position = String::new();
        Ok(Self { stream: BufReader::new(stream), position, numbers: Vec::new() })
    }

    /// Reads on until a scan of this ticket was told; an error when the feed ends before.
    pub(crate) fn until(&mut self, number: &str) -> io::Result<()> {
        while !self.numbers.iter().any(|seen| seen == number) {
            let mut line = String::new();
            if self.stream.read_line(&mut line)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if let Some(id) = line.strip_prefix("id: ") {
                id.trim().clone_into(&mut self.position);
            }
            if let Some(data) = line.strip_prefix("data: ") {
                let told: Value = serde_json::from_str(data)?;
                let scans = told["scans"].as_array().cloned().unwrap_or_default();
                let numbers = scans.iter().filter_map(|scan| scan["ticket_number"].as_str());
                self.numbers.extend(numbers.map(str::to_owned));
            }
        }
        Ok(())
    }
}
