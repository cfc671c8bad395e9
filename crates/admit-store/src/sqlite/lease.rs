//! Leases in SQLite: which device may admit the tickets of a type alone, and giving them back.

use admit_core::id::{DeviceNo, Digest, EventNo, TypeNo, UnixMs};
use admit_core::offline::known::ShortDigest;
use rusqlite::{Connection, OptionalExtension, params};

use super::row::collect;
use crate::Result;
use crate::admission::ScanRecord;
use crate::offline::{Contact, RECALLED_MAX};

/// The device that holds the leases of a type.
pub(super) fn holder(tx: &Connection, event: EventNo, kind: TypeNo) -> Result<Option<DeviceNo>> {
    let holder: Option<Option<i64>> = tx
        .prepare_cached("SELECT lease_holder FROM ticket_type WHERE event = ?1 AND number = ?2")?
        .query_row(params![event.0, kind.0], |row| row.get(0))
        .optional()?;
    Ok(holder.flatten().map(DeviceNo))
}

/// Whether a ticket's lease was given back.
pub(super) fn is_returned(tx: &Connection, event: EventNo, digest: Digest) -> Result<bool> {
    let returned: Option<Option<i64>> = tx
        .prepare_cached("SELECT returned_at FROM recall WHERE event = ?1 AND digest = ?2")?
        .query_row(params![event.0, digest.0], |row| row.get(0))
        .optional()?;
    Ok(returned.flatten().is_some())
}

/// Asks `holder` to give a ticket's lease back, for the gate of this scan.
pub(super) fn recall(
    tx: &Connection,
    record: &ScanRecord,
    digest: Digest,
    holder: DeviceNo,
) -> Result<()> {
    tx.prepare_cached("INSERT OR IGNORE INTO recall VALUES (?1, ?2, ?3, ?4, ?5, NULL)")?
        .execute(params![record.event.0, digest.0, record.type_no.0, holder.0, record.scan.at.0])?;
    Ok(())
}

/// Gives the leases of a type to the device that shall have them, if nobody holds them or they are
/// given back. What was recalled from the last holder is theirs again: the position from which they
/// hold says that they must know what happened since.
pub(super) fn grant_if_free(tx: &Connection, event: EventNo, kind: TypeNo) -> Result<()> {
    let granted = tx.execute(
        "UPDATE ticket_type SET lease_holder = lease_device,
           lease_since = (SELECT COALESCE(MAX(seq), 0) FROM scan)
         WHERE event = ?1 AND number = ?2 AND lease_holder IS NULL AND lease_device IS NOT NULL",
        params![event.0, kind.0],
    )?;
    if granted > 0 {
        tx.execute(
            "DELETE FROM recall WHERE event = ?1 AND type_no = ?2",
            params![event.0, kind.0],
        )?;
    }
    Ok(())
}

/// Takes the leases of a device that was removed: whoever removes it answers for it.
pub(super) fn release_all(tx: &Connection, event: EventNo, device: DeviceNo) -> Result<()> {
    tx.execute(
        "UPDATE ticket_type SET lease_device = NULL WHERE event = ?1 AND lease_device = ?2",
        params![event.0, device.0],
    )?;
    let kinds = held_types(tx, event, device, false)?;
    for kind in kinds {
        release(tx, event, kind)?;
    }
    Ok(())
}

fn release(tx: &Connection, event: EventNo, kind: TypeNo) -> Result<()> {
    tx.execute(
        "UPDATE ticket_type SET lease_holder = NULL WHERE event = ?1 AND number = ?2",
        params![event.0, kind.0],
    )?;
    grant_if_free(tx, event, kind)
}

/// Types whose leases a device holds; with `recalled`, only those that it shall not.
pub(super) fn held_types(
    tx: &Connection,
    event: EventNo,
    device: DeviceNo,
    recalled: bool,
) -> Result<Vec<TypeNo>> {
    let mut statement = tx.prepare_cached(
        "SELECT number FROM ticket_type WHERE event = ?1 AND lease_holder = ?2
           AND (NOT ?3 OR lease_device IS NOT lease_holder) ORDER BY number",
    )?;
    collect(&mut statement, params![event.0, device.0, recalled], "ticket_type", |columns| {
        columns.type_no("number")
    })
}

pub(super) fn take_back_leases(
    tx: &Connection,
    (event, device): (EventNo, DeviceNo),
    contact: &Contact,
    at: UnixMs,
) -> Result<()> {
    for ticket in &contact.returned {
        // Only what was asked for: a short name is looked up among few.
        tx.prepare_cached(
            "UPDATE recall SET returned_at = ?4
             WHERE event = ?1 AND device = ?2 AND substr(digest, 1, 8) = ?3
               AND returned_at IS NULL",
        )?
        .execute(params![event.0, device.0, ticket.0, at.0])?;
    }
    let recalled = held_types(tx, event, device, true)?;
    for kind in contact.returned_types.iter().filter(|kind| recalled.contains(kind)) {
        release(tx, event, *kind)?;
    }
    Ok(())
}

pub(super) fn recalled_tickets(
    connection: &Connection,
    event: EventNo,
    device: DeviceNo,
) -> Result<Vec<ShortDigest>> {
    let mut statement = connection.prepare_cached(
        "SELECT digest FROM recall WHERE event = ?1 AND device = ?2 AND returned_at IS NULL
         ORDER BY asked_at LIMIT ?3",
    )?;
    collect(&mut statement, params![event.0, device.0, RECALLED_MAX], "recall", |columns| {
        Ok(ShortDigest::from(Digest(columns.bytes("digest")?)))
    })
}
