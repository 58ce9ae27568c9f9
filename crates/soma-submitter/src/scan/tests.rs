//! Boards, books and scanners together.

use std::collections::BTreeMap;

use proptest::prelude::*;
use soma_api::WeightsSource;
use soma_targets::cosine_distance;
use soma_types::{Checksum, Distance, Embedding, Epoch, ModelId, Shannons, TargetId, WeightsKey};

use super::scanner::Outcome;
use super::*;
use crate::candidates::Piece;

fn weights(n: u8) -> WeightsSource {
    WeightsSource {
        url: String::new(),
        checksum: Checksum([n; 32]),
        size: 1,
        key: WeightsKey([n; 32]),
        plaintext_checksum: Some(Checksum([n; 32])),
    }
}

fn version(n: u8) -> ModelVersion {
    ModelVersion {
        model: ModelId([n; 32]),
        weights: Checksum([n; 32]),
    }
}

fn target(n: u8, models: &[u8], direction: [f32; 2], threshold: u32) -> OpenTarget {
    OpenTarget {
        id: TargetId([n; 32]),
        epoch: Epoch(1),
        models: models.iter().map(|n| ModelId([*n; 32])).collect(),
        embedding: Embedding::from_f32(&direction).unwrap(),
        threshold: Distance(threshold),
        reward: Shannons(10),
    }
}

fn board(targets: Vec<OpenTarget>, active: &[u8]) -> Board {
    Board {
        epoch: Epoch(1),
        targets: targets.into_iter().map(|t| (t.id, t)).collect(),
        models: active
            .iter()
            .map(|n| (ModelId([*n; 32]), weights(*n)))
            .collect(),
    }
}

fn piece(n: u8) -> Piece {
    Piece {
        path: format!("{n}").into(),
        relative: format!("{n}").into(),
        offset: 0,
        size: 1,
        is_whole: true,
    }
}

fn score(loss: f64, direction: [f32; 2]) -> Score {
    Score {
        loss: Some(loss),
        embedding: Some(direction.into()),
    }
}

#[test]
fn targets_with_the_same_active_models_are_one_group() {
    let board = board(
        vec![
            target(1, &[1, 2, 3], [1.0, 0.0], 0),
            target(2, &[3, 2, 1], [1.0, 0.0], 0),
            target(3, &[2, 1, 9], [1.0, 0.0], 0),
            target(4, &[9], [1.0, 0.0], 0),
            target(5, &[1], [1.0, 0.0], 0),
            target(6, &[1, 9], [1.0, 0.0], 0),
            target(7, &[1], [1.0, 0.0], 0),
        ],
        // Model 9 ended: the audit leaves it out, and target 4 cannot be won.
        &[1, 2, 3],
    );
    let groups = board.groups();
    let shape: Vec<(Vec<u8>, Vec<u8>)> = groups
        .iter()
        .map(|group| {
            let models = group.models.iter().map(|m| m.model.0[0]).collect();
            (models, group.targets.iter().map(|id| id.0[0]).collect())
        })
        .collect();
    let expected = [
        (vec![1], vec![5, 6, 7]),
        (vec![1, 2, 3], vec![1, 2]),
        (vec![1, 2], vec![3]),
    ];
    assert_eq!(shape, expected);
    assert_eq!(board.all_versions().len(), 3);
}

#[test]
fn a_target_waits_until_all_its_models_scored_and_the_lowest_loss_decides() {
    let mut scanner = Scanner::new(1 << 20);
    let near = 1 << 20;
    scanner.set_board(board(vec![target(1, &[1, 2], [1.0, 0.0], near)], &[1, 2]));
    let data = Checksum([7; 32]);
    // Model 1 sees it at the target, model 2 predicts it better and sees it elsewhere.
    let first = vec![(version(1), score(2.0, [1.0, 0.0]))];
    assert_eq!(
        scanner.add_scores(data, &piece(7), first),
        Outcome::default()
    );
    let second = vec![(version(2), score(1.0, [0.0, 1.0]))];
    let outcome = scanner.add_scores(data, &piece(7), second);
    assert!(outcome.hits.is_empty());
    assert_eq!(outcome.nearest.unwrap().distance, Distance(1 << 30));
    // Where model 2 ended, model 1 wins.
    let found = scanner.set_board(board(vec![target(1, &[1, 2], [1.0, 0.0], near)], &[1]));
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].model, found[0].loss), (ModelId([1; 32]), 2.0));
}

