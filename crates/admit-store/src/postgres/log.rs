//! The audit log in PostgreSQL: its row is locked last and held until the commit, so that several
//! servers append in one order; leaves that others appended are read in the same round trip.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use admit_core::id::{EventNo, UnixMs};
use admit_core::log::edge::{Appended, Edge};
use admit_core::log::leaf::Leaf;
use admit_core::log::tree::{EMPTY_ROOT, Hash, TILE_WIDTH, TileId, leaf_hash};
use async_trait::async_trait;
use deadpool_postgres::Transaction;
use tokio_postgres::{GenericClient, Row};

use super::admission::number;
use super::append::{self, Rows};
use super::row::{Columns, collect, first};
use super::{Done, PostgresStore, query};
use crate::log::{ENTRIES_MAX, LogHead, Logged, Logs};
use crate::{Result, StoreError};

/// Holds the logs of events until the commit.
pub(super) const LOCK_LOGS: &str = "SELECT event, size, root, position, leases FROM log
     WHERE event = ANY($1::bigint[]) ORDER BY event FOR UPDATE";

/// What others appended since, up to a point from which reading the edge anew is cheaper.
pub(super) const MISSING_LEAVES: &str =
    "SELECT found.* FROM unnest($1::bigint[], $2::bigint[]) AS mine (event, size)
     CROSS JOIN LATERAL (SELECT event, idx, leaf FROM log_entry WHERE log_entry.event = mine.event
       AND log_entry.idx >= mine.size AND log_entry.idx < mine.size + 4096
       ORDER BY log_entry.idx OFFSET 0) AS found";

const ENTRIES: &str =
    "SELECT leaf FROM log_entry WHERE event = $1 AND idx >= $2 AND idx < $3 ORDER BY idx";
const TILE_ROOTS: &str = "SELECT root FROM log_tile
     WHERE event = $1 AND level = $2 AND idx >= $3 AND idx < $4 ORDER BY idx";

/// The right edges of the logs that were written to, as of the last own write to each.
#[derive(Clone, Default)]
pub(super) struct Edges(Arc<Mutex<HashMap<EventNo, Edge>>>);

impl Edges {
    /// How far each edge reaches, for [`MISSING_LEAVES`]; an unknown one lacks nothing.
    pub(super) fn sizes(&self, events: &[i64]) -> Vec<i64> {
        let edges = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let size = |event: &i64| {
            let event = EventNo(u32::try_from(*event).ok()?);
            edges.get(&event).map(|edge| edge.size().cast_signed())
        };
        // Far from the largest number: the statement adds to it.
        events.iter().map(|event| size(event).unwrap_or(i64::MAX / 2)).collect()
    }

    fn get(&self, event: EventNo) -> Option<Edge> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&event).cloned()
    }

    /// Takes over what a transaction appended, once it is durable.
    pub(super) fn keep(&self, grown: &Grown) {
        let mut edges = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (event, log) in &grown.0 {
            let known = edges.get(event).map_or(0, Edge::size);
            if log.edge.size() > known {
                edges.insert(*event, log.edge.clone());
            }
        }
    }
}

/// The logs that a transaction holds, and what it adds to them.
#[derive(Default)]
pub(super) struct Held(BTreeMap<EventNo, HeldLog>);

struct HeldLog {
    edge: Edge,
    position: i64,
    leaves: Vec<Vec<u8>>,
}

impl Held {
    /// Takes in what [`LOCK_LOGS`] and [`MISSING_LEAVES`] found.
    pub(super) async fn read(
        client: &impl GenericClient,
        edges: &Edges,
        logs: &[Row],
        missing: &[Row],
    ) -> Done<Self> {
        let mut lacking: HashMap<EventNo, Vec<(u64, Hash)>> = HashMap::new();
        for row in missing {
            let columns = Columns { row, table: "log_entry" };
            let leaf = (columns.int("idx")?.cast_unsigned(), leaf_hash(&columns.blob("leaf")?));
            lacking.entry(columns.event()?).or_default().push(leaf);
        }
        let mut held = Self::default();
        for row in logs {
            let columns = Columns { row, table: "log" };
            let (event, size) = (columns.event()?, columns.int("size")?.cast_unsigned());
            let root = Hash(columns.bytes("root")?);
            let missing = lacking.remove(&event).unwrap_or_default();
            let caught_up = edges.get(event).map(|edge| catch_up(edge, &missing, size));
            let edge = match caught_up.filter(|edge| edge.size() == size && edge.root() == root) {
                Some(edge) => edge,
                None => restore(client, event, size, root).await?,
            };
            let log = HeldLog { edge, position: columns.int("position")?, leaves: Vec::new() };
            held.0.insert(event, log);
        }
        Ok(held)
    }

