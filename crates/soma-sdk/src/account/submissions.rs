//! Submitting data: seal, then open; claiming and challenging.

use std::collections::BTreeSet;

use rand_core::{OsRng, RngCore};
use serde::{Deserialize, Serialize};
use soma_api::{ModelView, ReceiptView};
use soma_chain::{SealedFields, submission_commitment};
use soma_types::target::SubmissionFault;
use soma_types::{
    Address, Checksum, Commitment, DataManifest, Loss, ModelId, Salt, Submission, TargetId,
    TransactionKind,
};

use super::{Account, raw_embedding, url};
use crate::client::Client;
use crate::error::SdkError;

/// Data to submit for a target.
#[derive(Clone, Debug)]
pub struct SubmitData<'a> {
    /// The target to fill.
    pub target: TargetId,
    /// Where validators download the data.
    pub url: &'a str,
    /// SHA3-256 of the data: [`soma_crypto::checksum`].
    pub checksum: Checksum,
    /// Size of the data in bytes.
    pub size: u64,
    /// The assigned model with the lowest loss.
    pub model: ModelId,
    /// The data's embedding by that model: any length but zero, normalised here.
    pub embedding: &'a [f32],
    /// That model's loss on the data, in nats.
    pub loss: f64,
    /// The weights that the data was scored with, as [`Client::model_versions`] gives them: the bond
    /// is not sent when the assigned models have others by then. None to send it in any case.
    pub scored_with: Option<&'a [ModelVersion]>,
}

/// A model with one set of weights: scores are of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelVersion {
    /// The model.
    pub model: ModelId,
    /// SHA3-256 of its opened weights.
    pub weights: Checksum,
}

impl Client {
    /// The weights that the active ones of `models` have now, by model.
    ///
    /// # Errors
    /// [`SdkError`] of the node.
    pub async fn model_versions(&self, models: &[ModelId]) -> Result<Vec<ModelVersion>, SdkError> {
        let mut versions = BTreeSet::new();
        for model in models {
            let view = self.model(model, false).await?;
            versions.extend(ModelVersion::of(&view));
        }
        Ok(versions.into_iter().collect())
    }
}

impl ModelVersion {
    /// The weights of a model that is active.
    pub fn of(view: &ModelView) -> Option<Self> {
        let weights = view.weights.as_ref().filter(|_| view.status == "active")?;
        Some(Self {
            model: view.id,
            weights: weights.plaintext_checksum,
        })
    }
}

/// A sealed submission: what is sent first, and what opens it.
#[derive(Clone, Debug)]
pub struct Sealed {
    /// What is sent first.
    pub commitment: Commitment,
    /// What is sent at least one block later. Keep it until then: its salt is random.
    pub submission: Submission,
}

impl SubmitData<'_> {
    /// Seals the submission for `submitter` under a fresh salt.
    ///
    /// # Errors
    /// [`SdkError::InvalidArgument`] for a bad URL, embedding or loss.
    pub fn seal(&self, submitter: &Address) -> Result<Sealed, SdkError> {
        let loss = Loss::from_f64(self.loss).ok_or_else(|| {
            let text = format!("loss {} is not a number from 0 to 2^20", self.loss);
            SdkError::InvalidArgument(text)
        })?;
        let mut salt = [0; 32];
        OsRng.fill_bytes(&mut salt);
        let submission = Submission {
            target: self.target,
            data: DataManifest {
                url: url(self.url)?,
                checksum: self.checksum,
                size: self.size,
            },
            model: self.model,
            embedding: raw_embedding(self.embedding)?,
            loss,
            salt: Salt(salt),
        };
        let commitment = submission_commitment(&SealedFields {
            submitter,
            target: &submission.target,
            checksum: &submission.data.checksum,
            model: &submission.model,
            embedding: &submission.embedding,
            loss: submission.loss,
            salt: &submission.salt,
        });
        Ok(Sealed {
            commitment,
            submission,
        })
    }
}

impl Account {
    /// Checks that the chain would take data with this checksum from this account: it does so once,
    /// and from its submitter for other targets in the same epoch.
    ///
    /// # Errors
    /// [`SdkError::DuplicateData`], or the node cannot be asked.
    pub async fn check_data_is_new(&self, checksum: Checksum) -> Result<(), SdkError> {
        let Some(known) = self.client().verified_data(checksum).await?.value else {
            return Ok(());
        };
        let is_own = known.submitter == self.address();
        if is_own && known.epoch == self.client().status().await?.epoch {
            return Ok(());
        }
        Err(SdkError::DuplicateData {
            submitter: known.submitter,
            epoch: known.epoch,
        })
    }

