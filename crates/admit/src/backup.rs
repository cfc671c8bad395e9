//! Backup to one file and back: the database as of one moment, and the keys without which it is
//! noise. The file is as precious as the data folder: it can open everything.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use admit_store::sqlite::SqliteStore;

use crate::data::{DataFolder, private_folder, write_private_bytes};
use crate::error::{Error, Result};

/// What a backup holds, by its names in the data folder. Certificates are not in it: a new machine
/// makes its own.
const ENTRIES: [&str; 3] = ["admit.sqlite", "keys/vault.keys", "keys/server.key"];

/// Writes a backup of a data folder, whose server may be running, to the new file `target`.
pub async fn backup(data: &DataFolder, store: &SqliteStore, target: &Path) -> Result<()> {
    if target.exists() {
        return Err(Error::internal(format!("{} exists already", target.display())));
    }
    let copy = data.root().join("backup.tmp.sqlite");
    remove_if_there(&copy)?;
    store.copy_to(copy.clone()).await?;
    let packed = pack(data, &copy);
    remove_if_there(&copy)?;
    write_private_bytes(target, &packed?)
}

fn pack(data: &DataFolder, copy: &Path) -> Result<Vec<u8>> {
    let mut archive = tar::Builder::new(Vec::new());
    for name in ENTRIES {
        let path = if name == "admit.sqlite" { copy.to_owned() } else { data.root().join(name) };
        // The vault's keys may be in the environment instead of a file.
        if path.exists() {
            archive.append_path_with_name(&path, name).map_err(Error::internal)?;
        }
    }
    archive.into_inner().map_err(Error::internal)
}

/// Restores a backup into a data folder that must not exist yet.
pub fn restore(data: &DataFolder, source: &Path) -> Result<()> {
    if data.exists() || data.database().exists() {
        return Err(Error::internal(format!(
            "{} has data; restore into a new folder",
            data.root().display()
        )));
    }
    let fault = |error: std::io::Error| Error::internal(format!("{}: {error}", source.display()));
    let mut archive = tar::Archive::new(File::open(source).map_err(fault)?);
    let mut files = Vec::new();
    for entry in archive.entries().map_err(fault)? {
        let mut entry = entry.map_err(fault)?;
        let name = entry.path().map_err(fault)?.to_string_lossy().into_owned();
        let Some(known) = ENTRIES.iter().find(|known| **known == name) else {
            return Err(Error::internal(format!("{} is no backup of ours", source.display())));
        };
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).map_err(fault)?;
        files.push((*known, bytes));
    }
    if !files.iter().any(|(name, _)| *name == "admit.sqlite") {
        return Err(Error::internal(format!("{} holds no database", source.display())));
    }
    private_folder(data.root())?;
    private_folder(&data.root().join("keys"))?;
    for (name, bytes) in files {
        write_private_bytes(&data.root().join(name), &bytes)?;
    }
    Ok(())
}

fn remove_if_there(path: &Path) -> Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Error::internal(error)),
        _ => Ok(()),
    }
}
