//! The right edge of a tree: all that appending needs, and the proofs of what was just appended.

use std::collections::HashMap;

use super::tree::{
    EMPTY_ROOT, Hash, NodeId, Nodes, TILE_WIDTH, TileId, inclusion, node_hash, root,
};

/// The unfinished tile of each level. Cheap to keep: at most 512 hashes a level.
#[derive(Clone, Debug, Default)]
pub struct Edge {
    size: u64,
    levels: Vec<Filling>,
}

/// A tile that an append filled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FullTile {
    /// Which.
    pub id: TileId,
    /// Its root: one hash in a tile of the next level.
    pub root: Hash,
}

/// What came of an append.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Appended {
    /// Index of the first new leaf.
    pub first: u64,
    /// Leaves in the tree now.
    pub size: u64,
    /// Root of the tree now.
    pub root: Hash,
    /// Tiles that are now full, in the order in which they filled.
    pub tiles: Vec<FullTile>,
    /// The inclusion proof of each new leaf in the tree as it is now.
    pub paths: Vec<Vec<Hash>>,
}

impl Edge {
    /// The edge of a tree of `size` leaves. `tile` gives the hashes of each unfinished tile, which
    /// has as many as [`TileId::width`] says; none when it gives another number.
    pub fn restore<E>(
        size: u64,
        mut tile: impl FnMut(TileId) -> Result<Vec<Hash>, E>,
    ) -> Result<Option<Self>, E> {
        let mut edge = Self { size, levels: Vec::new() };
        for level in 0..8u8 {
            let hashes = size >> (u32::from(level) * 8);
            if hashes == 0 {
                break;
            }
            let id = TileId { level, index: hashes / TILE_WIDTH };
            let mut filling = Filling::default();
            if id.width(size) > 0 {
                for hash in tile(id)? {
                    filling.push(hash);
                }
            }
            if filling.len() != id.width(size) {
                return Ok(None);
            }
            edge.levels.push(filling);
        }
        Ok(Some(edge))
    }

    /// Leaves in the tree.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Root of the tree.
    pub fn root(&self) -> Hash {
        root(self.size, &View { edge: self, full: &HashMap::new() }).unwrap_or(EMPTY_ROOT)
    }

    /// Adds leaves, given by their hashes.
    pub fn append(&mut self, leaves: &[Hash]) -> Appended {
        let first = self.size;
        let mut full = HashMap::new();
        let mut tiles = Vec::new();
        for leaf in leaves {
            self.push(*leaf, &mut full, &mut tiles);
        }
        let view = View { edge: self, full: &full };
        // Every node on these paths is in a tile that is unfinished or was filled just now.
        let paths = (first..self.size)
            .map(|index| inclusion(index, self.size, &view).unwrap_or_default())
            .collect();
        let root = root(self.size, &view).unwrap_or(EMPTY_ROOT);
        Appended { first, size: self.size, root, tiles, paths }
    }

    fn push(&mut self, leaf: Hash, full: &mut HashMap<TileId, Filling>, tiles: &mut Vec<FullTile>) {
        let mut carry = Some(leaf);
        let mut index = self.size;
        for level in 0..8u8 {
            let Some(hash) = carry else { break };
            if self.levels.len() <= usize::from(level) {
                self.levels.push(Filling::default());
            }
            let Some(filling) = self.levels.get_mut(usize::from(level)) else { break };
            index /= TILE_WIDTH;
            carry = filling.push(hash);
            if let Some(root) = carry {
                let id = TileId { level, index };
                full.insert(id, std::mem::take(filling));
                tiles.push(FullTile { id, root });
            }
        }
        self.size += 1;
    }
}

/// The edge together with tiles that were filled a moment ago.
struct View<'a> {
    edge: &'a Edge,
    full: &'a HashMap<TileId, Filling>,
}

impl Nodes for View<'_> {
    fn node(&self, id: NodeId) -> Option<Hash> {
        let tile = TileId::of(id);
        let unfinished = |level: u8| {
            let hashes = self.edge.size.checked_shr(u32::from(level) * 8).unwrap_or(0);
            hashes / TILE_WIDTH
        };
        let filling = if tile.index == unfinished(tile.level) {
            self.edge.levels.get(usize::from(tile.level))?
        } else {
            self.full.get(&tile)?
        };
        let within = id.height % 8;
        let first = tile.index << (8 - within);
        let place = usize::try_from(id.index - first).ok()?;
        filling.heights.get(usize::from(within))?.get(place).copied()
    }
}

/// One tile that is being filled, with the complete subtrees inside it.
#[derive(Clone, Debug, Default)]
struct Filling {
    /// By height within the tile: hashes, pairs, fours, …
    heights: [Vec<Hash>; 8],
}

impl Filling {
    /// Adds a hash; the tile's root when that fills it.
    fn push(&mut self, hash: Hash) -> Option<Hash> {
        let mut hash = hash;
        for nodes in &mut self.heights {
            nodes.push(hash);
            match nodes.as_slice() {
                [.., left, right] if nodes.len() % 2 == 0 => hash = node_hash(left, right),
                _ => return None,
            }
        }
        Some(hash)
    }

    fn len(&self) -> u64 {
        let [hashes, ..] = &self.heights;
        u64::try_from(hashes.len()).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::tree::{Tiles, leaf_hash, verify_inclusion};
    use super::*;

    fn leaves(range: std::ops::Range<u64>) -> Vec<Hash> {
        range.map(|n| leaf_hash(&n.to_be_bytes())).collect()
    }

    /// All tiles of the tree of `size` leaves, made the slow way.
    fn all_tiles(size: u64) -> Tiles {
        let mut tiles = Tiles::default();
        let mut level_hashes = leaves(0..size);
        for level in 0..3u8 {
            let mut roots = Vec::new();
            for (index, hashes) in (0..).zip(level_hashes.chunks(256)) {
                tiles.0.insert(TileId { level, index }, hashes.to_vec());
                if hashes.len() == 256 {
                    let mut edge = Edge::default();
                    edge.append(hashes);
                    roots.push(edge.root());
                }
            }
            level_hashes = roots;
        }
        tiles
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn what_is_appended_in_batches_can_be_proved_at_once(batches in prop::collection::vec(1u64..400, 1..8)) {
            let mut edge = Edge::default();
            for batch in batches {
                let new = leaves(edge.size()..edge.size() + batch);
                let appended = edge.append(&new);
                prop_assert_eq!(appended.root, root(appended.size, &all_tiles(appended.size)).unwrap());
                for ((index, leaf), path) in (appended.first..).zip(&new).zip(&appended.paths) {
                    prop_assert_eq!(verify_inclusion(index, appended.size, leaf, path, &appended.root), Ok(()));
                }
            }
        }

        #[test]
        fn a_restored_edge_goes_on_as_if_it_had_never_stopped(size in 0u64..1500, more in 1u64..300) {
            let mut edge = Edge::default();
            edge.append(&leaves(0..size));
            let tiles = all_tiles(size);
            let read = |id| Ok::<_, ()>(tiles.0.get(&id).cloned().unwrap_or_default());
            let mut restored = Edge::restore(size, read).unwrap().unwrap();
            let new = leaves(size..size + more);
            prop_assert_eq!(restored.append(&new), edge.append(&new));
        }
    }

    #[test]
    fn an_edge_is_not_restored_from_a_tile_with_a_hash_too_few() {
        let short = Edge::restore(5, |_| Ok::<_, ()>(leaves(0..4))).unwrap();
        assert!(short.is_none());
    }
}
