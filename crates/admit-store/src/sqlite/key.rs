//! Signing keys in SQLite.

use admit_core::id::UnixMs;
use admit_core::log::leaf::Leaf;
use admit_core::ticket::Algorithm;
use async_trait::async_trait;
use rusqlite::params;

use super::SqliteStore;
use super::row::{Columns, collect, first};
use super::writer::{Done, Work};
use crate::Result;
use crate::key::{Keys, SigningKey};

fn read_key(columns: &Columns<'_, '_>) -> Result<SigningKey> {
    let algorithm = columns.text("algorithm")?;
    Ok(SigningKey {
        event: columns.event()?,
        number: columns.key_no("number")?,
        algorithm: Algorithm::parse(&algorithm).ok_or_else(|| columns.corrupt("algorithm"))?,
        secret: columns.sealed("secret")?,
        public_key: columns.bytes_or_none("public_key")?,
        created_at: columns.time("created_at")?,
        retired_at: columns.time_or_none("retired_at")?,
        not_after: columns.time_or_none("not_after")?,
    })
}

/// Writes a leaf, unless only the sealing changes, which nobody outside can see.
fn log_change(work: &mut Work<'_, '_>, key: &SigningKey, at: UnixMs) -> Result<Option<u64>> {
    let mut statement =
        work.tx.prepare_cached("SELECT * FROM signing_key WHERE event = ?1 AND number = ?2")?;
    let known = first(&mut statement, params![key.event.0, key.number.0], "signing_key", read_key)?;
    let seen = |key: &SigningKey| (key.algorithm, key.public_key, key.retired_at, key.not_after);
    if known.as_ref().map(seen) == Some(seen(key)) {
        return Ok(None);
    }
    let ends = (key.retired_at, key.not_after);
    let leaf = Leaf::key(key.number, key.algorithm, ends, key.public_key, at);
    work.leaves.add(work.tx, key.event, &leaf).map(Some)
}

#[async_trait]
impl Keys for SqliteStore {
    async fn put_key(&self, key: SigningKey, at: UnixMs) -> Result<()> {
        let event = key.event;
        let job = move |work: &mut Work<'_, '_>| {
            let leaf = log_change(work, &key, at)?;
            work.tx.execute(
                "INSERT INTO signing_key VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
                 ON CONFLICT (event, number) DO UPDATE
                 SET secret = ?4, public_key = ?5, not_after = ?7, retired_at = ?8",
                params![
                    key.event.0,
                    key.number.0,
                    key.algorithm.name(),
                    key.secret.as_str(),
                    key.public_key,
                    key.created_at.0,
                    key.not_after.map(|t| t.0),
                    key.retired_at.map(|t| t.0)
                ],
            )?;
            Ok(Done { value: (), scans: Vec::new(), leaf })
        };
        self.writer.write_logged(event, job).await.map(drop)
    }

    async fn keys(&self) -> Result<Vec<SigningKey>> {
        self.read(|connection| {
            let mut statement =
                connection.prepare_cached("SELECT * FROM signing_key ORDER BY event, number")?;
            collect(&mut statement, [], "signing_key", read_key)
        })
        .await
    }

    async fn outside_version(&self) -> Result<i64> {
        // `data_version` of the writer's connection changes when *another* connection commits; seen
        // from there, only other processes do.
        self.write(|tx| Ok(tx.pragma_query_value(None, "data_version", |row| row.get(0))?)).await
    }
}
