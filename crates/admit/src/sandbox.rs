//! The sandbox: two events with synthetic tickets, and a key that everybody knows.

use admit_store::account::{ApiKey, Role};
use admit_store::event::{EventDetails, OFFLINE_HOURS, TypeDetails};

use crate::App;
use crate::error::{Error, Result};
use crate::event;
use crate::secret::{self, Kind};

const YEAR_MS: i64 = 365 * 24 * 3_600_000;
/// Tickets of each type: a program that mints for fun must not fill the disk.
const QUOTA: u32 = 1_000_000;

/// Opens the sandbox: makes its events where they are missing, and its key.
pub async fn open(app: &App) -> Result<()> {
    for (slug, name, gates) in [
        ("sandbox-event", "Sandbox event", ["Main gate", "VIP north"]),
        ("sandbox-edge", "Sandbox edge", ["Gate A", "Gate B"]),
    ] {
        if event::find(app, slug).is_err() {
            create(app, slug, name, &gates).await?;
        }
    }
    // The same key on every server of an installation, and after every start.
    let bytes = secret::derive(&app.access_key, "sandbox key");
    let (text, secret) = secret::fixed(Kind::Api, &bytes);
    let key = ApiKey { name: "sandbox".to_owned(), secret, role: Role::Organiser, sandbox: true };
    app.store.put_api_key(key, app.now()).await?;
    app.sandbox.set(text).map_err(|_| Error::internal("the sandbox is open already"))
}

async fn create(app: &App, slug: &str, name: &str, gates: &[&str]) -> Result<()> {
    let now = app.now();
    let details = EventDetails {
        slug: slug.to_owned(),
        name: name.to_owned(),
        venue: "Nowhere".to_owned(),
        description: "For trying things out. Synthetic data only.".to_owned(),
        time_zone: "UTC".to_owned(),
        doors_at: None,
        starts_at: now,
        ends_at: now.plus(10 * YEAR_MS),
        registration_open: false,
        token_format: "a1".to_owned(),
        show_name_at_gate: false,
        phone: "hidden".to_owned(),
        questions: "[]".to_owned(),
        sandbox: true,
        offline_hours: OFFLINE_HOURS,
    };
    let event = event::create(app, details).await?.number;
    for gate in gates {
        event::add_gate(app, event, (*gate).to_owned()).await?;
    }
    for name in ["Standard", "VIP", "Staff"] {
        let details = TypeDetails::plain(name, QUOTA);
        event::add_type(app, event, details).await?;
    }
    Ok(())
}
