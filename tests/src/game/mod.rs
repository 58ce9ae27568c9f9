//! The random game: blocks of random transactions of all kinds, valid and hostile, over many
//! epochs; after every block the rules that must always hold are checked.

mod checks;
mod choices;
mod kinds;

use std::collections::BTreeMap;

use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};
use soma_chain::TargetFilter;
use soma_crypto::transaction::VerifiedTransaction;
use soma_types::{
    Address, Epoch, Event, Misbehavior, MisbehaviorKind, Model, ModelId, Shannons, StakeId, Target,
    Validator,
};

use crate::model_secrets::{ModelSecrets, Sealed};
use crate::world::{Setup, World};

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
    /// Submissions that were proven frauds.
    pub frauds: u64,
    /// Submissions that nobody could judge.
    pub voids: u64,
}

/// A game in progress.
pub struct Game {
    /// The world that it plays in.
    pub world: World,
    rng: ChaCha20Rng,
    secrets: BTreeMap<ModelId, ModelSecrets>,
    sealed: Vec<Sealed>,
    /// The validator that was reported last.
    reported: Option<Address>,
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
            reported: None,
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
        for event in &block.events {
            match event {
                Event::FraudProven { .. } => self.tally.frauds += 1,
                Event::SubmissionVoided { .. } => self.tally.voids += 1,
                _ => {}
            }
        }
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
}
