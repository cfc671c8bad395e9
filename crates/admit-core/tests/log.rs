//! The audit log against public vectors and against code that others wrote.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    reason = "a test may fail loudly"
)]

use std::collections::HashMap;

use admit_core::log::checkpoint::Checkpoint;
use admit_core::log::edge::Edge;
use admit_core::log::note::{self, NoteSigner, Verifier};
use admit_core::log::tile::TilePath;
use admit_core::log::tree::{
    EMPTY_ROOT, Hash, TILE_WIDTH, TileId, Tiles, consistency, inclusion, leaf_hash, root,
    verify_consistency, verify_inclusion,
};
use ct_merkle::mem_backed_tree::MemoryBackedTree;
use ct_merkle::{ConsistencyProof, InclusionProof, RootHash};
use data_encoding::HEXLOWER;
use proptest::prelude::*;
use serde_json::Value;
use sha2::Sha256;

const ORIGIN: &str = "tickets.example.org/log/3";

/// Our tree, as a server would keep it: tiles of leaf hashes, and of the roots of full tiles.
fn ours(leaves: &[Vec<u8>]) -> Tiles {
    let mut tiles: HashMap<TileId, Vec<Hash>> = HashMap::new();
    let mut edge = Edge::default();
    for (index, leaf) in (0u64..).zip(leaves) {
        let hash = leaf_hash(leaf);
        tiles.entry(TileId { level: 0, index: index / TILE_WIDTH }).or_default().push(hash);
        for full in edge.append(&[hash]).tiles {
            let above = TileId { level: full.id.level + 1, index: full.id.index / TILE_WIDTH };
            tiles.entry(above).or_default().push(full.root);
        }
    }
    Tiles(tiles)
}

/// `ct-merkle`'s tree.
fn second(leaves: &[Vec<u8>]) -> MemoryBackedTree<Sha256, Vec<u8>> {
    let mut tree = MemoryBackedTree::new();
    for leaf in leaves {
        tree.push(leaf.clone());
    }
    tree
}

/// `tlog_tiles`' tree, a port of Go's.
#[derive(Default)]
struct Third(Vec<tlog_tiles::Hash>);

impl tlog_tiles::HashReader for Third {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<tlog_tiles::Hash>, tlog_tiles::Error> {
        Ok(indexes.iter().map(|index| self.0[usize::try_from(*index).unwrap()]).collect())
    }
}

fn third(leaves: &[Vec<u8>]) -> Third {
    let mut tree = Third::default();
    for (index, leaf) in (0u64..).zip(leaves) {
        let hashes = tlog_tiles::stored_hashes(index, leaf, &tree).unwrap();
        tree.0.extend(hashes);
    }
    tree
}

fn from_second(bytes: &[u8]) -> Vec<Hash> {
    bytes.as_chunks().0.iter().copied().map(Hash).collect()
}

fn from_third(hashes: &[tlog_tiles::Hash]) -> Vec<Hash> {
    hashes.iter().map(|hash| Hash(hash.0)).collect()
}

fn to_second(root: Hash, size: u64) -> RootHash<Sha256> {
    RootHash::new(root.0.into(), size)
}

fn to_third(hash: &Hash) -> tlog_tiles::Hash {
    tlog_tiles::Hash(hash.0)
}

fn bytes(path: &[Hash]) -> Vec<u8> {
    path.iter().flat_map(|hash| hash.0).collect()
}

fn leaves(sizes: std::ops::Range<usize>) -> impl Strategy<Value = Vec<Vec<u8>>> {
    let leaf = prop::collection::vec(any::<u8>(), 0..4);
    prop::collection::vec(leaf, sizes)
}

/// What each of the three says to a proof of inclusion.
fn inclusion_verdicts(leaf: &[u8], index: u64, size: u64, path: &[Hash], root: Hash) -> [bool; 3] {
    let hash = leaf_hash(leaf);
    let second = InclusionProof::try_from_bytes(bytes(path)).unwrap();
    let third = path.iter().map(to_third).collect();
    [
        verify_inclusion(index, size, &hash, path, &root).is_ok(),
        to_second(root, size).verify_inclusion(&leaf, index, &second).is_ok(),
        tlog_tiles::check_record(&third, size, to_third(&root), index, to_third(&hash)).is_ok(),
    ]
}

/// What each of the three says to a proof of consistency.
fn consistency_verdicts(old: (u64, Hash), new: (u64, Hash), path: &[Hash]) -> [bool; 3] {
    let second = ConsistencyProof::try_from_bytes(bytes(path)).unwrap();
    let third = path.iter().map(to_third).collect();
    let (old_root, new_root) = (to_third(&old.1), to_third(&new.1));
    [
        verify_consistency(old.0, new.0, path, &old.1, &new.1).is_ok(),
        to_second(new.1, new.0).verify_consistency(&to_second(old.1, old.0), &second).is_ok(),
        tlog_tiles::check_tree(&third, new.0, new_root, old.0, old_root).is_ok(),
    ]
}

