//! The sample event of a first start, so that there is something to try.

use admit_core::id::GateSet;
use admit_core::offline::Policy;
use admit_core::pass::Pass;
use admit_core::transfer::Transferable;
use admit_store::event::{EventDetails, OFFLINE_HOURS, TypeDetails};

use crate::App;
use crate::error::Result;
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
        let details = TypeDetails {
            name: name.to_owned(),
            description: description.to_owned(),
            quota,
            max_uses,
            valid_from: None,
            valid_until: None,
            gates: GateSet::ANY,
            rotation: None,
            offline: Policy::Any,
            lease_device: None,
            pass: Pass::default(),
            transferable: Transferable::No,
        };
        event::add_type(app, event, details).await?;
    }
    Ok(())
}
