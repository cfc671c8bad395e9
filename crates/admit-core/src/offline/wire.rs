//! JSON of the offline protocol: the body of `POST /v1/sync_offline` and its answer in seed 002's
//! names, and what a device keeps. One spelling for server, device and simulation.

use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::effect::{Answer, Denied, Effect, Intent, Kept, Report, Written};
use super::journal::{ChainHash, JournalEntry};
use super::known::ShortDigest;
use super::{Bounds, Word};
use crate::admission::{Standing, Verdict};
use crate::id::{DeviceNo, Digest, GateNo, ScanId, TypeNo, UnixMs};
use crate::reason::Reason;

/// One entry of a journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WireEntry {
    /// The ticket's name in the spend table, hexadecimal.
    pub token_hash: String,
    /// The device's own name of the scan: a scan id.
    pub local_id: String,
    /// Number in the device's journal.
    pub sequence: u64,
    /// Number of the gate.
    pub gate: u16,
    /// `done`, `void` or `refused`.
    pub word: String,
    /// Why it was refused.
    #[serde(default)]
    pub reason: Option<String>,
    /// Not before, Unix ms by the server's clock.
    pub low_ms: i64,
    /// Not after; null when the device lost its clock.
    #[serde(default)]
    pub high_ms: Option<i64>,
    /// Hash of the journal up to here, hexadecimal.
    pub hash: String,
    /// The epoch of a changing code; only in what a device keeps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epoch: Option<u32>,
    /// Whether the device decided by itself; only in what a device keeps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offline: Option<bool>,
}

impl WireEntry {
    fn of(entry: &JournalEntry, hash: ChainHash) -> Self {
        Self {
            token_hash: entry.digest.to_string(),
            local_id: entry.scan.to_string(),
            sequence: entry.sequence,
            gate: entry.gate.0,
            word: entry.word.code().to_owned(),
            reason: match entry.word {
                Word::Refused(reason) => Some(reason.code().to_owned()),
                Word::Done | Word::Void => None,
            },
            low_ms: entry.bounds.low.0,
            high_ms: entry.bounds.high.map(|high| high.0),
            hash: HEXLOWER.encode(&hash.0),
            epoch: None,
            offline: None,
        }
    }

    fn kept(written: &Written) -> Self {
        let Written { entry, hash, epoch, offline } = written;
        Self { epoch: *epoch, offline: Some(*offline), ..Self::of(entry, *hash) }
    }

    fn read(&self) -> Option<(JournalEntry, ChainHash)> {
        let entry = JournalEntry {
            sequence: self.sequence,
            scan: ScanId::parse(&self.local_id)?,
            digest: Digest(hex(&self.token_hash)?),
            gate: GateNo(self.gate),
            word: word(&self.word, self.reason.as_deref())?,
            bounds: Bounds { low: UnixMs(self.low_ms), high: self.high_ms.map(UnixMs) },
        };
        Some((entry, ChainHash(hex(&self.hash)?)))
    }
}

/// The word with this code, and why when it is a refusal.
pub fn word(code: &str, reason: Option<&str>) -> Option<Word> {
    match code {
        "done" => Some(Word::Done),
        "void" => Some(Word::Void),
        "refused" => Some(Word::Refused(Reason::parse(reason?)?)),
        _ => None,
    }
}

fn hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    HEXLOWER.decode(text.as_bytes()).ok()?.try_into().ok()
}

/// A ticket's short name, hexadecimal.
pub fn short(text: &str) -> Option<ShortDigest> {
    hex(text).map(ShortDigest)
}

/// A ticket's short name as text.
pub fn short_text(ticket: ShortDigest) -> String {
    HEXLOWER.encode(&ticket.0)
}

/// A ticket that is no longer good, as `hex:standing`.
pub fn denied_text(&(ticket, standing): &Denied) -> String {
    format!("{}:{}", short_text(ticket), standing.code())
}

fn denied(text: &str) -> Option<Denied> {
    let (ticket, standing) = text.split_once(':')?;
    Some((short(ticket)?, Standing::parse(standing)?))
}

/// The body of a report.
pub fn report(report: &Report) -> Value {
    let entries: Vec<_> =
        report.entries.iter().map(|(entry, hash)| WireEntry::of(entry, *hash)).collect();
    let returned: Vec<_> = report.returned.iter().map(|ticket| short_text(*ticket)).collect();
    let types: Vec<_> = report.returned_types.iter().map(|kind| kind.0).collect();
    json!({
        "accepted_tokens": entries,
        "after": report.after,
        "shown": report.shown,
        "returned": returned,
        "returned_types": types,
        "pending": report.pending,
        "bearer_codes": report.bearers,
    })
}

