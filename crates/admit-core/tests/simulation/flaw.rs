//! What can be done wrong.

/// Mistakes that protocols of this kind were made with. Each can be switched on, and must be caught.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flaw {
    /// None: as shipped.
    Sound,
    /// A scan that timed out gets another id when the device decides.
    FreshIdOnFallback,
    /// Green before the journal is durable.
    GreenBeforeDurable,
    /// An answer that acknowledged a part clears the whole outbox.
    OutboxCleared,
    /// A conflict notice is forgotten once it was sent.
    NoticeForgotten,
    /// Reports are not told apart by their ids.
    NoIdsAtSync,
    /// The server looks and writes later.
    CheckThenInsert,
    /// A stale answer takes the place of newer knowledge.
    StaleAnswerReplaces,
    /// What was given up is not remembered.
    VoidForgotten,
    /// A refusal is not remembered.
    RefusalForgotten,
    /// A conflict is raised against a claim.
    ConflictOnClaim,
    /// The time is that of the scan.
    StampedAtScan,
    /// The first to be told is the earliest.
    ArrivalOrder,
    /// The earliest by the clock that people set.
    WallClockOrder,
    /// The earliest by a hybrid logical clock.
    HybridClockOrder,
    /// Two devices believe that they are the home gate.
    TwoHomes,
    /// A lease is given back in memory only.
    LeaseInMemory,
}
