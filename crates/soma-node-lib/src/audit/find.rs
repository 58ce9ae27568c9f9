//! What there is to audit: from the state at the start, from each block after that.
//!
//! Nothing is remembered of how far this came: the state holds all that is still to be audited, so
//! a node that was away finds what it missed. All functions block the thread.

use std::fmt::Display;
use std::sync::Arc;

use soma_chain::{ChainError, CommittedBlock, Reader, TargetFilter, TargetQuery};
use soma_types::time::Height;
use soma_types::{Address, Event, ModelId, TargetId, TransactionKind};
use thiserror::Error;

use super::facts;
use super::job::{Decision, Job, Subject};
use super::journal::{Journal, JournalError};
use super::sample::Sample;
use crate::application::{Application, wall_clock_ms};
use crate::blobs::Blobs;
use crate::store::NodeStore;

/// Targets and models read at a time: the chain waits for a reader.
const CHUNK: usize = 256;

/// Why nothing can be found.
#[derive(Debug, Error)]
pub(super) enum FindError {
    #[error(transparent)]
    Chain(#[from] ChainError),
    #[error(transparent)]
    Journal(#[from] JournalError),
}

/// Something to do.
#[derive(Debug)]
pub(super) enum News {
    /// An audit that is not over. It may be known: an earlier try may have kept it and failed
    /// before anybody heard of it.
    Open(Box<Job>),
    /// An audit that is asked for again.
    Again(u64),
}

/// Looks for what is to be audited.
pub(super) struct Finder {
    pub(super) application: Arc<Application>,
    pub(super) journal: Arc<Journal>,
    pub(super) blobs: Blobs,
    pub(super) sample: Sample,
    pub(super) validator: Address,
}

impl Finder {
    /// All that is to be audited now, and the height of which this is so at least.
    pub(super) fn scan(&self) -> Result<(Vec<News>, Height), FindError> {
        let height = self.application.now().height();
        let mut news = Vec::new();
        let filter = TargetFilter {
            status: Some(TargetQuery::Filled),
            ..TargetFilter::default()
        };
        let mut after = None;
        loop {
            let reader = self.application.chain().reader();
            let page = reader.targets(&filter, after.as_ref(), CHUNK)?;
            for target in &page.targets {
                news.extend(readable(self.fill(&reader, &target.id), &target.id)?);
            }
            drop(reader);
            match page.next {
                Some(next) => after = Some(next),
                None => break,
            }
        }
        let mut after = None;
        loop {
            let reader = self.application.chain().reader();
            let models = reader.models(after, CHUNK)?;
            for model in &models {
                news.extend(readable(self.model(&reader, &model.id), &model.id)?);
            }
            match models.last() {
                Some(last) => after = Some(last.id),
                None => break,
            }
        }
        self.journal.flush()?;
        Ok((news, height))
    }

    /// What is to be audited because of the blocks after `seen` up to `newest`; none when one of
    /// them was dropped already, so that only a scan helps.
    pub(super) fn follow(
        &self,
        seen: Height,
        newest: Height,
    ) -> Result<Option<Vec<News>>, FindError> {
        let mut news = Vec::new();
        for height in seen.saturating_add(1)..=newest {
            let Some(block) = self.application.block(height)? else {
                return Ok(None);
            };
            let (targets, models) = self.named_in(&block);
            if targets.is_empty() && models.is_empty() {
                continue;
            }
            let reader = self.application.chain().reader();
            for target in &targets {
                news.extend(readable(self.fill(&reader, target), target)?);
            }
            for model in &models {
                news.extend(readable(self.model(&reader, model), model)?);
            }
        }
        Ok(Some(news))
    }

    /// Targets that were filled, challenged or reported by this validator, and models that were
    /// revealed or reported by it.
    fn named_in(&self, block: &CommittedBlock) -> (Vec<TargetId>, Vec<ModelId>) {
        let (mut targets, mut models) = (Vec::new(), Vec::new());
        for event in &block.events {
            match event {
                Event::TargetFilled { target, .. } | Event::SubmissionChallenged { target } => {
                    targets.push(*target);
                }
                Event::ModelRevealed { model } => models.push(*model),
                _ => {}
            }
        }
        // Also reports that were not sent by this node: they are the validator's word all the same.
        let own = |sender: &Address| *sender == self.validator;
        for signed in block.block.transactions.iter() {
            match &signed.transaction.kind {
                _ if !own(&signed.transaction.sender) => {}
                TransactionKind::ReportSubmission { target, .. } => targets.push(*target),
                TransactionKind::ReportModel { model, .. } => models.push(*model),
                _ => {}
            }
        }
        (targets, models)
    }

    fn fill(
        &self,
        reader: &Reader<'_, NodeStore>,
        target: &TargetId,
    ) -> Result<Option<News>, FindError> {
        let Some(facts) = facts::of_fill(reader, target, &self.validator)? else {
            return Ok(None);
        };
        if !facts.is_audited || !facts.is_member {
            return Ok(None);
        }
        let subject = Subject::Fill { target: *target };
        let Some(job) = self.journal.of_subject(&subject)? else {
            let wanted = facts.is_challenged || facts.report.is_some() || self.sample.has(target);
            if !wanted {
                return Ok(None);
            }
            let (job, _) = self
                .journal
                .add(subject, facts.fill.epoch, wall_clock_ms())?;
            return Ok(news_of(job, false));
        };
        let (epoch, checksum) = (facts.fill.epoch, facts.fill.data.checksum);
        self.blobs.hold_kept(*target, epoch, &checksum);
        let pinned = facts.fill.pinned_weights.iter();
        for weights in pinned.filter_map(|pinned| pinned.weights.as_ref()) {
            self.blobs.hold_kept_weights(epoch, &weights.checksum);
        }
        let report = facts.report.map(Decision::Submission);
        let again = is_contradicted(&job, report) || facts.is_challenged && !job.challenged;
        Ok(news_of(job, again))
    }

    fn model(
        &self,
        reader: &Reader<'_, NodeStore>,
        model: &ModelId,
    ) -> Result<Option<News>, FindError> {
        let Some(facts) = facts::of_model(reader, model, &self.validator)? else {
            return Ok(None);
        };
        let Some(weights) = facts
            .weights
            .filter(|_| facts.is_audited && facts.is_member)
        else {
            return Ok(None);
        };
        let subject = Subject::Weights {
            model: *model,
            weights: Box::new(weights),
        };
        let epoch = reader.system().epoch;
        let (job, _) = self.journal.add(subject, epoch, wall_clock_ms())?;
        let again = is_contradicted(&job, facts.report.map(Decision::Model));
        Ok(news_of(job, again))
    }
}

/// What was found; nothing where the audit of `subject` cannot be read, which keeps no other from
/// being found.
fn readable(
    found: Result<Option<News>, FindError>,
    subject: &impl Display,
) -> Result<Option<News>, FindError> {
    match found {
        Err(FindError::Journal(error @ JournalError::Unreadable { .. })) => {
            tracing::warn!(%subject, %error, "an audit is left out");
            Ok(None)
        }
        found => found,
    }
}

fn news_of(job: Job, again: bool) -> Option<News> {
    match again {
        true => Some(News::Again(job.id)),
        false => (!job.phase.is_over()).then(|| News::Open(Box::new(job))),
    }
}

/// True when the chain holds a report by this validator that its finished audit does not support.
fn is_contradicted(job: &Job, report: Option<Decision>) -> bool {
    let found = job.decision.map(Decision::name);
    let supported = |report: Decision| found == Some(report.name());
    job.phase.is_over() && report.is_some_and(|report| !supported(report))
}

#[cfg(test)]
mod tests {
    use soma_tests::world::{Setup, World};

    use super::*;
    use crate::audit::Audit;
    use crate::audit::job::Phase;
    use crate::blobs::BlobsConfig;

    #[tokio::test]
    async fn what_a_lost_try_kept_is_given_again_until_it_is_over() {
        let world = World::with(Setup::default().models(2));
        let application = Application::at_genesis(&world.genesis);
        let validator = world.validators[0];
        let journal = Audit::open_journal(None, application.chain().chain_id());
        let finder = Finder {
            application,
            journal: Arc::new(journal.unwrap()),
            blobs: Blobs::open(&BlobsConfig::default(), None).unwrap(),
            sample: Sample::new(&world.keys[&validator], 10_000),
            validator,
        };
        let open = || -> Vec<Job> {
            let job = |news: News| match news {
                News::Open(job) => *job,
                News::Again(id) => panic!("audit {id} is not over"),
            };
            finder.scan().unwrap().0.into_iter().map(job).collect()
        };
        let mut lost = open();
        assert_eq!(lost.len(), 2);
        assert_eq!(open(), lost);
        let mut done = lost.remove(0);
        done.phase = Phase::Done;
        done.decision = Some(Decision::Honest);
        finder.journal.save(&done).unwrap();
        assert_eq!(open(), lost);
    }
}
