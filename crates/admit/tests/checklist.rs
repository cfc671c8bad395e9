//! The 14 steps of the sandbox against a running server, over TLS and as a stranger.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may fail loudly")]

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

/// A server that ends with the test.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

/// Starts a server on a free port; with the port.
fn serve(data: &str, flags: &[&str]) -> (Server, u64) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_admit"))
        .args(["serve", "--sample", "--https", "0", "--http", "0", "--data", data])
        .args(flags)
        .env("ADMIT_LOG", "warn")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let server = Server(child);
    let ready: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
    (server, ready["https"].as_u64().unwrap())
}

fn checklist(data: &str, port: u64) -> (bool, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_admit"))
        .args(["checklist", &format!("https://localhost:{port}")])
        .args(["--ca", &format!("{data}/tls/ca.pem")])
        .output()
        .unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(said).unwrap())
}

#[test]
fn all_14_steps_pass_against_an_open_sandbox() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().to_str().unwrap();
    let (_server, port) = serve(data, &["--sandbox"]);
    let (passed, said) = checklist(data, port);
    assert!(passed && said.contains("14 of 14 passed"), "{said}");
    // Twice, because the sandbox is shared and goes on.
    let (passed, said) = checklist(data, port);
    assert!(passed, "{said}");
}

#[test]
fn the_checklist_says_how_to_open_a_closed_sandbox() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().to_str().unwrap();
    let (_server, port) = serve(data, &[]);
    let (passed, said) = checklist(data, port);
    assert!(!passed && said.contains("admit serve --sandbox"), "{said}");
}
