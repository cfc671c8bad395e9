//! How a log lies in files (C2SP tlog-tiles): paths, tiles of hashes, bundles of entries.

use std::fmt;

use thiserror::Error;

use super::tree::{Hash, TILE_WIDTH, TileId};

/// Longest entry, in bytes: its length is written in 16 bits.
pub const ENTRY_BYTES_MAX: usize = 65_535;
/// Highest level of a tile in a path.
pub const LEVEL_MAX: u8 = 63;
/// Longest path that is looked at, in bytes.
pub const PATH_BYTES_MAX: usize = 64;

/// Numbers below this make one element of a path.
const GROUP: u64 = 1000;
/// Bytes of a hash.
const HASH_BYTES: usize = 32;

/// Why bytes or a path are not a part of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum TileError {
    /// Not the one spelling of a path.
    #[error("this is not a path of a tile")]
    BadPath,
    /// More or fewer hashes than the tile has.
    #[error("the tile has the wrong length")]
    BadTile,
    /// More or fewer entries than the bundle has, or one that is cut off.
    #[error("the bundle of entries has the wrong length")]
    BadBundle,
    /// Longer than [`ENTRY_BYTES_MAX`].
    #[error("the entry is too long")]
    EntryTooLong,
}

/// What a log is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Part {
    /// A tile of hashes.
    Hashes(TileId),
    /// The entries whose hashes are in the tile of this index at level 0.
    Entries(u64),
}

impl Part {
    /// The tile of hashes, or the tile that these entries hash to.
    pub fn tile(self) -> TileId {
        match self {
            Self::Hashes(tile) => tile,
            Self::Entries(index) => TileId { level: 0, index },
        }
    }
}

/// A part of a log as far as it goes: its path is its `Display`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TilePath {
    /// What lies there.
    pub part: Part,
    /// How many hashes or entries it has: from 1 to [`TILE_WIDTH`], which is a full one.
    pub width: u64,
}

impl TilePath {
    /// Reads `tile/<level>/<index>`, `tile/entries/<index>` or either with `.p/<width>`.
    pub fn parse(path: &str) -> Result<Self, TileError> {
        Self::read(path).filter(|read| read.to_string() == path).ok_or(TileError::BadPath)
    }

    /// The path of `part` in a log of `size` entries; none when nothing of it is there yet.
    pub fn of(part: Part, size: u64) -> Option<Self> {
        let width = part.tile().width(size);
        (width > 0).then_some(Self { part, width })
    }

    /// All parts of a log of `size` entries: the bundles, then the tiles from the leaves upwards.
    pub fn all(size: u64) -> impl Iterator<Item = Self> {
        let indices =
            move |level: u32| 0..size.checked_shr(level * 8).unwrap_or(0).div_ceil(TILE_WIDTH);
        let bundles = indices(0).map(Part::Entries);
        let tiles = (0..8).flat_map(move |level: u8| {
            indices(level.into()).map(move |index| Part::Hashes(TileId { level, index }))
        });
        bundles.chain(tiles).filter_map(move |part| Self::of(part, size))
    }

    fn read(path: &str) -> Option<Self> {
        if path.len() > PATH_BYTES_MAX {
            return None;
        }
        let (what, rest) = path.strip_prefix("tile/")?.split_once('/')?;
        let (index, width) = match rest.split_once(".p/") {
            Some((index, width)) => (index, width.parse().ok().filter(|w| *w < TILE_WIDTH)?),
            None => (rest, TILE_WIDTH),
        };
        let index = read_index(index)?;
        let part = if what == "entries" {
            Part::Entries(index)
        } else {
            let level = what.parse().ok().filter(|level| *level <= LEVEL_MAX)?;
            Part::Hashes(TileId { level, index })
        };
        (width > 0).then_some(Self { part, width })
    }
}

impl fmt::Display for TilePath {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let index = match self.part {
            Part::Hashes(tile) => {
                write!(out, "tile/{}/", tile.level)?;
                tile.index
            }
            Part::Entries(index) => {
                out.write_str("tile/entries/")?;
                index
            }
        };
        write_index(out, index / GROUP)?;
        write!(out, "{:03}", index % GROUP)?;
        if self.width < TILE_WIDTH { write!(out, ".p/{}", self.width) } else { Ok(()) }
    }
}