#[test]
fn a_winner_without_a_direction_wins_and_hits_nothing() {
    let mut scanner = Scanner::new(1 << 20);
    let anywhere = 1 << 31;
    scanner.set_board(board(
        vec![target(1, &[1, 2], [1.0, 0.0], anywhere)],
        &[1, 2],
    ));
    let lost = Score {
        loss: Some(0.5),
        embedding: None,
    };
    let scores = vec![(version(1), score(2.0, [1.0, 0.0])), (version(2), lost)];
    let outcome = scanner.add_scores(Checksum([7; 32]), &piece(7), scores);
    assert_eq!(outcome, Outcome::default());
}

/// What a straightforward search finds: candidate and target of each hit.
fn all_hits(board: &Board, scores: &BTreeMap<u8, BTreeMap<u8, (f64, [f32; 2])>>) -> Vec<(u8, u8)> {
    let mut hits = Vec::new();
    for target in board.targets.values() {
        for (candidate, by_model) in scores {
            let models = target
                .models
                .iter()
                .filter(|m| board.models.contains_key(m));
            let of_models: Option<Vec<_>> = models.map(|m| by_model.get(&m.0[0])).collect();
            let Some(of_models) = of_models else { continue };
            let best = of_models.iter().min_by(|a, b| a.0.total_cmp(&b.0));
            let Some((_, direction)) = best else { continue };
            let place = Embedding::from_f32(direction).unwrap();
            if cosine_distance(&place, &target.embedding).unwrap() <= target.threshold {
                hits.push((*candidate, target.id.0[0]));
            }
        }
    }
    hits.sort_unstable();
    hits
}

fn direction(angle: u8) -> [f32; 2] {
    let angle = f32::from(angle) * 0.1;
    [angle.cos(), angle.sin()]
}

proptest! {
    /// Boards and scores come in any order; in the end every pair is judged.
    #[test]
    fn every_candidate_is_checked_against_every_target_that_its_models_decide_over(
        targets in prop::collection::vec((prop::collection::vec(0u8..4, 1..4), 0u8..63), 1..6),
        scores in prop::collection::vec((0u8..4, 0u8..4, 0u8..63), 0..16),
        steps in prop::collection::vec(any::<bool>(), 30),
        active in prop::collection::btree_set(0u8..4, 0..5),
    ) {
        let all: Vec<OpenTarget> = targets
            .iter()
            .enumerate()
            .map(|(n, (models, angle))| target(n as u8, models, direction(*angle), 1 << 29))
            .collect();
        let active: Vec<u8> = active.into_iter().collect();
        let mut scanner = Scanner::new(1 << 24);
        scanner.set_board(board(Vec::new(), &active));
        let (mut shown, mut given) = (0, 0);
        let mut expected: BTreeMap<u8, BTreeMap<u8, (f64, [f32; 2])>> = BTreeMap::new();
        for is_board in steps.into_iter().chain([true; 6]).chain([false; 16]) {
            if is_board && shown < all.len() {
                shown += 1;
                scanner.set_board(board(all[..shown].to_vec(), &active));
            } else if !is_board && given < scores.len() {
                let (candidate, model, angle) = scores[given];
                // Losses differ, so that the winner is one.
                let loss = 1.0 + f64::from(given as u32);
                given += 1;
                let by_model = expected.entry(candidate).or_default();
                if by_model.contains_key(&model) {
                    continue;
                }
                by_model.insert(model, (loss, direction(angle)));
                let scores = vec![(version(model), score(loss, direction(angle)))];
                scanner.add_scores(Checksum([candidate; 32]), &piece(candidate), scores);
            }
        }
        let mut hits: Vec<(u8, u8)> = scanner
            .hits()
            .map(|hit| (hit.checksum.0[0], hit.target.0[0]))
            .collect();
        hits.sort_unstable();
        prop_assert_eq!(hits, all_hits(&board(all, &active), &expected));
    }
}
