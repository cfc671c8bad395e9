//! The audit of what a log says: no use of a ticket counted twice, nothing taken back that was not
//! there, time that goes forward. Whether it is the log that was signed is the tree's to tell.

use std::collections::{BTreeMap, HashMap, HashSet};

use thiserror::Error;

use super::leaf::{Kind, Leaf, LeafError};
use crate::id::UnixMs;

/// How far a leaf may lie before an earlier one, in milliseconds: requests overtake one another.
pub const BACKWARDS_MS_MAX: i64 = 5000;

/// What is wrong with a leaf.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Fault {
    /// It cannot be read.
    #[error(transparent)]
    Leaf(#[from] LeafError),
    /// A beginning that is not the first leaf.
    #[error("the log begins a second time")]
    SecondGenesis,
    /// A tag, a commitment or a body where there must be none, or none where there must be one.
    #[error("the leaf does not have the fields of its kind")]
    Fields,
    /// More than [`BACKWARDS_MS_MAX`] before an earlier leaf.
    #[error("the time goes back by {0} ms")]
    Backwards(i64),
    /// It refers to a leaf that comes later or is of another kind, or to none where it must.
    #[error("the leaf does not refer to what it is about")]
    Refers,
    /// It takes back an entry that was taken back before.
    #[error("entry {0} was taken back before")]
    UndoneTwice(u64),
    /// The same use of a ticket was let in by an earlier leaf, which nobody took back.
    #[error("the same use of a ticket was admitted by entry {0}")]
    AdmittedTwice(u64),
    /// The same ticket was issued by an earlier leaf.
    #[error("the same ticket was issued by entry {0}")]
    IssuedTwice(u64),
    /// The ticket that a transfer ended was issued anew before.
    #[error("transfer {0} was followed by a new ticket before")]
    ReissuedTwice(u64),
    /// The same anonymous ticket was exchanged by an earlier leaf.
    #[error("the same ticket was exchanged by entry {0}")]
    ExchangedTwice(u64),
    /// It quotes a checkpoint of another log.
    #[error("the leaf quotes a checkpoint of another log")]
    OtherLog,
}

/// The first leaf that is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("entry {index}: {fault}")]
pub struct Finding {
    /// Its position.
    pub index: u64,
    /// What is wrong.
    pub fault: Fault,
}

/// An audit under way. Give it every leaf of a log, from the first on.
#[derive(Clone, Debug, Default)]
pub struct Audit {
    kinds: Vec<Kind>,
    counts: BTreeMap<Kind, u64>,
    newest: Option<UnixMs>,
    /// What the log's first leaf says it is called.
    origin: Option<String>,
    /// How often it was set back.
    rollbacks: u64,
    /// Entries that count, and their tags.
    admitted: HashMap<u64, [u8; 32]>,
    /// The same, the other way round.
    admissions: HashMap<[u8; 32], u64>,
    issues: HashMap<[u8; 32], u64>,
    exchanges: HashMap<[u8; 32], u64>,
    /// Transfers whose new ticket was issued.
    reissued: HashSet<u64>,
}

impl Audit {
    /// Judges the next leaf. After a finding the audit is over.
    pub fn add(&mut self, leaf: &[u8]) -> Result<(), Finding> {
        let index = self.size();
        self.judge(index, leaf).map_err(|fault| Finding { index, fault })
    }

    /// Leaves so far.
    pub fn size(&self) -> u64 {
        u64::try_from(self.kinds.len()).unwrap_or(u64::MAX)
    }

    /// How many leaves there are of each kind that occurs.
    pub fn counts(&self) -> &BTreeMap<Kind, u64> {
        &self.counts
    }

    /// Entries that were not taken back.
    pub fn entries(&self) -> u64 {
        u64::try_from(self.admitted.len()).unwrap_or(u64::MAX)
    }

    /// Whether `origin` is what the log calls itself. One that was set back goes on under a name of
    /// its own: `…/2`, `…/3`. A log younger than its event does not say what it is called.
    pub fn is_called(&self, origin: &str) -> bool {
        let Some(first) = &self.origin else { return true };
        if self.rollbacks == 0 {
            return origin == first;
        }
        // Set back twice to the same state, it tells of one rollback and skips a name.
        let number = origin.strip_prefix(first.as_str()).and_then(|rest| rest.strip_prefix('/'));
        number.and_then(|n| n.parse().ok()).is_some_and(|n: u64| n > self.rollbacks)
    }

