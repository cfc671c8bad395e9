//! The local authority against two verifiers from outside: rustls-webpki and OpenSSL.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;
use std::time::Duration;

use rcgen::{CertificateParams, SanType};
use rustls::pki_types::{ServerName, UnixTime};
use webpki::{EndEntityCert, KeyUsage, anchor_from_trusted_cert};

use super::*;

const NOW: i64 = 1_800_000_000_000;

fn names() -> Names {
    let lan: Vec<IpAddr> = vec!["192.168.1.5".parse().unwrap(), "fd00::5".parse().unwrap()];
    Names::new("tent", &["fest.example".to_owned()], &lan).unwrap()
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// A leaf for one name, whatever the name, signed with the authority in a data folder: what a thief
/// of the key would make.
fn stolen(data: &Path, name: &str) -> String {
    let read = |file: &str| fs::read_to_string(data.join("tls").join(file)).unwrap();
    let key = KeyPair::from_pem(&read("ca.key")).unwrap();
    let issuer = Issuer::from_ca_cert_pem(&read("ca.pem"), key).unwrap();
    let mut params = CertificateParams::default();
    params.subject_alt_names = vec![match name.parse() {
        Ok(address) => SanType::IpAddress(address),
        Err(_) => SanType::DnsName(name.try_into().unwrap()),
    }];
    params.not_before = time::OffsetDateTime::from_unix_timestamp(NOW / 1000 - 60).unwrap();
    params.not_after = time::OffsetDateTime::from_unix_timestamp(NOW / 1000 + 86_400).unwrap();
    params.use_authority_key_identifier_extension = true;
    params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ServerAuth];
    params.signed_by(&KeyPair::generate().unwrap(), &issuer).unwrap().pem()
}

fn webpki_accepts(data: &Path, leaf: &str, name: &str) -> Result<(), webpki::Error> {
    let ca = der(&fs::read_to_string(data.join("tls/ca.pem")).unwrap()).unwrap();
    let anchors = [anchor_from_trusted_cert(&ca).unwrap()];
    let leaf = der(leaf).unwrap();
    let leaf = EndEntityCert::try_from(&leaf).unwrap();
    let at = UnixTime::since_unix_epoch(Duration::from_millis(NOW.unsigned_abs()));
    let usage = KeyUsage::server_auth();
    leaf.verify_for_usage(webpki::ALL_VERIFICATION_ALGS, &anchors, &[], at, usage, None, None)?;
    leaf.verify_is_valid_for_subject_name(&ServerName::try_from(name.to_owned()).unwrap())
}

/// `openssl verify`, strict; None where no OpenSSL is installed.
fn openssl_accepts(data: &Path, leaf: &str, name: &str) -> Option<bool> {
    let file = data.join("leaf.pem");
    fs::write(&file, leaf).unwrap();
    let kind = if name.parse::<IpAddr>().is_ok() { "-verify_ip" } else { "-verify_hostname" };
    let output = Command::new("openssl")
        .args(["verify", "-x509_strict", "-purpose", "sslserver", "-attime"])
        .arg((NOW / 1000).to_string())
        .args([kind, name, "-CAfile"])
        .arg(data.join("tls/ca.pem"))
        .arg(file)
        .output()
        .ok()?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    // 47: outside the permitted names; 48: among the excluded ones.
    let right = ["error 47", "error 48"].iter().any(|reason| said.contains(reason));
    assert!(output.status.success() || right, "{name}: {said}");
    Some(output.status.success())
}

#[test]
fn the_servers_own_names_are_accepted() {
    let data = tempfile::tempdir().unwrap();
    open(data.path(), &names(), NOW, CA_DAYS).unwrap();
    let leaf = fs::read_to_string(data.path().join("tls/server.pem")).unwrap();
    let own = ["localhost", "tent", "tent.local", "fest.example", "192.168.1.5", "127.0.0.1"];
    for name in own.into_iter().chain(["::1", "fd00::5"]) {
        webpki_accepts(data.path(), &leaf, name).unwrap();
        assert!(openssl_accepts(data.path(), &leaf, name).unwrap_or(true), "{name}");
    }
    for name in ["server.home.arpa", "10.1.2.3", "172.16.0.9", "fc00::1", "a.fest.example"] {
        let leaf = stolen(data.path(), name);
        webpki_accepts(data.path(), &leaf, name).unwrap();
        assert!(openssl_accepts(data.path(), &leaf, name).unwrap_or(true), "{name}");
    }
}

#[test]
fn a_stolen_key_cannot_speak_for_the_web() {
    let data = tempfile::tempdir().unwrap();
    open(data.path(), &names(), NOW, CA_DAYS).unwrap();
    let foreign = ["www.google.com", "8.8.8.8", "2001:db8::1", "172.32.0.1", "fe80::1", "local"];
    // A machine may be called like a top-level domain; nothing below it comes with it.
    for name in foreign.into_iter().chain(["www.tent", "evil.localhost", "xfest.example"]) {
        let leaf = stolen(data.path(), name);
        let refused = webpki_accepts(data.path(), &leaf, name);
        assert_eq!(refused, Err(webpki::Error::NameConstraintViolation), "{name}");
        assert!(!openssl_accepts(data.path(), &leaf, name).unwrap_or(false), "{name}");
    }
}