    /// Adds a leaf; its position in the log.
    pub(super) fn add(&mut self, event: EventNo, leaf: Vec<u8>) -> Result<u64> {
        let log = self.0.get_mut(&event).ok_or_else(|| no_log(event))?;
        log.leaves.push(leaf);
        Ok(log.edge.size() + as_u64(log.leaves.len()) - 1)
    }

    /// The position of the event's next scan.
    pub(super) fn next_position(&mut self, event: EventNo) -> Result<i64> {
        let log = self.0.get_mut(&event).ok_or_else(|| no_log(event))?;
        log.position = log.position.saturating_add(1);
        Ok(log.position)
    }

    /// Appends the leaves to the edges.
    pub(super) fn grow(self) -> Grown {
        let grow = |(event, mut log): (EventNo, HeldLog)| {
            let hashes: Vec<_> = log.leaves.iter().map(|leaf| leaf_hash(leaf)).collect();
            let appended = log.edge.append(&hashes);
            (event, GrownLog { appended, leaves: log.leaves, edge: log.edge })
        };
        Grown(self.0.into_iter().map(grow).collect())
    }
}

fn catch_up(mut edge: Edge, missing: &[(u64, Hash)], size: u64) -> Edge {
    let from = edge.size();
    let follow = (from..size).zip(missing);
    let hashes: Vec<_> = follow
        .take_while(|(index, (found, _))| index == found)
        .map(|(_, (_, hash))| *hash)
        .collect();
    if !hashes.is_empty() {
        edge.append(&hashes);
    }
    edge
}

async fn restore(client: &impl GenericClient, event: EventNo, size: u64, root: Hash) -> Done<Edge> {
    let mut tiles = HashMap::new();
    for level in 0..8_u8 {
        let index = (size >> (u32::from(level) * 8)) / TILE_WIDTH;
        let id = TileId { level, index };
        if id.width(size) > 0 {
            tiles.insert(id, read_tile(client, event, id).await?);
        }
    }
    let tile = |id: TileId| Ok::<_, StoreError>(tiles.remove(&id).unwrap_or_default());
    let edge = Edge::restore(size, tile)?
        .ok_or_else(|| StoreError::corrupt("log_tile", format!("event {}", event.0)))?;
    if edge.root() != root {
        return Err(StoreError::corrupt("log", format!("root of event {}", event.0)).into());
    }
    Ok(edge)
}

/// What a transaction appended.
#[derive(Default)]
pub(super) struct Grown(BTreeMap<EventNo, GrownLog>);

struct GrownLog {
    appended: Appended,
    leaves: Vec<Vec<u8>>,
    edge: Edge,
}

impl Grown {
    /// The leaf at `index` with its proof; none when it was not among them.
    pub(super) fn of(&self, event: EventNo, index: u64) -> Option<Logged> {
        let GrownLog { appended, leaves, .. } = self.0.get(&event)?;
        let place = usize::try_from(index.checked_sub(appended.first)?).ok()?;
        Some(Logged {
            index,
            leaf: leaves.get(place)?.clone(),
            size: appended.size,
            root: appended.root,
            path: appended.paths.get(place)?.clone(),
        })
    }

    /// Each log with the bytes of its new leaves.
    pub(super) fn logs(&self) -> impl Iterator<Item = (EventNo, &Appended, &[Vec<u8>])> {
        self.0.iter().map(|(event, log)| (*event, &log.appended, log.leaves.as_slice()))
    }
}

/// Locks an event's log and brings its edge up to date. Nothing else may be locked after it.
pub(super) async fn hold(tx: &Transaction<'_>, edges: &Edges, event: EventNo) -> Done<Held> {
    let events = [number(event)];
    let sizes = edges.sizes(&events);
    let logs: super::Params<'_> = &[&events.as_slice()];
    let mine: super::Params<'_> = &[&events.as_slice(), &sizes];
    // Two statements one after the other: the second must see what the first waited for.
    let logs = query(tx, LOCK_LOGS, logs).await?;
    let missing = query(tx, MISSING_LEAVES, mine).await?;
    Held::read(&**tx, edges, &logs, &missing).await
}

