//! Proofs of state entries: what a client can check with nothing but a header.

use std::sync::Arc;

use soma_chain::{
    Chain, ChainConfig, ChainError, Key, LightClient, LightError, ProofError, StateProof, Store,
    verify_proof,
};
use soma_tests::game::Game;
use soma_tests::scenes::soma;
use soma_tests::world::World;
use soma_types::codec::{decode, encode};
use soma_types::{Account, Address, Epoch, TransactionKind};

fn transfer(world: &mut World, amount: u64) {
    let (sender, recipient) = (world.users[0], world.users[1]);
    let amount = soma(amount);
    world.ok(&sender, TransactionKind::Transfer { recipient, amount });
}

fn mismatch(proof: &StateProof) {
    let error = verify_proof(proof).expect_err("altered");
    assert!(matches!(error, ProofError::Mismatch { .. }), "{error}");
}

/// A proof with any part altered proves nothing.
fn holds_as_it_is_only(proof: &StateProof, other_key: Key) {
    verify_proof(proof).expect("as it was made");
    let mut other = proof.clone();
    other.header.state_root.0[7] ^= 1;
    mismatch(&other);
    let mut other = proof.clone();
    other.key = other_key.to_bytes();
    mismatch(&other);
    let mut other = proof.clone();
    other.value = match &proof.value {
        Some(_) => None,
        None => Some(encode(&Account::default())),
    };
    mismatch(&other);
    if let Some(value) = &proof.value {
        let mut other = proof.clone();
        let mut changed = value.clone();
        changed[0] ^= 1;
        other.value = Some(changed);
        mismatch(&other);
    }
    for at in 0..proof.proof.len() {
        let mut other = proof.clone();
        other.proof[at] ^= 0x40;
        assert!(verify_proof(&other).is_err(), "byte {at} of the path");
    }
    for length in 0..proof.proof.len() {
        let mut other = proof.clone();
        other.proof.truncate(length);
        assert!(verify_proof(&other).is_err(), "{length} bytes of the path");
    }
}

#[test]
fn an_entry_is_proven_by_its_header_and_by_nothing_else() {
    let mut world = World::with_targets();
    transfer(&mut world, 3);
    let sender = world.users[0];
    let proof = world.chain.prove(&Key::Account(sender)).expect("provable");
    assert_eq!(proof.header, world.chain.head().header);
    let account: Account =
        decode("an account", proof.value.as_ref().expect("present")).expect("whole");
    assert_eq!(account, world.read().account(&sender).expect("readable"));
    holds_as_it_is_only(&proof, Key::Account(world.users[1]));
}

#[test]
fn absence_is_proven_as_well() {
    let mut world = World::with_targets();
    transfer(&mut world, 3);
    for number in 0..20 {
        let proof = world
            .chain
            .prove(&Key::Account(Address([number; 32])))
            .expect("provable");
        assert_eq!(proof.value, None);
        holds_as_it_is_only(&proof, Key::Account(world.users[1]));
    }
}

#[test]
fn proofs_of_past_heights_hold_as_long_as_these_are_kept() {
    let mut world = World::new();
    let sender = world.users[0];
    let newcomer = world.newcomer(90_000);
    let mut balances = vec![world.balance(&sender)];
    for amount in 1..=30 {
        transfer(&mut world, amount);
        balances.push(world.balance(&sender));
    }
    let gift = TransactionKind::Transfer {
        recipient: newcomer,
        amount: soma(1),
    };
    world.ok(&world.users[2].clone(), gift);
    // 16 states besides the head's are kept.
    for height in 15..=30u64 {
        let proof = world
            .chain
            .prove_at(&Key::Account(sender), height)
            .expect("kept");
        assert_eq!(proof.header.height, height);
        let account: Account =
            decode("an account", proof.value.as_ref().expect("present")).expect("whole");
        assert_eq!(account.balance, balances[height as usize]);
        verify_proof(&proof).expect("as it was made");
        let absent = world
            .chain
            .prove_at(&Key::Account(newcomer), height)
            .expect("kept");
        assert_eq!(absent.value, None);
        verify_proof(&absent).expect("as it was made");
        // The header of another height does not fit.
        let mut other = proof.clone();
        other.header = world.chain.head().header;
        mismatch(&other);
    }
    let here = world
        .chain
        .prove(&Key::Account(newcomer))
        .expect("provable");
    assert!(here.value.is_some());
    let refused = |height| {
        let proof = world.chain.prove_at(&Key::Account(sender), height);
        proof.expect_err("not kept")
    };
    for height in [0, 14] {
        let error = refused(height);
        assert!(
            matches!(error, ChainError::StateNotKept { oldest: 15, .. }),
            "{error}"
        );
    }
    for height in [32, u64::MAX] {
        let error = refused(height);
        assert!(
            matches!(error, ChainError::NotReached { newest: 31, .. }),
            "{error}"
        );
    }
}

