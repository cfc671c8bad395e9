//! What a gate is given to judge by itself, and how it judges: the same verification and the same
//! [`decide`] as the server, over what the device knows.

use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use serde::{Deserialize, Serialize};

use crate::admission::{History, Rules, Scan, Verdict, decide};
use crate::id::{DeviceNo, EventNo, GateNo, GateSet, KeyNo, ScanId, TicketId, TypeNo, UnixMs};
use crate::link;
use crate::offline::Policy;
use crate::offline::device::Terms;
use crate::pass::{Calendar, Direction, Pass, today};
use crate::reason::Reason;
use crate::ticket::anonymous::{IssuerKey, IssuerTerms};
use crate::ticket::rotating::Challenge;
use crate::ticket::{Algorithm, Invalid, KeyRing, RingKey, Verified, VerifyKey};

/// The part of `GET /v1/gate` that the rules need; the rest of the answer is for the eye.
#[derive(Clone, Debug, Deserialize)]
pub struct Setup {
    event: SetupEvent,
    gates: Vec<SetupGate>,
    ticket_types: Vec<SetupType>,
    #[serde(default)]
    days: Vec<SetupDay>,
    keys: Vec<SetupKey>,
    /// Keys of anonymous tickets.
    #[serde(default)]
    issuer_keys: Vec<SetupIssuer>,
}

#[derive(Clone, Debug, Deserialize)]
struct SetupEvent {
    number: u32,
    #[serde(default)]
    closes_at_ms: Option<i64>,
    /// Longest time without the server after which gates still admit; 0 for what a build without
    /// this said.
    #[serde(default)]
    offline_hours: u16,
}

#[derive(Clone, Debug, Deserialize)]
struct SetupGate {
    number: u16,
    open: bool,
}

#[derive(Clone, Debug, Deserialize)]
struct SetupType {
    number: u8,
    name: String,
    /// What gates may do without the server.
    #[serde(default)]
    offline: Option<String>,
    /// From which position on this device holds the lease; none when it does not.
    #[serde(default)]
    lease_since: Option<i64>,
    #[serde(default)]
    pass: Pass,
}

/// A day where the event is, and the month that ends with it.
#[derive(Clone, Copy, Debug, Deserialize)]
struct SetupDay {
    day_from_ms: i64,
    month_from_ms: i64,
}

#[derive(Clone, Debug, Deserialize)]
struct SetupKey {
    key_id: u8,
    algorithm: String,
    public_key: Option<String>,
    #[serde(default)]
    not_after_ms: Option<i64>,
}

/// A key of anonymous tickets, with what they are good for.
#[derive(Clone, Debug, Deserialize)]
struct SetupIssuer {
    public_key: String,
    challenge_digest: String,
    type_number: u8,
    not_before_s: u32,
    expires_s: u32,
    max_uses: u8,
    gates: u16,
    #[serde(default)]
    not_after_ms: Option<i64>,
}

/// A device's answer about a code, before or without the server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LocalVerdict {
    /// `admit`, `refuse`, or `ask_server` when only the server can say.
    pub verdict: &'static str,
    /// The reason's code, when refused.
    pub reason: Option<&'static str>,
    /// A sentence for staff.
    pub message: &'static str,
    /// The ticket, when the code is genuine.
    pub ticket: Option<LocalTicket>,
    /// Entries it is good for, 0 for any number.
    pub max_uses: Option<u8>,
    /// Its digest, hexadecimal.
    pub digest: Option<String>,
}

/// What a device may show about a ticket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LocalTicket {
    /// The ticket number for people.
    pub number: String,
    /// Number of its type.
    pub type_number: u8,
    /// Name of its type; empty when the device does not know the type.
    pub type_name: String,
    /// Whether its issuer signed it unseen.
    pub anonymous: bool,
    /// Until when it is good, Unix ms; none for no bound.
    pub expires_at_ms: Option<i64>,
}

/// A device's rules, ready to judge.
pub struct Judge {
    event: EventNo,
    ring: KeyRing,
    gates: Vec<SetupGate>,
    types: Vec<SetupType>,
    days: Vec<SetupDay>,
    closes_at: Option<UnixMs>,
    offline_hours: u16,
}

/// What a gate does with a code before it asks anybody.
pub enum Read {
    /// A genuine ticket.
    Genuine(Verified),
    /// Nothing that this place could vouch for.
    Refused(Reason),
    /// Only the server can tell.
    AskServer,
}

