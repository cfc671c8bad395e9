//! The `admit` program: its commands, and a server that runs beside us.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{ChildStdout, Command, Stdio};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::files;
use crate::process::{Running, command};

/// The binary of a debug build.
pub(crate) fn debug_binary() -> PathBuf {
    files::target().join("debug/admit")
}

/// The binary of a release build.
pub(crate) fn release_binary() -> PathBuf {
    files::target().join("release/admit")
}

/// A command of `binary`.
pub(crate) fn admit(binary: &Path, arguments: &[&str]) -> Command {
    command(&files::root(), &binary.to_string_lossy(), arguments)
}

/// Creates the admin `name`, who signs in with `password`.
pub(crate) fn create_admin(binary: &Path, data: &str, name: &str, password: &str) -> Result<()> {
    let arguments =
        ["user", "create", "--data", data, "--name", name, "--role", "admin", "--password-stdin"];
    let mut child = admit(binary, &arguments)
        .stdin(Stdio::piped())
        .spawn()
        .context("cannot run admit user create")?;
    let mut input = child.stdin.take().context("no standard input")?;
    writeln!(input, "{password}")?;
    drop(input);
    if child.wait()?.success() { Ok(()) } else { bail!("admit user create failed") }
}

/// A server that listens; it ends when this goes out of scope.
pub(crate) struct Server {
    running: Running,
    ready: Value,
    // Kept open: a server whose output nobody takes would fail when it says something.
    _output: BufReader<ChildStdout>,
}

impl Server {
    /// Starts `serve` (a whole command) and waits until it listens.
    pub(crate) fn start(serve: &mut Command) -> Result<Self> {
        let mut child = serve
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start the server")?;
        let output = child.stdout.take().context("no standard output")?;
        let running = Running::new(child);
        let mut output = BufReader::new(output);
        loop {
            let mut line = String::new();
            if output.read_line(&mut line)? == 0 {
                bail!("the server ended before it listened");
            }
            let said: Value = serde_json::from_str(&line).unwrap_or_default();
            if said.get("ready") == Some(&Value::Bool(true)) {
                return Ok(Self { running, ready: said, _output: output });
            }
        }
    }

    /// The port of a listener: `https`, `http` or `plain`.
    pub(crate) fn port(&self, listener: &str) -> Result<u16> {
        let port = self.ready.get(listener).and_then(Value::as_u64);
        port.and_then(|port| u16::try_from(port).ok())
            .with_context(|| format!("the server opened no {listener} port"))
    }

    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.running.id()
    }
}
