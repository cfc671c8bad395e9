//! Signing keys in SQLite.

use admit_core::ticket::Algorithm;
use async_trait::async_trait;
use rusqlite::params;

use super::SqliteStore;
use super::row::collect;
use crate::Result;
use crate::key::{Keys, SigningKey};

#[async_trait]
impl Keys for SqliteStore {
    async fn put_key(&self, key: SigningKey) -> Result<()> {
        self.write(move |tx| {
            tx.execute(
                "INSERT INTO signing_key VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
                 ON CONFLICT (event, number) DO UPDATE
                 SET secret = ?4, public_key = ?5, not_after = ?7",
                params![
                    key.event.0,
                    key.number.0,
                    key.algorithm.name(),
                    key.secret.as_str(),
                    key.public_key,
                    key.created_at.0,
                    key.not_after.map(|t| t.0)
                ],
            )?;
            Ok(())
        })
        .await
    }

    async fn keys(&self) -> Result<Vec<SigningKey>> {
        self.read(|connection| {
            let mut statement =
                connection.prepare_cached("SELECT * FROM signing_key ORDER BY event, number")?;
            collect(&mut statement, [], "signing_key", |columns| {
                let algorithm = columns.text("algorithm")?;
                Ok(SigningKey {
                    event: columns.event()?,
                    number: columns.key_no("number")?,
                    algorithm: Algorithm::parse(&algorithm)
                        .ok_or_else(|| columns.corrupt("algorithm"))?,
                    secret: columns.sealed("secret")?,
                    public_key: columns.bytes_or_none("public_key")?,
                    created_at: columns.time("created_at")?,
                    not_after: columns.time_or_none("not_after")?,
                })
            })
        })
        .await
    }

    async fn outside_version(&self) -> Result<i64> {
        // `data_version` of the writer's connection changes when *another* connection commits; seen
        // from there, only other processes do.
        self.write(|tx| Ok(tx.pragma_query_value(None, "data_version", |row| row.get(0))?)).await
    }
}
