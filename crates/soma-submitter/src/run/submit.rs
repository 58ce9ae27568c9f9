//! Choosing hits, and beginning to submit them.

use soma_sdk::SdkError;
use soma_types::Shannons;

use super::duplicates::Data;
use super::report::{Planned, Wanting};
use super::work::Work;
use crate::error::SubmitterError;
use crate::events::SubmitterEvent;
use crate::journal::{Entry, State, VERSION};
use crate::scan::{Funds, Hit, Price, Terms, choose, fees};
use crate::submission::lock;

impl Work<'_> {
    /// Begins to submit as many hits as slots and money are enough for.
    pub(super) async fn submit(&mut self) -> Result<(), SubmitterError> {
        while std::mem::take(&mut self.is_choice_due) {
            let hits = self.free_hits();
            let slots = self.slots();
            if hits.is_empty() || slots == 0 {
                return Ok(());
            }
            let Some((funds, available)) = self.funds(slots).await? else {
                return Ok(());
            };
            let submitter = &self.submitter;
            let fees = self.fees();
            let price = |hit: &Hit| Price {
                bond: submitter.bond(hit.size),
                fees,
            };
            let choice = choose(&hits, funds, price);
            match self.check_data(&choice.chosen).await? {
                Data::IsNew => {}
                Data::WasDropped => {
                    self.is_choice_due = true;
                    continue;
                }
                Data::IsUnknown => return Ok(()),
            }
            self.say_what_is_wanting(choice.wanting, funds, available);
            let is_dry = self.submitter.config.limits.dry_run;
            for hit in choice.chosen {
                match is_dry {
                    true => self.plan(&hit),
                    false => self.begin(&hit)?,
                }
            }
        }
        Ok(())
    }

    /// Hits whose target has no submission yet, of candidates that the chain would take.
    fn free_hits(&self) -> Vec<Hit> {
        let scanner = lock(&self.submitter.scanner);
        let epoch = scanner.board().epoch;
        let is_free = |hit: &&Hit| {
            !self.submitter.entries.contains_key(&hit.target)
                && !self.planned.contains_key(&hit.target)
                && !self.asked.duplicates.contains(&hit.checksum)
                && !self.submitter.worker.is_spent(&hit.checksum, epoch)
        };
        scanner.hits().filter(is_free).cloned().collect()
    }

    fn slots(&self) -> usize {
        let config = &self.submitter.config;
        let under_way = self.submitter.unopened().count();
        let free = match config.limits.dry_run {
            // Each submission of a real run makes room for the next.
            true => usize::MAX,
            false => config.in_flight.saturating_sub(under_way),
        };
        let Some(wanted) = config.limits.hits else {
            return free;
        };
        let filled = lock(&self.submitter.worker.stats).filled;
        let begun = filled.saturating_add(under_way as u64);
        let left = wanted.saturating_sub(begun.saturating_add(self.planned.len() as u64));
        free.min(usize::try_from(left).unwrap_or(usize::MAX))
    }

    /// Fees of sealing and opening one submission.
    fn fees(&self) -> Shannons {
        fees(&self.submitter.worker.parameters)
    }

    /// What the node said. `None` when it does not answer: the next look chooses again.
    pub(super) fn answer<T>(
        &mut self,
        what: &str,
        said: Result<T, SdkError>,
    ) -> Result<Option<T>, SubmitterError> {
        match said {
            Ok(said) => Ok(Some(said)),
            Err(error) if error.is_retryable() => {
                let (error, pause) = self.backoff.after(SubmitterError::from(error))?;
                self.submitter.worker.retrying(what, &error, pause);
                self.next_look = tokio::time::Instant::now() + pause;
                self.is_choice_due = true;
                Ok(None)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// What submissions may take now, and the balance that is not promised yet. `None` when the
    /// node does not answer: the next look chooses again.
    async fn funds(&mut self, slots: usize) -> Result<Option<(Funds, Shannons)>, SubmitterError> {
        let balance = self.submitter.worker.account.balance().await;
        let Some(balance) = self.answer("reading the balance", balance)? else {
            return Ok(None);
        };
        let unopened = self.submitter.unopened();
        let unopened = unopened.map(|entry| self.submitter.bond(entry.piece.size));
        let planned = || self.planned.values().map(|planned| planned.bond);
        let promised = unopened
            .chain(planned())
            .map(|bond| bond.saturating_add(self.fees()))
            .fold(Shannons::ZERO, Shannons::saturating_add);
        let available = balance.saturating_sub(promised);
        let bonds = match self.submitter.config.max_bonds {
            Some(most) => {
                let out = planned().fold(self.submitter.bonds(), Shannons::saturating_add);
                most.saturating_sub(out)
            }
            None => available,
        };
        let funds = Funds {
            balance: available,
            bonds,
            submissions: slots,
        };
        Ok(Some((funds, available)))
    }

    /// Says once that money is wanting, and what for.
    fn say_what_is_wanting(
        &mut self,
        wanting: Option<Shannons>,
        funds: Funds,
        available: Shannons,
    ) {
        let Some(needed) = wanting else {
            self.wanting = None;
            return;
        };
        let at_max_bonds = needed <= available;
        let available = match at_max_bonds {
            true => funds.bonds,
            false => available,
        };
        let wanting = Wanting {
            needed,
            available,
            at_max_bonds,
        };
        if self.wanting.replace(wanting) != Some(wanting) {
            self.submitter
                .worker
                .tell(&SubmitterEvent::WaitingForMoney(wanting));
        }
    }

    fn plan(&mut self, hit: &Hit) {
        let scanner = lock(&self.submitter.scanner);
        let target = scanner.board().targets.get(&hit.target);
        let (Some(target), Some(candidate)) = (target, scanner.book().get(&hit.checksum)) else {
            return;
        };
        let terms = Terms::new(&self.submitter.worker.parameters, target.epoch);
        let planned = Planned {
            target: hit.target,
            checksum: hit.checksum,
            path: candidate.piece.path.clone(),
            model: hit.model,
            loss: hit.loss,
            distance: hit.distance,
            threshold: target.threshold,
            bond: terms.bond(hit.size),
            reward: terms.submitters_part(target.reward),
        };
        self.planned.insert(hit.target, planned);
    }

    /// Writes the submission down, and lets a task go on with it.
    fn begin(&mut self, hit: &Hit) -> Result<(), SubmitterError> {
        let Some(mut entry) = self.entry(hit) else {
            return Ok(());
        };
        let worker = &self.submitter.worker;
        let state = entry.state.clone();
        worker.enter(&mut entry, state)?;
        self.submitter.entries.insert(entry.target, entry.clone());
        self.driven.insert(entry.target, self.looks);
        self.drive(entry);
        Ok(())
    }

    /// The submission of a hit; `None` when its scores are forgotten.
    pub(super) fn entry(&self, hit: &Hit) -> Option<Entry> {
        let worker = &self.submitter.worker;
        let scanner = lock(&self.submitter.scanner);
        let target = scanner.board().targets.get(&hit.target)?;
        let candidate = scanner.book().get(&hit.checksum)?;
        let versions = scanner.board().versions(target);
        let version = versions.iter().find(|v| v.model == hit.model)?;
        let embedding = candidate.scores.get(version)?.embedding.as_ref()?;
        Some(Entry {
            version: VERSION,
            chain_id: worker.chain_id,
            submitter: worker.account.address(),
            target: hit.target,
            target_epoch: target.epoch,
            piece: candidate.piece.clone(),
            checksum: hit.checksum,
            model: hit.model,
            loss: hit.loss,
            distance: hit.distance,
            scored_with: versions.clone(),
            state: State::Prepared {
                embedding: embedding.to_vec(),
            },
            transaction: None,
        })
    }
}
