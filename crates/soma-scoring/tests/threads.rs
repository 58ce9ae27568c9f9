//! Neither the number of threads nor the order of models decides anything.

use soma_model::{Cpu, Device, ModelConfig, weights};
use soma_scoring::{ModelKey, ModelSource, PieceScores, Scorer, ScorerConfig, WeightsFile};

/// Wide enough that its work is divided among threads.
const SIZE: ModelConfig = ModelConfig::MINI;

/// Losses and bits per byte by weights, and the weights that win.
struct Outcome {
    winner: ModelKey,
    place: usize,
    losses: Vec<(ModelKey, f64, f64)>,
}

impl Outcome {
    fn new(scores: &PieceScores) -> Self {
        let place = scores.winner().unwrap();
        let mut losses: Vec<_> = scores
            .0
            .iter()
            .map(|score| {
                let evaluation = &score.evaluation;
                (score.key, evaluation.loss, evaluation.bits_per_byte)
            })
            .collect();
        losses.sort_by_key(|(key, ..)| *key);
        Self {
            winner: scores.0[place].key,
            place,
            losses,
        }
    }
}

/// Scores with a scorer of its own, on a pool of `threads` threads.
fn score(threads: usize, data: &[u8], models: &[&dyn ModelSource]) -> Outcome {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
    let pool = pool.build().unwrap();
    pool.install(|| {
        assert_eq!(rayon::current_num_threads(), threads);
        let scorer = Scorer::new(ScorerConfig::new(SIZE, Device::Cpu)).unwrap();
        Outcome::new(&scorer.score(data, models, 0).unwrap())
    })
}

#[test]
fn threads_and_the_order_of_models_change_no_winner_and_no_loss() {
    let folder = tempfile::tempdir().unwrap();
    let files: Vec<WeightsFile> = (1..=3)
        .map(|seed| {
            let path = folder.path().join(format!("{seed}.safetensors"));
            let model = weights::random::<Cpu>(&SIZE, seed, &Default::default());
            weights::write(&model, &path).unwrap();
            WeightsFile::new(path).unwrap()
        })
        .collect();
    // Several sequences, the last one not full.
    let data: Vec<u8> = (0..2_500).map(|at| (at * 37 % 97) as u8 + 32).collect();
    let [a, b, c] = [0, 1, 2].map(|at| &files[at] as &dyn ModelSource);
    let one = score(1, &data, &[a, b, c]);
    for (threads, order) in [(2, [a, b, c]), (1, [c, b, a]), (2, [b, c, a])] {
        let other = score(threads, &data, &order);
        assert_eq!(other.winner, one.winner, "{threads} threads");
        assert_eq!(order[other.place].key(), one.winner, "{threads} threads");
        for (one, other) in one.losses.iter().zip(&other.losses) {
            assert_eq!(one.0, other.0);
            let differences = [(one.1 - other.1).abs(), (one.2 - other.2).abs()];
            assert!(
                differences.iter().all(|difference| *difference <= 1e-5),
                "{threads} threads: {one:?}, {other:?}"
            );
        }
    }
}
