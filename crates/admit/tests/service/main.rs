//! The service through its HTTP API, in one process.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail loudly"
)]

#[expect(dead_code, reason = "this suite needs a cluster that is left alone")]
#[path = "../../../admit-store/tests/common/postgres.rs"]
mod postgres;

mod admission;
mod anonymous;
mod app;
mod bad_input;
mod control;
mod edge;
mod event;
mod live;
mod log;
mod metrics;
mod offline;
mod pass;
mod personal_data;
mod proxy;
mod registration;
mod rotation;
mod sale;
mod sequence;
mod session;
mod shop;
mod token;
mod transfer;