#[test]
fn keys_are_for_their_owner_only() {
    let data = tempfile::tempdir().unwrap();
    open(data.path(), &names(), NOW, CA_DAYS).unwrap();
    let folder = data.path().join("tls");
    assert_eq!(mode(&folder), 0o700);
    for key in ["ca.key", "server.key"] {
        let key = folder.join(key);
        assert_eq!(mode(&key), 0o600);
        fs::set_permissions(&key, fs::Permissions::from_mode(0o640)).unwrap();
        let error = open(data.path(), &names(), NOW, CA_DAYS).unwrap_err();
        assert!(matches!(&error, TlsError::KeyReadable { path, mode: 0o640 } if *path == key));
        assert!(error.to_string().contains("chmod 600"), "{error}");
        fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    }
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
    let error = open(data.path(), &names(), NOW, CA_DAYS).unwrap_err();
    assert!(matches!(error, TlsError::FolderOpen { mode: 0o755, .. }));
}

#[test]
fn the_leaf_is_renewed_in_time_and_the_authority_stays() {
    let data = tempfile::tempdir().unwrap();
    let at = |now| open(data.path(), &names(), now, CA_DAYS).unwrap();
    let first = at(NOW);
    assert!(first.expires <= NOW + i64::from(LEAF_DAYS) * DAY);
    assert_eq!(at(NOW + 260 * DAY).expires, first.expires, "more than a third is left");
    let second = at(NOW + 270 * DAY);
    assert!(second.expires > first.expires);
    assert_eq!(second.authority, first.authority, "phones need not be told");
    let last = at(NOW + 800 * DAY);
    assert!(last.expires <= NOW + i64::from(CA_DAYS) * DAY, "no longer than the authority");
    let ended = at(NOW + 900 * DAY);
    assert_ne!(ended.authority, first.authority, "an ended authority is replaced");
    assert!(ended.expires > NOW + 900 * DAY);
}

#[test]
fn new_names_make_a_new_leaf_as_far_as_the_authority_allows() {
    let data = tempfile::tempdir().unwrap();
    let first = open(data.path(), &names(), NOW, CA_DAYS).unwrap();
    let lan: Vec<IpAddr> = vec!["10.0.0.7".parse().unwrap()];
    let extra = ["gate.home.arpa".to_owned(), "shop.example".to_owned(), "a.tent".to_owned()];
    let moved = Names::new("tent", &extra, &lan).unwrap();
    let second = open(data.path(), &moved, NOW, CA_DAYS).unwrap();
    assert_eq!(second.authority, first.authority);
    assert_eq!(second.uncovered, ["shop.example", "a.tent"]);
    let leaf = fs::read_to_string(data.path().join("tls/server.pem")).unwrap();
    for name in ["10.0.0.7", "gate.home.arpa", "tent.local"] {
        webpki_accepts(data.path(), &leaf, name).unwrap();
    }
}

#[test]
fn a_lost_key_is_said_and_half_a_pair_after_a_power_cut_is_mended() {
    let data = tempfile::tempdir().unwrap();
    let first = open(data.path(), &names(), NOW, CA_DAYS).unwrap();
    let folder = data.path().join("tls");
    fs::copy(folder.join("ca.key"), folder.join("server.key")).unwrap();
    let mended = open(data.path(), &names(), NOW, CA_DAYS).unwrap();
    assert_eq!(mended.authority, first.authority);
    fs::remove_file(folder.join("ca.key")).unwrap();
    let error = open(data.path(), &names(), NOW, CA_DAYS).unwrap_err();
    assert!(matches!(error, TlsError::Content { .. }), "{error}");
    fs::remove_file(folder.join("ca.pem")).unwrap();
    assert_ne!(open(data.path(), &names(), NOW, CA_DAYS).unwrap().authority, first.authority);
}

#[test]
fn an_operators_certificate_is_taken_and_its_key_checked() {
    let data = tempfile::tempdir().unwrap();
    let local = open(data.path(), &names(), NOW, CA_DAYS).unwrap();
    let folder = data.path().join("tls");
    let (pem, key) = (folder.join("server.pem"), folder.join("server.key"));
    let brought = bring(&pem, &key).unwrap();
    assert_eq!((brought.expires, brought.authority), (local.expires, None));
    assert_eq!(brought.config.alpn_protocols, [b"h2".to_vec(), b"http/1.1".to_vec()]);
    assert!(matches!(bring(&pem, &folder.join("ca.key")), Err(TlsError::Config(_))), "mismatch");
    assert!(matches!(bring(&folder.join("none"), &key), Err(TlsError::File { .. })));
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    assert!(matches!(bring(&pem, &key), Err(TlsError::KeyReadable { .. })));
}

#[test]
fn the_authority_is_shown_to_people_and_phones() {
    let data = tempfile::tempdir().unwrap();
    let authority = open(data.path(), &names(), NOW, CA_DAYS).unwrap().authority.unwrap();
    let fingerprint = authority.fingerprint();
    assert_eq!(fingerprint.split(' ').count(), 16);
    let file = data.path().join("tls/ca.pem");
    let openssl = Command::new("openssl")
        .args(["x509", "-noout", "-fingerprint", "-sha256", "-in"])
        .arg(file)
        .output();
    if let Ok(openssl) = openssl {
        let said = String::from_utf8(openssl.stdout).unwrap().replace(':', "");
        assert!(said.trim().ends_with(&fingerprint.replace(' ', "")), "{said}");
    }
    let profile = authority.mobileconfig();
    assert!(profile.contains("com.apple.security.root"));
    assert!(profile.contains(authority.pem().lines().nth(1).unwrap()));
    assert_eq!(profile, authority.mobileconfig(), "a second download replaces the first");
}

#[test]
fn lan_addresses_are_private_ones() {
    assert!(lan_addresses().unwrap().into_iter().all(ca::is_local));
}
