//! The rules that hold whatever happens.

use soma_tests::game::Game;

/// Four games of 6,000 transactions each.
#[test]
fn money_is_conserved_and_failures_change_nothing_in_24_000_random_operations() {
    let mut kinds = std::collections::BTreeSet::new();
    let mut errors = std::collections::BTreeSet::new();
    let (mut epochs, mut frauds, mut voids) = (0, 0, 0);
    for seed in 0..4 {
        let mut game = Game::new(seed);
        game.play(6_000);
        let tally = game.tally();
        kinds.extend(tally.succeeded.keys().copied());
        errors.extend(tally.failed.keys().copied());
        epochs += tally.epochs;
        frauds += tally.frauds;
        voids += tally.voids;
    }
    assert!(epochs > 50, "{epochs} epochs");
    assert!(frauds > 0 && voids > 0, "{frauds} frauds, {voids} void");
    assert_eq!(kinds.len(), 25, "every kind succeeds: {kinds:?}");
    assert!(errors.len() >= 40, "only {errors:?} were met");
}
