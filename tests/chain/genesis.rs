//! A genesis that cannot start a chain is refused with what is wrong; a good one gives everything
//! that nobody was given to the emission pool.

use soma_chain::{Chain, ChainConfig, ChainError, GenesisError, MemoryStore, chain_id};
use soma_tests::scenes::{genesis_model, soma};
use soma_tests::world::{Setup, World};
use soma_types::parameters::ParameterError;
use soma_types::{Embedding, Genesis, MAX_SUPPLY};

fn refused(change: impl FnOnce(&mut Genesis)) -> GenesisError {
    let mut genesis = World::with(Setup::default().models(2)).genesis;
    change(&mut genesis);
    let opened = Chain::open(MemoryStore::new(), &genesis, ChainConfig::default());
    match opened.err().expect("cannot start a chain") {
        ChainError::Genesis(error) => error,
        other => panic!("{other}"),
    }
}

#[test]
fn what_nobody_was_given_is_in_the_emission_pool() {
    let world = World::with(Setup::default().models(2));
    let supply = world.supply();
    assert_eq!(supply.circulating, soma(12 * 10_000));
    assert_eq!(supply.staked, soma(4 * 1_000 + 2 * 10));
    // The first emission is released with genesis, for the budget of epoch 0.
    let given = 120_000 + 4_020 + 1_370;
    assert_eq!(supply.emission_pool, soma(10_000_000 - given));
    assert_eq!(supply.total(), Some(MAX_SUPPLY));
}

#[test]
fn the_chain_id_is_the_digest_of_the_whole_document() {
    let genesis = World::new().genesis;
    let id = chain_id(&genesis);
    assert_eq!(World::new().chain.chain_id(), id);
    let changes: [fn(&mut Genesis); 4] = [
        |genesis| genesis.time_ms += 1,
        |genesis| genesis.accounts[0].balance.0 += 1,
        |genesis| genesis.full_emission_on_forced_epochs ^= true,
        |genesis| genesis.parameters.extend([("base_fee".into(), 1_000)]),
    ];
    for change in changes {
        let mut other = genesis.clone();
        change(&mut other);
        assert_ne!(chain_id(&other), id);
    }
}

#[test]
fn nobody_is_given_more_than_there_is() {
    let error = refused(|genesis| genesis.accounts[0].balance = soma(9_999_999));
    assert!(
        matches!(error, GenesisError::OverAllocated { .. }),
        "{error}"
    );
    let error = refused(|genesis| {
        for account in &mut genesis.accounts {
            account.balance.0 = u64::MAX;
        }
    });
    assert!(
        matches!(error, GenesisError::OverAllocated { .. }),
        "{error}"
    );
}

#[test]
fn a_chain_needs_a_validator_with_stake() {
    let error = refused(|genesis| genesis.validators.clear());
    assert_eq!(error, GenesisError::NoValidators);
    let error = refused(|genesis| {
        for validator in &mut genesis.validators {
            validator.stake.0 = 0;
        }
    });
    assert_eq!(error, GenesisError::NoValidators);
}

#[test]
fn nothing_is_listed_twice() {
    let doubled = |error| match error {
        GenesisError::Duplicate { what, .. } => what,
        other => panic!("{other}"),
    };
    let error = refused(|genesis| genesis.accounts[1] = genesis.accounts[0]);
    assert_eq!(doubled(error), "account");
    let error = refused(|genesis| genesis.accounts.reverse());
    assert_eq!(doubled(error), "account");
    let error = refused(|genesis| genesis.validators[1] = genesis.validators[0].clone());
    assert_eq!(doubled(error), "validator");
    let error = refused(|genesis| {
        genesis.validators[1].metadata = genesis.validators[0].metadata.clone();
    });
    assert_eq!(doubled(error), "consensus key");
}

#[test]
fn models_and_parameters_fit_the_network() {
    let error = refused(|genesis| {
        genesis.models[1].embedding = Embedding::from_f32(&[1.0]).expect("a direction");
    });
    assert!(
        matches!(
            error,
            GenesisError::Dimension {
                index: 1,
                got: 1,
                expected: 8
            }
        ),
        "{error}"
    );
    let error = refused(|genesis| genesis.models.push(genesis_model(2, 0, soma(0))));
    assert!(
        matches!(error, GenesisError::LowStake { index: 2, .. }),
        "{error}"
    );
    let error = refused(|genesis| genesis.parameters.extend([("colour".into(), 1)]));
    assert_eq!(error, ParameterError::UnknownName("colour".into()).into());
    let error = refused(|genesis| genesis.protocol_version = 9);
    let unknown = ParameterError::UnknownVersion { got: 9, newest: 1 };
    assert_eq!(error, unknown.into());
}
