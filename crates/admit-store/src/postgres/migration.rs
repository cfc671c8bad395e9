//! Numbered, forward-only migrations, run under an advisory lock so that several servers may start
//! at once.

use tokio_postgres::Client;

use super::Done;
use crate::StoreError;

const MIGRATIONS: &[&str] = &[
    include_str!("migrations/0001_start.sql"),
    include_str!("migrations/0002_rotation.sql"),
    include_str!("migrations/0003_offline.sql"),
    include_str!("migrations/0004_passes.sql"),
    include_str!("migrations/0005_anonymous.sql"),
];

/// Names the lock; any number will do as long as it never changes.
const LOCK: i64 = 0x0061_646d_6974_0001;

pub(super) async fn run(client: &mut Client) -> Done<()> {
    let tx = client.transaction().await?;
    // Building an index on a large table takes longer than a request may.
    tx.batch_execute("SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0").await?;
    tx.execute("SELECT pg_advisory_xact_lock($1)", &[&LOCK]).await?;
    tx.batch_execute("CREATE TABLE IF NOT EXISTS schema_version (version BIGINT PRIMARY KEY)")
        .await?;
    let row = tx.query_one("SELECT COALESCE(MAX(version), 0) FROM schema_version", &[]).await?;
    let done: i64 = row.try_get(0)?;
    let done = usize::try_from(done).unwrap_or(usize::MAX);
    if done > MIGRATIONS.len() {
        return Err(StoreError::Unavailable(format!(
            "the database is of version {done}, newer than this program's {}",
            MIGRATIONS.len()
        ))
        .into());
    }
    for (version, migration) in (1i64..).zip(MIGRATIONS).skip(done) {
        tx.batch_execute(migration).await?;
        tx.execute("INSERT INTO schema_version VALUES ($1)", &[&version]).await?;
    }
    tx.commit().await?;
    Ok(())
}
