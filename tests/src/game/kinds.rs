//! The random transaction of each kind.

use rand_core::RngCore;
use soma_types::bounded::BoundedVec;
use soma_types::{
    Address, MetadataUpdate, ModelFault, ModelId, ModelStatus, Payment, RawEmbedding, Shannons,
    StakeId, SubmissionFault, Target, TransactionKind,
};

use crate::model_secrets::{ModelSecrets, Sealed};
use crate::world::consensus_key;

use super::Game;

impl Game {
    pub(super) fn kind_of_action(&mut self, action: usize, sender: &Address) -> TransactionKind {
        match action {
            0 => self.transfer(sender),
            1 => self.pay_many(sender),
            2 => TransactionKind::Stake {
                validator: self.validator_address(),
                amount: self.amount(sender),
            },
            3 => TransactionKind::StakeToModel {
                model: self.model_id(),
                amount: self.amount(sender),
            },
            4 => {
                let all = self.view.stakes.clone();
                let own: Vec<_> = all
                    .iter()
                    .filter(|(_, owner)| owner == sender)
                    .copied()
                    .collect();
                let stake = self.pick(&own).or_else(|| self.pick(&all));
                TransactionKind::Unstake {
                    stake: stake.map_or(StakeId([9; 32]), |(id, _)| id),
                }
            }
            5 => TransactionKind::CreateModel {
                architecture_version: if self.chance(90) { 1 } else { 2 },
                stake: match self.chance(80) {
                    true => Shannons(1_000_000_000 + self.rng.next_u64() % 10_000_000_000),
                    false => self.amount(sender),
                },
                commission_bps: self.bps(),
            },
            6 | 7 => self.commit(sender),
            8 | 9 => self.reveal(sender),
            10 => TransactionKind::SetModelCommission {
                model: self.own_model(sender),
                commission_bps: self.bps(),
            },
            11 => match self.chance(10) {
                true => TransactionKind::DeactivateModel {
                    model: self.own_model(sender),
                },
                false => self.transfer(sender),
            },
            12 | 13 => self.seal(sender),
            14 | 15 => self.open(sender),
            16 => TransactionKind::ClaimRewards {
                target: self.filled_target(),
            },
            17 | 24 | 25 => self.report(),
            18 => TransactionKind::ChallengeSubmission {
                target: self.filled_target(),
            },
            19 => self.validator_report(),
            20 => self.apply_or_leave(sender),
            21 => self.metadata(),
            22 => TransactionKind::SetValidatorCommission {
                commission_bps: self.bps(),
            },
            _ => TransactionKind::AnnounceProtocolVersion {
                version: 1 + self.below(3) as u64,
            },
        }
    }

    pub(super) fn transfer(&mut self, sender: &Address) -> TransactionKind {
        let recipient = match self.chance(5) {
            true => {
                self.next_newcomer += 1;
                self.world.newcomer(self.next_newcomer % 50_016)
            }
            false => self.actor().unwrap_or(*sender),
        };
        TransactionKind::Transfer {
            recipient,
            amount: self.amount(sender),
        }
    }

    pub(super) fn pay_many(&mut self, sender: &Address) -> TransactionKind {
        let count = self.below(4);
        let payments = (0..count)
            .map(|_| Payment {
                recipient: self.actor().unwrap_or(*sender),
                amount: self.amount(sender),
            })
            .collect();
        TransactionKind::PayMany {
            payments: BoundedVec::new(payments).expect("few"),
        }
    }

    pub(super) fn commit(&mut self, sender: &Address) -> TransactionKind {
        let mine: Vec<ModelId> = self
            .view
            .models
            .iter()
            .filter(|model| model.owner == *sender)
            .filter(|model| !matches!(model.status, ModelStatus::Inactive { .. }))
            .map(|model| model.id)
            .collect();
        let model = match self.pick(&mine) {
            Some(model) => model,
            None => self.model_id(),
        };
        let direction = self.direction();
        // Few seeds, so that owners commit to the same weights.
        let seed = self.below(60) as u8;
        let secrets = ModelSecrets::new(model, seed, direction);
        if mine.contains(&model) && !matches!(self.status(&model), Some(ModelStatus::Pending)) {
            self.secrets.insert(model, secrets.clone());
        }
        secrets.commit()
    }

    pub(super) fn status(&self, id: &ModelId) -> Option<ModelStatus> {
        self.view
            .models
            .iter()
            .find(|model| model.id == *id)
            .map(|model| model.status)
    }

