//! What the server logs, at its most talkative: nothing personal, no credential, no code.
#![expect(clippy::unwrap_used, reason = "a test may fail loudly")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};

/// A request with `headers` (each ending in a line break) and a JSON body; the answer's body.
fn post(port: u16, path: &str, headers: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    write!(
        stream,
        "POST {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{headers}\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text.split_once("\r\n\r\n").unwrap().1.to_owned()
}

/// The text of a field of an answer.
fn field(answer: &str, name: &str) -> String {
    let start = answer.find(&format!("\"{name}\":\"")).unwrap() + name.len() + 4;
    let rest = answer.get(start..).unwrap();
    rest.split('"').next().unwrap().to_owned()
}

#[test]
fn nothing_personal_and_no_secret_is_logged() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let data = data.to_str().unwrap();
    let admit = || Command::new(env!("CARGO_BIN_EXE_admit"));
    assert!(admit().args(["init", "--data", data, "--sample"]).status().unwrap().success());
    let mut server = admit()
        .args(["serve", "--data", data, "--plain", "127.0.0.1:0"])
        .env("ADMIT_LOG", "trace")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut errors = server.stderr.take().unwrap();
    let log = std::thread::spawn(move || {
        let mut text = String::new();
        errors.read_to_string(&mut text).unwrap();
        text
    });
    let mut ready = String::new();
    let mut stdout = BufReader::new(server.stdout.take().unwrap());
    stdout.read_line(&mut ready).unwrap();
    let port = serde_json::from_str::<serde_json::Value>(&ready).unwrap();
    let port = port.get("plain").unwrap().as_u64().unwrap().try_into().unwrap();

    let person = r#"{"ticket_type":1,"name":"Zorblax Quuxington","email":"zorblax@canary.example","phone":"+4915550109999"}"#;
    let registered =
        post(port, "/v1/events/sample/registrations", "idempotency-key: canary-key\r\n", person);
    let (access, code) = (field(&registered, "access"), field(&registered, "code"));
    let paired = admit()
        .args(["device", "pair", "--data", data, "--event", "sample", "--name", "A"])
        .output()
        .unwrap();
    let pairing = String::from_utf8(paired.stdout).unwrap().trim().to_owned();
    let body = format!(r#"{{"code":"{pairing}","platform":"test"}}"#);
    let token = field(&post(port, "/v1/pair", "", &body), "token");
    let bearer = format!("authorization: Bearer {token}\r\n");
    for (code, expected) in
        [(code.as_str(), "admit"), (&code, "admit"), ("forged canary", "invalid")]
    {
        let body = format!(r#"{{"code":"{code}","gate":1,"scan_id":"AAAAAAAAAAAAAAAAAAAAAA"}}"#);
        assert!(post(port, "/v1/gate/admissions", &bearer, &body).contains(expected));
    }
    post(port, "/v1/session", "", r#"{"username":"nobody","password":"canary password"}"#);
    assert!(post(port, "/v1/session", "", r#"{"username":"canary","password":7}"#).contains("400"));

    server.kill().unwrap();
    server.wait().unwrap();
    let log = log.join().unwrap();
    assert!(log.contains("/v1/gate/admissions"), "it did log");
    for secret in [
        "Zorblax",
        "zorblax@",
        "+4915550109999",
        "canary-key",
        "canary password",
        "forged canary",
        &access,
        &code,
        &pairing,
        &token,
    ] {
        assert!(!log.contains(secret), "{secret} is in the log");
    }
}
