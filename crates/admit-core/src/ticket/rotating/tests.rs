//! What a rotating code proves, and to whom.

use p256::ecdsa::SigningKey;
use p256::ecdsa::signature::Signer;
use proptest::prelude::*;

use super::*;
use crate::id::{GateSet, TypeNo};
use crate::ticket::tests::{EVENT, ring, secret};
use crate::ticket::{Algorithm, KeyRing, Verified};

const NOW: UnixMs = UnixMs(1_800_000_000_000);
const EVENT_SECRET: [u8; 32] = [9; 32];
const TICKET: TicketId = TicketId(77);

fn grant() -> Grant {
    Grant {
        event: EVENT,
        ticket: TICKET,
        type_no: TypeNo(1),
        not_before_s: 0,
        expires_s: 0,
        max_uses: 0,
        gates: GateSet::ANY,
    }
}

fn server() -> KeyRing {
    let mut ring = ring(Algorithm::Ed25519);
    ring.add_rotation(EVENT, EVENT_SECRET);
    ring
}

fn shared_head() -> Vec<u8> {
    let rotation = Rotation { interval_s: 30, binding: Binding::Shared };
    head(&secret(Algorithm::Ed25519), KeyNo(1), &grant(), &rotation).unwrap()
}

fn shared(epoch: u32) -> String {
    let of_ticket = ticket_secret(&EVENT_SECRET, EVENT, TICKET);
    shared_code(&shared_head(), epoch, &shared_proof(&of_ticket, TICKET, epoch))
}

fn phone(seed: u8) -> SigningKey {
    SigningKey::from_slice(&[seed; 32]).unwrap()
}

fn device_head(owner: &SigningKey) -> Vec<u8> {
    let key = device_key(owner.verifying_key().to_sec1_point(false).as_bytes()).unwrap();
    let rotation = Rotation { interval_s: 30, binding: Binding::Device(key) };
    head(&secret(Algorithm::Ed25519), KeyNo(1), &grant(), &rotation).unwrap()
}

/// The code that `signer` makes of a ticket that belongs to `owner`.
fn device(owner: &SigningKey, signer: &SigningKey, epoch: u32) -> String {
    let signature: Signature = signer.sign(&possession_message(EVENT, TICKET, epoch));
    device_code(&device_head(owner), Some(epoch), &signature.to_bytes().into())
}

fn answer(signer: &SigningKey, challenge: &Challenge) -> String {
    let signature: Signature = signer.sign(&challenge_message(EVENT, TICKET, challenge));
    device_code(&device_head(&phone(1)), None, &signature.to_bytes().into())
}

fn told(ring: &KeyRing, code: &str) -> Result<Option<u32>, Invalid> {
    ring.verify(EVENT, code, NOW).map(|ticket: Verified| ticket.epoch())
}

#[test]
fn a_fresh_code_is_taken_and_tells_its_epoch() {
    let now = epoch(NOW, 30);
    assert_eq!(told(&server(), &shared(now)), Ok(Some(now)));
    assert_eq!(told(&server(), &device(&phone(1), &phone(1), now)), Ok(Some(now)));
}

#[test]
fn the_epochs_beside_the_present_one_are_taken_and_no_others() {
    let now = epoch(NOW, 30);
    let by_device = |epoch| device(&phone(1), &phone(1), epoch);
    let both: [&dyn Fn(u32) -> String; 2] = [&shared, &by_device];
    for code in both {
        assert!(told(&server(), &code(now - 1)).is_ok());
        assert!(told(&server(), &code(now + 1)).is_ok());
        assert_eq!(told(&server(), &code(now - 2)), Err(Invalid::EpochStale));
        assert_eq!(told(&server(), &code(now + 2)), Err(Invalid::EpochAhead));
    }
}

#[test]
fn a_gate_with_public_keys_checks_a_device_key_and_asks_about_a_shared_secret() {
    let gate = ring(Algorithm::Ed25519);
    let now = epoch(NOW, 30);
    assert!(told(&gate, &device(&phone(1), &phone(1), now)).is_ok());
    assert_eq!(told(&gate, &shared(now)), Err(Invalid::KeyNotHere));
}

#[test]
fn a_copied_ticket_on_another_phone_is_refused() {
    let copied = device(&phone(1), &phone(2), epoch(NOW, 30));
    assert_eq!(told(&server(), &copied), Err(Invalid::ProofInvalid));
}

#[test]
fn a_challenge_is_answered_by_the_holder_for_that_gate_only() {
    let asked = Challenge { nonce: [5; 8], gate: GateNo(1) };
    let judge = |code: &str, challenge: Option<&Challenge>| {
        ring(Algorithm::Ed25519).verify_answer(EVENT, code, challenge, NOW).map(|t| t.epoch())
    };
    let good = answer(&phone(1), &asked);
    assert_eq!(judge(&good, Some(&asked)), Ok(None));
    let elsewhere = Challenge { gate: GateNo(2), ..asked };
    assert_eq!(judge(&good, Some(&elsewhere)), Err(Invalid::ProofInvalid));
    let later = Challenge { nonce: [6; 8], ..asked };
    assert_eq!(judge(&good, Some(&later)), Err(Invalid::ProofInvalid));
    assert_eq!(judge(&good, None), Err(Invalid::ProofInvalid));
    assert_eq!(judge(&answer(&phone(2), &asked), Some(&asked)), Err(Invalid::ProofInvalid));
    let by_time = device(&phone(1), &phone(1), epoch(NOW, 30));
    assert_eq!(judge(&by_time, Some(&asked)), Err(Invalid::ProofInvalid));
}

