//! What clients were told, compared with what is on the books.

use std::collections::HashMap;

use super::client::{Answer, Client};
use super::site::{Issued, Site};

/// What a client was told about one scan.
pub(crate) struct Told {
    pub(crate) ticket: Issued,
    pub(crate) scan_id: String,
    pub(crate) answer: Answer,
}

/// What clients were told is what the books say, and nothing was given twice.
pub(crate) fn compare_with_books(site: &Site, told: &[Told]) {
    let books = site.books();
    let by_id: HashMap<_, _> = books.iter().map(|scan| (&scan.scan_id, scan)).collect();
    assert_eq!(by_id.len(), books.len(), "a scan is on the books twice");
    let mut admitted = HashMap::new();
    for scan in books.iter().filter(|scan| scan.outcome == "admit") {
        assert_eq!(admitted.insert(&scan.ticket, scan), None, "{} admitted twice", scan.ticket);
    }
    for Told { ticket, scan_id, answer } in told {
        let booked = by_id.get(scan_id).unwrap_or_else(|| panic!("{scan_id} is lost"));
        let outcome = match answer.status {
            200 => "admit",
            409 => "refuse:already_used",
            other => panic!("neither admitted nor refused: {other} {}", answer.body),
        };
        assert_eq!((booked.ticket.as_str(), booked.outcome.as_str()), (&*ticket.number, outcome));
    }
}

/// The same scan gets the same answer, however often the server died in between.
pub(crate) fn ask_again(site: &Site, token: &str, told: &[Told]) {
    let server = site.start(&[], &[]);
    let mut client = Client::connect(server.port).unwrap();
    for Told { ticket, scan_id, answer } in told {
        let again = client.present(token, &ticket.code, scan_id).unwrap();
        assert_eq!(again.status, answer.status, "{scan_id}");
        assert_eq!(again.body["repeated"], true, "{scan_id}");
        for field in ["verdict", "reason", "use", "at", "ticket"] {
            assert_eq!(again.body[field], answer.body[field], "{field} of {scan_id}");
        }
    }
}
