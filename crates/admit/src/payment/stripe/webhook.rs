//! What Stripe tells by itself: whether it was Stripe, and which payment to ask about.
//!
//! An event is only a hint to look. What is paid is always asked of Stripe
//! ([`super::super::Provider::check`]), so that a forged event, or an old one sent again, gives nothing.

use admit_core::id::UnixMs;
use aws_lc_rs::hmac;
use data_encoding::HEXLOWER_PERMISSIVE;
use serde::Deserialize;
use thiserror::Error;

/// How far the time in a signature may be from ours: what Stripe's own libraries allow.
pub const TOLERANCE_MS: i64 = 5 * 60 * 1000;
/// Longest header that is read; while a secret is replaced there are two signatures.
const HEADER_BYTES_MAX: usize = 2048;

/// Why an event is not believed, or is none of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum WebhookRefused {
    /// The header has no time or no signature.
    #[error("the signature cannot be read")]
    Malformed,
    /// No signature was made with the secret over this body.
    #[error("the signature is not Stripe's")]
    Forged,
    /// Signed too long ago, or by a clock ahead of ours.
    #[error("the signature is not of now")]
    OutOfTime,
    /// Genuine, but about something that is not a payment.
    #[error("the event is about something else")]
    Irrelevant,
}

#[derive(Deserialize)]
struct Event {
    data: EventData,
}

#[derive(Deserialize)]
struct EventData {
    object: EventObject,
}

#[derive(Deserialize)]
struct EventObject {
    id: String,
}

/// The reference of the payment that an event is about, to be asked about.
///
/// `body` is as it arrived, to the byte; `signature_header` is the header `Stripe-Signature`; `secret`
/// is that of the endpoint, such as `whsec_…`. What is signed is the time, a full stop and the body,
/// by HMAC-SHA256 (RFC 2104); tags are compared in constant time.
pub fn webhook(
    body: &[u8],
    signature_header: &str,
    secret: &str,
    now: UnixMs,
) -> Result<String, WebhookRefused> {
    let (time, tags) = read_header(signature_header).ok_or(WebhookRefused::Malformed)?;
    let seconds: i64 = time.parse().map_err(|_| WebhookRefused::Malformed)?;
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let signed = [time.as_bytes(), b".", body].concat();
    // An empty secret is one that was not set: anybody could sign with it.
    let genuine = tags.iter().any(|tag| hmac::verify(&key, &signed, tag).is_ok());
    if secret.is_empty() || !genuine {
        return Err(WebhookRefused::Forged);
    }
    let age_ms = now.0.saturating_sub(seconds.saturating_mul(1000));
    if age_ms.saturating_abs() > TOLERANCE_MS {
        return Err(WebhookRefused::OutOfTime);
    }
    let event: Event = serde_json::from_slice(body).map_err(|_| WebhookRefused::Irrelevant)?;
    let reference = event.data.object.id;
    super::kind_of(&reference).map(|_| reference).ok_or(WebhookRefused::Irrelevant)
}

/// The time as it is written, and every signature of version 1.
fn read_header(header: &str) -> Option<(&str, Vec<Vec<u8>>)> {
    if header.len() > HEADER_BYTES_MAX {
        return None;
    }
    let fields = || header.split(',').filter_map(|field| field.trim().split_once('='));
    let mut times = fields().filter(|(name, _)| *name == "t").map(|(_, value)| value);
    let time = times.next()?;
    let decode = |text: &str| HEXLOWER_PERMISSIVE.decode(text.as_bytes()).ok();
    let tags = fields().filter(|(name, _)| *name == "v1").filter_map(|(_, value)| decode(value));
    let tags: Vec<Vec<u8>> = tags.collect();
    // One time only: two would leave open which one is signed.
    (times.next().is_none() && !tags.is_empty()).then_some((time, tags))
}

#[cfg(test)]
mod tests {
    use data_encoding::HEXLOWER;
    use proptest::prelude::*;

    use super::*;

    const SECRET: &str = "whsec_test";
    const TIME_S: i64 = 1_700_000_000;
    const NOW: UnixMs = UnixMs(TIME_S * 1000);
    const BODY: &[u8] = br#"{"type":"checkout.session.completed","data":{"object":{"id":"cs_1"}}}"#;

    fn tag(secret: &str, time_s: i64, body: &[u8]) -> String {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
        let signed = [format!("{time_s}.").as_bytes(), body].concat();
        HEXLOWER.encode(hmac::sign(&key, &signed).as_ref())
    }

    fn header(secret: &str, time_s: i64, body: &[u8]) -> String {
        format!("t={time_s},v1={}", tag(secret, time_s, body))
    }

    #[test]
    fn a_genuine_event_gives_the_payment_to_ask_about() {
        let header = header(SECRET, TIME_S, BODY);
        assert_eq!(webhook(BODY, &header, SECRET, NOW), Ok("cs_1".to_owned()));
    }

