//! The audits of this node, kept so that a restart neither repeats nor forgets anything.
//!
//! ```text
//! c                       chain id: audits of another chain are thrown away
//! j ‖ number              an audit, as JSON
//! o ‖ number              an audit that is not over
//! t ‖ target              number of its audit
//! w ‖ model ‖ weights     number of its audit
//! ```
//! All functions block the thread.

use std::sync::{Mutex, MutexGuard, PoisonError};

use soma_chain::StoreError;
use soma_chain::store::{Batch, Store};
use soma_types::{ChainId, Checksum, Epoch, ModelId, TargetId, TimestampMs, WeightsManifest};
use thiserror::Error;

use super::job::{Job, Subject};
use crate::store::NodeStore;

const CHAIN: &[u8] = b"c";
const JOBS: &[u8] = b"j";
const OPEN: &[u8] = b"o";

/// Rows looked at for one page.
const SCANNED_PER_PAGE: usize = 4_096;
/// Rows read or removed at a time.
const CHUNK: usize = 256;

/// Why an audit cannot be read or kept.
#[derive(Debug, Error)]
pub(super) enum JournalError {
    #[error(transparent)]
    Store(#[from] StoreError),
    /// No later try can read it, but all others can be.
    #[error(
        "audit {id} is of another version or damaged ({error}); to begin all audits anew, remove the folder `audit` of the data while the node is stopped"
    )]
    Unreadable { id: u64, error: serde_json::Error },
}

impl From<JournalError> for StoreError {
    fn from(error: JournalError) -> Self {
        match error {
            JournalError::Store(error) => error,
            unreadable @ JournalError::Unreadable { .. } => Self::new(unreadable),
        }
    }
}

/// Which audits to list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// Only that of this target's submission.
    pub target: Option<TargetId>,
    /// Only those of this model's weights.
    pub model: Option<ModelId>,
    /// Only those with this verdict: `honest`, `fraud` or `void`.
    pub verdict: Option<&'static str>,
}

/// The audits of this node.
pub struct Journal {
    store: NodeStore,
    /// The next number. Held while an audit is added, so that none is added twice.
    next: Mutex<u64>,
}

impl Journal {
    /// The audits of chain `chain` in `store`.
    ///
    /// # Errors
    /// When the store fails, as for all functions here.
    pub fn open(store: NodeStore, chain: ChainId) -> Result<Self, StoreError> {
        if store.get(CHAIN)?.as_deref() != Some(&chain.0[..]) {
            clear(&store)?;
            let mut batch = Batch::default();
            batch.put(CHAIN.to_vec(), chain.0.to_vec());
            store.apply(batch)?;
            store.flush()?;
        }
        let last = store.scan_back(JOBS, None, 1)?;
        let next = last.first().map_or(1, |(key, _)| number(key) + 1);
        Ok(Self {
            store,
            next: Mutex::new(next),
        })
    }

    /// Adds an audit; when there is one of the same subject, that one.
    pub(super) fn add(
        &self,
        subject: Subject,
        epoch: Epoch,
        now_ms: TimestampMs,
    ) -> Result<(Job, bool), JournalError> {
        let mut next = self.lock();
        if let Some(job) = self.of_subject(&subject)? {
            return Ok((job, false));
        }
        let place = place_of(&subject);
        let job = Job::new(*next, subject, epoch, now_ms);
        let mut batch = Batch::default();
        batch.put(place, job.id.to_be_bytes().to_vec());
        self.write(&mut batch, &job)?;
        self.store.apply(batch)?;
        // Nothing was found out yet: after a crash it would be found again.
        *next += 1;
        Ok((job, true))
    }

    /// Keeps what became of an audit. It is on disk when this returns.
    pub(super) fn save(&self, job: &Job) -> Result<(), StoreError> {
        let mut batch = Batch::default();
        self.write(&mut batch, job)?;
        self.store.apply(batch)?;
        self.store.flush()
    }

