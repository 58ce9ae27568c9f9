//! Blocks that may not be executed, and what happens to the chain then: nothing.

use soma_chain::{BlockError, Chain, ChainConfig, InvalidTransaction, MemoryStore};
use soma_crypto::transaction::{VerifiedTransaction, sign, verify};
use soma_tests::model_secrets::ModelSecrets;
use soma_tests::scenes::{DIM, equivocation, soma};
use soma_tests::world::{Setup, World, axis};
use soma_types::{
    Address, ChainId, Digest, ModelId, RawEmbedding, Shannons, Transaction, TransactionKind,
};

/// Why the next block with these changes is refused; the state must stay as it was.
fn refused(
    world: &mut World,
    change: impl FnOnce(&World, &mut soma_chain::VerifiedProposal),
) -> BlockError {
    let before = (world.dump(), world.chain.head());
    let mut proposal = world.proposal(Vec::new());
    change(world, &mut proposal);
    let error = world.apply(proposal).expect_err("not a valid block");
    assert!((world.dump(), world.chain.head()) == before, "{error}");
    error
}

fn signed(world: &World, change: impl FnOnce(&mut Transaction)) -> VerifiedTransaction {
    let sender = world.users[0];
    let amount = soma(1);
    let recipient = world.users[1];
    let kind = TransactionKind::Transfer { recipient, amount };
    let mut transaction = world.sign_raw(&sender, kind, 0).transaction;
    change(&mut transaction);
    verify(sign(transaction, &world.keys[&sender])).expect("signed by its sender")
}

#[test]
fn a_block_has_the_next_height_the_heads_digest_and_a_later_time() {
    let mut world = World::new();
    world.tick();
    for height in [0, 1, 3, u64::MAX] {
        let error = refused(&mut world, |_, proposal| proposal.height = height);
        assert!(
            matches!(error, BlockError::WrongHeight { expected: 2, .. }),
            "{error}"
        );
    }
    let error = refused(&mut world, |_, proposal| proposal.parent = Digest([1; 32]));
    assert!(matches!(error, BlockError::WrongParent { .. }), "{error}");
    for back_ms in [0, 1] {
        let error = refused(&mut world, |world, proposal| {
            proposal.time_ms = world.chain.head().header.time_ms - back_ms;
        });
        assert!(matches!(error, BlockError::TimeNotLater { .. }), "{error}");
    }
    for ahead_ms in [soma_chain::header::MAX_TIME_STEP_MS + 1, u64::MAX] {
        let error = refused(&mut world, |world, proposal| {
            let parent = world.chain.head().header.time_ms;
            proposal.time_ms = parent.saturating_add(ahead_ms);
        });
        assert!(matches!(error, BlockError::TimeTooFar { .. }), "{error}");
    }
    world.tick();
}

#[test]
fn a_block_is_proposed_by_a_member_of_the_committee() {
    let mut world = World::new();
    for stranger in [world.users[0], Address([0; 32])] {
        let error = refused(&mut world, |_, proposal| proposal.proposer = stranger);
        assert!(matches!(error, BlockError::UnknownProposer(who) if who == stranger));
    }
    let leaving = world.validators[0];
    world.ok(&leaving, TransactionKind::RemoveValidator);
    world.end_epoch();
    let error = refused(&mut world, |_, proposal| proposal.proposer = leaving);
    assert!(matches!(error, BlockError::UnknownProposer(_)), "{error}");
}

#[test]
fn a_block_holds_a_limited_number_of_transactions_and_bytes() {
    let setup = Setup::default()
        .with("max_block_transactions", 2)
        .with("max_block_bytes", 262_144);
    let mut world = World::with(setup);
    let sender = world.users[0];
    let transfers = |world: &World, count| {
        let recipient = world.users[1];
        let amount = Shannons(1);
        let kind = TransactionKind::Transfer { recipient, amount };
        (0..count)
            .map(|ahead| world.sign(&sender, kind.clone(), ahead))
            .collect()
    };
    let error = refused(&mut world, |world, proposal| {
        proposal.transactions = transfers(world, 3)
    });
    assert!(
        matches!(error, BlockError::TooManyTransactions { got: 3, max: 2 }),
        "{error}"
    );
    let two = transfers(&world, 2);
    world.block(two);

    let mut reveal = ModelSecrets::new(ModelId([1; 32]), 1, axis(DIM, 0)).reveal();
    if let TransactionKind::RevealModel { embedding, .. } = &mut reveal {
        *embedding = RawEmbedding::new(vec![0; 40_000]).expect("below the limit");
    }
    let error = refused(&mut world, |world, proposal| {
        proposal.transactions = (0..2)
            .map(|n| world.sign(&sender, reveal.clone(), n))
            .collect();
    });
    assert!(
        matches!(error, BlockError::TooManyBytes { max: 262_144, .. }),
        "{error}"
    );
}

