//! The decision: may this genuine ticket enter here and now? One pure function for the server's
//! transaction and for the gate without a network (law 2).

use crate::id::{DeviceNo, GateNo, ScanId, UnixMs};
use crate::pass::{self, Calendar, Direction, Pass, Presence};
use crate::reason::Reason;
use crate::ticket::Verified;

/// How long after an admission the same device may take it back, in milliseconds.
pub const UNDO_WINDOW_MS: i64 = 15 * 60 * 1000;

/// How long after an event's end its tickets still admit, in milliseconds (seed 003: 24 hours).
pub const EVENT_GRACE_MS: i64 = 24 * 60 * 60 * 1000;

/// One presentation of a code at a gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scan {
    /// Its name, drawn by the device.
    pub id: ScanId,
    /// Who scans.
    pub device: DeviceNo,
    /// Where.
    pub gate: GateNo,
    /// When, by the clock of whoever decides.
    pub at: UnixMs,
    /// Which way.
    pub direction: Direction,
}

/// Whether a ticket is good, apart from its uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Issued and not withdrawn.
    Issued,
    /// Withdrawn by the organiser.
    Revoked,
    /// Replaced by a ticket of another holder.
    Transferred,
}

impl Standing {
    /// Its code in the database and the API.
    pub fn code(self) -> &'static str {
        match self {
            Self::Issued => "issued",
            Self::Revoked => "revoked",
            Self::Transferred => "transferred",
        }
    }

    /// The standing with this code.
    pub fn parse(code: &str) -> Option<Self> {
        [Self::Issued, Self::Revoked, Self::Transferred].into_iter().find(|s| s.code() == code)
    }
}

/// What is on the books about one ticket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct History {
    /// Good or withdrawn.
    pub standing: Standing,
    /// Entries so far, undone ones not counted.
    pub uses: u32,
    /// The first entry that still counts.
    pub first: Option<Entry>,
    /// The newest entry that still counts.
    pub last: Option<Entry>,
    /// The newest epoch of which a changing code was used, also by an entry that was taken back.
    pub last_epoch: Option<u32>,
    /// Numbers of uses that were taken back from between others, and are not given out again.
    pub skipped: u32,
    /// Who is inside with it.
    pub presence: Presence,
}

impl History {
    /// A ticket that was issued and has not been seen.
    pub const FRESH: Self = Self {
        standing: Standing::Issued,
        uses: 0,
        first: None,
        last: None,
        last_epoch: None,
        skipped: 0,
        presence: Presence { inside: 0, gates: pass::GateDay(0) },
    };

    /// The number of the use that comes next.
    pub fn next_use(&self) -> u32 {
        self.uses.saturating_add(self.skipped).saturating_add(1)
    }
}

/// Where, when and by which scan somebody entered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The scan.
    pub scan: ScanId,
    /// The device.
    pub device: DeviceNo,
    /// The gate.
    pub gate: GateNo,
    /// The time.
    pub at: UnixMs,
}

/// What the event says today, as opposed to what is in the ticket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Whether the gate of this scan is open.
    pub gate_open: bool,
    /// From when on no ticket of the event admits.
    pub closes_at: Option<UnixMs>,
    /// The device that alone may admit this ticket, if there is one.
    pub held_by: Option<DeviceNo>,
    /// How tickets of this type may enter again.
    pub pass: Pass,
    /// What day it is there.
    pub calendar: Calendar,
}

/// The answer about one scan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Let the person in, or out.
    Admit(Admission),
    /// Do not.
    Refuse(Reason),
}

/// One accepted entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Admission {
    /// Which use of the ticket it is, from 1.
    pub use_no: u32,
    /// How many remain; none for unlimited.
    pub uses_remaining: Option<u32>,
}

/// A verdict, and what must be written for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    /// The answer.
    pub verdict: Verdict,
    /// The ticket's new history; none when nothing changes.
    pub next: Option<History>,
}

