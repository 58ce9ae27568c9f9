//! Short ways to the situations that many tests start from.

use soma_types::{
    Address, Bps, Checksum, Event, Fill, GenesisModel, Misbehavior, MisbehaviorKind, Model,
    ModelId, ModelStatus, Ppm, Shannons, StakePosition, StakingPool, SubmissionFault, Target,
    TargetId, TransactionKind, Validator, WeightsKey, WeightsManifest,
};

use crate::model_secrets::{ModelSecrets, Sealed};
use crate::world::{SOMA, Setup, World, axis, key};

/// Components of an embedding in the default setup.
pub const DIM: usize = 8;

/// `amount` whole SOMA.
pub fn soma(amount: u64) -> Shannons {
    Shannons(amount * SOMA.0)
}

/// A model that is active from the start: owned by user `number`, standing on axis `number`.
pub fn genesis_model(number: u64, commission_bps: u16, stake: Shannons) -> GenesisModel {
    let seed = 0xa0 + number as u8;
    GenesisModel {
        owner: key(number + 1_000).address(),
        commission: Bps::new(commission_bps).expect("below 10,000"),
        stake,
        weights: WeightsManifest {
            url: soma_types::Url::new("https://example.org/genesis").expect("short"),
            checksum: Checksum([seed ^ 0xff; 32]),
            size: 1_000,
            key: WeightsKey([seed; 32]),
            plaintext_checksum: Checksum([seed; 32]),
        },
        embedding: axis(DIM, number as usize),
    }
}

impl Setup {
    /// Models that are active from the start: model `n` belongs to user `n`, with a commission of
    /// 10 % and 10 SOMA of stake.
    #[must_use]
    pub fn models(mut self, count: u64) -> Self {
        let stake = soma(10);
        self.models = (0..count)
            .map(|number| genesis_model(number, 1_000, stake))
            .collect();
        self
    }
}

impl World {
    /// A world with three active models of users 0, 1 and 2, and targets drawn.
    pub fn with_targets() -> Self {
        let mut world = Self::with(Setup::default().models(3));
        world.tick();
        world
    }

    /// All targets that wait for data.
    pub fn open_targets(&self) -> Vec<Target> {
        let filter = soma_chain::TargetFilter {
            status: Some(soma_chain::TargetQuery::Open),
            ..Default::default()
        };
        let page = self.read().targets(&filter, None, 1_000);
        page.expect("readable").targets
    }

    /// The target `id`.
    pub fn target(&self, id: &TargetId) -> Target {
        self.read().target(id).expect("readable").expect("known")
    }

    /// The model `id`.
    pub fn model(&self, id: &ModelId) -> Model {
        self.read().model(id).expect("readable").expect("known")
    }

    /// The first model of `owner` that is active.
    pub fn model_of(&self, owner: &Address) -> ModelId {
        let models = self.read().models(None, 1_000).expect("readable");
        let found = models
            .iter()
            .find(|model| model.owner == *owner && model.status == ModelStatus::Active);
        found.expect("an active model").id
    }

    /// The staking pool of the model `id`.
    pub fn model_pool(&self, id: &ModelId) -> StakingPool {
        let pool = self.model(id).pool;
        self.read().pool(&pool).expect("readable").expect("known")
    }

    /// The validator at `address`.
    pub fn validator(&self, address: &Address) -> Validator {
        let found = self.read().validator(address).expect("readable");
        found.expect("known")
    }

    /// The staking pool of the validator at `address`.
    pub fn validator_pool(&self, address: &Address) -> StakingPool {
        let pool = self.validator(address).pool;
        self.read().pool(&pool).expect("readable").expect("known")
    }

    /// Stake positions of `owner`.
    pub fn stakes(&self, owner: &Address) -> Vec<StakePosition> {
        let stakes = self.read().stakes_of(owner, None, 1_000);
        stakes.expect("readable")
    }

    /// The newest position of `owner` in `pool`, which must be its only one.
    pub fn stake_in(&self, owner: &Address, pool: &StakingPool) -> StakePosition {
        let mut stakes = self.stakes(owner);
        stakes.retain(|stake| stake.pool == pool.id);
        assert_eq!(stakes.len(), 1, "one position in the pool");
        stakes[0]
    }

    /// What a position is worth now.
    pub fn worth(&self, stake: &StakePosition) -> Shannons {
        let stake = self.read().stake(&stake.id).expect("readable");
        let stake = stake.expect("not paid out yet");
        self.read().stake_value(&stake).expect("readable")
    }

