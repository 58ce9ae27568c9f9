//! Executing the transaction of a step exactly once, also over crashes.

use soma_api::{Base64, ReceiptView};
use soma_sdk::SdkError;
use soma_types::{SignedTransaction, TransactionKind};

use super::worker::Worker;
use crate::control::Mode;
use crate::error::SubmitterError;
use crate::events::SubmitterEvent;
use crate::journal::Entry;

impl Worker {
    /// Executes the transaction of the step that `entry` is at. One that was signed before is sent
    /// again as it is, which the chain executes at most once; another is signed only when that one
    /// can never be executed.
    pub(super) async fn execute(
        &self,
        entry: &mut Entry,
        kind: TransactionKind,
    ) -> Result<ReceiptView, SubmitterError> {
        if let Some(receipt) = self.resume(entry).await? {
            return Ok(receipt);
        }
        let key = self.account.key();
        let mut failure = None;
        let record = |signed: &SignedTransaction| {
            entry.transaction = Some(Base64::encode(signed));
            if let Err(error) = self.keep(entry) {
                let text = error.to_string();
                failure = Some(error);
                return Err(SdkError::InvalidArgument(text));
            }
            self.tell(&SubmitterEvent::Signed {
                target: entry.target,
                state: entry.state.name().to_owned(),
            });
            match self.control.mode() {
                Mode::Halt => Err(SdkError::InvalidArgument("halted".to_owned())),
                Mode::Run | Mode::Stop => Ok(()),
            }
        };
        let client = self.client();
        let result = client.sign_and_execute_recorded(key, kind, record).await;
        if let Some(failure) = failure {
            return Err(failure);
        }
        self.forget_failed(entry, &result)?;
        Ok(result?)
    }

    /// Sends the transaction that was signed before again; `None` when there is none, or when it
    /// can never be executed.
    async fn resume(&self, entry: &mut Entry) -> Result<Option<ReceiptView>, SubmitterError> {
        let Some(bytes) = &entry.transaction else {
            return Ok(None);
        };
        let signed: SignedTransaction = bytes.decode("transaction").map_err(|error| {
            SubmitterError::journal(self.folder.path(), format!("{}: {error}", entry.target))
        })?;
        let result = self.client().resume_signed(&signed).await;
        self.forget_failed(entry, &result)?;
        if let Ok(None) = &result {
            entry.transaction = None;
            self.keep(entry)?;
        }
        Ok(result?)
    }

    /// A transaction that failed on chain is settled: it must not be sent again.
    fn forget_failed<T>(
        &self,
        entry: &mut Entry,
        result: &Result<T, SdkError>,
    ) -> Result<(), SubmitterError> {
        if let Err(SdkError::TransactionFailed { .. }) = result {
            entry.transaction = None;
            self.keep(entry)?;
        }
        Ok(())
    }
}
