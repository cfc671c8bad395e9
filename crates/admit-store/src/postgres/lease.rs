//! Leases in PostgreSQL: which device may admit the tickets of a type alone, and giving them back.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use admit_core::id::{DeviceNo, Digest, EventNo, TypeNo, UnixMs};
use admit_core::ticket::Verified;
use deadpool_postgres::{GenericClient, Transaction};
use tokio_postgres::Row;

use super::admission::number;
use super::row::{Columns, collect, first};
use super::{Done, query};
use crate::Result;
use crate::offline::Contact;

/// The leases of the batch's events, with the version that they are of.
pub(super) const LEASES: &str =
    "SELECT log.event, log.leases, type.number AS type_no, type.lease_holder
     FROM log LEFT JOIN ticket_type AS type
       ON type.event = log.event AND type.lease_holder IS NOT NULL
     WHERE log.event = ANY($1)";

/// Which of the batch's tickets were given back by the holder of their lease.
pub(super) const RETURNED: &str =
    "SELECT found.* FROM unnest($1::bigint[], $2::bytea[]) AS wanted (event, digest)
     CROSS JOIN LATERAL (SELECT event, digest FROM recall WHERE recall.event = wanted.event
       AND recall.digest = wanted.digest AND returned_at IS NOT NULL OFFSET 0) AS found";

/// The leases as they were when a batch was read.
#[derive(Default)]
pub(super) struct Leases {
    /// Who holds the leases of a type.
    holders: HashMap<(EventNo, TypeNo), DeviceNo>,
    /// Tickets whose lease was given back.
    returned: BTreeSet<(EventNo, Digest)>,
    /// Which version of an event's leases this is.
    versions: BTreeMap<EventNo, i64>,
}

impl Leases {
    /// Takes in what [`LEASES`] and [`RETURNED`] found.
    pub(super) fn read(leases: &[Row], returned: &[Row]) -> Result<Self> {
        let mut all = Self::default();
        for row in leases {
            let columns = Columns { row, table: "ticket_type" };
            let event = columns.event()?;
            all.versions.insert(event, columns.int("leases")?);
            if let Some(kind) = columns.small_or_none("type_no")? {
                let holder = DeviceNo(columns.int("lease_holder")?);
                all.holders.insert((event, TypeNo(kind)), holder);
            }
        }
        for row in returned {
            let columns = Columns { row, table: "recall" };
            all.returned.insert((columns.event()?, Digest(columns.bytes("digest")?)));
        }
        Ok(all)
    }

    /// The device that alone may admit a ticket.
    pub(super) fn held_by(&self, ticket: &Verified) -> Option<DeviceNo> {
        let (event, kind) = (ticket.grant().event, ticket.grant().type_no);
        let returned = self.returned.contains(&(event, ticket.digest()));
        self.holders.get(&(event, kind)).copied().filter(|_| !returned)
    }

    /// Whether this is still the version of the logs that are now held.
    pub(super) fn stand(&self, logs: &[Row]) -> Result<bool> {
        for row in logs {
            let columns = Columns { row, table: "log" };
            if self.versions.get(&columns.event()?) != Some(&columns.int("leases")?) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// Gives the leases of a type to the device that shall have them, if nobody holds them. Holds the
/// event's log: admissions that were decided by the old leases and not yet written are decided again.
pub(super) async fn grant_if_free(tx: &Transaction<'_>, event: EventNo, kind: TypeNo) -> Done<()> {
    let of = (number(event), i64::from(kind.0));
    let sql = "SELECT 1 FROM ticket_type WHERE event = $1 AND number = $2
           AND lease_holder IS NULL AND lease_device IS NOT NULL FOR UPDATE";
    if query(tx, sql, &[&of.0, &of.1]).await?.is_empty() {
        return Ok(());
    }
    let sql = "UPDATE log SET leases = leases + 1 WHERE event = $1 RETURNING position";
    let rows = query(tx, sql, &[&of.0]).await?;
    let position = first(&rows, "log", |columns| columns.int("position"))?.unwrap_or_default();
    let sql = "UPDATE ticket_type SET lease_holder = lease_device, lease_since = $3
         WHERE event = $1 AND number = $2";
    query(tx, sql, &[&of.0, &of.1, &position]).await?;
    let sql = "DELETE FROM recall WHERE event = $1 AND type_no = $2";
    query(tx, sql, &[&of.0, &of.1]).await?;
    Ok(())
}

/// Takes the leases of a device that was removed: whoever removes it answers for it.
pub(super) async fn release_all(
    tx: &Transaction<'_>,
    event: EventNo,
    device: DeviceNo,
) -> Done<()> {
    let sql = "UPDATE ticket_type SET lease_device = NULL WHERE event = $1 AND lease_device = $2";
    query(tx, sql, &[&number(event), &device.0]).await?;
    for kind in held_types(tx, event, device, false).await? {
        release(tx, event, kind).await?;
    }
    Ok(())
}

async fn release(tx: &Transaction<'_>, event: EventNo, kind: TypeNo) -> Done<()> {
    let sql = "UPDATE ticket_type SET lease_holder = NULL WHERE event = $1 AND number = $2";
    query(tx, sql, &[&number(event), &i64::from(kind.0)]).await?;
    grant_if_free(tx, event, kind).await
}

pub(super) async fn lock_held_types(
    tx: &Transaction<'_>,
    event: EventNo,
    device: DeviceNo,
) -> Done<()> {
    let sql = "SELECT 1 FROM ticket_type WHERE event = $1 AND lease_holder = $2
         ORDER BY number FOR UPDATE";
    query(tx, sql, &[&number(event), &device.0]).await?;
    Ok(())
}

/// Types whose leases a device holds; with `recalled`, only those that it shall not.
pub(super) async fn held_types(
    client: &impl GenericClient,
    event: EventNo,
    device: DeviceNo,
    recalled: bool,
) -> Done<Vec<TypeNo>> {
    let sql = "SELECT number FROM ticket_type WHERE event = $1 AND lease_holder = $2
           AND (NOT $3 OR lease_device IS DISTINCT FROM lease_holder) ORDER BY number";
    let rows = query(client, sql, &[&number(event), &device.0, &recalled]).await?;
    Ok(collect(&rows, "ticket_type", |columns| columns.type_no("number"))?)
}

pub(super) async fn take_back_leases(
    tx: &Transaction<'_>,
    (event, device): (EventNo, DeviceNo),
    contact: &Contact,
    at: UnixMs,
) -> Done<()> {
    if !contact.returned.is_empty() {
        let names: Vec<_> = contact.returned.iter().map(|name| name.0.as_slice()).collect();
        // Only what was asked for: a short name is looked up among few.
        let sql = "UPDATE recall SET returned_at = $4 WHERE event = $1 AND device = $2
             AND substring(digest FROM 1 FOR 8) = ANY($3) AND returned_at IS NULL";
        query(tx, sql, &[&number(event), &device.0, &names, &at.0]).await?;
    }
    if contact.returned_types.is_empty() {
        return Ok(());
    }
    let recalled = held_types(tx, event, device, true).await?;
    for kind in contact.returned_types.iter().filter(|kind| recalled.contains(kind)) {
        release(tx, event, *kind).await?;
    }
    Ok(())
}
