//! Committees that change.

use soma_tests::world::{self, Setup};
use soma_types::{Epoch, MetadataUpdate, Shannons, TransactionKind};

use crate::net::Network;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_validator_joins_changes_its_key_and_leaves() {
    let mut network = Network::new(Setup::default(), 1);
    // The full node is the validator to be.
    let newcomer = network.world.users[7];
    network.become_validator(4, newcomer, 70);
    network.start_all().await;
    network.advance(0, 2).await;

    let join = network.world.candidate(&newcomer, 70);
    let stake = TransactionKind::Stake {
        validator: newcomer,
        amount: Shannons::from_soma(900).unwrap(),
    };
    for (nonce, kind) in [join, stake].into_iter().enumerate() {
        let signed = network.sign(newcomer, nonce as u64, kind);
        network.execute(0, signed).await;
    }
    network.end_epoch().await;
    assert_eq!(network.epoch(0), Epoch(1));
    let is_member = |network: &Network| {
        let chain = &network.running(0).chain;
        let committee = chain.reader().committee(chain.system().epoch).unwrap();
        committee.unwrap().member(&newcomer).copied()
    };
    assert!(is_member(&network).is_some());
    network.advance(4, 5).await;
    assert!(
        network
            .running(4)
            .handle
            .observer()
            .status()
            .borrow()
            .is_validator
    );
    // Without its vote the others have 3 of 5: it is needed now.
    network.stop(1).await;
    network.advance(4, 3).await;
    network.start(1).await;

    let key = world::consensus_key(71);
    let chain = network.world.chain.chain_id();
    let proof = soma_chain::proof_of_possession_digest(&chain, &newcomer);
    let rotate = TransactionKind::UpdateValidatorMetadata(Box::new(MetadataUpdate {
        consensus_key: Some(key.public_key()),
        proof_of_possession: Some(key.sign_digest(&proof.0)),
        ..MetadataUpdate::default()
    }));
    let signed = network.sign(newcomer, 2, rotate);
    network.execute(0, signed).await;
    network.end_epoch().await;
    assert_eq!(is_member(&network).unwrap().consensus_key, key.public_key());
    network.stop(1).await;
    network.advance(4, 3).await;
    network.start(1).await;

    let signed = network.sign(newcomer, 3, TransactionKind::RemoveValidator);
    network.execute(0, signed).await;
    network.end_epoch().await;
    assert!(is_member(&network).is_none());
    network.advance(4, 3).await;
    assert!(
        !network
            .running(4)
            .handle
            .observer()
            .status()
            .borrow()
            .is_validator
    );
    network.check_agreement();
    network.stop_all().await;
}