impl Judge {
    /// The rules in a gate's setup; none when one of its keys is not understood, for a gate must
    /// not quietly refuse the tickets of such a key.
    pub fn new(setup: Setup) -> Option<Self> {
        let event = EventNo(setup.event.number);
        let mut ring = KeyRing::default();
        for key in &setup.keys {
            let entry = RingKey { key: verify_key(key)?, not_after: key.not_after_ms.map(UnixMs) };
            ring.add(event, KeyNo(key.key_id), entry);
        }
        for key in &setup.issuer_keys {
            ring.add_issuer(issuer_key(event, key)?);
        }
        Some(Self {
            event,
            ring,
            gates: setup.gates,
            types: setup.ticket_types,
            days: setup.days,
            closes_at: setup.event.closes_at_ms.map(UnixMs),
            offline_hours: setup.event.offline_hours,
        })
    }

    /// The event.
    pub fn event(&self) -> EventNo {
        self.event
    }

    /// What the event says about going on without the server; none when a policy is not understood,
    /// for then nobody may be let in by a guess.
    pub fn terms(&self) -> Option<Terms> {
        let mut terms = Terms {
            limit_ms: i64::from(self.offline_hours) * 3_600_000,
            open_gates: self
                .gates
                .iter()
                .filter(|gate| gate.open)
                .map(|gate| GateNo(gate.number))
                .collect(),
            closes_at: self.closes_at,
            days: self.calendars(),
            ..Terms::default()
        };
        for kind in &self.types {
            let policy = match &kind.offline {
                None => Policy::default(),
                Some(code) => Policy::parse(code)?,
            };
            terms.policies.insert(TypeNo(kind.number), policy);
            if kind.pass != Pass::default() {
                terms.passes.insert(TypeNo(kind.number), kind.pass);
            }
            if let Some(since) = kind.lease_since {
                terms.leases.insert(TypeNo(kind.number), since);
            }
        }
        Some(terms)
    }

    /// Reads a code; `challenge` is what this gate asked the wallet to sign.
    pub fn read(&self, code: &str, challenge: Option<&Challenge>, now: UnixMs) -> Read {
        match self.ring.verify_answer(self.event, code, challenge, now) {
            Ok(ticket) => Read::Genuine(ticket),
            Err(Invalid::KeyNotHere) => Read::AskServer,
            // A ticket number typed by hand, or a printed link: only the server knows whose it is.
            Err(_) if TicketId::parse_number(code).is_some() || link::number(code).is_some() => {
                Read::AskServer
            }
            Err(invalid) => Read::Refused(invalid.into()),
        }
    }

    /// Judges `code` at `gate` as if the ticket had not been seen before: what is left for the
    /// server (or the journal) is whether it has.
    pub fn judge(&self, code: &str, gate: GateNo, now: UnixMs) -> LocalVerdict {
        let ticket = match self.read(code, None, now) {
            Read::Genuine(ticket) => ticket,
            Read::AskServer => return ask_server(),
            Read::Refused(reason) => return refuse(reason, None),
        };
        let direction = Direction::Entry;
        let scan = Scan { id: ScanId([0; 16]), device: DeviceNo(0), gate, at: now, direction };
        let rules = self.rules(gate, ticket.grant().type_no, now);
        match decide(&ticket, &scan, Some(&History::FRESH), &rules).verdict {
            Verdict::Refuse(reason) => refuse(reason, Some(self.known(&ticket))),
            Verdict::Admit(_) => LocalVerdict {
                verdict: "admit",
                reason: None,
                message: "Valid ticket.",
                ticket: Some(self.known(&ticket)),
                max_uses: Some(ticket.grant().max_uses),
                digest: Some(ticket.digest().to_string()),
            },
        }
    }

    /// What the event says today of tickets of a type at a gate.
    fn rules(&self, gate: GateNo, type_no: TypeNo, now: UnixMs) -> Rules {
        let kind = self.types.iter().find(|kind| kind.number == type_no.0);
        Rules {
            gate_open: self.gates.iter().any(|known| known.number == gate.0 && known.open),
            closes_at: self.closes_at,
            held_by: None,
            pass: kind.map(|kind| kind.pass).unwrap_or_default(),
            calendar: today(&self.calendars(), now),
        }
    }

    /// The days that this device was told of.
    fn calendars(&self) -> Vec<Calendar> {
        let read = |day: &SetupDay| Calendar {
            day_from: UnixMs(day.day_from_ms),
            month_from: UnixMs(day.month_from_ms),
        };
        self.days.iter().map(read).collect()
    }

    /// What a device may show about a ticket.
    pub fn known(&self, ticket: &Verified) -> LocalTicket {
        let number = ticket.grant().type_no.0;
        let type_name = self.types.iter().find(|t| t.number == number).map(|t| t.name.clone());
        LocalTicket {
            number: ticket.grant().ticket.to_string(),
            type_number: number,
            type_name: type_name.unwrap_or_default(),
            anonymous: ticket.is_anonymous(),
            expires_at_ms: Some(i64::from(ticket.grant().expires_s) * 1000).filter(|at| *at != 0),
        }
    }
}

