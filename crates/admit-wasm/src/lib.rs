//! The core for the browser: bindings only, no logic.

mod station;

use admit_core::edge::{EdgeAnswer, EdgeGate, EdgeSetup};
use admit_core::id::{DeviceNo, EventNo, GateNo, UnixMs};
use admit_core::log::note::{NoteSigner, Verifier};
use admit_core::log::validation::{Validation, consistent, receipt};
use admit_core::reason::Reason;
use admit_core::setup::{Judge, Setup};
use admit_core::spent::{SpentList, signer_name};
use admit_core::ticket::{Algorithm, SigningSecret, lock_key};
use wasm_bindgen::prelude::wasm_bindgen;

/// A gate's rules: the answer of `GET /v1/gate`, ready to judge codes.
#[wasm_bindgen]
pub struct Rules {
    judge: Judge,
}

#[wasm_bindgen]
impl Rules {
    /// Reads the JSON text of a gate's setup; throws when it is not understood.
    #[wasm_bindgen(constructor)]
    pub fn new(setup_json: &str) -> Result<Rules, String> {
        let setup: Setup = serde_json::from_str(setup_json).map_err(|error| error.to_string())?;
        let judge = Judge::new(setup).ok_or("a key of the setup is not understood")?;
        Ok(Rules { judge })
    }

    /// Judges a code at a gate; the answer is the JSON text of a `LocalVerdict`.
    pub fn judge(&self, code: &str, gate: u16, now_ms: f64) -> String {
        // JavaScript has one number type; its milliseconds are whole and far below 2^53.
        let verdict = self.judge.judge(code, GateNo(gate), UnixMs(now_ms as i64));
        json(&verdict)
    }
}

/// A gate that admits by itself, with its own signing key.
#[wasm_bindgen]
pub struct Edge {
    gate: EdgeGate,
    signer: NoteSigner,
}

#[wasm_bindgen]
impl Edge {
    /// Reads the JSON text of the answer to enrolling it; `seed` are 32 secret bytes.
    #[wasm_bindgen(constructor)]
    pub fn new(setup_json: &str, gate: u16, seed: &[u8]) -> Result<Edge, String> {
        let setup: EdgeSetup =
            serde_json::from_str(setup_json).map_err(|error| error.to_string())?;
        let event = EventNo(setup.event_number);
        let name = signer_name(event, DeviceNo(setup.device));
        let signer = NoteSigner::new(&name, &seed32(seed)?).map_err(|e| e.to_string())?;
        let gate = setup.open(GateNo(gate)).ok_or("a key of the setup is not understood")?;
        Ok(Edge { gate, signer })
    }

    /// Judges a code; the JSON text of an `EdgeAnswer`.
    pub fn verify(&self, code: &str, now_ms: f64) -> String {
        json(&EdgeAnswer::of(&self.gate.verify(code, UnixMs(now_ms as i64)), None))
    }

    /// Judges a code and uses the ticket; the JSON text of an `EdgeAnswer`.
    pub fn consume(&mut self, code: &str, now_ms: f64) -> String {
        let (verdict, entry) = self.gate.consume(code, UnixMs(now_ms as i64));
        json(&EdgeAnswer::of(&verdict, entry))
    }

    /// The signed list of what was admitted here.
    pub fn export(&self) -> Result<String, String> {
        self.gate.spent_after(0).sign(&self.signer).map_err(|error| error.to_string())
    }

    /// Takes in a list that the holder of `vkey` signed; how many entries were new.
    pub fn learn(&mut self, list: &str, vkey: &str) -> Result<u32, String> {
        let verifier = Verifier::parse(vkey).map_err(|error| error.to_string())?;
        let list = SpentList::open(list, &[verifier]).map_err(|error| error.to_string())?;
        u32::try_from(self.gate.learn(&list)).map_err(|error| error.to_string())
    }

    /// What checks this gate's lists.
    pub fn vkey(&self) -> String {
        self.signer.vkey()
    }
}

/// The Ed25519 public key of a seed, 32 bytes.
#[wasm_bindgen]
pub fn public_key(seed: &[u8]) -> Result<Vec<u8>, String> {
    let secret = SigningSecret::from_seed(Algorithm::Ed25519, seed32(seed)?);
    Ok(secret.public_key().unwrap_or_default().to_vec())
}

/// The key that locks what a gate may read of a ticket only while its code is in front of it, 32 bytes;
/// none for what is no code of ours.
#[wasm_bindgen]
pub fn name_key(code: &str) -> Option<Vec<u8>> {
    lock_key(code).map(|key| key.to_vec())
}

/// Checks the JSON text of an answer's `merkle_validation` against the log's key; the JSON text of a
/// `Proven`, or throws the reason.
#[wasm_bindgen]
pub fn check_proof(validation_json: &str, vkey: &str) -> Result<String, String> {
    let validation: Validation =
        serde_json::from_str(validation_json).map_err(|error| error.to_string())?;
    validation.check(vkey).map(|proven| json(&proven)).map_err(|error| error.to_string())
}

/// Checks the text of a receipt (`….tlog-proof`) against the log's key; the JSON text of a `Proven`,
/// or throws the reason.
#[wasm_bindgen]
pub fn check_receipt(text: &str, vkey: &str) -> Result<String, String> {
    receipt(text, vkey).map(|proven| json(&proven)).map_err(|error| error.to_string())
}

/// Checks that the log under checkpoint `new` only added to the one under `old`; `path_json` is an
/// array of hashes in hex.
#[wasm_bindgen]
pub fn check_consistency(old: &str, new: &str, path_json: &str, vkey: &str) -> Result<(), String> {
    let path: Vec<String> = serde_json::from_str(path_json).map_err(|error| error.to_string())?;
    consistent(old, new, &path, vkey).map_err(|error| error.to_string())
}

fn seed32(seed: &[u8]) -> Result<[u8; 32], String> {
    seed.try_into().map_err(|_| "a seed has 32 bytes".to_owned())
}

fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

/// Every reason as JSON: `[{code, title, message}]`, so that its texts are written once.
#[wasm_bindgen]
pub fn reasons() -> String {
    let list: Vec<_> = Reason::ALL
        .iter()
        .map(|reason| {
            serde_json::json!({
                "code": reason.code(), "title": reason.title(), "message": reason.message(),
            })
        })
        .collect();
    serde_json::Value::from(list).to_string()
}
