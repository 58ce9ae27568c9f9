//! The one thread that computes. Jobs that wait share the device: pieces of several jobs go
//! through a model together, so that many small requests are as quick as one large one.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use soma_model::TokenizedData;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::metrics::ScorerMetrics;
use super::room::Taken;
use crate::error::{LoadError, ScoringError};
use crate::scorer::Scorer;
use crate::scores::{ModelScore, PieceScores};
use crate::source::{ModelKey, ModelSource};

/// What a job gives: the scores of each of its pieces.
pub(super) type JobResult = Result<Vec<PieceScores>, ScoringError>;

/// Pieces to score with models.
pub(super) struct Job {
    /// Shared with who sent it, to be sent again.
    pub(super) pieces: Arc<Vec<TokenizedData>>,
    pub(super) models: Vec<Arc<dyn ModelSource>>,
    pub(super) seed: u64,
    pub(super) reply: oneshot::Sender<JobResult>,
    /// The memory of its data and scores.
    pub(super) taken: Arc<Taken>,
}

/// How the service ends.
#[derive(Clone, Default)]
pub(super) struct Stop {
    /// Nothing new is begun; what runs goes on.
    pub(super) begun: CancellationToken,
    /// What still runs is given up.
    pub(super) over: CancellationToken,
}

impl Job {
    fn sequences(&self) -> usize {
        self.pieces.iter().map(TokenizedData::sequences).sum()
    }
}

/// The way to the thread, which ends when this is dropped and no job waits.
pub(super) struct Worker {
    jobs: Sender<Job>,
}

impl Worker {
    /// Starts the thread. It takes jobs of up to `max_sequences` sequences together.
    pub(super) fn start(
        scorer: Arc<Scorer>,
        metrics: Arc<ScorerMetrics>,
        max_sequences: usize,
        stop: Stop,
    ) -> std::io::Result<Self> {
        let (sender, receiver) = channel();
        let builder = std::thread::Builder::new().name("scorer".to_owned());
        let work = Work {
            scorer,
            metrics,
            stop,
        };
        builder.spawn(move || work.all(&receiver, max_sequences))?;
        Ok(Self { jobs: sender })
    }

    /// Lets `job` wait for its turn.
    pub(super) fn send(&self, job: Job) -> Result<(), ScoringError> {
        self.jobs.send(job).map_err(|_| ScoringError::Stopping)
    }
}

/// What the thread works with.
struct Work {
    scorer: Arc<Scorer>,
    metrics: Arc<ScorerMetrics>,
    stop: Stop,
}

impl Work {
    fn all(&self, jobs: &Receiver<Job>, max_sequences: usize) {
        let mut waiting: VecDeque<Job> = VecDeque::new();
        loop {
            if waiting.is_empty() {
                match jobs.recv() {
                    Ok(job) => waiting.push_back(job),
                    Err(_) => return,
                }
            }
            waiting.extend(jobs.try_iter());
            // Nobody waits for these any more.
            waiting.retain(|job| !job.reply.is_closed());
            if self.stop.begun.is_cancelled() {
                for job in waiting.drain(..) {
                    let _ = job.reply.send(Err(ScoringError::Stopping));
                }
            }
            let group = next_group(&mut waiting, max_sequences);
            if !group.is_empty() {
                self.run(group);
            }
        }
    }
}

/// The first job, and those behind it that share a model and the seed with it.
fn next_group(waiting: &mut VecDeque<Job>, max_sequences: usize) -> Vec<Job> {
    let Some(first) = waiting.pop_front() else {
        return Vec::new();
    };
    let seed = first.seed;
    let keys: Vec<ModelKey> = first.models.iter().map(|model| model.key()).collect();
    let mut sequences = first.sequences();
    let mut group = vec![first];
    let mut others = VecDeque::new();
    for job in waiting.drain(..) {
        let shares = job.models.iter().any(|model| keys.contains(&model.key()));
        if shares && job.seed == seed && sequences + job.sequences() <= max_sequences {
            sequences += job.sequences();
            group.push(job);
        } else {
            others.push_back(job);
        }
    }
    *waiting = others;
    group
}

impl Work {
    /// Runs every model once over all pieces of the group that want it.
    fn run(&self, group: Vec<Job>) {
        let begin = std::time::Instant::now();
        // Who wants a model: (job, place of the model in it).
        let mut wanted: BTreeMap<ModelKey, Vec<(usize, usize)>> = BTreeMap::new();
        for (at, job) in group.iter().enumerate() {
            for (place, model) in job.models.iter().enumerate() {
                wanted.entry(model.key()).or_default().push((at, place));
            }
        }
        let mut results: Vec<_> = group.iter().map(nothing_yet).collect();
        for (key, users) in wanted {
            let users: Vec<_> = users
                .into_iter()
                .filter(|(at, _)| results[*at].is_ok() && !group[*at].reply.is_closed())
                .collect();
            let Some((first, place)) = users.first().copied() else {
                continue;
            };
            let pieces: Vec<&TokenizedData> = users
                .iter()
                .flat_map(|(at, _)| group[*at].pieces.iter())
                .collect();
            let source = group[first].models[place].as_ref();
            // One turn may take hours: it ends when nobody waits any more.
            let mut go_on = |sequences: usize| {
                self.metrics.sequences.inc_by(sequences as u64);
                let awaited = users.iter().any(|(at, _)| !group[*at].reply.is_closed());
                awaited && !self.stop.over.is_cancelled()
            };
            let seed = group[first].seed;
            let evaluated = self
                .scorer
                .evaluate_while(source, &pieces, seed, &mut go_on);
            match evaluated {
                Ok(evaluations) => {
                    let mut evaluations = evaluations.into_iter();
                    for (at, place) in users {
                        let Ok(scores) = &mut results[at] else {
                            continue;
                        };
                        for (scores, evaluation) in scores.iter_mut().zip(evaluations.by_ref()) {
                            scores.push((place, ModelScore { key, evaluation }));
                        }
                    }
                }
                Err(LoadError::NotWanted) => {
                    for (at, _) in users {
                        results[at] = Err(ScoringError::Stopping);
                    }
                }
                Err(error) => {
                    for (at, model) in users {
                        let error = error.clone();
                        results[at] = Err(ScoringError::Model { model, error });
                    }
                }
            }
        }
        let pieces: usize = group.iter().map(|job| job.pieces.len()).sum();
        self.metrics.pieces.inc_by(pieces as u64);
        let seconds = begin.elapsed().as_secs_f64();
        self.metrics.work_seconds.observe(seconds);
        for (job, result) in group.into_iter().zip(results) {
            let Job {
                reply,
                pieces,
                taken,
                ..
            } = job;
            // Whoever has an answer finds its memory free.
            drop((pieces, taken));
            // The client may have gone.
            let _ = reply.send(result.map(in_order));
        }
    }
}

/// Scores of each piece with the place of the model, in the order in which they were made.
type Unordered = Vec<Vec<(usize, ModelScore)>>;

fn nothing_yet(job: &Job) -> Result<Unordered, ScoringError> {
    Ok(job.pieces.iter().map(|_| Vec::new()).collect())
}

/// Back into the order of each request.
fn in_order(pieces: Unordered) -> Vec<PieceScores> {
    let sorted = |mut scores: Vec<(usize, ModelScore)>| {
        scores.sort_by_key(|(place, _)| *place);
        PieceScores(scores.into_iter().map(|(_, score)| score).collect())
    };
    pieces.into_iter().map(sorted).collect()
}
