//! The steps of a submission.

use soma_api::{ErrorCode, ReceiptView, TargetView};
use soma_sdk::SubmitData;
use soma_types::{Shannons, TargetId, TransactionKind};

use super::worker::{Worker, lock};
use crate::error::SubmitterError;
use crate::events::SubmitterEvent;
use crate::journal::{Claimed, Entry, LostReason, Opened, Sealed, State};

/// An opening that would come in the last blocks before the commitment lapses may come too late.
const LAST_BLOCKS: u64 = 3;

/// What a step came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// The next can follow.
    Step,
    /// There is nothing to do now.
    Rest,
}

impl Worker {
    /// Does the next step of a submission.
    pub(super) async fn step(&self, entry: &mut Entry) -> Result<Next, SubmitterError> {
        match entry.state.clone() {
            State::Prepared { embedding } => self.upload(entry, &embedding).await,
            State::Uploaded { sealed } => self.commit(entry, sealed).await,
            State::Committed { sealed, height } => self.open(entry, *sealed, height).await,
            State::Opened { opened } => self.look(entry, opened).await,
            State::Claimable { opened } => self.claim(entry, opened).await,
            State::Claimed { .. } | State::Lost { .. } => Ok(Next::Rest),
        }
    }

    fn go_on(&self, entry: &mut Entry, state: State) -> Result<Next, SubmitterError> {
        self.enter(entry, state).map(|()| Next::Step)
    }

    fn lose(&self, entry: &mut Entry, reason: LostReason) -> Result<Next, SubmitterError> {
        self.go_on(entry, State::Lost { reason })
    }

