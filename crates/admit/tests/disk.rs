//! A full disk, and a folder that cannot be written: no false answer, and on again by itself.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may fail loudly")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// Runs the server on a small disk of its own, and does as told line by line.
const SCRIPT: &str = r#"
mount -t tmpfs -o size=3m tmpfs "$1" || { echo unable; exit 0; }
"$2" init --data "$1/data" --sample >/dev/null
"$2" serve --data "$1/data" --plain 127.0.0.1:0 &
server=$!
read -r _; dd if=/dev/zero of="$1/filler" bs=4k 2>/dev/null; echo full
read -r _; rm "$1/filler"; echo freed
read -r _; kill "$server"; wait "$server"
"#;

struct SmallDisk {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    port: u16,
    _folder: tempfile::TempDir,
}

impl SmallDisk {
    /// None where mounts are not allowed.
    fn start() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mut child = Command::new("unshare")
            .args(["--map-root-user", "--mount", "sh", "-c", SCRIPT, "sh"])
            .arg(folder.path())
            .arg(env!("CARGO_BIN_EXE_admit"))
            .env("ADMIT_LOG", "off")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        let input = child.stdin.take().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        let ready: serde_json::Value = serde_json::from_str(&line).ok()?;
        let port = ready["plain"].as_u64().unwrap().try_into().unwrap();
        Some(Self { child, input, output, port, _folder: folder })
    }

    fn tell(&mut self) -> String {
        self.input.write_all(b"go\n").unwrap();
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        line.trim().to_owned()
    }

    /// Registers under a key: status and body.
    fn register(&self, key: &str) -> (u16, String) {
        let body = format!(
            r#"{{"ticket_type":1,"name":"{}","email":"a@example.org"}}"#,
            "Wide Name ".repeat(20)
        );
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        write!(
            stream,
            "POST /v1/events/sample/registrations HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\
             content-type: application/json\r\nidempotency-key: {key}\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )
        .unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        let status = text.split(' ').nth(1).unwrap().parse().unwrap();
        (status, text.split_once("\r\n\r\n").unwrap().1.to_owned())
    }
}

fn number(body: &str) -> String {
    let json: serde_json::Value =
        serde_json::from_str(&body[body.find('{').unwrap()..=body.rfind('}').unwrap()]).unwrap();
    json["ticket"]["number"].as_str().unwrap().to_owned()
}

#[test]
fn a_full_disk_gives_503_loses_nothing_and_passes() {
    let Some(mut disk) = SmallDisk::start() else {
        assert!(std::env::var_os("CI").is_none(), "mounting a small disk is not allowed here");
        return;
    };
    let mut answered = Vec::new();
    let (status, body) = disk.register("before");
    assert_eq!(status, 201);
    answered.push(("before".to_owned(), number(&body)));
    assert_eq!(disk.tell(), "full");
    let mut refused = None;
    for n in 0..400 {
        let key = format!("k{n}");
        match disk.register(&key) {
            (201, body) => answered.push((key, number(&body))),
            (503, body) => {
                refused = Some((key, body));
                break;
            }
            other => unreachable!("{other:?}"),
        }
    }
    let (key, body) = refused.unwrap();
    assert!(body.contains("unavailable"), "{body}");
    assert_eq!(disk.tell(), "freed");
    let (status, body) = disk.register(&key);
    assert_eq!(status, 201);
    answered.push((key, number(&body)));
    for (key, told) in &answered {
        let (status, body) = disk.register(key);
        assert_eq!((status, &number(&body)), (200, told));
    }
    disk.input.write_all(b"end\n").unwrap();
    assert!(disk.child.wait().is_ok());
}

#[test]
fn a_folder_that_cannot_be_written_is_told_at_start() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "x").unwrap();
    let data = file.join("data");
    let output = Command::new(env!("CARGO_BIN_EXE_admit"))
        .args(["init", "--data", data.to_str().unwrap()])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("data"));
}
