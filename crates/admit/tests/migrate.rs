//! `admit migrate-store`: everything arrives, or nothing does.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may fail loudly")]

#[path = "common/client.rs"]
mod client;
#[expect(dead_code, reason = "these tests need a cluster that is left alone")]
#[path = "../../admit-store/tests/common/postgres.rs"]
mod postgres;
#[path = "common/site.rs"]
mod site;

use std::process::Command;

use client::{Client, new_scan_id};
use postgres::Cluster;
use site::{Issued, Site};

/// A site that was in use, and what was presented there.
fn used_site() -> (Site, String, Vec<(Issued, String)>) {
    let site = Site::new();
    let kind = site.add_type(30);
    let tickets = site.issue(&kind, 20);
    let server = site.start(&[], &[]);
    let token = site.pair(server.port);
    let mut client = Client::connect(server.port).unwrap();
    let mut present = |ticket: Issued| {
        let scan_id = new_scan_id();
        assert_eq!(client.present(&token, &ticket.code, &scan_id).unwrap().status, 200);
        (ticket, scan_id)
    };
    let presented = tickets.into_iter().map(&mut present).collect();
    drop(server);
    (site, token, presented)
}

fn migrate(site: &Site, to: &str) -> (bool, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_admit"))
        .args(["migrate-store", "--to", to, "--data"])
        .arg(site.data())
        .env_remove("ADMIT_DATABASE")
        .output()
        .unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(said).unwrap())
}

#[test]
fn an_organisation_goes_on_where_it_was() {
    let (site, token, presented) = used_site();
    let before = site.books();
    let cluster = Cluster::start().unwrap();
    let to = cluster.address(&cluster.create_database().unwrap());
    let (done, said) = migrate(&site, &to);
    assert!(done, "{said}");
    assert!(said.contains("scan,20"), "{said}");
    let site = Site { database: Some(to), ..site };
    assert_eq!(site.books(), before);
    let more = site.issue("2", 1);
    assert!(presented.iter().all(|(ticket, _)| ticket.number != more.first().unwrap().number));
    let server = site.start(&[], &[]);
    let mut client = Client::connect(server.port).unwrap();
    for (ticket, scan_id) in &presented {
        let again = client.present(&token, &ticket.code, scan_id).unwrap();
        assert_eq!((again.status, again.body["repeated"].as_bool()), (200, Some(true)));
        let twice = client.present(&token, &ticket.code, &new_scan_id()).unwrap();
        assert_eq!(twice.body["reason"], "already_used");
    }
    let fresh = client.present(&token, &more.first().unwrap().code, &new_scan_id()).unwrap();
    assert_eq!(fresh.status, 200);
}

#[test]
fn a_database_with_data_is_not_written_to() {
    let (site, _, _) = used_site();
    let cluster = Cluster::start().unwrap();
    let to = cluster.address(&cluster.create_database().unwrap());
    let (done, _) = migrate(&site, &to);
    assert!(done);
    let (done, said) = migrate(&site, &to);
    assert!(!done && said.contains("has data already"), "{said}");
}
