//! Gates that go on without the network: what they tell afterwards, what they need to know before,
//! and what the desk sees of it.

use admit_core::bloom::Bloom;
use admit_core::id::{DeviceNo, EventNo, GateNo, TypeNo};
use admit_core::offline::effect::Denied;
use admit_core::offline::journal::SYNC_ENTRIES_MAX;
use admit_core::offline::known::{Known, ShortDigest};
use admit_core::offline::story::{Stage, Told};
use admit_core::offline::travel::{Place, impossible, metres};
use admit_core::ticket::{Verified, lock_key, lock_key_of};
use admit_store::PAGE_ROWS_MAX;
use admit_store::account::Device;
use admit_store::event::{EventView, TicketType};
use admit_store::offline::{Contact, Elsewhere, Synced, told};
use admit_store::spent::Conflict;
use admit_store::ticket::{Ticket, TicketFilter};
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};

use crate::App;
use crate::book::Book;
use crate::error::{Error, Result};
use crate::{registration, rotation, secret, ticket};

/// How long a gate waits for an answer before it judges by itself, in milliseconds: a person has
/// not yet looked up.
pub const ANSWER_WITHIN_MS: u32 = 1500;
/// Tickets in a page of the download.
pub const DOWNLOAD_TICKETS_MAX: usize = 2000;

/// How long a filter of spent tickets is good, in milliseconds.
pub const BLOOM_VALID_MS: i64 = 15 * 60 * 1000;
/// No device: the entries of all are those of others.
const NOBODY: DeviceNo = DeviceNo(i64::MIN);

/// What a device is told at a contact.
pub struct Answer {
    /// What came of what it told.
    pub synced: Synced,
    /// Conflicts that its staff have not seen.
    pub notices: Vec<Story>,
    /// Conflicts that this contact raised.
    pub conflicts: Vec<Story>,
    /// Entries of others, after the position it named.
    pub elsewhere: Elsewhere,
    /// All tickets that are no longer good.
    pub withdrawn: Vec<Denied>,
    /// Tickets it is asked to give back.
    pub recalled: Vec<ShortDigest>,
    /// Types it is asked to give back.
    pub recalled_types: Vec<TypeNo>,
}

/// A conflict with the whole story of its ticket.
pub struct Story {
    /// The conflict as it was raised.
    pub conflict: Conflict,
    /// The ticket's type.
    pub type_no: TypeNo,
    /// Entries that surely happened, the earliest for certain first, and claims after them.
    pub entries: Vec<Told>,
    /// The two sides, the one that counts first.
    pub sides: [Told; 2],
}

impl Story {
    /// Whether the first surely was before the second.
    pub fn order_certain(&self) -> bool {
        let [first, second] = &self.sides;
        first.bounds.surely_before(second.bounds)
    }

    /// Milliseconds between the two.
    pub fn apart_ms(&self) -> u64 {
        let [first, second] = &self.sides;
        first.entry.at.0.abs_diff(second.entry.at.0)
    }

    /// Metres between the two gates, when both say where they are.
    pub fn apart_m(&self, view: &EventView) -> Option<f64> {
        let [first, second] = self.sides.each_ref().map(|side| place(view, side.entry.gate));
        Some(metres(first?, second?))
    }

    /// Whether nobody can have been at both gates: then somebody else had a copy.
    pub fn is_fraud(&self, view: &EventView) -> bool {
        let [first, second] = &self.sides;
        let at = |side: &Told| Some((place(view, side.entry.gate)?, side.bounds));
        at(first).zip(at(second)).is_some_and(|(a, b)| impossible(a, b))
    }
}

fn place(view: &EventView, gate: GateNo) -> Option<Place> {
    view.gates.iter().find(|known| known.number == gate)?.place
}

/// The anonymous tickets among these codes. One that is none is left out: then its entry is about a ticket
/// that nobody knows.
pub fn bearers(app: &App, event: EventNo, codes: &[String]) -> Vec<Verified> {
    let (book, now) = (app.books.now(), app.now());
    let verified = codes.iter().filter_map(|code| book.ring.verify(event, code, now).ok());
    verified.filter(Verified::is_anonymous).collect()
}

/// Takes in what a device tells, and tells it what it needs to know.
pub async fn sync(app: &App, device: &Device, contact: Contact, after: i64) -> Result<Answer> {
    let (event, number) = (device.event, device.number);
    let moves_leases = !contact.returned_types.is_empty();
    let synced = take_in(app, event, number, contact).await?;
    if moves_leases {
        app.refresh().await?;
    }
    let (recalled, recalled_types) = app.store.recalled(event, number).await?;
    let unseen = app.store.notices(event, number).await?;
    Ok(Answer {
        conflicts: stories(app, event, &synced.conflicts).await?,
        notices: stories(app, event, &unseen).await?,
        // After what it told: its own words are then among what others are told, not it.
        elsewhere: app.store.elsewhere(event, number, after).await?,
        withdrawn: app.store.withdrawn(event).await?,
        recalled,
        recalled_types,
        synced,
    })
}

/// Writes a report, in pieces that hold nobody up. Leases are given back with the last piece, for
/// they must not be gone before what was done under them is told.
async fn take_in(
    app: &App,
    event: EventNo,
    device: DeviceNo,
    mut contact: Contact,
) -> Result<Synced> {
    let mut all = Synced::default();
    while contact.entries.len() > SYNC_ENTRIES_MAX {
        let rest = contact.entries.split_off(SYNC_ENTRIES_MAX);
        let entries = std::mem::replace(&mut contact.entries, rest);
        let (state, bearers) = (contact.state, contact.bearers.clone());
        let piece = Contact { entries, state, bearers, ..Contact::default() };
        all.extend(write(app, event, device, piece).await?);
    }
    all.extend(write(app, event, device, contact).await?);
    Ok(all)
}

