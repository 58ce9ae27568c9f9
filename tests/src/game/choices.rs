//! Random choices of the game: who acts, on what, with how much.

use rand_core::RngCore;
use soma_types::{Address, Embedding, Model, ModelId, ModelStatus, Shannons, TargetId};

use super::Game;

impl Game {
    pub(super) fn actor(&mut self) -> Option<Address> {
        let addresses: Vec<Address> = self.world.keys.keys().copied().collect();
        self.pick(&addresses)
    }

    pub(super) fn amount(&mut self, from: &Address) -> Shannons {
        let balance = self.world.balance(from).0;
        match self.below(10) {
            0 => Shannons(0),
            1 => Shannons(u64::MAX),
            2 => Shannons(balance),
            3 => Shannons(1),
            _ => Shannons(self.rng.next_u64() % (balance / 20 + 2)),
        }
    }

    pub(super) fn bps(&mut self) -> u16 {
        (self.rng.next_u64() % 12_000) as u16
    }

    pub(super) fn direction(&mut self) -> Embedding {
        let values: Vec<f32> = (0..8).map(|_| self.below(2_001) as f32 - 1_000.5).collect();
        Embedding::from_f32(&values).expect("not zero")
    }

    pub(super) fn model_id(&mut self) -> ModelId {
        let models: Vec<ModelId> = self.view.models.iter().map(|model| model.id).collect();
        match self.chance(90) {
            true => self.pick(&models).unwrap_or(ModelId([1; 32])),
            false => ModelId([self.below(256) as u8; 32]),
        }
    }

    pub(super) fn own_model(&mut self, owner: &Address) -> ModelId {
        let own: Vec<ModelId> = self
            .view
            .models
            .iter()
            .filter(|model| model.owner == *owner && matches!(model.status, ModelStatus::Active))
            .map(|model| model.id)
            .collect();
        self.pick(&own).unwrap_or_else(|| self.model_id())
    }

    pub(super) fn target_id(&mut self) -> TargetId {
        let targets: Vec<TargetId> = self.view.targets.iter().map(|target| target.id).collect();
        match self.chance(95) {
            true => self.pick(&targets).unwrap_or(TargetId([1; 32])),
            false => TargetId([self.below(256) as u8; 32]),
        }
    }

    pub(super) fn filled_target(&mut self) -> TargetId {
        let filled: Vec<TargetId> = self
            .view
            .targets
            .iter()
            .filter(|target| matches!(target.status.name(), "filled"))
            .map(|target| target.id)
            .collect();
        match self.pick(&filled) {
            Some(target) if self.chance(90) => target,
            _ => self.target_id(),
        }
    }

    pub(super) fn validator_address(&mut self) -> Address {
        let known: Vec<Address> = self.view.validators.iter().map(|v| v.address).collect();
        match self.chance(90) {
            true => self.pick(&known).unwrap_or(Address([1; 32])),
            false => Address([self.below(256) as u8; 32]),
        }
    }

    /// Mostly somebody who may do it.
    pub(super) fn sender_of(&mut self, action: usize) -> Option<Address> {
        let fitting: Vec<Address> = match action {
            4 => self.view.stakes.iter().map(|(_, owner)| *owner).collect(),
            6..=11 => {
                let now = self.view.epoch;
                let fits = |model: &&Model| match (action, model.status) {
                    (6 | 7, ModelStatus::Created { .. } | ModelStatus::Active) => true,
                    (8 | 9, _) => model
                        .pending
                        .as_ref()
                        .is_some_and(|p| p.epoch.next() == now),
                    (10 | 11, ModelStatus::Active) => true,
                    _ => false,
                };
                self.view
                    .models
                    .iter()
                    .filter(fits)
                    .map(|model| model.owner)
                    .collect()
            }
            12..=15 => self.world.users.iter().take(4).copied().collect(),
            17 | 19 | 21..=25 => self
                .view
                .validators
                .iter()
                .filter(|validator| validator.status.is_member())
                .map(|validator| validator.address)
                .collect(),
            _ => Vec::new(),
        };
        match self.pick(&fitting) {
            Some(sender) if self.chance(85) => Some(sender),
            _ => self.actor(),
        }
    }
}
