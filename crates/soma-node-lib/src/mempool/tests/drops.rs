//! What leaves without a block is given back with its reason.

use super::*;

#[test]
fn the_newest_of_a_nonce_wins_until_one_is_proposed() {
    let mempool = Mempool::new(small());
    let facts = (sender(0), chain(1));
    let (old, new) = (make(0, 0, 0, 9), make(0, 0, 1, 9));
    insert(&mempool, old.clone(), facts).unwrap();
    let replaced = insert(&mempool, new.clone(), facts);
    let by_new = Dropped {
        digest: old.digest(),
        reason: DropReason::Replaced {
            nonce: 0,
            by: new.digest(),
        },
    };
    assert_eq!(replaced, Ok(Inserted::Replaced(by_new)));
    assert!(mempool.get(&old.digest()).is_none());

    let limits = PickLimits {
        height: 1,
        transactions: 10,
        bytes: 10_000,
    };
    let picked = mempool.pick(limits, |_| Some(0));
    assert_eq!(picked[0].digest(), new.digest());
    let in_use = MempoolError::NonceInUse {
        nonce: 0,
        height: 1,
    };
    assert_eq!(insert(&mempool, old.clone(), facts), Err(in_use));

    // The proposal of height 1 lost: its nonce is free again.
    mempool.on_block(1, []);
    let facts = (sender(0), chain(2));
    let replaced = insert(&mempool, old, facts).unwrap();
    assert!(matches!(replaced, Inserted::Replaced(dropped) if dropped.digest == new.digest()));
}

#[test]
fn what_expires_or_grows_old_is_given_back_with_its_reason() {
    let mempool = Mempool::new(small());
    let (short, long) = (make(0, 0, 0, 5), make(1, 0, 0, 1_000_000));
    insert(&mempool, short.clone(), (sender(0), chain(1))).unwrap();
    insert(&mempool, long.clone(), (sender(0), chain(1))).unwrap();
    assert_eq!(mempool.on_block(4, []), []);
    let expired = Dropped {
        digest: short.digest(),
        reason: DropReason::Expired { expiry_height: 5 },
    };
    assert_eq!(mempool.on_block(5, []), [expired]);
    assert!(!mempool.contains(&short.digest()) && mempool.contains(&long.digest()));
    let aged = Dropped {
        digest: long.digest(),
        reason: DropReason::Aged { blocks: 30 },
    };
    assert_eq!(mempool.on_block(31, []), [aged]);
    assert_eq!(mempool.size(), MempoolSize::default());
}

#[test]
fn what_another_transaction_overtook_is_given_back_and_what_was_executed_is_not() {
    let mempool = Mempool::new(small());
    let (mine, other) = (make(0, 0, 0, 9), make(0, 0, 1, 9));
    let second = make(0, 1, 0, 9);
    for transaction in [&mine, &second] {
        insert(&mempool, transaction.clone(), (sender(0), chain(1))).unwrap();
    }
    let overtaken = Dropped {
        digest: mine.digest(),
        reason: DropReason::NonceUsed { nonce: 0 },
    };
    let block = [executed(&other), executed(&second)];
    assert_eq!(mempool.on_block(1, block), [overtaken]);
    assert_eq!(mempool.size(), MempoolSize::default());
}

#[test]
fn what_leaves_because_the_chain_is_ahead_is_judged_by_its_block() {
    let mempool = Mempool::new(small());
    let (mine, other) = (make(0, 0, 0, 9), make(0, 0, 1, 9));
    let second = make(0, 1, 0, 9);
    for transaction in [&mine, &second] {
        insert(&mempool, transaction.clone(), (sender(0), chain(1))).unwrap();
    }
    // Block 1 is committed, and the pool hears of it after the next arrival.
    insert(&mempool, make(0, 2, 0, 9), (sender(2), chain(2))).unwrap();
    assert_eq!(mempool.size().transactions, 1);
    let overtaken = Dropped {
        digest: mine.digest(),
        reason: DropReason::NonceUsed { nonce: 0 },
    };
    let block = [executed(&other), executed(&second)];
    assert_eq!(mempool.on_block(1, block), [overtaken]);
}
