//! `admit ticket` and `admit admissions`.

use std::path::PathBuf;
use std::process::ExitCode;

use admit_core::admission::Standing;
use admit_core::id::{KeyNo, TicketId, TypeNo};
use admit_core::stats::Outcome;
use admit_core::ticket::{KeyRing, RingKey, VerifyKey};
use anyhow::Context;
use clap::Subcommand;
use data_encoding::BASE64URL_NOPAD;

use super::{Data, EXIT_INVALID, say};
use crate::registration::Holder;
use crate::{App, clock, event, registration, ticket};

#[derive(Subcommand)]
pub(super) enum TicketCommand {
    /// Issue tickets, without names or for the people in a CSV file; prints number,code
    Issue(Issue),
    /// Withdraw a ticket
    Revoke(Revoke),
    /// Verify a ticket's code with no database: exit 0 when genuine, 3 when not
    Verify(Verify),
}

#[derive(clap::Args)]
pub(super) struct Issue {
    #[command(flatten)]
    data: Data,
    /// The event's slug
    #[arg(long)]
    event: String,
    /// Number of the ticket type
    #[arg(long, default_value_t = 1)]
    r#type: u8,
    /// How many tickets without a name
    #[arg(long, default_value_t = 1, conflicts_with = "csv")]
    count: u32,
    /// A CSV file with the columns name and email, and if wanted phone
    #[arg(long)]
    csv: Option<PathBuf>,
}

/// Tickets that are issued at the same time; one after another each would wait for the disk alone.
/// Few enough that the last does not wait too long for one of PostgreSQL's connections.
const ISSUED_AT_ONCE: usize = 64;

impl Issue {
    async fn run(self) -> anyhow::Result<()> {
        let (app, _) = self.data.open().await?;
        let view = event::find(&app, &self.event)?;
        let kind = TypeNo(self.r#type);
        let mut wanted = match &self.csv {
            Some(path) => people(path)?.into_iter().map(Some).collect::<Vec<_>>(),
            None => (0..self.count).map(|_| None).collect(),
        };
        say("number,code")?;
        while !wanted.is_empty() {
            let rest = wanted.split_off(wanted.len().min(ISSUED_AT_ONCE));
            let mut tasks = Vec::new();
            for holder in std::mem::replace(&mut wanted, rest) {
                let (app, view) = (std::sync::Arc::clone(&app), view.clone());
                tasks.push(tokio::spawn(async move {
                    let given = registration::issue_by_staff(&app, &view, kind, holder).await?;
                    let ticket = given.ticket;
                    let code = ticket::code(&app.books.now(), &ticket)?;
                    anyhow::Ok(format!("{},{code}", ticket.grant.ticket))
                }));
            }
            for task in tasks {
                say(&task.await??)?;
            }
        }
        Ok(())
    }
}

/// The people in a CSV file; every faulty row is named, and then none is taken.
fn people(path: &PathBuf) -> anyhow::Result<Vec<Holder>> {
    let mut reader =
        csv::Reader::from_path(path).with_context(|| format!("cannot read {}", path.display()))?;
    let headers = reader.headers()?.clone();
    let column = |name: &str| headers.iter().position(|h| h.trim().eq_ignore_ascii_case(name));
    let name = column("name").context("the file needs a column called name")?;
    let (email, phone) = (column("email"), column("phone"));
    let mut people = Vec::new();
    for row in reader.records() {
        let row = row.with_context(|| format!("in {}", path.display()))?;
        let cell = |at: Option<usize>| {
            let text = row.get(at?)?.trim();
            (!text.is_empty()).then(|| text.to_owned())
        };
        let line = row.position().map_or(0, csv::Position::line);
        people.push(Holder {
            name: cell(Some(name)).with_context(|| format!("line {line} has no name"))?,
            email: cell(email),
            phone: cell(phone),
            ..Holder::default()
        });
    }
    Ok(people)
}

#[derive(clap::Args)]
pub(super) struct Revoke {
    #[command(flatten)]
    data: Data,
    /// The event's slug
    #[arg(long)]
    event: String,
    /// The ticket's number
    number: String,
}

#[derive(clap::Args)]
pub(super) struct Verify {
    /// The ticket's code, as the QR says it
    code: String,
    /// The event's number
    #[arg(long)]
    event: u32,
    /// The key's number
    #[arg(long, default_value_t = 1)]
    key: u8,
    /// The event's public key in base64url, as in GET /v1/gate
    #[arg(long)]
    public_key: String,
}

impl TicketCommand {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        match self {
            Self::Issue(issue) => issue.run().await?,
            Self::Revoke(revoke) => {
                let (app, _) = revoke.data.open().await?;
                let event = event::find(&app, &revoke.event)?.event.number;
                let number = TicketId::parse_number(&revoke.number).context("no ticket number")?;
                ticket::set_standing(&app, event, number, Standing::Revoked).await?;
                say("revoked")?;
            }
            Self::Verify(verify) => return verify.run(),
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl Verify {
    fn run(self) -> anyhow::Result<ExitCode> {
        let bytes = BASE64URL_NOPAD.decode(self.public_key.as_bytes()).ok();
        let bytes: Option<[u8; 32]> = bytes.and_then(|bytes| bytes.try_into().ok());
        let key = bytes.as_ref().and_then(VerifyKey::ed25519).context("this is no public key")?;
        let event = admit_core::id::EventNo(self.event);
        let mut ring = KeyRing::default();
        ring.add(event, KeyNo(self.key), RingKey { key, not_after: None });
        match ring.verify(event, &self.code, clock::now()) {
            Ok(verified) => {
                let grant = verified.grant();
                say(&format!("genuine: ticket {}", grant.ticket))?;
                say(&format!("proof digest: {}", verified.digest()))?;
                say(&format!("type {}, entries {}", grant.type_no.0, grant.max_uses))?;
                Ok(ExitCode::SUCCESS)
            }
            Err(invalid) => {
                say(&format!("not genuine: {invalid}"))?;
                Ok(ExitCode::from(EXIT_INVALID))
            }
        }
    }
}

#[derive(clap::Args)]
pub(super) struct Admissions {
    #[command(flatten)]
    data: Data,
    /// The event's slug
    #[arg(long)]
    event: String,
}

impl Admissions {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let (app, _) = self.data.open().await?;
        let event = event::find(&app, &self.event)?.event.number;
        say("seq,scan_id,device,ticket_number,outcome,use_no")?;
        print_scans(&app, event).await
    }
}

async fn print_scans(app: &App, event: admit_core::id::EventNo) -> anyhow::Result<()> {
    /// Scans read at a time.
    const PAGE: u32 = 10_000;
    let mut seq = 0;
    loop {
        let scans = app.store.scans_after(event, seq, PAGE).await?;
        let Some(last) = scans.last() else { return Ok(()) };
        seq = last.seq;
        let lines: Vec<String> = scans
            .iter()
            .map(|scan| {
                let (outcome, use_no) = match scan.outcome {
                    Outcome::Admit { use_no } => ("admit".to_owned(), use_no),
                    Outcome::Undo { use_no } => ("undo".to_owned(), use_no),
                    Outcome::Exit { use_no } => ("exit".to_owned(), use_no),
                    Outcome::Refuse(reason) => (format!("refuse:{}", reason.code()), 0),
                };
                let (id, device) = (scan.scan.id, scan.scan.device.0);
                format!("{},{id},{device},{},{outcome},{use_no}", scan.seq, scan.ticket)
            })
            .collect();
        say(&lines.join("\n"))?;
    }
}
