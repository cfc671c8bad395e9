//! The audit log: every fact is a leaf, and every leaf can be proved.

use std::sync::Arc;

use admit_core::admission::{Scan, Standing};
use admit_core::id::{DeviceNo, EventNo, KeyNo, ScanId, TypeNo};
use admit_core::log::leaf::{Kind, Leaf};
use admit_core::log::tree::{
    TileId, Tiles, consistency, consistency_tiles, inclusion, inclusion_tiles, leaf_hash, root,
    root_tiles, verify_consistency, verify_inclusion,
};
use admit_core::ticket::Algorithm;
use admit_store::admission::Recorded;
use admit_store::key::SigningKey;

use crate::{
    HOST, LOG_KEY, NOW, Subject, admit, check, issue, kind, new_ticket, scan, sealed, verified,
};

pub(crate) async fn kinds(s: &Subject) -> Vec<Kind> {
    let leaves = s.store.log_entries(s.event, 0, 256).await.unwrap();
    leaves.iter().map(|leaf| Leaf::parse(leaf).unwrap().kind).collect()
}

#[test]
fn every_fact_is_a_leaf_of_the_log() {
    check(|s| async move {
        let ticket = issue(&s, new_ticket(s.event, 1)).await;
        let id = ticket.grant.ticket;
        admit(&s, &ticket, scan(1, 1)).await;
        admit(&s, &ticket, scan(2, 1)).await;
        s.store.undo(s.event, DeviceNo(1), ScanId([1; 16]), NOW, LOG_KEY).await.unwrap();
        s.store.set_standing(s.event, id, Standing::Revoked, NOW, LOG_KEY).await.unwrap();
        s.store.set_standing(s.event, id, Standing::Issued, NOW, LOG_KEY).await.unwrap();
        let told = [
            Kind::Genesis,
            Kind::Issue,
            Kind::Admit,
            Kind::Refuse,
            Kind::Undo,
            Kind::Revoke,
            Kind::Reinstate,
        ];
        assert_eq!(kinds(&s).await, told);
    });
}

#[test]
fn what_is_asked_again_is_not_logged_again() {
    check(|s| async move {
        let ticket = issue(&s, new_ticket(s.event, 1)).await;
        let id = ticket.grant.ticket;
        for _ in 0..2 {
            s.store.admit(verified(&ticket), scan(1, 1), LOG_KEY).await.unwrap();
            s.store.undo(s.event, DeviceNo(1), ScanId([1; 16]), NOW, LOG_KEY).await.unwrap();
            s.store.set_standing(s.event, id, Standing::Revoked, NOW, LOG_KEY).await.unwrap();
        }
        let told = [Kind::Genesis, Kind::Issue, Kind::Admit, Kind::Undo, Kind::Revoke];
        assert_eq!(kinds(&s).await, told);
    });
}

fn signing_key(event: EventNo) -> SigningKey {
    SigningKey {
        event,
        number: KeyNo(1),
        algorithm: Algorithm::Ed25519,
        secret: sealed(),
        public_key: Some([8; 32]),
        created_at: NOW,
        retired_at: None,
        not_after: None,
    }
}

#[test]
fn a_change_of_a_key_is_a_leaf_and_its_sealing_is_not() {
    check(|s| async move {
        let key = signing_key(s.event);
        s.store.put_key(key.clone(), NOW).await.unwrap();
        s.store.put_key(key.clone(), NOW).await.unwrap();
        s.store.put_key(SigningKey { retired_at: Some(NOW), ..key }, NOW).await.unwrap();
        assert_eq!(kinds(&s).await, [Kind::Genesis, Kind::Key, Kind::Key]);
        assert_eq!(s.store.keys().await.unwrap()[0].retired_at, Some(NOW));
    });
}

#[test]
fn every_answer_proves_its_leaf_also_in_a_crowd() {
    check(|s| async move {
        let mut tickets = Vec::new();
        for n in 0..40 {
            tickets.push(issue(&s, new_ticket(s.event, n)).await);
        }
        let mut tasks = tokio::task::JoinSet::new();
        // 10 scans of each of 40 tickets: the log grows over the width of a tile.
        for n in 0..400u16 {
            let (store, ticket) = (Arc::clone(&s.store), verified(&tickets[usize::from(n % 40)]));
            let mut id = [0; 16];
            id[..2].copy_from_slice(&n.to_be_bytes());
            let scan = Scan { id: ScanId(id), ..scan(0, 1) };
            tasks.spawn(async move { store.admit(ticket, scan, LOG_KEY).await.unwrap() });
        }
        for recorded in tasks.join_all().await {
            let Recorded::New(record, logged) = recorded else { panic!("{recorded:?}") };
            let hash = leaf_hash(&logged.leaf);
            assert_eq!(record.leaf, Some(logged.index));
            verify_inclusion(logged.index, logged.size, &hash, &logged.path, &logged.root).unwrap();
        }
        let head = s.store.log_head(s.event).await.unwrap().unwrap();
        assert_eq!(head.size, 1 + 40 + 400);
        assert_eq!(head.origin, format!("{HOST}/log/{}", s.event.0));
    });
}

async fn tiles(s: &Subject, ids: Vec<TileId>) -> Tiles {
    let mut tiles = Tiles::default();
    for id in ids {
        tiles.0.insert(id, s.store.log_tile(s.event, id).await.unwrap());
    }
    tiles
}

#[test]
fn old_leaves_and_old_heads_can_be_proved_later() {
    check(|s| async move {
        s.store.change_type(s.event, TypeNo(1), kind(1000)).await.unwrap();
        let ticket = issue(&s, new_ticket(s.event, 0)).await;
        let old = s.store.log_head(s.event).await.unwrap().unwrap();
        for n in 1..600 {
            issue(&s, new_ticket(s.event, n)).await;
        }
        let new = s.store.log_head(s.event).await.unwrap().unwrap();
        let index = ticket.leaf.unwrap();
        let known = tiles(&s, inclusion_tiles(index, new.size)).await;
        let path = inclusion(index, new.size, &known).unwrap();
        let leaf = s.store.log_entries(s.event, index, 1).await.unwrap().remove(0);
        verify_inclusion(index, new.size, &leaf_hash(&leaf), &path, &new.root).unwrap();
        let known = tiles(&s, consistency_tiles(old.size, new.size)).await;
        let path = consistency(old.size, new.size, &known).unwrap();
        verify_consistency(old.size, new.size, &path, &old.root, &new.root).unwrap();
        let known = tiles(&s, root_tiles(new.size)).await;
        assert_eq!(root(new.size, &known), Some(new.root));
    });
}

#[test]
fn a_log_goes_on_under_another_name_after_the_database_was_set_back() {
    check(|s| async move {
        issue(&s, new_ticket(s.event, 1)).await;
        let before = s.store.log_head(s.event).await.unwrap().unwrap();
        let origin = format!("{}/2", before.origin);
        let quote = "gate.example/log/1\n99\n".to_owned();
        let after = s.store.fork_log(s.event, origin.clone(), quote.clone(), NOW).await.unwrap();
        assert_eq!((after.origin, after.size), (origin, before.size + 1));
        let leaf = s.store.log_entries(s.event, before.size, 1).await.unwrap().remove(0);
        assert_eq!(Leaf::parse(&leaf).unwrap().body, quote.as_bytes());
    });
}
