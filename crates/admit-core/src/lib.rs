//! The rules of Admit One: what a ticket is, and whether a scan of it admits.
//!
//! Every function here is a function of its arguments: no clock, no randomness, no I/O, no async.
//! The crate is also compiled to WebAssembly, so that the server and a gate without a network judge
//! by the same code.

pub mod admission;
pub mod base45;
pub mod bloom;
pub mod edge;
pub mod id;
pub mod link;
pub mod log;
pub mod newest;
pub mod offline;
pub mod pass;
pub mod privacy_pass;
pub mod pss;
pub mod reason;
pub mod sale;
pub mod setup;
pub mod spent;
pub mod stats;
pub mod ticket;
pub mod transfer;
pub mod vault;
pub mod voucher;
