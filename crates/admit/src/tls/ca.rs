//! A certificate authority that can speak for this machine's local names and addresses, and for
//! nothing else: whoever steals its key cannot pose as the rest of the web.

use std::fmt::Write as _;
use std::net::IpAddr;

use rcgen::{
    BasicConstraints, CertificateParams, CidrSubnet, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, GeneralSubtree, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    NameConstraints, SanType,
};
use time::OffsetDateTime;

/// Milliseconds of a day.
pub const DAY: i64 = 86_400_000;

/// The longest life of a private authority that iOS accepts.
pub const CA_DAYS: u16 = 825;

/// The life of a server certificate: within the 398 days that browsers accept from anyone.
pub const LEAF_DAYS: u16 = 397;

/// Certificates begin an hour early, as the clocks of phones are often behind.
const EARLY: i64 = 3_600_000;

/// Names under which home networks keep their machines (RFC 8375).
const HOME: &str = "home.arpa";

/// Why a certificate could not be made.
#[derive(Debug, thiserror::Error)]
pub enum CaError {
    /// The name is no host name of letters, digits and hyphens.
    #[error("{0:?} is not a host name")]
    Name(String),
    /// A moment that no certificate can hold.
    #[error("{0} ms is outside the years a certificate can write")]
    Time(i64),
    /// The certificate library refused.
    #[error("could not make the certificate: {0}")]
    Make(#[from] rcgen::Error),
}

/// The DNS names and addresses a server answers to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names {
    dns: Vec<String>,
    ips: Vec<IpAddr>,
}

impl Names {
    /// The names of this machine: `localhost`, `host`, `host.local` (mDNS, RFC 6762), the `extra`
    /// ones, the loopback addresses and those of `lan` that are private.
    ///
    /// A machine's name that cannot stand in a certificate (`my_pc`) is passed over, as the machine
    /// must start all the same; so are public addresses, for which a local authority must not speak.
    ///
    /// # Errors
    /// [`CaError::Name`] when an extra name, which a person asked for, is no host name.
    pub fn new(host: &str, extra: &[String], lan: &[IpAddr]) -> Result<Self, CaError> {
        let host = host_name(host);
        let host = host.filter(|host| host != "localhost");
        let mdns = host.as_deref().and_then(|host| host.split('.').next());
        let mdns = mdns.map(|label| format!("{label}.local"));
        let mut dns = vec!["localhost".to_owned()];
        dns.extend(host.into_iter().chain(mdns));
        for name in extra {
            dns.push(host_name(name).ok_or_else(|| CaError::Name(name.clone()))?);
        }
        let mut ips = vec![IpAddr::from([127, 0, 0, 1]), IpAddr::from(LOOPBACK_V6)];
        ips.extend(lan.iter().filter(|&&address| is_local(address)));
        keep_first(&mut dns);
        keep_first(&mut ips);
        Ok(Self { dns, ips })
    }

    /// These names, parted by whether a certificate may carry them.
    pub(super) fn split(&self, may: impl Fn(&str) -> bool) -> (Self, Vec<String>) {
        let (dns, others) = self.dns.iter().cloned().partition(|name| may(name));
        (Self { dns, ips: self.ips.clone() }, others)
    }

    /// The DNS names in lower case, each once.
    #[must_use]
    pub fn dns(&self) -> &[String] {
        &self.dns
    }

    /// The addresses, each once.
    #[must_use]
    pub fn ips(&self) -> &[IpAddr] {
        &self.ips
    }
}

const LOOPBACK_V6: [u8; 16] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];

fn keep_first<T: PartialEq + Clone>(list: &mut Vec<T>) {
    let mut seen: Vec<T> = Vec::new();
    list.retain(|item| {
        let new = !seen.contains(item);
        seen.push(item.clone());
        new
    });
}

/// A host name in lower case if it is one by RFC 1123, 2.1; addresses are none.
fn host_name(name: &str) -> Option<String> {
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let fits = name.len() <= 253 && name.split('.').all(label) && name.parse::<IpAddr>().is_err();
    fits.then_some(name)
}

/// The address blocks that the authority may speak for: loopback, RFC 1918, RFC 4193.
const LOCAL: [(IpAddr, u8); 6] = [
    (IpAddr::V4(std::net::Ipv4Addr::new(127, 0, 0, 0)), 8),
    (IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 0)), 8),
    (IpAddr::V4(std::net::Ipv4Addr::new(172, 16, 0, 0)), 12),
    (IpAddr::V4(std::net::Ipv4Addr::new(192, 168, 0, 0)), 16),
    (IpAddr::V6(std::net::Ipv6Addr::LOCALHOST), 128),
    (IpAddr::V6(std::net::Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0)), 7),
];

/// Whether an address lies in one of the blocks of [`LOCAL`].
pub(super) fn is_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_loopback() || v4.is_private(),
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unique_local(),
    }
}

/// A certificate and its private key, both PEM.
pub(super) struct Made {
    pub(super) certificate: String,
    pub(super) key: String,
}

