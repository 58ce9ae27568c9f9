//! The steps of a publication. Each does one thing and writes down that it is done.

use std::fs::File;
use std::io::{BufReader, BufWriter, Write as _};
use std::path::Path;
use std::time::Duration;

use soma_api::{Base64, ErrorCode, ReceiptView};
use soma_crypto::sealed;
use soma_crypto::transaction::transaction_digest;
use soma_types::{Epoch, ModelId, SignedTransaction, TransactionKind, WeightsKey};

use super::journal::{Committed, Create, Publication, SealedFile, file};
use super::{OnPublish, PublishEvent, PublishState, Publisher};
use crate::account::{CommitModel, created_model, raw_embedding};
use crate::config::Service;
use crate::error::SdkError;

impl Publisher {
    /// Does the next step, if it is time for it.
    ///
    /// # Errors
    /// [`SdkError`]. What was done so far is kept: call it again. After an error that is
    /// [final](super::is_final) there is nothing under way any more.
    pub async fn advance(&mut self, observe: OnPublish<'_>) -> Result<PublishState, SdkError> {
        let result = self.step(observe).await;
        if let Err(error) = &result
            && self.is_over(error)
            && let Some(kept) = self.abandon()?
        {
            let kept = &kept;
            observe(PublishEvent::GivenUp { error, kept });
        }
        result
    }

    async fn step(&mut self, observe: OnPublish<'_>) -> Result<PublishState, SdkError> {
        self.check_chain().await?;
        let Some(publication) = self.current.clone() else {
            return Ok(PublishState::Idle);
        };
        let Some(sealed) = publication.sealed else {
            return self.seal(publication, observe).await;
        };
        let Some(url) = publication.url.clone() else {
            return self.upload(publication, sealed, observe).await;
        };
        // From its signature on, the commit may be in a block: then only the reveal ends it well.
        if publication.committed.is_none() && publication.transaction.is_none() {
            self.check_reach(&publication, &url)?;
        }
        let Some(model) = publication.model else {
            return self.create(publication, observe).await;
        };
        match (publication.committed, publication.revealed) {
            (None, _) => self.commit(publication, model, sealed, &url, observe).await,
            (Some(committed), None) => self.reveal(publication, model, committed).await,
            (Some(_), Some(epoch)) => self.archive(model, epoch, observe),
        }
    }

    fn keep(&mut self, publication: Publication) -> Result<PublishState, SdkError> {
        self.folder.write(&publication)?;
        self.current = Some(publication);
        Ok(PublishState::Working)
    }

    async fn seal(
        &mut self,
        mut publication: Publication,
        observe: OnPublish<'_>,
    ) -> Result<PublishState, SdkError> {
        let from = publication.weights.clone();
        let bytes = from.metadata().map_err(|error| file(&from, error))?.len();
        observe(PublishEvent::Sealing { bytes });
        let (to, key) = (self.folder.sealed(), publication.key);
        let sealed = tokio::task::spawn_blocking(move || seal_file(&from, &to, &key));
        let sealed = sealed.await.unwrap_or_else(|_| {
            let path = &publication.weights;
            Err(file(path, "the task that seals it ended"))
        })?;
        let got = sealed.plaintext_checksum;
        match publication.weights_checksum {
            // Somebody replaced the file, or a crash cut it: this is not what was to be published.
            Some(expected) if expected != got => Err(SdkError::WeightsChanged {
                path: publication.weights,
                expected,
                got,
            }),
            _ => {
                publication.sealed = Some(sealed);
                self.keep(publication)
            }
        }
    }

    async fn upload(
        &mut self,
        mut publication: Publication,
        sealed: SealedFile,
        observe: OnPublish<'_>,
    ) -> Result<PublishState, SdkError> {
        let path = self.folder.sealed();
        let bytes = sealed.size;
        observe(PublishEvent::Uploading { bytes });
        let Some(store) = &self.store else {
            let text = "no store was named to upload the sealed weights to";
            return Err(SdkError::InvalidArgument(text.to_owned()));
        };
        let blob = store.publish(&path).await?;
        if blob.checksum != sealed.checksum {
            // Damaged since it was sealed: the next step seals again, under the same key.
            publication.sealed = None;
            return self.keep(publication);
        }
        observe(PublishEvent::Uploaded { url: &blob.url });
        publication.url = Some(blob.url);
        self.keep(publication)
    }

    /// Refuses, before anything is paid, what validators could not open. The next try may upload
    /// to another place.
    fn check_reach(&mut self, publication: &Publication, url: &str) -> Result<(), SdkError> {
        let reached = self.account.client().check_reach(url);
        if reached.is_err() {
            self.keep(Publication {
                url: None,
                ..publication.clone()
            })?;
        }
        reached
    }

    async fn create(
        &mut self,
        publication: Publication,
        observe: OnPublish<'_>,
    ) -> Result<PublishState, SdkError> {
        let Some(Create {
            stake,
            commission_bps,
        }) = publication.create
        else {
            let text = "the publication names neither a model nor how to create one";
            return Err(file(self.folder.path(), text));
        };
        let parameters = self.account.client().parameters().await?;
        let kind = TransactionKind::CreateModel {
            architecture_version: parameters.model_architecture_version,
            stake,
            commission_bps,
        };
        let receipt = self.execute(kind).await?;
        let Some(model) = created_model(&receipt) else {
            return Err(SdkError::UnexpectedAnswer {
                service: Service::Rpc,
                url: self.account.client().rpc_url().to_owned(),
                reason: "the receipt names no created model".to_owned(),
            });
        };
        observe(PublishEvent::Created { model });
        self.done(|publication| publication.model = Some(model))
    }

