//! Rebuilds a log's tree from its entries, one after another: what an auditor compares with.

use super::tree::{
    EMPTY_ROOT, Hash, NodeId, Nodes, TILE_WIDTH, TileId, Tiles, leaf_hash, node_hash, root,
};

/// Levels of tiles that a log of any size has.
const LEVELS: u8 = 8;

/// A tree as far as its entries were seen. Keeps the unfinished tile of each level only.
#[derive(Clone, Debug, Default)]
pub struct Rebuild {
    size: u64,
    unfinished: Tiles,
}

/// A tile as it must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rebuilt {
    /// Which.
    pub id: TileId,
    /// Its hashes.
    pub hashes: Vec<Hash>,
}

impl Rebuild {
    /// Adds an entry; the tiles that are full with it, from the leaves upwards.
    pub fn add(&mut self, entry: &[u8]) -> Vec<Rebuilt> {
        let mut full = Vec::new();
        let mut hash = leaf_hash(entry);
        let mut index = self.size / TILE_WIDTH;
        self.size += 1;
        for level in 0..LEVELS {
            let id = TileId { level, index };
            let hashes = self.unfinished.0.entry(id).or_default();
            hashes.push(hash);
            if u64::try_from(hashes.len()) != Ok(TILE_WIDTH) {
                break;
            }
            hash = self.root_of(id);
            let hashes = self.unfinished.0.remove(&id).unwrap_or_default();
            full.push(Rebuilt { id, hashes });
            index /= TILE_WIDTH;
        }
        full
    }

    /// Entries so far.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The root over them.
    pub fn root(&self) -> Hash {
        // All it is made of is in unfinished tiles, so that nothing is ever missing.
        root(self.size, &self.unfinished).unwrap_or(EMPTY_ROOT)
    }

    /// The tiles that are not full, from the leaves upwards.
    pub fn unfinished(&self) -> Vec<Rebuilt> {
        let tiles = self.unfinished.0.iter();
        let mut tiles: Vec<_> =
            tiles.map(|(id, hashes)| Rebuilt { id: *id, hashes: hashes.clone() }).collect();
        tiles.sort_unstable_by_key(|tile| tile.id);
        tiles
    }

    /// The root of a full tile, which is made of its two halves.
    fn root_of(&self, tile: TileId) -> Hash {
        let half = |side| {
            let id = NodeId { height: tile.level * 8 + 7, index: tile.index * 2 + side };
            self.unfinished.node(id).unwrap_or(EMPTY_ROOT)
        };
        node_hash(&half(0), &half(1))
    }
}

#[cfg(test)]
mod tests {
    use super::super::edge::Edge;
    use super::super::tile::{Part, TilePath};
    use super::*;

    #[test]
    fn it_gives_the_root_at_every_size() {
        let (mut rebuild, mut edge) = (Rebuild::default(), Edge::default());
        assert_eq!(rebuild.root(), EMPTY_ROOT);
        for entry in 0..700_u32 {
            rebuild.add(&entry.to_be_bytes());
            edge.append(&[leaf_hash(&entry.to_be_bytes())]);
            assert_eq!((rebuild.root(), rebuild.size()), (edge.root(), edge.size()), "{entry}");
        }
    }

    #[test]
    fn it_gives_every_tile_once_and_whole() {
        let size = 256 * 257 + 3;
        let mut rebuild = Rebuild::default();
        let mut tiles: Vec<_> =
            (0..size).flat_map(|n: u64| rebuild.add(&n.to_be_bytes())).collect();
        tiles.extend(rebuild.unfinished());
        tiles.sort_unstable_by_key(|tile| tile.id);
        let wanted: Vec<_> = TilePath::all(size)
            .filter_map(|path| match path.part {
                Part::Hashes(id) => Some((id, path.width)),
                Part::Entries(_) => None,
            })
            .collect();
        let given: Vec<_> =
            tiles.iter().map(|tile| (tile.id, u64::try_from(tile.hashes.len()).unwrap())).collect();
        assert_eq!(given, wanted);
        let all = Tiles(tiles.into_iter().map(|tile| (tile.id, tile.hashes)).collect());
        assert_eq!(root(size, &all), Some(rebuild.root()));
    }
}
