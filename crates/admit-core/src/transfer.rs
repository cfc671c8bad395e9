//! Handing a ticket on: whether it may go to another holder, or to another phone of the same one.
//! Either way it is issued anew under another number, and the old one is refused from then on.

use thiserror::Error;

use crate::admission::{History, Standing};

/// How long an offer stands, in milliseconds: a week.
pub const OFFER_MS_MAX: i64 = 7 * 24 * 3_600_000;

/// Whether the tickets of a type may be handed on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Transferable {
    /// Not at all.
    #[default]
    No,
    /// As their holders like.
    Free,
    /// When the organiser agrees.
    Approval,
}

/// To whom a ticket goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handover {
    /// To somebody else.
    Give,
    /// To another phone; its holder stays.
    Move,
}

macro_rules! codes {
    ($kind:ident: $($variant:ident = $code:literal),+) => {
        impl $kind {
            /// Its code in the API and the database.
            pub fn code(self) -> &'static str {
                match self { $(Self::$variant => $code,)+ }
            }

            /// What has this code.
            pub fn parse(code: &str) -> Option<Self> {
                [$(Self::$variant),+].into_iter().find(|known| known.code() == code)
            }
        }
    };
}

codes!(Transferable: No = "no", Free = "free", Approval = "approval");
codes!(Handover: Give = "give", Move = "move");

impl Transferable {
    /// What holds for one ticket, which may be transferable by itself.
    #[must_use]
    pub fn with_own(self, own: bool) -> Self {
        if own && self == Self::No { Self::Free } else { self }
    }
}

/// Why a ticket cannot be handed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum TransferRefused {
    /// Tickets of this type stay with their holders.
    #[error("tickets of this type cannot be handed on")]
    NotTransferable,
    /// It was withdrawn.
    #[error("the ticket was cancelled")]
    Revoked,
    /// It was handed on before.
    #[error("the ticket was handed on before")]
    Transferred,
    /// It has no entry left.
    #[error("the ticket has been used")]
    Used,
    /// Somebody is inside with it.
    #[error("somebody is inside with this ticket: scan it out first")]
    Inside,
}

/// Whether a ticket may go.
pub fn may_go(
    history: &History,
    max_uses: u8,
    to: Handover,
    policy: Transferable,
) -> Result<(), TransferRefused> {
    match history.standing {
        Standing::Issued => {}
        Standing::Revoked => return Err(TransferRefused::Revoked),
        Standing::Transferred => return Err(TransferRefused::Transferred),
    }
    // Under a new number a gate without a network could take it for a ticket that was never used.
    if max_uses != 0 && history.uses >= u32::from(max_uses) {
        return Err(TransferRefused::Used);
    }
    // A phone may be replaced whoever is inside.
    if to == Handover::Move {
        return Ok(());
    }
    if policy == Transferable::No {
        return Err(TransferRefused::NotTransferable);
    }
    if history.uses > 0 && history.presence.inside > 0 {
        return Err(TransferRefused::Inside);
    }
    Ok(())
}

/// What is on the books about the old ticket and the new one, once it went.
pub fn gone(history: &History) -> (History, History) {
    let old = History { standing: Standing::Transferred, ..*history };
    // Another key makes its codes: their epochs begin anew.
    let new = History { last_epoch: None, ..*history };
    (old, new)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::pass::Presence;

    fn history(standing: Standing, uses: u32, inside: u32) -> History {
        let presence = Presence { inside, ..Presence::default() };
        History { standing, uses, presence, ..History::FRESH }
    }

    fn gives(history: &History, max_uses: u8) -> Result<(), TransferRefused> {
        may_go(history, max_uses, Handover::Give, Transferable::Free)
    }

    #[test]
    fn a_type_says_whether_its_tickets_go_to_others_and_none_keeps_them_from_a_new_phone() {
        let fresh = History::FRESH;
        let none = may_go(&fresh, 1, Handover::Give, Transferable::No);
        assert_eq!(none, Err(TransferRefused::NotTransferable));
        assert_eq!(may_go(&fresh, 1, Handover::Move, Transferable::No), Ok(()));
        assert_eq!(may_go(&fresh, 1, Handover::Give, Transferable::Approval), Ok(()));
    }

    #[test]
    fn a_used_ticket_is_not_handed_on_and_a_pass_with_entries_left_is() {
        for to in [Handover::Give, Handover::Move] {
            let used = history(Standing::Issued, 1, 0);
            let told = may_go(&used, 1, to, Transferable::Free);
            assert_eq!(told, Err(TransferRefused::Used));
        }
        assert_eq!(gives(&history(Standing::Issued, 1, 0), 2), Ok(()));
        assert_eq!(gives(&history(Standing::Issued, 1, 1), 2), Err(TransferRefused::Inside));
    }

    #[test]
    fn a_ticket_that_was_withdrawn_or_went_before_does_not_go() {
        for to in [Handover::Give, Handover::Move] {
            let ask = |standing| may_go(&history(standing, 0, 0), 1, to, Transferable::Free);
            assert_eq!(ask(Standing::Revoked), Err(TransferRefused::Revoked));
            assert_eq!(ask(Standing::Transferred), Err(TransferRefused::Transferred));
        }
    }

    proptest! {
        #[test]
        fn what_was_used_stays_used_under_the_new_number(uses in 0u32..9, inside in 0u32..3, epoch in prop::option::of(any::<u32>())) {
            let before = History { last_epoch: epoch, ..history(Standing::Issued, uses, inside) };
            let (old, new) = gone(&before);
            prop_assert_eq!(old.standing, Standing::Transferred);
            prop_assert_eq!((new.standing, new.uses, new.last_epoch), (Standing::Issued, uses, None));
            prop_assert_eq!(new.presence, before.presence);
        }
    }
}