/// Adds one leaf to one log that is held, and writes it.
pub(super) async fn write_leaf(
    tx: &Transaction<'_>,
    mut held: Held,
    event: EventNo,
    leaf: &Leaf,
) -> Done<(u64, Grown)> {
    let index = held.add(event, leaf.to_bytes())?;
    let rows = Rows { grown: held.grow(), ..Rows::default() };
    append::write(tx, &rows).await?;
    Ok((index, rows.grown))
}

/// Begins the log of a new event.
pub(super) async fn begin(tx: &Transaction<'_>, event: EventNo, origin: &str) -> Done<()> {
    let sql = "INSERT INTO log (event, origin, size, root) VALUES ($1, $2, 0, $3)";
    query(tx, sql, &[&number(event), &origin, &EMPTY_ROOT.0.as_slice()]).await?;
    Ok(())
}

fn no_log(event: EventNo) -> StoreError {
    StoreError::corrupt("log", format!("no log of event {}", event.0))
}

fn as_u64(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

async fn read_entries(
    client: &impl GenericClient,
    event: EventNo,
    from: u64,
    limit: u64,
) -> Done<Vec<Vec<u8>>> {
    let to = from.saturating_add(limit.min(u64::from(ENTRIES_MAX)));
    let (from, to) = (from.cast_signed(), to.cast_signed());
    let rows = client.query(ENTRIES, &[&number(event), &from, &to]).await?;
    Ok(collect(&rows, "log_entry", |columns| columns.blob("leaf"))?)
}

async fn read_tile(client: &impl GenericClient, event: EventNo, tile: TileId) -> Done<Vec<Hash>> {
    let from = tile.index.saturating_mul(TILE_WIDTH);
    let Some(below) = tile.level.checked_sub(1) else {
        let leaves = read_entries(client, event, from, TILE_WIDTH).await?;
        return Ok(leaves.iter().map(|leaf| leaf_hash(leaf)).collect());
    };
    let (to, level) = (from.saturating_add(TILE_WIDTH).cast_signed(), i64::from(below));
    let rows =
        client.query(TILE_ROOTS, &[&number(event), &level, &from.cast_signed(), &to]).await?;
    Ok(collect(&rows, "log_tile", |columns| columns.bytes("root").map(Hash))?)
}

async fn fork(
    tx: &Transaction<'_>,
    edges: &Edges,
    event: EventNo,
    origin: &str,
    leaf: &Leaf,
) -> Done<Grown> {
    let held = hold(tx, edges, event).await?;
    let sql = "UPDATE log SET origin = $2 WHERE event = $1";
    query(tx, sql, &[&number(event), &origin]).await?;
    Ok(write_leaf(tx, held, event, leaf).await?.1)
}

#[async_trait]
impl Logs for PostgresStore {
    async fn log_head(&self, event: EventNo) -> Result<Option<LogHead>> {
        let sql = "SELECT origin, size, root FROM log WHERE event = $1";
        let rows = self.query(sql, &[&number(event)]).await?;
        first(&rows, "log", |columns| {
            Ok(LogHead {
                origin: columns.text("origin")?,
                size: columns.int("size")?.cast_unsigned(),
                root: Hash(columns.bytes("root")?),
            })
        })
    }

    async fn log_entries(&self, event: EventNo, from: u64, limit: u32) -> Result<Vec<Vec<u8>>> {
        Ok(read_entries(&**self.client().await?, event, from, u64::from(limit)).await?)
    }

    async fn log_tile(&self, event: EventNo, tile: TileId) -> Result<Vec<Hash>> {
        Ok(read_tile(&**self.client().await?, event, tile).await?)
    }

    async fn fork_log(
        &self,
        event: EventNo,
        origin: String,
        checkpoint: String,
        at: UnixMs,
    ) -> Result<LogHead> {
        let edges = &self.edges;
        let grown = self
            .transact(|tx| {
                let (edges, origin) = (edges.clone(), origin.clone());
                let leaf = Leaf::rollback(&checkpoint, at);
                Box::pin(async move { fork(tx, &edges, event, &origin, &leaf).await })
            })
            .await?;
        self.edges.keep(&grown);
        self.log_head(event).await?.ok_or_else(|| no_log(event))
    }
}
