//! Numbered, forward-only migrations, run under the write lock so that several processes may start
//! at once.

use rusqlite::{Connection, TransactionBehavior};

use crate::{Result, StoreError};

const MIGRATIONS: &[&str] = &[
    include_str!("migrations/0001_start.sql"),
    include_str!("migrations/0002_log.sql"),
    include_str!("migrations/0003_spent.sql"),
    include_str!("migrations/0004_rotation.sql"),
    include_str!("migrations/0005_offline.sql"),
    include_str!("migrations/0006_passes.sql"),
    include_str!("migrations/0007_anonymous.sql"),
];

pub(super) fn run(connection: &mut Connection) -> Result<()> {
    let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let done: u32 = tx.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let done = usize::try_from(done).unwrap_or(usize::MAX);
    if done > MIGRATIONS.len() {
        return Err(StoreError::Unavailable(format!(
            "the database is of version {done}, newer than this program's {}",
            MIGRATIONS.len()
        )));
    }
    for (version, migration) in (1u32..).zip(MIGRATIONS).skip(done) {
        tx.execute_batch(migration)?;
        tx.pragma_update(None, "user_version", version)?;
    }
    tx.commit()?;
    Ok(())
}
