//! Who may wait, and in which order blocks take them.

use super::*;

#[test]
fn the_same_transaction_again_is_no_error() {
    let mempool = Mempool::new(small());
    let facts = (sender(0), chain(1));
    assert_eq!(
        insert(&mempool, make(0, 0, 0, 9), facts),
        Ok(Inserted::Added)
    );
    assert_eq!(
        insert(&mempool, make(0, 0, 0, 9), facts),
        Ok(Inserted::Known)
    );
    assert_eq!(mempool.size().transactions, 1);
}

#[test]
fn a_gap_parks_what_follows_until_it_is_filled() {
    let mempool = Mempool::new(small());
    let facts = (sender(0), chain(1));
    let limits = PickLimits {
        height: 1,
        transactions: 10,
        bytes: 10_000,
    };
    insert(&mempool, make(0, 1, 0, 9), facts).unwrap();
    assert!(mempool.pick(limits, |_| Some(0)).is_empty());
    assert_eq!(mempool.size().ready, 0);
    assert_eq!(mempool.next_nonce(&key(0).address(), 0), 0);
    insert(&mempool, make(0, 0, 0, 9), facts).unwrap();
    assert_eq!(mempool.next_nonce(&key(0).address(), 0), 2);
    assert_eq!(mempool.pick(limits, |_| Some(0)).len(), 2);
}

#[test]
fn everybodys_first_comes_before_anybodys_second() {
    let mempool = Mempool::new(small());
    for nonce in 0..3 {
        insert(&mempool, make(0, nonce, 0, 9), (sender(0), chain(1))).unwrap();
    }
    insert(&mempool, make(1, 0, 0, 9), (sender(0), chain(1))).unwrap();
    let limits = PickLimits {
        height: 1,
        transactions: 3,
        bytes: 10_000,
    };
    let picked = mempool.pick(limits, |_| Some(0));
    let order: Vec<_> = picked
        .iter()
        .map(|t| (t.transaction.sender, t.transaction.nonce))
        .collect();
    let (first, second) = (key(0).address(), key(1).address());
    assert_eq!(order, [(first, 0), (second, 0), (first, 1)]);
}

#[test]
fn parked_transactions_cannot_take_all_the_room() {
    let mempool = Mempool::new(small());
    let mut parked = 0;
    for who in 0..SENDERS {
        for nonce in 1..8 {
            parked += usize::from(
                insert(&mempool, make(who, nonce, 0, 9), (sender(0), chain(1))).is_ok(),
            );
        }
    }
    assert_eq!(parked, 8, "half of the 16 places");
    insert(&mempool, make(2, 0, 0, 9), (sender(0), chain(1))).unwrap();
}

#[test]
fn what_is_ready_is_sent_again_in_turns() {
    let mempool = Mempool::new(small());
    let insert = |who, nonce| insert(&mempool, make(who, nonce, 0, 9), (sender(0), chain(1)));
    let resend = || -> Vec<_> {
        let again = mempool.resend(2).into_iter();
        let name = |body: Transaction| (body.sender, body.nonce);
        again.map(|signed| name(signed.transaction)).collect()
    };
    let (parked, ready, late) = (key(0).address(), key(1).address(), key(2).address());
    for nonce in 1..4 {
        insert(0, nonce).unwrap();
    }
    for nonce in 0..3 {
        insert(1, nonce).unwrap();
    }
    assert!(resend().is_empty(), "all were sent when they came");
    assert_eq!(resend(), [(ready, 0), (ready, 1)]);
    insert(2, 0).unwrap();
    assert_eq!(resend(), [(ready, 2), (ready, 0)]);
    assert_eq!(resend(), [(ready, 1), (late, 0)]);
    // The gap is filled: what waited behind it comes first.
    insert(0, 0).unwrap();
    assert_eq!(resend(), [(parked, 1), (parked, 2)]);
}

