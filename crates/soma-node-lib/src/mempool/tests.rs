//! The mempool against a simple model of it, and its rules one by one.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use proptest::prelude::*;
use soma_crypto::SecretKey;
use soma_crypto::transaction::{VerifiedTransaction, sign, verify};
use soma_types::{Address, ChainId, Shannons, Transaction, TransactionKind};

use super::pool::Pool;
use super::*;

const CHAIN: ChainId = ChainId([1; 32]);
const SENDERS: usize = 3;
const NONCES: u64 = 12;
const EXPIRIES: [Height; 3] = [5, 20, 1_000_000];

fn key(sender: usize) -> SecretKey {
    SecretKey::from_bytes(&[u8::try_from(sender).unwrap() + 1; 32]).unwrap()
}

fn make(sender: usize, nonce: u64, variant: u64, expiry_height: Height) -> VerifiedTransaction {
    let key = key(sender);
    let transaction = Transaction {
        chain_id: CHAIN,
        sender: key.address(),
        nonce,
        expiry_height,
        kind: TransactionKind::Transfer {
            recipient: Address([9; 32]),
            amount: Shannons(variant),
        },
    };
    verify(sign(transaction, &key)).unwrap()
}

/// All transactions that the property test uses, signed once.
fn table(sender: usize, nonce: u64, variant: u64, expiry: usize) -> VerifiedTransaction {
    static TABLE: OnceLock<BTreeMap<(usize, u64, u64, usize), VerifiedTransaction>> =
        OnceLock::new();
    let table = TABLE.get_or_init(|| {
        let mut table = BTreeMap::new();
        for sender in 0..SENDERS {
            for nonce in 0..NONCES {
                for variant in 0..2 {
                    for (expiry, height) in EXPIRIES.into_iter().enumerate() {
                        let made = make(sender, nonce, variant, height);
                        table.insert((sender, nonce, variant, expiry), made);
                    }
                }
            }
        }
        table
    });
    table[&(sender, nonce, variant, expiry)].clone()
}

fn small() -> MempoolConfig {
    MempoolConfig {
        max_transactions: 16,
        max_bytes: 4_000,
        max_sender_transactions: 8,
        max_sender_bytes: 1_600,
        max_parked_percent: 50,
        max_age_blocks: 30,
    }
}

fn chain(next_height: Height) -> ChainFacts {
    ChainFacts {
        chain_id: CHAIN,
        next_height,
        base_fee: Shannons(1_000),
        max_transaction_bytes: 1_000,
    }
}

fn sender(nonce: u64) -> SenderFacts {
    SenderFacts {
        nonce,
        balance: Shannons(1_000_000),
        is_validator: false,
    }
}

fn insert(
    mempool: &Mempool,
    transaction: VerifiedTransaction,
    facts: (SenderFacts, ChainFacts),
) -> Result<Inserted, MempoolError> {
    mempool.insert(transaction, |_| Ok(facts))
}

#[derive(Clone, Debug)]
enum Step {
    Insert(usize, u64, u64, usize),
    Block { transactions: usize, is_lost: bool },
    Remove(usize, u64, u64, usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let one = || (0..SENDERS, 0..NONCES, 0..2_u64, 0..EXPIRIES.len());
    let step = prop_oneof![
        8 => one().prop_map(|(s, n, v, e)| Step::Insert(s, n, v, e)),
        2 => (0..6_usize, any::<bool>())
            .prop_map(|(transactions, is_lost)| Step::Block { transactions, is_lost }),
        1 => one().prop_map(|(s, n, v, e)| Step::Remove(s, n, v, e)),
    ];
    prop::collection::vec(step, 1..120)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn random_use_keeps_order_limits_and_counts(steps in steps()) {
        let config = small();
        let mut pool = Pool::new(config.clone());
        let mut nonces = [0_u64; SENDERS];
        let mut height = 0;
        for step in steps {
            match step {
                Step::Insert(s, n, v, e) => {
                    let transaction = table(s, n, v, e);
                    if !pool.contains(&transaction.digest()) {
                        // A refusal changes nothing; the counts are checked below.
                        let _ = pool.insert(transaction, &sender(nonces[s]), &chain(height + 1));
                    }
                }
                Step::Remove(s, n, v, e) => pool.remove(&table(s, n, v, e).digest()),
                Step::Block { transactions, is_lost } => {
                    height += 1;
                    let limits = PickLimits { height, transactions, bytes: 1_000 };
                    let index = |who: &Address| (0..SENDERS).find(|s| key(*s).address() == *who);
                    let picked = pool.pick(limits, |who| index(who).map(|s| nonces[s]));
                    prop_assert!(picked.len() <= transactions);
                    let bytes: usize = picked.iter().map(|t| t.size_bytes()).sum();
                    prop_assert!(bytes <= 1_000);
                    let mut next = nonces;
                    for transaction in &picked {
                        let body = &transaction.transaction;
                        let s = index(&body.sender).unwrap();
                        prop_assert_eq!(body.nonce, next[s], "nonces without a gap");
                        prop_assert!(body.expiry_height >= height);
                        next[s] += 1;
                    }
                    if is_lost {
                        pool.on_block(height, []);
                    } else {
                        nonces = next;
                        let done = picked.iter().map(|t| {
                            (&t.transaction.sender, t.transaction.nonce)
                        });
                        pool.on_block(height, done);
                        for transaction in &picked {
                            prop_assert!(!pool.contains(&transaction.digest()));
                        }
                    }
                }
            }
            pool.check_sums(height);
            let size = pool.size();
            prop_assert!(size.transactions <= config.max_transactions);
            prop_assert!(size.bytes <= config.max_bytes);
            prop_assert!(size.ready <= size.transactions);
        }
    }
}

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
fn the_newest_of_a_nonce_wins_until_one_is_proposed() {
    let mempool = Mempool::new(small());
    let facts = (sender(0), chain(1));
    let (old, new) = (make(0, 0, 0, 9), make(0, 0, 1, 9));
    insert(&mempool, old.clone(), facts).unwrap();
    let replaced = insert(&mempool, new.clone(), facts);
    assert_eq!(replaced, Ok(Inserted::Replaced(old.digest())));
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
    let replaced = insert(&mempool, old, facts);
    assert_eq!(replaced, Ok(Inserted::Replaced(new.digest())));
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

#[test]
fn what_expires_or_grows_old_leaves() {
    let mempool = Mempool::new(small());
    insert(&mempool, make(0, 0, 0, 5), (sender(0), chain(1))).unwrap();
    insert(&mempool, make(1, 0, 0, 1_000_000), (sender(0), chain(1))).unwrap();
    mempool.on_block(4, []);
    assert_eq!(mempool.size().transactions, 2);
    mempool.on_block(5, []);
    assert_eq!(mempool.size().transactions, 1);
    mempool.on_block(31, []);
    assert_eq!(mempool.size(), MempoolSize::default());
}