    async fn commit(
        &mut self,
        publication: Publication,
        model: ModelId,
        sealed: SealedFile,
        url: &str,
        observe: OnPublish<'_>,
    ) -> Result<PublishState, SdkError> {
        let commit = CommitModel {
            model,
            url,
            checksum: sealed.checksum,
            size: sealed.size,
            plaintext_checksum: sealed.plaintext_checksum,
            key: publication.key,
            embedding: &publication.embedding,
        };
        // Others may have revealed the same since this began.
        if publication.transaction.is_none() {
            let (client, owner) = (self.account.client(), publication.owner);
            client
                .check_weights_are_new(&owner, Some(model), &sealed.plaintext_checksum)
                .await?;
        }
        let receipt = self.execute(commit.to_kind()?).await?;
        let (epoch, height) = (receipt.epoch, receipt.height);
        let reveal_epoch = epoch.next();
        observe(PublishEvent::Committed {
            model,
            reveal_epoch,
        });
        self.done(|publication| publication.committed = Some(Committed { epoch, height }))
    }

    async fn reveal(
        &mut self,
        publication: Publication,
        model: ModelId,
        committed: Committed,
    ) -> Result<PublishState, SdkError> {
        let reveal_epoch = committed.epoch.next();
        let client = self.account.client().clone();
        let status = client.status().await?;
        if status.epoch < reveal_epoch {
            let left = status.epoch_end_ms.saturating_sub(status.time_ms);
            return Ok(PublishState::WaitingForEpoch {
                reveal_epoch,
                wait: Duration::from_millis(left),
            });
        }
        let receipt = match status.epoch == reveal_epoch {
            true => {
                let kind = TransactionKind::RevealModel {
                    model,
                    key: publication.key,
                    embedding: raw_embedding(&publication.embedding)?,
                };
                self.execute(kind).await?
            }
            // It may have been executed before this program ended.
            false => match self.executed().await? {
                Some(receipt) => receipt,
                None => {
                    return Err(SdkError::RevealMissed {
                        model,
                        reveal_epoch,
                    });
                }
            },
        };
        let epoch = receipt.epoch;
        self.done(|publication| publication.revealed = Some(epoch))
    }

    fn archive(
        &mut self,
        model: ModelId,
        epoch: Epoch,
        observe: OnPublish<'_>,
    ) -> Result<PublishState, SdkError> {
        self.abandon()?;
        observe(PublishEvent::Revealed { model, epoch });
        Ok(PublishState::Revealed { model, epoch })
    }

    /// Executes a step's transaction exactly once, also over crashes.
    async fn execute(&mut self, kind: TransactionKind) -> Result<ReceiptView, SdkError> {
        if let Some(receipt) = self.resume().await? {
            return Ok(receipt);
        }
        let (client, key) = (self.account.client().clone(), self.account.key().clone());
        let (folder, current) = (&self.folder, &mut self.current);
        let record = |signed: &SignedTransaction| {
            if let Some(publication) = current.as_mut() {
                publication.transaction = Some(Base64::encode(signed));
                folder.write(publication)?;
            }
            Ok(())
        };
        match client.sign_and_execute_recorded(&key, kind, record).await {
            Err(error @ SdkError::TransactionFailed { .. }) => {
                self.forget_transaction()?;
                Err(error)
            }
            result => result,
        }
    }

    /// The transaction that was signed before a crash.
    fn signed(&self) -> Result<Option<SignedTransaction>, SdkError> {
        let bytes = self.current.as_ref().and_then(|p| p.transaction.as_ref());
        bytes
            .map(|bytes| bytes.decode("transaction"))
            .transpose()
            .map_err(|error| file(self.folder.path(), error))
    }

    /// Sends the transaction that was signed before a crash again; `None` when there is none, or
    /// when it can never be executed.
    async fn resume(&mut self) -> Result<Option<ReceiptView>, SdkError> {
        let Some(signed) = self.signed()? else {
            return Ok(None);
        };
        let result = self.account.client().resume_signed(&signed).await;
        if let Ok(None) | Err(SdkError::TransactionFailed { .. }) = &result {
            self.forget_transaction()?;
        }
        result
    }

    /// The receipt of the transaction that was signed before a crash, if it was executed with
    /// success. Sends nothing.
    async fn executed(&self) -> Result<Option<ReceiptView>, SdkError> {
        let Some(signed) = self.signed()? else {
            return Ok(None);
        };
        let digest = transaction_digest(&signed.transaction);
        match self.account.client().receipt(&digest).await {
            Ok(receipt) => Ok(receipt.is_success().then_some(receipt)),
            Err(error) if error.api_code() == Some(ErrorCode::NotFound) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn forget_transaction(&mut self) -> Result<(), SdkError> {
        self.done(|_| {}).map(|_| ())
    }

    /// Writes down that the step's transaction is settled, and what came of it, in one.
    fn done(&mut self, change: impl FnOnce(&mut Publication)) -> Result<PublishState, SdkError> {
        let Some(mut publication) = self.current.clone() else {
            return Ok(PublishState::Idle);
        };
        publication.transaction = None;
        change(&mut publication);
        self.keep(publication)
    }
}

fn seal_file(from: &Path, to: &Path, key: &WeightsKey) -> Result<SealedFile, SdkError> {
    let reader = BufReader::new(File::open(from).map_err(|error| file(from, error))?);
    let mut writer = BufWriter::new(File::create(to).map_err(|error| file(to, error))?);
    let report = sealed::seal(reader, &mut writer, key).map_err(|error| file(from, error))?;
    writer.flush().map_err(|error| file(to, error))?;
    writer
        .get_ref()
        .sync_all()
        .map_err(|error| file(to, error))?;
    Ok(SealedFile {
        checksum: report.ciphertext_checksum,
        size: report.sealed_len,
        plaintext_checksum: report.plaintext_checksum,
    })
}