    #[test]
    fn a_signature_made_elsewhere_is_taken() {
        // By Python's hmac, of `t`, a full stop and the body.
        let body = br#"{"data":{"object":{"id":"pi_3"}}}"#;
        let header = "t=1700000000,\
                      v1=50278e1a2513d6c0e7f8e0534b91ac1c2a06c8e5d95b6c6980fea780cf5ad8cb,\
                      v0=00";
        assert_eq!(webhook(body, header, SECRET, NOW), Ok("pi_3".to_owned()));
    }

    #[test]
    fn a_signature_with_another_secret_is_refused() {
        let header = header("whsec_other", TIME_S, BODY);
        assert_eq!(webhook(BODY, &header, SECRET, NOW), Err(WebhookRefused::Forged));
    }

    #[test]
    fn a_secret_that_was_not_set_believes_nobody() {
        let header = header("", TIME_S, BODY);
        assert_eq!(webhook(BODY, &header, "", NOW), Err(WebhookRefused::Forged));
    }

    #[test]
    fn a_changed_body_is_refused() {
        let header = header(SECRET, TIME_S, BODY);
        let other = [BODY, b" "].concat();
        assert_eq!(webhook(&other, &header, SECRET, NOW), Err(WebhookRefused::Forged));
    }

    #[test]
    fn a_changed_time_is_refused() {
        let header = format!("t={},v1={}", TIME_S + 1, tag(SECRET, TIME_S, BODY));
        assert_eq!(webhook(BODY, &header, SECRET, NOW), Err(WebhookRefused::Forged));
    }

    #[test]
    fn an_event_sent_again_is_refused_after_five_minutes() {
        let header = header(SECRET, TIME_S, BODY);
        assert!(webhook(BODY, &header, SECRET, NOW.plus(TOLERANCE_MS)).is_ok());
        let late = webhook(BODY, &header, SECRET, NOW.plus(TOLERANCE_MS + 1));
        assert_eq!(late, Err(WebhookRefused::OutOfTime));
    }

    #[test]
    fn an_event_from_the_future_is_refused() {
        let header = header(SECRET, TIME_S, BODY);
        let early = webhook(BODY, &header, SECRET, NOW.plus(-TOLERANCE_MS - 1));
        assert_eq!(early, Err(WebhookRefused::OutOfTime));
    }

    #[test]
    fn one_good_signature_of_several_is_enough() {
        let (old, new) = (tag("whsec_old", TIME_S, BODY), tag(SECRET, TIME_S, BODY));
        let header = format!("t={TIME_S},v1={old},v1={new},v0={old}");
        assert!(webhook(BODY, &header, SECRET, NOW).is_ok());
    }

    #[test]
    fn a_signature_of_an_older_version_counts_for_nothing() {
        let header = format!("t={TIME_S},v0={}", tag(SECRET, TIME_S, BODY));
        assert_eq!(webhook(BODY, &header, SECRET, NOW), Err(WebhookRefused::Malformed));
    }

    #[test]
    fn a_header_with_two_times_is_refused() {
        let header = format!("t=1,{}", header(SECRET, TIME_S, BODY));
        assert_eq!(webhook(BODY, &header, SECRET, NOW), Err(WebhookRefused::Malformed));
    }

    #[test]
    fn a_header_without_end_is_not_read() {
        let header = format!("{},{}", header(SECRET, TIME_S, BODY), "x".repeat(HEADER_BYTES_MAX));
        assert_eq!(webhook(BODY, &header, SECRET, NOW), Err(WebhookRefused::Malformed));
    }

    #[test]
    fn a_short_signature_is_refused() {
        let header = format!("t={TIME_S},v1={}", &tag(SECRET, TIME_S, BODY)[..62]);
        assert_eq!(webhook(BODY, &header, SECRET, NOW), Err(WebhookRefused::Forged));
        assert_eq!(webhook(BODY, "t=1,v1=", SECRET, NOW), Err(WebhookRefused::Forged));
    }

    #[test]
    fn an_event_about_something_else_is_told_apart() {
        for body in [r#"{"data":{"object":{"id":"cus_1"}}}"#, r#"{"data":{}}"#, "not JSON"] {
            let header = header(SECRET, TIME_S, body.as_bytes());
            let told = webhook(body.as_bytes(), &header, SECRET, NOW);
            assert_eq!(told, Err(WebhookRefused::Irrelevant), "{body}");
        }
    }

    proptest! {
        #[test]
        fn no_header_or_body_makes_the_reader_panic(header: String, body: Vec<u8>, now: i64) {
            let _ = webhook(&body, &header, SECRET, UnixMs(now));
            let _ = webhook(&body, &format!("t={now},v1={header}"), SECRET, UnixMs(now));
        }
    }
}
