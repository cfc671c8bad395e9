//! Properties of the tree: every proof it gives is accepted, and nothing else is.

use proptest::prelude::*;

use super::*;

fn hashes(size: u64) -> Vec<Hash> {
    (0..size).map(|n| leaf_hash(&n.to_be_bytes())).collect()
}

fn tiles(size: u64) -> Tiles {
    let mut tiles = Tiles::default();
    for (index, chunk) in (0..).zip(hashes(size).chunks(256)) {
        tiles.0.insert(TileId { level: 0, index }, chunk.to_vec());
        if chunk.len() == 256 {
            let above = TileId { level: 1, index: 0 };
            tiles.0.entry(above).or_default().push(fold(chunk.to_vec()));
        }
    }
    tiles
}

/// The definition of RFC 6962, word by word.
fn slow_root(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => EMPTY_ROOT,
        [leaf] => *leaf,
        _ => {
            let middle = usize::try_from(split(u64::try_from(leaves.len()).unwrap())).unwrap();
            node_hash(&slow_root(&leaves[..middle]), &slow_root(&leaves[middle..]))
        }
    }
}

fn place(pick: prop::sample::Index, size: u64) -> u64 {
    u64::try_from(pick.index(usize::try_from(size).unwrap())).unwrap()
}

proptest! {
    #[test]
    fn the_root_is_that_of_the_definition(size in 0u64..1000) {
        prop_assert_eq!(root(size, &tiles(size)).unwrap(), slow_root(&hashes(size)));
    }

    #[test]
    fn a_leaf_is_proved_and_no_other_place_or_leaf(size in 1u64..1000, pick: prop::sample::Index, other in 0u64..1000) {
        let index = place(pick, size);
        let tiles = tiles(size);
        let whole = root(size, &tiles).unwrap();
        let path = inclusion(index, size, &tiles).unwrap();
        let leaf = leaf_hash(&index.to_be_bytes());
        prop_assert_eq!(verify_inclusion(index, size, &leaf, &path, &whole), Ok(()));
        if other != index {
            prop_assert!(verify_inclusion(other, size, &leaf, &path, &whole).is_err());
            let wrong = leaf_hash(&other.to_be_bytes());
            prop_assert!(verify_inclusion(index, size, &wrong, &path, &whole).is_err());
        }
        for drop in 0..path.len() {
            let mut short = path.clone();
            short.remove(drop);
            prop_assert!(verify_inclusion(index, size, &leaf, &short, &whole).is_err());
        }
    }

    #[test]
    fn a_tree_is_proved_to_continue_another(new in 1u64..1000, pick: prop::sample::Index) {
        let old = 1 + place(pick, new);
        let tiles = tiles(new);
        let (old_root, new_root) = (root(old, &tiles).unwrap(), root(new, &tiles).unwrap());
        let path = consistency(old, new, &tiles).unwrap();
        prop_assert_eq!(verify_consistency(old, new, &path, &old_root, &new_root), Ok(()));
        let forked = leaf_hash(b"another history");
        prop_assert!(verify_consistency(old, new, &path, &forked, &new_root).is_err());
        prop_assert!(verify_consistency(old, new, &path, &old_root, &forked).is_err());
    }

    #[test]
    fn the_tiles_a_proof_needs_are_enough(size in 1u64..1000, pick: prop::sample::Index) {
        let index = place(pick, size);
        let all = tiles(size);
        let mut few = Tiles::default();
        for id in inclusion_tiles(index, size) {
            few.0.insert(id, all.0[&id].clone());
        }
        prop_assert_eq!(inclusion(index, size, &few), inclusion(index, size, &all));
    }
}

#[test]
fn a_tile_is_as_wide_as_the_tree_makes_it() {
    let tile = |level, index| TileId { level, index };
    assert_eq!(tile(0, 0).width(300), 256);
    assert_eq!(tile(0, 1).width(300), 44);
    assert_eq!(tile(0, 2).width(300), 0);
    assert_eq!(tile(1, 0).width(300), 1);
}
