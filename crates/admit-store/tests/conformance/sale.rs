//! Orders, payments and vouchers: places are held, money is never lost, a code is good once.

use std::sync::Arc;

use admit_core::id::{TypeNo, UnixMs};
use admit_core::sale::{Currency, Sale, State};
use admit_store::event::TypeDetails;
use admit_store::sale::{
    Batch, Batched, Item, NewBatch, Ordered, Receipt, Redeemed, Redemption, coarse,
};

use crate::check;
use crate::subject::*;

const TYPE: TypeNo = TypeNo(2);
const MINUTE: i64 = 60_000;

pub(crate) fn sold(quota: u32) -> TypeDetails {
    let currency = Currency::parse("EUR").unwrap();
    TypeDetails { sale: Some(Sale { price_cents: 450, currency, by_day: false }), ..kind(quota) }
}

pub(crate) fn order(s: &Subject, id: u8, quantity: u16) -> Receipt {
    Receipt {
        id: [id; 32],
        item: Item { event: s.event, type_no: TYPE, day: None, quantity },
        provider: "TEST".to_owned(),
        amount_cents: 450 * u32::from(quantity),
        currency: Currency::parse("EUR").unwrap(),
        state: State::Open,
        created_at: NOW,
        expires_at: NOW.plus(30 * MINUTE),
        signed: 0,
        reference: None,
    }
}

async fn issued(s: &Subject) -> u32 {
    let view = s.store.event("gala").await.unwrap().unwrap();
    view.types.iter().find(|kind| kind.number == TYPE).unwrap().issued
}

async fn ordered(s: &Subject, id: u8, quantity: u16, at: UnixMs) -> Ordered {
    s.store.order(order(s, id, quantity), at).await.unwrap()
}

async fn settle(s: &Subject, id: u8, at: UnixMs) -> Receipt {
    s.store.settle([id; 32], "cs_x".to_owned(), at).await.unwrap().unwrap()
}

async fn vouchers(s: &Subject, count: u8, expires_at: Option<UnixMs>) -> Batched {
    let item = Item { event: s.event, type_no: TYPE, day: None, quantity: 2 };
    let hashes = (1..=count).map(|n| [n; 32]).collect();
    let batch = NewBatch { item, label: "Kiosk".to_owned(), hashes, expires_at, at: NOW };
    s.store.add_vouchers(batch).await.unwrap()
}

pub(crate) async fn made(s: &Subject, count: u8, expires_at: Option<UnixMs>) -> Batch {
    match vouchers(s, count, expires_at).await {
        Batched::Done(batch) => batch,
        other => panic!("{other:?}"),
    }
}

pub(crate) async fn redeem(s: &Subject, voucher: u8, claim: u8, at: UnixMs) -> Redeemed {
    let redemption =
        Redemption { voucher: [voucher; 32], claim: [claim; 32], receipt: [claim; 32], at };
    s.store.redeem_voucher(redemption).await.unwrap()
}

#[test]
fn an_order_holds_its_places_and_no_more_are_sold_than_there_are() {
    check(|s| async move {
        s.store.add_type(s.event, sold(3)).await.unwrap();
        assert!(matches!(ordered(&s, 1, 2, NOW).await, Ordered::Done(_)));
        assert_eq!(ordered(&s, 2, 2, NOW).await, Ordered::SoldOut);
        assert!(matches!(ordered(&s, 3, 1, NOW).await, Ordered::Done(_)));
        assert_eq!(issued(&s).await, 3);
    });
}

#[test]
fn the_same_order_twice_holds_its_places_once() {
    check(|s| async move {
        s.store.add_type(s.event, sold(3)).await.unwrap();
        let first = ordered(&s, 1, 2, NOW).await;
        assert_eq!(ordered(&s, 1, 2, NOW).await, first);
        assert_eq!(issued(&s).await, 2);
    });
}

