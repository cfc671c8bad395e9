//! A field of a request that changes something: it may be left out, emptied, or set.

use serde::{Deserialize, Deserializer};

/// A value that may be absent (keep), null (clear) or there (set).
#[derive(Clone, Copy, Default)]
pub(super) enum Change<T> {
    /// As it is.
    #[default]
    Keep,
    /// Nothing.
    Clear,
    /// This.
    Set(T),
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Change<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Ok(Option::<T>::deserialize(from)?.map_or(Self::Clear, Self::Set))
    }
}