    /// Submits data for a target: seals it, waits for the block, and opens it in a later one.
    ///
    /// # Errors
    /// [`SdkError::InvalidArgument`]; [`SdkError::ModelsChanged`]; as [`Account::execute`].
    pub async fn submit_data(&self, data: &SubmitData<'_>) -> Result<ReceiptView, SdkError> {
        self.client().check_reach(data.url)?;
        let Sealed {
            commitment,
            submission,
        } = data.seal(&self.address())?;
        // Its receipt means that it is in a block, so what is sent now comes at least one later.
        self.commit_submission(commitment).await?;
        // From here on the chain refuses the opening when weights change.
        if let Some(scored_with) = data.scored_with {
            let target = self.client().target(&data.target, false).await?;
            if self.client().model_versions(&target.models).await? != scored_with {
                return Err(SdkError::ModelsChanged {
                    target: data.target,
                });
            }
        }
        self.open_submission(submission).await
    }

    /// Sends only the seal of a submission.
    ///
    /// # Errors
    /// As [`Account::execute`].
    pub async fn commit_submission(&self, commitment: Commitment) -> Result<ReceiptView, SdkError> {
        let kind = TransactionKind::CommitSubmission { commitment };
        self.execute(kind).await
    }

    /// Opens a submission that was sealed in an earlier block.
    ///
    /// # Errors
    /// As [`Account::execute`].
    pub async fn open_submission(&self, submission: Submission) -> Result<ReceiptView, SdkError> {
        let kind = TransactionKind::SubmitData(Box::new(submission));
        self.execute(kind).await
    }

    /// Pays out a filled target whose audit is over.
    ///
    /// # Errors
    /// As [`Account::execute`].
    pub async fn claim_rewards(&self, target: TargetId) -> Result<ReceiptView, SdkError> {
        self.execute(TransactionKind::ClaimRewards { target }).await
    }

    /// Asks every validator for a full audit of a submission, with a bond.
    ///
    /// # Errors
    /// As [`Account::execute`].
    pub async fn challenge_submission(&self, target: TargetId) -> Result<ReceiptView, SdkError> {
        let kind = TransactionKind::ChallengeSubmission { target };
        self.execute(kind).await
    }

    /// As a validator, reports what is wrong with a submission.
    ///
    /// # Errors
    /// As [`Account::execute`].
    pub async fn report_submission(
        &self,
        target: TargetId,
        reason: SubmissionFault,
    ) -> Result<ReceiptView, SdkError> {
        let kind = TransactionKind::ReportSubmission { target, reason };
        self.execute(kind).await
    }

    /// Takes a report of a submission back.
    ///
    /// # Errors
    /// As [`Account::execute`].
    pub async fn undo_report_submission(&self, target: TargetId) -> Result<ReceiptView, SdkError> {
        let kind = TransactionKind::UndoReportSubmission { target };
        self.execute(kind).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data(embedding: &[f32], loss: f64) -> SubmitData<'_> {
        SubmitData {
            target: TargetId([1; 32]),
            url: "http://127.0.0.1/data",
            checksum: Checksum([2; 32]),
            size: 10,
            model: ModelId([3; 32]),
            embedding,
            loss,
            scored_with: None,
        }
    }

    #[test]
    fn each_seal_has_a_salt_of_its_own() {
        let submitter = Address([4; 32]);
        let data = data(&[1.0, 2.0], 1.5);
        let (a, b) = (
            data.seal(&submitter).unwrap(),
            data.seal(&submitter).unwrap(),
        );
        assert_ne!(a.commitment, b.commitment);
        assert_eq!(a.submission.embedding, b.submission.embedding);
    }

    #[test]
    fn numbers_that_mean_nothing_are_refused_before_sending() {
        let submitter = Address([4; 32]);
        for (embedding, loss) in [
            (vec![0.0, 0.0], 1.0),
            (vec![f32::NAN], 1.0),
            (vec![], 1.0),
            (vec![1.0], -1.0),
            (vec![1.0], f64::NAN),
        ] {
            let result = data(&embedding, loss).seal(&submitter);
            assert!(matches!(result, Err(SdkError::InvalidArgument(_))));
        }
    }
}
