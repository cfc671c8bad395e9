//! `admit log verify`: what a stranger with the log's key can find out from files.

use std::fs;
use std::path::{Path, PathBuf};

use admit_core::log::audit::Audit;
use admit_core::log::checkpoint::Checkpoint;
use admit_core::log::leaf::{Kind, Leaf};
use admit_core::log::note::Verifier;
use admit_core::log::rebuild::{Rebuild, Rebuilt};
use admit_core::log::receipt::Receipt;
use admit_core::log::tile::{Part, TilePath, decode_bundle, decode_hashes};
use admit_core::log::tree::{Hash, TILE_WIDTH, leaf_hash};
use anyhow::{Context, bail, ensure};

use super::super::say;
use crate::clock;

#[derive(clap::Args)]
pub(in crate::cli) struct Verify {
    /// The folder of an exported log, a checkpoint, or a receipt (.tlog-proof)
    path: PathBuf,
    /// The log's verification key, name+id+key; may be given for several keys
    #[arg(long = "key", value_name = "VKEY", required = true)]
    keys: Vec<String>,
    /// An older checkpoint, which the log must continue
    #[arg(long, value_name = "CHECKPOINT")]
    since: Option<PathBuf>,
}

impl Verify {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let keys: Vec<_> = self
            .keys
            .iter()
            .map(|key| Verifier::parse(key).with_context(|| format!("in {key:?}")))
            .collect::<anyhow::Result<_>>()?;
        let since = self.since.as_deref().map(|path| checkpoint(path, &keys)).transpose()?;
        if self.path.is_dir() {
            return Export { folder: &self.path }.verify(&keys, since.as_ref());
        }
        let text = text(&self.path)?;
        let head = if text.starts_with("c2sp.org/tlog-proof@") {
            receipt(&text, &keys)
        } else {
            Checkpoint::open(&text, &keys).map_err(Into::into).and_then(|head| {
                say(&describe(&head))?;
                Ok(head)
            })
        };
        let head = head.with_context(|| self.path.display().to_string())?;
        match since {
            Some(since) => continues(&head, &since, None),
            None => Ok(()),
        }
    }
}

fn describe(head: &Checkpoint) -> String {
    let Checkpoint { origin, size, root } = head;
    format!("signed: the log {origin} has {size} entries and the root {root}")
}

fn text(path: &Path) -> anyhow::Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

fn checkpoint(path: &Path, keys: &[Verifier]) -> anyhow::Result<Checkpoint> {
    Checkpoint::open(&text(path)?, keys).with_context(|| path.display().to_string())
}

/// Checks a receipt that holds its leaf; the checkpoint under which it stands.
fn receipt(text: &str, keys: &[Verifier]) -> anyhow::Result<Checkpoint> {
    let receipt = Receipt::parse(text)?;
    let head = receipt.verify(None, keys)?;
    say(&describe(&head))?;
    let bytes = receipt.extra.as_deref().unwrap_or_default();
    let (index, hash) = (receipt.index, leaf_hash(bytes));
    let leaf = Leaf::parse(bytes).with_context(|| format!("entry {index}"))?;
    let (kind, at) = (leaf.kind.code(), clock::rfc3339(leaf.at));
    say(&format!("proved: entry {index} of it is {kind} at {at}, leaf hash {hash}"))?;
    Ok(head)
}

/// Whether the log of `head` continues that of `old`, whose root it had as `then` at that size.
fn continues(head: &Checkpoint, old: &Checkpoint, then: Option<Hash>) -> anyhow::Result<()> {
    ensure!(old.origin == head.origin, "the older checkpoint is of another log: {}", old.origin);
    if old.size > head.size {
        bail!("the log had {} entries and now has {}: entries were removed", old.size, head.size);
    }
    let then = if old.size == head.size { Some(head.root) } else { then };
    let then = then.context("only an exported log can show that it continues an older one")?;
    if then != old.root {
        bail!("the log was rewritten: its first {} entries were others before", old.size);
    }
    say(&format!("it continues the older checkpoint of {} entries", old.size))
}

