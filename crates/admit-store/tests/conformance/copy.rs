//! From the data folder's own database to PostgreSQL: what was sold, used and withdrawn goes on there.

use std::sync::Arc;

use admit_core::reason::Reason;
use admit_core::stats::Outcome;
use admit_store::Store;
use admit_store::anonymous::{Exchanged, RevokedToken, Slot};
use admit_store::postgres::PostgresStore;
use admit_store::sale::{Redeemed, Takings};
use admit_store::sqlite::{Durability, SqliteStore};
use tokio::sync::{mpsc, oneshot};

use crate::anonymous::{bearer, exchanged, issuer, paid, present, sign, signing};
use crate::cluster;
use crate::sale::{made, order, redeem};
use crate::subject::*;

/// Everything that a sale can leave behind: an order that is open, a receipt with one of two tickets
/// signed, vouchers, and anonymous tickets that were used, exchanged and withdrawn.
async fn sell(s: &Subject) {
    paid(s, 2).await;
    s.store.order(order(s, 2, 1), NOW).await.unwrap();
    sign(s, signing(s, 1, 1)).await;
    made(s, 2, Some(NOW.plus(3_600_000))).await;
    redeem(s, 1, 7, NOW).await;
    present(s, bearer(s, 1), 1).await;
    exchanged(s, bearer(s, 2), 7).await;
    s.store.withdraw(s.event, withdrawn(s), LOG_KEY).await.unwrap();
}

fn withdrawn(s: &Subject) -> RevokedToken {
    RevokedToken { ticket: bearer(s, 3).grant().ticket, reason: "Stolen".to_owned(), at: NOW }
}

async fn takings(s: &Subject) -> Vec<Takings> {
    s.store.takings(s.event).await.unwrap()
}

async fn moved(from: &SqliteStore) -> Arc<dyn Store> {
    let address = cluster().socket_address(&cluster().create_database().unwrap());
    let to = PostgresStore::open(&address, None).await.unwrap();
    let (pages, arriving) = mpsc::channel(4);
    let (tell, told) = oneshot::channel();
    let read = async { tell.send(from.export(pages).await.unwrap()).unwrap() };
    let ((), written) = tokio::join!(read, to.import(arriving, told));
    assert!(written.unwrap().is_some());
    // A server reads the books when it starts.
    Arc::new(PostgresStore::open(&address, None).await.unwrap())
}

#[test]
fn what_was_sold_goes_on_where_it_was() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("t.sqlite");
        let from = Arc::new(SqliteStore::open(&file, Durability::Full).unwrap());
        let used: Arc<dyn Store> = from.clone();
        let old = subject(used).await;
        sell(&old).await;
        let new = Subject { store: moved(&from).await, event: old.event };
        assert_eq!(takings(&new).await, takings(&old).await);
        let issuers = new.store.issuers().await.unwrap();
        assert_eq!((issuers[0].key_id, issuers[0].signed), (issuer(&new).key_id, 1));
        assert_eq!(new.store.revoked_tokens(new.event).await.unwrap(), [withdrawn(&new)]);
        // The receipt knows what it signed, and has one ticket left.
        assert_eq!(sign(&new, signing(&new, 1, 1)).await, Slot::Granted);
        assert_eq!(sign(&new, signing(&new, 1, 2)).await, Slot::Granted);
        assert_eq!(sign(&new, signing(&new, 1, 3)).await, Slot::Used);
        assert!(matches!(redeem(&new, 1, 7, NOW).await, Redeemed::Done(_)));
        assert_eq!(redeem(&new, 1, 8, NOW).await, Redeemed::Used);
        assert!(matches!(redeem(&new, 2, 8, NOW).await, Redeemed::Done(_)));
        let refused = [(1, Reason::AlreadyUsed), (2, Reason::Transferred), (3, Reason::Revoked)];
        for (nonce, reason) in refused {
            let scan = present(&new, bearer(&new, nonce), 10 + nonce).await;
            assert_eq!(scan.outcome, Outcome::Refuse(reason));
        }
        assert!(matches!(exchanged(&new, bearer(&new, 2), 7).await, Exchanged::Done(_, None)));
    });
}
