//! What a model's owner keeps between commit and reveal.

use soma_chain::{SealedFields, submission_commitment};
use soma_crypto::commitments::{embedding_commitment, key_commitment, mask_checksum};
use soma_types::{
    Address, Checksum, DataManifest, Embedding, Loss, ModelCommit, ModelId, RawEmbedding, Salt,
    Submission, TargetId, TransactionKind, Url, WeightsKey,
};

/// Weights of a model before they are revealed.
#[derive(Clone, Debug)]
pub struct ModelSecrets {
    /// The model.
    pub model: ModelId,
    /// The key of the sealed weights.
    pub key: WeightsKey,
    /// Checksum of the opened weights.
    pub plaintext: Checksum,
    /// Where the model will stand.
    pub embedding: Embedding,
}

fn url() -> Url {
    Url::new("https://example.org/blob").expect("short")
}

impl ModelSecrets {
    /// Secrets that follow from `seed`.
    pub fn new(model: ModelId, seed: u8, embedding: Embedding) -> Self {
        let (key, plaintext) = (WeightsKey([seed; 32]), Checksum([seed; 32]));
        Self {
            model,
            key,
            plaintext,
            embedding,
        }
    }

    /// The commit.
    pub fn commit(&self) -> TransactionKind {
        TransactionKind::CommitModel {
            model: self.model,
            commit: Box::new(ModelCommit {
                url: url(),
                checksum: Checksum([self.key.0[0] ^ 0xff; 32]),
                size: 1_000,
                masked_plaintext_checksum: mask_checksum(&self.model, &self.key, &self.plaintext),
                key_commitment: key_commitment(&self.model, &self.key),
                embedding_commitment: embedding_commitment(&self.model, &self.embedding),
            }),
        }
    }

    /// The reveal.
    pub fn reveal(&self) -> TransactionKind {
        TransactionKind::RevealModel {
            model: self.model,
            key: self.key,
            embedding: RawEmbedding::from(&self.embedding),
        }
    }
}

/// A submission and its seal.
#[derive(Clone, Debug)]
pub struct Sealed {
    /// What will be opened.
    pub submission: Submission,
    /// Who will open it.
    pub submitter: Address,
}

impl Sealed {
    /// A submission of `size` bytes whose checksum and salt follow from `seed`.
    pub fn new(
        submitter: Address,
        target: TargetId,
        model: ModelId,
        embedding: &Embedding,
        seed: u8,
        size: u64,
    ) -> Self {
        let data = DataManifest {
            url: url(),
            checksum: Checksum([seed; 32]),
            size,
        };
        let submission = Submission {
            target,
            data,
            model,
            embedding: RawEmbedding::from(embedding),
            loss: Loss(1 << 30),
            salt: Salt([seed; 32]),
        };
        Self {
            submission,
            submitter,
        }
    }

    /// The seal.
    pub fn seal(&self) -> TransactionKind {
        let commitment = submission_commitment(&SealedFields {
            submitter: &self.submitter,
            target: &self.submission.target,
            checksum: &self.submission.data.checksum,
            model: &self.submission.model,
            embedding: &self.submission.embedding,
            loss: self.submission.loss,
            salt: &self.submission.salt,
        });
        TransactionKind::CommitSubmission { commitment }
    }

    /// The opening.
    pub fn open(&self) -> TransactionKind {
        TransactionKind::SubmitData(Box::new(self.submission.clone()))
    }
}
