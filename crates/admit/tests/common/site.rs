//! A data folder of its own, or a database beside it, the commands on it, and the server on a free
//! port.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::client::Client;

/// A line of `admit admissions`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BookedScan {
    pub(crate) scan_id: String,
    pub(crate) ticket: String,
    pub(crate) outcome: String,
}

/// A ticket as it was issued.
#[derive(Clone, Debug)]
pub(crate) struct Issued {
    pub(crate) number: String,
    pub(crate) code: String,
}

/// A data folder with the sample event.
pub(crate) struct Site {
    pub(crate) folder: TempDir,
    /// The address of its PostgreSQL; none when the data folder has the database.
    pub(crate) database: Option<String>,
}

impl Site {
    pub(crate) fn new() -> Self {
        Self::on(None)
    }

    /// One on a database of its own, or on the data folder's.
    pub(crate) fn on(database: Option<String>) -> Self {
        let site = Self { folder: tempfile::tempdir().unwrap(), database };
        site.admit(&["init", "--sample"]);
        site
    }

    /// A command of `admit` on this site.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_admit"));
        command.args(arguments).arg("--data").arg(self.data()).env_remove("ADMIT_DATABASE");
        if let Some(database) = &self.database {
            command.args(["--database", database]);
        }
        command.env("ADMIT_LOG", "warn").stdin(Stdio::null());
        command
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Runs a command of `admit` on the data folder and returns what it printed.
    pub(crate) fn admit(&self, arguments: &[&str]) -> String {
        let output = self.command(arguments).output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "admit {arguments:?}: {errors}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Adds a ticket type of single entry; its number.
    pub(crate) fn add_type(&self, quota: u32) -> String {
        let quota = quota.to_string();
        let said = self.admit(&[
            "ticket-type",
            "add",
            "--event",
            "sample",
            "--name",
            "More",
            "--quota",
            &quota,
            "--max-uses",
            "1",
        ]);
        said.trim().to_owned()
    }

    /// Issues `count` tickets of a type.
    pub(crate) fn issue(&self, kind: &str, count: usize) -> Vec<Issued> {
        let count_text = count.to_string();
        let said = self.admit(&[
            "ticket",
            "issue",
            "--event",
            "sample",
            "--type",
            kind,
            "--count",
            &count_text,
        ]);
        let issued: Vec<_> = said
            .lines()
            .filter_map(|line| line.split_once(','))
            .filter(|(_, code)| code.starts_with("A1:"))
            .map(|(number, code)| Issued { number: number.to_owned(), code: code.to_owned() })
            .collect();
        assert_eq!(issued.len(), count);
        issued
    }

    /// Every scan on the books.
    pub(crate) fn books(&self) -> Vec<BookedScan> {
        self.admit(&["admissions", "--event", "sample"])
            .lines()
            .skip(1)
            .map(|line| {
                let cells: Vec<_> = line.split(',').collect();
                BookedScan {
                    scan_id: cells[1].to_owned(),
                    ticket: cells[3].to_owned(),
                    outcome: cells[4].to_owned(),
                }
            })
            .collect()
    }

    /// Starts the server and waits until it listens.
    pub(crate) fn start(&self, arguments: &[&str], environment: &[(&str, &Path)]) -> Server {
        let mut child = self
            .command(&["serve", "--plain", "127.0.0.1:0"])
            .args(arguments)
            .envs(environment.iter().copied())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let mut server = Server { child, output, port: 0 };
        server.port = server.ready_port();
        server
    }

    /// Pairs a device with the running server; its token.
    pub(crate) fn pair(&self, port: u16) -> String {
        let code = self.admit(&["device", "pair", "--event", "sample", "--name", "Test gate"]);
        let asked = json!({ "code": code.trim(), "platform": "test" });
        let answer =
            Client::connect(port).unwrap().post("/v1/pair", "Accept: */*", &asked).unwrap();
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.body["token"].as_str().unwrap().to_owned()
    }
}

/// A running server; killed when it goes out of scope.
pub(crate) struct Server {
    child: Child,
    output: BufReader<ChildStdout>,
    pub(crate) port: u16,
}

impl Server {
    fn ready_port(&mut self) -> u16 {
        loop {
            let mut line = String::new();
            assert_ne!(self.output.read_line(&mut line).unwrap(), 0, "the server did not start");
            let said: Value = serde_json::from_str(&line).unwrap_or_default();
            if said["ready"] == true {
                return u16::try_from(said["plain"].as_u64().unwrap()).unwrap();
            }
        }
    }
}

impl Drop for Server {
    /// `kill -9`: the process gets no chance to finish anything.
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}
