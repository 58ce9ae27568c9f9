//! Weights: hidden until their reveal, and nobody earns with an exact copy.

use soma_tests::model_secrets::ModelSecrets;
use soma_tests::scenes::{DIM, soma};
use soma_tests::world::{World, axis};
use soma_types::{Address, Event, ModelFault, ModelId, ModelStatus, SlashReason, TransactionKind};

/// Models of users 0 and 1 with the same weights; the first commits a block earlier.
fn two_of_a_kind() -> (World, [(Address, ModelSecrets); 2]) {
    let mut world = World::new();
    let owners = [world.users[0], world.users[1]];
    let pair = owners.map(|owner| {
        let model = world.create_model(&owner, soma(10), 0);
        (owner, ModelSecrets::new(model, 1, axis(DIM, 1)))
    });
    for (owner, secrets) in &pair {
        world.ok(owner, secrets.commit());
    }
    world.end_epoch();
    (world, pair)
}

#[test]
fn d27_a_copy_of_revealed_weights_is_refused() {
    let (mut world, [(first, original), (second, copy)]) = two_of_a_kind();
    world.ok(&first, original.reveal());
    assert_eq!(
        world.fails(&second, copy.reveal()),
        "WeightsAlreadyRevealed"
    );
    // It can never be revealed, so it ends as any model that misses its reveal.
    world.end_epoch();
    assert!(matches!(
        world.model(&copy.model).status,
        ModelStatus::Inactive { .. }
    ));
    assert_eq!(world.model_pool(&copy.model).soma, soma(5));
    assert_eq!(world.model_pool(&original.model).soma, soma(10));
}

#[test]
fn d27_the_earlier_commit_wins_even_when_it_is_revealed_later() {
    let (mut world, [(first, original), (second, copy)]) = two_of_a_kind();
    world.ok(&second, copy.reveal());
    assert_eq!(world.model(&copy.model).status, ModelStatus::Active);
    world.ok(&first, original.reveal());
    assert_eq!(world.model(&original.model).status, ModelStatus::Active);
    assert!(world.model(&copy.model).leaving);
    world.end_epoch();
    assert!(matches!(
        world.model(&copy.model).status,
        ModelStatus::Inactive { .. }
    ));
    assert_eq!(world.chain.active_models(), 1);
}

#[test]
fn a_copy_whose_original_is_revealed_answers_for_its_targets_until_the_epoch_ends() {
    let mut world = World::with_targets();
    let (copyist, owner, user) = (world.users[0], world.users[3], world.users[4]);
    let copy = world.model_of(&copyist);
    let original = world.create_model(&owner, soma(1), 0);
    let original = ModelSecrets::new(original, 50, axis(DIM, 1));
    let update = ModelSecrets::new(copy, 50, axis(DIM, 2));
    world.ok(&owner, original.commit());
    world.ok(&copyist, update.commit());
    world.end_epoch();
    world.ok(&copyist, update.reveal());
    world.ok(&owner, original.reveal());
    // Else who owns both could leave targets that nobody can fill.
    let target = world.open_targets()[0].clone();
    assert!(target.models.contains(&copy));
    let mut sealed = world.submission(&user, &target, 1, 100);
    sealed.submission.model = copy;
    world.ok(&user, sealed.seal());
    world.ok(&user, sealed.open());
    world.end_epoch();
    assert!(matches!(
        world.model(&copy).status,
        ModelStatus::Inactive { .. }
    ));
    assert_eq!(world.model(&original.model).status, ModelStatus::Active);
}

/// A quorum finds that the model's weights are not what it committed to.
fn strike(world: &mut World, model: ModelId) {
    let reason = ModelFault::PlaintextMismatch;
    for reporter in world.validators.clone() {
        world.ok(&reporter, TransactionKind::ReportModel { model, reason });
    }
    world.end_epoch();
    let of_model = |event: &Event| {
        let reason = SlashReason::Reported;
        matches!(event, Event::Slashed { model: Some(slashed), reason: why, .. }
            if (slashed, why) == (&model, &reason))
    };
    assert!(world.slashes().iter().any(of_model));
}

#[test]
fn d27_struck_weights_stand_in_nobodys_way() {
    let (mut world, [(thief, claim), (owner, original)]) = two_of_a_kind();
    world.ok(&thief, claim.reveal());
    assert_eq!(
        world.fails(&owner, original.reveal()),
        "WeightsAlreadyRevealed"
    );
    strike(&mut world, claim.model);
    let model = world.create_model(&owner, soma(10), 0);
    let again = ModelSecrets::new(model, 1, axis(DIM, 2));
    world.commit_and_reveal(&owner, &again);
    assert_eq!(world.model(&model).status, ModelStatus::Active);
}

