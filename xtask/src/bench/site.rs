//! Data folders to measure on: one is made, every cell gets a copy of it.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::json;
use tempfile::TempDir;

use crate::load;
use crate::process::{command, run, text};
use crate::server::{Server, admit, release_binary};
use crate::{files, process};

/// Memory as a disk, whose own sync takes no time.
const MEMORY_DISK: &str = "/dev/shm";
/// Length of a sync where it is fixed, in microseconds.
const FIXED_SYNC_US: &str = "2000";

/// Where the data lies, and how long a sync takes there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Disk {
    /// This machine's.
    Real,
    /// Memory, with syncs of 2 ms: the same on every machine.
    Fixed,
}

impl Disk {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Real => "real disk",
            Self::Fixed => "2 ms sync",
        }
    }

    fn folder(self) -> Result<PathBuf> {
        match self {
            Self::Real => disk_folder(),
            Self::Fixed if Path::new(MEMORY_DISK).is_dir() => Ok(PathBuf::from(MEMORY_DISK)),
            Self::Fixed => bail!("there is no {MEMORY_DISK} here"),
        }
    }
}

/// A folder on the disk that the project is on.
pub(super) fn disk_folder() -> Result<PathBuf> {
    let folder = files::target().join("bench");
    std::fs::create_dir_all(&folder)?;
    Ok(folder)
}

/// An event with tickets and a paired device, to be copied.
pub(super) struct Template {
    folder: TempDir,
    pub(super) codes: Vec<String>,
    pub(super) token: String,
    pub(super) api_key: String,
    slow_sync: PathBuf,
}

impl Template {
    /// Makes it in memory, where issuing many tickets is quick.
    pub(super) fn make(tickets: usize) -> Result<Self> {
        let place = Disk::Fixed.folder().or_else(|_| disk_folder())?;
        let folder = TempDir::new_in(place)?;
        let slow_sync = build_slow_sync(folder.path())?;
        let data = folder.path().join("data");
        run_admit(&data, &["init", "--sample"])?;
        let number = tickets.to_string();
        // Room for those that are issued while it is measured; a type has a million at most.
        let quota = tickets.saturating_add(10_000).min(1_000_000).to_string();
        let add = ["ticket-type", "add", "--event", "sample", "--name", "Load", "--max-uses", "1"];
        let kind = run_admit(&data, &[&add, ["--quota", &quota].as_slice()].concat())?;
        let issue = ["ticket", "issue", "--event", "sample", "--type", &kind, "--count", &number];
        let issued = run_admit(&data, &issue)?;
        let codes: Vec<_> = issued
            .lines()
            .filter_map(|line| line.split_once(','))
            .filter(|(_, code)| code.starts_with("A1:"))
            .map(|(_, code)| code.to_owned())
            .collect();
        let pair = ["device", "pair", "--event", "sample", "--name", "Load"];
        let code = run_admit(&data, &pair)?;
        let api_key = run_admit(&data, &["api-key", "create", "--name", "load"])?;
        let server = Server::start(&mut serve(&data))?;
        let asked = json!({ "code": code, "platform": "bench" }).to_string();
        let paired = load::post(server.port("plain")?, "/v1/pair", "", &asked)?;
        let token = paired.get("token").and_then(|token| token.as_str()).context("no token")?;
        Ok(Self { token: token.to_owned(), folder, codes, api_key, slow_sync })
    }

    /// Runs a command of `admit` on the template itself; what it printed.
    pub(super) fn run(&self, arguments: &[&str]) -> Result<String> {
        run_admit(&self.folder.path().join("data"), arguments)
    }

    /// A server on a copy of its own.
    pub(super) fn serve(&self, disk: Disk, arguments: &[&str]) -> Result<Serving> {
        let folder = self.copy(disk)?;
        self.start(folder, disk, arguments)
    }

    /// A copy of the data.
    pub(super) fn copy(&self, disk: Disk) -> Result<TempDir> {
        let folder = TempDir::new_in(disk.folder()?)?;
        let data = folder.path().join("data");
        let (from, to) = (self.folder.path().join("data"), data.to_string_lossy());
        run(&mut command(&files::root(), "cp", &["-r", &from.to_string_lossy(), &to]))?;
        // The copy's own pages must not be written while we measure.
        run(&mut command(&files::root(), "sync", &[]))?;
        Ok(folder)
    }

    /// A server on a copy.
    pub(super) fn start(&self, folder: TempDir, disk: Disk, arguments: &[&str]) -> Result<Serving> {
        let mut command = serve(&folder.path().join("data"));
        command.args(arguments);
        if disk == Disk::Fixed {
            command.env("LD_PRELOAD", &self.slow_sync).env("SLOW_FSYNC_US", FIXED_SYNC_US);
        }
        Ok(Serving { server: Server::start(&mut command)?, _folder: folder })
    }
}

/// A server, and the folder it works in, which ends with it.
pub(super) struct Serving {
    pub(super) server: Server,
    _folder: TempDir,
}

fn serve(data: &Path) -> Command {
    let data = data.to_string_lossy();
    let arguments = ["serve", "--plain", "127.0.0.1:0", "--bench", "--data", &data];
    let mut command = admit(&release_binary(), &arguments);
    command.env("ADMIT_LOG", "warn");
    command
}

fn run_admit(data: &Path, arguments: &[&str]) -> Result<String> {
    let data = data.to_string_lossy();
    let arguments = [arguments, &["--data", &data]].concat();
    text(admit(&release_binary(), &arguments).env("ADMIT_LOG", "warn"))
}

fn build_slow_sync(folder: &Path) -> Result<PathBuf> {
    let library = folder.join("slow_fsync.so");
    let source = files::root().join("xtask/shim/slow_fsync.c");
    let (to, from) = (library.to_string_lossy(), source.to_string_lossy());
    let arguments = ["-shared", "-fPIC", "-O1", "-o", &to, &from, "-ldl"];
    process::run(&mut command(&files::root(), "cc", &arguments))?;
    Ok(library)
}
