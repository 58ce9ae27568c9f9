//! What a commit leaves in the store: all of a block or nothing, and old blocks only on request.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use soma_chain::{Batch, Chain, ChainConfig, ChainError, MemoryStore, Store, StoreError};
use soma_tests::game::Game;
use soma_tests::scenes::soma;
use soma_tests::world::World;
use soma_types::TransactionKind;

fn transfer(world: &World) -> TransactionKind {
    let recipient = world.users[1];
    let amount = soma(1);
    TransactionKind::Transfer { recipient, amount }
}

/// The chain of `world` on another store.
fn open<S: Store>(world: &World, store: S, config: ChainConfig) -> Chain<S> {
    let rules = world.chain.rules().clone();
    let chain = Chain::open_with_rules(store, &world.genesis, rules, config);
    chain.expect("the same genesis")
}

#[test]
fn only_a_block_that_was_executed_on_the_head_can_be_committed() {
    let mut world = World::new();
    let transaction = world.sign(&world.users[0], transfer(&world), 0);
    let [one, other] = [0, 1].map(|later_ms| {
        let mut proposal = world.proposal(vec![transaction.clone()]);
        proposal.time_ms += later_ms;
        world.chain.execute(&proposal).expect("valid")
    });
    assert_ne!(one.digest, other.digest);
    let committed = world.chain.commit(one).expect("in memory");
    assert_eq!(world.chain.head().digest, committed.digest);
    let after = world.dump();
    let stale = world
        .chain
        .commit(other)
        .expect_err("executed on the block before");
    let place = ChainError::StaleBlock {
        got: 1,
        expected: 2,
    };
    assert_eq!(stale.to_string(), place.to_string());
    assert!(world.dump() == after);
    world.tick();
}

#[test]
fn a_block_of_another_branch_is_not_committed_at_the_same_height() {
    let (mut here, mut there) = (World::new(), World::new());
    here.tick();
    let transaction = there.sign(&there.users[0], transfer(&there), 0);
    there.block(vec![transaction]);
    let next = there.chain.execute(&there.proposal(Vec::new()));
    let stale = here.chain.commit(next.expect("valid there"));
    let error = stale.expect_err("built on another block");
    assert!(
        matches!(error, ChainError::StaleBlock { got: 2, .. }),
        "{error}"
    );
    assert_eq!(here.chain.head().header.height, 1);
}

#[test]
fn a_store_belongs_to_one_chain() {
    let world = World::new();
    let mut genesis = world.genesis.clone();
    genesis.time_ms += 1;
    let opened = Chain::open(Arc::clone(&world.store), &genesis, ChainConfig::default());
    let error = opened.err().expect("another chain");
    assert!(matches!(error, ChainError::OtherChain { .. }), "{error}");
}

#[test]
fn a_block_its_receipts_and_its_transactions_are_found_again() {
    let mut world = World::with_targets();
    let sender = world.users[0];
    let transactions = vec![
        world.sign(&sender, transfer(&world), 0),
        world.sign(&sender, TransactionKind::RemoveValidator, 1),
    ];
    let block = world.block(transactions.clone());
    let reader = world.read();
    let height = block.block.header.height;
    assert_eq!(
        reader.block_height(&block.digest).expect("readable"),
        Some(height)
    );
    assert_eq!(
        reader.block(height).expect("readable").as_ref(),
        Some(&block.block)
    );
    assert_eq!(
        reader.receipts(height).expect("readable").as_ref(),
        Some(&block.receipts)
    );
    assert_eq!(
        reader.events(height).expect("readable").as_ref(),
        Some(&block.events)
    );
    for (transaction, receipt) in transactions.iter().zip(&block.receipts) {
        let found = reader.transaction(&transaction.digest()).expect("readable");
        let (signed, kept) = found.expect("known");
        assert_eq!((&signed, &kept), (&**transaction, receipt));
    }
}

#[test]
fn old_blocks_are_dropped_on_request_and_the_state_stays_the_same() {
    let mut game = Game::new(12);
    game.play(500);
    let world = game.world;
    let config = ChainConfig {
        keep_blocks: Some(5),
        keep_states: 3,
    };
    let chain = open(&world, Arc::new(MemoryStore::new()), config);
    for proposal in &world.proposals {
        let executed = chain.execute(proposal).expect("a valid block");
        chain.commit(executed).expect("in memory");
    }
    assert_eq!(chain.head(), world.chain.head());
    let head = chain.head().header.height;
    let (pruned, whole) = (chain.reader(), world.read());
    assert_eq!(pruned.lowest_block().expect("readable"), head - 4);
    for height in 1..=head {
        let kept = whole.block(height).expect("readable");
        let expected = kept.clone().filter(|_| height + 5 > head);
        assert_eq!(pruned.block(height).expect("readable"), expected);
        let receipts = pruned.receipts(height).expect("readable");
        assert_eq!(receipts.is_some(), expected.is_some());
        for signed in kept.expect("all are kept").transactions.iter() {
            let found = pruned
                .transaction(&World::digest(signed))
                .expect("readable");
            assert_eq!(found.is_some(), expected.is_some());
        }
    }
}

/// A store whose writes fail on request.
#[derive(Clone)]
struct Fragile {
    inner: Arc<MemoryStore>,
    broken: Arc<AtomicBool>,
}

impl Store for Fragile {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.inner.get(key)
    }

    fn scan(
        &self,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<(Vec<u8>, Vec<u8>)>, StoreError> {
        self.inner.scan(prefix, after, limit)
    }

    fn scan_back(
        &self,
        prefix: &[u8],
        before: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<(Vec<u8>, Vec<u8>)>, StoreError> {
        self.inner.scan_back(prefix, before, limit)
    }

    fn apply(&self, batch: Batch) -> Result<(), StoreError> {
        match self.broken.load(Ordering::Relaxed) {
            true => Err(StoreError::new("no space left")),
            false => self.inner.apply(batch),
        }
    }

    fn flush(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

#[test]
fn a_block_that_could_not_be_written_leaves_the_block_before_as_the_head() {
    let world = World::with_targets();
    let store = Fragile {
        inner: Arc::new(MemoryStore::new()),
        broken: Arc::default(),
    };
    let chain = open(&world, store.clone(), ChainConfig::default());
    let first = &world.proposals[0];
    let before = chain.head();
    store.broken.store(true, Ordering::Relaxed);
    let error = chain
        .commit(chain.execute(first).expect("valid"))
        .expect_err("a full disk");
    assert!(error.to_string().contains("no space left"), "{error}");
    assert_eq!(chain.head(), before);
    drop(chain);

    store.broken.store(false, Ordering::Relaxed);
    let chain = open(&world, store, ChainConfig::default());
    assert_eq!(chain.head(), before);
    chain
        .commit(chain.execute(first).expect("valid"))
        .expect("space again");
    assert_eq!(chain.head(), world.chain.head());
}
