//! TLS for a server on a local network: its own certificate authority, or a certificate brought by
//! the operator. Phones run web apps offline only from a connection they trust.

mod ca;
mod files;

#[cfg(test)]
#[cfg(unix)]
mod tests;

use std::fmt::Write as _;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use aws_lc_rs::digest;
use rcgen::{Issuer, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use x509_parser::prelude::{FromDer as _, GeneralName, X509Certificate};

pub use ca::{CA_DAYS, CaError, DAY, LEAF_DAYS, Names};

/// Why there is no TLS. Each message says what to do where something can be done.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// Others than the owner can read a private key.
    #[error("{path} can be read by others (mode {mode:03o}): run chmod 600 {path}, and make a new \
             key if others use this machine", path = path.display())]
    KeyReadable {
        /// The key's file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// Others than the owner can look into or write to the folder of the keys.
    #[error("{path} is open to others (mode {mode:03o}): run chmod 700 {path}", path = path.display())]
    FolderOpen {
        /// The folder.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// A file cannot be read or written.
    #[error("{path}: {source}", path = path.display())]
    File {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file does not hold what it should.
    #[error("{path} holds no {what} that can be read", path = path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What was looked for.
        what: &'static str,
    },
    /// A certificate could not be made.
    #[error(transparent)]
    Ca(#[from] CaError),
    /// Certificate and key do not belong together or cannot be used.
    #[error("the certificate cannot be used: {0}")]
    Config(#[from] rustls::Error),
}

/// The public half of an authority, for people to install on their phones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authority {
    der: Vec<u8>,
    pem: String,
}

impl Authority {
    /// DER, served as `application/x-x509-ca-cert`: what Android and desktop systems install.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// PEM, for command lines.
    #[must_use]
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// SHA-256 of the DER as hexadecimal in groups of four, for people to compare with what their
    /// phone shows: the one check that the right authority is being trusted.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let mut text = String::new();
        for (nth, byte) in digest::digest(&digest::SHA256, &self.der).as_ref().iter().enumerate() {
            let space = if nth > 0 && nth % 2 == 0 { " " } else { "" };
            // Writing to a String cannot fail.
            let _ = write!(text, "{space}{byte:02X}");
        }
        text
    }

    /// Apple configuration profile that carries the authority, served as
    /// `application/x-apple-aspen-config`. After installing it the owner still has to switch on full
    /// trust: Settings, General, About, Certificate Trust Settings.
    ///
    /// The identifiers follow from the certificate, so that a second download replaces the first.
    #[must_use]
    pub fn mobileconfig(&self) -> String {
        let hash = digest::digest(&digest::SHA256, &self.der);
        let body = pem_body(&self.pem);
        format!(
            include_str!("tls/profile.xml"),
            body = body,
            inner = uuid(hash.as_ref().get(..16)),
            outer = uuid(hash.as_ref().get(16..)),
        )
    }
}

/// What a server presents, ready for use, and the authority behind it if it is the local one.
#[derive(Clone, Debug)]
pub struct Tls {
    /// TLS 1.3 and 1.2, HTTP/2 and HTTP/1.1.
    pub config: Arc<ServerConfig>,
    /// None when the operator brought the certificate.
    pub authority: Option<Authority>,
    /// When the server's certificate ends, Unix ms.
    pub expires: i64,
    /// Names asked for that the authority made earlier may not speak for. To get them, remove the
    /// `tls` folder and let every phone trust the new authority.
    pub uncovered: Vec<String>,
}

/// Opens the folder `tls` in `data`, making the authority and the server's certificate where they
/// are missing, ended or, for the server's, near their end (a third of their life left) or without
/// one of the `names`. Call it at start and once a day. `now` is Unix ms; `ca_days` the life of a
/// new authority, at most [`CA_DAYS`].
///
/// # Errors
/// [`TlsError::KeyReadable`] and [`TlsError::FolderOpen`] when others could read a key: a key that
/// may have been read must not be used on quietly. Otherwise what went wrong with which file.
pub fn open(data: &Path, names: &Names, now: i64, ca_days: u16) -> Result<Tls, TlsError> {
    let folder = data.join("tls");
    let path = |name: &str| folder.join(name);
    files::private_folder(&folder)?;
    let content = |name: &str, what| TlsError::Content { path: path(name), what };
    // An ended authority is trusted by nobody: a new one takes nothing away.
    let alive = |pem: &str| Validity::of(pem).is_some_and(|validity| now < validity.end);
    let (ca_key, ca_pem) = match files::pair(&path("ca.pem"), &path("ca.key"))? {
        Some(pair) if alive(&pair.1) => pair,
        None if files::read(&path("ca.pem"))?.is_some_and(|pem| alive(&pem)) => {
            // Phones trust it, so that it is not for this program to throw it away.
            return Err(content("ca.key", "private key that belongs to ca.pem"));
        }
        _ => {
            let made = ca::authority(names, now, ca_days)?;
            files::write_pair(&folder, "ca", &made)?;
            (made.key, made.certificate)
        }
    };
    let validity = Validity::of(&ca_pem).ok_or_else(|| content("ca.pem", "certificate"))?;
    let (names, uncovered) = names.split(|name| validity.permits(name));
    let stored = files::pair(&path("server.pem"), &path("server.key"))?;
    let fresh = stored.filter(|(_, pem)| is_fresh(pem, &ca_pem, &names, now));
    let (key, pem) = if let Some(pair) = fresh {
        pair
    } else {
        let key = KeyPair::from_pem(&ca_key).map_err(|_| content("ca.key", "private key"))?;
        let issuer = Issuer::from_ca_cert_pem(&ca_pem, key).map_err(CaError::from)?;
        let made = ca::leaf(&names, &issuer, now, validity.end)?;
        files::write_pair(&folder, "server", &made)?;
        (made.key, made.certificate)
    };
    let expires = Validity::of(&pem).map_or(now, |validity| validity.end);
    let config = config(&pem, &key, &path("server.pem"), &path("server.key"))?;
    let der = der(&ca_pem).ok_or_else(|| content("ca.pem", "certificate"))?.to_vec();
    Ok(Tls { config, authority: Some(Authority { der, pem: ca_pem }), expires, uncovered })
}

/// Takes a certificate (PEM, the server's first, then its chain) and key brought by the operator.
///
/// # Errors
/// [`TlsError::KeyReadable`] when others can read the key; otherwise what is wrong with which file.
pub fn bring(certificate: &Path, key: &Path) -> Result<Tls, TlsError> {
    let missing = |path: &Path| TlsError::File {
        path: path.to_owned(),
        source: io::ErrorKind::NotFound.into(),
    };
    let key_pem = files::read_key(key)?.ok_or_else(|| missing(key))?;
    let pem = files::read(certificate)?.ok_or_else(|| missing(certificate))?;
    let content = || TlsError::Content { path: certificate.to_owned(), what: "certificate" };
    let expires = Validity::of(&pem).ok_or_else(content)?.end;
    let config = config(&pem, &key_pem, certificate, key)?;
    Ok(Tls { config, authority: None, expires, uncovered: Vec::new() })
}

/// The private addresses of this machine's network cards that are up, for [`Names::new`].
///
/// # Errors
/// What the system said when asked.
pub fn lan_addresses() -> io::Result<Vec<IpAddr>> {
    let cards = if_addrs::get_if_addrs()?.into_iter().filter(|card| !card.is_loopback());
    Ok(cards.map(|card| card.ip()).filter(|&address| ca::is_local(address)).collect())
}

fn config(pem: &str, key: &str, at: &Path, key_at: &Path) -> Result<Arc<ServerConfig>, TlsError> {
    let content = |path: &Path, what| TlsError::Content { path: path.to_owned(), what };
    let chain: Vec<_> = CertificateDer::pem_slice_iter(pem.as_bytes())
        .collect::<Result<_, _>>()
        .map_err(|_| content(at, "certificate"))?;
    if chain.is_empty() {
        return Err(content(at, "certificate"));
    }
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes())
        .map_err(|_| content(key_at, "private key"))?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// Whether a stored server certificate is still the authority's, has over a third of its life left
/// and carries all names.
fn is_fresh(pem: &str, ca_pem: &str, names: &Names, now: i64) -> bool {
    let (Some(leaf), Some(ca)) = (Validity::of(pem), Validity::of(ca_pem)) else { return false };
    leaf.issuer == ca.subject
        && (leaf.end - now) > (leaf.end - leaf.begin) / 3
        && now >= leaf.begin
        && names.dns().iter().all(|name| leaf.dns.contains(name))
        && names.ips().iter().all(|address| leaf.ips.contains(address))
}

/// What is read back from a stored certificate.
struct Validity {
    begin: i64,
    end: i64,
    subject: Vec<u8>,
    issuer: Vec<u8>,
    /// Alternative names, and for an authority the permitted ones.
    dns: Vec<String>,
    ips: Vec<IpAddr>,
}

impl Validity {
    fn of(pem: &str) -> Option<Self> {
        let der = der(pem)?;
        let (_, certificate) = X509Certificate::from_der(&der).ok()?;
        let names = certificate.subject_alternative_name().ok()?;
        let permitted = certificate.name_constraints().ok()?;
        let permitted = permitted.and_then(|found| found.value.permitted_subtrees.as_ref());
        let alternative = names.iter().flat_map(|found| found.value.general_names.iter());
        let (mut dns, mut ips) = (Vec::new(), Vec::new());
        for name in alternative.chain(permitted.into_iter().flatten().map(|tree| &tree.base)) {
            match name {
                GeneralName::DNSName(name) => dns.push((*name).to_owned()),
                GeneralName::IPAddress(bytes) => ips.extend(address(bytes)),
                _ => {}
            }
        }
        Some(Self {
            begin: certificate.validity().not_before.timestamp().checked_mul(1000)?,
            end: certificate.validity().not_after.timestamp().checked_mul(1000)?,
            subject: certificate.subject().as_raw().to_vec(),
            issuer: certificate.issuer().as_raw().to_vec(),
            dns,
            ips,
        })
    }

    /// Whether an authority may speak for a name; below a single label it never may.
    fn permits(&self, name: &str) -> bool {
        self.dns.iter().any(|tree| {
            let head = name.strip_suffix(tree.as_str());
            head.is_some_and(|head| head.is_empty() || (head.ends_with('.') && tree.contains('.')))
        })
    }
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    let v4 = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
    v4.or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from)).ok()
}

fn der(pem: &str) -> Option<CertificateDer<'static>> {
    CertificateDer::from_pem_slice(pem.as_bytes()).ok()
}

/// The base64 between the marks of a PEM file.
fn pem_body(pem: &str) -> String {
    pem.lines().filter(|line| !line.starts_with("-----")).collect::<Vec<_>>().join("\n")
}

/// Sixteen bytes as a UUID of version 8 (RFC 9562: made from own data).
fn uuid(bytes: Option<&[u8]>) -> String {
    let mut text = String::new();
    for (nth, &byte) in bytes.unwrap_or_default().iter().enumerate() {
        let byte = match nth {
            6 => (byte & 0x0f) | 0x80,
            8 => (byte & 0x3f) | 0x80,
            _ => byte,
        };
        let hyphen = if matches!(nth, 4 | 6 | 8 | 10) { "-" } else { "" };
        let _ = write!(text, "{hyphen}{byte:02X}");
    }
    text
}
