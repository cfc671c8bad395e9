//! The core for the browser: bindings only, no logic.

use admit_core::id::{GateNo, UnixMs};
use admit_core::reason::Reason;
use admit_core::setup::{Judge, Setup};
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
        serde_json::to_string(&verdict).unwrap_or_default()
    }
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
