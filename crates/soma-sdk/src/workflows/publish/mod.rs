//! Publishing weights: seal, upload, create, commit, wait for the next epoch, reveal.
//!
//! ```text
//! prepare ─▶ sealed ─▶ uploaded ─▶ created ─▶ committed ──(epoch ends)──▶ revealed
//!    key is on disk    each transaction is on disk before it is sent      file moves to history/
//! ```
//! Without the key the weights are lost, and a reveal that comes too late costs half the stake. So
//! the key is on disk before anything is sealed with it, and every signed transaction is on disk
//! before it is sent: after a crash the same transaction is sent again, which the chain executes at
//! most once. One program at a time works with a folder.
//!
//! Reading order: `journal` (what is kept), [`Publisher`], `steps` (what each step does).

mod journal;
mod steps;

use std::path::{Path, PathBuf};
use std::time::Duration;

use soma_blobs::Store;
use soma_crypto::sealed::fresh_key;
use soma_types::{Checksum, Epoch, ModelId, Shannons};

use crate::account::{Account, raw_embedding};
use crate::error::SdkError;

use journal::Folder;
pub use journal::{Committed, Create, Publication, SealedFile, abandon, is_at_work, peek};

/// Pause after trouble; doubles up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// The longest time between two looks at the epoch, which may also be forced to end.
const LONGEST_LOOK: Duration = Duration::from_secs(1);
const SHORTEST_LOOK: Duration = Duration::from_millis(250);

/// Which model to publish as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PublishAs {
    /// A model of this account. An active one goes on with its old weights until the reveal.
    Model(ModelId),
    /// A new model.
    New {
        /// Its first stake; `None` stakes the network's minimum.
        stake: Option<Shannons>,
        /// The owner's share of what it earns, in basis points.
        commission_bps: u16,
    },
}

/// How far a publication is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PublishState {
    /// There is nothing to do.
    Idle,
    /// A step was done, and the next can follow at once.
    Working,
    /// The reveal waits for its epoch.
    WaitingForEpoch {
        /// The epoch in which the weights are revealed.
        reveal_epoch: Epoch,
        /// When it begins at the latest if epochs last as long as they should.
        wait: Duration,
    },
    /// The weights are revealed.
    Revealed {
        /// The model.
        model: ModelId,
        /// The epoch of the reveal.
        epoch: Epoch,
    },
}

/// Told to who watches.
#[derive(Debug)]
#[non_exhaustive]
pub enum PublishEvent<'a> {
    /// Weights are being sealed: bytes of all.
    Sealing {
        /// Size of the weights in bytes.
        bytes: u64,
    },
    /// The sealed file is being uploaded.
    Uploading {
        /// Its size in bytes.
        bytes: u64,
    },
    /// It can be downloaded.
    Uploaded {
        /// From here.
        url: &'a str,
    },
    /// The model exists.
    Created {
        /// Its id.
        model: ModelId,
    },
    /// The chain has the commitments.
    Committed {
        /// The model.
        model: ModelId,
        /// The one epoch in which the reveal counts.
        reveal_epoch: Epoch,
    },
    /// The reveal waits for its epoch.
    Waiting {
        /// That epoch.
        reveal_epoch: Epoch,
        /// Until then, at most.
        wait: Duration,
    },
    /// A step failed and is tried again.
    Retrying {
        /// Why it failed.
        error: &'a SdkError,
        /// After this pause.
        pause: Duration,
    },
    /// The weights can never be revealed as they were to be; the next publication can begin.
    GivenUp {
        /// Why.
        error: &'a SdkError,
        /// Where all that is known of it is kept, its key included.
        kept: &'a Path,
    },
    /// Validators can download and open the weights.
    Revealed {
        /// The model.
        model: ModelId,
        /// The epoch.
        epoch: Epoch,
    },
}

