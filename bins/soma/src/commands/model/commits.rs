//! What `soma model commit` keeps until the reveal: without key and embedding the weights cannot
//! be revealed. Each commit has a file of its own, written before its transaction is sent, so that
//! none takes the place of another whose outcome is not known. Only the chain's word ends one.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use soma_crypto::commitments::{embedding_commitment, key_commitment};
use soma_sdk::SdkError;
use soma_sdk::api::{Balance, ModelView, PendingRevealView};
use soma_sdk::types::{Address, ChainId, Embedding, Epoch, ModelId, SignedTransaction, WeightsKey};
use soma_sdk::workflows::publish::Publication;

use super::reveals::FOLDER;
use crate::context::Context;

/// A commit that is on the chain, or may come there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct KeptCommit {
    pub(super) chain_id: ChainId,
    pub(super) owner: Address,
    pub(super) model: ModelId,
    /// True once the chain was seen to have it.
    pub(super) is_executed: bool,
    /// The one epoch in which the reveal counts; a guess while it is not executed.
    pub(super) reveal_epoch: Epoch,
    /// The transaction's. Once the account's is higher, it was executed or never will be.
    pub(super) nonce: u64,
    /// The last block that may have the transaction.
    pub(super) expiry_height: u64,
    /// Secret until the reveal.
    pub(super) key: WeightsKey,
    pub(super) embedding: Vec<f32>,
}

/// What the chain says of a kept commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It waits for its reveal in this epoch.
    Pending(Epoch),
    /// Its transaction may still be executed.
    Open,
    /// Its weights are revealed.
    Revealed,
    /// Nothing waits for its reveal, or ever will.
    Over,
}

impl KeptCommit {
    /// The commit of a publication that was signed, and is not known to be executed.
    pub(super) fn of(publication: &Publication) -> Option<Self> {
        let signed = publication.committed.is_none() && publication.needs_reveal();
        let model = publication.model.filter(|_| signed)?;
        let bytes = publication.transaction.as_ref()?;
        let signed = bytes.decode::<SignedTransaction>("transaction").ok();
        let transaction = signed.as_ref().map(|signed| &signed.transaction);
        Some(Self {
            chain_id: publication.chain_id,
            owner: publication.owner,
            model,
            is_executed: false,
            reveal_epoch: Epoch(0).next(),
            // What cannot be read may be executed at any time.
            nonce: transaction.map_or(u64::MAX, |transaction| transaction.nonce),
            expiry_height: transaction.map_or(u64::MAX, |transaction| transaction.expiry_height),
            key: publication.key,
            embedding: publication.embedding.clone(),
        })
    }

    /// True where key and embedding are what a reveal must open.
    pub(super) fn opens(&self, pending: &PendingRevealView) -> bool {
        let embedding = Embedding::from_f32(&self.embedding);
        let commitment = embedding.map(|embedding| embedding_commitment(&self.model, &embedding));
        self.has_key_of(pending) && commitment == Ok(pending.embedding_commitment)
    }

    fn has_key_of(&self, pending: &PendingRevealView) -> bool {
        key_commitment(&self.model, &self.key) == pending.key_commitment
    }

    /// What the chain says of it. The owner's `balance` must not be of a later block than the
    /// model: a commit that comes between the two would be missed.
    pub(super) fn fate(&self, balance: &Balance, model: Option<&ModelView>) -> Fate {
        // Another owner may have committed to the same sealed weights.
        let own = model.filter(|model| model.owner == self.owner);
        let pending = own.and_then(|model| model.pending.as_ref());
        if let Some(pending) = pending.filter(|pending| self.has_key_of(pending)) {
            return Fate::Pending(pending.reveal_epoch);
        }
        if balance.nonce <= self.nonce && balance.height <= self.expiry_height {
            return Fate::Open;
        }
        let weights = own.and_then(|model| model.weights.as_ref());
        match weights.is_some_and(|weights| weights.key == self.key) {
            true => Fate::Revealed,
            false => Fate::Over,
        }
    }

    /// The file: one for each owner, key and embedding.
    fn path(&self, context: &Context) -> PathBuf {
        let mut content = Vec::from(self.owner.0);
        content.extend(self.key.0);
        content.extend(
            self.embedding
                .iter()
                .flat_map(|number| number.to_le_bytes()),
        );
        let name = soma_crypto::checksum(&content);
        folder(context).join(format!("{}-{name}.json", self.model))
    }
}

fn folder(context: &Context) -> PathBuf {
    context.dir.dir().join(FOLDER).join("commits")
}

fn read(path: &Path) -> Option<KeptCommit> {
    serde_json::from_slice(&std::fs::read(path).ok()?).ok()
}

/// Where commits lie that are over. A key is never deleted: a node that lags may be wrong.
fn past(context: &Context) -> PathBuf {
    folder(context).join("past")
}

fn read_all(folder: &Path) -> impl Iterator<Item = KeptCommit> + use<> {
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    let paths = entries.flatten().map(|entry| entry.path());
    let paths = paths.filter(|path| path.extension().is_some_and(|kind| kind == "json"));
    paths.filter_map(|path| read(&path))
}

/// All that are kept, but for those that are over.
pub(super) fn all(context: &Context) -> Vec<KeptCommit> {
    read_all(&folder(context)).collect()
}

