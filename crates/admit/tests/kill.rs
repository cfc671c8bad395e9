//! `kill -9` under load, again and again: what a client was told stays true.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may stop at any surprise"
)]

#[path = "common/client.rs"]
mod client;
#[expect(dead_code, reason = "these tests need a cluster that is left alone")]
#[path = "../../admit-store/tests/common/postgres.rs"]
mod postgres;
#[path = "common/site.rs"]
mod site;
#[path = "common/sites.rs"]
mod sites;
#[path = "common/told.rs"]
mod told;

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Condvar, Mutex};
use std::thread;

use client::{Client, new_scan_id};
use site::{Issued, Site};
use sites::on_each_store;
use told::{Told, ask_again, compare_with_books};

const KILLS: usize = 20;
const CLIENTS: usize = 8;
const TICKETS: usize = 6000;

/// A server that was started; the number tells it from one that had the same port before.
#[derive(Clone, Copy, PartialEq)]
struct Started {
    number: usize,
    port: u16,
}

/// Where the server is; clients wait here for the next one when theirs is gone.
struct Address {
    /// None when the load is to end.
    server: Mutex<Option<Started>>,
    changed: Condvar,
}

impl Address {
    fn set(&self, server: Option<Started>) {
        *self.server.lock().unwrap() = server;
        self.changed.notify_all();
    }

    /// The server, once it is another than `gone`; none at the end.
    fn other_than(&self, gone: Started) -> Option<Started> {
        let server = self.server.lock().unwrap();
        *self.changed.wait_while(server, |server| *server == Some(gone)).unwrap()
    }
}

/// Before the first start.
const NOT_YET: Started = Started { number: 0, port: 0 };

/// Presents every ticket once, each until it is answered: a lost answer is repaired by asking
/// again under the same scan id.
fn gate(address: &Address, token: &str, tickets: &[Issued], told: &Sender<Told>) {
    let mut server = address.other_than(NOT_YET);
    let mut client = None;
    for ticket in tickets {
        let scan_id = new_scan_id();
        let answer = loop {
            let Some(at) = server else { return };
            let asked = match client.take() {
                Some(client) => Ok(client),
                None => Client::connect(at.port),
            };
            let answered = asked.and_then(|mut asked| {
                let answer = asked.present(token, &ticket.code, &scan_id)?;
                client = Some(asked);
                Ok(answer)
            });
            match answered {
                Ok(answer) => break answer,
                Err(_) => server = address.other_than(at),
            }
        };
        // The test has heard enough when it no longer listens.
        let _ = told.send(Told { ticket: ticket.clone(), scan_id, answer });
    }
}

/// Kills the server after each so-and-so-many answers, and starts it again.
fn kill_and_restart(site: &Site, address: &Address, told: &Receiver<Told>) -> Vec<Told> {
    let mut heard = Vec::new();
    for round in 1..=KILLS {
        let server = site.start(&[], &[]);
        address.set(Some(Started { number: round, port: server.port }));
        // Another number each time, so that the kill hits other moments of a batch.
        let answers = 20 + round * 37 % 100;
        heard.extend(told.iter().take(answers));
        drop(server);
    }
    heard
}

#[test]
fn nothing_that_was_answered_is_lost_or_given_twice() {
    on_each_store(kill_again_and_again);
}

fn kill_again_and_again(site: &Site) {
    let kind = site.add_type(u32::try_from(TICKETS).unwrap());
    let tickets = site.issue(&kind, TICKETS);
    let token = {
        let server = site.start(&[], &[]);
        site.pair(server.port)
    };
    let address = Address { server: Mutex::new(Some(NOT_YET)), changed: Condvar::new() };
    let (tell, told) = channel();
    // Two clients each fight over the same tickets.
    let share = TICKETS / (CLIENTS / 2);
    let told: Vec<Told> = thread::scope(|scope| {
        for client in 0..CLIENTS {
            let (address, token, tell) = (&address, &token, tell.clone());
            let mine = &tickets[client / 2 * share..][..share];
            scope.spawn(move || gate(address, token, mine, &tell));
        }
        drop(tell);
        let mut heard = kill_and_restart(site, &address, &told);
        let server = site.start(&[], &[]);
        address.set(Some(Started { number: KILLS + 1, port: server.port }));
        heard.extend(told.iter().take(CLIENTS));
        address.set(None);
        drop(server);
        heard.extend(told.iter());
        heard
    });
    compare_with_books(site, &told);
    let admitted = told.iter().filter(|told| told.answer.status == 200).count();
    assert!(admitted > KILLS, "the load was too small to show anything");
    ask_again(site, &token, &told);
}
