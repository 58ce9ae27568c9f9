//! Comparison of scores, and arithmetic that is the same everywhere.

use std::fmt::Write as _;

use soma_audit::{Claim, Failure, Finding, Measured, Mismatch, Persistence, Verdict, compare};
use soma_targets::difficulty::{Difficulty, Parameters};
use soma_targets::{ModelIndex, cosine_distance, draw_direction};
use soma_types::{Digest, Distance, ModelFault, ModelId, Shannons, SubmissionFault};

const WINNER: ModelId = ModelId([1; 32]);

fn measured(loss: f64, distance: Option<f64>) -> [Measured; 1] {
    let model = WINNER;
    [Measured {
        model,
        loss,
        distance,
    }]
}

#[test]
fn d26_a_comparison_is_explicit_and_two_values_that_are_not_finite_are_not_equal() {
    for odd in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let claim = Claim {
            winner: WINNER,
            loss: odd,
            distance: 0.5,
        };
        let finding = compare(&claim, &measured(odd, Some(0.5)));
        let Finding::Mismatch(Mismatch::LossNotFinite { .. }) = finding else {
            panic!("{odd}: {finding:?}");
        };
        let claim = Claim {
            loss: 1.0,
            distance: odd,
            ..claim
        };
        let finding = compare(&claim, &measured(1.0, Some(odd)));
        let Finding::Mismatch(mismatch) = finding else {
            panic!("{odd}: {finding:?}");
        };
        assert_eq!(mismatch.fault(), SubmissionFault::WrongEmbedding);
    }
}

#[test]
fn d52_a_fault_is_typed_and_names_the_blob() {
    let long = Persistence {
        failing_for_ms: 1_000,
        epoch_ms: 1_000,
    };
    let data = |failure| soma_audit::judge(&Err(failure), &long);
    let weights = |failure| soma_audit::judge_weights(&Err(failure), &long);
    let fraud = Verdict::Report(SubmissionFault::DataUnavailable);
    assert_eq!(data(Failure::DataUnavailable), fraud);
    let fraud = Verdict::Report(SubmissionFault::DataMismatch);
    assert_eq!(data(Failure::DataMismatch), fraud);
    let fraud = Verdict::Report(ModelFault::WeightsMismatch);
    assert_eq!(weights(Failure::WeightsMismatch), fraud);
    // The winner's weights are not the data, and where they cannot be had nobody is to blame.
    let fraud = Verdict::Report(SubmissionFault::WinnerInvalid);
    assert_eq!(data(Failure::Undecryptable), fraud);
    let void = SubmissionFault::WinnerUnavailable;
    assert_eq!(data(Failure::WeightsUnavailable), Verdict::Report(void));
    assert!(!void.is_fraud());
    // Another model's failure and the auditor's own are not the submission's.
    for failure in [Failure::OtherWeights, Failure::Own] {
        assert_eq!(data(failure), Verdict::Undecided, "{failure:?}");
        assert_eq!(weights(failure), Verdict::Undecided, "{failure:?}");
    }
}

/// Distances, neighbours and thresholds, as another implementation must find them.
fn vectors() -> String {
    let direction = |index| draw_direction(&Digest([9; 32]), index, 64);
    let mut text =
        "# directions of parent 09…09 at dimension 64, by draw number; distances in 2^-30\n\
                    # distance: draw, draw | distance\n"
            .to_owned();
    for (a, b) in [(0, 0), (0, 1), (1, 0), (2, 3), (4, 5)] {
        let distance = cosine_distance(&direction(a), &direction(b)).unwrap();
        writeln!(text, "distance {a} {b} | {}", distance.0).unwrap();
    }
    text += "# nearest: models 0…19 stand on draws 100…119 with stakes 1, 4, 9, … SOMA; target on draw | models\n";
    let mut index = ModelIndex::new(64);
    for number in 0..20u8 {
        let stake = Shannons::from_soma((u64::from(number) + 1).pow(2)).unwrap();
        let stands = direction(100 + u64::from(number));
        index.insert(ModelId([number; 32]), stands, stake).unwrap();
    }
    for target in 0..6 {
        let found = index.nearest(&direction(target), 3);
        let found: Vec<String> = found.iter().map(|one| one.model.0[0].to_string()).collect();
        writeln!(text, "nearest {target} | {}", found.join(" ")).unwrap();
    }
    text += "# difficulty at dimension 2048 and a goal of 100 hits: from threshold 1, averages with 10 % new: hits of epochs, in order | thresholds in 2^-30\n";
    let parameters = Parameters {
        hits_goal: 100,
        dim: 2_048,
        ema_decay_bps: 9_000,
    };
    let mut difficulty = Difficulty {
        threshold: Distance(1 << 30),
        hits_average: None,
    };
    for hits in [0, 0, 3, 40, 96, 104, 250, 4_000, 120, 100] {
        difficulty = difficulty.next(hits, &parameters);
        writeln!(text, "difficulty {hits} | {}", difficulty.threshold.0).unwrap();
    }
    text
}

#[test]
fn d34_distances_neighbours_and_thresholds_are_the_published_vectors() {
    // Tests run in the folder of their package.
    let path = "../crates/soma-targets/testdata/arithmetic-v1.txt";
    if std::env::var_os("UPDATE_VECTORS").is_some() {
        std::fs::write(path, vectors()).unwrap();
    }
    assert_eq!(std::fs::read_to_string(path).unwrap(), vectors());
}
