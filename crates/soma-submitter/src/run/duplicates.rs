//! Data that the chain would refuse: it counts once. Whoever asks before does not pay for it.

use std::collections::BTreeSet;
use std::sync::Arc;

use soma_sdk::SdkError;
use soma_types::{Checksum, Epoch};

use super::work::Work;
use crate::error::SubmitterError;
use crate::events::SubmitterEvent;
use crate::journal::{LostReason, State};
use crate::scan::Hit;
use crate::submission::lock;

/// What the chain said of data that was chosen.
#[derive(Debug, Default)]
pub(super) struct Asked {
    /// The epoch of `new`: what this account submits in one is a duplicate in the next.
    epoch: Epoch,
    /// Data that this account may submit.
    new: BTreeSet<Checksum>,
    /// Data that the chain takes no more from this account.
    pub(super) duplicates: BTreeSet<Checksum>,
}

/// What became of a choice.
pub(super) enum Data {
    /// The chain would take all of it.
    IsNew,
    /// Some of it is a duplicate and was dropped: choose again.
    WasDropped,
    /// The node does not answer: the next look chooses again.
    IsUnknown,
}

impl Work<'_> {
    /// Asks the chain for the data of `chosen`, for each once an epoch, and drops what it knows.
    pub(super) async fn check_data(&mut self, chosen: &[Hit]) -> Result<Data, SubmitterError> {
        let epoch = lock(&self.submitter.scanner).board().epoch;
        if self.asked.epoch != epoch {
            self.asked.epoch = epoch;
            self.asked.new.clear();
        }
        let worker = Arc::clone(&self.submitter.worker);
        let mut checked = Data::IsNew;
        for hit in chosen {
            let asked = &self.asked;
            if asked.new.contains(&hit.checksum) || asked.duplicates.contains(&hit.checksum) {
                continue;
            }
            let said = match worker.account.check_data_is_new(hit.checksum).await {
                Ok(()) => Ok(true),
                Err(SdkError::DuplicateData { .. }) => Ok(false),
                Err(error) => Err(error),
            };
            match self.answer("asking for data on the chain", said)? {
                Some(true) => {
                    self.asked.new.insert(hit.checksum);
                }
                Some(false) => {
                    self.drop_duplicate(hit)?;
                    checked = Data::WasDropped;
                }
                None => return Ok(Data::IsUnknown),
            }
        }
        Ok(checked)
    }

    /// Says that data is a duplicate, and forgets its hits. A dry run writes nothing down.
    fn drop_duplicate(&mut self, hit: &Hit) -> Result<(), SubmitterError> {
        let worker = Arc::clone(&self.submitter.worker);
        let reason = LostReason::DuplicateData;
        match self.entry(hit) {
            Some(mut entry) if !self.submitter.config.limits.dry_run => {
                worker.enter(&mut entry, State::Lost { reason })?;
            }
            _ => worker.tell(&SubmitterEvent::Step {
                target: hit.target,
                checksum: hit.checksum,
                state: "lost".to_owned(),
                bond: None,
                reward: None,
                lost: Some(reason),
            }),
        }
        lock(&self.submitter.scanner).drop_candidate(&hit.checksum);
        self.asked.duplicates.insert(hit.checksum);
        Ok(())
    }
}
