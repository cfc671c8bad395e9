//! `admit device`.

use admit_core::id::{DeviceNo, GateNo};
use clap::Subcommand;

use super::{Data, say};
use crate::{device, event};

#[derive(Subcommand)]
pub(super) enum DeviceCommand {
    /// Make a one-time pairing code; prints it
    Pair(Pair),
    /// List devices as CSV: number, event, name, state
    List(Data),
    /// Remove a device at once
    Revoke(Revoke),
}

#[derive(clap::Args)]
pub(super) struct Pair {
    #[command(flatten)]
    data: Data,
    /// The event's slug
    #[arg(long)]
    event: String,
    /// The device's name
    #[arg(long)]
    name: String,
    /// Number of the gate it stands at
    #[arg(long)]
    gate: Option<u16>,
}

#[derive(clap::Args)]
pub(super) struct Revoke {
    #[command(flatten)]
    data: Data,
    /// The event's slug
    #[arg(long)]
    event: String,
    /// The device's number
    device: i64,
}

impl DeviceCommand {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Pair(pair) => {
                let (app, _) = pair.data.open().await?;
                let event = event::find(&app, &pair.event)?.event.number;
                let gate = pair.gate.map(GateNo);
                say(&device::invite(&app, event, pair.name, gate).await?.code)
            }
            Self::List(data) => {
                let (app, _) = data.open().await?;
                say("number,event,name,state")?;
                for device in app.store.devices().await? {
                    let state = if device.revoked_at.is_some() { "removed" } else { "paired" };
                    let (number, event) = (device.number.0, device.event.0);
                    say(&format!(
                        "{number},{event},\"{}\",{state}",
                        device.name.replace('"', "\"\"")
                    ))?;
                }
                Ok(())
            }
            Self::Revoke(revoke) => {
                let (app, _) = revoke.data.open().await?;
                let event = event::find(&app, &revoke.event)?.event.number;
                device::revoke(&app, event, DeviceNo(revoke.device)).await?;
                say("removed")
            }
        }
    }
}
