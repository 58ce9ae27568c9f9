//! The random game: blocks of random transactions of all kinds, valid and hostile, over many
//! epochs; after every block the rules that must always hold are checked.

use std::collections::{BTreeMap, BTreeSet};

use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};
use soma_chain::TargetFilter;
use soma_crypto::transaction::VerifiedTransaction;
use soma_types::bounded::BoundedVec;
use soma_types::{
    Address, Embedding, Epoch, ExecutionStatus, MAX_SUPPLY, MetadataUpdate, Misbehavior,
    MisbehaviorKind, Model, ModelFault, ModelId, ModelStatus, ObjectRef, Payment, RawEmbedding,
    Receipt, Shannons, StakeId, SubmissionFault, Target, TargetId, TransactionKind, Validator,
};

use crate::model_secrets::{ModelSecrets, Sealed};
use crate::world::{Setup, World, consensus_key};

/// Kinds of transactions by how they ended.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Successes by kind.
    pub succeeded: BTreeMap<&'static str, u64>,
    /// Failures by the error's name.
    pub failed: BTreeMap<&'static str, u64>,
    /// Transactions.
    pub operations: u64,
    /// Blocks.
    pub blocks: u64,
    /// Epochs.
    pub epochs: u64,
}

/// A game in progress.
pub struct Game {
    /// The world that it plays in.
    pub world: World,
    rng: ChaCha20Rng,
    secrets: BTreeMap<ModelId, ModelSecrets>,
    sealed: Vec<Sealed>,
    next_newcomer: u64,
    tally: Tally,
    /// What the actors see: refreshed for every block.
    view: View,
}

#[derive(Default)]
struct View {
    models: Vec<Model>,
    targets: Vec<Target>,
    validators: Vec<Validator>,
    stakes: Vec<(StakeId, Address)>,
    epoch: Epoch,
}

impl Game {
    /// A game that follows from `seed`.
    pub fn new(seed: u64) -> Self {
        let mut setup = Setup::default().with("epoch_duration_ms", 40_000);
        setup.versions = vec![soma_types::Parameters::v1(); 3];
        setup.versions[1].base_fee = 1_500;
        setup.versions[2].write_object_fee = 400;
        Self::with(seed, setup)
    }

    /// A game in a world of one's own.
    pub fn with(seed: u64, setup: Setup) -> Self {
        Self {
            world: World::with(setup),
            rng: ChaCha20Rng::seed_from_u64(seed),
            secrets: BTreeMap::new(),
            sealed: Vec::new(),
            next_newcomer: 50_000,
            tally: Tally::default(),
            view: View::default(),
        }
    }

