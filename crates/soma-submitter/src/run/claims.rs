//! Claiming what this account filled without this journal.

use std::collections::BTreeSet;
use std::sync::Arc;

use soma_sdk::TargetFilter;
use soma_sdk::pages::collect;
use soma_types::TargetId;

use super::work::{Done, Work};
use crate::error::SubmitterError;
use crate::events::SubmitterEvent;
use crate::submission::{Worker, reward_of};

impl Work<'_> {
    /// Once an epoch: claims own targets that are claimable and not in the journal.
    pub(super) fn claim_others(&mut self) {
        if self.submitter.config.limits.dry_run {
            return;
        }
        let known: BTreeSet<TargetId> = self.submitter.entries.keys().copied().collect();
        let worker = Arc::clone(&self.submitter.worker);
        self.tasks.spawn(async move {
            // The next epoch tries again what failed in this one.
            if let Err(error) = claim(&worker, &known).await {
                let pause = std::time::Duration::ZERO;
                worker.retrying("claiming rewards", &error, pause);
            }
            Ok(Done::Claims)
        });
    }
}

async fn claim(worker: &Worker, known: &BTreeSet<TargetId>) -> Result<(), SubmitterError> {
    let filter = TargetFilter {
        status: Some("claimable".to_owned()),
        submitter: Some(worker.account.address()),
        ..TargetFilter::default()
    };
    let client = worker.client();
    let targets = collect(None, async |page| client.targets(&filter, &page).await).await?;
    for target in targets {
        let (false, Some(fill)) = (known.contains(&target.id), &target.fill) else {
            continue;
        };
        let receipt = worker.account.claim_rewards(target.id).await?;
        worker.tell(&SubmitterEvent::ClaimedOther {
            target: target.id,
            reward: reward_of(&receipt, fill.bond),
        });
    }
    Ok(())
}
