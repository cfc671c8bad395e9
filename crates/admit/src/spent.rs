//! Spent proofs: the server's own signed list, and the lists that gates bring (seed 004).

use admit_core::id::{DeviceNo, EventNo, GateNo};
use admit_core::log::note::{NoteSigner, Verifier};
use admit_core::spent::{ENTRIES_MAX, SpentEntry, SpentError, SpentList, signer_name};
use admit_core::stats::Outcome;
use admit_core::ticket::digest;
use admit_store::PAGE_ROWS_MAX;
use admit_store::admission::ScanRecord;
use admit_store::spent::{Conflict, IMPORT_ENTRIES_MAX, Import};

use crate::App;
use crate::error::{Error, Result};
use crate::log::{self, Inclusion};
use crate::secret;

/// The server, as a device among the devices of an event.
const SERVER: DeviceNo = DeviceNo(0);

/// A signed list and what it says.
pub struct Export {
    /// The list.
    pub list: SpentList,
    /// The list signed, as text.
    pub signed: String,
    /// What checks the signature.
    pub vkey: String,
    /// Where the next export begins; none when this was all.
    pub next: Option<u64>,
}

fn signer(app: &App, event: EventNo) -> Result<NoteSigner> {
    let seed = secret::derive(&app.spent_key, &event.0.to_string());
    NoteSigner::new(&signer_name(event, SERVER), &seed).map_err(Error::internal)
}

/// The entries of an event after position `after` that still count, of one gate or of all: signed
/// by the server, for gates that could not ask it.
pub async fn export(app: &App, event: EventNo, gate: GateNo, after: u64) -> Result<Export> {
    let mut entries: Vec<SpentEntry> = Vec::new();
    let mut undone = Vec::new();
    let mut position = after.cast_signed();
    let mut next = None;
    loop {
        let scans = app.store.scans_after(event, position, PAGE_ROWS_MAX).await?;
        let Some(last) = scans.last() else { break };
        position = last.seq;
        for scan in scans.iter().filter(|scan| gate == GateNo(0) || scan.scan.gate == gate) {
            match scan.outcome {
                Outcome::Admit { .. } => entries.push(entry(scan)),
                Outcome::Undo { .. } => undone.push(scan.scan),
                Outcome::Refuse(_) | Outcome::Exit { .. } => {}
            }
        }
        if entries.len() + usize::try_from(PAGE_ROWS_MAX).unwrap_or(0) > ENTRIES_MAX {
            next = Some(position.cast_unsigned());
            break;
        }
    }
    if !undone.is_empty() {
        let mut counting = Vec::with_capacity(entries.len());
        for entry in entries {
            if counts(app, event, entry).await? {
                counting.push(entry);
            }
        }
        entries = counting;
    }
    let list = SpentList { event, device: SERVER, entries };
    let key = signer(app, event)?;
    let signed = list.sign(&key).map_err(Error::internal)?;
    Ok(Export { list, signed, vkey: key.vkey(), next })
}

/// Whether an entry was not taken back since.
async fn counts(app: &App, event: EventNo, entry: SpentEntry) -> Result<bool> {
    let at = entry.sequence.cast_signed().saturating_sub(1);
    let scans = app.store.scans_after(event, at, 1).await?;
    let Some(scan) = scans.first() else { return Ok(false) };
    let story = app.store.scans_of(event, scan.ticket).await?;
    Ok(!story.iter().any(|later| {
        matches!(later.outcome, Outcome::Undo { .. })
            && later.scan.id == scan.scan.id
            && later.scan.device == scan.scan.device
    }))
}

fn entry(scan: &ScanRecord) -> SpentEntry {
    SpentEntry {
        sequence: scan.seq.cast_unsigned(),
        gate: scan.scan.gate,
        at: scan.scan.at,
        digest: digest(scan.event, scan.ticket),
    }
}

/// The spent proof of one scan: a signed list of one entry.
pub fn proof(app: &App, scan: &ScanRecord) -> Result<(SpentEntry, String)> {
    let entry = entry(scan);
    let list = SpentList { event: scan.event, device: SERVER, entries: vec![entry] };
    let signed = list.sign(&signer(app, scan.event)?).map_err(Error::internal)?;
    Ok((entry, signed))
}

/// Takes in a signed list; the proof is that of the newest leaf, if anything was new. Our own lists
/// tell us nothing new.
pub async fn sync(app: &App, event: EventNo, signed: &str) -> Result<(Import, Option<Inclusion>)> {
    let mut devices = known_devices(app, event)?;
    devices.push(signer(app, event)?.verifier().clone());
    let list = SpentList::open(signed, &devices).map_err(refused)?;
    if list.event != event {
        return Err(Error::field("list", "The list is of another event."));
    }
    let mut all = Import::default();
    let mut proof = None;
    if list.device == SERVER {
        all.duplicates = u32::try_from(list.entries.len()).unwrap_or(u32::MAX);
        return Ok((all, proof));
    }
    for entries in list.entries.chunks(IMPORT_ENTRIES_MAX) {
        let key = app.log.leaf_key(event);
        let (import, logged) =
            app.store.import_spent(event, list.device, entries.to_vec(), app.now(), key).await?;
        all.extend(import);
        if let Some(logged) = logged {
            proof = Some(log::proved(app, event, logged, None).await?);
        }
    }
    Ok((all, proof))
}

fn refused(error: SpentError) -> Error {
    Error::field("list", format!("This list is not taken: {error}."))
}

/// The keys of the event's devices that can sign and were not removed.
fn known_devices(app: &App, event: EventNo) -> Result<Vec<Verifier>> {
    let book = app.books.now();
    let signing = book.devices_of(event).filter(|device| device.revoked_at.is_none());
    let keys = signing.filter_map(|device| Some((device.number, device.public_key?)));
    keys.map(|(number, key)| {
        Verifier::ed25519(&signer_name(event, number), &key).map_err(Error::internal)
    })
    .collect()
}

/// The newest conflicts of an event, of one device or of all.
pub async fn conflicts(
    app: &App,
    event: EventNo,
    device: Option<DeviceNo>,
) -> Result<Vec<Conflict>> {
    Ok(app.store.conflicts(event, device, PAGE_ROWS_MAX).await?)
}
