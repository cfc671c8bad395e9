//! `admit migrate-store`.

use anyhow::Context;

use super::{Data, say};
use crate::database::{Address, Database, OpenDatabase};
use crate::migrate;

#[derive(clap::Args)]
pub(super) struct MigrateStore {
    #[command(flatten)]
    data: Data,
    /// The empty PostgreSQL database to copy everything to: postgres://…
    #[arg(long)]
    to: String,
}

impl MigrateStore {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let folder = self.data.folder();
        anyhow::ensure!(folder.database().exists(), "{} has no database", folder.root().display());
        let from = Database::at(None).open(&folder.database()).await?;
        let from = from.embedded("only a data folder's own database is moved")?;
        let password = self.data.password_file.clone();
        let to =
            Database::at(Some(Address { url: self.to, password })).open(&folder.database()).await?;
        let OpenDatabase::Server(to) = to else { anyhow::bail!("--to must name a PostgreSQL") };
        let copied = migrate::to_postgres(from, &to).await.context("nothing was moved")?;
        say("table,rows")?;
        for table in copied.tables {
            say(&format!("{},{}", table.table, table.rows))?;
        }
        for log in copied.logs {
            let (event, size, root) = (log.event, log.size, log.root);
            say(&format!("audit log of event {event}: {size} leaves, root {root}"))?;
        }
        say("from now on give every command and every server the same --database")
    }
}
