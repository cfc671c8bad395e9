//! The audit log in SQLite: leaves are collected while a transaction runs, and written with it.

use std::collections::HashMap;

use admit_core::id::{EventNo, UnixMs};
use admit_core::log::edge::{Appended, Edge};
use admit_core::log::leaf::Leaf;
use admit_core::log::tree::{EMPTY_ROOT, Hash, TILE_WIDTH, TileId, leaf_hash};
use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, params};

use super::SqliteStore;
use crate::log::{ENTRIES_MAX, LogHead, Logged, Logs};
use crate::{Result, StoreError};

/// The right edges of the logs that were written to, kept between transactions.
#[derive(Default)]
pub(super) struct Edges(HashMap<EventNo, Edge>);

/// The leaves of one transaction.
#[derive(Default)]
pub(super) struct Leaves {
    new: HashMap<EventNo, New>,
}

/// The leaves of one transaction for one log.
struct New {
    /// Leaves before the transaction.
    size: u64,
    leaves: Vec<Vec<u8>>,
}

/// How far the leaves had come, to go back to.
pub(super) struct Mark(HashMap<EventNo, usize>);

impl Leaves {
    /// Adds a leaf; its position.
    pub(super) fn add(&mut self, tx: &Connection, event: EventNo, leaf: &Leaf) -> Result<u64> {
        let new = match self.new.entry(event) {
            std::collections::hash_map::Entry::Occupied(entry) => entry.into_mut(),
            std::collections::hash_map::Entry::Vacant(entry) => {
                let head = read_head(tx, event)?.ok_or_else(|| no_log(event))?;
                entry.insert(New { size: head.size, leaves: Vec::new() })
            }
        };
        new.leaves.push(leaf.to_bytes());
        Ok(new.size + as_u64(new.leaves.len()) - 1)
    }

    pub(super) fn mark(&self) -> Mark {
        Mark(self.new.iter().map(|(event, new)| (*event, new.leaves.len())).collect())
    }

    /// Forgets what was added since: its transaction was undone that far.
    pub(super) fn back_to(&mut self, mark: &Mark) {
        for (event, new) in &mut self.new {
            new.leaves.truncate(mark.0.get(event).copied().unwrap_or(0));
        }
    }

    /// Writes the leaves and the new heads. The edges are those of the transaction from now on:
    /// when it is not committed, they must be forgotten ([`Edges::forget`]).
    pub(super) fn write(self, tx: &Connection, edges: &mut Edges) -> Result<Proofs> {
        let mut proofs = Proofs::default();
        for (event, new) in self.new {
            if new.leaves.is_empty() {
                continue;
            }
            let edge = edges.at(tx, event, new.size)?;
            let hashes: Vec<Hash> = new.leaves.iter().map(|leaf| leaf_hash(leaf)).collect();
            let appended = edge.append(&hashes);
            write_appended(tx, event, &new.leaves, &appended)?;
            proofs.0.insert(event, (appended, new.leaves));
        }
        Ok(proofs)
    }
}

impl Edges {
    /// The edge of a log of `size` leaves. Another process may have written since.
    fn at(&mut self, tx: &Connection, event: EventNo, size: u64) -> Result<&mut Edge> {
        let edge = match self.0.remove(&event).filter(|edge| edge.size() == size) {
            Some(edge) => edge,
            None => restore(tx, event, size)?,
        };
        Ok(self.0.entry(event).or_insert(edge))
    }

    /// Forgets everything: it is read again when it is needed.
    pub(super) fn forget(&mut self) {
        self.0.clear();
    }
}

fn restore(tx: &Connection, event: EventNo, size: u64) -> Result<Edge> {
    let read = |tile: TileId| read_tile(tx, event, tile);
    let edge = Edge::restore(size, read)?
        .ok_or_else(|| StoreError::corrupt("log_tile", format!("event {}", event.0)))?;
    let head = read_head(tx, event)?.ok_or_else(|| no_log(event))?;
    if edge.root() != head.root {
        return Err(StoreError::corrupt("log", format!("root of event {}", event.0)));
    }
    Ok(edge)
}

fn write_appended(
    tx: &Connection,
    event: EventNo,
    leaves: &[Vec<u8>],
    appended: &Appended,
) -> Result<()> {
    let mut entry = tx.prepare_cached("INSERT INTO log_entry VALUES (?1, ?2, ?3)")?;
    for (index, leaf) in (appended.first..).zip(leaves) {
        entry.execute(params![event.0, index.cast_signed(), leaf])?;
    }
    let mut tile = tx.prepare_cached("INSERT INTO log_tile VALUES (?1, ?2, ?3, ?4)")?;
    for full in &appended.tiles {
        let index = full.id.index.cast_signed();
        tile.execute(params![event.0, full.id.level, index, full.root.0])?;
    }
    let size = appended.size.cast_signed();
    tx.prepare_cached("UPDATE log SET size = ?2, root = ?3 WHERE event = ?1")?.execute(params![
        event.0,
        size,
        appended.root.0
    ])?;
    Ok(())
}