    fn write(&self, batch: &mut Batch, job: &Job) -> Result<(), StoreError> {
        let value = serde_json::to_vec(job).map_err(StoreError::new)?;
        batch.put(key(JOBS, job.id), value);
        match job.phase.is_over() {
            true => batch.remove(key(OPEN, job.id)),
            false => batch.put(key(OPEN, job.id), Vec::new()),
        }
        Ok(())
    }

    /// An audit by its number.
    pub fn get(&self, id: u64) -> Result<Option<Job>, StoreError> {
        Ok(self.find(id)?)
    }

    fn find(&self, id: u64) -> Result<Option<Job>, JournalError> {
        let found = self.store.get(&key(JOBS, id))?;
        found.map(|bytes| read(id, &bytes)).transpose()
    }

    /// The audit of the submission on `target`.
    pub fn of_target(&self, target: &TargetId) -> Result<Option<Job>, StoreError> {
        Ok(self.of_subject(&Subject::Fill { target: *target })?)
    }

    pub(super) fn of_subject(&self, subject: &Subject) -> Result<Option<Job>, JournalError> {
        match self.store.get(&place_of(subject))? {
            Some(id) => self.find(number(&id)),
            None => Ok(None),
        }
    }

    /// The newest audit of weights of `model`.
    pub fn of_model(&self, model: &ModelId) -> Result<Option<Job>, StoreError> {
        let rows = self.store.scan(&model_places(model), None, usize::MAX)?;
        match rows.iter().map(|(_, value)| number(value)).max() {
            Some(id) => self.get(id),
            None => Ok(None),
        }
    }

    /// All audits that are not over and can be read.
    pub(super) fn open_jobs(&self) -> Result<Vec<Job>, StoreError> {
        let rows = self.store.scan(OPEN, None, usize::MAX)?;
        let mut jobs = Vec::with_capacity(rows.len());
        for (row, _) in rows {
            match self.find(number(&row)) {
                Ok(job) => jobs.extend(job),
                Err(JournalError::Store(error)) => return Err(error),
                Err(error) => tracing::warn!(%error, "an audit is left out"),
            }
        }
        Ok(jobs)
    }

    /// Audits that pass `filter`, newest first, with numbers below `before`; and where to go on,
    /// when there may be more.
    pub fn page(
        &self,
        filter: &AuditFilter,
        before: Option<u64>,
        limit: usize,
    ) -> Result<(Vec<Job>, Option<u64>), StoreError> {
        if let Some(target) = &filter.target {
            let job = self
                .of_target(target)?
                .filter(|job| passes(job, filter) && before.is_none_or(|before| job.id < before));
            return Ok((job.into_iter().collect(), None));
        }
        let (mut jobs, mut at, mut scanned) = (Vec::new(), before, 0);
        loop {
            let from = at.map(|at| key(JOBS, at));
            let rows = self.store.scan_back(JOBS, from.as_deref(), CHUNK)?;
            if rows.is_empty() {
                return Ok((jobs, None));
            }
            for (row, value) in rows {
                scanned += 1;
                let id = number(&row);
                at = Some(id);
                let job = read(id, &value)?;
                if passes(&job, filter) {
                    jobs.push(job);
                }
                if jobs.len() >= limit || scanned >= SCANNED_PER_PAGE {
                    return Ok((jobs, at));
                }
            }
        }
    }

    /// Removes audits that are over and are of epochs before `oldest`.
    pub(super) fn prune(&self, oldest: Epoch) -> Result<usize, StoreError> {
        let (mut removed, mut after) = (0, None);
        loop {
            let rows = self.store.scan(JOBS, after.as_deref(), CHUNK)?;
            let mut batch = Batch::default();
            for (row, value) in &rows {
                let job = read(number(row), value)?;
                // Numbers follow time: what comes after is not older.
                if job.epoch >= oldest {
                    self.store.apply(batch)?;
                    return Ok(removed);
                }
                if job.phase.is_over() {
                    batch.remove(row.clone());
                    batch.remove(place_of(&job.subject));
                    removed += 1;
                }
            }
            let Some((last, _)) = rows.last() else {
                return Ok(removed);
            };
            after = Some(last.clone());
            self.store.apply(batch)?;
        }
    }

