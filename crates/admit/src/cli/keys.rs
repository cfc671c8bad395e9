//! `admit keys`: rotating the keys that personal data and signing keys are sealed with.

use admit_store::anonymous::Issuer;
use admit_store::key::SigningKey;
use anyhow::Context;
use clap::Subcommand;
use data_encoding::BASE64URL_NOPAD;

use super::{Data, say};
use crate::App;
use crate::clock;
use crate::data::{DataFolder, write_private};
use crate::error::Result;
use crate::event;
use crate::issuance::{self, TokenFormat};
use crate::secret;
use crate::vault::{FernetKey, read_private};

#[derive(Subcommand)]
pub(super) enum KeysCommand {
    /// Add a new first key and seal everything under it; goes on where it was interrupted
    Rotate(Data),
    /// Remove all keys but the first, once nothing is sealed under them
    Prune(Data),
    /// Print an event's signing keys as CSV: number, algorithm, public key
    Show(Show),
    /// Make a new signing key for an event and retire the old ones
    New(New),
}

#[derive(clap::Args)]
pub(super) struct Show {
    #[command(flatten)]
    data: Data,
    /// The event's slug
    #[arg(long)]
    event: String,
}

impl Show {
    async fn run(self) -> anyhow::Result<()> {
        let (app, _) = self.data.open().await?;
        let event = event::find(&app, &self.event)?.event.number;
        say("number,algorithm,public_key")?;
        for key in app.books.now().signers(event) {
            let public = key.public_key.map(|bytes| BASE64URL_NOPAD.encode(&bytes));
            let (number, algorithm) = (key.number.0, key.algorithm.name());
            say(&format!("{number},{algorithm},{}", public.unwrap_or_default()))?;
        }
        Ok(())
    }
}

#[derive(clap::Args)]
pub(super) struct New {
    #[command(flatten)]
    data: Data,
    /// The event's slug
    #[arg(long)]
    event: String,
    /// Until when tickets of the old keys are good, such as 2026-12-31T23:59:59Z; for ever when it is
    /// not said
    #[arg(long)]
    verify_until: Option<String>,
}

impl New {
    async fn run(self) -> anyhow::Result<()> {
        let (app, _) = self.data.open().await?;
        let view = event::find(&app, &self.event)?;
        let until = match &self.verify_until {
            Some(text) => Some(clock::parse_rfc3339(text).context("--verify-until is no time")?),
            None => None,
        };
        let format = TokenFormat::parse(&view.event.details.token_format)
            .context("the event's token format is not known")?;
        issuance::rotate_key(&app, view.event.number, format, until).await?;
        say("made a new key; the old ones sign nothing more")
    }
}

/// Persons' keys that are wrapped anew before the next are read.
const BATCH: u32 = 500;

impl KeysCommand {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Show(show) => show.run().await,
            Self::New(new) => new.run().await,
            Self::Rotate(data) => {
                let folder = data.folder();
                // An interrupted rotation has its new key in the file already.
                let (app, _) = data.open().await?;
                if reseal(&app).await? == 0 {
                    add_key(&folder)?;
                    app.vault.reload()?;
                    say(&format!("sealed {} values under a new key", reseal(&app).await?))?;
                } else {
                    say("finished an interrupted rotation")?;
                }
                say("keep the old keys until backups made before today are gone")
            }
            Self::Prune(data) => {
                let (app, _) = data.open().await?;
                reseal(&app).await?;
                let path = data.folder().vault_keys();
                let text = read_private(&path)?;
                let first = text.lines().next().unwrap_or_default();
                write_private(&path, &format!("{first}\n"))?;
                say("removed the old keys; backups made with them can no longer be read")
            }
        }
    }
}

fn add_key(folder: &DataFolder) -> Result<()> {
    let path = folder.vault_keys();
    let old = read_private(&path)?;
    let new = FernetKey::new(secret::random()?).encode();
    write_private(&path, &format!("{new}\n{old}"))
}

/// Seals under the first key whatever is not; how many values that were.
async fn reseal(app: &App) -> Result<usize> {
    let mut sealed = 0;
    for key in app.store.keys().await? {
        if let Some(secret) = app.vault.rewrap(&key.secret, app.now())? {
            app.store.put_key(SigningKey { secret, ..key }, app.now()).await?;
            sealed += 1;
        }
    }
    for view in app.store.events().await? {
        if let Some(serial) = app.vault.rewrap(&view.event.serial_key, app.now())? {
            app.store.reseal_event(view.event.number, serial).await?;
            sealed += 1;
        }
    }
    for issuer in app.store.issuers().await? {
        if let Some(secret) = app.vault.rewrap(&issuer.secret, app.now())? {
            app.store.put_issuer(Issuer { secret, ..issuer }, app.now()).await?;
            sealed += 1;
        }
    }
    let mut after = None;
    loop {
        let batch = app.store.wrapped_keys(after, BATCH).await?;
        let Some((last, _)) = batch.last() else { return Ok(sealed) };
        after = Some(*last);
        for (person, old) in batch {
            if let Some(new) = app.vault.rewrap(&old, app.now())? {
                app.store.rewrap(person, old, new).await?;
                sealed += 1;
            }
        }
    }
}
