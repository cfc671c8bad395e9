//! The sample event of a first start, so that there is something to try.

use admit_core::sale::{Currency, Sale};
use admit_store::event::{EventDetails, OFFLINE_HOURS, TypeDetails};

use crate::App;
use crate::error::{Error, Result};
use crate::event;

const HOUR_MS: i64 = 3_600_000;

/// Makes the sample event, with doors open since an hour.
pub async fn create(app: &App) -> Result<()> {
    let now = app.now();
    let details = EventDetails {
        slug: "sample".to_owned(),
        name: "Sample Night".to_owned(),
        venue: "Town Hall, 1 Market Square".to_owned(),
        description: "A sample event to try Admit One with. Register, hold your ticket in front \
                      of the gate app, and watch the desk."
            .to_owned(),
        time_zone: "Europe/Berlin".to_owned(),
        doors_at: Some(now.plus(-HOUR_MS)),
        starts_at: now.plus(HOUR_MS),
        ends_at: now.plus(7 * 24 * HOUR_MS),
        registration_open: true,
        token_format: "a1".to_owned(),
        show_name_at_gate: false,
        phone: "optional".to_owned(),
        questions: "[]".to_owned(),
        sandbox: false,
        offline_hours: OFFLINE_HOURS,
    };
    let event = event::create(app, details).await?.number;
    event::add_gate(app, event, "Main Gate".to_owned()).await?;
    event::add_gate(app, event, "VIP North".to_owned()).await?;
    for (name, description, quota, max_uses) in
        [("Standard", "One entry.", 500, 1), ("Three visits", "Come three times.", 100, 3)]
    {
        let details = TypeDetails { max_uses, ..blank(name, description, quota) };
        event::add_type(app, event, details).await?;
    }
    Ok(())
}

/// Sells tickets of the sample event without a name, where it is there and sells none.
pub async fn sell(app: &App) -> Result<()> {
    let Ok(view) = event::find(app, "sample") else { return Ok(()) };
    if view.types.iter().any(|kind| kind.details.sale.is_some()) {
        return Ok(());
    }
    let currency = Currency::parse("EUR").ok_or_else(|| Error::internal("no such currency"))?;
    let sale = Some(Sale { price_cents: 450, currency, by_day: false });
    let details =
        TypeDetails { sale, ..blank("Without a name", "Paid, and nobody knows by whom.", 500) };
    event::add_type(app, view.event.number, details).await?;
    Ok(())
}

fn blank(name: &str, description: &str, quota: u32) -> TypeDetails {
    TypeDetails { description: description.to_owned(), ..TypeDetails::plain(name, quota) }
}
