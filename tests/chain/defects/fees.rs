//! Fees: one estimate for admission, simulation and execution; all of it is burned.

use soma_tests::model_secrets::ModelSecrets;
use soma_tests::scenes::{DIM, create_model, report_submission, soma};
use soma_tests::world::{World, axis};
use soma_types::{Address, ModelId, Shannons, TransactionKind};

/// Sends a transaction and checks that its receipt and cost were known before.
fn as_foreseen(world: &mut World, sender: &Address, kind: TransactionKind) {
    let name = kind.name();
    let signed = world.sign(sender, kind.clone(), 0);
    let foreseen = world.chain.simulate(&signed.transaction).expect("readable");
    let burned = world.supply().burned;
    let receipt = world.ok(sender, kind);
    assert_eq!(foreseen.fee, receipt.fee, "{name}");
    assert_eq!(foreseen.status, receipt.status, "{name}");
    assert_eq!(foreseen.balance_changes, receipt.balance_changes, "{name}");
    let total = burned.checked_add(receipt.fee.total()).expect("small");
    assert_eq!(world.supply().burned, total, "the fee of {name} is burned");
}

#[test]
fn d14_the_fee_of_every_kind_is_known_before_it_runs() {
    let mut world = World::with_targets();
    let [owner, user] = [world.users[0], world.users[4]];
    let (member, model) = (world.validators[1], world.model_of(&owner));
    let recipient = world.users[5];
    let amount = soma(3);
    let target = world.open_targets()[0].clone();
    let sealed = world.submission(&user, &target, 1, 1_000);

    as_foreseen(
        &mut world,
        &user,
        TransactionKind::Transfer { recipient, amount },
    );
    as_foreseen(
        &mut world,
        &user,
        TransactionKind::Stake {
            validator: member,
            amount,
        },
    );
    as_foreseen(
        &mut world,
        &user,
        TransactionKind::StakeToModel { model, amount },
    );
    let stake = world.stakes(&user)[0].id;
    as_foreseen(&mut world, &user, TransactionKind::Unstake { stake });
    as_foreseen(&mut world, &user, create_model(soma(2), 500));
    let update = ModelSecrets::new(model, 1, axis(DIM, 4));
    as_foreseen(&mut world, &owner, update.commit());
    let commission_bps = 700;
    as_foreseen(
        &mut world,
        &owner,
        TransactionKind::SetModelCommission {
            model,
            commission_bps,
        },
    );
    as_foreseen(&mut world, &user, sealed.seal());
    as_foreseen(&mut world, &user, sealed.open());
    as_foreseen(&mut world, &member, report_submission(&target.id));
    let undo = TransactionKind::UndoReportSubmission { target: target.id };
    as_foreseen(&mut world, &member, undo);
    as_foreseen(
        &mut world,
        &recipient,
        TransactionKind::ChallengeSubmission { target: target.id },
    );
    let candidate = world.candidate(&recipient, 90);
    as_foreseen(&mut world, &recipient, candidate);
    as_foreseen(
        &mut world,
        &member,
        TransactionKind::SetValidatorCommission { commission_bps },
    );
    as_foreseen(&mut world, &member, TransactionKind::RemoveValidator);
    world.end_epoch();
    as_foreseen(&mut world, &owner, update.reveal());
    as_foreseen(
        &mut world,
        &owner,
        TransactionKind::DeactivateModel { model },
    );
    world.end_epoch();
    as_foreseen(
        &mut world,
        &recipient,
        TransactionKind::ClaimRewards { target: target.id },
    );
}

#[test]
fn d14_a_balance_of_amount_and_fee_is_enough_and_one_shannon_less_is_not() {
    let mut world = World::new();
    let (poor, recipient) = (world.newcomer(78_000), world.users[0]);
    let (amount, fee) = (Shannons(2_000_000), 1_000 + 600 + 2_000);
    let donor = world.users[1];
    let gift = |amount| TransactionKind::Transfer {
        recipient: poor,
        amount: Shannons(amount),
    };
    let kind = TransactionKind::Transfer { recipient, amount };
    world.ok(&donor, gift(amount.0 + fee - 1));
    assert_eq!(world.fails(&poor, kind.clone()), "InsufficientCoinBalance");
    // The failed one cost 1,000.
    world.ok(&donor, gift(1_001));
    world.ok(&poor, kind);
    assert_eq!(world.balance(&poor), Shannons::ZERO);
}