fn ask_server() -> LocalVerdict {
    LocalVerdict {
        verdict: "ask_server",
        reason: None,
        message: "Only the server can check this code.",
        ticket: None,
        max_uses: None,
        digest: None,
    }
}

fn refuse(reason: Reason, ticket: Option<LocalTicket>) -> LocalVerdict {
    LocalVerdict {
        verdict: "refuse",
        reason: Some(reason.code()),
        message: reason.message(),
        ticket,
        max_uses: None,
        digest: None,
    }
}

fn verify_key(key: &SetupKey) -> Option<VerifyKey> {
    match (Algorithm::parse(&key.algorithm)?, &key.public_key) {
        (Algorithm::Ed25519, Some(text)) => {
            let bytes = BASE64URL_NOPAD.decode(text.as_bytes()).ok()?;
            VerifyKey::ed25519(&bytes.try_into().ok()?)
        }
        (Algorithm::HmacSha256, None) => Some(VerifyKey::Elsewhere),
        _ => None,
    }
}

fn issuer_key(event: EventNo, key: &SetupIssuer) -> Option<IssuerKey> {
    let spki = BASE64URL_NOPAD.decode(key.public_key.as_bytes()).ok()?;
    let challenge = HEXLOWER.decode(key.challenge_digest.as_bytes()).ok()?.try_into().ok()?;
    let terms = IssuerTerms {
        event,
        type_no: TypeNo(key.type_number),
        not_before_s: key.not_before_s,
        expires_s: key.expires_s,
        max_uses: key.max_uses,
        gates: GateSet(key.gates),
    };
    IssuerKey::new(&spki, challenge, terms, key.not_after_ms.map(UnixMs))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pass::Lasts;
    use crate::ticket::tests::{EVENT, secret};
    use crate::ticket::{Format, Grant};

    const NOW: UnixMs = UnixMs(1_700_000_000_000);

    fn judge(algorithm: Algorithm) -> Judge {
        let public = secret(algorithm).public_key().map(|key| BASE64URL_NOPAD.encode(&key));
        let setup = serde_json::json!({
            "event": {"number": EVENT.0, "name": "shown, not judged"},
            "gates": [{"number": 1, "open": true}],
            "ticket_types": [{"number": 1, "name": "Standard"}],
            "keys": [{"key_id": 1, "algorithm": algorithm.name(), "public_key": public}],
        });
        Judge::new(serde_json::from_value(setup).unwrap()).unwrap()
    }

    fn code(algorithm: Algorithm) -> String {
        let grant = Grant {
            event: EVENT,
            ticket: TicketId(5),
            type_no: TypeNo(1),
            not_before_s: 0,
            expires_s: 0,
            max_uses: 1,
            gates: GateSet::of(&[GateNo(1)]).unwrap(),
        };
        secret(algorithm).sign(Format::Compact, KeyNo(1), &grant)
    }

    #[test]
    fn a_device_judges_with_the_public_key_alone() {
        let verdict = judge(Algorithm::Ed25519).judge(&code(Algorithm::Ed25519), GateNo(1), NOW);
        assert_eq!(verdict.verdict, "admit");
        assert_eq!(verdict.ticket.unwrap().type_name, "Standard");
    }

    #[test]
    fn a_shared_secret_ticket_is_left_to_the_server() {
        let verdict =
            judge(Algorithm::HmacSha256).judge(&code(Algorithm::HmacSha256), GateNo(1), NOW);
        assert_eq!(verdict.verdict, "ask_server");
    }

    #[test]
    fn a_ticket_at_the_wrong_gate_is_denied_by_the_device() {
        let verdict = judge(Algorithm::Ed25519).judge(&code(Algorithm::Ed25519), GateNo(2), NOW);
        assert_eq!(verdict.reason, Some("entry_point_denied"));
    }

    #[test]
    fn a_device_knows_the_rules_of_a_pass_and_what_day_it_is() {
        let setup = serde_json::json!({
            "event": {"number": EVENT.0}, "gates": [{"number": 1, "open": true}], "keys": [],
            "ticket_types": [{"number": 1, "name": "Day", "pass": {"lasts": "day", "exits": true}}],
            "days": [{"day_from_ms": 5, "month_from_ms": 1}, {"day_from_ms": 9, "month_from_ms": 2}],
        });
        let judge = Judge::new(serde_json::from_value(setup).unwrap()).unwrap();
        let rules = judge.rules(GateNo(1), TypeNo(1), UnixMs(8));
        let wanted = Pass { lasts: Some(Lasts::Day), exits: true, ..Pass::default() };
        assert_eq!(rules.pass, wanted);
        assert_eq!(rules.calendar.day_from, UnixMs(5));
    }

    #[test]
    fn a_scribble_is_invalid() {
        let verdict = judge(Algorithm::Ed25519).judge("https://example.org", GateNo(1), NOW);
        assert_eq!(verdict.reason, Some("invalid"));
    }
}