#[test]
fn of_many_orders_at_once_only_as_many_are_taken_as_there_are_places() {
    check(|s| async move {
        s.store.add_type(s.event, sold(5)).await.unwrap();
        let mut tasks = tokio::task::JoinSet::new();
        for id in 1..=20 {
            let (store, order) = (Arc::clone(&s.store), order(&s, id, 1));
            tasks.spawn(async move { store.order(order, NOW).await.unwrap() });
        }
        let taken = tasks.join_all().await;
        assert_eq!(taken.iter().filter(|one| matches!(one, Ordered::Done(_))).count(), 5);
    });
}

#[test]
fn a_type_that_is_not_sold_cannot_be_ordered() {
    check(|s| async move {
        s.store.add_type(s.event, kind(3)).await.unwrap();
        assert_eq!(ordered(&s, 1, 1, NOW).await, Ordered::NotFound);
    });
}

#[test]
fn places_of_an_order_that_was_not_paid_in_time_go_to_the_next() {
    check(|s| async move {
        s.store.add_type(s.event, sold(2)).await.unwrap();
        ordered(&s, 1, 2, NOW).await;
        let later = NOW.plus(31 * MINUTE);
        assert!(matches!(ordered(&s, 2, 2, later).await, Ordered::Done(_)));
        let first = s.store.receipt([1; 32]).await.unwrap().unwrap();
        assert_eq!(first.state, State::Expired);
    });
}

#[test]
fn a_payment_is_counted_once_however_often_it_is_told() {
    check(|s| async move {
        s.store.add_type(s.event, sold(2)).await.unwrap();
        ordered(&s, 1, 2, NOW).await;
        let paid = settle(&s, 1, NOW).await;
        assert_eq!(paid.state, State::Verified);
        assert_eq!(settle(&s, 1, NOW.plus(5)).await, paid);
        assert_eq!(issued(&s).await, 2);
    });
}

#[test]
fn a_late_payment_gets_places_that_are_left() {
    check(|s| async move {
        s.store.add_type(s.event, sold(4)).await.unwrap();
        ordered(&s, 1, 2, NOW).await;
        let later = NOW.plus(31 * MINUTE);
        ordered(&s, 2, 2, later).await;
        assert_eq!(settle(&s, 1, later).await.state, State::Verified);
        assert_eq!(issued(&s).await, 4);
    });
}

#[test]
fn a_late_payment_without_places_is_to_be_given_back_and_says_which() {
    check(|s| async move {
        s.store.add_type(s.event, sold(2)).await.unwrap();
        ordered(&s, 1, 2, NOW).await;
        let later = NOW.plus(31 * MINUTE);
        ordered(&s, 2, 2, later).await;
        let late = settle(&s, 1, later).await;
        assert_eq!((late.state, late.reference.as_deref()), (State::RefundDue, Some("cs_x")));
        assert_eq!(s.store.refunds(s.event).await.unwrap(), [late]);
    });
}

#[test]
fn a_receipt_is_dated_to_the_hour_and_names_no_payment() {
    check(|s| async move {
        s.store.add_type(s.event, sold(2)).await.unwrap();
        ordered(&s, 1, 1, NOW).await;
        let paid = settle(&s, 1, NOW.plus(17)).await;
        assert_eq!((paid.created_at, paid.expires_at), (coarse(NOW), coarse(NOW)));
        assert_eq!(paid.reference, None);
    });
}

#[test]
fn an_order_that_was_given_up_frees_its_places() {
    check(|s| async move {
        s.store.add_type(s.event, sold(2)).await.unwrap();
        ordered(&s, 1, 2, NOW).await;
        s.store.abandon([1; 32]).await.unwrap();
        assert_eq!(issued(&s).await, 0);
        assert_eq!(s.store.receipt([1; 32]).await.unwrap(), None);
    });
}