    pub(super) fn flush(&self) -> Result<(), JournalError> {
        Ok(self.store.flush()?)
    }

    fn lock(&self) -> MutexGuard<'_, u64> {
        self.next.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
impl Journal {
    pub(super) fn damage(&self, id: u64) {
        let mut batch = Batch::default();
        batch.put(key(JOBS, id), b"?".to_vec());
        self.store.apply(batch).unwrap();
    }
}

fn clear(store: &NodeStore) -> Result<(), StoreError> {
    loop {
        let rows = store.scan(&[], None, CHUNK)?;
        if rows.is_empty() {
            return Ok(());
        }
        let mut batch = Batch::default();
        rows.into_iter().for_each(|(key, _)| batch.remove(key));
        store.apply(batch)?;
    }
}

fn passes(job: &Job, filter: &AuditFilter) -> bool {
    let model = match &job.subject {
        Subject::Weights { model, .. } => Some(*model),
        Subject::Fill { .. } => None,
    };
    let verdict = job.decision.map(super::job::Decision::name);
    filter.model.is_none_or(|wanted| model == Some(wanted))
        && filter.verdict.is_none_or(|wanted| verdict == Some(wanted))
}

fn read(id: u64, bytes: &[u8]) -> Result<Job, JournalError> {
    serde_json::from_slice(bytes).map_err(|error| JournalError::Unreadable { id, error })
}

fn key(prefix: &[u8], id: u64) -> Vec<u8> {
    [prefix, &id.to_be_bytes()].concat()
}

/// The number at the end of a key or in a value.
fn number(bytes: &[u8]) -> u64 {
    let last = bytes.last_chunk().copied().unwrap_or_default();
    u64::from_be_bytes(last)
}

fn place_of(subject: &Subject) -> Vec<u8> {
    match subject {
        Subject::Fill { target } => [b"t", &target.0[..]].concat(),
        Subject::Weights { model, weights } => {
            [&model_places(model)[..], &name_of(weights).0[..]].concat()
        }
    }
}

fn model_places(model: &ModelId) -> Vec<u8> {
    [b"w", &model.0[..]].concat()
}

/// Names revealed weights: the same file at another address is another one to audit.
fn name_of(weights: &WeightsManifest) -> Checksum {
    let url = soma_crypto::checksum(weights.url.to_string());
    let parts = [
        url.0,
        weights.checksum.0,
        weights.key.0,
        weights.plaintext_checksum.0,
    ];
    soma_crypto::checksum(parts.concat())
}

#[cfg(test)]
mod tests {
    use soma_chain::{MemoryStore, SledStore};
    use soma_types::WeightsKey;

    use super::*;
    use crate::audit::job::{Decision, Phase};

    const CHAIN_ID: ChainId = ChainId([1; 32]);

    fn memory() -> Journal {
        Journal::open(NodeStore::Memory(MemoryStore::new()), CHAIN_ID).unwrap()
    }

    fn fill(byte: u8) -> Subject {
        Subject::Fill {
            target: TargetId([byte; 32]),
        }
    }

    fn weights(model: u8, file: u8) -> Subject {
        Subject::Weights {
            model: ModelId([model; 32]),
            weights: Box::new(WeightsManifest {
                url: soma_types::Url::new("https://a.example/w").unwrap(),
                checksum: Checksum([file; 32]),
                size: 7,
                key: WeightsKey([file; 32]),
                plaintext_checksum: Checksum([file; 32]),
            }),
        }
    }

    fn add(journal: &Journal, subject: Subject, epoch: u64) -> Job {
        journal.add(subject, Epoch(epoch), 5).unwrap().0
    }

