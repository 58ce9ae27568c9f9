//! Board and book together: every scored candidate is checked against every open target once.

use std::collections::BTreeMap;

use soma_types::{Checksum, TargetId};

use super::board::{Board, OpenTarget};
use super::book::{Book, Score};
use super::judge::{Hit, Judged, Near, judge};
use crate::candidates::Piece;
use soma_sdk::ModelVersion;

/// What is known of targets and candidates, and which of them fit.
#[derive(Debug)]
pub struct Scanner {
    board: Board,
    book: Book,
    /// Hits of open targets.
    hits: BTreeMap<TargetId, Vec<Hit>>,
}

/// What came of one candidate against the open targets.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outcome {
    /// The targets that it would fill.
    pub hits: Vec<Hit>,
    /// The target that it came nearest to filling.
    pub nearest: Option<Near>,
}

impl Outcome {
    fn add(&mut self, judged: Judged) {
        match judged {
            Judged::Hit(hit) => self.hits.push(hit),
            Judged::TooFar(near) => {
                let is_nearer = self
                    .nearest
                    .is_none_or(|best| near.excess() < best.excess());
                if is_nearer {
                    self.nearest = Some(near);
                }
            }
            Judged::NoWinner | Judged::NotScored => {}
        }
    }
}

impl Scanner {
    /// Nothing is known yet; scores take at most about `max_bytes` of memory.
    pub fn new(max_bytes: usize) -> Self {
        Self {
            board: Board::default(),
            book: Book::new(max_bytes),
            hits: BTreeMap::new(),
        }
    }

    /// The open targets.
    pub fn board(&self) -> &Board {
        &self.board
    }

    /// The scores.
    pub fn book(&self) -> &Book {
        &self.book
    }

    /// Takes a newer view of the targets. What was scored before is checked against targets that
    /// are new, or whose models changed; gives the hits found so.
    pub fn set_board(&mut self, board: Board) -> Vec<Hit> {
        let before = std::mem::replace(&mut self.board, board);
        let mut found = Vec::new();
        let mut hits = std::mem::take(&mut self.hits);
        for target in self.board.targets.values() {
            let versions = self.board.versions(target);
            let known = before.targets.get(&target.id);
            let is_same = known.is_some_and(|known| before.versions(known) == versions);
            let of_target = match is_same {
                true => hits.remove(&target.id).unwrap_or_default(),
                false => {
                    let new = self.hits_of(target, &versions);
                    found.extend(new.iter().cloned());
                    new
                }
            };
            if !of_target.is_empty() {
                self.hits.insert(target.id, of_target);
            }
        }
        if before.epoch != self.board.epoch {
            let current = self.board.all_versions();
            self.book.keep_models(|version| current.contains(version));
        }
        found
    }

    fn hits_of(&self, target: &OpenTarget, versions: &[ModelVersion]) -> Vec<Hit> {
        let mut outcome = Outcome::default();
        for (checksum, candidate) in self.book.iter() {
            outcome.add(judge(*checksum, candidate, target, versions));
        }
        outcome.hits
    }

    /// Adds scores of a candidate and checks it against all open targets that they help to decide
    /// over. Gives the hits that are new.
    pub fn add_scores(
        &mut self,
        checksum: Checksum,
        piece: &Piece,
        scores: Vec<(ModelVersion, Score)>,
    ) -> Outcome {
        let new: Vec<ModelVersion> = scores.iter().map(|(version, _)| *version).collect();
        self.book.add(checksum, piece, scores);
        let mut outcome = Outcome::default();
        let Some(candidate) = self.book.get(&checksum) else {
            return outcome;
        };
        for target in self.board.targets.values() {
            let versions = self.board.versions(target);
            if versions.iter().any(|version| new.contains(version)) {
                outcome.add(judge(checksum, candidate, target, &versions));
            }
        }
        for hit in &outcome.hits {
            let hits = self.hits.entry(hit.target).or_default();
            hits.push(hit.clone());
        }
        outcome
    }

    /// All hits of open targets.
    pub fn hits(&self) -> impl Iterator<Item = &Hit> {
        self.hits.values().flatten()
    }

    /// Forgets a candidate's hits: it cannot be submitted any more.
    pub fn drop_candidate(&mut self, checksum: &Checksum) {
        for hits in self.hits.values_mut() {
            hits.retain(|hit| hit.checksum != *checksum);
        }
    }

    /// Forgets a target: it is not open any more.
    pub fn close(&mut self, target: &TargetId) {
        self.board.targets.remove(target);
        self.hits.remove(target);
    }
}
