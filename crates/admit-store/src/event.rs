//! Contract: events, their ticket types and gates.

use admit_core::id::{DeviceNo, EventNo, GateNo, GateSet, TypeNo, UnixMs};
use admit_core::offline::Policy;
use admit_core::offline::travel::Place;
use admit_core::pass::Pass;
use admit_core::sale::Sale;
use admit_core::ticket::rotating;
use admit_core::transfer::Transferable;
use admit_core::vault::Sealed;
use async_trait::async_trait;

use crate::Result;

/// Most gates an event has.
pub const GATES_MAX: u16 = 64;

/// What an organiser says of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventDetails {
    /// Its name in addresses: `a-z`, `0-9` and `-`.
    pub slug: String,
    /// Its name.
    pub name: String,
    /// Where it is.
    pub venue: String,
    /// What it is.
    pub description: String,
    /// IANA name of its time zone.
    pub time_zone: String,
    /// When the doors open.
    pub doors_at: Option<UnixMs>,
    /// When it starts.
    pub starts_at: UnixMs,
    /// When it ends.
    pub ends_at: UnixMs,
    /// Whether people can register.
    pub registration_open: bool,
    /// Code of the token format for tickets issued from now on (`a1`, `jwt-eddsa`, `jwt-hs256`).
    pub token_format: String,
    /// Whether gates are told the holder's name.
    pub show_name_at_gate: bool,
    /// Whether a phone number is `hidden`, `optional` or `required`.
    pub phone: String,
    /// Questions of the form, as JSON.
    pub questions: String,
    /// Whether it is only for trying things out, by anybody.
    pub sandbox: bool,
    /// Longest time without the server after which its gates still admit, in hours.
    pub offline_hours: u16,
}

/// Hours without the server where nothing else is said: a long day.
pub const OFFLINE_HOURS: u16 = 12;

/// An event on the books.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Its number.
    pub number: EventNo,
    /// What the organiser says.
    pub details: EventDetails,
    /// When it was created.
    pub created_at: UnixMs,
    /// The key that conceals serial numbers, sealed.
    pub serial_key: Sealed,
}

/// What an organiser says of a ticket type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TypeDetails {
    /// Its name.
    pub name: String,
    /// What it is.
    pub description: String,
    /// How many may be issued.
    pub quota: u32,
    /// Entries of each ticket, 0 for any number.
    pub max_uses: u8,
    /// Tickets are not valid before.
    pub valid_from: Option<UnixMs>,
    /// Tickets are not valid from this time on.
    pub valid_until: Option<UnixMs>,
    /// Where they may enter.
    pub gates: GateSet,
    /// Whether their codes change.
    pub rotation: Option<TypeRotation>,
    /// What gates may do with them without the server.
    pub offline: Policy,
    /// The device that shall hold their lease; only with [`Policy::Lease`].
    pub lease_device: Option<DeviceNo>,
    /// How they may enter again, judged by today's settings.
    pub pass: Pass,
    /// Whether they may be handed on, by today's settings.
    pub transferable: Transferable,
    /// How they are sold, each signed unseen; none for tickets that are issued to somebody.
    pub sale: Option<Sale>,
}

impl TypeDetails {
    /// A type for one entry, at any gate and time, that asks for nothing else.
    pub fn plain(name: impl Into<String>, quota: u32) -> Self {
        Self {
            name: name.into(),
            description: String::new(),
            quota,
            max_uses: 1,
            valid_from: None,
            valid_until: None,
            gates: GateSet::ANY,
            rotation: None,
            offline: Policy::Any,
            lease_device: None,
            pass: Pass::default(),
            transferable: Transferable::No,
            sale: None,
        }
    }
}

/// Who may admit the tickets of a type alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TypeLease {
    /// The device that holds it now: another gets it only when this one has given it back.
    pub holder: Option<DeviceNo>,
    /// Position in the event's record at which it got it.
    pub since: i64,
}

/// Seconds between changes where nothing else is said.
pub const INTERVAL_S: u8 = 30;

/// How the codes of a type change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TypeRotation {
    /// By what they are bound.
    pub kind: rotating::Kind,
    /// Seconds between changes: one of [`rotating::INTERVALS_S`].
    pub interval_s: u8,
}

/// A ticket type on the books.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TicketType {
    /// Its number within the event.
    pub number: TypeNo,
    /// What the organiser says.
    pub details: TypeDetails,
    /// How many were issued (revoked ones included).
    pub issued: u32,
    /// Who holds their lease.
    pub lease: TypeLease,
}

/// A gate on the books.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gate {
    /// Its number within the event.
    pub number: GateNo,
    /// Its name.
    pub name: String,
    /// Whether it admits anybody.
    pub open: bool,
    /// Where it is, if the organiser says so.
    pub place: Option<Place>,
}

/// An event with all that belongs to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventView {
    /// The event.
    pub event: Event,
    /// Its ticket types, by number.
    pub types: Vec<TicketType>,
    /// Its gates, by number.
    pub gates: Vec<Gate>,
}

/// Whether a change was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Changed<T> {
    /// It was; the new state.
    Done(T),
    /// There is no such thing.
    NotFound,
    /// Its name is taken.
    NameTaken,
    /// There are already as many as there can be.
    TooMany,
    /// The quota would be below what was issued.
    BelowIssued,
}

/// Events and what belongs to them.
#[async_trait]
pub trait Events: Send + Sync {
    /// Creates an event and begins its audit log, whose origin is `log_host`, `/log/` and the
    /// event's number.
    async fn create_event(
        &self,
        details: EventDetails,
        serial_key: Sealed,
        log_host: String,
        at: UnixMs,
    ) -> Result<Changed<Event>>;
    /// Replaces what the organiser says of an event.
    async fn change_event(&self, event: EventNo, details: EventDetails) -> Result<Changed<Event>>;
    /// All events, the soonest start first.
    async fn events(&self) -> Result<Vec<EventView>>;
    /// The event with this slug.
    async fn event(&self, slug: &str) -> Result<Option<EventView>>;
    /// Replaces the sealed serial key of an event by another sealing of the same key.
    async fn reseal_event(&self, event: EventNo, serial_key: Sealed) -> Result<()>;
    /// Adds a ticket type.
    async fn add_type(&self, event: EventNo, details: TypeDetails) -> Result<Changed<TicketType>>;
    /// Replaces what is said of a ticket type; tickets already issued keep what they say.
    async fn change_type(
        &self,
        event: EventNo,
        number: TypeNo,
        details: TypeDetails,
    ) -> Result<Changed<TicketType>>;
    /// Adds a gate.
    async fn add_gate(&self, event: EventNo, name: String) -> Result<Changed<Gate>>;
    /// Renames, opens or closes a gate.
    async fn change_gate(&self, event: EventNo, gate: Gate) -> Result<Changed<Gate>>;
}