    pub(super) fn reveal(&mut self, sender: &Address) -> TransactionKind {
        let now = self.view.epoch;
        let due: Vec<ModelId> = self
            .view
            .models
            .iter()
            .filter(|model| model.owner == *sender)
            .filter(|model| {
                model
                    .pending
                    .as_ref()
                    .is_some_and(|p| p.epoch.next() == now)
            })
            .map(|model| model.id)
            .collect();
        let id = self.pick(&due).unwrap_or_else(|| self.model_id());
        let mut secrets = match self.secrets.get(&id) {
            Some(secrets) => secrets.clone(),
            None => ModelSecrets::new(id, 1, self.direction()),
        };
        if self.chance(5) {
            secrets.key.0[0] ^= 1;
        }
        if self.chance(5) {
            secrets.embedding = self.direction();
        }
        secrets.reveal()
    }

    pub(super) fn seal(&mut self, sender: &Address) -> TransactionKind {
        let open: Vec<Target> = self
            .view
            .targets
            .iter()
            .filter(|target| target.status.name() == "open")
            .cloned()
            .collect();
        let Some(target) = self.pick(&open) else {
            return self.transfer(sender);
        };
        let model = self.pick(&target.models).unwrap_or(ModelId([1; 32]));
        let size = match self.below(12) {
            0 => 0,
            1 => 2_000_000,
            2 => u64::MAX,
            _ => 1 + self.rng.next_u64() % 5_000,
        };
        let (direction, seed) = (self.direction(), self.below(250) as u8);
        let sealed = Sealed::new(*sender, target.id, model, &direction, seed, size);
        self.sealed.push(sealed.clone());
        sealed.seal()
    }

    pub(super) fn open(&mut self, sender: &Address) -> TransactionKind {
        let own: Vec<usize> = (0..self.sealed.len())
            .filter(|index| self.sealed[*index].submitter == *sender)
            .collect();
        let index = match self.pick(&own) {
            Some(index) if self.chance(95) => index,
            _ => self.below(self.sealed.len()),
        };
        if self.sealed.is_empty() {
            return self.seal(sender);
        }
        let mut sealed = self.sealed.swap_remove(index);
        match self.below(20) {
            0 => sealed.submission.embedding = RawEmbedding::new(vec![7; 8]).expect("short"),
            1 => sealed.submission.embedding = RawEmbedding::new(vec![7; 3]).expect("short"),
            2 => sealed.submission.loss = soma_types::Loss(u64::MAX),
            3 => sealed.submission.model = self.model_id(),
            _ => {}
        }
        sealed.open()
    }

    pub(super) fn report(&mut self) -> TransactionKind {
        let target = self.filled_target();
        let active: Vec<ModelId> = self
            .view
            .models
            .iter()
            .filter(|model| matches!(model.status, ModelStatus::Active))
            .map(|model| model.id)
            .take(3)
            .collect();
        let model = self.pick(&active).unwrap_or_else(|| self.model_id());
        match self.below(6) {
            0 => TransactionKind::UndoReportSubmission { target },
            1 => TransactionKind::ReportModel {
                model,
                reason: ModelFault::Undecryptable,
            },
            2 => TransactionKind::UndoReportModel { model },
            _ => {
                let reason = match self.below(3) {
                    0 => SubmissionFault::WrongLoss,
                    1 => SubmissionFault::WinnerInvalid,
                    _ => SubmissionFault::WinnerUnavailable,
                };
                TransactionKind::ReportSubmission { target, reason }
            }
        }
    }

    pub(super) fn validator_report(&mut self) -> TransactionKind {
        let validator = self.validator_address();
        if self.chance(50) {
            self.reported = Some(validator);
            return TransactionKind::ReportValidator { validator };
        }
        let validator = self.reported.unwrap_or(validator);
        TransactionKind::UndoReportValidator { validator }
    }

    pub(super) fn apply_or_leave(&mut self, sender: &Address) -> TransactionKind {
        match self.chance(80) {
            true => {
                let seed = self.below(40) as u64;
                self.world.candidate(sender, seed)
            }
            false => TransactionKind::RemoveValidator,
        }
    }

    pub(super) fn metadata(&mut self) -> TransactionKind {
        let seed = self.below(40) as u64;
        let with_key = self.chance(30);
        let proof = consensus_key(seed).sign_digest(&[1; 32]);
        TransactionKind::UpdateValidatorMetadata(Box::new(MetadataUpdate {
            p2p_address: Some(crate::world::metadata(seed).p2p_address),
            consensus_key: with_key.then(|| consensus_key(seed).public_key()),
            proof_of_possession: self.chance(50).then_some(proof),
            ..MetadataUpdate::default()
        }))
    }
}