#[test]
fn a_transaction_in_a_block_is_for_this_chain_current_in_line_and_not_too_large() {
    let mut world = World::new();
    world.tick();
    type Change = fn(&mut Transaction);
    type Expected = fn(&InvalidTransaction) -> bool;
    let cases: [(Change, Expected); 6] = [
        (
            |t| t.chain_id = ChainId([1; 32]),
            |e| matches!(e, InvalidTransaction::WrongChain { .. }),
        ),
        (
            |t| t.expiry_height = 1,
            |e| {
                matches!(
                    e,
                    InvalidTransaction::Expired {
                        expiry: 1,
                        height: 2
                    }
                )
            },
        ),
        (
            |t| t.nonce = 1,
            |e| {
                matches!(
                    e,
                    InvalidTransaction::WrongNonce {
                        got: 1,
                        expected: 0
                    }
                )
            },
        ),
        (
            |t| t.nonce = u64::MAX,
            |e| matches!(e, InvalidTransaction::WrongNonce { .. }),
        ),
        (
            |t| {
                let wide = RawEmbedding::new(vec![0; 65_536]).expect("at the limit");
                t.kind = TransactionKind::RevealModel {
                    model: ModelId([1; 32]),
                    key: soma_types::WeightsKey([1; 32]),
                    embedding: wide,
                };
            },
            |e| matches!(e, InvalidTransaction::TooLarge { max: 262_144, .. }),
        ),
        (
            |t| t.expiry_height = 0,
            |e| matches!(e, InvalidTransaction::Expired { .. }),
        ),
    ];
    for (change, expected) in cases {
        let error = refused(&mut world, |world, proposal| {
            let good = world.sign(&world.users[2].clone(), TransactionKind::RemoveValidator, 0);
            proposal.transactions = vec![good, signed(world, change)];
        });
        match error {
            BlockError::InvalidTransaction { index: 1, reason } => {
                assert!(expected(&reason), "{reason}");
            }
            other => panic!("{other}"),
        }
    }
    // The last height of a transaction is its expiry height, and none is executed twice.
    let last = signed(&world, |transaction| transaction.expiry_height = 2);
    let block = world.block(vec![last.clone()]);
    assert!(block.receipts[0].status.is_success());
    let error = refused(&mut world, |_, proposal| proposal.transactions = vec![last]);
    assert!(
        matches!(error, BlockError::InvalidTransaction { index: 0, .. }),
        "{error}"
    );
}

#[test]
fn a_block_has_no_more_evidence_than_any_may_hold() {
    let mut world = World::new();
    let error = refused(&mut world, |world, proposal| {
        let most = soma_types::block::MAX_BLOCK_EVIDENCE;
        proposal.misbehavior = vec![equivocation(world.validators[0]); most + 1];
    });
    assert!(
        matches!(
            error,
            BlockError::TooMuchEvidence {
                got: 1_025,
                max: 1_024
            }
        ),
        "{error}"
    );
}

#[test]
fn an_epoch_is_forced_only_where_genesis_allows_it() {
    let world = World::new();
    let mut genesis = world.genesis.clone();
    genesis.allow_forced_epochs = false;
    let chain = Chain::open(MemoryStore::new(), &genesis, ChainConfig::default()).expect("valid");
    let mut proposal = world.proposal(Vec::new());
    proposal.parent = chain.head().digest;
    proposal.end_epoch = true;
    let error = chain.execute(&proposal).err().expect("not allowed");
    assert!(matches!(error, BlockError::ForcedEpoch), "{error}");
    // Time ends it.
    proposal.end_epoch = false;
    proposal.time_ms = genesis.time_ms + 1_000_000;
    chain
        .commit(chain.execute(&proposal).expect("valid"))
        .expect("in memory");
    assert_eq!(chain.system().epoch.0, 1);
}

#[test]
fn a_node_stops_at_a_protocol_version_that_it_does_not_know() {
    let mut world = World::new();
    for validator in world.validators.clone() {
        world.ok(
            &validator,
            TransactionKind::AnnounceProtocolVersion { version: 2 },
        );
    }
    let error = refused(&mut world, |_, proposal| proposal.end_epoch = true);
    assert!(
        matches!(error, BlockError::Upgrade(_)) && error.is_fatal(),
        "{error}"
    );
    let text = "protocol version 2 is not supported; this build supports 1 to 1; \
                install a newer build and start again";
    assert_eq!(error.to_string(), text);
}
