//! Which rows a batch of scans looks at.

use std::collections::BTreeSet;

use admit_core::id::{Digest, EventNo};

use super::{Asked, Name, number};

/// Keys of the rows that a batch looks at, each once and in order.
#[derive(Default)]
pub(in crate::postgres) struct Keys {
    spends: BTreeSet<(EventNo, Digest)>,
    /// Those of anonymous tickets, which may have no row yet.
    bearers: BTreeSet<(EventNo, Digest)>,
    names: BTreeSet<Name>,
    pub(in crate::postgres) events: Vec<i64>,
}

impl Keys {
    pub(in crate::postgres) fn of<'a>(asked: impl Iterator<Item = &'a Asked>) -> Self {
        let mut keys = Self::default();
        for (ticket, scan, ..) in asked {
            let event = ticket.grant().event;
            keys.spends.insert((event, ticket.digest()));
            if ticket.is_anonymous() {
                keys.bearers.insert((event, ticket.digest()));
            }
            keys.names.insert((event, scan.device, scan.id));
        }
        let events: BTreeSet<_> = keys.spends.iter().map(|(event, _)| number(*event)).collect();
        keys.events = events.into_iter().collect();
        keys
    }

    pub(in crate::postgres) fn spends(&self) -> (Vec<i64>, Vec<&[u8]>) {
        self.spends.iter().map(|(event, digest)| (number(*event), digest.0.as_slice())).unzip()
    }

    /// The rows that must be there before they are locked.
    pub(in crate::postgres) fn bearers(&self) -> (Vec<i64>, Vec<&[u8]>) {
        self.bearers.iter().map(|(event, digest)| (number(*event), digest.0.as_slice())).unzip()
    }

    pub(in crate::postgres) fn names(&self) -> (Vec<i64>, Vec<i64>, Vec<&[u8]>) {
        let (mut events, mut devices, mut ids) = (Vec::new(), Vec::new(), Vec::new());
        for (event, device, id) in &self.names {
            events.push(number(*event));
            devices.push(device.0);
            ids.push(id.0.as_slice());
        }
        (events, devices, ids)
    }
}