#[test]
fn takings_are_summed_by_provider_and_state() {
    check(|s| async move {
        s.store.add_type(s.event, sold(9)).await.unwrap();
        ordered(&s, 1, 2, NOW).await;
        ordered(&s, 2, 1, NOW).await;
        settle(&s, 1, NOW).await;
        let takings = s.store.takings(s.event).await.unwrap();
        let told: Vec<_> = takings.iter().map(|t| (t.state, t.count, t.amount_cents)).collect();
        assert_eq!(told, [(State::Open, 1, 450), (State::Verified, 1, 900)]);
    });
}

#[test]
fn a_voucher_is_redeemed_once_and_told_again_to_the_same_wallet() {
    check(|s| async move {
        s.store.add_type(s.event, sold(9)).await.unwrap();
        made(&s, 2, None).await;
        let first = redeem(&s, 1, 7, NOW).await;
        let Redeemed::Done(receipt) = &first else { panic!("{first:?}") };
        assert_eq!((receipt.state, receipt.item.quantity), (State::Verified, 2));
        assert_eq!(redeem(&s, 1, 7, NOW).await, first);
        assert_eq!(redeem(&s, 1, 8, NOW).await, Redeemed::Used);
        assert_eq!(redeem(&s, 3, 9, NOW).await, Redeemed::Unknown);
        assert_eq!(s.store.batches(s.event).await.unwrap()[0].redeemed, 1);
    });
}

#[test]
fn of_many_wallets_with_one_voucher_one_gets_it() {
    check(|s| async move {
        s.store.add_type(s.event, sold(9)).await.unwrap();
        made(&s, 1, None).await;
        let mut tasks = tokio::task::JoinSet::new();
        for claim in 1..=32 {
            let store = Arc::clone(&s.store);
            let receipt = [claim; 32];
            let redemption = Redemption { voucher: [1; 32], claim: [claim; 32], receipt, at: NOW };
            tasks.spawn(async move { store.redeem_voucher(redemption).await.unwrap() });
        }
        let all = tasks.join_all().await;
        assert_eq!(all.iter().filter(|one| matches!(one, Redeemed::Done(_))).count(), 1);
        assert_eq!(all.iter().filter(|one| **one == Redeemed::Used).count(), 31);
    });
}

#[test]
fn vouchers_hold_places_until_they_are_withdrawn() {
    check(|s| async move {
        s.store.add_type(s.event, sold(6)).await.unwrap();
        let batch = made(&s, 3, None).await;
        assert_eq!(issued(&s).await, 6);
        redeem(&s, 1, 7, NOW).await;
        let voided = s.store.void_batch(s.event, batch.number, NOW).await.unwrap().unwrap();
        assert!(voided.voided_at.is_some());
        assert_eq!(issued(&s).await, 2);
        assert_eq!(redeem(&s, 2, 8, NOW).await, Redeemed::Expired);
        s.store.void_batch(s.event, batch.number, NOW).await.unwrap();
        assert_eq!(issued(&s).await, 2);
    });
}

#[test]
fn more_vouchers_than_places_are_not_made() {
    check(|s| async move {
        s.store.add_type(s.event, sold(5)).await.unwrap();
        assert_eq!(vouchers(&s, 3, None).await, Batched::SoldOut);
        assert_eq!(issued(&s).await, 0);
    });
}

#[test]
fn a_voucher_is_worth_nothing_after_its_time() {
    check(|s| async move {
        s.store.add_type(s.event, sold(6)).await.unwrap();
        made(&s, 1, Some(NOW.plus(10))).await;
        assert_eq!(redeem(&s, 1, 7, NOW.plus(10)).await, Redeemed::Expired);
        assert!(matches!(redeem(&s, 1, 7, NOW.plus(9)).await, Redeemed::Done(_)));
    });
}

#[test]
fn only_vouchers_that_are_still_good_are_printed() {
    check(|s| async move {
        s.store.add_type(s.event, sold(6)).await.unwrap();
        made(&s, 3, None).await;
        redeem(&s, 1, 7, NOW).await;
        let good = s.store.good_vouchers(s.event, vec![[1; 32], [2; 32], [9; 32]]).await.unwrap();
        assert_eq!(good.len(), 1);
    });
}
