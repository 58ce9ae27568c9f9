//! Claiming what this account filled without this journal.

use std::collections::BTreeSet;
use std::sync::Arc;

use soma_sdk::TargetFilter;
use soma_sdk::pages::collect;
use soma_types::TargetId;

use super::work::{Done, Work};
use crate::backoff::Backoff;
use crate::control::Mode;
use crate::error::SubmitterError;
use crate::events::SubmitterEvent;
use crate::submission::{Worker, reward_of};

/// Tries in an epoch where something is refused and waiting may not mend it: each can cost a fee.
const TRIES: u32 = 3;

/// What failed, and why.
type Failed = (String, SubmitterError);

impl Work<'_> {
    /// Once an epoch: claims own targets that are claimable and not in the journal.
    pub(super) fn claim_others(&mut self) {
        if self.submitter.config.limits.dry_run {
            return;
        }
        if self.is_claiming {
            self.are_claims_due = true;
            return;
        }
        self.is_claiming = true;
        let known: BTreeSet<TargetId> = self.submitter.entries.keys().copied().collect();
        let worker = Arc::clone(&self.submitter.worker);
        self.tasks
            .spawn(async move { Ok(Done::Claims(claim_all(&worker, &known).await)) });
    }

    /// The next epoch tries again what failed in this one.
    pub(super) fn claims_done(&mut self, failed: Option<SubmitterError>) {
        if let Some(error) = &failed {
            tracing::warn!(%error, "rewards are not claimed");
        }
        self.is_claiming = false;
        self.unclaimed = failed;
        if std::mem::take(&mut self.are_claims_due) && self.mode() == Mode::Run {
            self.claim_others();
        }
    }
}

/// Claims all, and tries again what failed. Gives why when that does not help.
async fn claim_all(worker: &Worker, known: &BTreeSet<TargetId>) -> Option<SubmitterError> {
    let mut backoff = Backoff::with_patience(worker.patience);
    let mut refusals = 0;
    loop {
        let mut failed = claim(worker, known).await;
        if failed.is_empty() || worker.control.mode() > Mode::Run {
            return None;
        }
        refusals += u32::from(!failed.iter().any(|(_, error)| error.is_retryable()));
        let pause = match backoff.after(()) {
            Ok(((), pause)) if refusals < TRIES => pause,
            _ => return failed.pop().map(|(_, error)| error),
        };
        for (what, error) in &failed {
            worker.retrying(what, error, pause);
        }
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = worker.control.reached(Mode::Stop) => return None,
        }
    }
}

/// Claims what can be claimed now; a claim that fails is not in the way of the others.
async fn claim(worker: &Worker, known: &BTreeSet<TargetId>) -> Vec<Failed> {
    let filter = TargetFilter {
        status: Some("claimable".to_owned()),
        submitter: Some(worker.account.address()),
        ..TargetFilter::default()
    };
    let client = worker.client();
    let targets = collect(None, async |page| client.targets(&filter, &page).await).await;
    let targets = match targets {
        Ok(targets) => targets,
        Err(error) => return vec![("claiming rewards".to_owned(), error.into())],
    };
    let mut failed = Vec::new();
    for target in targets {
        let (false, Some(fill)) = (known.contains(&target.id), &target.fill) else {
            continue;
        };
        if worker.control.mode() > Mode::Run {
            break;
        }
        match worker.account.claim_rewards(target.id).await {
            Ok(receipt) => worker.tell(&SubmitterEvent::ClaimedOther {
                target: target.id,
                reward: reward_of(&receipt, fill.bond),
            }),
            // Somebody else claimed it meanwhile, which pays this account too.
            Err(error) if matches!(error.name(), "TargetAlreadyClaimed" | "TargetNotFilled") => {
                tracing::debug!(target = %target.id, %error, "claimed by somebody else");
            }
            Err(error) => {
                let what = format!("claiming the reward of {}", target.id);
                failed.push((what, error.into()));
            }
        }
    }
    failed
}
