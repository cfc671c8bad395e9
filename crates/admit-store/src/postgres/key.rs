//! Signing keys in PostgreSQL.

use admit_core::ticket::Algorithm;
use async_trait::async_trait;

use super::PostgresStore;
use super::row::collect;
use crate::key::{Keys, SigningKey};
use crate::{Result, StoreError};

#[async_trait]
impl Keys for PostgresStore {
    async fn put_key(&self, key: SigningKey) -> Result<()> {
        Ok(self
            .transact_books(|tx| {
                let key = key.clone();
                Box::pin(async move {
                    tx.execute(
                        "INSERT INTO signing_key VALUES ($1, $2, $3, $4, $5, $6, $7)
                     ON CONFLICT (event, number) DO UPDATE
                     SET secret = $4, public_key = $5, not_after = $7",
                        &[
                            &i64::from(key.event.0),
                            &i64::from(key.number.0),
                            &key.algorithm.name(),
                            &key.secret.as_str(),
                            &key.public_key.as_ref().map(<[u8; 32]>::as_slice),
                            &key.created_at.0,
                            &key.not_after.map(|t| t.0),
                        ],
                    )
                    .await?;
                    Ok(())
                })
            })
            .await?)
    }

    async fn keys(&self) -> Result<Vec<SigningKey>> {
        let rows = self.query("SELECT * FROM signing_key ORDER BY event, number", &[]).await?;
        collect(&rows, "signing_key", |columns| {
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
    }

    async fn outside_version(&self) -> Result<i64> {
        let rows = self.query("SELECT version FROM book", &[]).await?;
        let row = rows.first().ok_or_else(|| StoreError::corrupt("book", "no row"))?;
        row.try_get(0).map_err(|_| StoreError::corrupt("book", "version"))
    }
}
