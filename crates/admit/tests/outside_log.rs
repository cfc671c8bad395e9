//! The audit log of a server at work, checked by code that nobody here wrote: Go's own
//! implementation of transparency logs, `golang.org/x/mod/sumdb`, which every Go toolchain carries
//! and checks its modules with. `outside/check.go` only hands it the files.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may fail loudly")]

#[path = "common/client.rs"]
mod client;
#[path = "common/site.rs"]
#[expect(dead_code, reason = "other tests use more of it")]
mod site;

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use client::{Client, new_scan_id};
use data_encoding::{BASE64, HEXLOWER};
use serde_json::{Value, json};
use site::Site;

/// The built checker; none where there is no Go. The full test run installs it.
static CHECK: LazyLock<Option<PathBuf>> = LazyLock::new(|| {
    let built = build();
    assert!(built.is_some() || std::env::var_os("CI").is_none(), "cannot build with Go");
    built
});

fn go(folder: &Path, arguments: &[&str]) -> Option<String> {
    let output = Command::new("go")
        .args(arguments)
        .current_dir(folder)
        .envs([("GOPROXY", "off"), ("GOTOOLCHAIN", "local"), ("GOFLAGS", "-mod=mod")])
        .env("GOCACHE", Path::new(env!("CARGO_TARGET_TMPDIR")).join("go-cache"))
        .env("GOPATH", Path::new(env!("CARGO_TARGET_TMPDIR")).join("go-path"))
        .output()
        .ok()?;
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "go {arguments:?}: {said}");
    Some(String::from_utf8(output.stdout).unwrap().trim().to_owned())
}

/// Builds the checker with the toolchain's own copy of the reference implementation.
fn build() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("outside");
    fs::create_dir_all(&folder).unwrap();
    let root = go(&folder, &["env", "GOROOT"])?;
    let source = Path::new(&root).join("src/cmd/vendor/golang.org/x/mod/sumdb");
    for package in ["note", "tlog"] {
        let copy = folder.join("mod/sumdb").join(package);
        fs::create_dir_all(&copy).unwrap();
        for file in fs::read_dir(source.join(package)).unwrap() {
            let file = file.unwrap();
            fs::copy(file.path(), copy.join(file.file_name())).unwrap();
        }
    }
    let version = go(&folder, &["env", "GOVERSION"])?;
    let language = version.replacen("go", "go ", 1);
    let module = format!("{language}\nmodule golang.org/x/mod\n");
    fs::write(folder.join("mod/go.mod"), module).unwrap();
    let module = format!(
        "{language}\nmodule check\nrequire golang.org/x/mod v0.0.0\n\
         replace golang.org/x/mod => ./mod\n"
    );
    fs::write(folder.join("go.mod"), module).unwrap();
    fs::write(folder.join("check.go"), include_str!("outside/check.go")).unwrap();
    go(&folder, &["build", "-o", "check", "."])?;
    Some(folder.join("check"))
}

/// Whether Go believes the log in `folder`, and what it says.
fn check_log(check: &Path, folder: &Path, vkey: &str, older: &Path) -> (bool, String) {
    let output = Command::new(check).arg("log").arg(folder).arg(vkey).arg(older).output().unwrap();
    (output.status.success(), String::from_utf8(output.stdout).unwrap())
}

/// What Go says of each receipt: `ok`, or why not.
fn check_receipts(check: &Path, vkey: &str, receipts: &[String]) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(check);
    command.args(["receipts", vkey]);
    for (number, receipt) in receipts.iter().enumerate() {
        let path = folder.path().join(format!("{number}.tlog-proof"));
        fs::write(&path, receipt).unwrap();
        command.arg(path);
    }
    let said = String::from_utf8(command.output().unwrap().stdout).unwrap();
    let verdicts = said.lines().map(|line| line.split_once(' ').unwrap().1.to_owned());
    verdicts.collect()
}

/// A server that has worked: its log exported twice, and receipts of both sources.
struct Worked {
    site: Site,
    vkey: String,
    /// From the answers to scans, while the log grew.
    answered: Vec<String>,
    /// Asked for afterwards.
    asked: Vec<String>,
}

impl Worked {
    fn new() -> Self {
        let site = Site::new();
        let tickets = site.issue("1", 280);
        let server = site.start(&[], &[]);
        let token = site.pair(server.port);
        let mut client = Client::connect(server.port).unwrap();
        let mut answered = Vec::new();
        for ticket in tickets.iter().take(20) {
            for _ in 0..2 {
                let scan = new_scan_id();
                let answer = client.present(&token, &ticket.code, &scan).unwrap();
                answered.extend(receipt_of(&answer.body["merkle_validation"]));
            }
        }
        let mut worked = Self { site, vkey: String::new(), answered, asked: Vec::new() };
        worked.export("older");
        let last = new_scan_id();
        client.present(&token, &tickets[20].code, &last).unwrap();
        let undo = format!("/v1/gate/admissions/{last}/undo");
        let undone = client.post(&undo, &format!("Authorization: Bearer {token}"), &json!({}));
        assert_eq!(undone.unwrap().status, 200);
        worked.vkey = worked.export("newer");
        let asked = [0, 1, 2, 255, 256, 257, 300]
            .map(|index| get(server.port, &format!("/v1/events/sample/log/receipts/{index}")));
        worked.asked = asked.to_vec();
        worked
    }