/// Decides about a scan of a genuine ticket whose books say `history`.
///
/// The order of the checks is the order in which staff want to know: is it good at all, is it good
/// here, is it good now, is it used up. A scan that was admitted before (same id, same device) is
/// admitted again as the same use: a lost answer is repaired, not counted.
pub fn decide(
    ticket: &Verified,
    scan: &Scan,
    history: Option<&History>,
    rules: &Rules,
) -> Decision {
    let history = match history {
        Some(history) => history,
        // Nobody knows of such a ticket before it comes.
        None if ticket.is_anonymous() => &History::FRESH,
        None => return refuse(Reason::Unknown),
    };
    let grant = ticket.grant();
    if let Some(last) = history.last
        && last.scan == scan.id
        && last.device == scan.device
        && scan.direction == Direction::Entry
    {
        let admission = admission(history.next_use().saturating_sub(1), grant.max_uses);
        return Decision { verdict: Verdict::Admit(admission), next: None };
    }
    match history.standing {
        Standing::Issued => {}
        // Whoever is inside with a ticket that was withdrawn since may leave.
        Standing::Revoked if scan.direction == Direction::Exit => {}
        Standing::Revoked => return refuse(Reason::Revoked),
        Standing::Transferred => return refuse(Reason::Transferred),
    }
    // A code that changes is good once, and so is every one before it.
    if let (Some(epoch), Some(last)) = (ticket.epoch(), history.last_epoch)
        && epoch <= last
    {
        return refuse(Reason::EpochReplayed);
    }
    if scan.direction == Direction::Exit {
        return leave(ticket, history);
    }
    if !grant.gates.allows(scan.gate) {
        return refuse(Reason::EntryPointDenied);
    }
    if !rules.gate_open {
        return refuse(Reason::GateClosed);
    }
    if let Some(reason) = outside_window(ticket, scan.at, rules) {
        return refuse(reason);
    }
    if grant.max_uses != 0 && history.uses >= u32::from(grant.max_uses) {
        return refuse(exhausted(grant.max_uses));
    }
    if let Some(reason) = pass::refusal(rules.pass, scan, history, &rules.calendar) {
        return refuse(reason);
    }
    // Last: only a ticket that is good here and now is worth asking its holder for.
    if rules.held_by.is_some_and(|device| device != scan.device) {
        return refuse(Reason::Held);
    }
    let entry = Entry { scan: scan.id, device: scan.device, gate: scan.gate, at: scan.at };
    let next = History {
        standing: history.standing,
        uses: history.uses.saturating_add(1),
        first: history.first.or(Some(entry)),
        last: Some(entry),
        last_epoch: ticket.epoch().or(history.last_epoch),
        skipped: history.skipped,
        presence: history.presence.entered(scan.gate, history.last, &pass::days_of(rules)),
    };
    let verdict = Verdict::Admit(admission(history.next_use(), grant.max_uses));
    Decision { verdict, next: Some(next) }
}

/// Lets somebody out who is in. Neither gates nor times matter: a door must not be shut on people
/// who want to leave.
fn leave(ticket: &Verified, history: &History) -> Decision {
    if history.presence.inside == 0 {
        return refuse(Reason::NotInside);
    }
    let next = History {
        last_epoch: ticket.epoch().or(history.last_epoch),
        presence: history.presence.left(),
        ..*history
    };
    let verdict = Verdict::Admit(admission(history.uses, ticket.grant().max_uses));
    Decision { verdict, next: Some(next) }
}

/// Why an entry cannot be taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UndoRefused {
    /// The ticket's newest entry is another one, or there is none.
    #[error("this is not the newest entry of the ticket")]
    NotTheLast,
    /// Another device let the person in.
    #[error("another device made this entry")]
    OtherDevice,
    /// [`UNDO_WINDOW_MS`] is over.
    #[error("the time to undo is over")]
    TooLate,
    /// The ticket is somebody else's by now.
    #[error("the ticket was transferred")]
    Transferred,
}

/// Takes back the newest entry of a ticket: the history without it. `before` is the entry that is
/// then the newest, if any.
pub fn undo(history: &History, scan: &Scan, before: Option<Entry>) -> Result<History, UndoRefused> {
    let last = history.last.filter(|last| last.scan == scan.id).ok_or(UndoRefused::NotTheLast)?;
    if history.standing == Standing::Transferred {
        return Err(UndoRefused::Transferred);
    }
    if last.device != scan.device {
        return Err(UndoRefused::OtherDevice);
    }
    if scan.at > last.at.plus(UNDO_WINDOW_MS) {
        return Err(UndoRefused::TooLate);
    }
    let uses = history.uses.saturating_sub(1);
    let first = history.first.filter(|_| uses > 0);
    Ok(History {
        standing: history.standing,
        uses,
        first,
        last: before.filter(|_| uses > 0),
        last_epoch: history.last_epoch,
        skipped: if uses > 0 { history.skipped } else { 0 },
        presence: history.presence.without(last.gate),
    })
}

fn refuse(reason: Reason) -> Decision {
    Decision { verdict: Verdict::Refuse(reason), next: None }
}

fn admission(use_no: u32, max_uses: u8) -> Admission {
    let uses_remaining = (max_uses != 0).then(|| u32::from(max_uses).saturating_sub(use_no));
    Admission { use_no, uses_remaining }
}

pub(crate) fn exhausted(max_uses: u8) -> Reason {
    if max_uses == 1 { Reason::AlreadyUsed } else { Reason::UsesExhausted }
}

