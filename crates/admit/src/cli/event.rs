//! `admit event` and `admit ticket-type`.

use admit_core::id::{GateNo, GateSet};
use admit_store::event::{EventDetails, OFFLINE_HOURS, TypeDetails};
use anyhow::Context;
use clap::Subcommand;

use super::{Data, say};
use crate::{clock, event};

#[derive(Subcommand)]
pub(super) enum EventCommand {
    /// Create an event
    Create(Create),
    /// List events as CSV: slug, name, start, issued, capacity
    List(Data),
    /// Show one event with its ticket types and gates
    Show(Show),
    /// Add a gate to an event; prints its number
    AddGate(AddGate),
}

#[derive(clap::Args)]
pub(super) struct Create {
    #[command(flatten)]
    data: Data,
    /// Its name in addresses: lower-case letters, digits, dashes
    slug: String,
    /// Its name
    #[arg(long)]
    name: String,
    /// Where it is
    #[arg(long, default_value = "")]
    venue: String,
    /// IANA time zone
    #[arg(long, default_value = "UTC")]
    time_zone: String,
    /// When it starts, RFC 3339 (2026-11-21T19:30:00+01:00)
    #[arg(long)]
    starts: String,
    /// When it ends, RFC 3339
    #[arg(long)]
    ends: String,
    /// When the doors open, RFC 3339
    #[arg(long)]
    doors: Option<String>,
    /// How tickets are written
    #[arg(long, default_value = "a1", value_parser = ["a1", "jwt-eddsa", "jwt-hs256"])]
    token_format: String,
    /// Take registrations at once
    #[arg(long)]
    open: bool,
}

#[derive(clap::Args)]
pub(super) struct Show {
    #[command(flatten)]
    data: Data,
    /// The event's slug
    event: String,
}

#[derive(clap::Args)]
pub(super) struct AddGate {
    #[command(flatten)]
    data: Data,
    /// The event's slug
    #[arg(long)]
    event: String,
    /// The gate's name
    #[arg(long)]
    name: String,
}

fn time(text: &str) -> anyhow::Result<admit_core::id::UnixMs> {
    clock::parse_rfc3339(text).with_context(|| format!("{text} is no RFC 3339 time"))
}

impl EventCommand {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Create(create) => create.run().await,
            Self::List(data) => {
                let (app, _) = data.open().await?;
                say("slug,name,starts_at,issued,capacity")?;
                for view in app.store.events().await? {
                    let issued: u32 = view.types.iter().map(|kind| kind.issued).sum();
                    let capacity: u32 = view.types.iter().map(|kind| kind.details.quota).sum();
                    let details = &view.event.details;
                    let name = details.name.replace('"', "\"\"");
                    let starts = clock::rfc3339(details.starts_at);
                    say(&format!("{},\"{name}\",{starts},{issued},{capacity}", details.slug))?;
                }
                Ok(())
            }
            Self::Show(show) => show.run().await,
            Self::AddGate(add) => {
                let (app, _) = add.data.open().await?;
                let event = event::find(&app, &add.event)?.event.number;
                say(&event::add_gate(&app, event, add.name).await?.number.0.to_string())
            }
        }
    }
}

impl Create {
    async fn run(self) -> anyhow::Result<()> {
        let (app, _) = self.data.open().await?;
        let details = EventDetails {
            slug: self.slug,
            name: self.name,
            venue: self.venue,
            description: String::new(),
            time_zone: self.time_zone,
            doors_at: self.doors.as_deref().map(time).transpose()?,
            starts_at: time(&self.starts)?,
            ends_at: time(&self.ends)?,
            registration_open: self.open,
            token_format: self.token_format,
            show_name_at_gate: false,
            phone: "optional".to_owned(),
            questions: "[]".to_owned(),
            sandbox: false,
            offline_hours: OFFLINE_HOURS,
        };
        say(&event::create(&app, details).await?.details.slug)
    }
}

impl Show {
    async fn run(self) -> anyhow::Result<()> {
        let (app, _) = self.data.open().await?;
        let view = event::find(&app, &self.event)?;
        let details = &view.event.details;
        say(&format!("{} — {}", details.name, details.venue))?;
        say(&format!("starts {}", clock::in_zone(details.starts_at, &details.time_zone)))?;
        say(&format!("ends   {}", clock::in_zone(details.ends_at, &details.time_zone)))?;
        for kind in &view.types {
            let (number, name) = (kind.number.0, &kind.details.name);
            say(&format!(
                "type {number}: {name}, {} of {} issued",
                kind.issued, kind.details.quota
            ))?;
        }
        for gate in &view.gates {
            let state = if gate.open { "open" } else { "closed" };
            say(&format!("gate {}: {} ({state})", gate.number.0, gate.name))?;
        }
        Ok(())
    }
}

#[derive(Subcommand)]
pub(super) enum TypeCommand {
    /// Add a ticket type; prints its number
    Add(AddType),
}

#[derive(clap::Args)]
pub(super) struct AddType {
    #[command(flatten)]
    data: Data,
    /// The event's slug
    #[arg(long)]
    event: String,
    /// Its name
    #[arg(long)]
    name: String,
    /// How many may be issued
    #[arg(long)]
    quota: u32,
    /// Entries of each ticket, 0 for any number
    #[arg(long, default_value_t = 1)]
    max_uses: u8,
    /// Number of a gate it is for; may be given several times, none means any
    #[arg(long)]
    gate: Vec<u16>,
}

impl TypeCommand {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let Self::Add(add) = self;
        let (app, _) = add.data.open().await?;
        let gates: Vec<GateNo> = add.gate.into_iter().map(GateNo).collect();
        let gates = GateSet::of(&gates)
            .map_err(|gate| anyhow::anyhow!("gate {} cannot be a restriction", gate.0))?;
        let plain = TypeDetails::plain(add.name, add.quota);
        let details = TypeDetails { max_uses: add.max_uses, gates, ..plain };
        let event = event::find(&app, &add.event)?.event.number;
        say(&event::add_type(&app, event, details).await?.number.0.to_string())
    }
}
