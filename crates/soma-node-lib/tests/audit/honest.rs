//! Whoever computes honestly is never reported, however the work was divided.

use std::collections::BTreeMap;

use soma_api::{AuditView, Page};
use soma_model::{Device, ModelConfig};
use soma_scoring::{ModelKey, ModelSource, PieceScores, Scorer, ScorerConfig, WeightsFile};
use soma_types::{Loss, ModelId, Target, TargetId};

use crate::weights::weights_file;
use crate::world::{Claim, FACTORS, World};

/// Submissions in all.
const SUBMISSIONS: usize = 200;
/// Submissions between two looks at the open targets.
const AT_A_TIME: usize = 20;

/// Somebody else's machine: other threads than the auditor's scorer has, sequences in other groups,
/// models in another order.
struct Machine {
    threads: usize,
    sequences: usize,
    reversed: bool,
}

const MACHINES: [Machine; 4] = [
    Machine {
        threads: 1,
        sequences: 1,
        reversed: true,
    },
    Machine {
        threads: 3,
        sequences: 4,
        reversed: true,
    },
    Machine {
        threads: 5,
        sequences: 16,
        reversed: false,
    },
    Machine {
        threads: 8,
        sequences: 3,
        reversed: true,
    },
];

impl Machine {
    /// Scores all pieces at once, with all models.
    fn score(&self, files: &[WeightsFile], pieces: &[Vec<u8>]) -> Vec<PieceScores> {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(self.threads);
        pool.build().unwrap().install(|| {
            let config = ScorerConfig {
                sequences_at_a_time: self.sequences,
                ..ScorerConfig::new(ModelConfig::SMALL, Device::Cpu)
            };
            let scorer = Scorer::new(config).unwrap();
            let mut models: Vec<&dyn ModelSource> = Vec::new();
            models.extend(files.iter().map(|file| file as &dyn ModelSource));
            if self.reversed {
                models.reverse();
            }
            let pieces = pieces.iter().map(|piece| scorer.tokenize(piece).unwrap());
            let pieces: Vec<_> = pieces.collect();
            let pieces: Vec<_> = pieces.iter().collect();
            scorer.score_many(&pieces, &models, 0).unwrap()
        })
    }
}

/// What the submitter claims.
fn claim(data: Vec<u8>, scores: &PieceScores, ids: &BTreeMap<ModelKey, ModelId>) -> Claim {
    let best = &scores.0[scores.winner().unwrap()];
    Claim {
        data,
        winner: ids[&best.key],
        loss: Loss::from_f64(best.evaluation.loss).unwrap(),
        embedding: best.embedding().unwrap(),
    }
}

/// Data of one sequence or two, never the same.
fn piece(number: usize) -> Vec<u8> {
    let size = 40 + number * 97 % 1_500;
    let words = ["fn ", "let ", "the ", "of ", "0x", "{}", "\n", "= "];
    let mut state = number as u32 + 1;
    let mut text = format!("{number}: ");
    while text.len() < size {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        text.push_str(words[state as usize >> 29]);
    }
    text.into_bytes()
}

#[tokio::test]
async fn two_hundred_honest_submissions_of_other_machines_are_never_reported() {
    let world = World::with(|config| config.audit.concurrency = 4).await;
    let assigned = world.open_targets().await.remove(0).models;
    let mut ids = BTreeMap::new();
    let mut files = Vec::new();
    for (place, factor) in FACTORS.into_iter().enumerate() {
        let path = world.folder.path().join(place.to_string());
        let content = weights_file(place as u64, factor);
        std::fs::write(&path, &content).unwrap();
        let file = WeightsFile::new(path).unwrap();
        let checksum = soma_crypto::checksum(&content);
        let is_its =
            |id: &&ModelId| world.model(id).weights.unwrap().plaintext_checksum == checksum;
        ids.insert(file.key(), *assigned.iter().find(is_its).unwrap());
        files.push(file);
    }
    let mut submitted: Vec<TargetId> = Vec::new();
    while submitted.len() < SUBMISSIONS {
        let machine = &MACHINES[submitted.len() / AT_A_TIME % MACHINES.len()];
        let first = submitted.len();
        let pieces: Vec<_> = (first..first + AT_A_TIME).map(piece).collect();
        let scores = machine.score(&files, &pieces);
        let targets: Vec<Target> = world.open_targets().await;
        let targets = targets
            .iter()
            .filter(|target| !submitted.contains(&target.id));
        let mut done = Vec::new();
        for ((data, scores), target) in pieces.into_iter().zip(&scores).zip(targets) {
            world.submit(3, target, &claim(data, scores, &ids)).await;
            done.push(target.id);
        }
        submitted.extend(done);
    }
    for target in &submitted {
        let audit = world.audit(target, |audit| audit.state == "done").await;
        assert_eq!(audit.verdict.as_deref(), Some("honest"), "{audit:?}");
    }
    assert_eq!(world.duties(), []);
    let page: Page<AuditView> = world.get("/v1/audits?verdict=fraud").await;
    assert!(page.items.is_empty(), "{:?}", page.items);
    world.finish().await;
}