    fn judge(&mut self, index: u64, bytes: &[u8]) -> Result<(), Fault> {
        let leaf = Leaf::parse(bytes)?;
        check_fields(&leaf)?;
        self.check_time(&leaf)?;
        self.check_refers(&leaf)?;
        match leaf.kind {
            Kind::Genesis if index != 0 => return Err(Fault::SecondGenesis),
            Kind::Genesis => {
                let origin = String::from_utf8(leaf.body).map_err(|_| Fault::Fields)?;
                self.origin = Some(origin);
            }
            Kind::Rollback => self.roll_back(&leaf)?,
            Kind::Issue => {
                self.reissue(&leaf)?;
                if let Some(earlier) = self.issues.insert(leaf.tag, index) {
                    return Err(Fault::IssuedTwice(earlier));
                }
            }
            Kind::Admit | Kind::Import => {
                if let Some(earlier) = self.admissions.insert(leaf.tag, index) {
                    return Err(Fault::AdmittedTwice(earlier));
                }
                self.admitted.insert(index, leaf.tag);
            }
            Kind::Undo => self.undo(&leaf)?,
            Kind::Exchange => {
                if let Some(earlier) = self.exchanges.insert(leaf.tag, index) {
                    return Err(Fault::ExchangedTwice(earlier));
                }
            }
            _ => {}
        }
        self.kinds.push(leaf.kind);
        *self.counts.entry(leaf.kind).or_default() += 1;
        Ok(())
    }

    fn check_time(&mut self, leaf: &Leaf) -> Result<(), Fault> {
        // What a gate brings happened before the server knew of it.
        if matches!(leaf.kind, Kind::Import | Kind::Conflict) {
            return Ok(());
        }
        let newest = self.newest.map_or(leaf.at, |newest| newest.max(leaf.at));
        let back = newest.0 - leaf.at.0;
        if back > BACKWARDS_MS_MAX {
            return Err(Fault::Backwards(back));
        }
        self.newest = Some(newest);
        Ok(())
    }

    fn check_refers(&self, leaf: &Leaf) -> Result<(), Fault> {
        let Some(about) = leaf.refers else {
            // A log younger than its event tells of what it has not seen.
            let young = self.kinds.first() != Some(&Kind::Genesis);
            let needed = needs_a_leaf(leaf.kind);
            return if needed && !young { Err(Fault::Refers) } else { Ok(()) };
        };
        let about = usize::try_from(about).ok().and_then(|about| self.kinds.get(about));
        let fits = about.is_some_and(|about| may_refer_to(leaf.kind).contains(about));
        if fits { Ok(()) } else { Err(Fault::Refers) }
    }

    fn undo(&mut self, leaf: &Leaf) -> Result<(), Fault> {
        let Some(entry) = leaf.refers else { return Ok(()) };
        let tag = self.admitted.remove(&entry).ok_or(Fault::UndoneTwice(entry))?;
        self.admissions.remove(&tag);
        Ok(())
    }

    /// What a transfer ended begins again once.
    fn reissue(&mut self, leaf: &Leaf) -> Result<(), Fault> {
        let Some(about) = leaf.refers else { return Ok(()) };
        let place = usize::try_from(about).unwrap_or(usize::MAX);
        let ended = [Some(&Kind::Transfer), Some(&Kind::Exchange)];
        if ended.contains(&self.kinds.get(place)) && !self.reissued.insert(about) {
            return Err(Fault::ReissuedTwice(about));
        }
        Ok(())
    }

    /// The quoted checkpoint is of this log, under the name it had until now.
    fn roll_back(&mut self, leaf: &Leaf) -> Result<(), Fault> {
        let quoted = leaf.body.split(|byte| *byte == b'\n').next().unwrap_or_default();
        if !std::str::from_utf8(quoted).is_ok_and(|quoted| self.is_called(quoted)) {
            return Err(Fault::OtherLog);
        }
        self.rollbacks += 1;
        Ok(())
    }
}

/// What makes no sense without the leaf it is about.
fn needs_a_leaf(kind: Kind) -> bool {
    use Kind::{Bind, Reinstate, Revoke, Transfer, Undo};
    matches!(kind, Undo | Revoke | Reinstate | Bind | Transfer)
}

/// Public kinds have a body and nothing else; the others have none.
fn check_fields(leaf: &Leaf) -> Result<(), Fault> {
    const NONE: [u8; 32] = [0; 32];
    let public = matches!(leaf.kind, Kind::Genesis | Kind::Key | Kind::Rollback | Kind::Issuer);
    let fine = if public {
        !leaf.body.is_empty() && leaf.tag == NONE && leaf.commit == NONE
    } else {
        leaf.body.is_empty() && leaf.tag != NONE && leaf.commit != NONE
    };
    if fine { Ok(()) } else { Err(Fault::Fields) }
}