async fn write(app: &App, event: EventNo, device: DeviceNo, contact: Contact) -> Result<Synced> {
    let key = app.log.leaf_key(event);
    Ok(app.store.sync(event, device, contact, app.now(), key).await?.0)
}

/// A filter of the tickets that have entered, and how many they are.
pub async fn bloom(app: &App, event: EventNo) -> Result<(Bloom, usize)> {
    let mut known = Known::default();
    loop {
        let from = known.cursor();
        let told = app.store.elsewhere(event, NOBODY, from).await?;
        known.learn(from, told.next, &told.changes);
        if !told.more {
            break;
        }
    }
    let spent = known.spent();
    let mut bloom = Bloom::for_entries(spent.len());
    for ticket in &spent {
        bloom.insert(*ticket);
    }
    Ok((bloom, spent.len()))
}

/// Conflicts with the stories of their tickets.
pub async fn stories(app: &App, event: EventNo, conflicts: &[Conflict]) -> Result<Vec<Story>> {
    let mut all = Vec::with_capacity(conflicts.len());
    for conflict in conflicts {
        all.push(story(app, event, conflict).await?);
    }
    Ok(all)
}

async fn story(app: &App, event: EventNo, conflict: &Conflict) -> Result<Story> {
    let scans = app.store.scans_of(event, conflict.ticket).await?;
    let type_no = scans.first().map_or(TypeNo(0), |scan| scan.type_no);
    let mut entries: Vec<Told> = told(&scans);
    entries.retain(|told| matches!(told.stage, Stage::Done | Stage::Claimed | Stage::Void));
    entries.sort_by_key(|told| (told.stage != Stage::Done, told.bounds.upper(), told.entry.scan));
    let side = |entry: &admit_core::admission::Entry| {
        let same =
            |told: &&Told| (told.entry.device, told.entry.scan) == (entry.device, entry.scan);
        entries.iter().find(same).copied().unwrap_or(Told {
            entry: *entry,
            use_no: 0,
            stage: Stage::Done,
            bounds: admit_core::offline::Bounds::exact(entry.at),
        })
    };
    let mut sides = [side(&conflict.known), side(&conflict.brought)];
    sides.sort_by_key(|told| (told.bounds.upper(), told.entry.scan));
    Ok(Story { conflict: conflict.clone(), type_no, entries, sides })
}

/// The newest conflicts of an event.
pub async fn conflicts(app: &App, event: EventNo) -> Result<Vec<Story>> {
    let found = app.store.conflicts(event, None, PAGE_ROWS_MAX).await?;
    stories(app, event, &found).await
}

/// From which position on `device` holds the lease of a type; none when it does not, or when it is
/// asked to give it back.
pub fn lease_since(kind: &TicketType, device: DeviceNo) -> Option<i64> {
    let holds = kind.lease.holder == Some(device) && kind.details.lease_device == Some(device);
    holds.then_some(kind.lease.since)
}

/// A page of tickets for a gate to keep, and where the next begins.
pub struct Download {
    /// The tickets, each with its holder's name, locked, where the event shows names at gates.
    pub tickets: Vec<(Ticket, Option<Vec<u8>>)>,
    /// Where the next page begins; none on the last.
    pub next: Option<u32>,
    /// How many there are in all.
    pub total: u64,
}

/// The tickets of an event for a device that may lose the network. Names are locked, each by its own
/// ticket.
pub async fn download(app: &App, event: EventNo, after: Option<u32>) -> Result<Download> {
    let book = app.books.now();
    let view = book.events.get(&event).ok_or(Error::NotFound("event"))?;
    let named = view.event.details.show_name_at_gate;
    let mut page = Download { tickets: Vec::new(), next: after, total: 0 };
    loop {
        let filter =
            TicketFilter { after: page.next, limit: PAGE_ROWS_MAX, ..TicketFilter::default() };
        let found = app.store.tickets(event, filter).await?;
        (page.next, page.total) = (found.next, found.total);
        for ticket in found.tickets {
            let name = if named { locked_name(app, &book, &ticket)? } else { None };
            page.tickets.push((ticket, name));
        }
        if page.next.is_none() || page.tickets.len() >= DOWNLOAD_TICKETS_MAX {
            return Ok(page);
        }
    }
}

/// `nonce[12] | AES-256-GCM` of the holder's name under [`lock_key`] of the ticket's own code: who
/// has the device and not the ticket cannot read it.
fn locked_name(app: &App, book: &Book, ticket: &Ticket) -> Result<Option<Vec<u8>>> {
    let Some(person) = &ticket.person else { return Ok(None) };
    let key = if ticket.rotation.is_some() {
        // The signature ends the head; a ticket that is bound to nothing yet has none.
        let head = rotation::head(book, ticket);
        head.and_then(|head| head.last_chunk::<64>().map(|signature| lock_key_of(signature)))
    } else {
        lock_key(&ticket::code(book, ticket)?)
    };
    let Some(key) = key else { return Ok(None) };
    let mut text = registration::open(&app.vault, person)?.name.into_bytes();
    let nonce: [u8; 12] = secret::random()?;
    let key = UnboundKey::new(&AES_256_GCM, &key).map_err(Error::internal)?;
    let key = LessSafeKey::new(key);
    key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::empty(), &mut text)
        .map_err(Error::internal)?;
    Ok(Some([nonce.as_slice(), &text].concat()))
}
