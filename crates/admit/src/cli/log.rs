//! `admit log`: checks an audit log without a server, and writes one out to be checked.

mod verify;

use std::fs;
use std::path::{Path, PathBuf};

use admit_core::log::checkpoint::Checkpoint;
use admit_core::log::note::Verifier;
use admit_core::log::tile::TilePath;
use anyhow::Context;
use clap::Subcommand;

use super::{Data, say};
use crate::log::Rollback;
use crate::{event, log};

#[derive(Subcommand)]
pub(super) enum LogCommand {
    /// Check an exported log, a checkpoint or a receipt; needs no server and no data folder
    Verify(verify::Verify),
    /// Write an event's log into a folder (C2SP tlog-tiles); the server may be running
    Export(Export),
}

#[derive(clap::Args)]
pub(super) struct Export {
    #[command(flatten)]
    data: Data,
    /// The event's slug
    #[arg(long)]
    event: String,
    /// Where to; may hold an older export of the same log
    folder: PathBuf,
}

impl LogCommand {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Verify(verify) => verify.run(),
            Self::Export(export) => export.run().await,
        }
    }
}

impl Export {
    async fn run(self) -> anyhow::Result<()> {
        let (app, _) = self.data.open().await?;
        let event = event::find(&app, &self.event)?.event.number;
        // What is signed here must never contradict what was signed before.
        let kept = self.data.folder().checkpoints();
        log::check_kept(app.store.as_ref(), &kept, &Rollback::Refuse, app.now()).await?;
        let note = log::checkpoint(&app, event).await?;
        app.log.keep(&kept)?;
        let origin = note.lines().next().unwrap_or_default();
        let key = app.log.vkey(event, origin)?;
        let head = Checkpoint::open(&note, &[Verifier::parse(&key)?])?;
        for path in TilePath::all(head.size) {
            let bytes = log::part(app.store.as_ref(), event, path).await?;
            let bytes = bytes.with_context(|| format!("the database has lost {path}"))?;
            write(&self.folder.join(path.to_string()), &bytes)?;
        }
        // Last, so that it never names what is not there.
        write(&self.folder.join("checkpoint"), note.as_bytes())?;
        say(&format!("{} entries of {} written; check them with:", head.size, head.origin))?;
        say(&format!("admit log verify {} --key '{key}'", self.folder.display()))
    }
}

fn write(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let folder = path.parent().unwrap_or(path);
    fs::create_dir_all(folder)
        .and_then(|()| fs::write(path, bytes))
        .with_context(|| format!("cannot write {}", path.display()))
}
