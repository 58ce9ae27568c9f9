//! Numbers of a submission: recomputed by the chain, or paid for.

use soma_targets::cosine_distance;
use soma_tests::model_secrets::Sealed;
use soma_tests::scenes::DIM;
use soma_tests::world::{Setup, World, axis};
use soma_types::{Distance, Embedding, Loss, Shannons};

#[test]
fn d23_the_chain_computes_the_distance_itself() {
    let setup = Setup::default().with("target_initial_distance_threshold", 3 << 29);
    let mut world = World::with(setup.models(3));
    world.tick();
    let (user, target) = (world.users[4], world.open_targets()[0].clone());
    let direction = world.read().target_embedding(&target.id).expect("readable");
    let direction = direction.expect("drawn");
    let opposite: Vec<i32> = direction.as_fixed().iter().map(|c| -c).collect();
    let opposite = Embedding::from_fixed(opposite).expect("of length one");
    let far = Sealed::new(user, target.id, target.models[0], &opposite, 1, 100);
    world.ok(&user, far.seal());
    assert_eq!(world.fails(&user, far.open()), "DistanceExceedsThreshold");

    let other = (0..DIM).map(|index| axis(DIM, index)).find(|embedding| {
        cosine_distance(&direction, embedding).expect("one dimension") <= Distance(3 << 29)
    });
    let other = other.expect("near enough");
    let near = Sealed::new(user, target.id, target.models[0], &other, 2, 100);
    world.ok(&user, near.seal());
    world.ok(&user, near.open());
    let filled = world.target(&target.id);
    let expected = cosine_distance(&direction, &other).expect("one dimension");
    assert_eq!(filled.fill().expect("filled").distance, expected);
}

#[test]
fn d23_numbers_that_are_not_finite_do_not_exist_on_chain() {
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        assert!(Embedding::from_f32(&[1.0, bad]).is_err());
        assert_eq!(Loss::from_f64(bad.into()), None);
        assert_eq!(Distance::from_f64(bad.into()), None);
    }
}

#[test]
fn d48_data_has_a_size_and_a_bond() {
    let mut world = World::with_targets();
    let (user, target) = (world.users[4], world.open_targets()[0].clone());
    let before = world.balance(&user).0;
    let fill = world.fill(&user, &target, 1, 1);
    assert_eq!(fill.bond, Shannons(65));
    assert_eq!(world.balance(&user).0, before - 1_600 - 2_200 - 65);
    let empty = world.submission(&user, &world.open_targets()[0].clone(), 2, 0);
    world.ok(&user, empty.seal());
    assert_eq!(world.fails(&user, empty.open()), "EmptyData");
    let largest = world.fill(&user, &world.open_targets()[0].clone(), 3, 1_048_576);
    assert_eq!(largest.bond, Shannons(68_157_440));
}