/// A wrong variant of a proof: a bit of one hash, a hash too many, a hash too few.
fn spoil(path: &[Hash], how: usize, place: prop::sample::Index) -> Vec<Hash> {
    let mut path = path.to_vec();
    match how {
        0 if !path.is_empty() => {
            let bit = place.index(path.len() * 256);
            path[bit / 256].0[bit % 256 / 8] ^= 1 << (bit % 8);
        }
        1 if !path.is_empty() => drop(path.remove(place.index(path.len()))),
        _ => path.insert(place.index(path.len() + 1), Hash([9; 32])),
    }
    path
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn three_trees_have_one_root(leaves in leaves(1..600)) {
        let size = leaves.len() as u64;
        let root = root(size, &ours(&leaves)).unwrap();
        prop_assert_eq!(from_second(second(&leaves).root().as_bytes()), [root]);
        let third = tlog_tiles::tree_hash(size, &third(&leaves)).unwrap();
        prop_assert_eq!(third, to_third(&root));
    }

    #[test]
    fn three_trees_give_one_inclusion_proof_and_believe_it(
        leaves in leaves(1..600),
        place: prop::sample::Index,
        how in 0..3_usize,
        spot: prop::sample::Index,
    ) {
        let (at, size) = (place.index(leaves.len()), leaves.len() as u64);
        let (index, tiles) = (at as u64, ours(&leaves));
        let path = inclusion(index, size, &tiles).unwrap();
        prop_assert_eq!(&from_second(second(&leaves).prove_inclusion(at).as_bytes()), &path);
        let theirs = tlog_tiles::prove_record(size, index, &third(&leaves)).unwrap();
        prop_assert_eq!(&from_third(&theirs), &path);
        let root = root(size, &tiles).unwrap();
        prop_assert_eq!(inclusion_verdicts(&leaves[at], index, size, &path, root), [true; 3]);
        let spoilt = spoil(&path, how, spot);
        prop_assert_eq!(inclusion_verdicts(&leaves[at], index, size, &spoilt, root), [false; 3]);
        let other = [leaves[at].as_slice(), b"x"].concat();
        prop_assert_eq!(inclusion_verdicts(&other, index, size, &path, root), [false; 3]);
    }

    #[test]
    fn three_trees_give_one_consistency_proof_and_believe_it(
        leaves in leaves(1..600),
        place: prop::sample::Index,
        how in 0..3_usize,
        spot: prop::sample::Index,
    ) {
        let (kept, size) = (place.index(leaves.len()) + 1, leaves.len() as u64);
        let (old, tiles) = (kept as u64, ours(&leaves));
        let path = consistency(old, size, &tiles).unwrap();
        let theirs = second(&leaves).prove_consistency(leaves.len() - kept);
        prop_assert_eq!(&from_second(theirs.as_bytes()), &path);
        let theirs = tlog_tiles::prove_tree(size, old, &third(&leaves)).unwrap();
        prop_assert_eq!(&from_third(&theirs), &path);
        let before = (old, root(old, &ours(&leaves[..kept])).unwrap());
        let now = (size, root(size, &tiles).unwrap());
        prop_assert_eq!(consistency_verdicts(before, now, &path), [true; 3]);
        prop_assert_eq!(consistency_verdicts(before, now, &spoil(&path, how, spot)), [false; 3]);
        let rewritten = (old, Hash([7; 32]));
        prop_assert_eq!(consistency_verdicts(rewritten, now, &path), [false; 3]);
    }

    #[test]
    fn another_reader_opens_our_checkpoints(seed: [u8; 32], size: u64, root: [u8; 32]) {
        let signer = NoteSigner::new(ORIGIN, &seed).unwrap();
        let head = Checkpoint { origin: ORIGIN.to_owned(), size, root: Hash(root) };
        let note = head.sign(&signer).unwrap();
        let text = theirs_open(&note, &signer.vkey()).unwrap();
        let read = tlog_tiles::Checkpoint::from_bytes(&text).unwrap();
        prop_assert_eq!((read.origin(), read.size(), read.hash().0), (ORIGIN, size, root));
        prop_assert_eq!(read.to_bytes(), head.body().into_bytes());
    }

    #[test]
    fn two_signers_write_the_same_note(seed: [u8; 32], text in "[ -~\n\u{e4}]{0,80}") {
        let text = text + "\n";
        let signer = NoteSigner::new(ORIGIN, &seed).unwrap();
        let key = data_encoding::BASE64.encode(&[&[1], seed.as_slice()].concat());
        let vkey = signer.vkey();
        let id = vkey.split('+').nth(1).unwrap();
        let theirs = signed_note::StandardSigner::new(&format!("PRIVATE+KEY+{ORIGIN}+{id}+{key}"));
        let mut note = signed_note::Note::new(text.as_bytes(), &[]).unwrap();
        note.add_sigs(&[&theirs.unwrap()]).unwrap();
        prop_assert_eq!(signer.sign(&text).unwrap().into_bytes(), note.to_bytes());
    }

    #[test]
    fn a_note_that_we_open_another_opens_too(
        place: prop::sample::Index,
        letter in "[ -~\n]",
        cut: bool,
    ) {
        let signer = NoteSigner::new(ORIGIN, &[5; 32]).unwrap();
        let other = NoteSigner::new("gate.example.org", &[6; 32]).unwrap();
        let mut note = signer.sign("one\n\ntwo\n").unwrap();
        note += other.sign("one\n\ntwo\n").unwrap().lines().last().unwrap();
        note.push('\n');
        let at = place.index(note.len());
        prop_assume!(note.is_char_boundary(at) && note.is_char_boundary(at + 1));
        note.replace_range(at..=at, if cut { "" } else { &letter });
        let keys = [Verifier::parse(&signer.vkey()).unwrap()];
        if let Ok(text) = note::open(&note, &keys) {
            prop_assert_eq!(theirs_open(&note, &signer.vkey()), Some(text.as_bytes().to_vec()));
        }
    }

    #[test]
    fn tiles_lie_where_another_looks_for_them(size in 1..200_000_u64) {
        let ours: Vec<_> = TilePath::all(size).map(|path| path.to_string()).collect();
        let mut theirs: Vec<_> = tlog_tiles::Tile::new_tiles(8, 0, size)
            .iter()
            .map(|tile| tile.path().replacen("tile/8/", "tile/", 1))
            .collect();
        let bundles: Vec<_> = theirs
            .iter()
            .filter_map(|path| Some(format!("tile/entries/{}", path.strip_prefix("tile/0/")?)))
            .collect();
        theirs.splice(0..0, bundles);
        prop_assert_eq!(ours, theirs);
    }
}