#[test]
fn d27_what_a_model_revealed_before_it_was_struck_stays_its_own() {
    let (mut world, [(owner, original), (thief, _)]) = two_of_a_kind();
    world.ok(&owner, original.reveal());
    let update = ModelSecrets::new(original.model, 2, axis(DIM, 1));
    world.commit_and_reveal(&owner, &update);
    strike(&mut world, original.model);
    let model = world.create_model(&thief, soma(10), 0);
    let copy = ModelSecrets::new(model, 1, axis(DIM, 2));
    world.ok(&thief, copy.commit());
    world.end_epoch();
    assert_eq!(world.fails(&thief, copy.reveal()), "WeightsAlreadyRevealed");
}

#[test]
fn d27_an_update_to_the_weights_of_another_owner_is_refused() {
    let (mut world, [(first, original), (second, _)]) = two_of_a_kind();
    world.ok(&first, original.reveal());
    let model = world.create_model(&second, soma(10), 0);
    let copy = ModelSecrets::new(model, 1, axis(DIM, 2));
    world.ok(&second, copy.commit());
    world.end_epoch();
    assert_eq!(
        world.fails(&second, copy.reveal()),
        "WeightsAlreadyRevealed"
    );
}

#[test]
fn d27_an_owner_has_the_same_weights_in_one_active_model_at_a_time() {
    let (mut world, [(owner, original), (copyist, copy)]) = two_of_a_kind();
    // The copyist reveals first, and tries it with a second model.
    world.ok(&copyist, copy.reveal());
    let model = world.create_model(&copyist, soma(10), 0);
    let twin = ModelSecrets::new(model, 1, axis(DIM, 2));
    world.ok(&copyist, twin.commit());
    world.ok(&owner, original.reveal());
    world.end_epoch();
    assert_eq!(world.chain.active_models(), 1, "no copy is left");
    assert_eq!(
        world.fails(&copyist, twin.reveal()),
        "WeightsAlreadyRevealed"
    );

    let model = world.create_model(&owner, soma(10), 0);
    let twin = ModelSecrets::new(model, 1, axis(DIM, 2));
    world.ok(&owner, twin.commit());
    world.end_epoch();
    assert_eq!(world.fails(&owner, twin.reveal()), "WeightsAlreadyRevealed");
    // A model that leaves has them until the epoch ends; then its owner may use them again.
    let ended = TransactionKind::DeactivateModel {
        model: original.model,
    };
    world.ok(&owner, ended);
    assert_eq!(world.fails(&owner, twin.reveal()), "WeightsAlreadyRevealed");
    let model = world.create_model(&owner, soma(10), 0);
    let next = ModelSecrets::new(model, 1, axis(DIM, 2));
    world.commit_and_reveal(&owner, &next);
    assert_eq!(world.model(&model).status, ModelStatus::Active);
}

#[test]
fn d27_a_commit_hides_the_weights_and_cannot_be_used_for_another_model() {
    let mut world = World::new();
    let (owner, copyist) = (world.users[0], world.users[1]);
    let model = world.create_model(&owner, soma(10), 0);
    let secrets = ModelSecrets::new(model, 1, axis(DIM, 1));
    let TransactionKind::CommitModel { commit, .. } = secrets.commit() else {
        panic!("a commit");
    };
    assert_ne!(commit.masked_plaintext_checksum.0, secrets.plaintext.0);
    world.ok(&owner, secrets.commit());

    let model = world.create_model(&copyist, soma(10), 0);
    world.ok(&copyist, TransactionKind::CommitModel { model, commit });
    world.end_epoch();
    world.ok(&owner, secrets.reveal());
    // The key is known to all by now, and opens nothing for another model.
    let copied = ModelSecrets { model, ..secrets };
    assert_eq!(
        world.fails(&copyist, copied.reveal()),
        "ModelDecryptionKeyCommitmentMismatch"
    );
}

#[test]
fn d27_a_reveal_must_open_what_was_committed() {
    let mut world = World::new();
    let owner = world.users[0];
    let model = world.create_model(&owner, soma(10), 0);
    let secrets = ModelSecrets::new(model, 1, axis(DIM, 1));
    world.ok(&owner, secrets.commit());
    world.end_epoch();
    let mut other_key = secrets.clone();
    other_key.key.0[31] ^= 1;
    assert_eq!(
        world.fails(&owner, other_key.reveal()),
        "ModelDecryptionKeyCommitmentMismatch"
    );
    let elsewhere = ModelSecrets {
        embedding: axis(DIM, 2),
        ..secrets.clone()
    };
    assert_eq!(
        world.fails(&owner, elsewhere.reveal()),
        "ModelEmbeddingCommitmentMismatch"
    );
    world.ok(&owner, secrets.reveal());
    let stands = world.read().model_embedding(&model).expect("readable");
    assert_eq!(stands, Some(axis(DIM, 1)));
}
