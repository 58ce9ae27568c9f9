//! Held-out losses, patience and embeddings.

use soma_model::tokenizer::sequences;
use soma_model::{Cpu, EvaluateOptions, ModelConfig, V1Model, weights};
use soma_trainer::data::DataError;
use soma_trainer::{Finished, Start, embedding, evaluate};

use crate::support::{World, model};

fn random() -> V1Model<Cpu> {
    weights::random(&ModelConfig::SMALL, 2, &Default::default())
}

fn text(bytes: usize) -> Vec<u8> {
    (0..bytes).map(|at| (at * 31 % 251) as u8).collect()
}

#[test]
fn pieces_are_evaluated_as_the_network_would_each() {
    let (model, options, device) = (random(), EvaluateOptions::default(), Default::default());
    // The second has two batches.
    let pieces = [text(700), text(17_000), Vec::new(), text(1)];
    let alone: Vec<_> = [0, 1, 3]
        .map(|at: usize| {
            model
                .evaluate(&pieces[at], &options, &device)
                .expect("bytes")
        })
        .into();
    let got = evaluate(&model, pieces.iter().map(Ok), &options, &device).expect("evaluated");
    assert_eq!(got.bytes, 17_701);
    let batches: Vec<f64> = alone
        .iter()
        .flat_map(|result| result.batches.iter().map(|batch| batch.loss))
        .collect();
    assert_eq!(batches.len(), 4);
    let loss = batches.iter().sum::<f64>() / 4.0;
    assert!((got.loss - loss).abs() < 1e-4, "{} and {loss}", got.loss);
    let bits: f64 = alone
        .iter()
        .zip([700.0, 17_000.0, 1.0])
        .map(|(result, bytes)| result.bits_per_byte * bytes)
        .sum();
    assert!((got.bits_per_byte - bits / 17_701.0).abs() < 1e-5);
}

#[test]
fn nothing_to_evaluate_and_data_that_fails_are_errors() {
    let (model, options, device) = (random(), EvaluateOptions::default(), Default::default());
    let none: [Result<Vec<u8>, DataError>; 1] = [Ok(Vec::new())];
    let error = evaluate(&model, none, &options, &device).expect_err("nothing");
    assert_eq!(error.name(), "NoData");
    let failing = [Ok(text(5)), Err(DataError::BadFraction { fraction: 1.0 })];
    let error = evaluate(&model, failing, &options, &device).expect_err("failing");
    assert_eq!(error.name(), "BadFraction");
}

#[test]
fn training_ends_when_evaluations_do_not_get_better_and_the_best_weights_are_kept() {
    let mut world = World::new(400);
    // The loss on the one text rises while the other is learned by heart.
    world.held_out = vec![text(2_000)];
    world.config.evaluate_every = 2;
    world.config.patience = Some(2);
    let outcome = world.run(Start::Random).expect("trained");
    assert_eq!(outcome.finished, Finished::Settled);
    let evaluations = &world.notes.evaluations;
    let best = outcome.best.expect("evaluated");
    assert_eq!(best.step + 4, outcome.step);
    let lowest = evaluations.iter().map(|report| report.held_out.loss);
    assert_eq!(lowest.fold(f64::INFINITY, f64::min), best.loss);
    assert_eq!(
        evaluations.iter().filter(|report| report.is_best).count(),
        evaluations.len() - 2
    );
    let kept = model(&world.folder.path().join("best.safetensors"));
    let options = EvaluateOptions {
        sequences_at_a_time: 1,
        ..EvaluateOptions::default()
    };
    let pieces = world.held_out.iter().map(Ok);
    let again = evaluate(&kept, pieces, &options, &Default::default()).expect("evaluated");
    assert_eq!(again.loss, best.loss);
    // Resumed, it has settled all the same.
    let again = world.run(Start::Resume).expect("resumed");
    assert_eq!(
        (again.finished, again.step),
        (Finished::Settled, outcome.step)
    );
}

#[test]
fn the_embedding_of_a_few_sequences_is_that_of_the_scorer() {
    let (model, options, device) = (random(), EvaluateOptions::default(), Default::default());
    let data = text(5_000);
    let sequences: Vec<_> = sequences(&data).collect();
    let published = embedding::of_sequences(&model, &sequences, 2, &device).expect("sequences");
    let scored = embedding::of_data(&model, &data, &options, &device).expect("bytes");
    assert_eq!(published.len(), 16);
    for (a, b) in published.iter().zip(&scored) {
        assert!((a - b).abs() < 1e-6);
    }
    let length: f64 = published
        .iter()
        .map(|value| f64::from(*value).powi(2))
        .sum();
    assert!((length - 1.0).abs() < 1e-6);
    let raw = model
        .evaluate(&data, &options, &device)
        .expect("bytes")
        .embedding;
    let (ratio, other) = (f64::from(raw[0] / scored[0]), f64::from(raw[7] / scored[7]));
    assert!((ratio / other - 1.0).abs() < 1e-4);
}

#[test]
fn an_embedding_takes_the_first_sequences_and_needs_one() {
    let (model, device) = (random(), Default::default());
    let sequences: Vec<_> = sequences(&text(260 * 1_024)).collect();
    let all = embedding::of_sequences(&model, &sequences, 16, &device).expect("sequences");
    let first = &sequences[..embedding::SEQUENCES];
    let first = embedding::of_sequences(&model, first, 16, &device).expect("sequences");
    assert_eq!(all, first);
    let error = embedding::of_sequences(&model, &[], 16, &device).expect_err("none");
    assert_eq!(error.name(), "NoData");
    let options = EvaluateOptions::default();
    let error = embedding::of_data(&model, &[], &options, &device).expect_err("none");
    assert_eq!(error.name(), "NoData");
}