#[test]
fn a_challenge_is_answered_with_a_shared_secret_too_and_the_server_checks_it() {
    let asked = Challenge { nonce: [5; 8], gate: GateNo(1) };
    let judge = |code: &str, challenge: Option<&Challenge>| {
        server().verify_answer(EVENT, code, challenge, NOW).map(|t| t.epoch())
    };
    let secret = ticket_secret(&EVENT_SECRET, EVENT, TICKET);
    let tag = shared_answer(&secret, EVENT, TICKET, &asked);
    let good = shared_code(&shared_head(), 0xffff, &tag);
    assert_eq!(judge(&good, Some(&asked)), Ok(None));
    for other in [Challenge { gate: GateNo(2), ..asked }, Challenge { nonce: [6; 8], ..asked }] {
        assert_eq!(judge(&good, Some(&other)), Err(Invalid::ProofInvalid));
    }
    assert_eq!(judge(&good, None), Err(Invalid::ProofInvalid));
    assert_eq!(judge(&shared(epoch(NOW, 30)), Some(&asked)), Err(Invalid::ProofInvalid));
    let gate = ring(Algorithm::Ed25519);
    let without = gate.verify_answer(EVENT, &good, Some(&asked), NOW).map(|t| t.epoch());
    assert_eq!(without, Err(Invalid::KeyNotHere));
}

#[test]
fn only_the_wallet_of_a_ticket_lets_it_go_and_to_one_offer_only() {
    let message = release_message(EVENT, TICKET, &[1; 32]);
    let owner = phone(1);
    let key = device_key(owner.verifying_key().to_sec1_point(false).as_bytes()).unwrap();
    let by = |signer: &SigningKey| -> Signature { signer.sign(&message) };
    assert!(releases(&key, &message, &by(&owner).to_bytes()));
    assert!(!releases(&key, &message, &by(&phone(2)).to_bytes()));
    let other = release_message(EVENT, TICKET, &[2; 32]);
    assert!(!releases(&key, &other, &by(&owner).to_bytes()));
    let secret = ticket_secret(&EVENT_SECRET, EVENT, TICKET);
    let tag = hmac_sha256(&secret, &[&message]);
    assert!(releases_shared(&secret, &message, &tag));
    assert!(!releases_shared(&secret, &other, &tag));
    assert!(!releases_shared(&secret, &message, &[]));
}

#[test]
fn the_codes_fit_their_symbols() {
    // Version 6 at level M holds 154 characters, version 10 holds 311.
    assert!(shared(epoch(NOW, 30)).len() <= 154);
    assert!(device(&phone(1), &phone(1), epoch(NOW, 30)).len() <= 311);
}

#[test]
fn an_interval_that_is_none_of_ours_is_not_signed() {
    let rotation = Rotation { interval_s: 7, binding: Binding::Shared };
    assert_eq!(head(&secret(Algorithm::Ed25519), KeyNo(1), &grant(), &rotation), None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn a_proof_made_without_the_key_is_never_accepted(proof in prop::array::uniform8(any::<u8>()), shift in 0u32..3) {
        let now = epoch(NOW, 30) - 1 + shift;
        let rotation = Rotation { interval_s: 30, binding: Binding::Shared };
        let head = head(&secret(Algorithm::Ed25519), KeyNo(1), &grant(), &rotation).unwrap();
        let right = shared_proof(&ticket_secret(&EVENT_SECRET, EVENT, TICKET), TICKET, now);
        prop_assume!(proof != right);
        prop_assert_eq!(told(&server(), &shared_code(&head, now, &proof)), Err(Invalid::ProofInvalid));
    }

    #[test]
    fn a_code_changed_in_any_character_is_refused(place: prop::sample::Index, other: prop::sample::Index) {
        let code = device(&phone(1), &phone(1), epoch(NOW, 30));
        let mut letters = code.clone().into_bytes();
        let place = 3 + place.index(letters.len() - 3);
        letters[place] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"[other.index(45)];
        let changed = String::from_utf8(letters).unwrap();
        prop_assume!(changed != code);
        prop_assert!(told(&server(), &changed).is_err());
    }

    #[test]
    fn the_nearest_epoch_is_found_by_its_low_bits(current in 0x1_0000u32.., step in -30_000i64..30_000) {
        let wanted = i64::from(current) + step;
        prop_assume!((0..=i64::from(u32::MAX)).contains(&wanted));
        let wanted = u32::try_from(wanted).unwrap();
        let [_, _, high, low] = wanted.to_be_bytes();
        prop_assert_eq!(nearest(u16::from_be_bytes([high, low]), current), wanted);
    }
}