/// A log in files.
struct Export<'a> {
    folder: &'a Path,
}

impl Export<'_> {
    fn verify(&self, keys: &[Verifier], since: Option<&Checkpoint>) -> anyhow::Result<()> {
        let head = checkpoint(&self.folder.join("checkpoint"), keys)?;
        say(&describe(&head))?;
        let then = self.check_tree(&head, since.map_or(head.size, |old| old.size))?;
        if let Some(old) = since {
            continues(&head, old, then)?;
        }
        let audit = self.audit(&head)?;
        let counts = audit.counts().iter().map(|(kind, count)| format!("{} {count}", kind.code()));
        say(&format!("entries: {}", counts.collect::<Vec<_>>().join(", ")))?;
        let undone = audit.counts().get(&Kind::Undo).copied().unwrap_or(0);
        let entries = audit.entries();
        say(&format!(
            "in order: no use of a ticket was admitted twice; {entries} admissions stand, {undone} \
             taken back"
        ))
    }

    /// Hashes every entry, and compares all tiles and the root; the root at size `mark`.
    fn check_tree(&self, head: &Checkpoint, mark: u64) -> anyhow::Result<Option<Hash>> {
        let mut tree = Rebuild::default();
        let mut then = (mark == 0).then(|| tree.root());
        let mut tiles = 0_u64;
        for bundle in bundles(head.size) {
            for entry in self.entries(bundle)? {
                for tile in tree.add(&entry) {
                    self.compare(&tile)?;
                    tiles += 1;
                }
                if tree.size() == mark {
                    then = Some(tree.root());
                }
            }
        }
        for tile in tree.unfinished() {
            self.compare(&tile)?;
            tiles += 1;
        }
        if tree.root() != head.root {
            bail!("the entries lead to another root than the signed one: {}", tree.root());
        }
        say(&format!("whole: all {} entries and {tiles} tiles lead to that root", head.size))?;
        Ok(then)
    }

    /// Whether the tile in the folder is the one that the entries make.
    fn compare(&self, tile: &Rebuilt) -> anyhow::Result<()> {
        let width = u64::try_from(tile.hashes.len())?;
        let path = TilePath { part: Part::Hashes(tile.id), width };
        let found = self.read(path)?;
        let found = decode_hashes(&found, width).with_context(|| path.to_string())?;
        let pairs = (0_u64..).zip(tile.hashes.iter().zip(&found));
        for (place, (made, found)) in pairs {
            let index = tile.id.index * TILE_WIDTH + place;
            if made == found {
                continue;
            }
            if tile.id.level == 0 {
                bail!("entry {index} was changed: {path} has another hash for it");
            }
            bail!("{path}: hash {place} is not the root of the tile below it");
        }
        Ok(())
    }

    fn audit(&self, head: &Checkpoint) -> anyhow::Result<Audit> {
        let mut audit = Audit::default();
        for bundle in bundles(head.size) {
            for entry in self.entries(bundle)? {
                audit.add(&entry)?;
            }
        }
        ensure!(audit.is_called(&head.origin), "entry 0: the log says that it is another one");
        Ok(audit)
    }

    fn entries(&self, bundle: TilePath) -> anyhow::Result<Vec<Vec<u8>>> {
        let bytes = self.read(bundle)?;
        let entries = decode_bundle(&bytes, bundle.width).with_context(|| bundle.to_string())?;
        Ok(entries.into_iter().map(<[u8]>::to_vec).collect())
    }

    fn read(&self, path: TilePath) -> anyhow::Result<Vec<u8>> {
        let path = self.folder.join(path.to_string());
        fs::read(&path).with_context(|| format!("cannot read {}", path.display()))
    }
}

fn bundles(size: u64) -> impl Iterator<Item = TilePath> {
    (0..size.div_ceil(TILE_WIDTH)).filter_map(move |index| TilePath::of(Part::Entries(index), size))
}
