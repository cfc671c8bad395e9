//! `admit init`, `backup` and `restore`.

use std::path::PathBuf;

use super::{Data, say};
use crate::{backup, sample};

#[derive(clap::Args)]
pub(super) struct Init {
    #[command(flatten)]
    data: Data,
    /// Also make a sample event to try things with
    #[arg(long)]
    sample: bool,
}

impl Init {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let folder = self.data.folder();
        anyhow::ensure!(folder.create()?, "{} is a data folder already", folder.root().display());
        let (app, _) = self.data.open().await?;
        if self.sample {
            sample::create(&app).await?;
        }
        say(&format!("made {}; keep a backup of its keys folder", folder.root().display()))
    }
}

#[derive(clap::Args)]
pub(super) struct Backup {
    #[command(flatten)]
    data: Data,
    /// The file to write. It holds the keys: guard it like the data folder
    file: PathBuf,
}

impl Backup {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let (_, database) = self.data.open().await?;
        let store = database.embedded("a backup of a PostgreSQL is made by its own tools")?;
        backup::backup(&self.data.folder(), store, &self.file).await?;
        say(&format!("wrote {}", self.file.display()))
    }
}

#[derive(clap::Args)]
pub(super) struct Restore {
    #[command(flatten)]
    data: Data,
    /// The file that `admit backup` wrote
    file: PathBuf,
}

impl Restore {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let folder = self.data.folder();
        backup::restore(&folder, &self.file)?;
        say(&format!("restored into {}", folder.root().display()))
    }
}
