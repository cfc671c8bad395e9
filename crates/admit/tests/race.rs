//! Many clients at once want the same thing, over real HTTP: it is given out exactly once.

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

use std::collections::{HashMap, HashSet};
use std::sync::Barrier;
use std::thread;

use client::{Answer, Client, new_scan_id};
use serde_json::json;
use site::{Issued, Site};
use sites::on_each_store;

const CLIENTS: usize = 64;
const TICKETS: usize = 500;
const REGISTRATIONS: usize = 200;
const PLACES: usize = 50;
/// Devices that the clients share; pairing is limited to a few a minute.
const DEVICES: usize = 4;

/// One client presents every ticket, in the order in which the others do.
fn present_all(port: u16, token: &str, tickets: &[Issued], start: &Barrier) -> Vec<Answer> {
    let mut client = Client::connect(port).unwrap();
    start.wait();
    let present = |ticket: &Issued| client.present(token, &ticket.code, &new_scan_id()).unwrap();
    tickets.iter().map(present).collect()
}

#[test]
fn every_ticket_is_admitted_once_however_many_present_it() {
    on_each_store(admitted_once);
}

fn admitted_once(site: &Site) {
    let tickets = site.issue("1", TICKETS);
    let server = site.start(&[], &[]);
    let tokens: Vec<_> = (0..DEVICES).map(|_| site.pair(server.port)).collect();
    let start = Barrier::new(CLIENTS);
    let answers: Vec<Vec<Answer>> = thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|client| {
                let (token, tickets, start) = (&tokens[client % DEVICES], &tickets, &start);
                let port = server.port;
                scope.spawn(move || present_all(port, token, tickets, start))
            })
            .collect();
        clients.into_iter().map(|client| client.join().unwrap()).collect()
    });
    let mut admitted = HashMap::new();
    for (answer, ticket) in answers.iter().flat_map(|of_client| of_client.iter().zip(&tickets)) {
        match answer.status {
            200 => {
                assert_eq!(answer.body["verdict"], "admit");
                assert_eq!(answer.body["ticket"]["number"], ticket.number.as_str());
                *admitted.entry(&ticket.number).or_insert(0) += 1;
            }
            409 => {
                assert_eq!(answer.body["verdict"], "refuse");
                assert_eq!(answer.body["reason"], "already_used");
            }
            other => panic!("neither admitted nor refused: {other} {}", answer.body),
        }
    }
    assert_eq!(admitted.len(), TICKETS);
    assert!(admitted.values().all(|times| *times == 1));
    // What the clients were told is what the books say.
    let books = site.books();
    assert_eq!(books.len(), CLIENTS * TICKETS);
    let booked: HashSet<_> =
        books.iter().filter(|scan| scan.outcome == "admit").map(|scan| &scan.ticket).collect();
    assert_eq!(booked.len(), TICKETS);
}

#[test]
fn the_last_places_go_to_exactly_as_many_people() {
    on_each_store(last_places);
}

fn last_places(site: &Site) {
    let kind: u8 = site.add_type(u32::try_from(PLACES).unwrap()).parse().unwrap();
    let server = site.start(&[], &[]);
    let port = server.port;
    let start = Barrier::new(REGISTRATIONS);
    let answers: Vec<Answer> = thread::scope(|scope| {
        let people: Vec<_> = (0..REGISTRATIONS)
            .map(|person| {
                let start = &start;
                scope.spawn(move || {
                    let mut client = Client::connect(port).unwrap();
                    let asked = json!({
                        "ticket_type": kind,
                        "name": format!("Person {person}"),
                        "email": format!("person{person}@example.org"),
                    });
                    let key = format!("Idempotency-Key: race-{person}");
                    start.wait();
                    client.post("/v1/events/sample/registrations", &key, &asked).unwrap()
                })
            })
            .collect();
        people.into_iter().map(|person| person.join().unwrap()).collect()
    });
    let (given, refused): (Vec<_>, Vec<_>) =
        answers.iter().partition(|answer| answer.status == 201);
    let numbers: HashSet<_> =
        given.iter().map(|answer| answer.body["ticket"]["number"].as_str().unwrap()).collect();
    assert_eq!((given.len(), numbers.len()), (PLACES, PLACES));
    for answer in refused {
        assert_eq!((answer.status, &answer.body["code"]), (409, &json!("sold_out")));
    }
}

#[test]
fn a_refusal_is_never_told_as_success() {
    on_each_store(refusals);
}

fn refusals(site: &Site) {
    let tickets = site.issue("1", 3);
    site.admit(&["ticket", "revoke", "--event", "sample", &tickets[1].number]);
    let server = site.start(&[], &[]);
    let token = site.pair(server.port);
    let mut client = Client::connect(server.port).unwrap();
    let mut present = |code: &str| client.present(&token, code, &new_scan_id()).unwrap();

    let admitted = present(&tickets[0].code);
    assert_eq!((admitted.status, &admitted.body["verdict"]), (200, &json!("admit")));
    // The last character carries bits of the signature.
    let mut forged = tickets[2].code.clone();
    let last = forged.pop().unwrap();
    forged.push(if last == '0' { '1' } else { '0' });
    let refused = [
        (tickets[0].code.as_str(), "already_used"),
        (tickets[1].code.as_str(), "revoked"),
        (forged.as_str(), "invalid"),
        ("A1:", "invalid"),
        ("https://example.org/", "invalid"),
        ("", "invalid"),
    ];
    for (code, reason) in refused {
        let answer = present(code);
        assert_eq!(answer.status, 409, "{code:?}: {}", answer.body);
        assert_eq!(answer.body["verdict"], "refuse", "{code:?}");
        assert_eq!(answer.body["reason"], reason, "{code:?}");
        assert!(!answer.body["message"].as_str().unwrap().is_empty());
    }
}