    /// How transactions ended so far.
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.rng.next_u64() % bound.max(1) as u64) as usize
    }

    fn chance(&mut self, percent: u64) -> bool {
        self.rng.next_u64() % 100 < percent
    }

    fn pick<T: Clone>(&mut self, items: &[T]) -> Option<T> {
        let index = self.below(items.len());
        items.get(index).cloned()
    }

    /// Plays until `operations` transactions were executed.
    ///
    /// # Panics
    /// When a rule is broken.
    pub fn play(&mut self, operations: u64) {
        let end = self.tally.operations + operations;
        while self.tally.operations < end {
            self.play_block();
        }
        self.check_recount();
    }

    /// Plays one block.
    ///
    /// # Panics
    /// When a rule is broken.
    pub fn play_block(&mut self) {
        self.look();
        let count = if self.chance(30) {
            1
        } else {
            1 + self.below(24)
        };
        let mut ahead: BTreeMap<Address, u64> = BTreeMap::new();
        let mut transactions: Vec<VerifiedTransaction> = Vec::new();
        for _ in 0..count {
            let action = self.below(26);
            let Some(sender) = self.sender_of(action) else {
                continue;
            };
            let kind = self.kind_of_action(action, &sender);
            let used = ahead.entry(sender).or_default();
            transactions.push(self.world.sign(&sender, kind, *used));
            *used += 1;
        }
        let mut proposal = self.world.proposal(transactions);
        proposal.end_epoch = self.chance(4);
        if self.chance(2) {
            // Past the end of the epoch at once.
            proposal.time_ms += 50_000;
        }
        if self.chance(1)
            && let Some(validator) = self.pick(&self.view.validators.clone())
        {
            proposal.misbehavior.push(Misbehavior {
                validator: validator.address,
                kind: MisbehaviorKind::Equivocation,
                height: proposal.height,
            });
        }
        let quiet = proposal.transactions.len() == 1
            && proposal.misbehavior.is_empty()
            && self.world.chain.system().targets.pending_draws == 0;
        let before = quiet.then(|| self.world.dump());
        let epoch = self.world.chain.system().epoch;
        let base_fee = Shannons(self.world.chain.parameters().base_fee);
        let block = self.world.apply(proposal).expect("a valid block");
        self.check_block(&block.receipts, base_fee);
        if let Some(before) = before
            && self.world.chain.system().epoch == epoch
        {
            self.check_quiet_failure(&block.receipts[0], before);
        }
        self.tally.blocks += 1;
        if self.world.chain.system().epoch != epoch {
            self.tally.epochs += 1;
            self.check_epoch(epoch);
        }
    }

    fn look(&mut self) {
        let reader = self.world.read();
        let mut stakes = Vec::new();
        for address in self.world.keys.keys() {
            let found = reader.stakes_of(address, None, 8).expect("in memory");
            stakes.extend(found.iter().map(|stake| (stake.id, stake.owner)));
        }
        let targets = reader
            .targets(&TargetFilter::default(), None, 200)
            .expect("in memory");
        self.view = View {
            models: reader.models(None, 100).expect("in memory"),
            targets: targets.targets,
            validators: reader.validators(None, 100).expect("in memory"),
            stakes,
            epoch: reader.system().epoch,
        };
        self.sealed.truncate(200);
    }

    fn actor(&mut self) -> Option<Address> {
        let addresses: Vec<Address> = self.world.keys.keys().copied().collect();
        self.pick(&addresses)
    }

    fn amount(&mut self, from: &Address) -> Shannons {
        let balance = self.world.balance(from).0;
        match self.below(10) {
            0 => Shannons(0),
            1 => Shannons(u64::MAX),
            2 => Shannons(balance),
            3 => Shannons(1),
            _ => Shannons(self.rng.next_u64() % (balance / 20 + 2)),
        }
    }

    fn bps(&mut self) -> u16 {
        (self.rng.next_u64() % 12_000) as u16
    }

    fn direction(&mut self) -> Embedding {
        let values: Vec<f32> = (0..8).map(|_| self.below(2_001) as f32 - 1_000.5).collect();
        Embedding::from_f32(&values).expect("not zero")
    }

    fn model_id(&mut self) -> ModelId {
        let models: Vec<ModelId> = self.view.models.iter().map(|model| model.id).collect();
        match self.chance(90) {
            true => self.pick(&models).unwrap_or(ModelId([1; 32])),
            false => ModelId([self.below(256) as u8; 32]),
        }
    }

    fn own_model(&mut self, owner: &Address) -> ModelId {
        let own: Vec<ModelId> = self
            .view
            .models
            .iter()
            .filter(|model| model.owner == *owner && matches!(model.status, ModelStatus::Active))
            .map(|model| model.id)
            .collect();
        self.pick(&own).unwrap_or_else(|| self.model_id())
    }

    fn target_id(&mut self) -> TargetId {
        let targets: Vec<TargetId> = self.view.targets.iter().map(|target| target.id).collect();
        match self.chance(95) {
            true => self.pick(&targets).unwrap_or(TargetId([1; 32])),
            false => TargetId([self.below(256) as u8; 32]),
        }
    }

    fn filled_target(&mut self) -> TargetId {
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

    fn validator_address(&mut self) -> Address {
        let known: Vec<Address> = self.view.validators.iter().map(|v| v.address).collect();
        match self.chance(90) {
            true => self.pick(&known).unwrap_or(Address([1; 32])),
            false => Address([self.below(256) as u8; 32]),
        }
    }

    /// Mostly somebody who may do it.
    fn sender_of(&mut self, action: usize) -> Option<Address> {
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

    fn kind_of_action(&mut self, action: usize, sender: &Address) -> TransactionKind {
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

    fn transfer(&mut self, sender: &Address) -> TransactionKind {
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

    fn pay_many(&mut self, sender: &Address) -> TransactionKind {
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

    fn commit(&mut self, sender: &Address) -> TransactionKind {
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

    fn status(&self, id: &ModelId) -> Option<ModelStatus> {
        self.view
            .models
            .iter()
            .find(|model| model.id == *id)
            .map(|model| model.status)
    }

    fn reveal(&mut self, sender: &Address) -> TransactionKind {
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

    fn seal(&mut self, sender: &Address) -> TransactionKind {
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

    fn open(&mut self, sender: &Address) -> TransactionKind {
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

    fn report(&mut self) -> TransactionKind {
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
                let reason = SubmissionFault::WrongLoss;
                TransactionKind::ReportSubmission { target, reason }
            }
        }
    }

    fn validator_report(&mut self) -> TransactionKind {
        let validator = self.validator_address();
        match self.chance(70) {
            true => TransactionKind::ReportValidator { validator },
            false => TransactionKind::UndoReportValidator { validator },
        }
    }

    fn apply_or_leave(&mut self, sender: &Address) -> TransactionKind {
        match self.chance(80) {
            true => {
                let seed = self.below(40) as u64;
                self.world.candidate(sender, seed)
            }
            false => TransactionKind::RemoveValidator,
        }
    }

    fn metadata(&mut self) -> TransactionKind {
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

    /// Money is conserved, and a failed transaction costs its sender the base fee and no more.
    fn check_block(&mut self, receipts: &[Receipt], base_fee: Shannons) {
        let supply = self.world.read().supply().expect("in memory");
        assert_eq!(supply.total(), Some(MAX_SUPPLY), "the supply is conserved");
        for receipt in receipts {
            self.tally.operations += 1;
            match &receipt.status {
                ExecutionStatus::Success => {
                    let name = self.kind_of(receipt);
                    *self.tally.succeeded.entry(name).or_default() += 1;
                }
                ExecutionStatus::Failure { error } => {
                    *self.tally.failed.entry(error.name()).or_default() += 1;
                    // Also a sender without an account uses a nonce.
                    let own = ObjectRef::Coin(receipt.sender);
                    let written = receipt.created.iter().chain(&receipt.mutated);
                    assert!(written.chain(&receipt.deleted).all(|object| *object == own));
                    assert!(receipt.fee.total() <= base_fee);
                    let paid: i64 = receipt.balance_changes.iter().map(|c| c.amount).sum();
                    assert_eq!(paid, -(receipt.fee.total().0 as i64));
                }
            }
        }
    }

    fn kind_of(&self, receipt: &Receipt) -> &'static str {
        let last = self.world.proposals.last().expect("a block was made");
        last.transactions[receipt.index as usize]
            .transaction
            .kind
            .name()
    }

    /// In a block with nothing else, a failed transaction changed its sender, the burned fees and
    /// nothing more.
    fn check_quiet_failure(&self, receipt: &Receipt, before: BTreeMap<Vec<u8>, Vec<u8>>) {
        if receipt.status.is_success() {
            return;
        }
        let after = self.world.dump();
        let keys: BTreeSet<_> = before.keys().chain(after.keys()).collect();
        let allowed = [
            soma_chain::Key::Account(receipt.sender),
            soma_chain::Key::System,
            soma_chain::Key::Supply,
        ]
        .map(soma_chain::Key::to_bytes);
        for key in keys {
            let swept = is_swept_by_any_block(key);
            if before.get(key) != after.get(key) && !swept {
                assert!(
                    allowed.contains(key),
                    "a failed transaction changed {key:02x?}"
                );
            }
        }
    }

    fn check_epoch(&self, ended: Epoch) {
        let reader = self.world.read();
        let certificate = reader
            .supply_certificate(ended)
            .expect("in memory")
            .expect("kept");
        assert_eq!(certificate.supply.total(), Some(MAX_SUPPLY));
        let committee = reader
            .committee(ended.next())
            .expect("in memory")
            .expect("formed");
        let power: u64 = committee
            .members
            .iter()
            .map(|member| member.voting_power)
            .sum();
        assert_eq!(power, 10_000, "voting power is 10,000 in all");
    }

    /// The running supply is the supply counted anew.
    ///
    /// # Panics
    /// When it is not.
    pub fn check_recount(&self) {
        let reader = self.world.read();
        let counted = reader.recount_supply().expect("adds up");
        assert_eq!(counted, reader.supply().expect("in memory"));
    }
}

/// Lapsed seals and old targets are removed by any block.
fn is_swept_by_any_block(key: &[u8]) -> bool {
    use soma_chain::key::prefix;
    let zero = soma_chain::Key::Sealed(Address([0; 32]), soma_types::Commitment([0; 32]));
    let sealed = &zero.to_bytes()[..2];
    let expiry = &prefix::sealed_expiry(0)[..2];
    let target = soma_chain::Key::TargetEmbedding(TargetId([0; 32])).to_bytes();
    let fill = soma_chain::Key::FillEmbedding(TargetId([0; 32])).to_bytes();
    [
        sealed,
        expiry,
        &prefix::TARGETS,
        &prefix::RETIRED,
        &target[..2],
        &fill[..2],
    ]
    .iter()
    .any(|prefix| key.starts_with(prefix))
}