/// A whole journal.
pub fn journal<'a>(entries: impl Iterator<Item = &'a Written>) -> Value {
    let entries = entries.map(|written| json!(WireEntry::kept(written)));
    Value::from(entries.collect::<Vec<_>>())
}

/// The part of the answer that the device's rules need; the rest is for the eye.
#[derive(Clone, Debug, Deserialize)]
struct WireAnswer {
    acknowledged: Vec<u64>,
    spent: WireSpent,
    denied: Option<Vec<String>>,
    notices: Vec<WireNotice>,
    recalled: Vec<String>,
    recalled_types: Vec<u8>,
    server_time_ms: i64,
}

#[derive(Clone, Debug, Deserialize)]
struct WireSpent {
    from: i64,
    next: i64,
    changes: String,
}

#[derive(Clone, Debug, Deserialize)]
struct WireNotice {
    id: u64,
}

/// Reads the answer to a report; none when it is not understood.
pub fn answer(text: &str) -> Option<Answer> {
    let wire: WireAnswer = serde_json::from_str(text).ok()?;
    let known =
        |texts: Vec<String>| texts.iter().map(|text| denied(text)).collect::<Option<Vec<_>>>();
    Some(Answer {
        acknowledged: wire.acknowledged,
        from: wire.spent.from,
        next: wire.spent.next,
        changes: data_encoding::BASE64.decode(wire.spent.changes.as_bytes()).ok()?,
        denied: match wire.denied {
            Some(texts) => Some(known(texts)?),
            None => None,
        },
        notices: wire.notices.iter().map(|notice| notice.id).collect(),
        recalled: wire.recalled.iter().map(|text| short(text)).collect::<Option<_>>()?,
        recalled_types: wire.recalled_types.into_iter().map(TypeNo).collect(),
        server: UnixMs(wire.server_time_ms),
    })
}

/// What is kept, as JSON with a `kind`.
pub fn kept(kept: &Kept) -> Value {
    match kept {
        Kept::Intent(intent) => json!({
            "kind": "intent", "scan": intent.scan.to_string(),
            "digest": intent.digest.to_string(), "gate": intent.gate.0,
        }),
        Kept::Entry(written) => json!({"kind": "entry", "entry": WireEntry::kept(written)}),
        Kept::Acknowledged(sequences) => json!({"kind": "acknowledged", "sequences": sequences}),
        Kept::Changes { from, next, changes } => json!({
            "kind": "changes", "from": from, "next": next,
            "changes": data_encoding::BASE64.encode(changes),
        }),
        Kept::Denied(denied) => {
            let texts: Vec<_> = denied.iter().map(denied_text).collect();
            json!({"kind": "denied", "denied": texts})
        }
        Kept::LeaseLost(ticket) => json!({"kind": "lease_lost", "ticket": short_text(*ticket)}),
        Kept::LeaseOver(kind, since) => {
            json!({"kind": "lease_over", "type": kind.0, "since": since})
        }
        Kept::Shown(notice) => json!({"kind": "shown", "notice": notice}),
        Kept::Peer(device, entries) => {
            let entries: Vec<_> = entries
                .iter()
                .map(|(sequence, digest)| json!([sequence, digest.to_string()]))
                .collect();
            json!({"kind": "peer", "device": device.0, "entries": entries})
        }
        Kept::Bearer(digest, code) => {
            json!({"kind": "bearer", "digest": digest.to_string(), "code": code})
        }
        Kept::Clock(newest, offset, contact) => json!({
            "kind": "clock", "newest": newest.map(|at| at.0), "offset": offset,
            "contact": contact.map(|at| at.0),
        }),
    }
}

