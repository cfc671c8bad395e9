//! The command line. Commands work on the data folder; the server may be running meanwhile.

mod ca;
mod checklist;
mod device;
mod event;
mod init;
mod keys;
mod log;
mod migrate;
mod serve;
mod ticket;
mod user;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use clap::{Parser, Subcommand};

use crate::data::DataFolder;
use crate::database::{Address, DATABASE_VARIABLE, Database, OpenDatabase, PASSWORD_VARIABLE};
use crate::{App, clock};

/// Exit code when a ticket does not verify; other failures are 1, wrong usage is 2.
const EXIT_INVALID: u8 = 3;

/// Ticketing and admission control that you run yourself.
#[derive(Parser)]
#[command(name = "admit", version, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the server
    Serve(serve::Serve),
    /// Make a data folder with its keys
    Init(init::Init),
    /// Create, list and show events
    #[command(subcommand)]
    Event(event::EventCommand),
    /// Add a ticket type to an event
    #[command(subcommand)]
    TicketType(event::TypeCommand),
    /// Issue tickets, also from CSV, revoke and verify them
    #[command(subcommand)]
    Ticket(ticket::TicketCommand),
    /// Print every scan on the books as CSV
    Admissions(ticket::Admissions),
    /// Pair, list and remove devices
    #[command(subcommand)]
    Device(device::DeviceCommand),
    /// Create, list and remove staff
    #[command(subcommand)]
    User(user::UserCommand),
    /// Make and remove API keys
    #[command(subcommand)]
    ApiKey(user::ApiKeyCommand),
    /// Rotate the keys that personal data is sealed with
    #[command(subcommand)]
    Keys(keys::KeysCommand),
    /// Check and export the audit log
    #[command(subcommand)]
    Log(log::LogCommand),
    /// Write a backup to one file; the server may be running
    Backup(init::Backup),
    /// Restore a backup into a new data folder
    Restore(init::Restore),
    /// Copy everything from the data folder's own database into an empty PostgreSQL
    MigrateStore(migrate::MigrateStore),
    /// Print the fingerprint of the local certificate authority, to compare on phones
    Ca(ca::Ca),
    /// Walk the 14 steps of the sandbox against a running server, and check every proof
    Checklist(checklist::Checklist),
    /// Print the OpenAPI description of the HTTP API
    Openapi,
}

/// The data folder that a command works on.
#[derive(clap::Args)]
#[expect(clippy::struct_field_names, reason = "a database is called so")]
struct Data {
    /// The data folder
    #[arg(long, default_value = "data", env = "ADMIT_DATA")]
    data: PathBuf,
    /// A PostgreSQL in the place of the data folder's own database: postgres://…
    #[arg(long, env = DATABASE_VARIABLE, hide_env_values = true)]
    database: Option<String>,
    /// A file with the password of the PostgreSQL, when it is not in the address
    #[arg(long = "database-password-file", env = PASSWORD_VARIABLE)]
    password_file: Option<PathBuf>,
}

impl Data {
    fn folder(&self) -> DataFolder {
        DataFolder::at(&self.data)
    }

    fn database(&self) -> Database {
        let password = self.password_file.clone();
        Database::at(self.database.clone().map(|url| Address { url, password }))
    }

    async fn open(&self) -> anyhow::Result<(Arc<App>, OpenDatabase)> {
        let folder = self.folder();
        let url = "https://localhost";
        folder
            .open(clock::system(), url, &self.database())
            .await
            .with_context(|| format!("cannot open {}", self.data.display()))
    }
}

/// Runs the command of this process.
pub fn run() -> ExitCode {
    let cli = Cli::parse();
    let filter = tracing_subscriber::EnvFilter::try_from_env("ADMIT_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&error.into()),
    };
    match runtime.block_on(execute(cli.command)) {
        Ok(code) => code,
        Err(error) => failed(&error),
    }
}

async fn execute(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Serve(serve) => serve.run().await?,
        Command::Init(init) => init.run().await?,
        Command::Event(command) => command.run().await?,
        Command::TicketType(command) => command.run().await?,
        Command::Ticket(command) => return command.run().await,
        Command::Admissions(admissions) => admissions.run().await?,
        Command::Device(command) => command.run().await?,
        Command::User(command) => command.run().await?,
        Command::ApiKey(command) => command.run().await?,
        Command::Keys(command) => command.run().await?,
        Command::Log(command) => command.run().await?,
        Command::Backup(backup) => backup.run().await?,
        Command::Restore(restore) => restore.run()?,
        Command::MigrateStore(migrate) => migrate.run().await?,
        Command::Ca(ca) => ca.run()?,
        Command::Checklist(checklist) => return checklist.run(),
        Command::Openapi => say(&serde_json::to_string_pretty(&crate::http::openapi())?)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// A line on standard output.
fn say(line: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")?;
    Ok(out.flush()?)
}

fn failed(error: &anyhow::Error) -> ExitCode {
    // A closed pipe (`admit … | head`) is the reader's choice, not a failure.
    let _ = writeln!(std::io::stderr(), "admit: {error:#}");
    ExitCode::FAILURE
}
