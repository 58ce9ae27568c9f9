//! Steps.

use soma_model::{ModelConfig, weights};
use soma_trainer::{Finished, Start};

use crate::support::{Text, World, distance, file, numbers};

#[test]
fn the_loss_of_a_repeated_text_falls() {
    let mut world = World::new(60);
    world.config.dropout = 0.0;
    let outcome = world.trained();
    assert_eq!((outcome.finished, outcome.step), (Finished::Complete, 60));
    let losses: Vec<f64> = world.notes.steps.iter().map(|step| step.loss).collect();
    assert!(
        losses[0] > 5.0 && losses[59] < losses[0] - 1.5,
        "{losses:?}"
    );
    let first = &world.notes.steps[0];
    let sum = first.cross_entropy + 0.02 * first.sig_reg;
    assert!((first.loss - sum).abs() < 1e-9);
    assert_eq!((first.step, first.tokens), (1, 2_048));
}

#[test]
fn how_a_step_is_cut_into_micro_batches_does_not_matter() {
    let weights = |micro_batch, accumulation| {
        let mut world = World::new(3);
        world.config.dropout = 0.0;
        world.config.micro_batch = micro_batch;
        world.config.accumulation = accumulation;
        let outcome = world.trained();
        numbers(&file(&outcome, "weights.safetensors"))
    };
    let (cut, whole) = (weights(1, 4), weights(4, 1));
    let largest = cut.iter().zip(&whole).map(|(a, b)| (a - b).abs());
    let largest = largest.fold(0.0, f32::max);
    assert!(largest < 1e-5, "{largest}");
}

#[test]
fn the_gradients_are_scaled_down_to_the_largest_norm() {
    // With so large an epsilon, Adam's first step is along the gradient itself.
    let change = |clip_norm| {
        let mut world = World::new(1);
        world.config.dropout = 0.0;
        world.config.learning_rate = 1e3;
        world.config.epsilon = 1e3;
        world.config.clip_norm = clip_norm;
        let before = world.folder.path().join("before.safetensors");
        let random = weights::random::<soma_model::Cpu>(
            &ModelConfig::SMALL,
            world.config.seed,
            &Default::default(),
        );
        weights::write(&random, &before).expect("written");
        let outcome = world.trained();
        let after = numbers(&file(&outcome, "weights.safetensors"));
        let norm = world.notes.steps[0].gradient_norm;
        (distance(&numbers(&before), &after), norm)
    };
    let (free, norm) = change(None);
    assert!(
        norm > 0.1 && (free / norm - 1.0).abs() < 0.01,
        "{free}, {norm}"
    );
    let (clipped, same_norm) = change(Some(0.05));
    assert_eq!(same_norm, norm);
    assert!((clipped - 0.05).abs() < 5e-4, "{clipped}");
    let (wide, _) = change(Some(1e6));
    assert_eq!(wide, free);
}

#[test]
fn dropout_makes_another_model_and_the_seed_decides_which() {
    let weights = |dropout, seed| {
        let mut world = World::new(2);
        let start = world.folder.path().join("start.safetensors");
        let random =
            weights::random::<soma_model::Cpu>(&ModelConfig::SMALL, 1, &Default::default());
        weights::write(&random, &start).expect("written");
        world.config.dropout = dropout;
        world.config.seed = seed;
        let outcome = world.run(Start::Weights(start)).expect("trained");
        numbers(&file(&outcome, "weights.safetensors"))
    };
    assert_eq!(weights(0.1, 5), weights(0.1, 5));
    assert_ne!(weights(0.1, 5), weights(0.0, 5));
    assert_ne!(weights(0.1, 5), weights(0.1, 6));
}

#[test]
fn weights_are_learned_from_where_a_file_leaves_them() {
    let mut first = World::new(20);
    let outcome = first.trained();
    let learned = first.notes.steps[19].loss;
    let mut second = World::new(1);
    let start = Start::Weights(file(&outcome, "weights.safetensors"));
    second.run(start).expect("trained");
    let loss = second.notes.steps[0].loss;
    assert!((loss - learned).abs() < 0.3, "{loss} after {learned}");
}

#[test]
fn data_without_a_byte_is_refused() {
    let mut world = World::new(1);
    world.text = Text::new(&[]);
    assert_eq!(world.refused(Start::Random), "NoData");
}

#[test]
fn a_run_that_diverges_ends_with_the_step_named() {
    let mut world = World::new(50);
    world.config.learning_rate = 1e30;
    let error = world.run(Start::Random).expect_err("diverged");
    assert_eq!(error.name(), "Diverged");
    assert!(error.to_string().contains("of step "), "{error}");
}
