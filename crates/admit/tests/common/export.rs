//! An exported log made for tests: written by the core, without a server.

use std::fs;
use std::path::{Path, PathBuf};

use admit_core::id::{Digest, KeyNo, TicketId, TypeNo, UnixMs};
use admit_core::log::checkpoint::Checkpoint;
use admit_core::log::leaf::{Details, Fact, Kind, Leaf, LogKey};
use admit_core::log::note::NoteSigner;
use admit_core::log::rebuild::{Rebuild, Rebuilt};
use admit_core::log::receipt::Receipt;
use admit_core::log::tile::{Part, TilePath, encode_bundle, encode_hashes};
use admit_core::log::tree::{Tiles, inclusion};
use admit_core::ticket::Algorithm;

pub(crate) const ORIGIN: &str = "tickets.example.org/log/3";
const NOW: UnixMs = UnixMs(1_800_000_000_000);

/// The log's signer; what it signs is what the operator says, true or not.
pub(crate) fn signer() -> NoteSigner {
    NoteSigner::new(ORIGIN, &[3; 32]).unwrap()
}

/// A leaf about use 1 of a ticket.
pub(crate) fn leaf(kind: Kind, ticket: u64, refers: Option<u64>) -> Vec<u8> {
    let mut details = Details::of(TicketId(ticket), Digest([3; 32]), TypeNo(1));
    details.use_no = 1;
    Fact { kind, at: NOW, refers, details }.leaf(&LogKey([7; 32])).to_bytes()
}

/// A log of `tickets` tickets: each is issued, then admitted, and the first entry taken back.
pub(crate) fn leaves(tickets: u64) -> Vec<Vec<u8>> {
    let key = Leaf::key(KeyNo(1), Algorithm::Ed25519, (None, None), Some([5; 32]), NOW);
    let mut leaves = vec![Leaf::genesis(ORIGIN, NOW).to_bytes(), key.to_bytes()];
    leaves.extend((0..tickets).map(|ticket| leaf(Kind::Issue, ticket, None)));
    leaves.extend((0..tickets).map(|ticket| leaf(Kind::Admit, ticket, None)));
    leaves.push(leaf(Kind::Undo, 0, Some(2 + tickets)));
    leaves
}

/// The tiles of a log, and its head.
pub(crate) fn tree(leaves: &[Vec<u8>]) -> (Vec<Rebuilt>, Checkpoint) {
    let mut tree = Rebuild::default();
    let mut tiles: Vec<_> = leaves.iter().flat_map(|leaf| tree.add(leaf)).collect();
    tiles.extend(tree.unfinished());
    let head = Checkpoint { origin: ORIGIN.to_owned(), size: tree.size(), root: tree.root() };
    (tiles, head)
}

/// Writes a log into `folder`.
pub(crate) fn write(folder: &Path, leaves: &[Vec<u8>]) {
    let (tiles, head) = tree(leaves);
    for tile in tiles {
        let width = u64::try_from(tile.hashes.len()).unwrap();
        let path = TilePath { part: Part::Hashes(tile.id), width };
        put(folder.join(path.to_string()), &encode_hashes(&tile.hashes));
    }
    for (index, bundle) in (0..).zip(leaves.chunks(256)) {
        let width = u64::try_from(bundle.len()).unwrap();
        let path = TilePath { part: Part::Entries(index), width };
        put(folder.join(path.to_string()), &encode_bundle(bundle).unwrap());
    }
    put(folder.join("checkpoint"), head.sign(&signer()).unwrap().as_bytes());
}

/// The receipt of one leaf, as text.
pub(crate) fn receipt(leaves: &[Vec<u8>], index: usize) -> String {
    let (tiles, head) = tree(leaves);
    let tiles = Tiles(tiles.into_iter().map(|tile| (tile.id, tile.hashes)).collect());
    let place = u64::try_from(index).unwrap();
    let receipt = Receipt {
        extra: leaves.get(index).cloned(),
        index: place,
        path: inclusion(place, head.size, &tiles).unwrap(),
        checkpoint: head.sign(&signer()).unwrap(),
    };
    receipt.write()
}

fn put(path: PathBuf, bytes: &[u8]) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}