/// Reads what was kept; none when no version of this program wrote it.
pub fn read_kept(text: &str) -> Option<Kept> {
    let value: Value = serde_json::from_str(text).ok()?;
    let string = |name: &str| value.get(name).and_then(Value::as_str);
    let int = |name: &str| value.get(name).and_then(Value::as_i64);
    Some(match string("kind")? {
        "intent" => Kept::Intent(Intent {
            scan: ScanId::parse(string("scan")?)?,
            digest: Digest(hex(string("digest")?)?),
            gate: GateNo(u16::try_from(int("gate")?).ok()?),
        }),
        "entry" => {
            let wire: WireEntry = serde_json::from_value(value.get("entry")?.clone()).ok()?;
            let (entry, hash) = wire.read()?;
            let offline = wire.offline.unwrap_or(true);
            Kept::Entry(Written { entry, hash, epoch: wire.epoch, offline })
        }
        "acknowledged" => {
            let all = value.get("sequences")?.as_array()?;
            Kept::Acknowledged(all.iter().map(Value::as_u64).collect::<Option<_>>()?)
        }
        "changes" => Kept::Changes {
            from: int("from")?,
            next: int("next")?,
            changes: data_encoding::BASE64.decode(string("changes")?.as_bytes()).ok()?,
        },
        "denied" => {
            let all = value.get("denied")?.as_array()?;
            Kept::Denied(all.iter().map(|one| denied(one.as_str()?)).collect::<Option<_>>()?)
        }
        "lease_lost" => Kept::LeaseLost(short(string("ticket")?)?),
        "lease_over" => Kept::LeaseOver(TypeNo(u8::try_from(int("type")?).ok()?), int("since")?),
        "peer" => {
            let all = value.get("entries")?.as_array()?;
            let one =
                |one: &Value| Some((one.get(0)?.as_u64()?, Digest(hex(one.get(1)?.as_str()?)?)));
            Kept::Peer(DeviceNo(int("device")?), all.iter().map(one).collect::<Option<_>>()?)
        }
        "bearer" => Kept::Bearer(Digest(hex(string("digest")?)?), string("code")?.to_owned()),
        "shown" => Kept::Shown(value.get("notice")?.as_u64()?),
        "clock" => {
            Kept::Clock(int("newest").map(UnixMs), int("offset")?, int("contact").map(UnixMs))
        }
        _ => return None,
    })
}

/// Effects in their order, as JSON.
pub fn effects(effects: &[Effect]) -> Value {
    let one = |effect: &Effect| match effect {
        Effect::Keep(what) => json!({"do": "keep", "kept": kept(what)}),
        Effect::Forget(scan) => json!({"do": "forget", "scan": scan.to_string()}),
        Effect::Ask(scan) => json!({"do": "ask", "scan": scan.to_string()}),
        Effect::Notify(notice) => json!({"do": "notify", "notice": notice}),
        Effect::Show { scan, verdict, offline } => {
            let (answer, reason, use_no, remaining) = match verdict {
                Verdict::Admit(admission) => {
                    ("admit", None, Some(admission.use_no), admission.uses_remaining)
                }
                Verdict::Refuse(reason) => ("refuse", Some(*reason), None, None),
            };
            json!({
                "do": "show", "scan": scan.to_string(), "verdict": answer, "offline": offline,
                "reason": reason.map(Reason::code), "message": reason.map(Reason::message),
                "use": use_no, "uses_remaining": remaining,
            })
        }
    };
    Value::from(effects.iter().map(one).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::offline::journal::BEGINNING;

    fn entry(word: Word, high: Option<UnixMs>) -> Kept {
        let entry = JournalEntry {
            sequence: 4,
            scan: ScanId([3; 16]),
            digest: Digest([5; 32]),
            gate: GateNo(2),
            word,
            bounds: Bounds { low: UnixMs(7), high },
        };
        let hash = entry.chain(DeviceNo(1), BEGINNING);
        Kept::Entry(Written { entry, hash, epoch: Some(9), offline: false })
    }

    #[test]
    fn everything_that_is_kept_reads_back() {
        let all = [
            Kept::Intent(Intent {
                scan: ScanId([1; 16]),
                digest: Digest([2; 32]),
                gate: GateNo(3),
            }),
            entry(Word::Done, Some(UnixMs(8))),
            entry(Word::Void, None),
            entry(Word::Refused(Reason::Revoked), None),
            Kept::Acknowledged(vec![1, 2]),
            Kept::Changes { from: 0, next: 4, changes: vec![1; 9] },
            Kept::Denied(vec![(ShortDigest([1; 8]), Standing::Transferred)]),
            Kept::LeaseLost(ShortDigest([6; 8])),
            Kept::LeaseOver(TypeNo(2), 11),
            Kept::Shown(12),
            Kept::Peer(DeviceNo(3), vec![(1, Digest([4; 32]))]),
            Kept::Bearer(Digest([9; 32]), "B1:A".to_owned()),
            Kept::Clock(Some(UnixMs(1)), -5, None),
        ];
        for one in all {
            assert_eq!(read_kept(&kept(&one).to_string()), Some(one));
        }
    }

    #[test]
    fn what_nobody_wrote_is_not_read() {
        for text in ["", "{}", r#"{"kind":"entry"}"#, r#"{"kind":"shown","notice":-1}"#] {
            assert_eq!(read_kept(text), None);
        }
    }
}
