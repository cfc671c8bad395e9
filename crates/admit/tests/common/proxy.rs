//! Stands between a server and its database, and cuts the connection in the middle of a commit.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// Where to cut the next commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    /// It does not reach the database.
    Before,
    /// The database commits, and nobody is told.
    After,
}

/// A proxy; it lives as long as the test.
pub(crate) struct Proxy {
    pub(crate) port: u16,
    cut: Arc<Mutex<Option<Cut>>>,
}

impl Proxy {
    /// One before the database on this port.
    pub(crate) fn start(database: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let cut = Arc::new(Mutex::new(None));
        let armed = Arc::clone(&cut);
        thread::spawn(move || {
            for client in listener.incoming() {
                let client = client.unwrap();
                let server = TcpStream::connect(("127.0.0.1", database)).unwrap();
                connect(&client, &server, &armed);
            }
        });
        Self { port, cut }
    }

    /// Cuts the next commit.
    pub(crate) fn cut_next(&self, cut: Cut) {
        *self.cut.lock().unwrap() = Some(cut);
    }

    /// Whether that commit is still to come.
    pub(crate) fn is_armed(&self) -> bool {
        self.cut.lock().unwrap().is_some()
    }
}

fn connect(client: &TcpStream, server: &TcpStream, armed: &Arc<Mutex<Option<Cut>>>) {
    let committing = Arc::new(Mutex::new(false));
    let (mut from, mut to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
    let (cut, deaf) = (Arc::clone(armed), Arc::clone(&committing));
    thread::spawn(move || {
        pump(&mut from, &mut to, |bytes| {
            if !bytes.windows(7).any(|seven| seven == b"COMMIT\0") {
                return true;
            }
            let cut = cut.lock().unwrap().take();
            *deaf.lock().unwrap() = cut == Some(Cut::After);
            cut != Some(Cut::Before)
        });
    });
    let (mut from, mut to) = (server.try_clone().unwrap(), client.try_clone().unwrap());
    thread::spawn(move || {
        // What the database says of the commit is the first that is not passed on.
        let mut rest = Vec::new();
        pump(&mut from, &mut to, |bytes| {
            rest.extend_from_slice(bytes);
            let done = rest.windows(7).any(|seven| seven == b"COMMIT\0");
            rest.drain(..rest.len().saturating_sub(6));
            !(done && *committing.lock().unwrap())
        });
    });
}

/// Copies until one side ends or `pass` says that it is enough, then ends both.
fn pump(from: &mut TcpStream, to: &mut TcpStream, mut pass: impl FnMut(&[u8]) -> bool) {
    let mut buffer = [0; 16 * 1024];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        if !pass(&buffer[..count]) || to.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}
