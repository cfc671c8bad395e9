//! A PostgreSQL of our own: found on this machine, started in a temporary folder on a free port, and
//! gone when this process is, however it ends.

use std::io;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

/// Oldest version that will do.
const VERSION_MIN: u32 = 15;
/// What a folder must have; a path may hold some of them only.
const PROGRAMS: [&str; 4] = ["initdb", "pg_ctl", "postgres", "createdb"];
/// Who runs it when we are root, whom PostgreSQL refuses: the package's own user, or nobody.
const USERS: [&str; 2] = ["postgres", "nobody"];
/// Waits until we are gone, then stops the cluster and clears up.
const KEEPER: &str = r#"cd /; read -r _; "$1/pg_ctl" -D "$2/data" -m immediate stop; rm -rf "$2""#;
/// Small, but as durable as in earnest.
const SETTINGS: &str = "fsync = on\nsynchronous_commit = on\nmax_connections = 300\n\
    shared_buffers = 128MB\nlisten_addresses = '127.0.0.1'\nlog_min_messages = fatal\n";

/// A running cluster.
pub(crate) struct Cluster {
    programs: PathBuf,
    folder: PathBuf,
    port: u16,
    user: Option<&'static str>,
    databases: AtomicU32,
    keeper: Child,
}

impl Cluster {
    /// Makes and starts one.
    pub(crate) fn start() -> io::Result<Self> {
        Self::with("")
    }

    /// One with further settings.
    pub(crate) fn with(more: &str) -> io::Result<Self> {
        let programs = programs()?;
        let user = other_user()?;
        let folder = tempfile::Builder::new().prefix("admit-pg").tempdir()?.keep();
        if let Some(user) = user {
            run(Command::new("chown").arg(user).arg(&folder))?;
        }
        let keeper = as_user(user, Path::new("sh"))
            .args(["-c", KEEPER, "keeper"])
            .args([&programs, &folder])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let cluster = Self { programs, folder, port, user, databases: AtomicU32::new(0), keeper };
        let initdb = ["--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C"];
        run(cluster.program("initdb").args(initdb).arg("--no-sync").arg("-D").arg(cluster.data()))?;
        let settings = cluster.data().join("postgresql.auto.conf");
        let folder = cluster.folder.display();
        let places = format!("port = {port}\nunix_socket_directories = '{folder}'\n");
        std::fs::write(settings, format!("{SETTINGS}{places}{more}"))?;
        cluster.begin()?;
        Ok(cluster)
    }

    /// Starts it again after [`Self::crash`].
    pub(crate) fn begin(&self) -> io::Result<()> {
        let log = self.folder.join("log");
        run(self.program("pg_ctl").args(["start", "-w", "-D"]).arg(self.data()).arg("-l").arg(log))
    }

    /// Stops it as a power cut would, short of the disk.
    pub(crate) fn crash(&self) -> io::Result<()> {
        run(self.program("pg_ctl").args(["stop", "-w", "-m", "immediate", "-D"]).arg(self.data()))
    }

    /// Makes an empty database; its name.
    pub(crate) fn create_database(&self) -> io::Result<String> {
        self.create(&[])
    }

    fn create(&self, how: &[&str]) -> io::Result<String> {
        let name = format!("t{}", self.databases.fetch_add(1, Ordering::Relaxed));
        let folder = self.folder.to_string_lossy().into_owned();
        let port = self.port.to_string();
        let place = ["-U", "postgres", "-h", &folder, "-p", &port];
        run(self.program("createdb").args(place).args(how).arg(&name))?;
        Ok(name)
    }

    /// Makes a database that is a copy of another, which nobody uses; its name.
    pub(crate) fn copy_database(&self, from: &str) -> io::Result<String> {
        self.create(&["--template", from])
    }

    /// Writes a file that the cluster's programs can read.
    pub(crate) fn file(&self, name: &str, text: &str) -> io::Result<PathBuf> {
        let path = self.folder.join(name);
        std::fs::write(&path, text)?;
        if let Some(user) = self.user {
            run(Command::new("chown").arg(user).arg(&path))?;
        }
        Ok(path)
    }

    /// Where a database is, through the network.
    pub(crate) fn address(&self, database: &str) -> String {
        address_at(self.port, database)
    }

    /// Where a database is, through a socket in the file system.
    pub(crate) fn socket_address(&self, database: &str) -> String {
        let folder = self.folder.to_string_lossy().replace('/', "%2F");
        format!("postgres://postgres@{folder}:{}/{database}", self.port)
    }

    /// The port on 127.0.0.1.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// A program of the same version, to be run by whoever may run it.
    pub(crate) fn program(&self, name: &str) -> Command {
        let mut command = as_user(self.user, &self.programs.join(name));
        command.current_dir("/");
        command
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // The keeper hears the end of its input, and clears up.
        drop(self.keeper.stdin.take());
        let _ = self.keeper.wait();
    }
}

/// Where a database is that is reached by this port.
pub(crate) fn address_at(port: u16, database: &str) -> String {
    format!("postgres://postgres@127.0.0.1:{port}/{database}")
}

/// The folder of the newest PostgreSQL here.
fn programs() -> io::Result<PathBuf> {
    let on_path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<_> = std::env::split_paths(&on_path).collect();
    if let Ok(versions) = std::fs::read_dir("/usr/lib/postgresql") {
        folders.extend(versions.flatten().map(|version| version.path().join("bin")));
    }
    let version = |folder: &PathBuf| {
        let output = Command::new(folder.join("initdb")).arg("--version").output().ok()?;
        let said = String::from_utf8(output.stdout).ok()?;
        let number = said.split_whitespace().find_map(|word| word.split('.').next()?.parse().ok());
        let whole = PROGRAMS.iter().all(|program| folder.join(program).exists());
        number.filter(|number: &u32| *number >= VERSION_MIN && whole)
    };
    let found = folders.into_iter().filter_map(|folder| Some((version(&folder)?, folder)));
    found.max().map(|(_, folder)| folder).ok_or_else(|| {
        io::Error::other(
            "there is no PostgreSQL 15 or newer on this machine; install it with \
             `apt-get install postgresql`, or run `cargo xtask test tools`",
        )
    })
}

/// Another user, if we are root.
fn other_user() -> io::Result<Option<&'static str>> {
    let me = Command::new("id").arg("-u").output()?;
    if me.stdout.trim_ascii() != b"0" {
        return Ok(None);
    }
    let exists = |user: &&&str| {
        let output = Command::new("id").arg(user).output();
        output.is_ok_and(|output| output.status.success())
    };
    let user = USERS.iter().find(exists).copied();
    user.map(Some).ok_or_else(|| io::Error::other("PostgreSQL does not run as root"))
}

fn as_user(user: Option<&str>, program: &Path) -> Command {
    let Some(user) = user else { return Command::new(program) };
    let mut command = Command::new("setpriv");
    let group = if user == "nobody" { "nogroup" } else { user };
    command.arg(format!("--reuid={user}")).arg(format!("--regid={group}"));
    command.arg("--clear-groups").arg(program);
    command
}

fn run(command: &mut Command) -> io::Result<()> {
    let output =
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?;
    // What a daemon keeps open must not be waited for: only the program itself.
    let output = output.wait_with_output()?;
    if output.status.success() {
        return Ok(());
    }
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    Err(io::Error::other(format!("{} failed: {errors}", command.get_program().display())))
}
