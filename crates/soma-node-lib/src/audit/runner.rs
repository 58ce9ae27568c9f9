//! The audits of a node: begins those that are due, and follows the chain.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use soma_chain::StoreError;
use soma_types::time::Height;
use soma_types::{Epoch, TimestampMs};
use tokio::task::{Id, JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

use super::facts::Clock;
use super::find::{FindError, Finder, News};
use super::job::{Job, Phase};
use super::step::{Context, StepError};
use crate::application::wall_clock_ms;

/// Pause after the store or the chain could not be read.
const PAUSE: Duration = Duration::from_secs(1);

type Finished = (Job, Result<(), StepError>);

/// Audits that are not over, and those that are worked on.
pub(super) struct Runner {
    context: Arc<Context>,
    finder: Arc<Finder>,
    /// Not worked on at the moment.
    idle: HashMap<u64, Job>,
    /// When each of them is due.
    queue: BTreeSet<(TimestampMs, u64)>,
    tasks: JoinSet<Finished>,
    running: HashMap<Id, u64>,
    /// Worked on, and asked for again meanwhile.
    again: HashSet<u64>,
    /// The last block that was looked at.
    height: Height,
    epoch: Epoch,
}

impl Runner {
    pub(super) fn new(context: Arc<Context>, finder: Finder) -> Self {
        Self {
            epoch: context.application.now().system.epoch,
            context,
            finder: Arc::new(finder),
            idle: HashMap::new(),
            queue: BTreeSet::new(),
            tasks: JoinSet::new(),
            running: HashMap::new(),
            again: HashSet::new(),
            height: 0,
        }
    }

    /// Audits until `stop`.
    pub(super) async fn run(mut self, stop: CancellationToken) {
        tokio::select! {
            () = stop.cancelled() => {}
            () = self.work() => {}
        }
        self.tasks.shutdown().await;
        self.context.blobs.stop_keeping().await;
        self.context.blocking.finish().await;
        tracing::info!(open = self.idle.len() + self.running.len(), "audit stopped");
    }

    async fn work(&mut self) {
        let mut blocks = self.context.application.watch();
        while let Err(error) = self.begin().await {
            tracing::error!(%error, "the audit cannot begin; it tries again");
            tokio::time::sleep(PAUSE).await;
        }
        loop {
            self.start_due();
            self.measure();
            let can_start = self.tasks.len() < self.context.config.concurrency.max(1);
            let due = self.queue.first().filter(|_| can_start);
            let rest = due.map(|(due, _)| due.saturating_sub(wall_clock_ms()));
            tokio::select! {
                changed = blocks.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    self.follow().await;
                }
                Some(ended) = self.tasks.join_next_with_id() => self.ended(ended).await,
                () = tokio::time::sleep(Duration::from_millis(rest.unwrap_or(0))),
                    if rest.is_some() => {}
            }
        }
    }

    /// Takes up what was not over, and finds what is new.
    async fn begin(&mut self) -> Result<(), StepError> {
        let journal = Arc::clone(&self.context.journal);
        let open = self.context.blocking.run(move || journal.open_jobs());
        for job in open.await?? {
            self.open(job);
        }
        self.scan().await
    }

    async fn scan(&mut self) -> Result<(), StepError> {
        let finder = Arc::clone(&self.finder);
        let found = self.context.blocking.run(move || finder.scan()).await?;
        let (news, height) = found.map_err(StepError::from)?;
        self.take(news).await?;
        self.height = height;
        Ok(())
    }

    /// Looks at the blocks since the last time.
    async fn follow(&mut self) {
        let now = self.context.application.now();
        let (finder, seen, newest) = (Arc::clone(&self.finder), self.height, now.height());
        let found = self
            .context
            .blocking
            .run(move || finder.follow(seen, newest))
            .await;
        let done = match found {
            Ok(Ok(Some(news))) => self.take(news).await.map(|()| self.height = newest),
            Ok(Ok(None)) => self.scan().await,
            Ok(Err(error)) => Err(error.into()),
            Err(stopped) => Err(stopped.into()),
        };
        if let Err(error) = done {
            // The next block brings the next try.
            tracing::error!(%error, "the audit cannot follow the chain");
        }
        if now.system.epoch != self.epoch {
            self.epoch = now.system.epoch;
            self.on_epoch().await;
        }
    }

    /// Takes up all that can be, also after an error; the first one is given back.
    async fn take(&mut self, news: Vec<News>) -> Result<(), StepError> {
        let mut taken = Ok(());
        for news in news {
            match news {
                News::Open(job) => self.open(*job),
                News::Again(id) => taken = taken.and(self.again(id).await),
            }
        }
        taken
    }

    /// Takes up an audit, unless that was done before.
    fn open(&mut self, job: Job) {
        if !self.is_running(job.id) && !self.idle.contains_key(&job.id) {
            self.rest(job);
        }
    }

    fn is_running(&self, id: u64) -> bool {
        self.running.values().any(|running| *running == id)
    }

    /// An audit is to be done once more.
    async fn again(&mut self, id: u64) -> Result<(), StepError> {
        if self.is_running(id) {
            self.again.insert(id);
            return Ok(());
        }
        let kept = match self.wake(id) {
            Some(job) => Some(job),
            None => {
                let journal = Arc::clone(&self.context.journal);
                self.context.blocking.run(move || journal.get(id)).await??
            }
        };
        match kept {
            Some(job) => self.check_again(job).await,
            None => Ok(()),
        }
    }

    async fn check_again(&mut self, mut job: Job) -> Result<(), StepError> {
        job.check_again(wall_clock_ms());
        let saved = self.context.save(&job).await;
        // Also when it is not on disk: its next step is kept there with all before it.
        self.rest(job);
        saved
    }

    /// Reports may have to be repeated or checked again, windows may have ended.
    async fn on_epoch(&mut self) {
        let now_ms = wall_clock_ms();
        let over = |job: &Job| self.epoch >= job.epoch.plus(2);
        let due: Vec<u64> = self
            .idle
            .values()
            .filter(|job| job.phase == Phase::Watch || over(job))
            .map(|job| job.id)
            .collect();
        for id in due {
            if let Some(mut job) = self.wake(id) {
                job.due_ms = job.due_ms.min(now_ms);
                self.rest(job);
            }
        }
        self.context.blobs.release(self.epoch);
        let journal = Arc::clone(&self.context.journal);
        if let Some(oldest) = self.epoch.minus(self.context.config.keep_epochs) {
            let pruned = self
                .context
                .blocking
                .run(move || journal.prune(oldest))
                .await;
            if let Ok(Err(error)) = pruned {
                tracing::error!(%error, "old audits cannot be removed");
            }
        }
    }

    fn start_due(&mut self) {
        let now_ms = wall_clock_ms();
        while self.tasks.len() < self.context.config.concurrency.max(1)
            && let Some((due, id)) = self.queue.first().copied()
            && due <= now_ms
        {
            self.queue.remove(&(due, id));
            let Some(mut job) = self.idle.remove(&id) else {
                continue;
            };
            let context = Arc::clone(&self.context);
            let task = self.tasks.spawn(async move {
                let result = context.advance(&mut job).await;
                (job, result)
            });
            self.running.insert(task.id(), id);
        }
    }

    async fn ended(&mut self, ended: Result<(Id, Finished), JoinError>) {
        let (mut job, result) = match ended {
            Ok((task, finished)) => {
                self.running.remove(&task);
                finished
            }
            Err(error) => {
                let id = self.running.remove(&error.id());
                tracing::error!(%error, audit = id, "an audit panicked; it is taken up again");
                // What is on disk is as good as it was.
                if let Some(id) = id {
                    self.take_up(id).await;
                }
                return;
            }
        };
        if let Err(error) = result {
            tracing::error!(audit = job.id, %error, "an audit cannot go on; it tries again");
            job.due_ms = wall_clock_ms().saturating_add(PAUSE.as_millis() as u64);
        }
        if self.again.remove(&job.id) {
            let id = job.id;
            if let Err(error) = self.check_again(job).await {
                tracing::error!(audit = id, %error, "an audit cannot be done again");
            }
            return;
        }
        self.rest(job);
    }

    /// Goes on with an audit as it is on disk, after the longest pause: what panicked once may do so
    /// again.
    async fn take_up(&mut self, id: u64) {
        self.again.remove(&id);
        let journal = Arc::clone(&self.context.journal);
        match self.context.blocking.run(move || journal.get(id)).await {
            Ok(Ok(Some(mut job))) => {
                let epoch_ms = Clock::of(&self.context.application).epoch_ms;
                let pause = self.context.config.longest_pause(epoch_ms);
                job.due_ms = wall_clock_ms().saturating_add(pause);
                self.rest(job);
            }
            Ok(Ok(None)) => tracing::error!(audit = id, "an audit that panicked is not kept"),
            Ok(Err(error)) => tracing::error!(audit = id, %error, "an audit cannot be read"),
            Err(error) => tracing::error!(audit = id, %error, "an audit cannot be read"),
        }
    }

    /// Lets a job wait until it is due; one that is over is let go.
    fn rest(&mut self, job: Job) {
        if !job.phase.is_over() {
            self.queue.insert((job.due_ms, job.id));
            self.idle.insert(job.id, job);
        }
    }

    fn wake(&mut self, id: u64) -> Option<Job> {
        let job = self.idle.remove(&id)?;
        self.queue.remove(&(job.due_ms, id));
        Some(job)
    }

    fn measure(&self) {
        let signed = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        let metrics = &self.context.metrics;
        metrics
            .queue
            .set(signed(self.idle.len() + self.running.len()));
        let troubled = self.idle.values().filter(|job| job.trouble.is_some());
        metrics.troubled.set(signed(troubled.count()));
    }
}

