use super::*;
use crate::{Cpu, ModelConfig, weights};

fn data(bytes: usize, step: usize) -> Vec<u8> {
    (0..bytes).map(|at| (at * step % 253) as u8).collect()
}

fn options(sequences_at_a_time: usize) -> EvaluateOptions {
    EvaluateOptions {
        seed: 5,
        sequences_at_a_time,
    }
}

#[test]
fn many_pieces_are_scored_as_each_alone() {
    let device = Default::default();
    let model = weights::random::<Cpu>(&ModelConfig::SMALL, 3, &device);
    let pieces = [
        data(1, 1),
        data(17_500, 7),
        data(1_024, 3),
        data(40_000, 11),
    ];
    let tokenized: Vec<_> = pieces
        .iter()
        .map(|p| TokenizedData::new(p).unwrap())
        .collect();
    let tokenized: Vec<_> = tokenized.iter().collect();
    let noise = SeededNoise(5);
    let together = model.evaluate_many(&tokenized, &noise, &options(7), &device);
    assert_eq!(together.len(), pieces.len());
    for (piece, together) in pieces.iter().zip(&together) {
        for at_a_time in [1, 4, 16] {
            let alone = model.evaluate(piece, &options(at_a_time), &device).unwrap();
            assert_eq!(alone.batches.len(), together.batches.len());
            assert!((alone.loss - together.loss).abs() < 1e-6);
            for (a, b) in alone.embedding.iter().zip(&together.embedding) {
                assert!((a - b).abs() < 1e-6);
            }
        }
    }
}

#[test]
fn bits_per_byte_count_every_predicted_token() {
    let device = Default::default();
    let model = weights::random::<Cpu>(&ModelConfig::SMALL, 3, &device);
    let result = model.evaluate(b"x", &options(4), &device).unwrap();
    // One byte, one predicted token: the end.
    let bits = result.batches[0].cross_entropy / std::f64::consts::LN_2;
    assert!((result.bits_per_byte - bits).abs() < 1e-9);
}

#[test]
fn empty_data_is_refused() {
    let device = Default::default();
    let model = weights::random::<Cpu>(&ModelConfig::SMALL, 3, &device);
    assert_eq!(model.evaluate(b"", &options(4), &device), Err(EmptyData));
}
