//! A gate that admits by itself: it holds public keys and what it knows to be spent, and needs
//! nobody to decide. The same verification and the same [`decide`] as the server.

use std::collections::{BTreeMap, BTreeSet};

use data_encoding::BASE64URL_NOPAD;
use serde::{Deserialize, Serialize};

use crate::admission::{Entry, History, Rules, Scan, Verdict, decide, exhausted};
use crate::id::{DeviceNo, Digest, EventNo, GateNo, KeyNo, UnixMs};
use crate::newest::{Newest, Reckoned};
use crate::pass::{Calendar, Direction, Pass};
use crate::reason::Reason;
use crate::spent::{ENTRIES_MAX, Imported, SpentEntry, SpentList, import, scan_id};
use crate::ticket::{Grant, Invalid, KeyRing, RingKey, VerifyKey};

/// A gate with its memory.
pub struct EdgeGate {
    event: EventNo,
    device: DeviceNo,
    gate: GateNo,
    ring: KeyRing,
    rules: Rules,
    /// What is known of each ticket that was seen here or told by another gate.
    spent: BTreeMap<Digest, History>,
    /// Which entries of other devices are in `spent` already.
    learnt: BTreeSet<(DeviceNo, u64)>,
    /// What was admitted here, in order.
    journal: Vec<SpentEntry>,
    /// The newest time it saw.
    clock: Newest,
}

/// What an edge gate is made of: the answer to enrolling it, and where it stands.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EdgeSetup {
    /// Number of the event.
    pub event_number: u32,
    /// Number of the device.
    pub device: i64,
    /// Public keys of the event's tickets.
    pub keys: Vec<EdgeKey>,
}

/// A public key.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EdgeKey {
    number: u8,
    /// 32 bytes in base64url; none for a key that only the server holds.
    public_key: Option<String>,
    #[serde(default)]
    not_after: Option<i64>,
}

impl EdgeSetup {
    /// The gate; none when a key is not understood.
    pub fn open(&self, gate: GateNo) -> Option<EdgeGate> {
        let event = EventNo(self.event_number);
        let mut ring = KeyRing::default();
        for key in &self.keys {
            let verify = match &key.public_key {
                None => VerifyKey::Elsewhere,
                Some(text) => {
                    let bytes = BASE64URL_NOPAD.decode(text.as_bytes()).ok()?;
                    VerifyKey::ed25519(&bytes.try_into().ok()?)?
                }
            };
            let entry = RingKey { key: verify, not_after: key.not_after.map(UnixMs) };
            ring.add(event, KeyNo(key.number), entry);
        }
        Some(EdgeGate::new(event, DeviceNo(self.device), gate, ring, None))
    }
}

/// The gate's answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EdgeVerdict {
    /// Admit or refuse.
    pub verdict: Verdict,
    /// Whether the signature is right; none when nobody looked, for the ticket is known to be spent.
    pub signature: Option<bool>,
    /// The ticket's name in the spend table, if the code names a ticket at all.
    pub digest: Option<Digest>,
    /// What the token grants, once its signature was checked.
    pub grant: Option<Grant>,
}

impl EdgeGate {
    /// A gate that has seen nothing.
    pub fn new(
        event: EventNo,
        device: DeviceNo,
        gate: GateNo,
        ring: KeyRing,
        closes_at: Option<UnixMs>,
    ) -> Self {
        Self {
            event,
            device,
            gate,
            ring,
            rules: Rules {
                gate_open: true,
                closes_at,
                held_by: None,
                pass: Pass::default(),
                calendar: Calendar::default(),
            },
            spent: BTreeMap::new(),
            learnt: BTreeSet::new(),
            journal: Vec::new(),
            clock: Newest::default(),
        }
    }

    /// Judges a code and changes nothing.
    pub fn verify(&self, code: &str, now: UnixMs) -> EdgeVerdict {
        self.judge(code, now).0
    }

    /// Judges a code and, when it is admitted, uses the ticket; the entry to be made durable before
    /// anybody is let in.
    pub fn consume(&mut self, code: &str, now: UnixMs) -> (EdgeVerdict, Option<SpentEntry>) {
        let (verdict, next) = self.judge(code, now);
        self.clock = self.clock.at(now).0;
        let (Some(digest), Some(history)) = (verdict.digest, next) else { return (verdict, None) };
        self.spent.insert(digest, history);
        let entry = SpentEntry { sequence: self.next_sequence(), gate: self.gate, at: now, digest };
        self.journal.push(entry);
        (verdict, Some(entry))
    }