/// The text that `signed_note` finds signed with `vkey`.
fn theirs_open(note: &str, vkey: &str) -> Option<Vec<u8>> {
    let key = signed_note::StandardVerifier::new(vkey).unwrap();
    let keys = signed_note::VerifierList::new(vec![Box::new(key)]);
    let note = signed_note::Note::from_bytes(note.as_bytes()).ok()?;
    note.verify(&keys).ok()?;
    Some(note.text().to_vec())
}

#[test]
fn every_single_bit_of_a_small_tree_matters() {
    let leaves: Vec<Vec<u8>> = (0..7_u8).map(|n| vec![n]).collect();
    let tiles = ours(&leaves);
    let root = root(7, &tiles).unwrap();
    for (index, leaf) in (0..7).zip(&leaves) {
        let path = inclusion(index, 7, &tiles).unwrap();
        for bit in 0..path.len() * 256 {
            let mut spoilt = path.clone();
            spoilt[bit / 256].0[bit % 256 / 8] ^= 1 << (bit % 8);
            assert_eq!(inclusion_verdicts(leaf, index, 7, &spoilt, root), [false; 3]);
        }
        for other in (0..7).filter(|other| *other != index) {
            assert!(verify_inclusion(other, 7, &leaf_hash(leaf), &path, &root).is_err());
        }
    }
}

#[test]
fn the_tree_agrees_with_the_vectors_of_rfc_6962() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../vectors/merkle/rfc6962_hasher.json");
    let vectors: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let text = |name: &str| vectors[name].as_str().unwrap().to_owned();
    assert_eq!(EMPTY_ROOT.to_string(), text("empty_root"));
    assert_eq!(leaf_hash(b"").to_string(), text("empty_leaf"));
    assert_eq!(leaf_hash(b"L123456").to_string(), text("leaf_L123456"));
    let leaves: Vec<Vec<u8>> = vectors["tree_leaves_hex"]
        .as_array()
        .unwrap()
        .iter()
        .map(|leaf| HEXLOWER.decode(leaf.as_str().unwrap().as_bytes()).unwrap())
        .collect();
    for (size, wanted) in vectors["tree_roots_hex"].as_array().unwrap().iter().enumerate() {
        let tiles = ours(&leaves[..size]);
        assert_eq!(root(size as u64, &tiles).unwrap().to_string(), wanted.as_str().unwrap());
    }
}