    /// A target as it is now; `None` when the chain does not know it.
    async fn target(&self, id: &TargetId) -> Result<Option<TargetView>, SubmitterError> {
        match self.client().target(id, false).await {
            Ok(view) => Ok(Some(view)),
            Err(error) if error.api_code() == Some(ErrorCode::NotFound) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// What ended the race for a target; `None` while it is open.
    async fn end_of_race(&self, entry: &Entry) -> Result<Option<State>, SubmitterError> {
        let lost = |reason| Some(State::Lost { reason });
        let Some(view) = self.target(&entry.target).await? else {
            return Ok(lost(LostReason::Expired));
        };
        let Some(fill) = &view.fill else {
            return Ok(match view.status.as_str() {
                "open" => None,
                _ => lost(LostReason::Expired),
            });
        };
        let is_this = fill.submitter == entry.submitter && fill.data.checksum == entry.checksum;
        if !is_this {
            return Ok(lost(LostReason::Taken));
        }
        let opened = Opened {
            epoch: fill.epoch,
            height: fill.height,
            bond: fill.bond,
        };
        Ok(Some(State::Opened { opened }))
    }

    async fn upload(&self, entry: &mut Entry, embedding: &[f32]) -> Result<Next, SubmitterError> {
        if let Some(end) = self.end_of_race(entry).await? {
            return self.go_on(entry, end);
        }
        let known = lock(&self.urls).get(&entry.checksum).cloned();
        let url = match known {
            Some(url) => url,
            None => match self.put(entry).await? {
                Some(url) => url,
                None => return self.lose(entry, LostReason::SourceChanged),
            },
        };
        // It is the place that is wrong, and so for all data.
        let reached = self.client().check_reach(&url);
        reached.map_err(|error| SubmitterError::Settings(error.to_string()))?;
        let data = SubmitData {
            target: entry.target,
            url: &url,
            checksum: entry.checksum,
            size: entry.piece.size,
            model: entry.model,
            embedding,
            loss: entry.loss,
            // Looked at before the opening, which comes in a step of its own.
            scored_with: None,
        };
        let sealed = data.seal(&entry.submitter)?;
        let sealed = Box::new(Sealed {
            commitment: sealed.commitment,
            submission: sealed.submission,
            embedding: embedding.to_vec(),
        });
        self.go_on(entry, State::Uploaded { sealed })
    }

    /// Uploads the data; `None` when it is not what was scored any more.
    async fn put(&self, entry: &Entry) -> Result<Option<String>, SubmitterError> {
        let piece = entry.piece.clone();
        let bytes = tokio::task::spawn_blocking(move || piece.read()).await;
        let bytes = bytes.map_err(|error| SubmitterError::source(&entry.piece.path, error))??;
        if soma_crypto::checksum(&bytes) != entry.checksum {
            return Ok(None);
        }
        let url = self.uploads.put(&entry.piece, bytes).await?;
        lock(&self.urls).insert(entry.checksum, url.clone());
        Ok(Some(url))
    }

    async fn commit(&self, entry: &mut Entry, sealed: Box<Sealed>) -> Result<Next, SubmitterError> {
        if let Some(end) = self.end_of_race(entry).await? {
            return self.go_on(entry, end);
        }
        let commitment = sealed.commitment;
        let kind = TransactionKind::CommitSubmission { commitment };
        let height = self.execute(entry, kind).await?.height;
        self.go_on(entry, State::Committed { sealed, height })
    }

    async fn open(
        &self,
        entry: &mut Entry,
        sealed: Sealed,
        height: u64,
    ) -> Result<Next, SubmitterError> {
        // Whoever filled the target meanwhile, the bond is not sent after it.
        if let Some(end) = self.end_of_race(entry).await? {
            return self.go_on(entry, end);
        }
        if entry.transaction.is_none() && !self.are_models_the_same(entry).await? {
            return self.lose(entry, LostReason::ModelsChanged);
        }
        let last = height.saturating_add(self.parameters.submission_commitment_blocks);
        let now = self.client().status().await?.height;
        if entry.transaction.is_none() && now.saturating_add(LAST_BLOCKS) > last {
            self.unseal(entry)?;
            return Ok(Next::Step);
        }
        let kind = TransactionKind::SubmitData(Box::new(sealed.submission));
        let receipt = self.execute(entry, kind).await?;
        let opened = Opened {
            epoch: receipt.epoch,
            height: receipt.height,
            bond: bond_of(&receipt),
        };
        self.go_on(entry, State::Opened { opened })
    }

    /// True when the assigned models have the weights that the data was scored with: the audit
    /// judges by those in force at the opening.
    async fn are_models_the_same(&self, entry: &Entry) -> Result<bool, SubmitterError> {
        let Some(target) = self.target(&entry.target).await? else {
            return Ok(false);
        };
        let now = self.client().model_versions(&target.models).await?;
        Ok(now == entry.scored_with)
    }

    /// Seals again under a fresh salt: the chain does not take the opening of the old commitment.
    pub(super) fn unseal(&self, entry: &mut Entry) -> Result<(), SubmitterError> {
        let (State::Uploaded { sealed } | State::Committed { sealed, .. }) = &entry.state else {
            return Ok(());
        };
        let embedding = sealed.embedding.clone();
        let url = sealed.submission.data.url.to_string();
        lock(&self.urls).insert(entry.checksum, url);
        self.tell(&SubmitterEvent::Lapsed {
            target: entry.target,
        });
        self.enter(entry, State::Prepared { embedding })
    }

    /// Looks whether the audit is over.
    async fn look(&self, entry: &mut Entry, opened: Opened) -> Result<Next, SubmitterError> {
        if self.client().status().await?.epoch < opened.epoch.plus(2) {
            return Ok(Next::Rest);
        }
        let Some(view) = self.target(&entry.target).await? else {
            return self.lose(entry, LostReason::Forgotten);
        };
        match (view.status.as_str(), view.payout) {
            ("claimable", _) => self.go_on(entry, State::Claimable { opened }),
            // Anybody may claim; the submitter is paid all the same.
            ("claimed", Some(payout)) => {
                let reward = payout.submitter;
                let claimed = Claimed { reward };
                self.go_on(entry, State::Claimed { opened, claimed })
            }
            ("fraud", _) => self.lose(entry, LostReason::Fraud),
            ("void", _) => self.lose(entry, LostReason::Void),
            _ => Ok(Next::Rest),
        }
    }

    async fn claim(&self, entry: &mut Entry, opened: Opened) -> Result<Next, SubmitterError> {
        let target = entry.target;
        let kind = TransactionKind::ClaimRewards { target };
        let receipt = self.execute(entry, kind).await?;
        let reward = reward_of(&receipt, opened.bond);
        let claimed = Claimed { reward };
        self.go_on(entry, State::Claimed { opened, claimed })
    }
}

/// What a transaction took from its sender apart from the fee, negative when it gave.
fn spent_by_sender(receipt: &ReceiptView) -> i128 {
    let changes = receipt.balance_changes.iter();
    let own = changes.filter(|change| change.address == receipt.sender);
    let change: i128 = own.map(|change| i128::from(change.amount)).sum();
    -change - i128::from(receipt.fee.total.0)
}

fn bond_of(receipt: &ReceiptView) -> Shannons {
    Shannons(u64::try_from(spent_by_sender(receipt)).unwrap_or_default())
}

/// What a claim paid to the submitter who claims, without the bond that came back.
pub(crate) fn reward_of(receipt: &ReceiptView, bond: Shannons) -> Shannons {
    let got = u64::try_from(-spent_by_sender(receipt)).unwrap_or_default();
    Shannons(got).saturating_sub(bond)
}