    fn folder(&self, name: &str) -> PathBuf {
        self.site.data().with_file_name(name)
    }

    /// Writes the log into a folder; its key.
    fn export(&self, name: &str) -> String {
        let folder = self.folder(name);
        let said =
            self.site.admit(&["log", "export", folder.to_str().unwrap(), "--event", "sample"]);
        said.split('\'').nth(1).unwrap().to_owned()
    }
}

/// A receipt put together from an answer, as any client could.
fn receipt_of(proof: &Value) -> Option<String> {
    let text = |name: &str| proof[name].as_str();
    let path: String = proof["inclusion_path"]
        .as_array()?
        .iter()
        .map(|hash| HEXLOWER.decode(hash.as_str().unwrap().as_bytes()).unwrap())
        .map(|hash| BASE64.encode(&hash) + "\n")
        .collect();
    let (leaf, index) = (text("leaf")?, proof["inclusion_index"].as_u64()?);
    let checkpoint = text("checkpoint")?;
    Some(format!("c2sp.org/tlog-proof@v1\nextra {leaf}\nindex {index}\n{path}\n{checkpoint}"))
}

fn get(port: u16, path: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    body.to_owned()
}

/// The same text with one character of one of its parts changed.
fn altered(receipt: &str) -> Vec<(&'static str, String)> {
    let lines: Vec<&str> = receipt.lines().collect();
    let change = |name, line: usize, from_end: usize| {
        let mut lines: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
        let at = lines[line].len() - 1 - from_end;
        let other = if &lines[line][at..=at] == "1" { "2" } else { "1" };
        lines[line].replace_range(at..=at, other);
        (name, lines.join("\n") + "\n")
    };
    let empty = lines.iter().position(|line| line.is_empty()).unwrap();
    vec![
        change("entry", 1, 10),
        change("index", 2, 0),
        change("path", 3, 10),
        change("origin", empty + 1, 0),
        change("size", empty + 2, 0),
        change("root", empty + 3, 10),
        change("signature", empty + 5, 10),
    ]
}

#[test]
fn go_accepts_our_log_and_receipts_and_refuses_altered_ones() {
    let Some(check) = CHECK.as_deref() else { return };
    let worked = Worked::new();
    let older = worked.folder("older").join("checkpoint");
    let newer = worked.folder("newer");

    let (believed, said) = check_log(check, &newer, &worked.vkey, &older);
    assert!(believed, "{said}");
    let size = fs::read_to_string(newer.join("checkpoint")).unwrap();
    let size = size.lines().nth(1).unwrap().to_owned();
    assert!(said.starts_with(&format!("{size} entries, continues ")), "{said}");

    assert_eq!(worked.answered.len(), 40, "every answer to a scan, refusals too, has its proof");
    let receipts = [worked.answered.as_slice(), &worked.asked].concat();
    let verdicts = check_receipts(check, &worked.vkey, &receipts);
    assert_eq!(verdicts, vec!["ok"; receipts.len()]);

    for receipt in &receipts {
        let (names, texts): (Vec<_>, Vec<_>) = altered(receipt).into_iter().unzip();
        let verdicts = check_receipts(check, &worked.vkey, &texts);
        for (name, verdict) in names.iter().zip(&verdicts) {
            assert_ne!(verdict, "ok", "another {name} is believed:\n{receipt}");
        }
        assert_eq!(verdicts.len(), names.len());
    }

    for name in ["tile/entries/000", "tile/0/000", "checkpoint"] {
        let path = newer.join(name);
        let good = fs::read(&path).unwrap();
        let mut bad = good.clone();
        bad[good.len() / 2] ^= 1;
        fs::write(&path, bad).unwrap();
        let (believed, said) = check_log(check, &newer, &worked.vkey, &older);
        assert!(!believed, "{name}: {said}");
        fs::write(&path, good).unwrap();
    }
}

#[test]
fn our_own_command_agrees_with_go() {
    let worked = Worked::new();
    let older = worked.folder("older").join("checkpoint");
    let admit = |path: &Path, more: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_admit"))
            .args(["log", "verify", path.to_str().unwrap(), "--key", &worked.vkey])
            .args(more)
            .output()
            .unwrap();
        (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let (believed, said) = admit(&worked.folder("newer"), &["--since", older.to_str().unwrap()]);
    assert!(believed, "{said}");
    assert!(said.contains("admit 21, refuse 20, undo 1"), "{said}");
    let receipt = worked.site.data().with_file_name("a.tlog-proof");
    for text in worked.answered.iter().chain(&worked.asked) {
        fs::write(&receipt, text).unwrap();
        assert!(admit(&receipt, &[]).0, "{text}");
    }
    for (name, text) in altered(&worked.answered[0]) {
        fs::write(&receipt, text).unwrap();
        assert!(!admit(&receipt, &[]).0, "another {name} is believed");
    }
}