/// What was appended by a transaction that is now durable.
#[derive(Default)]
pub(super) struct Proofs(HashMap<EventNo, (Appended, Vec<Vec<u8>>)>);

impl Proofs {
    /// The leaf at `index` with its proof; none when it was not among them.
    pub(super) fn of(&self, event: EventNo, index: u64) -> Option<Logged> {
        let (appended, leaves) = self.0.get(&event)?;
        let place = usize::try_from(index.checked_sub(appended.first)?).ok()?;
        Some(Logged {
            index,
            leaf: leaves.get(place)?.clone(),
            size: appended.size,
            root: appended.root,
            path: appended.paths.get(place)?.clone(),
        })
    }
}

/// Begins the log of a new event.
pub(super) fn begin(tx: &Connection, event: EventNo, origin: &str) -> Result<()> {
    tx.prepare_cached("INSERT INTO log VALUES (?1, ?2, 0, ?3)")?.execute(params![
        event.0,
        origin,
        EMPTY_ROOT.0
    ])?;
    Ok(())
}

fn no_log(event: EventNo) -> StoreError {
    StoreError::corrupt("log", format!("no log of event {}", event.0))
}

fn as_u64(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

fn read_head(connection: &Connection, event: EventNo) -> Result<Option<LogHead>> {
    let head = connection
        .prepare_cached("SELECT origin, size, root FROM log WHERE event = ?1")?
        .query_row([event.0], |row| {
            Ok(LogHead {
                origin: row.get(0)?,
                size: row.get::<_, i64>(1)?.cast_unsigned(),
                root: Hash(row.get(2)?),
            })
        })
        .optional()?;
    Ok(head)
}

fn read_entries(
    connection: &Connection,
    event: EventNo,
    from: u64,
    limit: u64,
) -> Result<Vec<Vec<u8>>> {
    let to = from.saturating_add(limit.min(u64::from(ENTRIES_MAX)));
    let mut statement = connection.prepare_cached(
        "SELECT leaf FROM log_entry WHERE event = ?1 AND idx >= ?2 AND idx < ?3 ORDER BY idx",
    )?;
    let bounds = params![event.0, from.cast_signed(), to.cast_signed()];
    let leaves = statement.query_map(bounds, |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    Ok(leaves)
}

fn read_tile(connection: &Connection, event: EventNo, tile: TileId) -> Result<Vec<Hash>> {
    let from = tile.index.saturating_mul(TILE_WIDTH);
    let Some(below) = tile.level.checked_sub(1) else {
        let leaves = read_entries(connection, event, from, TILE_WIDTH)?;
        return Ok(leaves.iter().map(|leaf| leaf_hash(leaf)).collect());
    };
    let to = from.saturating_add(TILE_WIDTH);
    let mut statement = connection.prepare_cached(
        "SELECT root FROM log_tile
         WHERE event = ?1 AND level = ?2 AND idx >= ?3 AND idx < ?4 ORDER BY idx",
    )?;
    let bounds = params![event.0, below, from.cast_signed(), to.cast_signed()];
    let roots = statement
        .query_map(bounds, |row| row.get(0).map(Hash))?
        .collect::<rusqlite::Result<_>>()?;
    Ok(roots)
}

#[async_trait]
impl Logs for SqliteStore {
    async fn log_head(&self, event: EventNo) -> Result<Option<LogHead>> {
        self.read(move |connection| read_head(connection, event)).await
    }

    async fn log_entries(&self, event: EventNo, from: u64, limit: u32) -> Result<Vec<Vec<u8>>> {
        self.read(move |connection| read_entries(connection, event, from, u64::from(limit))).await
    }

    async fn log_tile(&self, event: EventNo, tile: TileId) -> Result<Vec<Hash>> {
        self.read(move |connection| read_tile(connection, event, tile)).await
    }

    async fn fork_log(
        &self,
        event: EventNo,
        origin: String,
        checkpoint: String,
        at: UnixMs,
    ) -> Result<LogHead> {
        self.writer
            .write_logged(event, move |work| {
                work.tx.execute(
                    "UPDATE log SET origin = ?2 WHERE event = ?1",
                    params![event.0, origin],
                )?;
                let leaf = Leaf::rollback(&checkpoint, at);
                let index = work.leaves.add(work.tx, event, &leaf)?;
                Ok(super::writer::Done { value: (), scans: Vec::new(), leaf: Some(index) })
            })
            .await?;
        self.log_head(event).await?.ok_or_else(|| no_log(event))
    }
}