/// Makes an authority for these names, valid from `now` (Unix ms) for `days`, at most [`CA_DAYS`].
///
/// P-256, path length 0, name constraints critical (RFC 5280, 4.2.1.10), use limited to server
/// certificates.
pub(super) fn authority(names: &Names, now: i64, days: u16) -> Result<Made, CaError> {
    let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256)?;
    let mut params = CertificateParams::default();
    params.distinguished_name = name(&authority_name(&params.key_identifier(&key), now)?);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.name_constraints = Some(constraints(names));
    let end = now.saturating_add(i64::from(days.min(CA_DAYS)) * DAY) - EARLY;
    (params.not_before, params.not_after) = (moment(now - EARLY)?, moment(end)?);
    let certificate = params.self_signed(&key)?;
    Ok(Made { certificate: certificate.pem(), key: key.serialize_pem() })
}

fn constraints(names: &Names) -> NameConstraints {
    let blocks = LOCAL.iter().map(|&(address, prefix)| {
        GeneralSubtree::IpAddress(CidrSubnet::from_addr_prefix(address, prefix))
    });
    let dns = names.dns.iter().map(String::as_str).chain([HOME]);
    let permitted = dns.map(|name| GeneralSubtree::DnsName(name.to_owned())).chain(blocks);
    // A permitted name brings all names below it. That is well for `tent.local`; but a machine
    // called `app` or `dev` would get a whole top-level domain, so nothing below a single label.
    let single = names.dns.iter().filter(|name| !name.contains('.'));
    let excluded = single.map(|name| GeneralSubtree::DnsName(format!(".{name}")));
    NameConstraints {
        permitted_subtrees: permitted.collect(),
        excluded_subtrees: excluded.collect(),
    }
}

/// Makes a server certificate for these names, valid from `now` (Unix ms) to `end` or for
/// [`LEAF_DAYS`], whichever is sooner: one that outlives its authority is of no use.
pub(super) fn leaf(
    names: &Names,
    issuer: &Issuer<'_, KeyPair>,
    now: i64,
    end: i64,
) -> Result<Made, CaError> {
    let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256)?;
    let mut params = CertificateParams::new(names.dns.clone())?;
    params.subject_alt_names.extend(names.ips.iter().map(|&address| SanType::IpAddress(address)));
    params.distinguished_name = name("Admit One server");
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    let longest = now.saturating_add(i64::from(LEAF_DAYS) * DAY) - EARLY;
    (params.not_before, params.not_after) = (moment(now - EARLY)?, moment(end.min(longest))?);
    let certificate = params.signed_by(&key, issuer)?;
    Ok(Made { certificate: certificate.pem(), key: key.serialize_pem() })
}

fn name(common: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, common);
    name
}

fn moment(unix_ms: i64) -> Result<OffsetDateTime, CaError> {
    let seconds = unix_ms.div_euclid(1000);
    OffsetDateTime::from_unix_timestamp(seconds).map_err(|_| CaError::Time(unix_ms))
}

/// `Admit One local CA 2027-01-31 3F2A09BC`: a name that no other authority has, so that a phone's
/// list tells two apart, and so does [`super::open`] when it looks who signed a certificate.
fn authority_name(key_id: &[u8], now: i64) -> Result<String, CaError> {
    let date = moment(now)?;
    let (year, month, day) = (date.year(), u8::from(date.month()), date.day());
    let mut name = format!("Admit One local CA {year:04}-{month:02}-{day:02} ");
    for byte in key_id.iter().take(4) {
        // Writing to a String cannot fail.
        let _ = write!(name, "{byte:02X}");
    }
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_cleaned_and_public_addresses_left_out() {
        let lan = ["192.168.1.5", "8.8.8.8", "fd00::5", "2001:db8::1", "192.168.1.5"];
        let lan: Vec<IpAddr> = lan.iter().map(|text| text.parse().unwrap()).collect();
        let names = Names::new("Tent.example.org", &["Fest.Example".to_owned()], &lan).unwrap();
        assert_eq!(names.dns(), ["localhost", "tent.example.org", "tent.local", "fest.example"]);
        let ips: Vec<String> = names.ips().iter().map(ToString::to_string).collect();
        assert_eq!(ips, ["127.0.0.1", "::1", "192.168.1.5", "fd00::5"]);
    }

    #[test]
    fn odd_machine_names_are_passed_over_and_odd_wishes_refused() {
        for odd in ["my_pc", "", "-a", "a..b", "10.0.0.1", "*", "*.com", "tent.local\0x"] {
            assert_eq!(Names::new(odd, &[], &[]).unwrap().dns(), ["localhost"], "{odd:?}");
            assert!(Names::new("a", &[odd.to_owned()], &[]).is_err(), "{odd:?}");
        }
    }

    #[test]
    fn the_blocks_and_the_test_for_them_agree() {
        for (text, local) in [
            ("10.255.0.1", true),
            ("172.15.0.1", false),
            ("172.31.255.255", true),
            ("172.32.0.0", false),
            ("169.254.1.1", false),
            ("fdff::1", true),
            ("fe80::1", false),
            ("::2", false),
        ] {
            assert_eq!(is_local(text.parse().unwrap()), local, "{text}");
        }
    }
}