/// The kinds of leaves that one of this kind can be about.
fn may_refer_to(kind: Kind) -> &'static [Kind] {
    match kind {
        Kind::Genesis
        | Kind::Key
        | Kind::Rollback
        | Kind::Issuer
        | Kind::BlindSign
        | Kind::Exchange
        | Kind::Withdraw => &[],
        Kind::Issue => &[Kind::Issue, Kind::Revoke, Kind::Transfer, Kind::Exchange],
        Kind::Undo => &[Kind::Admit, Kind::Import],
        Kind::Admit | Kind::Import | Kind::Bind | Kind::Exit | Kind::Transfer => &[Kind::Issue],
        Kind::Revoke | Kind::Reinstate => &[Kind::Issue, Kind::Revoke, Kind::Reinstate],
        Kind::Refuse | Kind::Conflict => &[Kind::Issue, Kind::Admit, Kind::Import, Kind::Revoke],
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::id::{Digest, KeyNo, TicketId, TypeNo};
    use crate::log::leaf::{Details, Fact, LogKey};
    use crate::ticket::Algorithm;

    const NOW: UnixMs = UnixMs(1_800_000_000_000);
    const ORIGIN: &str = "tickets.example.org/log/3";

    /// A leaf about use 1 of a ticket.
    fn fact(kind: Kind, ticket: u64, refers: Option<u64>) -> Leaf {
        let mut details = Details::of(TicketId(ticket), Digest([3; 32]), TypeNo(1));
        details.use_no = u32::from(kind != Kind::Issue);
        Fact { kind, at: NOW, refers, details }.leaf(&LogKey([7; 32]))
    }

    fn genesis() -> Leaf {
        Leaf::genesis(ORIGIN, NOW)
    }

    fn audit(leaves: &[Leaf]) -> Result<Audit, Finding> {
        let mut audit = Audit::default();
        leaves.iter().try_for_each(|leaf| audit.add(&leaf.to_bytes())).map(|()| audit)
    }

    fn fault(leaves: &[Leaf]) -> Option<(u64, Fault)> {
        audit(leaves).err().map(|finding| (finding.index, finding.fault))
    }

    #[test]
    fn an_anonymous_ticket_is_exchanged_once_and_followed_by_one_ticket() {
        let exchange = || fact(Kind::Exchange, 1, None);
        let issue = |ticket, about| fact(Kind::Issue, ticket, Some(about));
        assert_eq!(fault(&[genesis(), exchange(), issue(2, 1)]), None);
        let twice = fault(&[genesis(), exchange(), exchange()]);
        assert_eq!(twice, Some((2, Fault::ExchangedTwice(1))));
        let two = fault(&[genesis(), exchange(), issue(2, 1), issue(3, 1)]);
        assert_eq!(two, Some((3, Fault::ReissuedTwice(1))));
    }

    #[test]
    fn a_log_in_order_is_counted() {
        let audit = audit(&[
            genesis(),
            Leaf::key(KeyNo(1), Algorithm::Ed25519, (None, None), Some([5; 32]), NOW),
            fact(Kind::Issue, 1, None),
            fact(Kind::Issue, 2, None),
            fact(Kind::Admit, 1, None),
            fact(Kind::Refuse, 1, None),
            fact(Kind::Undo, 1, Some(4)),
            fact(Kind::Admit, 1, None),
            fact(Kind::Revoke, 2, Some(3)),
            fact(Kind::Reinstate, 2, Some(3)),
        ])
        .unwrap();
        let counts: Vec<_> = audit.counts().iter().map(|(kind, n)| (kind.code(), *n)).collect();
        let wanted = [
            ("genesis", 1),
            ("key", 1),
            ("issue", 2),
            ("admit", 2),
            ("refuse", 1),
            ("undo", 1),
            ("revoke", 1),
            ("reinstate", 1),
        ];
        assert_eq!(counts, wanted);
        assert_eq!((audit.size(), audit.entries()), (10, 1));
    }

    #[test]
    fn the_same_use_of_a_ticket_twice_is_found() {
        let twice = [genesis(), fact(Kind::Admit, 1, None), fact(Kind::Admit, 1, None)];
        assert_eq!(fault(&twice), Some((2, Fault::AdmittedTwice(1))));
    }

    #[test]
    fn an_undo_frees_only_the_use_it_names() {
        let leaves = [
            genesis(),
            fact(Kind::Admit, 1, None),
            fact(Kind::Admit, 2, None),
            fact(Kind::Undo, 2, Some(2)),
            fact(Kind::Admit, 1, None),
        ];
        assert_eq!(fault(&leaves), Some((4, Fault::AdmittedTwice(1))));
    }

    #[test]
    fn an_entry_is_taken_back_once() {
        let undo = fact(Kind::Undo, 1, Some(1));
        let leaves = [genesis(), fact(Kind::Admit, 1, None), undo.clone(), undo];
        assert_eq!(fault(&leaves), Some((3, Fault::UndoneTwice(1))));
    }

    #[test]
    fn a_ticket_issued_twice_is_found() {
        let twice = [genesis(), fact(Kind::Issue, 1, None), fact(Kind::Issue, 1, None)];
        assert_eq!(fault(&twice), Some((2, Fault::IssuedTwice(1))));
    }

    #[test]
    fn an_undo_of_nothing_or_of_something_else_is_found() {
        for refers in [None, Some(0), Some(1), Some(2), Some(u64::MAX - 1)] {
            let leaves = [genesis(), fact(Kind::Issue, 1, None), fact(Kind::Undo, 1, refers)];
            assert_eq!(fault(&leaves), Some((2, Fault::Refers)), "{refers:?}");
        }
    }

    #[test]
    fn a_log_younger_than_its_event_may_take_back_what_it_has_not_seen() {
        assert_eq!(fault(&[fact(Kind::Undo, 1, None), fact(Kind::Revoke, 1, None)]), None);
    }

    #[test]
    fn a_second_beginning_is_found() {
        assert_eq!(fault(&[genesis(), genesis()]), Some((1, Fault::SecondGenesis)));
    }

    #[test]
    fn time_may_go_back_by_seconds_only() {
        let at = |ms| Leaf { at: NOW.plus(ms), ..fact(Kind::Refuse, 1, None) };
        assert_eq!(fault(&[at(0), at(-BACKWARDS_MS_MAX)]), None);
        let back = [at(0), at(-3000), at(-BACKWARDS_MS_MAX - 1)];
        assert_eq!(fault(&back), Some((2, Fault::Backwards(BACKWARDS_MS_MAX + 1))));
    }

    #[test]
    fn what_a_gate_brings_may_be_old() {
        let old = Leaf { at: UnixMs(5), ..fact(Kind::Import, 1, None) };
        assert_eq!(fault(&[genesis(), old]), None);
    }

    #[test]
    fn a_leaf_without_the_fields_of_its_kind_is_found() {
        let wrong = [
            Leaf { body: Vec::new(), ..genesis() },
            Leaf { tag: [1; 32], ..genesis() },
            Leaf { commit: [1; 32], ..genesis() },
            Leaf { body: vec![1], ..fact(Kind::Admit, 1, None) },
            Leaf { tag: [0; 32], ..fact(Kind::Admit, 1, None) },
            Leaf { commit: [0; 32], ..fact(Kind::Admit, 1, None) },
        ];
        for leaf in wrong {
            assert_eq!(fault(&[leaf]), Some((0, Fault::Fields)));
        }
    }

    #[test]
    fn a_log_speaks_for_its_own_origin_only() {
        let audit = audit(&[genesis()]).unwrap();
        assert!(audit.is_called(ORIGIN));
        assert!(!audit.is_called("tickets.example.org/log/4"));
        assert!(!audit.is_called(&format!("{ORIGIN}/2")));
    }

    #[test]
    fn a_log_that_was_set_back_quotes_its_own_checkpoint() {
        let quoting = |origin: &str| Leaf::rollback(&format!("{origin}\n9\nAAAA\n"), NOW);
        assert_eq!(fault(&[genesis(), quoting("other")]), Some((1, Fault::OtherLog)));
        let again = [genesis(), quoting(ORIGIN), quoting(ORIGIN)];
        assert_eq!(fault(&again), Some((2, Fault::OtherLog)));
    }

    #[test]
    fn a_log_that_was_set_back_goes_on_under_another_name() {
        let second = format!("{ORIGIN}/2");
        let quoting = |origin: &str| Leaf::rollback(&format!("{origin}\n9\nAAAA\n"), NOW);
        let audit = audit(&[genesis(), quoting(ORIGIN), quoting(&second)]).unwrap();
        assert!(audit.is_called(&format!("{ORIGIN}/3")));
        assert!(!audit.is_called(ORIGIN) && !audit.is_called(&second));
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_audit_panic(leaves: Vec<Vec<u8>>, kind in 0..14_u8, refers: u64) {
            let mut audit = Audit::default();
            let mut leaf = fact(Kind::Admit, 1, Some(refers)).to_bytes();
            leaf[1] = kind;
            for leaf in leaves.iter().chain([&leaf]) {
                let _ = audit.add(leaf);
            }
        }
    }
}
