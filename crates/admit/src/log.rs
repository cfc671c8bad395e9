//! The audit log of each event: who may read its leaves, signed checkpoints, and proofs.
//!
//! Whatever is durable in the store may be signed, for the store never takes back a leaf. Only a
//! database that was set back could make us sign two histories; so the newest signed checkpoint is
//! kept beside the database, and a start compares the two.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use admit_core::id::{EventNo, UnixMs, hmac_sha256};
use admit_core::log::checkpoint::Checkpoint;
use admit_core::log::leaf::{Fact, Leaf, LogKey};
use admit_core::log::note::NoteSigner;
use admit_core::log::receipt::Receipt;
use admit_core::log::tile::{Part, TilePath, encode_bundle, encode_hashes};
use admit_core::log::tree::{
    Hash, TILE_WIDTH, TileId, Tiles, consistency, consistency_tiles, inclusion, inclusion_tiles,
    root, root_tiles,
};
use admit_store::Store;
use admit_store::log::{LogHead, Logged};
use data_encoding::HEXLOWER;

use crate::App;
use crate::data::{private_folder, write_private};
use crate::error::{Error, Result};

/// The logs' keys and their newest signed checkpoints.
pub struct LogBook {
    leaves: [u8; 32],
    checkpoints: [u8; 32],
    /// What new logs are named after.
    host: String,
    signed: Mutex<HashMap<EventNo, Signed>>,
}

/// The newest checkpoint that was signed for a log.
#[derive(Clone)]
struct Signed {
    checkpoint: Checkpoint,
    note: Arc<str>,
    kept: bool,
}

/// A leaf with everything that proves it to a stranger who has the log's key.
#[derive(Clone, Debug)]
pub struct Inclusion {
    /// What the checkpoint is signed for.
    pub origin: String,
    /// Place, bytes and path.
    pub logged: Logged,
    /// The signed checkpoint of the tree that the path leads to.
    pub checkpoint: Arc<str>,
    /// What opens the leaf's commitment, for those whom it concerns.
    pub opening: Option<Vec<u8>>,
}

impl Inclusion {
    /// The receipt: `c2sp.org/tlog-proof@v1` with the leaf as extra data.
    pub fn receipt(&self) -> Receipt {
        Receipt {
            extra: Some(self.logged.leaf.clone()),
            index: self.logged.index,
            path: self.logged.path.clone(),
            checkpoint: self.checkpoint.to_string(),
        }
    }
}

impl LogBook {
    /// The keys, from the installation's. New logs are named after it too, and not after an address:
    /// addresses change, and events are also made where none is known.
    pub fn new(leaves: [u8; 32], checkpoints: [u8; 32], name: [u8; 32]) -> Self {
        let (short, _) = name.split_at(6);
        let host = format!("admit-one/{}", HEXLOWER.encode(short));
        Self { leaves, checkpoints, host, signed: Mutex::default() }
    }

    /// What the origins of new logs begin with.
    pub fn host(&self) -> String {
        self.host.clone()
    }

    /// The secret of an event's leaves.
    pub fn leaf_key(&self, event: EventNo) -> LogKey {
        LogKey::derive(&self.leaves, event)
    }

    /// Signs the checkpoints of an event's log. Never the key of its tickets.
    fn signer(&self, event: EventNo, origin: &str) -> Result<NoteSigner> {
        let seed = hmac_sha256(&self.checkpoints, &[&event.0.to_be_bytes()]);
        NoteSigner::new(origin, &seed).map_err(Error::internal)
    }

    /// What checks the checkpoints of an event's log: a C2SP verifier key.
    pub fn vkey(&self, event: EventNo, origin: &str) -> Result<String> {
        Ok(self.signer(event, origin)?.vkey())
    }

