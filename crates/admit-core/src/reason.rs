//! Why a scan was refused: a closed list, each with one fixed code and a sentence for staff.

use crate::ticket::Invalid;

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $title:literal, $message:literal;)+) => {
        /// A reason to refuse. Closed: a new one does not compile until it has a code and a sentence.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Reason { $($(#[$doc])* $name,)+ }

        impl Reason {
            /// Every reason, in the order of this list.
            pub const ALL: &[Self] = &[$(Self::$name,)+];

            /// The fixed code, as in the API and the database.
            pub fn code(self) -> &'static str {
                match self { $(Self::$name => $code,)+ }
            }

            /// Two or three words in capitals for the big sign.
            pub fn title(self) -> &'static str {
                match self { $(Self::$name => $title,)+ }
            }

            /// A sentence that staff can read out.
            pub fn message(self) -> &'static str {
                match self { $(Self::$name => $message,)+ }
            }
        }
    };
}

reasons! {
    /// A single-entry ticket that has entered.
    AlreadyUsed = "already_used", "ALREADY USED", "This ticket has already been used to enter.";
    /// A ticket for several entries with none left.
    UsesExhausted = "uses_exhausted", "NO ENTRIES LEFT", "All entries of this ticket have been used.";
    /// Forged, damaged or not a ticket of ours.
    Invalid = "invalid", "NOT A VALID TICKET", "This code is not a valid ticket. Try again, or ask for the ticket number.";
    /// For another event.
    WrongEvent = "wrong_event", "OTHER EVENT", "This ticket is for another event.";
    /// Genuine, but never issued by this system's books.
    Unknown = "unknown", "NOT ON THE BOOKS", "This ticket is signed but was never issued. Call a supervisor.";
    /// Withdrawn by the organiser.
    Revoked = "revoked", "CANCELLED", "This ticket was cancelled by the organiser.";
    /// Handed over to somebody else; the new holder has a new code.
    Transferred = "transferred", "TRANSFERRED", "This ticket was transferred. The new holder has a new code.";
    /// Not paid for.
    Unpaid = "unpaid", "NOT PAID", "This ticket has not been paid for yet.";
    /// Not valid at this gate.
    EntryPointDenied = "entry_point_denied", "OTHER GATE", "This ticket is not valid at this gate.";
    /// The gate is closed.
    GateClosed = "gate_closed", "GATE CLOSED", "This gate is closed. Use another gate.";
    /// A changing code from an earlier time: a picture of it, or a phone whose clock is slow.
    EpochStale = "epoch_stale", "OLD CODE", "This code is old: a picture, or a phone whose clock is slow. Ask for the ticket on its own phone, and look at the phone's time.";
    /// A changing code that has been used.
    EpochReplayed = "epoch_replayed", "CODE USED", "This very code has been used. Wait until the phone shows a new one.";
    /// A changing code from a later time.
    ClockWrong = "clock_wrong", "WRONG CLOCK", "The clock of this phone is fast. Let it set its time by the network, and try again.";
    /// The clock of the scanner was turned back: it cannot tell old codes from new ones.
    DeviceClock = "device_clock", "WRONG CLOCK HERE", "The clock of this scanner was turned back. Set it right before anybody is let in.";
    /// Not in the hands of the holder.
    ProofInvalid = "proof_invalid", "NOT THE HOLDER", "This ticket belongs to another phone. Ask for the phone it was issued to.";
    /// Only the device that holds its lease may let it in.
    Held = "held", "AT ANOTHER GATE", "Another gate holds this ticket and is being asked. Scan again in a moment, or send them there.";
    /// Its type is not admitted without the server.
    OfflineRefused = "offline_refused", "NO CONNECTION", "This kind of ticket is only admitted with a connection. Wait for the network, or send them to a gate that has one.";
    /// The device has not heard from the server for longer than the event allows.
    SyncNeeded = "sync_needed", "SYNC FIRST", "This scanner has been without the server for too long. Bring it back to the network before it admits anybody.";
    /// The gate gave this scan up before it was answered.
    GivenUp = "given_up", "GIVEN UP", "The gate gave this scan up before there was an answer. Scan again.";
    /// A pass that is inside by the books.
    Inside = "inside", "ALREADY INSIDE", "This pass has entered and was not scanned out. Scan it at an exit first, and look whose it is.";
    /// A pass that entered a short while ago.
    TooSoon = "too_soon", "TOO SOON", "This pass entered a short while ago. It may enter again a little later.";
    /// A pass that has entered today.
    OncePerDay = "once_per_day", "USED TODAY", "This pass has entered today. It is good for one entry a day.";
    /// A pass that has entered here today.
    OncePerGate = "once_per_gate", "USED HERE TODAY", "This pass has entered at this gate today. It is good for one entry a day at each gate.";
    /// A pass whose day or month is over.
    PassOver = "pass_over", "PASS IS OVER", "The time of this pass ran from its first entry, and is over.";
    /// Scanned out without being inside.
    NotInside = "not_inside", "NOT INSIDE", "By the books nobody is inside with this ticket. Let them out, and tell a supervisor.";
    /// Its time has not come.
    NotYetValid = "not_yet_valid", "TOO EARLY", "This ticket is not valid yet.";
    /// Its time is over.
    Expired = "expired", "EXPIRED", "This ticket is no longer valid.";
}

impl Reason {
    /// The reason with this code.
    pub fn parse(code: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|reason| reason.code() == code)
    }
}

impl From<Invalid> for Reason {
    /// What staff are told. [`Invalid::KeyNotHere`] must have been asked of the server before.
    fn from(invalid: Invalid) -> Self {
        match invalid {
            Invalid::WrongEvent => Self::WrongEvent,
            Invalid::RetiredKey => Self::Expired,
            Invalid::ProofInvalid => Self::ProofInvalid,
            Invalid::EpochStale => Self::EpochStale,
            Invalid::EpochAhead => Self::ClockWrong,
            Invalid::TooLong
            | Invalid::Malformed
            | Invalid::UnknownKey
            | Invalid::KeyNotHere
            | Invalid::Forged => Self::Invalid,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_reads_back_from_its_code() {
        for reason in Reason::ALL {
            assert_eq!(Reason::parse(reason.code()), Some(*reason));
        }
    }
}