/// All elements of an index but the last, each with an `x` before it.
fn write_index(out: &mut fmt::Formatter<'_>, upper: u64) -> fmt::Result {
    if upper == 0 {
        return Ok(());
    }
    write_index(out, upper / GROUP)?;
    write!(out, "x{:03}/", upper % GROUP)
}

/// The number behind `x001/x234/067`; the caller compares spellings.
fn read_index(text: &str) -> Option<u64> {
    text.split('/').try_fold(0_u64, |index, element| {
        let digits = element.strip_prefix('x').unwrap_or(element);
        index.checked_mul(GROUP)?.checked_add(digits.parse::<u16>().ok()?.into())
    })
}

/// The bytes of a tile.
pub fn encode_hashes(hashes: &[Hash]) -> Vec<u8> {
    hashes.iter().flat_map(|hash| hash.0).collect()
}

/// The `width` hashes of a tile.
pub fn decode_hashes(bytes: &[u8], width: u64) -> Result<Vec<Hash>, TileError> {
    let (hashes, rest) = bytes.as_chunks::<HASH_BYTES>();
    if !rest.is_empty() || u64::try_from(hashes.len()) != Ok(width) {
        return Err(TileError::BadTile);
    }
    Ok(hashes.iter().copied().map(Hash).collect())
}

/// The bytes of a bundle: each entry behind its length in 16 bits, big-endian.
pub fn encode_bundle<E: AsRef<[u8]>>(entries: &[E]) -> Result<Vec<u8>, TileError> {
    let mut bytes = Vec::new();
    for entry in entries.iter().map(AsRef::as_ref) {
        let length = u16::try_from(entry.len()).map_err(|_| TileError::EntryTooLong)?;
        bytes.extend(length.to_be_bytes());
        bytes.extend(entry);
    }
    Ok(bytes)
}

