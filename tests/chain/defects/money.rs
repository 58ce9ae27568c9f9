//! Payments and fees: what leaves one place arrives in another, to the shannon.

use soma_tests::scenes::{largest, soma};
use soma_tests::world::World;
use soma_types::bounded::BoundedVec;
use soma_types::{Payment, Shannons, TransactionKind};

fn transfer(world: &World, to: usize, amount: u64) -> TransactionKind {
    TransactionKind::Transfer {
        recipient: world.users[to],
        amount: Shannons(amount),
    }
}

fn pay(payments: Vec<Payment>) -> TransactionKind {
    TransactionKind::PayMany {
        payments: BoundedVec::new(payments).expect("few"),
    }
}

#[test]
fn d02_paying_one_recipient_twice_takes_the_money_twice() {
    let mut world = World::new();
    let (sender, twice, once) = (world.users[0], world.users[1], world.users[2]);
    let before = [sender, twice, once].map(|who| world.balance(&who).0);
    let to = |recipient, amount| Payment {
        recipient,
        amount: Shannons(amount),
    };
    world.ok(
        &sender,
        pay(vec![
            to(twice, 700_000),
            to(once, 100_000),
            to(twice, 700_000),
        ]),
    );
    // Base fee, four objects, a thousandth of the sum.
    let fee = 1_000 + 4 * 300 + 1_500;
    assert_eq!(world.balance(&sender).0, before[0] - 1_500_000 - fee);
    assert_eq!(world.balance(&twice).0, before[1] + 1_400_000);
    assert_eq!(world.balance(&once).0, before[2] + 100_000);
}

#[test]
fn d02_payments_beyond_the_balance_move_nothing() {
    let mut world = World::new();
    let (sender, other) = (world.users[0], world.users[1]);
    let before = world.balance(&sender);
    let half = Payment {
        recipient: other,
        amount: Shannons(before.0 / 2 + 1),
    };
    let error = world.fails(&sender, pay(vec![half, half]));
    assert_eq!(error, "InsufficientCoinBalance");
    assert_eq!(world.balance(&sender).0, before.0 - 1_000);
    assert_eq!(world.balance(&other), before);
}

#[test]
fn d03_staking_a_whole_balance_leaves_nothing_behind() {
    for to_model in [false, true] {
        let mut world = World::with_targets();
        let sender = world.users[5];
        let (validator, model) = (world.validators[0], world.model_of(&world.users[0]));
        let stake = |amount| match to_model {
            true => TransactionKind::StakeToModel { model, amount },
            false => TransactionKind::Stake { validator, amount },
        };
        let everything = world.balance(&sender);
        assert_eq!(
            world.fails(&sender, stake(everything)),
            "InsufficientCoinBalance"
        );
        // Base fee and three objects, and half the value fee.
        let available = Shannons(world.balance(&sender).0 - 1_900);
        let amount = largest(available, world.chain.system().value_fee.half());
        let waiting = world.supply().stake_pending.0;
        world.ok(&sender, stake(amount));
        assert_eq!(world.balance(&sender), Shannons::ZERO);
        assert_eq!(world.supply().stake_pending.0, waiting + amount.0);
    }
}

#[test]
fn d13_amounts_that_add_up_to_more_than_can_exist_are_an_error() {
    let mut world = World::new();
    let (sender, other) = (world.users[0], world.users[1]);
    let most = Payment {
        recipient: other,
        amount: Shannons(u64::MAX),
    };
    assert_eq!(
        world.fails(&sender, pay(vec![most, most])),
        "ArithmeticOverflow"
    );
    let kind = transfer(&world, 1, u64::MAX);
    assert_eq!(world.fails(&sender, kind), "InsufficientCoinBalance");
}

#[test]
fn d20_paying_oneself_costs_the_fee_and_nothing_else() {
    let mut world = World::new();
    let sender = world.users[0];
    let before = world.balance(&sender).0;
    let amount = before / 2;
    let kind = transfer(&world, 0, amount);
    world.ok(&sender, kind);
    let after = before - 1_600 - amount / 1_000;
    assert_eq!(world.balance(&sender).0, after);

    let part = Payment {
        recipient: sender,
        amount: soma(1),
    };
    world.ok(&sender, pay(vec![part, part]));
    // Base fee, three objects, a thousandth of 2 SOMA.
    assert_eq!(world.balance(&sender).0, after - 1_900 - 2_000_000);
}

#[test]
fn d45_a_failed_transaction_always_uses_its_nonce_and_pays_what_it_can() {
    let mut world = World::new();
    let poor = world.newcomer(77_000);
    let nonce = |world: &World| world.read().account(&poor).expect("readable").nonce;
    let kind = transfer(&world, 0, 1);
    assert_eq!(world.fails(&poor, kind.clone()), "InsufficientGas");
    assert_eq!((nonce(&world), world.balance(&poor).0), (1, 0));

    let gift = TransactionKind::Transfer {
        recipient: poor,
        amount: Shannons(400),
    };
    world.ok(&world.users[0].clone(), gift);
    let burned = world.supply().burned.0;
    assert_eq!(world.fails(&poor, kind), "InsufficientGas");
    assert_eq!((nonce(&world), world.balance(&poor).0), (2, 0));
    assert_eq!(world.supply().burned.0, burned + 400);
}