/// All commits of a model, also those that are over.
pub(super) fn of_model(context: &Context, model: ModelId) -> Vec<KeptCommit> {
    let commits = read_all(&folder(context)).chain(read_all(&past(context)));
    commits.filter(|commit| commit.model == model).collect()
}

/// Keeps a commit. On disk when this returns, for its owner alone.
///
/// # Errors
/// The settings folder cannot be written.
pub(super) fn keep(context: &Context, commit: &KeptCommit) -> Result<(), SdkError> {
    let path = commit.path(context);
    let mut commit = commit.clone();
    // An earlier transaction with the same commit may still be under way.
    if let Some(earlier) = read(&path) {
        commit.is_executed |= earlier.is_executed;
        commit.nonce = commit.nonce.max(earlier.nonce);
        commit.expiry_height = commit.expiry_height.max(earlier.expiry_height);
    }
    let write = || {
        let folder = folder(context);
        std::fs::create_dir_all(&folder)?;
        // Such a file is for its owner alone from the beginning.
        let mut beside = tempfile::NamedTempFile::new_in(&folder)?;
        beside.write_all(&serde_json::to_vec_pretty(&commit)?)?;
        beside.as_file().sync_all()?;
        beside.persist(&path)?;
        // The new name must outlive a loss of power, too.
        if cfg!(unix) {
            std::fs::File::open(&folder)?.sync_all()?;
        }
        Ok(())
    };
    write().map_err(|error: std::io::Error| SdkError::File {
        path: path.clone(),
        reason: error.to_string(),
    })
}

/// Puts a commit that is over aside, unless it was kept anew since it was read.
pub(super) fn put_aside(context: &Context, commit: &KeptCommit) {
    let (path, past) = (commit.path(context), past(context));
    if read(&path).as_ref() == Some(commit)
        && let Some(name) = path.file_name()
        && std::fs::create_dir_all(&past).is_ok()
    {
        // What stays is no harm: it is asked for again.
        let _ = std::fs::rename(&path, past.join(name));
    }
}

#[cfg(test)]
mod tests {
    use soma_sdk::types::{Checksum, Commitment, Shannons};

    use super::*;

    const MODEL: ModelId = ModelId([3; 32]);

    fn commit(key: u8) -> KeptCommit {
        KeptCommit {
            chain_id: ChainId([1; 32]),
            owner: Address([2; 32]),
            model: MODEL,
            is_executed: false,
            reveal_epoch: Epoch(5),
            nonce: 7,
            expiry_height: 100,
            key: WeightsKey([key; 32]),
            embedding: vec![1.0, 2.0],
        }
    }

    fn balance(nonce: u64, height: u64) -> Balance {
        Balance {
            address: Address([2; 32]),
            balance: Shannons(1),
            nonce,
            next_nonce: nonce,
            height,
        }
    }

    fn model(pending: Option<&KeptCommit>) -> ModelView {
        let pending = pending.map(|commit| PendingRevealView {
            url: "http://a/b".to_owned(),
            checksum: Checksum([4; 32]),
            size: 1,
            masked_plaintext_checksum: Commitment([5; 32]),
            key_commitment: key_commitment(&MODEL, &commit.key),
            embedding_commitment: embedding_commitment(
                &MODEL,
                &Embedding::from_f32(&commit.embedding).unwrap(),
            ),
            commit_epoch: Epoch(5),
            commit_height: 50,
            reveal_epoch: Epoch(6),
        });
        ModelView {
            id: MODEL,
            owner: Address([2; 32]),
            architecture_version: 1,
            status: "pending".to_owned(),
            status_epoch: None,
            leaving: false,
            stake: Shannons(1),
            pool: None,
            commission_bps: 0,
            next_commission_bps: 0,
            weights: None,
            pending,
            reports: Vec::new(),
            embedding: None,
        }
    }

    #[test]
    fn a_commit_ends_only_when_the_chain_can_no_longer_need_its_key() {
        let (own, other) = (commit(1), commit(9));
        let waits = model(Some(&own));
        // Whatever was guessed, and however late: the chain names the epoch.
        for balance in [balance(7, 50), balance(8, 50), balance(8, 1_000)] {
            assert_eq!(own.fate(&balance, Some(&waits)), Fate::Pending(Epoch(6)));
        }
        for model in [Some(&model(None)), Some(&model(Some(&other))), None] {
            assert_eq!(own.fate(&balance(7, 100), model), Fate::Open);
            assert_eq!(own.fate(&balance(8, 100), model), Fate::Over);
            assert_eq!(own.fate(&balance(7, 101), model), Fate::Over);
        }
        let anothers = ModelView {
            owner: Address([8; 32]),
            ..waits
        };
        assert_eq!(own.fate(&balance(8, 50), Some(&anothers)), Fate::Over);
    }

    #[test]
    fn only_the_committed_key_and_embedding_open_a_commit() {
        let own = commit(1);
        let moved = KeptCommit {
            embedding: vec![2.0, 1.0],
            ..own.clone()
        };
        let pending = model(Some(&own)).pending.unwrap();
        assert!(own.opens(&pending));
        assert!(!commit(9).opens(&pending) && !moved.opens(&pending));
        // Yet its key is not given up.
        let fate = moved.fate(&balance(8, 50), Some(&model(Some(&own))));
        assert_eq!(fate, Fate::Pending(Epoch(6)));
    }
}