    /// The supply by pool.
    pub fn supply(&self) -> soma_types::Supply {
        self.read().supply().expect("readable")
    }

    /// Creates a model.
    pub fn create_model(&mut self, owner: &Address, stake: Shannons, bps: u16) -> ModelId {
        let receipt = self.ok(owner, create_model(stake, bps));
        let created = receipt.created.iter().find_map(|object| match object {
            soma_types::ObjectRef::Model(id) => Some(*id),
            _ => None,
        });
        created.expect("a model was made")
    }

    /// Commits to the weights of `secrets`, waits for the next epoch and reveals them.
    pub fn commit_and_reveal(&mut self, owner: &Address, secrets: &ModelSecrets) {
        self.ok(owner, secrets.commit());
        self.end_epoch();
        self.ok(owner, secrets.reveal());
    }

    /// A submission of `size` bytes on `target` that stands in the target's own direction.
    pub fn submission(&self, by: &Address, target: &Target, seed: u8, size: u64) -> Sealed {
        let direction = self.read().target_embedding(&target.id).expect("readable");
        let direction = direction.expect("a target has a direction");
        Sealed::new(*by, target.id, target.models[0], &direction, seed, size)
    }

    /// Fills `target` with `size` bytes of data.
    pub fn fill(&mut self, by: &Address, target: &Target, seed: u8, size: u64) -> Fill {
        let sealed = self.submission(by, target, seed, size);
        self.ok(by, sealed.seal());
        self.ok(by, sealed.open());
        self.target(&target.id).fill().expect("filled").clone()
    }

    /// An application to join the committee, with `stake` of the applicant's own in all: what a
    /// candidate needs comes with the application, the rest after it.
    pub fn apply_to_validate(&mut self, address: &Address, seed: u64, stake: Shannons) {
        let application = self.candidate(address, seed);
        self.ok(address, application);
        let first = Shannons(self.chain.parameters().min_candidate_stake);
        let amount = stake.saturating_sub(first);
        if !amount.is_zero() {
            let validator = *address;
            self.ok(address, TransactionKind::Stake { validator, amount });
        }
    }

    /// Reports of the submission on `target` by `reporters`.
    pub fn report(&mut self, reporters: &[Address], target: &TargetId) {
        for reporter in reporters {
            self.ok(reporter, report_submission(target));
        }
    }

    /// Ends `count` epochs.
    pub fn end_epochs(&mut self, count: usize) {
        for _ in 0..count {
            self.end_epoch();
        }
    }

    /// Slashes of the block that ended the last epoch.
    pub fn slashes(&self) -> Vec<Event> {
        let boundary = self.chain.system().epoch_start_height.saturating_sub(1);
        let events = self.read().events(boundary).expect("readable");
        let mut events = events.expect("kept");
        events.retain(|event| matches!(event, Event::Slashed { .. }));
        events
    }

    /// Gives away all of an account but `rest`, or a shannon more where the fee does not divide.
    pub fn drain(&mut self, address: &Address, rest: Shannons) {
        let recipient = self.users[self.users.len() - 1];
        let rate = self.chain.system().value_fee;
        let fixed = 1_600 + rest.0;
        let amount = largest(Shannons(self.balance(address).0 - fixed), rate);
        self.ok(address, TransactionKind::Transfer { recipient, amount });
        assert!(self.balance(address).0 <= rest.0 + 1);
    }
}

/// The largest amount that `available` pays for together with its value fee.
pub fn largest(available: Shannons, rate: Ppm) -> Shannons {
    let (mut low, mut high) = (0, available.0);
    while low < high {
        let middle = low + (high - low).div_ceil(2);
        match middle + Shannons(middle).fee_at(rate).0 <= available.0 {
            true => low = middle,
            false => high = middle - 1,
        }
    }
    Shannons(low)
}

/// A model's creation.
pub fn create_model(stake: Shannons, commission_bps: u16) -> TransactionKind {
    TransactionKind::CreateModel {
        architecture_version: 1,
        stake,
        commission_bps,
    }
}

/// A validator's report of a submission.
pub fn report_submission(target: &TargetId) -> TransactionKind {
    TransactionKind::ReportSubmission {
        target: *target,
        reason: SubmissionFault::WrongLoss,
    }
}

/// Proof that `validator` signed twice.
pub fn equivocation(validator: Address) -> Misbehavior {
    Misbehavior {
        validator,
        kind: MisbehaviorKind::Equivocation,
        height: 1,
    }
}
