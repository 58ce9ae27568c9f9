//! The mempool under random use; its rules one by one are in `rules` and `drops`.

mod drops;
mod rules;

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
    let kind = TransactionKind::Transfer {
        recipient: Address([9; 32]),
        amount: Shannons(variant),
    };
    make_kind(sender, nonce, kind, expiry_height)
}

fn make_kind(
    sender: usize,
    nonce: u64,
    kind: TransactionKind,
    expiry_height: Height,
) -> VerifiedTransaction {
    let key = key(sender);
    let transaction = Transaction {
        chain_id: CHAIN,
        sender: key.address(),
        nonce,
        expiry_height,
        kind,
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
        ..MempoolConfig::default()
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

fn executed(transaction: &VerifiedTransaction) -> Executed<'_> {
    Executed {
        sender: &transaction.transaction.sender,
        nonce: transaction.transaction.nonce,
        digest: transaction.digest(),
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
                Step::Remove(s, n, v, e) => {
                    let digest = table(s, n, v, e).digest();
                    let waited = pool.contains(&digest);
                    prop_assert_eq!(pool.remove(&digest).is_some(), waited);
                }
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
                        let dropped = pool.on_block(height, picked.iter().map(executed));
                        for transaction in &picked {
                            let gone = dropped.iter().any(|d| d.digest == transaction.digest());
                            prop_assert!(!gone, "what was executed was not dropped");
                        }
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