impl From<FindError> for StepError {
    fn from(error: FindError) -> Self {
        match error {
            FindError::Chain(error) => error.into(),
            FindError::Journal(error) => StoreError::from(error).into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use soma_tests::world::{Setup, World};

    use super::*;
    use crate::application::Application;
    use crate::audit::{Audit, AuditConfig};
    use crate::blobs::{Blobs, BlobsConfig};

    #[tokio::test]
    async fn an_audit_that_cannot_be_read_keeps_no_other_from_being_taken_up() {
        let world = World::with(Setup::default().models(2));
        let application = Application::at_genesis(&world.genesis);
        let journal = Audit::open_journal(None, application.chain().chain_id()).unwrap();
        let blobs = Blobs::open(&BlobsConfig::default(), None).unwrap();
        let key = world.keys[&world.validators[0]].clone();
        let audit = Audit::new(application, journal, blobs, key, AuditConfig::default());
        let mut runner = audit.unwrap().runner;
        runner.begin().await.unwrap();
        assert_eq!((runner.idle.len(), runner.queue.len()), (2, 2));
        let (damaged, job) = (1, runner.wake(2).unwrap());
        runner.wake(damaged).unwrap();
        runner.context.journal.damage(damaged);

        runner.scan().await.unwrap();
        assert_eq!(runner.wake(job.id).as_ref(), Some(&job));
        assert!(runner.idle.is_empty());
        runner.begin().await.unwrap();
        assert_eq!(runner.wake(job.id).as_ref(), Some(&job));
        assert!(runner.idle.is_empty());

        let due = Job { due_ms: 0, ..job };
        let open = || News::Open(Box::new(due.clone()));
        let news = vec![News::Again(damaged), open(), open()];
        runner.take(news).await.unwrap_err();
        assert_eq!((runner.idle.len(), runner.queue.len()), (1, 1));

        runner.take(vec![News::Again(due.id)]).await.unwrap();
        assert_eq!((runner.idle.len(), runner.queue.len()), (1, 1));
        assert!(runner.idle[&due.id].due_ms > 0);
    }
}