/// Told what happens.
pub type OnPublish<'a> = &'a (dyn Fn(PublishEvent<'_>) + Send + Sync);

/// Publishes weights, one set after another, from a folder that survives crashes.
#[derive(Debug)]
pub struct Publisher {
    account: Account,
    store: Option<Store>,
    folder: Folder,
    current: Option<Publication>,
    /// False while what was begun may be of another chain than the node's.
    is_checked: bool,
}

impl Publisher {
    /// Goes on with what lies in `folder`; an empty or missing one begins anew. What is uploaded
    /// already needs no store; what waits for its reveal needs no node yet.
    ///
    /// # Errors
    /// [`SdkError::File`] when another program uses the folder, or what lies there cannot be read;
    /// [`SdkError::WrongChain`] and [`SdkError::InvalidArgument`] when it is of another chain or
    /// account.
    pub async fn open(
        account: Account,
        store: impl Into<Option<Store>>,
        folder: &Path,
    ) -> Result<Self, SdkError> {
        let store = store.into();
        let folder = Folder::open(folder)?;
        let current = peek(folder.path())?;
        let mut publisher = Self {
            account,
            store,
            folder,
            current,
            is_checked: false,
        };
        match publisher.check_chain().await {
            // A reveal that waits must not end because its node is late.
            Err(error) if error.is_retryable() && publisher.needs_reveal() => {}
            checked => checked?,
        }
        if let Some(current) = &publisher.current
            && current.owner != publisher.account.address()
        {
            let (owner, got) = (current.owner, publisher.account.address());
            let text = format!(
                "{} holds a publication of {owner}, not of {got}: use its key, or another folder (`--state`)",
                publisher.folder.path().display()
            );
            return Err(SdkError::InvalidArgument(text));
        }
        Ok(publisher)
    }

    fn needs_reveal(&self) -> bool {
        let current = self.current.as_ref();
        current.is_some_and(Publication::needs_reveal)
    }

    /// Refuses to go on on another chain than where the publication began.
    async fn check_chain(&mut self) -> Result<(), SdkError> {
        if let Some(current) = self.current.as_ref().filter(|_| !self.is_checked) {
            let (expected, got) = (current.chain_id, self.account.client().chain_id().await?);
            if expected != got {
                return Err(SdkError::WrongChain { expected, got });
            }
        }
        self.is_checked = true;
        Ok(())
    }

    /// The account that publishes.
    pub fn account(&self) -> &Account {
        &self.account
    }

    /// What is being published.
    pub fn current(&self) -> Option<&Publication> {
        self.current.as_ref()
    }

    /// What was published last from this folder, by this account on this chain.
    ///
    /// # Errors
    /// [`SdkError::File`] when what is kept of it cannot be read.
    pub async fn last(&self) -> Result<Option<Publication>, SdkError> {
        let (chain_id, owner) = (
            self.account.client().chain_id().await?,
            self.account.address(),
        );
        let all = self.folder.history()?.into_iter();
        let mine = all.filter(|one| one.chain_id == chain_id && one.owner == owner);
        Ok(mine
            .filter(|one| one.revealed.is_some())
            .max_by_key(|one| one.revealed))
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Begins to publish the weights of a file: chooses a key and keeps it. Nothing is sent yet.
    /// That the file holds a model of the network's size is for the caller to check: validators
    /// slash the stake of a model whose weights do not load.
    ///
    /// # Errors
    /// [`SdkError::InvalidArgument`] when another publication is under way, or the embedding has no
    /// direction or another length than the network's; [`SdkError::WeightsAlreadyRevealed`];
    /// [`SdkError::File`].
    pub async fn prepare(
        &mut self,
        weights: &Path,
        embedding: &[f32],
        publish_as: PublishAs,
    ) -> Result<(), SdkError> {
        if let Some(current) = &self.current {
            let text = format!(
                "{} is being published from {}: finish it first",
                current.weights.display(),
                self.folder.path().display()
            );
            return Err(SdkError::InvalidArgument(text));
        }
        raw_embedding(embedding)?;
        let parameters = self.account.client().parameters().await?;
        let dim = usize::try_from(parameters.target_embedding_dim).unwrap_or(usize::MAX);
        if embedding.len() != dim {
            let text = format!(
                "the embedding has {} numbers, this network's have {dim}",
                embedding.len()
            );
            return Err(SdkError::InvalidArgument(text));
        }
        let weights = std::path::absolute(weights)
            .and_then(|path| path.metadata().map(|_| path))
            .map_err(|error| journal::file(weights, error))?;
        let weights_checksum = checksum(&weights).await?;
        let (model, create) = match publish_as {
            PublishAs::Model(model) => (Some(model), None),
            PublishAs::New {
                stake,
                commission_bps,
            } => {
                let stake = stake.unwrap_or(Shannons(parameters.model_min_stake));
                (None, Some((stake, commission_bps)))
            }
        };
        let (client, owner) = (self.account.client(), self.account.address());
        client
            .check_weights_are_new(&owner, model, &weights_checksum)
            .await?;
        let publication = Publication {
            version: journal::VERSION,
            chain_id: client.chain_id().await?,
            owner,
            model,
            create: create.map(Into::into),
            weights,
            weights_checksum: Some(weights_checksum),
            key: fresh_key(),
            embedding: embedding.to_vec(),
            sealed: None,
            url: None,
            transaction: None,
            committed: None,
            revealed: None,
        };
        self.folder.write(&publication)?;
        self.current = Some(publication);
        Ok(())
    }

    /// Goes on until the weights are revealed, however long epochs last. Trouble that may pass is
    /// waited out; from the commit on every trouble is, as long as the reveal can be in time.
    ///
    /// Dropping the future is as safe as a crash: what was begun goes on when it is called again.
    ///
    /// # Errors
    /// [`SdkError::RevealMissed`] and what waiting does not mend. After an error that is
    /// [final](is_final), the next publication can begin.
    pub async fn run(&mut self, observe: OnPublish<'_>) -> Result<Option<ModelId>, SdkError> {
        let mut pause = FIRST_PAUSE;
        let mut said = None;
        loop {
            match self.advance(observe).await {
                Ok(PublishState::Idle) => return Ok(None),
                Ok(PublishState::Revealed { model, .. }) => return Ok(Some(model)),
                Ok(PublishState::Working) => pause = FIRST_PAUSE,
                Ok(PublishState::WaitingForEpoch { reveal_epoch, wait }) => {
                    if said.replace(reveal_epoch) != Some(reveal_epoch) {
                        observe(PublishEvent::Waiting { reveal_epoch, wait });
                    }
                    pause = FIRST_PAUSE;
                    tokio::time::sleep((wait / 2).clamp(SHORTEST_LOOK, LONGEST_LOOK)).await;
                }
                Err(error) if self.may_pass(&error) => {
                    let error = &error;
                    observe(PublishEvent::Retrying { error, pause });
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// True where trying again can help.
    fn may_pass(&self, error: &SdkError) -> bool {
        let is_committed = self.current.as_ref().is_some_and(|p| p.committed.is_some());
        match error {
            SdkError::WrongChain { .. } => false,
            error if self.is_over(error) => false,
            // Money for the fee may come, a disk may get room, a proxy may find its node again:
            // nothing costs as much as giving up.
            _ if is_committed => true,
            // Whether it was executed shows when it is sent again.
            SdkError::NotExecuted { .. } | SdkError::NonceContention { .. } => true,
            SdkError::Blob(soma_blobs::BlobError::UploadFailed { .. }) => true,
            error => error.is_retryable(),
        }
    }

    /// True for what ends the publication that is under way. A model that lacks stake can get some.
    fn is_over(&self, error: &SdkError) -> bool {
        let has_model = self.current.as_ref().is_some_and(|p| p.model.is_some());
        is_final(error) && !(has_model && error.name() == "ModelMinStakeNotMet")
    }

    /// Forgets the publication that is under way. Its files move to `history/`, the key included.
    ///
    /// # Errors
    /// [`SdkError::File`].
    pub fn abandon(&mut self) -> Result<Option<PathBuf>, SdkError> {
        match self.current.take() {
            Some(publication) => self.folder.archive(&publication).map(Some),
            None => Ok(None),
        }
    }
}

/// True for what ends a publication: trying again would fail in the same way. It moves to
/// `history/`, so that the next can begin. A model that is there and lacks stake can get some:
/// then `ModelMinStakeNotMet` ends nothing.
pub fn is_final(error: &SdkError) -> bool {
    /// What the chain refuses for ever of the same create, commit or reveal.
    const REFUSALS: [&str; 12] = [
        "EmbeddingDimensionMismatch",
        "ModelAlreadyInactive",
        "ModelAlreadyLeaving",
        "ModelArchitectureVersionMismatch",
        "ModelCommissionRateTooHigh",
        "ModelDecryptionKeyCommitmentMismatch",
        "ModelEmbeddingCommitmentMismatch",
        "ModelMinStakeNotMet",
        "ModelNoPendingUpdate",
        "ModelNotFound",
        "NotModelOwner",
        "WeightsAlreadyRevealed",
    ];
    match error {
        SdkError::RevealMissed { .. }
        | SdkError::WeightsAlreadyRevealed { .. }
        | SdkError::WeightsChanged { .. } => true,
        SdkError::TransactionFailed { name, .. } => REFUSALS.contains(&name.as_str()),
        _ => false,
    }
}

async fn checksum(path: &Path) -> Result<Checksum, SdkError> {
    let from = path.to_owned();
    let read = tokio::task::spawn_blocking(move || {
        std::fs::File::open(&from).and_then(soma_crypto::checksum_of_reader)
    });
    let read = read.await.unwrap_or_else(|_| {
        let text = "the task that reads it ended";
        Err(std::io::Error::other(text))
    });
    read.map_err(|error| journal::file(path, error))
}
