//! Everything that may change while a network runs, in one run under load.

use soma_tests::world::{self, Setup};
use soma_types::{
    Address, Epoch, MetadataUpdate, Parameters, Shannons, TransactionKind, ValidatorStatus,
};

use crate::net::Network;

/// Place of the validator that gets a new key.
const ROTATES: usize = 6;
/// Place of the validator that leaves.
const LEAVES: usize = 5;
/// Place of the node whose validator joins.
const JOINS: usize = 7;
/// Base fee of the second protocol version.
const NEW_FEE: u64 = 1_500;

/// A network of seven, and a node whose validator is to join.
fn network() -> (Network, Address) {
    let mut newer = Parameters::v1();
    newer.base_fee = NEW_FEE;
    let setup = Setup {
        validators: 7,
        versions: vec![Parameters::v1(), newer],
        ..Setup::default()
    };
    let mut network = Network::new(setup, 1);
    let newcomer = network.world.users[7];
    network.become_validator(JOINS, newcomer, 70);
    let rotates = network.world.validators[ROTATES];
    network.become_validator(ROTATES, rotates, ROTATES as u64);
    (network, newcomer)
}

/// The applications to join and for a new key.
async fn apply(network: &Network, newcomer: Address) {
    let join = network.world.candidate(&newcomer, 70);
    let stake = TransactionKind::Stake {
        validator: newcomer,
        amount: Shannons::from_soma(900).unwrap(),
    };
    for (nonce, kind) in (0..).zip([join, stake]) {
        let signed = network.sign(newcomer, nonce, kind);
        network.execute(0, signed).await;
    }
    let rotates = network.world.validators[ROTATES];
    let key = world::consensus_key(ROTATES as u64 + 1);
    let chain = network.world.chain.chain_id();
    let proof = soma_chain::proof_of_possession_digest(&chain, &rotates);
    let rotate = TransactionKind::UpdateValidatorMetadata(Box::new(MetadataUpdate {
        consensus_key: Some(key.public_key()),
        proof_of_possession: Some(key.sign_digest(&proof.0)),
        ..MetadataUpdate::default()
    }));
    let signed = network.sign(rotates, 0, rotate);
    network.execute(1, signed).await;
}

/// The members' addresses and keys, the same on all nodes.
fn committee(network: &Network, epoch: Epoch) -> Vec<(Address, soma_types::PublicKey)> {
    let of = |place| {
        let reader = network.running(place).chain.reader();
        let committee = reader.committee(epoch).unwrap().unwrap();
        let members = committee.members.iter();
        let keys = members.map(|member| (member.address, member.consensus_key));
        keys.collect::<Vec<_>>()
    };
    let first = of(0);
    assert!((1..8).all(|place| of(place) == first));
    first
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn committee_keys_epochs_and_the_protocol_change_under_load() {
    let (mut network, newcomer) = network();
    network.start_all().await;
    let load = network.load(0);
    network.wait("transfers", |n| n.load_executed(0) > 5).await;

    apply(&network, newcomer).await;
    network.end_epoch().await;
    let members = committee(&network, Epoch(1));
    assert_eq!(members.len(), 8);
    let rotates = network.world.validators[ROTATES];
    let key = world::consensus_key(ROTATES as u64 + 1).public_key();
    assert!(members.contains(&(rotates, key)));
    assert!(members.iter().any(|(address, _)| *address == newcomer));
    // With two of the old ones away, who came and who has a new key are needed for a quorum.
    network.stop(1).await;
    network.stop(2).await;
    network.advance(JOINS, 3).await;
    network.start(1).await;
    network.start(2).await;

    let leaves = network.world.validators[LEAVES];
    let signed = network.sign(leaves, 0, TransactionKind::RemoveValidator);
    network.execute(3, signed).await;
    let announce = TransactionKind::AnnounceProtocolVersion { version: 2 };
    let validators = network.world.validators.clone();
    for (place, validator) in validators.iter().enumerate() {
        let nonce = u64::from([ROTATES, LEAVES].contains(&place));
        let signed = network.sign(*validator, nonce, announce.clone());
        network.execute(place, signed).await;
    }
    for place in 0..8 {
        let chain = &network.running(place).chain;
        assert_eq!(chain.system().protocol_version, 1, "only at an epoch's end");
    }
    network.end_epoch().await;
    let members = committee(&network, Epoch(2));
    assert_eq!(members.len(), 7);
    assert!(members.iter().all(|(address, _)| *address != leaves));
    for place in 0..8 {
        let chain = &network.running(place).chain;
        assert_eq!(chain.system().protocol_version, 2);
        assert_eq!(chain.parameters().base_fee, NEW_FEE);
        let validator = chain.reader().validator(&leaves).unwrap();
        assert!(validator.is_none_or(|one| one.status != ValidatorStatus::Active));
    }

    let before = network.load_executed(0);
    network
        .wait("transfers by the new rules", |n| {
            n.load_executed(4) > before + 5
        })
        .await;
    // A node that was away during all of it comes back by the blocks of the others.
    network.stop(3).await;
    network.end_epoch().await;
    network.start(3).await;
    network.advance(3, 2).await;
    network
        .wait("the epoch that it missed", |n| n.epoch(3) == Epoch(3))
        .await;
    drop(load);
    network.check_agreement();
    network.stop_all().await;
}
