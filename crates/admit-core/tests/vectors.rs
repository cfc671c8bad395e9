//! Public test vectors (`vectors/`), and ours for other implementations.
#![expect(clippy::unwrap_used, reason = "a test may fail loudly")]

use admit_core::base45;
use admit_core::id::{EventNo, GateNo, GateSet, KeyNo, TicketId, TypeNo, UnixMs};
use admit_core::ticket::{Algorithm, Format, Grant, KeyRing, RingKey, SigningSecret, VerifyKey};
use data_encoding::HEXLOWER;
use serde_json::Value;

fn vectors(name: &str) -> Value {
    let path = format!("{}/../../vectors/{name}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn text<'a>(vector: &'a Value, name: &str) -> &'a str {
    vector[name].as_str().unwrap()
}

#[test]
fn base45_agrees_with_rfc_9285() {
    let vectors = vectors("base45/rfc9285");
    for vector in vectors["valid"].as_array().unwrap() {
        let bytes = HEXLOWER.decode(text(vector, "hex").as_bytes()).unwrap();
        assert_eq!(base45::encode(&bytes), text(vector, "encoded"));
        assert_eq!(base45::decode(text(vector, "encoded")), Some(bytes));
    }
    for vector in vectors["invalid"].as_array().unwrap() {
        let wrong = vector.as_str().unwrap_or_else(|| text(vector, "encoded"));
        assert_eq!(base45::decode(wrong), None, "{wrong}");
    }
}

/// The vectors of `vectors/ticket/a1.json`: other implementations can check themselves against
/// them, and they hold the format still.
#[test]
fn our_own_ticket_vectors_hold() {
    for vector in vectors("ticket/a1")["tickets"].as_array().unwrap() {
        let number = |name: &str| vector[name].as_u64().unwrap();
        let gates: Vec<GateNo> = vector["gates"]
            .as_array()
            .unwrap()
            .iter()
            .map(|gate| GateNo(gate.as_u64().unwrap().try_into().unwrap()))
            .collect();
        let grant = Grant {
            event: EventNo(number("event").try_into().unwrap()),
            ticket: TicketId::parse_number(text(vector, "ticket")).unwrap(),
            type_no: TypeNo(number("type").try_into().unwrap()),
            not_before_s: number("not_before_s").try_into().unwrap(),
            expires_s: number("expires_s").try_into().unwrap(),
            max_uses: number("max_uses").try_into().unwrap(),
            gates: GateSet::of(&gates).unwrap(),
        };
        let seed = HEXLOWER.decode(text(vector, "seed").as_bytes()).unwrap().try_into().unwrap();
        let secret = SigningSecret::from_seed(Algorithm::Ed25519, seed);
        let public = HEXLOWER.decode(text(vector, "public_key").as_bytes()).unwrap();
        assert_eq!(secret.public_key().unwrap().as_slice(), public);
        assert_eq!(secret.sign(Format::Compact, KeyNo(1), &grant), text(vector, "code"));
        assert_eq!(grant.digest().to_string(), text(vector, "digest"));
        let mut ring = KeyRing::default();
        let key = VerifyKey::ed25519(&public.try_into().unwrap()).unwrap();
        ring.add(grant.event, KeyNo(1), RingKey { key, not_after: None });
        let verified = ring.verify(grant.event, text(vector, "code"), UnixMs(0)).unwrap();
        assert_eq!(*verified.grant(), grant);
    }
}