#[test]
fn d07_fees_are_burned_and_the_reports_of_validators_are_free() {
    let mut world = World::with_targets();
    let (user, member) = (world.users[3], world.validators[0]);
    let target = world.open_targets()[0].clone();
    let burned = world.chain.system().burned;
    world.fill(&user, &target, 1, 1_000);
    // The seal writes 2 objects, the opening 4.
    let fees = (1_000 + 600) + (1_000 + 1_200);
    assert_eq!(world.chain.system().burned.0, burned.0 + fees);
    assert_eq!(world.supply().burned, world.chain.system().burned);

    let before = (world.balance(&member), world.supply().burned);
    world.report(&[member], &target.id);
    assert_eq!((world.balance(&member), world.supply().burned), before);
    // One that fails is not free.
    assert_eq!(
        world.fails(&member, report_submission(&target.id)),
        "DuplicateReport"
    );
    assert_eq!(world.balance(&member).0, before.0.0 - 1_000);
}

#[test]
fn d07_the_value_fee_rises_when_too_little_is_burned_and_falls_when_too_much_is() {
    let mut world = World::new();
    let fee = |world: &World| world.chain.system().value_fee.0;
    assert_eq!(fee(&world), 1_000);
    world.end_epoch();
    assert_eq!(fee(&world), 1_125);
    // Two seconds at 5 % a year of 120,000 SOMA would be 0.0004 SOMA; this burns 1.1.
    let (sender, recipient) = (world.users[0], world.users[1]);
    let amount = soma(1_000);
    world.ok(&sender, TransactionKind::Transfer { recipient, amount });
    world.end_epoch();
    assert_eq!(fee(&world), 1_125 - 140);
}

#[test]
fn d11_the_value_fee_never_sticks() {
    let mut world = World::new();
    let fee = |world: &World| world.chain.system().value_fee.0;
    let idle = |world: &mut World| {
        let before = fee(world);
        world.end_epoch();
        assert!(
            fee(world) > before || fee(world) == 5_000,
            "stuck at {before}"
        );
    };
    for _ in 0..16 {
        idle(&mut world);
    }
    assert_eq!(fee(&world), 5_000);
    while fee(&world) > 100 {
        let (sender, recipient) = (world.users[0], world.users[1]);
        let before = fee(&world);
        let amount = soma(200);
        world.ok(&sender, TransactionKind::Transfer { recipient, amount });
        world.end_epoch();
        assert!(fee(&world) < before, "stuck at {before}");
    }
    assert_eq!(fee(&world), 100);
    idle(&mut world);
    assert_eq!(fee(&world), 112);
}

#[test]
fn d49_everything_that_a_transaction_stores_has_a_bounded_length() {
    assert!(soma_types::Url::new("x".repeat(1_024)).is_ok());
    assert!(soma_types::Url::new("x".repeat(1_025)).is_err());
    assert!(soma_types::validator::MetadataText::new("x".repeat(257)).is_err());
    let mut world = World::new();
    // 65,536 components of 4 bytes are more than a transaction of this network may have.
    let wide = soma_types::RawEmbedding::new(vec![0; 65_536]).expect("at the limit");
    let mut reveal = ModelSecrets::new(ModelId([1; 32]), 1, axis(DIM, 0)).reveal();
    if let TransactionKind::RevealModel { embedding, .. } = &mut reveal {
        *embedding = wide;
    }
    let user = world.users[0];
    let transaction = world.sign(&user, reveal, 0);
    let refused = world.apply(world.proposal(vec![transaction])).unwrap_err();
    assert!(
        refused.to_string().contains("at most 262144 are allowed"),
        "{refused}"
    );
}
