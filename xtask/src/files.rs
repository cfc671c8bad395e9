//! Where things are, and which is newer.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// The root of the repository.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_owned()
}

/// The folder of what cargo builds.
pub(crate) fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// When `path` was last written; none when it is not there.
pub(crate) fn written(path: &Path) -> Option<SystemTime> {
    std::fs::metadata(path).and_then(|meta| meta.modified()).ok()
}

/// Whether `made` is there and no older than anything below the `sources`.
pub(crate) fn is_fresh(made: &Path, sources: &[PathBuf]) -> bool {
    let Some(made) = written(made) else { return false };
    sources.iter().all(|source| newest(source).is_none_or(|newest| newest <= made))
}

/// When the newest file at or below `path` was written. What was made or fetched is left out.
fn newest(path: &Path) -> Option<SystemTime> {
    const MADE: [&str; 4] = ["node_modules", "dist", "target", ".git"];
    if path.is_file() {
        return written(path);
    }
    std::fs::read_dir(path)
        .ok()?
        .filter_map(Result::ok)
        .filter(|entry| !MADE.iter().any(|made| entry.file_name() == *made))
        .filter_map(|entry| newest(&entry.path()))
        .max()
}
