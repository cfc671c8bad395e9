//! The files of keys and certificates: who may read them, and writing them so that a power cut
//! leaves the old pair or the new one.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::Path;

#[cfg(unix)]
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};

use super::TlsError;
use super::ca::Made;

fn failed(path: &Path) -> impl FnOnce(io::Error) -> TlsError {
    move |source| TlsError::File { path: path.to_owned(), source }
}

/// Makes a folder for its owner only, or checks that it is so.
pub(super) fn private_folder(path: &Path) -> Result<(), TlsError> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    builder.mode(0o700);
    builder.create(path).map_err(failed(path))?;
    #[cfg(unix)]
    {
        let mode = fs::metadata(path).map_err(failed(path))?.mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(TlsError::FolderOpen { path: path.to_owned(), mode });
        }
    }
    Ok(())
}

/// The whole text of a file, or none if there is no file.
pub(super) fn read(path: &Path) -> Result<Option<String>, TlsError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed(path)(error)),
    }
}

/// Reads a private key, after a look at who else could: at the opened file and not at its path, so
/// that nobody swaps it in between.
pub(super) fn read_key(path: &Path) -> Result<Option<String>, TlsError> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(path)(error)),
    };
    #[cfg(unix)]
    {
        let mode = file.metadata().map_err(failed(path))?.mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(TlsError::KeyReadable { path: path.to_owned(), mode });
        }
    }
    let mut text = String::new();
    file.read_to_string(&mut text).map_err(failed(path))?;
    Ok(Some(text))
}

/// A stored key and certificate that belong together, as (key, certificate). After a power cut
/// between the two writes they may not; then they count as missing.
pub(super) fn pair(certificate: &Path, key: &Path) -> Result<Option<(String, String)>, TlsError> {
    let (key, certificate) = (read_key(key)?, read(certificate)?);
    Ok(key.zip(certificate).filter(|(key, certificate)| belong_together(key, certificate)))
}

fn belong_together(key: &str, certificate: &str) -> bool {
    use rcgen::PublicKeyData as _;
    use x509_parser::prelude::{FromDer as _, X509Certificate};
    let Some(der) = super::der(certificate) else { return false };
    let Ok((_, certificate)) = X509Certificate::from_der(&der) else { return false };
    rcgen::KeyPair::from_pem(key)
        .is_ok_and(|key| key.subject_public_key_info() == certificate.public_key().raw)
}

/// Writes `name.key` (0600) and `name.pem` into a folder.
pub(super) fn write_pair(folder: &Path, name: &str, made: &Made) -> Result<(), TlsError> {
    write(&folder.join(format!("{name}.key")), &made.key, 0o600)?;
    write(&folder.join(format!("{name}.pem")), &made.certificate, 0o644)?;
    // The renamed entries are on disk only when the folder is.
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed(folder))
}

/// Replaces a file as a whole: a reader finds the old text or the new.
fn write(path: &Path, text: &str, mode: u32) -> Result<(), TlsError> {
    let new = path.with_extension("new");
    match fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(&new)(error)),
        _ => {}
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    options.mode(mode);
    #[cfg(not(unix))]
    let _ = mode;
    let mut file = options.open(&new).map_err(failed(&new))?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(failed(&new))?;
    fs::rename(&new, path).map_err(failed(path))
}
