//! What the server keeps in memory so that the hot path asks no question twice: signing keys, events
//! and devices. Derived from the store; replaced as a whole after each change.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, PoisonError, RwLock};

use admit_core::id::{EventNo, GateNo, KeyNo, TicketId, TypeNo, UnixMs};
use admit_core::ticket::rotating::{self, Rotation};
use admit_core::ticket::{Algorithm, Grant, KeyRing, RingKey, SigningSecret};
use admit_store::Store;
use admit_store::account::{Device, SecretHash};
use admit_store::anonymous::Issuer;
use admit_store::event::EventView;
use admit_store::key::SigningKey;

use crate::anonymous;
use crate::error::{Error, Result};
use crate::issuance::TokenFormat;
use crate::secret;
use crate::vault::Vault;

/// A signing key, opened.
pub struct Signer {
    /// Its number.
    pub number: KeyNo,
    /// What it signs with.
    pub algorithm: Algorithm,
    /// The public key, where there is one.
    pub public_key: Option<[u8; 32]>,
    /// From when on it signs nothing.
    pub retired_at: Option<UnixMs>,
    /// When it ends.
    pub not_after: Option<UnixMs>,
    secret: SigningSecret,
}

/// One consistent state of the books.
#[derive(Default)]
pub struct Book {
    /// Verifies codes.
    pub ring: KeyRing,
    /// Events by number.
    pub events: BTreeMap<EventNo, EventView>,
    signers: BTreeMap<EventNo, Vec<Signer>>,
    devices: HashMap<SecretHash, Device>,
    device_names: HashMap<i64, String>,
    serial_keys: HashMap<EventNo, [u8; 32]>,
    /// Secrets behind codes that change.
    rotation: HashMap<EventNo, [u8; 32]>,
    /// Keys of anonymous tickets, the oldest first.
    issuers: BTreeMap<EventNo, Vec<Issuer>>,
}

impl Book {
    /// The event with this slug.
    pub fn event(&self, slug: &str) -> Option<&EventView> {
        self.events.values().find(|view| view.event.details.slug == slug)
    }

    /// The device with this secret, removed ones included.
    pub fn device(&self, secret: &SecretHash) -> Option<&Device> {
        self.devices.get(secret)
    }

    /// The devices of an event, removed ones included.
    pub fn devices_of(&self, event: EventNo) -> impl Iterator<Item = &Device> {
        self.devices.values().filter(move |device| device.event == event)
    }

    /// The name of a device.
    pub fn device_name(&self, number: i64) -> &str {
        self.device_names.get(&number).map_or("", String::as_str)
    }

    /// The name of a gate.
    pub fn gate_name(&self, event: EventNo, gate: GateNo) -> &str {
        let gates = self.events.get(&event).map(|view| view.gates.as_slice()).unwrap_or_default();
        gates.iter().find(|known| known.number == gate).map_or("", |known| known.name.as_str())
    }

    /// The name of a ticket type.
    pub fn type_name(&self, event: EventNo, number: TypeNo) -> &str {
        let types = self.events.get(&event).map(|view| view.types.as_slice()).unwrap_or_default();
        let known = types.iter().find(|known| known.number == number);
        known.map_or("", |known| known.details.name.as_str())
    }

    /// The keys of an event.
    pub fn signers(&self, event: EventNo) -> &[Signer] {
        self.signers.get(&event).map(Vec::as_slice).unwrap_or_default()
    }

    /// The newest key of an event that signs with `algorithm` at `now`.
    pub fn signer(&self, event: EventNo, algorithm: Algorithm, now: UnixMs) -> Option<&Signer> {
        self.signers(event).iter().rev().find(|key| {
            let ends = [key.retired_at, key.not_after];
            key.algorithm == algorithm && ends.iter().flatten().all(|end| now < *end)
        })
    }

    /// Keys of an event's anonymous tickets, the oldest first. How much each has signed may be behind.
    pub fn issuers(&self, event: EventNo) -> &[Issuer] {
        self.issuers.get(&event).map(Vec::as_slice).unwrap_or_default()
    }

    /// The key that conceals serial numbers of an event.
    pub fn serial_key(&self, event: EventNo) -> Option<&[u8; 32]> {
        self.serial_keys.get(&event)
    }

