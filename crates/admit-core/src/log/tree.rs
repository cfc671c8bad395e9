//! The tree of RFC 6962 (section 2.1): hashes, appending, inclusion and consistency proofs.
//!
//! Hashes are kept in tiles, 256 wide: tile `n` of level 0 holds the hashes of the leaves
//! `256 n ..`, and each hash in a tile of level `l + 1` is the root of a full tile of level `l`
//! (C2SP tlog-tiles). To append, only the unfinished tile of each level is needed.

use std::collections::HashMap;
use std::fmt;

use sha2::{Digest as _, Sha256};
use thiserror::Error;

/// Hashes in a full tile.
pub const TILE_WIDTH: u64 = 256;
/// Levels of the tree within a tile.
const TILE_HEIGHT: u8 = 8;

/// SHA-256 of a leaf or of two nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Hash(pub [u8; 32]);

impl fmt::Display for Hash {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&data_encoding::HEXLOWER.encode(&self.0))
    }
}

/// The root of the empty tree: SHA-256 of nothing.
pub const EMPTY_ROOT: Hash = Hash([
    0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9, 0x24,
    0x27, 0xae, 0x41, 0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55,
]);

/// Hash of a leaf: SHA-256 of a zero byte and the leaf.
pub fn leaf_hash(leaf: &[u8]) -> Hash {
    Hash(Sha256::new().chain_update([0]).chain_update(leaf).finalize().into())
}

/// Hash of a node: SHA-256 of a one byte and both children.
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    let hash = Sha256::new().chain_update([1]).chain_update(left.0).chain_update(right.0);
    Hash(hash.finalize().into())
}

/// A complete subtree: the leaves from `index << height` on, `1 << height` of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId {
    /// Levels above the leaves.
    pub height: u8,
    /// Position among the nodes of this height.
    pub index: u64,
}

/// A tile of hashes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TileId {
    /// 0 holds hashes of leaves.
    pub level: u8,
    /// Position among the tiles of this level.
    pub index: u64,
}

impl TileId {
    /// The tile with the hashes from which a node is made.
    pub fn of(node: NodeId) -> Self {
        let within = node.height % TILE_HEIGHT;
        Self { level: node.height / TILE_HEIGHT, index: node.index >> (TILE_HEIGHT - within) }
    }

    /// How many hashes this tile has in a tree of `size` leaves: at most [`TILE_WIDTH`].
    pub fn width(self, size: u64) -> u64 {
        let hashes = size.checked_shr(u32::from(self.level) * 8).unwrap_or(0);
        hashes.saturating_sub(self.index.saturating_mul(TILE_WIDTH)).min(TILE_WIDTH)
    }
}

/// Where the hashes of complete subtrees come from.
pub trait Nodes {
    /// The node's hash; none when it is not there.
    fn node(&self, id: NodeId) -> Option<Hash>;
}

/// Tiles read from somewhere, partial ones as far as they go.
#[derive(Clone, Debug, Default)]
pub struct Tiles(pub HashMap<TileId, Vec<Hash>>);

impl Nodes for Tiles {
    fn node(&self, id: NodeId) -> Option<Hash> {
        let within = id.height % TILE_HEIGHT;
        let tile = TileId::of(id);
        let start = (id.index << within) - tile.index * TILE_WIDTH;
        let start = usize::try_from(start).ok()?;
        let hashes = self.0.get(&tile)?.get(start..start + (1 << within))?;
        Some(fold(hashes.to_vec()))
    }
}

/// The root of a number of hashes that is a power of two.
fn fold(mut hashes: Vec<Hash>) -> Hash {
    while hashes.len() > 1 {
        hashes = hashes
            .chunks(2)
            .map(|pair| match pair {
                [left, right] => node_hash(left, right),
                rest => rest.first().copied().unwrap_or(EMPTY_ROOT),
            })
            .collect();
    }
    hashes.first().copied().unwrap_or(EMPTY_ROOT)
}

/// Largest power of two below `size`, which must be at least 2.
fn split(size: u64) -> u64 {
    1 << (size - 1).ilog2()
}

/// The root over the leaves `from..to`, where `from` is where the tree splits.
fn subtree(from: u64, to: u64, nodes: &impl Nodes) -> Option<Hash> {
    let size = to - from;
    if size.is_power_of_two() {
        let height = u8::try_from(size.trailing_zeros()).ok()?;
        return nodes.node(NodeId { height, index: from >> height });
    }
    let middle = from + split(size);
    Some(node_hash(&subtree(from, middle, nodes)?, &subtree(middle, to, nodes)?))
}

/// The root of the first `size` leaves.
pub fn root(size: u64, nodes: &impl Nodes) -> Option<Hash> {
    if size == 0 { Some(EMPTY_ROOT) } else { subtree(0, size, nodes) }
}

/// The inclusion proof of leaf `index` in the tree of `size` leaves, lowest sibling first; none when
/// there is no such leaf or a node is missing (RFC 6962 section 2.1.1).
pub fn inclusion(index: u64, size: u64, nodes: &impl Nodes) -> Option<Vec<Hash>> {
    if index >= size {
        return None;
    }
    let (mut from, mut to) = (0, size);
    let mut path = Vec::new();
    while to - from > 1 {
        let middle = from + split(to - from);
        if index < middle {
            path.push(subtree(middle, to, nodes)?);
            to = middle;
        } else {
            path.push(subtree(from, middle, nodes)?);
            from = middle;
        }
    }
    path.reverse();
    Some(path)
}