fn outside_window(ticket: &Verified, at: UnixMs, rules: &Rules) -> Option<Reason> {
    let grant = ticket.grant();
    let ms = |seconds: u32| UnixMs(i64::from(seconds) * 1000);
    if grant.not_before_s != 0 && at < ms(grant.not_before_s) {
        return Some(Reason::NotYetValid);
    }
    if grant.expires_s != 0 && at >= ms(grant.expires_s) {
        return Some(Reason::Expired);
    }
    if rules.closes_at.is_some_and(|end| at >= end) {
        return Some(Reason::Expired);
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::id::{GateSet, KeyNo, TicketId, TypeNo};
    use crate::pass::tests::OPEN;
    use crate::ticket::tests::{EVENT, ring, secret};
    use crate::ticket::{Algorithm, Format, Grant};

    const NOW: UnixMs = UnixMs(1_700_000_000_000);

    fn ticket(change: impl FnOnce(&mut Grant)) -> Verified {
        let mut grant = Grant {
            event: EVENT,
            ticket: TicketId(1),
            type_no: TypeNo(1),
            not_before_s: 0,
            expires_s: 0,
            max_uses: 1,
            gates: GateSet::ANY,
        };
        change(&mut grant);
        let code = secret(Algorithm::Ed25519).sign(Format::Compact, KeyNo(1), &grant);
        ring(Algorithm::Ed25519).verify(EVENT, &code, NOW).unwrap()
    }

    fn scan(id: u8) -> Scan {
        Scan {
            id: ScanId([id; 16]),
            device: DeviceNo(1),
            gate: GateNo(1),
            at: NOW,
            direction: Direction::Entry,
        }
    }

    fn reason(ticket: &Verified, scan: &Scan, history: &History) -> Option<Reason> {
        match decide(ticket, scan, Some(history), &OPEN).verdict {
            Verdict::Admit(_) => None,
            Verdict::Refuse(reason) => Some(reason),
        }
    }

    #[test]
    fn a_fresh_ticket_is_admitted_once() {
        let ticket = ticket(|_| ());
        let first = decide(&ticket, &scan(1), Some(&History::FRESH), &OPEN);
        assert_eq!(first.verdict, Verdict::Admit(Admission { use_no: 1, uses_remaining: Some(0) }));
        assert_eq!(reason(&ticket, &scan(2), &first.next.unwrap()), Some(Reason::AlreadyUsed));
    }

    #[test]
    fn the_same_scan_again_is_the_same_use() {
        let ticket = ticket(|_| ());
        let next = decide(&ticket, &scan(1), Some(&History::FRESH), &OPEN).next.unwrap();
        let again = decide(&ticket, &scan(1), Some(&next), &OPEN);
        assert!(matches!(again.verdict, Verdict::Admit(Admission { use_no: 1, .. })));
        assert_eq!(again.next, None);
    }

    #[test]
    fn another_device_cannot_replay_a_scan() {
        let ticket = ticket(|_| ());
        let next = decide(&ticket, &scan(1), Some(&History::FRESH), &OPEN).next.unwrap();
        let thief = Scan { device: DeviceNo(2), ..scan(1) };
        assert_eq!(reason(&ticket, &thief, &next), Some(Reason::AlreadyUsed));
    }

    #[test]
    fn a_genuine_ticket_that_is_not_on_the_books_is_unknown() {
        let decision = decide(&ticket(|_| ()), &scan(1), None, &OPEN);
        assert_eq!(decision.verdict, Verdict::Refuse(Reason::Unknown));
    }

    #[test]
    fn a_revoked_ticket_is_refused_as_revoked() {
        let revoked = History { standing: Standing::Revoked, ..History::FRESH };
        assert_eq!(reason(&ticket(|_| ()), &scan(1), &revoked), Some(Reason::Revoked));
    }

    #[test]
    fn a_ticket_for_another_gate_is_denied_here() {
        let ticket = ticket(|grant| grant.gates = GateSet::of(&[GateNo(2)]).unwrap());
        assert_eq!(reason(&ticket, &scan(1), &History::FRESH), Some(Reason::EntryPointDenied));
    }

    #[test]
    fn the_window_includes_its_start_and_excludes_its_end() {
        let ticket = ticket(|grant| {
            grant.not_before_s = 1_700_000_000;
            grant.expires_s = 1_700_000_010;
        });
        let at = |ms| Scan { at: NOW.plus(ms), ..scan(1) };
        assert_eq!(reason(&ticket, &at(-1), &History::FRESH), Some(Reason::NotYetValid));
        assert_eq!(reason(&ticket, &at(0), &History::FRESH), None);
        assert_eq!(reason(&ticket, &at(9_999), &History::FRESH), None);
        assert_eq!(reason(&ticket, &at(10_000), &History::FRESH), Some(Reason::Expired));
    }

    #[test]
    fn a_closed_gate_and_a_finished_event_refuse() {
        let with = |rules| decide(&ticket(|_| ()), &scan(1), Some(&History::FRESH), &rules).verdict;
        let closed = Rules { gate_open: false, ..OPEN };
        let over = Rules { closes_at: Some(NOW), ..OPEN };
        assert_eq!(with(closed), Verdict::Refuse(Reason::GateClosed));
        assert_eq!(with(over), Verdict::Refuse(Reason::Expired));
    }

    #[test]
    fn an_undone_entry_can_be_made_again() {
        let ticket = ticket(|_| ());
        let next = decide(&ticket, &scan(1), Some(&History::FRESH), &OPEN).next.unwrap();
        let undone = undo(&next, &scan(1), None).unwrap();
        assert_eq!(undone, History::FRESH);
        assert_eq!(reason(&ticket, &scan(2), &undone), None);
    }

    #[test]
    fn only_the_same_device_undoes_and_only_in_time() {
        let ticket = ticket(|_| ());
        let next = decide(&ticket, &scan(1), Some(&History::FRESH), &OPEN).next.unwrap();
        let other = Scan { device: DeviceNo(2), ..scan(1) };
        let late = Scan { at: NOW.plus(UNDO_WINDOW_MS + 1), ..scan(1) };
        assert_eq!(undo(&next, &other, None), Err(UndoRefused::OtherDevice));
        assert_eq!(undo(&next, &late, None), Err(UndoRefused::TooLate));
        assert_eq!(undo(&next, &scan(9), None), Err(UndoRefused::NotTheLast));
    }

    fn rotating(epoch: u32) -> Verified {
        use crate::ticket::rotating::{self, Binding, Rotation};
        let mut ring = ring(Algorithm::Ed25519);
        ring.add_rotation(EVENT, [9; 32]);
        let grant = Grant { max_uses: 0, ..*ticket(|_| ()).grant() };
        let rotation = Rotation { interval_s: 30, binding: Binding::Shared };
        let head = rotating::head(&secret(Algorithm::Ed25519), KeyNo(1), &grant, &rotation);
        let of_ticket = rotating::ticket_secret(&[9; 32], EVENT, grant.ticket);
        let proof = rotating::shared_proof(&of_ticket, grant.ticket, epoch);
        let code = rotating::shared_code(&head.unwrap(), epoch, &proof);
        ring.verify(EVENT, &code, UnixMs(i64::from(epoch) * 30_000)).unwrap()
    }

    proptest! {
        #[test]
        fn no_epoch_of_a_ticket_is_admitted_twice_in_whatever_order(epochs in prop::collection::vec(60_000_000u32..60_000_008, 1..30)) {
            let mut history = History::FRESH;
            let mut admitted = std::collections::BTreeSet::new();
            for (id, epoch) in (0u8..).zip(epochs) {
                let scan = Scan { at: UnixMs(i64::from(epoch) * 30_000), ..scan(id) };
                let decision = decide(&rotating(epoch), &scan, Some(&history), &OPEN);
                if let Some(next) = decision.next {
                    prop_assert!(admitted.insert(epoch));
                    history = next;
                } else {
                    prop_assert_eq!(decision.verdict, Verdict::Refuse(Reason::EpochReplayed));
                }
            }
        }

        #[test]
        fn a_code_of_an_entry_that_was_taken_back_stays_used(epoch in 60_000_000u32..60_000_008) {
            let ticket = rotating(epoch);
            let scan = Scan { at: UnixMs(i64::from(epoch) * 30_000), ..scan(1) };
            let next = decide(&ticket, &scan, Some(&History::FRESH), &OPEN).next.unwrap();
            let undone = undo(&next, &scan, None).unwrap();
            let again = Scan { id: ScanId([2; 16]), ..scan };
            let told = decide(&ticket, &again, Some(&undone), &OPEN).verdict;
            prop_assert_eq!(told, Verdict::Refuse(Reason::EpochReplayed));
        }
    }

    proptest! {
        #[test]
        fn no_order_of_scans_admits_more_than_max_uses(max_uses in 1u8..6, ids in prop::collection::vec(0u8..20, 0..60)) {
            let ticket = ticket(|grant| grant.max_uses = max_uses);
            let mut history = History::FRESH;
            let mut admitted = 0u32;
            for id in ids {
                let decision = decide(&ticket, &scan(id), Some(&history), &OPEN);
                if let Some(next) = decision.next {
                    admitted += 1;
                    history = next;
                }
                prop_assert_eq!(history.uses, admitted);
            }
            prop_assert!(admitted <= u32::from(max_uses));
        }
    }
}