    /// The code of a ticket: the same text every time, for signatures are deterministic.
    pub fn code(&self, format: TokenFormat, key_no: KeyNo, grant: &Grant) -> Option<String> {
        let signer = self.signers(grant.event).iter().find(|key| key.number == key_no)?;
        Some(signer.secret.sign(format.form(), key_no, grant))
    }

    /// The issuer's part of a ticket whose code changes.
    pub fn rotating_head(
        &self,
        key_no: KeyNo,
        grant: &Grant,
        rotation: &Rotation,
    ) -> Option<Vec<u8>> {
        let signer = self.signers(grant.event).iter().find(|key| key.number == key_no)?;
        rotating::head(&signer.secret, key_no, grant, rotation)
    }

    /// The secret that a ticket's wallet and the server share.
    pub fn rotation_secret(&self, event: EventNo, ticket: TicketId) -> Option<[u8; 32]> {
        let secret = self.rotation.get(&event)?;
        Some(rotating::ticket_secret(secret, event, ticket))
    }
}

/// What the books are read with.
pub struct Secrets {
    /// From which the secrets behind changing codes are made, event by event.
    pub rotation: [u8; 32],
    /// What issuers of anonymous tickets are named after.
    pub host: String,
}

/// The books, replaced as a whole.
pub struct Books {
    current: RwLock<Arc<Book>>,
    secrets: Secrets,
    /// One reading at a time: of two at once the older could finish last, and bring a device back
    /// that the newer had seen removed.
    reading: tokio::sync::Mutex<()>,
}

impl Books {
    /// Reads the books for the first time.
    pub async fn read(store: &dyn Store, vault: &Vault, secrets: Secrets) -> Result<Self> {
        let book = read(store, vault, &secrets).await?;
        let reading = tokio::sync::Mutex::default();
        Ok(Self { current: RwLock::new(Arc::new(book)), secrets, reading })
    }

    /// Reads them again.
    pub async fn refresh(&self, store: &dyn Store, vault: &Vault) -> Result<()> {
        let _reading = self.reading.lock().await;
        let book = Arc::new(read(store, vault, &self.secrets).await?);
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = book;
        Ok(())
    }

    /// The books as they are now.
    pub fn now(&self) -> Arc<Book> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }
}

async fn read(store: &dyn Store, vault: &Vault, secrets: &Secrets) -> Result<Book> {
    let mut book = Book::default();
    for key in store.keys().await? {
        let signer = open_key(vault, &key)?;
        let ring_key = RingKey { key: signer.secret.verify_key(), not_after: key.not_after };
        book.ring.add(key.event, key.number, ring_key);
        book.signers.entry(key.event).or_default().push(signer);
    }
    for view in store.events().await? {
        let number = view.event.number;
        book.serial_keys.insert(number, bytes32(&vault.unwrap(&view.event.serial_key)?)?);
        let rotation = secret::derive(&secrets.rotation, &number.0.to_string());
        book.ring.add_rotation(number, rotation);
        book.rotation.insert(number, rotation);
        book.events.insert(number, view);
    }
    for issuer in store.issuers().await? {
        let key = anonymous::issuer_key(&secrets.host, &issuer);
        book.ring.add_issuer(key.ok_or_else(|| Error::internal("a key cannot be read"))?);
        book.issuers.entry(issuer.terms.event).or_default().push(issuer);
    }
    for device in store.devices().await? {
        book.device_names.insert(device.number.0, device.name.clone());
        book.devices.insert(device.secret, device);
    }
    Ok(book)
}

fn open_key(vault: &Vault, key: &SigningKey) -> Result<Signer> {
    let seed = bytes32(&vault.unwrap(&key.secret)?)?;
    Ok(Signer {
        number: key.number,
        algorithm: key.algorithm,
        public_key: key.public_key,
        retired_at: key.retired_at,
        not_after: key.not_after,
        secret: SigningSecret::from_seed(key.algorithm, seed),
    })
}

fn bytes32(bytes: &[u8]) -> Result<[u8; 32]> {
    bytes.try_into().map_err(|_| Error::internal("a sealed key has not 32 bytes"))
}