/// The consistency proof between the trees of `old` and `new` leaves; none when `old` is 0 or above
/// `new`, or when a node is missing (RFC 6962 section 2.1.2).
pub fn consistency(old: u64, new: u64, nodes: &impl Nodes) -> Option<Vec<Hash>> {
    if old == 0 || old > new {
        return None;
    }
    let (mut from, mut to) = (0, new);
    let mut path = Vec::new();
    // As long as nothing was cut off on the left, the verifier knows the old root already.
    let mut known = true;
    while to != old {
        let middle = from + split(to - from);
        if old <= middle {
            path.push(subtree(middle, to, nodes)?);
            to = middle;
        } else {
            path.push(subtree(from, middle, nodes)?);
            from = middle;
            known = false;
        }
    }
    if !known {
        path.push(subtree(from, to, nodes)?);
    }
    path.reverse();
    Some(path)
}

/// Collects which tiles a proof asks for.
#[derive(Default)]
struct Asked(std::cell::RefCell<Vec<TileId>>);

impl Nodes for Asked {
    fn node(&self, id: NodeId) -> Option<Hash> {
        self.0.borrow_mut().push(TileId::of(id));
        Some(EMPTY_ROOT)
    }
}

impl Asked {
    fn tiles(self) -> Vec<TileId> {
        let mut tiles = self.0.into_inner();
        tiles.sort_unstable();
        tiles.dedup();
        tiles
    }
}

/// The tiles that [`inclusion`] needs.
pub fn inclusion_tiles(index: u64, size: u64) -> Vec<TileId> {
    let asked = Asked::default();
    inclusion(index, size, &asked);
    asked.tiles()
}

/// The tiles that [`consistency`] needs.
pub fn consistency_tiles(old: u64, new: u64) -> Vec<TileId> {
    let asked = Asked::default();
    consistency(old, new, &asked);
    asked.tiles()
}

/// The tiles that [`root`] needs.
pub fn root_tiles(size: u64) -> Vec<TileId> {
    let asked = Asked::default();
    root(size, &asked);
    asked.tiles()
}

/// Why a proof is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ProofError {
    /// The leaf is not within the tree, or the older tree is larger than the newer.
    #[error("the position is outside the tree")]
    Range,
    /// The proof has too many or too few hashes.
    #[error("the proof has the wrong length")]
    Length,
    /// The hashes lead to another root.
    #[error("the proof leads to another root")]
    Root,
}

/// Checks an inclusion proof (RFC 9162 section 2.1.3.2).
pub fn verify_inclusion(
    index: u64,
    size: u64,
    leaf: &Hash,
    path: &[Hash],
    root: &Hash,
) -> Result<(), ProofError> {
    if index >= size {
        return Err(ProofError::Range);
    }
    let (mut first, mut second) = (index, size - 1);
    let mut hash = *leaf;
    for sibling in path {
        if second == 0 {
            return Err(ProofError::Length);
        }
        if first & 1 == 1 || first == second {
            hash = node_hash(sibling, &hash);
            while first & 1 == 0 && first != 0 {
                first >>= 1;
                second >>= 1;
            }
        } else {
            hash = node_hash(&hash, sibling);
        }
        first >>= 1;
        second >>= 1;
    }
    end_of_proof(second, hash == *root)
}

/// Checks a consistency proof (RFC 9162 section 2.1.4.2). Trees of one size need an empty proof;
/// every tree continues the empty one, which needs none.
pub fn verify_consistency(
    old: u64,
    new: u64,
    path: &[Hash],
    old_root: &Hash,
    new_root: &Hash,
) -> Result<(), ProofError> {
    if old > new {
        return Err(ProofError::Range);
    }
    if old == new || old == 0 {
        let same = if old == new { old_root == new_root } else { *old_root == EMPTY_ROOT };
        return if path.is_empty() { end_of_proof(0, same) } else { Err(ProofError::Length) };
    }
    let mut rest = path.iter();
    let mut next = || rest.next().copied().ok_or(ProofError::Length);
    let start = if old.is_power_of_two() { *old_root } else { next()? };
    let (mut first, mut second) = (old - 1, new - 1);
    while first & 1 == 1 {
        first >>= 1;
        second >>= 1;
    }
    let (mut older, mut newer) = (start, start);
    for sibling in rest {
        if second == 0 {
            return Err(ProofError::Length);
        }
        if first & 1 == 1 || first == second {
            older = node_hash(sibling, &older);
            newer = node_hash(sibling, &newer);
            while first & 1 == 0 && first != 0 {
                first >>= 1;
                second >>= 1;
            }
        } else {
            newer = node_hash(&newer, sibling);
        }
        first >>= 1;
        second >>= 1;
    }
    end_of_proof(second, older == *old_root && newer == *new_root)
}

fn end_of_proof(left_over: u64, same_root: bool) -> Result<(), ProofError> {
    if left_over != 0 {
        return Err(ProofError::Length);
    }
    if same_root { Ok(()) } else { Err(ProofError::Root) }
}

#[cfg(test)]
mod tests;
