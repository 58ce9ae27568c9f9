//! Submitters: each has the held-out files of one domain, which no model saw in training.

use futures::future::try_join_all;
use soma_sdk::Account;
use soma_submitter::{Control, Limits, Submitter, SubmitterConfig, Uploads};

use super::Game;
use crate::domains::Domain;
use crate::error::DemoError;

/// What a submitter did.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tally {
    /// Files scored, over all rounds.
    pub(super) scored: u64,
}

impl Game<'_> {
    /// Lets all submitters look for data that hits, once over all of it, at the same time.
    pub(super) async fn submit(&self, tallies: &mut [Tally]) -> Result<(), DemoError> {
        let players = self.domains.iter().zip(&self.cast.submitters);
        let runs = players.map(|(domain, account)| self.submit_of(domain, account));
        let scored = try_join_all(runs).await?;
        for (tally, scored) in tallies.iter_mut().zip(scored) {
            tally.scored += scored;
        }
        Ok(())
    }

    async fn submit_of(&self, domain: &Domain, account: &Account) -> Result<u64, DemoError> {
        let step = || format!("submitter of {}", domain.name);
        let state = self.folder.join(format!("submitter-{}", domain.name));
        let uploads = Uploads::Store(self.store.clone());
        let mut config = SubmitterConfig::new(domain.held_out.clone(), state, uploads);
        config.seed = self.config.seed;
        config.limits = Limits {
            once: true,
            hits: Some(self.config.fills),
            ..Limits::default()
        };
        let submitter = Submitter::open(account.clone(), config, Control::default(), |_| {});
        let mut submitter = submitter.await.map_err(DemoError::step(step()))?;
        let report = submitter.run().await.map_err(DemoError::step(step()))?;
        Ok(report.stats.scanned)
    }
}