    /// The signed checkpoint of a head that is durable.
    fn sign(&self, event: EventNo, head: LogHead) -> Result<Arc<str>> {
        let LogHead { origin, size, root } = head;
        let checkpoint = Checkpoint { origin, size, root };
        let known = self.lock().get(&event).cloned();
        if let Some(known) = known.filter(|known| known.checkpoint == checkpoint) {
            return Ok(known.note);
        }
        let signer = self.signer(event, &checkpoint.origin)?;
        let note: Arc<str> = checkpoint.sign(&signer).map_err(Error::internal)?.into();
        let mut newest = self.lock();
        let size = newest.get(&event).map_or(0, |known| known.checkpoint.size);
        if checkpoint.size >= size {
            let note = Arc::clone(&note);
            newest.insert(event, Signed { checkpoint, note, kept: false });
        }
        Ok(note)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<EventNo, Signed>> {
        self.signed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes the newest signed checkpoints into `folder`, one file a log.
    pub fn keep(&self, folder: &Path) -> Result<()> {
        let fresh: Vec<_> =
            self.lock().iter().filter(|(_, s)| !s.kept).map(|(e, s)| (*e, s.clone())).collect();
        for (event, signed) in fresh {
            private_folder(folder)?;
            let path = kept_at(folder, event);
            // The command line signs too, and may have come further.
            let older = read_kept(&path)?.is_none_or(|(kept, _)| {
                kept.origin != signed.checkpoint.origin || kept.size < signed.checkpoint.size
            });
            if older {
                write_private(&path, &signed.note)?;
            }
            if let Some(now) = self.lock().get_mut(&event) {
                now.kept = now.checkpoint == signed.checkpoint;
            }
        }
        Ok(())
    }
}

fn kept_at(folder: &Path, event: EventNo) -> PathBuf {
    folder.join(format!("{}.checkpoint", event.0))
}

/// The state of an event's log.
pub async fn head(store: &dyn Store, event: EventNo) -> Result<LogHead> {
    store.log_head(event).await?.ok_or(Error::NotFound("log"))
}

/// The signed checkpoint of an event's log as it is now.
pub async fn checkpoint(app: &App, event: EventNo) -> Result<Arc<str>> {
    app.log.sign(event, head(app.store.as_ref(), event).await?)
}

/// The bytes of a part of a log (C2SP tlog-tiles); none when the log does not go that far. It may
/// have grown past it meanwhile.
pub async fn part(store: &dyn Store, event: EventNo, path: TilePath) -> Result<Option<Vec<u8>>> {
    let width = usize::try_from(path.width).unwrap_or(usize::MAX);
    let (bytes, found) = match path.part {
        Part::Entries(index) => {
            let limit = u32::try_from(path.width).unwrap_or(u32::MAX);
            let from = index.saturating_mul(TILE_WIDTH);
            let entries = store.log_entries(event, from, limit).await?;
            (encode_bundle(&entries).map_err(Error::internal)?, entries.len())
        }
        Part::Hashes(tile) => {
            let mut hashes = store.log_tile(event, tile).await?;
            hashes.truncate(width);
            (encode_hashes(&hashes), hashes.len())
        }
    };
    Ok(Some(bytes).filter(|_| found == width))
}

/// Makes the proof of a leaf that was just written complete.
pub async fn proved(
    app: &App,
    event: EventNo,
    logged: Logged,
    opening: Option<Vec<u8>>,
) -> Result<Inclusion> {
    let origin = origin(app, event).await?;
    let head = LogHead { origin: origin.clone(), size: logged.size, root: logged.root };
    let checkpoint = app.log.sign(event, head)?;
    Ok(Inclusion { origin, logged, checkpoint, opening })
}

/// The origin changes only while no server runs, so that one look is enough.
async fn origin(app: &App, event: EventNo) -> Result<String> {
    let known = app.log.lock().get(&event).map(|signed| signed.checkpoint.origin.clone());
    match known {
        Some(origin) => Ok(origin),
        None => Ok(head(app.store.as_ref(), event).await?.origin),
    }
}

/// Proves a leaf that was written before, in the log as it is now.
pub async fn prove(app: &App, event: EventNo, index: u64) -> Result<Inclusion> {
    let store = app.store.as_ref();
    let head = head(store, event).await?;
    let path = inclusion_proof(store, event, index, head.size).await?;
    let leaf = store.log_entries(event, index, 1).await?.into_iter().next();
    let leaf = leaf.ok_or(Error::NotFound("leaf"))?;
    let logged = Logged { index, leaf, size: head.size, root: head.root, path };
    let origin = head.origin.clone();
    let checkpoint = app.log.sign(event, head)?;
    Ok(Inclusion { origin, logged, checkpoint, opening: None })
}

/// A proof with what opens its leaf, if `fact` is what the leaf is about. The books do not say by which
/// kind of leaf a fact was told, the leaf does.
pub fn opened(app: &App, event: EventNo, proof: Inclusion, fact: Fact) -> Inclusion {
    let Ok(leaf) = Leaf::parse(&proof.logged.leaf) else { return proof };
    let opening = Fact { kind: leaf.kind, ..fact }.opening(&app.log.leaf_key(event));
    let opening = Some(opening).filter(|opening| leaf.open(opening).is_some());
    Inclusion { opening, ..proof }
}

/// The inclusion proof of leaf `index` among the first `size`.
pub async fn inclusion_proof(
    store: &dyn Store,
    event: EventNo,
    index: u64,
    size: u64,
) -> Result<Vec<Hash>> {
    if index >= size || size > head(store, event).await?.size {
        return Err(Error::NotFound("leaf"));
    }
    let tiles = tiles(store, event, inclusion_tiles(index, size)).await?;
    inclusion(index, size, &tiles).ok_or_else(torn)
}

/// The proof that the first `new` leaves begin with the first `old`.
pub async fn consistency_proof(
    store: &dyn Store,
    event: EventNo,
    old: u64,
    new: u64,
) -> Result<Vec<Hash>> {
    if old == 0 || old > new || new > head(store, event).await?.size {
        return Err(Error::NotFound("log of that size"));
    }
    let tiles = tiles(store, event, consistency_tiles(old, new)).await?;
    consistency(old, new, &tiles).ok_or_else(torn)
}

async fn tiles(store: &dyn Store, event: EventNo, wanted: Vec<TileId>) -> Result<Tiles> {
    let mut tiles = Tiles::default();
    for id in wanted {
        tiles.0.insert(id, store.log_tile(event, id).await?);
    }
    Ok(tiles)
}

fn torn() -> Error {
    Error::internal("a tile of the audit log is missing")
}

/// What a start finds when it compares the database with the checkpoints kept beside it.
pub enum Rollback {
    /// Refuse to go on: the database is older than what was signed, or another one.
    Refuse,
    /// Go on under a new origin, which the log itself tells.
    Accept,
}

/// Compares every log with the newest checkpoint that was signed for it and kept in `folder`.
pub async fn check_kept(
    store: &dyn Store,
    folder: &Path,
    on_rollback: &Rollback,
    now: UnixMs,
) -> Result<()> {
    for view in store.events().await? {
        let event = view.event.number;
        let path = kept_at(folder, event);
        let Some((kept, note)) = read_kept(&path)? else { continue };
        let head = head(store, event).await?;
        if continues(store, event, &head, &kept).await? {
            continue;
        }
        match on_rollback {
            Rollback::Accept => {
                let origin = next_origin(&head.origin, &kept.origin);
                store.fork_log(event, origin, note, now).await?;
                std::fs::remove_file(&path).map_err(Error::internal)?;
            }
            Rollback::Refuse => {
                return Err(Error::internal(format!(
                    "the audit log of event {:?} has {} entries, but {} were signed for already: \
                     the database was set back. Restore the newest one, or start once with \
                     --accept-rollback, which the log will tell (docs/operate.md)",
                    view.event.details.slug, head.size, kept.size
                )));
            }
        }
    }
    Ok(())
}

async fn continues(
    store: &dyn Store,
    event: EventNo,
    head: &LogHead,
    kept: &Checkpoint,
) -> Result<bool> {
    // A later origin: the rollback was accepted before, and the file not yet replaced.
    let ((stem, generation), (kept_stem, kept_generation)) =
        (generation(&head.origin), generation(&kept.origin));
    if stem == kept_stem && generation > kept_generation {
        return Ok(true);
    }
    if kept.origin != head.origin || head.size < kept.size {
        return Ok(false);
    }
    let tiles = tiles(store, event, root_tiles(kept.size)).await?;
    Ok(root(kept.size, &tiles) == Some(kept.root))
}

/// The newest checkpoint that was kept, and its note.
fn read_kept(path: &Path) -> Result<Option<(Checkpoint, String)>> {
    let Ok(note) = std::fs::read_to_string(path) else { return Ok(None) };
    let body = note.split("\n\n").next().unwrap_or_default();
    let kept = Checkpoint::parse(&format!("{body}\n"))
        .map_err(|error| Error::internal(format!("{}: {error}", path.display())))?;
    Ok(Some((kept, note)))
}

/// The name of a log without its generation, and the generation: 1 for `…/log/7`, 2 for `…/log/7/2`.
fn generation(origin: &str) -> (&str, u32) {
    let numbered = origin.rsplit_once('/').and_then(|(stem, last)| {
        let stem = Some(stem).filter(|stem| !stem.ends_with("/log"))?;
        Some((stem, last.parse().ok()?))
    });
    numbered.unwrap_or((origin, 1))
}

/// An origin that nothing was signed for yet.
fn next_origin(head: &str, kept: &str) -> String {
    let ((stem, now), (_, signed)) = (generation(head), generation(kept));
    format!("{stem}/{}", now.max(signed).saturating_add(1))
}

#[cfg(test)]
mod tests {
    use super::next_origin;

    #[test]
    fn every_accepted_rollback_has_an_origin_of_its_own() {
        assert_eq!(next_origin("x/log/7", "x/log/7"), "x/log/7/2");
        assert_eq!(next_origin("x/log/7", "x/log/7/2"), "x/log/7/3");
        assert_eq!(next_origin("x/log/7/2", "x/log/7/2"), "x/log/7/3");
    }
}
