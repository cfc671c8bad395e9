//! The audit log: one append-only Merkle tree per event (RFC 6962), in formats that others read
//! (C2SP signed-note, tlog-checkpoint, tlog-tiles, tlog-proof).

pub mod audit;
pub mod checkpoint;
pub mod edge;
pub mod leaf;
pub mod note;
pub mod rebuild;
pub mod receipt;
pub mod tile;
pub mod tree;
pub mod validation;