#[test]
fn every_entry_of_a_played_world_is_proven() {
    let mut game = Game::new(3);
    game.play(600);
    let world = &game.world;
    let root = world.chain.head().header.state_root;
    let mut proven = 0;
    for address in world.keys.keys() {
        for key in [Key::Account(*address), Key::Validator(*address)] {
            let proof = world.chain.prove(&key).expect("provable");
            assert_eq!(proof.header.state_root, root);
            assert_eq!(
                proof.value,
                world.store.get(&key.to_bytes()).expect("in memory")
            );
            verify_proof(&proof).expect("as it was made");
            proven += usize::from(proof.value.is_some());
        }
    }
    assert!(proven > 15);
    // So is a chain that was opened anew.
    let chain = Chain::open_with_rules(
        Arc::clone(&world.store),
        &world.genesis,
        world.chain.rules().clone(),
        ChainConfig::default(),
    );
    let chain = chain.expect("the same chain");
    for key in [Key::System, Key::Supply, Key::Account(world.users[0])] {
        let proofs = [&*world.chain, &chain].map(|chain| chain.prove(&key).expect("provable"));
        assert_eq!(proofs[0], proofs[1]);
    }
}

#[test]
fn the_state_before_the_first_block_is_final_by_the_genesis() {
    let mut world = World::new();
    let sender = world.users[0];
    let proof = world.chain.prove(&Key::Account(sender)).expect("provable");
    verify_proof(&proof).expect("as it was made");
    let light = LightClient::from_genesis(world.chain.genesis()).expect("a genesis");
    assert_eq!(proof.header.height, 0);
    assert!(light.is_start(&proof.header));

    let mut forged = proof.header;
    forged.state_root.0[7] ^= 1;
    assert!(!light.is_start(&forged));
    world.tick();
    assert!(!light.is_start(&world.chain.head().header));
}

#[test]
fn a_trusted_block_shows_no_committee_but_its_own_and_the_next() {
    let mut world = World::new();
    // The keys of the first committee may be anybody's by now; its entry is still in the state.
    world.end_epochs(3);
    let head = world.chain.head();
    assert_eq!(head.header.epoch, Epoch(3));
    let from = |world: &World, epoch| {
        let proof = world.chain.prove(&Key::Committee(epoch));
        let proof = proof.expect("provable");
        LightClient::from_trusted(world.chain.head().digest, epoch, &proof)
    };
    for old in (0..3).map(Epoch) {
        let refused = from(&world, old).expect_err("an old committee");
        let expected = LightError::OtherEpoch {
            height: head.header.height,
            header: Epoch(3),
            committee: old,
        };
        assert_eq!(refused, expected);
    }
    let light = from(&world, Epoch(3)).expect("its own committee");
    assert_eq!(light.committee().epoch, Epoch(3));
    // The next one is there with the last block, and not before.
    let refused = from(&world, Epoch(4)).expect_err("no such committee yet");
    assert_eq!(refused, LightError::OtherEntry(Epoch(4)));
    world.end_epoch_with(Vec::new());
    assert_eq!(world.chain.head().header.epoch, Epoch(3));
    let light = from(&world, Epoch(4)).expect("the next committee");
    assert_eq!(light.committee().epoch, Epoch(4));
}
