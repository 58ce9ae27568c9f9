//! What models said of candidates: remembered, so that a target drawn later is checked against what
//! was scored before.

use std::collections::{BTreeMap, HashMap, VecDeque};

use soma_types::Checksum;

use crate::candidates::Piece;
use soma_sdk::ModelVersion;

/// What one model says of one candidate.
#[derive(Clone, Debug, PartialEq)]
pub struct Score {
    /// Its loss in nats; none when it is not finite.
    pub loss: Option<f64>,
    /// Where it sees the data; none when that is no direction.
    pub embedding: Option<Box<[f32]>>,
}

/// A candidate with its scores.
#[derive(Clone, Debug, PartialEq)]
pub struct Scored {
    /// Where the data is.
    pub piece: Piece,
    /// The scores.
    pub scores: BTreeMap<ModelVersion, Score>,
}

/// The scores of candidates by checksum of their data. Above its bound it forgets those that came
/// first.
#[derive(Clone, Debug)]
pub struct Book {
    entries: HashMap<Checksum, Scored>,
    order: VecDeque<Checksum>,
    bytes: usize,
    max_bytes: usize,
    forgotten: u64,
}

impl Book {
    /// An empty book that takes at most about `max_bytes` of memory.
    pub fn new(max_bytes: usize) -> Self {
        Self {
            entries: HashMap::new(),
            order: VecDeque::new(),
            bytes: 0,
            max_bytes,
            forgotten: 0,
        }
    }

    /// Adds scores of a candidate to those that are there.
    pub fn add(&mut self, checksum: Checksum, piece: &Piece, scores: Vec<(ModelVersion, Score)>) {
        if !self.entries.contains_key(&checksum) {
            self.order.push_back(checksum);
        }
        let entry = self.entries.entry(checksum).or_insert_with(|| Scored {
            piece: piece.clone(),
            scores: BTreeMap::new(),
        });
        for (version, score) in scores {
            self.bytes += weight(&score);
            if let Some(before) = entry.scores.insert(version, score) {
                self.bytes = self.bytes.saturating_sub(weight(&before));
            }
        }
        while self.bytes > self.max_bytes && self.order.len() > 1 {
            let oldest = self.order.pop_front();
            if let Some(gone) = oldest.and_then(|oldest| self.entries.remove(&oldest)) {
                let freed: usize = gone.scores.values().map(weight).sum();
                self.bytes = self.bytes.saturating_sub(freed);
                self.forgotten += 1;
            }
        }
    }

    /// The candidate with this checksum.
    pub fn get(&self, checksum: &Checksum) -> Option<&Scored> {
        self.entries.get(checksum)
    }

    /// Those of `models` that did not score a candidate yet.
    pub fn missing(&self, checksum: &Checksum, models: &[ModelVersion]) -> Vec<ModelVersion> {
        let scored = self.entries.get(checksum).map(|entry| &entry.scores);
        let is_missing = |version: &&ModelVersion| !scored.is_some_and(|s| s.contains_key(version));
        models.iter().filter(is_missing).copied().collect()
    }

    /// All candidates.
    pub fn iter(&self) -> impl Iterator<Item = (&Checksum, &Scored)> {
        let order = self.order.iter();
        order.filter_map(|checksum| self.entries.get_key_value(checksum))
    }

    /// How many candidates were forgotten.
    pub fn forgotten(&self) -> u64 {
        self.forgotten
    }

    /// Forgets scores of weights that are not in force any more.
    pub fn keep_models(&mut self, keep: impl Fn(&ModelVersion) -> bool) {
        for entry in self.entries.values_mut() {
            entry.scores.retain(|version, _| keep(version));
        }
        self.entries.retain(|_, entry| !entry.scores.is_empty());
        self.order
            .retain(|checksum| self.entries.contains_key(checksum));
        let scores = self
            .entries
            .values()
            .flat_map(|entry| entry.scores.values());
        self.bytes = scores.map(weight).sum();
    }
}

/// Memory of a score, about.
fn weight(score: &Score) -> usize {
    128 + score.embedding.as_ref().map_or(0, |e| size_of_val(&**e))
}

#[cfg(test)]
mod tests {
    use super::*;
    use soma_types::ModelId;

    fn version(n: u8) -> ModelVersion {
        ModelVersion {
            model: ModelId([n; 32]),
            weights: Checksum([n; 32]),
        }
    }

    fn score() -> Score {
        Score {
            loss: Some(1.0),
            embedding: Some(vec![1.0; 8].into()),
        }
    }

    fn piece() -> Piece {
        Piece {
            path: "a".into(),
            relative: "a".into(),
            offset: 0,
            size: 1,
            is_whole: true,
        }
    }

    #[test]
    fn only_models_that_did_not_score_yet_are_missing() {
        let mut book = Book::new(1 << 20);
        let data = Checksum([1; 32]);
        let all = [version(1), version(2)];
        assert_eq!(book.missing(&data, &all), all);
        book.add(data, &piece(), vec![(version(1), score())]);
        assert_eq!(book.missing(&data, &all), [version(2)]);
        book.keep_models(|version| version.model.0[0] == 2);
        assert_eq!(book.missing(&data, &all), all);
        assert_eq!(book.iter().count(), 0);
    }

    #[test]
    fn the_oldest_candidates_are_forgotten_when_memory_is_full() {
        let mut book = Book::new(5 * 160);
        for n in 0..20 {
            book.add(Checksum([n; 32]), &piece(), vec![(version(1), score())]);
        }
        let left: Vec<u8> = book.iter().map(|(checksum, _)| checksum.0[0]).collect();
        assert_eq!(left, [15, 16, 17, 18, 19]);
        assert_eq!(book.forgotten(), 15);
    }
}