    fn judge(&self, code: &str, now: UnixMs) -> (EdgeVerdict, Option<History>) {
        let claimed = KeyRing::claimed(self.event, code);
        // By a clock that was turned back, old codes and tickets whose time is over look good.
        if let (_, Reckoned::TurnedBack(_)) = self.clock.at(now) {
            let digest = claimed.map(|grant| grant.digest());
            return (refused(Reason::DeviceClock, None, digest), None);
        }
        // What is known to be spent is refused before anything else is looked at. The number of uses
        // is only claimed at this point, but a forged one would be refused as well.
        if let Some(grant) = claimed
            && self.uses(grant.digest()) >= u32::from(grant.max_uses)
            && grant.max_uses != 0
        {
            let reason = exhausted(grant.max_uses);
            return (refused(reason, None, Some(grant.digest())), None);
        }
        let ticket = match self.ring.verify(self.event, code, now) {
            Ok(ticket) => ticket,
            Err(invalid) => {
                let digest = claimed.map(|grant| grant.digest());
                // A gate without the key cannot say whether the signature is right.
                let signature = (invalid != Invalid::KeyNotHere).then_some(false);
                return (refused(invalid.into(), signature, digest), None);
            }
        };
        let history = self.spent.get(&ticket.digest()).copied().unwrap_or(History::FRESH);
        let sequence = self.next_sequence();
        let scan = Scan {
            id: scan_id(self.device, sequence),
            device: self.device,
            gate: self.gate,
            at: now,
            direction: Direction::Entry,
        };
        let decision = decide(&ticket, &scan, Some(&history), &self.rules);
        let verdict = EdgeVerdict {
            verdict: decision.verdict,
            signature: Some(true),
            digest: Some(ticket.digest()),
            grant: Some(*ticket.grant()),
        };
        (verdict, decision.next)
    }

    fn uses(&self, digest: Digest) -> u32 {
        self.spent.get(&digest).map_or(0, |history| history.uses)
    }

    fn next_sequence(&self) -> u64 {
        self.journal.last().map_or(0, |entry| entry.sequence).saturating_add(1)
    }

    /// What was admitted here after entry `sequence`, as a list to be signed.
    pub fn spent_after(&self, sequence: u64) -> SpentList {
        let after = self.journal.iter().filter(|entry| entry.sequence > sequence);
        let entries = after.take(ENTRIES_MAX).copied().collect();
        SpentList { event: self.event, device: self.device, entries }
    }

    /// Learns what another gate admitted; how many of its entries were new. Lists may come twice and
    /// in any order.
    pub fn learn(&mut self, list: &SpentList) -> usize {
        if list.event != self.event || list.device == self.device {
            return 0;
        }
        let mut learnt = 0;
        for spent in &list.entries {
            if !self.learnt.insert((list.device, spent.sequence)) {
                continue;
            }
            learnt += 1;
            let entry = Entry {
                scan: scan_id(list.device, spent.sequence),
                device: list.device,
                gate: spent.gate,
                at: spent.at,
            };
            let history = self.spent.entry(spent.digest).or_insert(History::FRESH);
            // How often the ticket may be used is asked when it comes; here its uses are counted.
            if let Imported::Stored(next) = import(history, 0, entry) {
                *history = next;
            }
        }
        learnt
    }
}

/// The answer under the seed's names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EdgeAnswer {
    admitted: bool,
    offline: bool,
    server_required: bool,
    reason: Option<&'static str>,
    /// Null when nobody looked.
    signature_valid: Option<bool>,
    uses_remaining: Option<u32>,
    proof_digest: Option<String>,
    /// Sequence number of the entry that was made, when one was.
    sequence: Option<u64>,
}

impl EdgeAnswer {
    /// A verdict and the entry it made.
    pub fn of(verdict: &EdgeVerdict, entry: Option<SpentEntry>) -> Self {
        let (admitted, reason, uses_remaining) = match verdict.verdict {
            Verdict::Admit(admission) => (true, None, admission.uses_remaining),
            Verdict::Refuse(Reason::AlreadyUsed | Reason::UsesExhausted) => {
                (false, Some("proof_digest_spent"), Some(0))
            }
            Verdict::Refuse(reason) => (false, Some(reason.code()), None),
        };
        Self {
            admitted,
            offline: true,
            server_required: false,
            reason,
            signature_valid: verdict.signature,
            uses_remaining,
            proof_digest: verdict.digest.map(|digest| digest.to_string()),
            sequence: entry.map(|entry| entry.sequence),
        }
    }
}

