//! Scoring candidates over HTTP: each with each model once, several candidates a request.

mod answer;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use soma_api::{Base64, BatchScoreRequest, DataSource, WeightsSource};
use soma_types::Checksum;

use crate::backoff::Backoff;
use crate::candidates::Piece;
use crate::control::Mode;
use crate::error::SubmitterError;
use crate::events::SubmitterEvent;
use crate::scan::{Group, ModelVersion, Near, Scanner, Score};
use crate::submission::{Worker, lock};
use answer::{Answers, is_about_models, named, read};

/// Some candidates to be scored with some groups of models.
pub(crate) struct Job {
    pub(crate) pieces: Vec<Piece>,
    pub(crate) groups: Vec<Group>,
    pub(crate) weights: BTreeMap<ModelVersion, WeightsSource>,
}

/// What came of a job.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct JobReport {
    /// True when some models could not be loaded: their targets were not looked at.
    pub(crate) is_partial: bool,
}

/// A candidate whose data is in memory.
struct Loaded {
    piece: Piece,
    checksum: Checksum,
    bytes: Vec<u8>,
    /// False once it is known that it cannot be scored.
    is_usable: bool,
    has_hit: bool,
    nearest: Option<Near>,
}

impl Job {
    /// Scores all, tells the hits as they are found, and how many missed.
    pub(crate) async fn run(
        self,
        worker: Arc<Worker>,
        scanner: Arc<Mutex<Scanner>>,
    ) -> Result<JobReport, SubmitterError> {
        let candidates = self.pieces.len() as u64;
        let mut loaded = self.load(&worker, &scanner).await?;
        let skipped = candidates - loaded.len() as u64;
        let mut is_partial = false;
        for group in &self.groups {
            if worker.control.mode() > Mode::Run {
                break;
            }
            is_partial |= !self.score(group, &mut loaded, &worker, &scanner).await?;
        }
        let usable: Vec<&Loaded> = loaded.iter().filter(|l| l.is_usable).collect();
        let misses = usable.iter().filter(|candidate| !candidate.has_hit);
        if !usable.is_empty() {
            worker.tell(&SubmitterEvent::Scanned {
                candidates: usable.len() as u64,
                misses: misses.clone().count() as u64,
                nearest: misses
                    .filter_map(|miss| miss.nearest)
                    .min_by_key(Near::excess),
            });
        }
        let unusable = (loaded.len() - usable.len()) as u64;
        let skipped = skipped.saturating_sub(unusable);
        if skipped > 0 {
            worker.tell(&SubmitterEvent::Skipped {
                candidates: skipped,
            });
        }
        Ok(JobReport { is_partial })
    }

    /// Reads the candidates; leaves out those that are spent, and those that all models scored.
    async fn load(
        &self,
        worker: &Arc<Worker>,
        scanner: &Arc<Mutex<Scanner>>,
    ) -> Result<Vec<Loaded>, SubmitterError> {
        let pieces = self.pieces.clone();
        let read = tokio::task::spawn_blocking(move || {
            let read = pieces.into_iter().map(|piece| {
                let bytes = piece.read();
                (
                    piece,
                    bytes.map(|bytes| (soma_crypto::checksum(&bytes), bytes)),
                )
            });
            read.collect::<Vec<_>>()
        });
        let read = read
            .await
            .map_err(|error| SubmitterError::Settings(format!("reading files stopped: {error}")))?;
        let all: Vec<ModelVersion> = self.weights.keys().copied().collect();
        let mut loaded: Vec<Loaded> = Vec::new();
        for (piece, bytes) in read {
            let (checksum, bytes) = match bytes {
                Ok(read) => read,
                Err(error) => {
                    unusable(worker, &piece.path, error.to_string());
                    continue;
                }
            };
            let scanner = lock(scanner);
            let is_known = scanner.book().missing(&checksum, &all).is_empty();
            let is_spent = worker.is_spent(&checksum, scanner.board().epoch);
            let is_twice = loaded.iter().any(|other| other.checksum == checksum);
            if !(is_known || is_spent || is_twice) {
                loaded.push(Loaded {
                    piece,
                    checksum,
                    bytes,
                    is_usable: true,
                    has_hit: false,
                    nearest: None,
                });
            }
        }
        Ok(loaded)
    }

