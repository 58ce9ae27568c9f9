//! A validator that runs twice, which signs twice.

use std::collections::BTreeSet;

use soma_tests::world::Setup;
use soma_types::{Epoch, Shannons};

use crate::net::Network;

/// Place of the second node of validator number 3.
const TWIN: usize = 4;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_validator_that_runs_twice_cannot_fork_or_halt_and_loses_stake_and_reward() {
    let mut network = Network::new(Setup::default(), 1);
    let guilty = network.world.validators[3];
    network.become_validator(TWIN, guilty, 3);
    network.start_all().await;
    let load = network.load(0);
    let honest = [0, 1, 2];
    network
        .wait("a block that names the twins", |network| {
            let chain = &network.running(0).chain;
            let validator = chain.reader().validator(&guilty).unwrap().unwrap();
            validator.misbehaved
        })
        .await;
    // Nobody else is accused.
    let chain = &network.running(0).chain;
    let reader = chain.reader();
    let named = (1..=chain.head().header.height).flat_map(|height| {
        let block = reader.block(height).unwrap().unwrap();
        block.misbehavior.to_vec()
    });
    let named: BTreeSet<_> = named.map(|one| one.validator).collect();
    assert_eq!(named, BTreeSet::from([guilty]));
    drop(reader);

    let epoch = network.epoch(0);
    assert_eq!(epoch, Epoch(0));
    for place in honest {
        network.running(place).queue.end_epoch();
    }
    network
        .wait("the next epoch", |network| {
            honest
                .iter()
                .all(|place| network.epoch(*place) == epoch.next())
        })
        .await;
    let stake = |place: usize| {
        let reader = network.running(0).chain.reader();
        let validator = network.world.validators[place];
        let validator = reader.validator(&validator).unwrap().unwrap();
        reader.pool(&validator.pool).unwrap().unwrap().soma
    };
    // A twentieth of 1,000 SOMA, and nothing of the reward that the three others share.
    assert_eq!(stake(3), Shannons::from_soma(950).unwrap());
    assert!(
        honest
            .iter()
            .all(|place| stake(*place) > Shannons::from_soma(1_050).unwrap())
    );
    drop(load);
    let height = network.height(0);
    network
        .wait("blocks after the slash", |network| {
            honest.iter().all(|place| network.height(*place) > height)
        })
        .await;
    network.check_agreement();
    network.stop_all().await;
}
