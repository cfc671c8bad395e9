//! Who may ask how often. Every limit has its name here.

use std::net::IpAddr;
use std::num::NonZeroU32;

use admit_core::id::DeviceNo;
use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

use crate::error::{Error, Result};

/// Sign-in attempts a minute for one name.
pub const SIGN_INS_PER_NAME: u32 = 5;
/// Sign-in attempts a minute from one address.
pub const SIGN_INS_PER_ADDRESS: u32 = 20;
/// Pairing attempts a minute from one address.
pub const PAIRINGS_PER_ADDRESS: u32 = 10;
/// Registrations a minute from one address. A school or an office shares one.
pub const REGISTRATIONS_PER_ADDRESS: u32 = 600;
/// Ticket numbers typed a minute on one device.
pub const TYPED_NUMBERS_PER_DEVICE: u32 = 30;

/// Printed links scanned a minute on one device.
pub const LINKS_PER_DEVICE: u32 = 300;
/// Printed links followed a minute from one address: the numbers cannot be guessed, and nobody may
/// try.
pub const LINKS_PER_ADDRESS: u32 = 60;
/// Requests a minute to the sandbox from one address.
pub const SANDBOX_PER_ADDRESS: u32 = 600;

/// Orders, payments asked after, and exchanges a minute from one address: a whole hall may share one.
pub const CHECKOUTS_PER_ADDRESS: u32 = 600;
/// Lists of issuer keys a minute from one address: each key comes with its proof.
pub const ISSUER_KEYS_PER_ADDRESS: u32 = 600;
/// Signatures a minute from one address: each costs a third of a millisecond.
pub const SIGNATURES_PER_ADDRESS: u32 = 1200;
/// Signatures a minute for one receipt, repetitions included.
pub const SIGNATURES_PER_RECEIPT: u32 = 120;
/// Voucher codes a minute from one address.
pub const VOUCHERS_PER_ADDRESS: u32 = 20;

/// The limits, and how much of each is used.
pub struct Limits {
    clock: DefaultClock,
    sign_in_names: DefaultKeyedRateLimiter<String>,
    sign_in_addresses: DefaultKeyedRateLimiter<IpAddr>,
    pairings: DefaultKeyedRateLimiter<IpAddr>,
    registrations: DefaultKeyedRateLimiter<IpAddr>,
    typed_numbers: DefaultKeyedRateLimiter<i64>,
    linked: DefaultKeyedRateLimiter<i64>,
    links: DefaultKeyedRateLimiter<IpAddr>,
    sandbox: DefaultKeyedRateLimiter<IpAddr>,
    checkouts: DefaultKeyedRateLimiter<IpAddr>,
    issuer_keys: DefaultKeyedRateLimiter<IpAddr>,
    signing_addresses: DefaultKeyedRateLimiter<IpAddr>,
    signing_receipts: DefaultKeyedRateLimiter<[u8; 16]>,
    vouchers: DefaultKeyedRateLimiter<IpAddr>,
}

impl Limits {
    /// All unused.
    pub fn new() -> Self {
        Self {
            clock: DefaultClock::default(),
            sign_in_names: per_minute(SIGN_INS_PER_NAME),
            sign_in_addresses: per_minute(SIGN_INS_PER_ADDRESS),
            pairings: per_minute(PAIRINGS_PER_ADDRESS),
            registrations: per_minute(REGISTRATIONS_PER_ADDRESS),
            typed_numbers: per_minute(TYPED_NUMBERS_PER_DEVICE),
            linked: per_minute(LINKS_PER_DEVICE),
            links: per_minute(LINKS_PER_ADDRESS),
            sandbox: per_minute(SANDBOX_PER_ADDRESS),
            checkouts: per_minute(CHECKOUTS_PER_ADDRESS),
            issuer_keys: per_minute(ISSUER_KEYS_PER_ADDRESS),
            signing_addresses: per_minute(SIGNATURES_PER_ADDRESS),
            signing_receipts: per_minute(SIGNATURES_PER_RECEIPT),
            vouchers: per_minute(VOUCHERS_PER_ADDRESS),
        }
    }

    /// Counts an attempt to sign in.
    pub fn sign_in(&self, name: &str, from: IpAddr) -> Result<()> {
        self.count(&self.sign_in_addresses, &from)?;
        self.count(&self.sign_in_names, &name.chars().take(64).collect())
    }

    /// Counts an attempt to pair.
    pub fn pairing(&self, from: IpAddr) -> Result<()> {
        self.count(&self.pairings, &from)
    }

    /// Counts a printed link that was scanned.
    pub fn linked(&self, device: DeviceNo) -> Result<()> {
        self.count(&self.linked, &device.0)
    }

    /// Counts a printed link that was followed.
    pub fn link(&self, from: IpAddr) -> Result<()> {
        self.count(&self.links, &from)
    }

    /// Counts a request to the sandbox.
    pub fn sandbox(&self, from: IpAddr) -> Result<()> {
        self.count(&self.sandbox, &from)
    }

    /// Counts an order, a payment that is asked after, or an exchange.
    pub fn checkout(&self, from: IpAddr) -> Result<()> {
        self.count(&self.checkouts, &from)
    }

    /// Counts a list of issuer keys.
    pub fn issuer_keys(&self, from: IpAddr) -> Result<()> {
        self.count(&self.issuer_keys, &from)
    }

    /// Counts a signature that is asked for. The receipt is only counted by, and forgotten.
    pub fn signing(&self, from: IpAddr, receipt: &[u8; 16]) -> Result<()> {
        self.count(&self.signing_addresses, &from)?;
        self.count(&self.signing_receipts, receipt)
    }

    /// Counts a voucher code that is tried.
    pub fn voucher(&self, from: IpAddr) -> Result<()> {
        self.count(&self.vouchers, &from)
    }

    /// Counts a registration.
    pub fn registration(&self, from: IpAddr) -> Result<()> {
        self.count(&self.registrations, &from)
    }

    /// Counts a typed ticket number.
    pub fn typed_number(&self, device: DeviceNo) -> Result<()> {
        self.count(&self.typed_numbers, &device.0)
    }

    /// Forgets who has not asked for a while; called now and then, so that memory stays bounded.
    pub fn forget_idle(&self) {
        self.sign_in_names.retain_recent();
        self.sign_in_addresses.retain_recent();
        self.pairings.retain_recent();
        self.registrations.retain_recent();
        self.typed_numbers.retain_recent();
        self.linked.retain_recent();
        self.links.retain_recent();
        self.sandbox.retain_recent();
        self.checkouts.retain_recent();
        self.issuer_keys.retain_recent();
        self.signing_addresses.retain_recent();
        self.signing_receipts.retain_recent();
        self.vouchers.retain_recent();
    }

    fn count<K: Clone + Eq + std::hash::Hash>(
        &self,
        limiter: &DefaultKeyedRateLimiter<K>,
        key: &K,
    ) -> Result<()> {
        limiter.check_key(key).map_err(|until| {
            let wait_s = until.wait_time_from(self.clock.now()).as_secs().saturating_add(1);
            Error::RateLimited(u32::try_from(wait_s).unwrap_or(u32::MAX))
        })
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::new()
    }
}

fn per_minute<K: Clone + Eq + std::hash::Hash>(times: u32) -> DefaultKeyedRateLimiter<K> {
    RateLimiter::keyed(Quota::per_minute(NonZeroU32::new(times).unwrap_or(NonZeroU32::MIN)))
}