    /// Scores candidates with those models of a group that did not score them yet. False when the
    /// models cannot be loaded.
    async fn score(
        &self,
        group: &Group,
        loaded: &mut [Loaded],
        worker: &Arc<Worker>,
        scanner: &Arc<Mutex<Scanner>>,
    ) -> Result<bool, SubmitterError> {
        let mut by_models: BTreeMap<Vec<ModelVersion>, Vec<usize>> = BTreeMap::new();
        for (place, candidate) in loaded.iter().enumerate() {
            let missing = lock(scanner)
                .book()
                .missing(&candidate.checksum, &group.models);
            if candidate.is_usable && !missing.is_empty() {
                by_models.entry(missing).or_default().push(place);
            }
        }
        for (models, places) in by_models {
            let Some(answers) = self.ask(&models, &places, loaded, worker).await? else {
                return Ok(false);
            };
            for (place, answer) in places.into_iter().zip(answers) {
                let candidate = &mut loaded[place];
                match answer {
                    Ok(scores) => found(candidate, scores, worker, scanner),
                    Err(reason) => {
                        candidate.is_usable = false;
                        unusable(worker, &candidate.piece.path, reason);
                    }
                }
            }
        }
        Ok(true)
    }

    /// Asks the scorer until it answers; `None` when the models cannot be loaded.
    async fn ask(
        &self,
        models: &[ModelVersion],
        places: &[usize],
        loaded: &[Loaded],
        worker: &Arc<Worker>,
    ) -> Result<Option<Answers>, SubmitterError> {
        let data = places.iter().map(|place| DataSource::Inline {
            bytes: Base64(loaded[*place].bytes.clone()),
        });
        let weights = models.iter().filter_map(|model| self.weights.get(model));
        let request = BatchScoreRequest {
            data: data.collect(),
            models: weights.cloned().collect(),
            target_embedding: None,
            seed: 0,
        };
        let checksums: Vec<Checksum> = places.iter().map(|p| loaded[*p].checksum).collect();
        let mut backoff = Backoff::with_patience(worker.patience);
        loop {
            let error = match worker.client().score_batch(&request).await {
                Ok(answer) => return read(answer.results, models, &checksums).map(Some),
                Err(error) => error,
            };
            if is_about_models(&error) {
                let at_fault = named(&error, models);
                tracing::warn!(error = at_fault, "models cannot be loaded");
                *lock(&worker.unreadable_models) = Some(at_fault.clone());
                worker.tell(&SubmitterEvent::UnreadableModels { error: at_fault });
                return Ok(None);
            }
            if !error.is_retryable() {
                return Err(error.into());
            }
            let (error, pause) = backoff.after(SubmitterError::from(error))?;
            worker.retrying("scoring", &error, pause);
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = worker.control.reached(Mode::Stop) => return Ok(None),
            }
        }
    }
}

fn unusable(worker: &Worker, path: &std::path::Path, reason: String) {
    let path = PathBuf::from(path);
    worker.tell(&SubmitterEvent::Unusable { path, reason });
}

/// Takes the scores of a candidate, and tells the hits.
fn found(
    candidate: &mut Loaded,
    scores: Vec<(ModelVersion, Score)>,
    worker: &Worker,
    scanner: &Mutex<Scanner>,
) {
    let outcome = {
        let mut scanner = lock(scanner);
        scanner.add_scores(candidate.checksum, &candidate.piece, scores)
    };
    candidate.has_hit |= !outcome.hits.is_empty();
    let nearest = [candidate.nearest, outcome.nearest].into_iter().flatten();
    candidate.nearest = nearest.min_by_key(Near::excess);
    worker.hits(scanner, &outcome.hits);
}
