//! Signing keys in PostgreSQL.

use admit_core::id::UnixMs;
use admit_core::log::leaf::Leaf;
use admit_core::ticket::Algorithm;
use async_trait::async_trait;
use deadpool_postgres::Transaction;

use super::admission::number;
use super::log::{self, Edges, Grown};
use super::row::{Columns, collect, first};
use super::{Done, PostgresStore, query};
use crate::key::{Keys, SigningKey};
use crate::{Result, StoreError};

fn read_key(columns: &Columns<'_>) -> Result<SigningKey> {
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

async fn put(tx: &Transaction<'_>, edges: &Edges, key: &SigningKey, at: UnixMs) -> Done<Grown> {
    let named: super::Params<'_> = &[&number(key.event), &i64::from(key.number.0)];
    let sql = "SELECT * FROM signing_key WHERE event = $1 AND number = $2 FOR UPDATE";
    let known = first(&query(tx, sql, named).await?, "signing_key", read_key)?;
    query(
        tx,
        "INSERT INTO signing_key (event, number, algorithm, secret, public_key, created_at,
           not_after, retired_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
         ON CONFLICT (event, number) DO UPDATE
         SET secret = $4, public_key = $5, not_after = $7, retired_at = $8",
        &[
            &number(key.event),
            &i64::from(key.number.0),
            &key.algorithm.name(),
            &key.secret.as_str(),
            &key.public_key.as_ref().map(<[u8; 32]>::as_slice),
            &key.created_at.0,
            &key.not_after.map(|t| t.0),
            &key.retired_at.map(|t| t.0),
        ],
    )
    .await?;
    // Nobody outside can see a change of the sealing: it is no leaf.
    let seen = |key: &SigningKey| (key.algorithm, key.public_key, key.retired_at, key.not_after);
    if known.as_ref().map(seen) == Some(seen(key)) {
        return Ok(Grown::default());
    }
    let ends = (key.retired_at, key.not_after);
    let leaf = Leaf::key(key.number, key.algorithm, ends, key.public_key, at);
    let held = log::hold(tx, edges, key.event).await?;
    Ok(log::write_leaf(tx, held, key.event, &leaf).await?.1)
}

#[async_trait]
impl Keys for PostgresStore {
    async fn put_key(&self, key: SigningKey, at: UnixMs) -> Result<()> {
        let grown = self
            .transact_books(|tx| {
                let (edges, key) = (self.edges.clone(), key.clone());
                Box::pin(async move { put(tx, &edges, &key, at).await })
            })
            .await?;
        self.edges.keep(&grown);
        Ok(())
    }

    async fn keys(&self) -> Result<Vec<SigningKey>> {
        let rows = self.query("SELECT * FROM signing_key ORDER BY event, number", &[]).await?;
        collect(&rows, "signing_key", read_key)
    }

    async fn outside_version(&self) -> Result<i64> {
        let rows = self.query("SELECT version FROM book", &[]).await?;
        let version = first(&rows, "book", |columns| columns.int("version"))?;
        version.ok_or_else(|| StoreError::corrupt("book", "no row"))
    }
}
