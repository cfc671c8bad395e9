//! A gate device for the browser: the core's state machine over JSON. Bindings only, no logic.

use admit_core::admission::{Admission, Verdict};
use admit_core::id::{DeviceNo, GateNo, ScanId, UnixMs};
use admit_core::log::note::{NoteSigner, Verifier};
use admit_core::offline::clock::Now;
use admit_core::offline::device::Device;
use admit_core::offline::wire;
use admit_core::reason::Reason;
use admit_core::setup::{Judge, Read, Setup};
use admit_core::spent::{SpentList, signer_name};
use admit_core::ticket::rotating::Challenge;
use serde_json::json;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::seed32;

/// A gate with its rules, its journal and what it knows. Times are a pair: `performance.now()`, and
/// `Date.now()`. Every step answers the JSON text of effects, to be carried out in their order:
/// `[{do: "keep", kept}, {do: "forget", scan}, {do: "ask", scan}, {do: "show", …}, {do: "notify", notice}]`.
#[wasm_bindgen]
pub struct Station {
    judge: Judge,
    device: Device,
}

fn setup(json: &str) -> Result<Judge, String> {
    let setup: Setup = serde_json::from_str(json).map_err(|error| error.to_string())?;
    Judge::new(setup).ok_or_else(|| "a key of the setup is not understood".to_owned())
}

fn now(monotonic_ms: f64, wall_ms: f64) -> Now {
    Now { monotonic_ms: monotonic_ms as i64, wall_ms: wall_ms as i64 }
}

fn scan_id(text: &str) -> Result<ScanId, String> {
    ScanId::parse(text).ok_or_else(|| "a scan id has 22 characters".to_owned())
}

#[wasm_bindgen]
impl Station {
    /// Reads the JSON text of `GET /v1/gate`; throws when it is not understood.
    #[wasm_bindgen(constructor)]
    pub fn new(setup_json: &str, device: f64) -> Result<Station, String> {
        let judge = setup(setup_json)?;
        let terms = judge.terms().ok_or("a policy of the setup is not understood")?;
        Ok(Station { judge, device: Device::new(DeviceNo(device as i64), terms) })
    }

    /// Takes the rules as they are told now.
    pub fn set_rules(&mut self, setup_json: &str) -> Result<(), String> {
        let judge = setup(setup_json)?;
        let terms = judge.terms().ok_or("a policy of the setup is not understood")?;
        self.device.set_terms(terms);
        self.judge = judge;
        Ok(())
    }

    /// Takes back one record that was kept (the JSON text of `kept`), in the order of keeping.
    pub fn restore(&mut self, kept: &str) -> Result<(), String> {
        self.device.restore(wire::read_kept(kept).ok_or("this was not kept by this program")?);
        Ok(())
    }

    /// After all was restored: effects.
    pub fn start(&mut self, monotonic_ms: f64, wall_ms: f64) -> String {
        wire::effects(&self.device.start(now(monotonic_ms, wall_ms))).to_string()
    }