    #[test]
    fn a_subject_has_one_audit() {
        let journal = memory();
        let first = add(&journal, fill(1), 3);
        let (again, is_new) = journal.add(fill(1), Epoch(4), 9).unwrap();
        assert_eq!((again, is_new), (first.clone(), false));
        assert_eq!(add(&journal, weights(1, 1), 3).id, 2);
        assert_eq!(add(&journal, weights(1, 2), 3).id, 3);
        assert_eq!(journal.of_target(&TargetId([1; 32])).unwrap(), Some(first));
        assert_eq!(journal.of_model(&ModelId([1; 32])).unwrap().unwrap().id, 3);
        assert_eq!(journal.of_model(&ModelId([2; 32])).unwrap(), None);
    }

    #[test]
    fn a_restart_finds_what_was_not_over_and_another_chain_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let open = |chain| {
            let store = SledStore::open(folder.path(), 1 << 20).unwrap();
            Journal::open(NodeStore::Disk(store), chain).unwrap()
        };
        let journal = open(CHAIN_ID);
        add(&journal, fill(1), 3);
        let mut second = add(&journal, fill(2), 3);
        second.phase = Phase::Done;
        second.decision = Some(Decision::Honest);
        journal.save(&second).unwrap();
        drop(journal);
        let journal = open(CHAIN_ID);
        let open_jobs = journal.open_jobs().unwrap();
        assert_eq!(open_jobs.len(), 1);
        assert_eq!(open_jobs[0].id, 1);
        assert_eq!(journal.get(2).unwrap(), Some(second));
        assert_eq!(add(&journal, fill(3), 3).id, 3);
        drop(journal);
        let other = open(ChainId([2; 32]));
        assert!(other.open_jobs().unwrap().is_empty());
        assert_eq!(other.get(2).unwrap(), None);
    }

    #[test]
    fn pages_reach_every_audit_once_newest_first() {
        let journal = memory();
        for byte in 0..10 {
            let mut job = add(&journal, fill(byte), 3);
            if byte % 2 == 0 {
                job.decision = Some(Decision::Honest);
                journal.save(&job).unwrap();
            }
        }
        add(&journal, weights(9, 9), 3);
        let walk = |filter: AuditFilter| {
            let (mut seen, mut before) = (Vec::new(), None);
            loop {
                let (jobs, next) = journal.page(&filter, before, 3).unwrap();
                seen.extend(jobs.iter().map(|job| job.id));
                match next {
                    Some(next) => before = Some(next),
                    None => return seen,
                }
            }
        };
        let all: Vec<u64> = (1..=11).rev().collect();
        assert_eq!(walk(AuditFilter::default()), all);
        let verdict = Some("honest");
        let honest = AuditFilter {
            verdict,
            ..Default::default()
        };
        assert_eq!(walk(honest), [9, 7, 5, 3, 1]);
        let target = Some(TargetId([4; 32]));
        let one = AuditFilter {
            target,
            ..Default::default()
        };
        assert_eq!(walk(one), [5]);
        let model = Some(ModelId([9; 32]));
        let one = AuditFilter {
            model,
            ..Default::default()
        };
        assert_eq!(walk(one), [11]);
    }

    #[test]
    fn old_audits_are_removed_when_they_are_over() {
        let journal = memory();
        for (byte, epoch) in [(1, 1), (2, 1), (3, 2)] {
            let mut job = add(&journal, fill(byte), epoch);
            if byte != 2 {
                job.phase = Phase::Done;
                journal.save(&job).unwrap();
            }
        }
        assert_eq!(journal.prune(Epoch(2)).unwrap(), 1);
        assert_eq!(journal.get(1).unwrap(), None);
        assert_eq!(journal.of_target(&TargetId([1; 32])).unwrap(), None);
        assert!(journal.get(2).unwrap().is_some());
        assert!(journal.get(3).unwrap().is_some());
    }
}