#[test]
fn a_sender_must_be_able_to_pay_for_all_that_waits() {
    let mempool = Mempool::new(small());
    let poor = SenderFacts {
        balance: Shannons(1_500),
        ..sender(0)
    };
    insert(&mempool, make(0, 0, 0, 9), (poor, chain(1))).unwrap();
    let refused = insert(&mempool, make(0, 1, 0, 9), (poor, chain(1)));
    let error = refused.unwrap_err();
    assert!(error.is_retryable());
    assert_eq!(
        error,
        MempoolError::InsufficientGas {
            waiting: 2,
            needed: Shannons(2_000),
            available: Shannons(1_500)
        }
    );
}

#[test]
fn a_nonce_is_not_replaced_without_end() {
    let config = MempoolConfig {
        max_replacements: 2,
        ..small()
    };
    let mempool = Mempool::new(config);
    let facts = |nonce| (sender(nonce), chain(1));
    for variant in 0..3 {
        insert(&mempool, make(0, 0, variant, 9), facts(0)).unwrap();
    }
    let refused = insert(&mempool, make(0, 0, 3, 9), facts(0)).unwrap_err();
    assert!(refused.is_retryable());
    assert!(refused.to_string().contains("2 replacements of nonce 0"));
    // Another nonce has a count of its own.
    insert(&mempool, make(0, 1, 0, 9), facts(0)).unwrap();
    insert(&mempool, make(0, 1, 1, 9), facts(0)).unwrap();
}

#[test]
fn a_validator_has_a_few_free_reports_waiting_at_a_time() {
    let config = MempoolConfig {
        max_sender_duties: 2,
        ..small()
    };
    let mempool = Mempool::new(config);
    let member = SenderFacts {
        balance: Shannons::ZERO,
        is_validator: true,
        ..sender(0)
    };
    for nonce in 0..2 {
        insert(&mempool, duty(nonce), (member, chain(1))).unwrap();
    }
    let refused = insert(&mempool, duty(2), (member, chain(1))).unwrap_err();
    assert!(refused.is_retryable());
    assert!(refused.to_string().contains("2 reports"));
    // Others pay for what they send.
    let poor = SenderFacts {
        is_validator: false,
        ..member
    };
    let refused = insert(&mempool, duty(2), (poor, chain(1))).unwrap_err();
    assert!(matches!(refused, MempoolError::InsufficientGas { .. }));
}

fn duty(nonce: u64) -> VerifiedTransaction {
    let kind = TransactionKind::AnnounceProtocolVersion { version: 2 + nonce };
    make_kind(0, nonce, kind, 9)
}

#[test]
fn what_can_never_be_executed_is_refused_by_name() {
    let mempool = Mempool::new(small());
    let at = |nonce, height| (sender(nonce), chain(height));
    let refused = |made, facts| insert(&mempool, made, facts).unwrap_err();
    assert!(matches!(
        refused(make(0, 0, 0, 5), at(0, 6)),
        MempoolError::Expired { .. }
    ));
    assert!(matches!(
        refused(make(0, 0, 0, 9), at(1, 1)),
        MempoolError::NonceTooLow { .. }
    ));
    assert!(matches!(
        refused(make(0, 8, 0, 9), at(0, 1)),
        MempoolError::NonceGap { .. }
    ));
    assert!(matches!(
        refused(make(0, u64::MAX, 0, 9), at(u64::MAX, 1)),
        MempoolError::NonceGap { .. }
    ));
    let other = ChainFacts {
        chain_id: ChainId([2; 32]),
        ..chain(1)
    };
    assert!(matches!(
        refused(make(0, 0, 0, 9), (sender(0), other)),
        MempoolError::WrongChain { .. }
    ));
    let tiny = ChainFacts {
        max_transaction_bytes: 10,
        ..chain(1)
    };
    assert!(matches!(
        refused(make(0, 0, 0, 9), (sender(0), tiny)),
        MempoolError::TooLarge { .. }
    ));
    assert_eq!(mempool.size(), MempoolSize::default());
}