    /// Presents a code at a gate. The answer is the JSON text of `{read, reason, message, ticket,
    /// digest, local, effects}`; `read` is `genuine`, `refused` (effects are empty) or `ask_server`
    /// (only the server can tell; the device keeps no record of it). `local` is what the device would say
    /// by itself. `challenge` are the bytes that the wallet was asked to sign, or none.
    #[expect(
        clippy::too_many_arguments,
        reason = "JavaScript has no better way to hand over two clocks"
    )]
    pub fn present(
        &mut self,
        scan: &str,
        code: &str,
        gate: u16,
        challenge: Option<Vec<u8>>,
        online: bool,
        monotonic_ms: f64,
        wall_ms: f64,
    ) -> Result<String, String> {
        let (scan, gate, now) = (scan_id(scan)?, GateNo(gate), now(monotonic_ms, wall_ms));
        let challenge = match challenge {
            None => None,
            Some(bytes) => {
                let nonce = bytes.try_into().map_err(|_| "a challenge has 8 bytes")?;
                Some(Challenge { nonce, gate })
            }
        };
        let at = self.device.clock().guess(now);
        let ticket = match self.judge.read(code, challenge.as_ref(), at) {
            Read::AskServer => return Ok(json!({"read": "ask_server", "effects": []}).to_string()),
            Read::Refused(reason) => {
                let (reason, message) = (reason.code(), reason.message());
                let told =
                    json!({"read": "refused", "reason": reason, "message": message, "effects": []});
                return Ok(told.to_string());
            }
            Read::Genuine(ticket) => ticket,
        };
        let local = self.device.judge(&ticket, scan, gate, now);
        let first = self.device.first_entry(ticket.digest());
        let mut effects = self.device.hold(&ticket, code);
        effects.extend(self.device.present(scan, ticket, gate, online, now));
        let reason = match local {
            Verdict::Admit(_) => None,
            Verdict::Refuse(reason) => Some(reason),
        };
        let told = json!({
            "read": "genuine",
            "local": if reason.is_none() { "admit" } else { "refuse" },
            "reason": reason.map(Reason::code),
            "message": reason.map(Reason::message),
            "ticket": self.judge.known(&ticket),
            "max_uses": ticket.grant().max_uses,
            "digest": ticket.digest().to_string(),
            "first": first.map(|entry| json!({"at_ms": entry.at.0, "gate": entry.gate.0})),
            "effects": wire::effects(&effects),
        });
        Ok(told.to_string())
    }

    /// The server answered a scan: `reason` is null when it admits. Effects.
    pub fn answered(
        &mut self,
        scan: &str,
        reason: Option<String>,
        use_no: u32,
        uses_remaining: Option<u32>,
        monotonic_ms: f64,
        wall_ms: f64,
    ) -> Result<String, String> {
        let verdict = match reason {
            None => Verdict::Admit(Admission { use_no, uses_remaining }),
            // A reason of a newer server is a refusal all the same.
            Some(code) => Verdict::Refuse(Reason::parse(&code).unwrap_or(Reason::Invalid)),
        };
        let effects = self.device.answered(scan_id(scan)?, verdict, now(monotonic_ms, wall_ms));
        Ok(wire::effects(&effects).to_string())
    }

    /// There is no answer, and nobody waits longer: the device decides. Effects.
    pub fn unanswered(
        &mut self,
        scan: &str,
        monotonic_ms: f64,
        wall_ms: f64,
    ) -> Result<String, String> {
        let effects = self.device.unanswered(scan_id(scan)?, now(monotonic_ms, wall_ms));
        Ok(wire::effects(&effects).to_string())
    }

    /// Staff take an entry of this device back. Effects; none when it has no such entry.
    pub fn take_back(
        &mut self,
        scan: &str,
        monotonic_ms: f64,
        wall_ms: f64,
    ) -> Result<String, String> {
        let effects = self.device.take_back(scan_id(scan)?, now(monotonic_ms, wall_ms));
        Ok(wire::effects(&effects).to_string())
    }

    /// The body of `POST /v1/sync_offline`.
    pub fn report(&self) -> String {
        wire::report(&self.device.report()).to_string()
    }

    /// Takes in the answer to a report. Effects.
    pub fn heard(
        &mut self,
        answer: &str,
        sent_monotonic_ms: f64,
        sent_wall_ms: f64,
        heard_monotonic_ms: f64,
        heard_wall_ms: f64,
    ) -> Result<String, String> {
        let answer = wire::answer(answer).ok_or("the answer is not understood")?;
        let sent = now(sent_monotonic_ms, sent_wall_ms);
        let heard = now(heard_monotonic_ms, heard_wall_ms);
        Ok(wire::effects(&self.device.heard(&answer, sent, heard)).to_string())
    }

    /// Staff have seen a notice. Effects.
    pub fn shown(&mut self, notice: f64) -> String {
        wire::effects(&self.device.shown(notice as u64)).to_string()
    }

    /// What is known of entries elsewhere, in one piece: the JSON text of a record that stands for
    /// all `changes` kept so far.
    pub fn compact(&self) -> String {
        let known = self.device.known();
        let kept = admit_core::offline::effect::Kept::Changes {
            from: 0,
            next: known.cursor(),
            changes: known.to_bytes(),
        };
        wire::kept(&kept).to_string()
    }

    /// For the diagnostics: the JSON text of `{pending, known, cursor, last_contact_ms, guess_ms,
    /// low_ms, high_ms, turned_back_ms}`.
    pub fn status(&mut self, monotonic_ms: f64, wall_ms: f64) -> String {
        let now = now(monotonic_ms, wall_ms);
        let bounds = self.device.clock().bounds(now);
        let told = json!({
            "pending": self.device.pending(),
            "known": self.device.known().len(),
            "cursor": self.device.known().cursor(),
            "last_contact_ms": self.device.last_contact().map(|at| at.0),
            "guess_ms": self.device.clock().guess(now).0,
            "low_ms": bounds.low.0,
            "high_ms": bounds.high.map(|at| at.0),
            "turned_back_ms": self.device.clock().turned_back_ms(now),
        });
        told.to_string()
    }

    /// The server's time as a best guess, in Unix ms.
    pub fn guess_ms(&mut self, monotonic_ms: f64, wall_ms: f64) -> f64 {
        let UnixMs(at) = self.device.clock().guess(now(monotonic_ms, wall_ms));
        at as f64
    }

    /// What this gate tells others: the JSON text of an array of signed lists of at most `most` entries
    /// each; `seed` are the 32 secret bytes behind the public key that it was paired with.
    pub fn spent_lists(&self, seed: &[u8], most: u32) -> Result<String, String> {
        let event = self.judge.event();
        let name = signer_name(event, self.device.number());
        let signer = NoteSigner::new(&name, &seed32(seed)?).map_err(|error| error.to_string())?;
        let lists = self.device.spent_lists(event, most as usize);
        let signed: Result<Vec<_>, _> = lists.iter().map(|list| list.sign(&signer)).collect();
        Ok(json!(signed.map_err(|error| error.to_string())?).to_string())
    }

    /// Takes in a list that the holder of `vkey` signed for itself. Effects.
    pub fn learn_spent(&mut self, list: &str, vkey: &str) -> Result<String, String> {
        let verifier = Verifier::parse(vkey).map_err(|error| error.to_string())?;
        let list = SpentList::open(list, &[verifier]).map_err(|error| error.to_string())?;
        if list.event != self.judge.event() {
            return Err("this list is of another event".to_owned());
        }
        Ok(wire::effects(&self.device.learn_spent(&list)).to_string())
    }

    /// The whole journal as JSON, for a file.
    pub fn journal(&self) -> String {
        wire::journal(self.device.journal()).to_string()
    }
}