/// The `width` entries of a bundle.
pub fn decode_bundle(bytes: &[u8], width: u64) -> Result<Vec<&[u8]>, TileError> {
    let mut entries = Vec::new();
    let mut rest = bytes;
    for _ in 0..width.min(TILE_WIDTH) {
        let (length, after) = rest.split_first_chunk().ok_or(TileError::BadBundle)?;
        let length = usize::from(u16::from_be_bytes(*length));
        let (entry, after) = after.split_at_checked(length).ok_or(TileError::BadBundle)?;
        entries.push(entry);
        rest = after;
    }
    if rest.is_empty() { Ok(entries) } else { Err(TileError::BadBundle) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn hashes(level: u8, index: u64, width: u64) -> TilePath {
        TilePath { part: Part::Hashes(TileId { level, index }), width }
    }

    fn entries(index: u64, width: u64) -> TilePath {
        TilePath { part: Part::Entries(index), width }
    }

    #[test]
    fn the_example_of_the_standard_is_its_path() {
        assert_eq!(entries(1_234_067, 256).to_string(), "tile/entries/x001/x234/067");
    }

    #[test]
    fn a_full_tile_has_no_width_in_its_path() {
        assert_eq!(hashes(0, 0, 256).to_string(), "tile/0/000");
    }

    #[test]
    fn a_partial_tile_has_its_width_in_its_path() {
        assert_eq!(hashes(1, 1000, 17).to_string(), "tile/1/x001/000.p/17");
    }

    #[test]
    fn only_the_one_spelling_of_a_path_is_read() {
        let wrong = [
            "",
            "tile",
            "/tile/0/000",
            "tile/0/000/",
            "tile/00/000",
            "tile/64/000",
            "tile/-1/000",
            "tile/+1/000",
            "tile/data/000",
            "tile/0/0",
            "tile/0/0000",
            "tile/0/+00",
            "tile/0/x000",
            "tile/0/x000/000",
            "tile/0/001/000",
            "tile/0/x01/000",
            "tile/0/xx01/000",
            "tile/0/000.p",
            "tile/0/000.p/",
            "tile/0/000.p/0",
            "tile/0/000.p/256",
            "tile/0/000.p/012",
            "tile/0/000.p/1.p/1",
            "tile/0/000.p/1/2",
            "tile/0/x018/x446/x744/x073/x709/x551/616",
            "tile/0/../000",
            "tile/8/0/000",
        ];
        for path in wrong {
            assert_eq!(TilePath::parse(path), Err(TileError::BadPath), "{path}");
        }
    }

    #[test]
    fn a_log_of_70_000_has_the_parts_that_the_standard_counts() {
        let all: Vec<_> = TilePath::all(70_000).collect();
        let at = |level: u8| {
            let full = |p: &&TilePath| {
                matches!(p.part, Part::Hashes(t) if t.level == level) && p.width == 256
            };
            all.iter().filter(full).count()
        };
        assert_eq!((at(0), at(1), at(2)), (273, 1, 0));
        assert_eq!(all.iter().filter(|p| matches!(p.part, Part::Entries(_))).count(), 274);
        for partial in [hashes(0, 273, 112), hashes(1, 1, 17), hashes(2, 0, 1), entries(273, 112)] {
            assert!(all.contains(&partial), "{partial}");
        }
        assert_eq!(all.len(), 274 + 274 + 2 + 1);
    }

    #[test]
    fn a_log_of_256_has_a_partial_tile_above_its_full_one() {
        let all: Vec<_> = TilePath::all(256).collect();
        assert_eq!(all, [entries(0, 256), hashes(0, 0, 256), hashes(1, 0, 1)]);
    }

    #[test]
    fn an_empty_log_has_no_parts() {
        assert_eq!(TilePath::all(0).count(), 0);
    }

    #[test]
    fn a_tile_of_another_width_is_refused() {
        let bytes = encode_hashes(&[Hash([1; 32]); 3]);
        assert_eq!(decode_hashes(&bytes, 2), Err(TileError::BadTile));
        assert_eq!(decode_hashes(&bytes, 4), Err(TileError::BadTile));
        assert_eq!(decode_hashes(&bytes[..95], 3), Err(TileError::BadTile));
    }

    #[test]
    fn a_bundle_of_another_width_is_refused() {
        let bytes = encode_bundle(&["one", "", "three"]).unwrap();
        assert_eq!(bytes, b"\0\x03one\0\0\0\x05three");
        assert_eq!(decode_bundle(&bytes, 2), Err(TileError::BadBundle));
        assert_eq!(decode_bundle(&bytes, 4), Err(TileError::BadBundle));
        assert_eq!(decode_bundle(&bytes[..12], 3), Err(TileError::BadBundle));
    }

    #[test]
    fn the_longest_entry_fits_and_a_longer_one_does_not() {
        let longest = vec![7; ENTRY_BYTES_MAX];
        let bytes = encode_bundle(&[&longest]).unwrap();
        assert_eq!(decode_bundle(&bytes, 1), Ok(vec![longest.as_slice()]));
        let longer = vec![7; ENTRY_BYTES_MAX + 1];
        assert_eq!(encode_bundle(&[&longer]), Err(TileError::EntryTooLong));
    }

    proptest! {
        #[test]
        fn every_path_reads_back(
            level in 0..=LEVEL_MAX,
            index: u64,
            shift in 0..64,
            width in 1..=256_u64,
        ) {
            for path in [hashes(level, index >> shift, width), entries(index >> shift, width)] {
                prop_assert_eq!(TilePath::parse(&path.to_string()), Ok(path));
            }
        }

        #[test]
        fn a_path_that_reads_is_the_one_spelling(
            text in "tile/([0-9]{1,2}|entries)(/x?[0-9]{1,3}){1,3}(\\.p/[0-9]{1,3})?",
        ) {
            if let Ok(path) = TilePath::parse(&text) {
                prop_assert_eq!(path.to_string(), text);
            }
        }

        #[test]
        fn every_bundle_reads_back(entries: Vec<Vec<u8>>) {
            prop_assume!(entries.len() <= 256);
            let bytes = encode_bundle(&entries).unwrap();
            let width = u64::try_from(entries.len()).unwrap();
            prop_assert_eq!(decode_bundle(&bytes, width).unwrap(), entries);
        }

        #[test]
        fn every_tile_reads_back(hashes in prop::collection::vec(any::<[u8; 32]>(), 1..=256)) {
            let hashes: Vec<_> = hashes.into_iter().map(Hash).collect();
            let width = u64::try_from(hashes.len()).unwrap();
            prop_assert_eq!(decode_hashes(&encode_hashes(&hashes), width), Ok(hashes));
        }

        #[test]
        fn no_bytes_make_the_readers_panic(bytes: Vec<u8>, width: u64, text in ".{0,40}") {
            let _ = decode_bundle(&bytes, width);
            let _ = decode_hashes(&bytes, width);
            let _ = TilePath::parse(&text);
        }
    }
}