fn refused(reason: Reason, signature: Option<bool>, digest: Option<Digest>) -> EdgeVerdict {
    EdgeVerdict { verdict: Verdict::Refuse(reason), signature, digest, grant: None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{GateSet, TicketId, TypeNo};
    use crate::ticket::tests::{EVENT, ring, secret};
    use crate::ticket::{Algorithm, Format};

    const NOW: UnixMs = UnixMs(1_700_000_000_000);

    fn gate(number: u16) -> EdgeGate {
        let device = DeviceNo(i64::from(number));
        EdgeGate::new(EVENT, device, GateNo(number), ring(Algorithm::Ed25519), None)
    }

    fn code(ticket: u64, max_uses: u8) -> String {
        let grant = Grant {
            event: EVENT,
            ticket: TicketId(ticket),
            type_no: TypeNo(1),
            not_before_s: 0,
            expires_s: 0,
            max_uses,
            gates: GateSet::of(&[GateNo(1), GateNo(2)]).unwrap(),
        };
        secret(Algorithm::Ed25519).sign(Format::Compact, KeyNo(1), &grant)
    }

    fn admitted(verdict: &EdgeVerdict) -> bool {
        matches!(verdict.verdict, Verdict::Admit(_))
    }

    #[test]
    fn a_ticket_is_consumed_once_at_an_edge_gate() {
        let mut gate = gate(1);
        let code = code(9, 1);
        assert!(admitted(&gate.verify(&code, NOW)));
        assert!(admitted(&gate.consume(&code, NOW).0));
        assert_eq!(gate.consume(&code, NOW).0.verdict, Verdict::Refuse(Reason::AlreadyUsed));
        assert_eq!(gate.spent_after(0).entries.len(), 1);
    }

    #[test]
    fn a_gate_whose_clock_was_turned_back_admits_nobody_by_an_old_code() {
        let mut gate = gate(1);
        assert!(admitted(&gate.consume(&code(9, 1), NOW).0));
        let back = gate.consume(&code(10, 1), NOW.plus(-600_000)).0;
        assert_eq!(back.verdict, Verdict::Refuse(Reason::DeviceClock));
        assert!(admitted(&gate.consume(&code(10, 1), NOW.plus(1)).0));
    }

    #[test]
    fn another_gate_refuses_what_it_was_told_without_looking_at_the_signature() {
        let (mut here, mut there) = (gate(1), gate(2));
        let code = code(9, 1);
        here.consume(&code, NOW);
        assert_eq!(there.learn(&here.spent_after(0)), 1);
        assert_eq!(there.learn(&here.spent_after(0)), 0);
        let refused = there.verify(&code, NOW);
        assert_eq!(refused.verdict, Verdict::Refuse(Reason::AlreadyUsed));
        assert_eq!(refused.signature, None);
    }

    #[test]
    fn a_ticket_for_two_entries_has_one_left_after_one_elsewhere() {
        let (mut here, mut there) = (gate(1), gate(2));
        let code = code(9, 2);
        here.consume(&code, NOW);
        there.learn(&here.spent_after(0));
        assert!(admitted(&there.consume(&code, NOW).0));
        assert!(!admitted(&there.consume(&code, NOW).0));
    }

    #[test]
    fn a_valid_ticket_at_the_wrong_gate_is_denied_and_its_signature_is_right() {
        let denied = gate(3).verify(&code(9, 1), NOW);
        assert_eq!(denied.verdict, Verdict::Refuse(Reason::EntryPointDenied));
        assert_eq!(denied.signature, Some(true));
    }

    #[test]
    fn a_ticket_of_a_shared_secret_is_refused_where_only_public_keys_are() {
        let grant = KeyRing::claimed(EVENT, &code(9, 1)).unwrap();
        let shared = secret(Algorithm::HmacSha256).sign(Format::Compact, KeyNo(2), &grant);
        let mut gate = gate(1);
        gate.ring.add(EVENT, KeyNo(2), RingKey { key: VerifyKey::Elsewhere, not_after: None });
        let (told, entry) = gate.consume(&shared, NOW);
        assert_eq!((told.verdict, told.signature), (Verdict::Refuse(Reason::Invalid), None));
        assert_eq!(entry, None);
    }

    #[test]
    fn a_forged_code_is_told_as_forged() {
        let mut forged = code(9, 1);
        forged.replace_range(60..61, if &forged[60..61] == "A" { "B" } else { "A" });
        let told = gate(1).verify(&forged, NOW);
        assert_eq!(told.verdict, Verdict::Refuse(Reason::Invalid));
    }
}
