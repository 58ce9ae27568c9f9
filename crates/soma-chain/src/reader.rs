//! Typed reads of the committed state, and pages that reach every row.

use std::sync::RwLockReadGuard;

use serde::de::DeserializeOwned;
use soma_types::block::MAX_BLOCK_EVIDENCE;
use soma_types::bounded::BoundedVec;
use soma_types::codec::decode;
use soma_types::{
    Account, Address, Block, Certificate, Challenge, Checksum, Committee, Digest, Embedding, Epoch,
    EpochSummary, Event, Evidence, Height, Model, ModelFault, ModelId, PoolId, PoolRate, Receipt,
    Shannons, SignedTransaction, StakeId, StakePosition, StakeState, StakingPool, SubmissionFault,
    Supply, SupplyCertificate, SystemState, Target, TargetId, Validator, WeightsRecord,
};

use crate::chain::{Chain, Committed, Head};
use crate::error::ChainError;
use crate::execute::staking::has_started;
use crate::key::{Key, prefix};
use crate::ledger::{LedgerCursor, LedgerEntry};
use crate::light::Handover;
use crate::pool::{shares_for, value_of};
use crate::rows;
use crate::state::read_entry;
use crate::store::Store;
use crate::tree::tree_error;

/// Reads of one committed state. New blocks wait while it is held.
pub struct Reader<'a, S> {
    chain: &'a Chain<S>,
    committed: RwLockReadGuard<'a, Committed>,
}

impl<'a, S: Store> Reader<'a, S> {
    pub(crate) fn new(chain: &'a Chain<S>, committed: RwLockReadGuard<'a, Committed>) -> Self {
        Self { chain, committed }
    }

    pub(crate) fn committed(&self) -> &Committed {
        &self.committed
    }

    pub(crate) fn store(&self) -> &'a S {
        &self.chain.store
    }

    /// The block that this is the state of.
    pub fn head(&self) -> Head {
        self.committed.head
    }

    /// The system state.
    pub fn system(&self) -> SystemState {
        self.committed.system
    }

    fn entry<T: DeserializeOwned>(&self, key: Key) -> Result<Option<T>, ChainError> {
        let key = key.to_bytes();
        let bytes = self.store().get(&key)?;
        Ok(bytes.map(|bytes| read_entry(&key, &bytes)).transpose()?)
    }

    fn row<T: DeserializeOwned>(&self, key: &[u8]) -> Result<Option<T>, ChainError> {
        let bytes = self.store().get(key)?;
        bytes
            .map(|bytes| decode("a stored row", &bytes).map_err(tree_error))
            .transpose()
    }

    fn page<T: DeserializeOwned>(
        &self,
        prefix: &[u8],
        after: Option<Key>,
        limit: usize,
    ) -> Result<Vec<T>, ChainError> {
        let after = after.map(Key::to_bytes);
        let entries = self.store().scan(prefix, after.as_deref(), limit)?;
        let decoded = entries
            .iter()
            .map(|(key, value)| Ok(read_entry(key, value)?));
        decoded.collect()
    }

    /// The account at `address`; unknown ones are empty.
    ///
    /// # Errors
    /// When the store fails, as for all reads here.
    pub fn account(&self, address: &Address) -> Result<Account, ChainError> {
        Ok(self.entry(Key::Account(*address))?.unwrap_or_default())
    }

    /// Where all SOMA are.
    pub fn supply(&self) -> Result<Supply, ChainError> {
        Ok(self.entry(Key::Supply)?.unwrap_or_default())
    }

    /// The supply counted anew from every entry. Slow: for audits and tests.
    pub fn recount_supply(&self) -> Result<Supply, ChainError> {
        Ok(crate::supply::recount(self.store())?)
    }

    /// The supply at the end of `epoch`.
    pub fn supply_certificate(
        &self,
        epoch: Epoch,
    ) -> Result<Option<SupplyCertificate>, ChainError> {
        self.entry(Key::SupplyCertificate(epoch))
    }

    /// What `epoch` was like, or is like so far.
    pub fn epoch_summary(&self, epoch: Epoch) -> Result<Option<EpochSummary>, ChainError> {
        if epoch == self.committed.system.epoch {
            return Ok(Some(crate::epoch::current_summary(&self.committed.system)));
        }
        self.entry(Key::EpochSummary(epoch))
    }

    /// The committee of `epoch`.
    pub fn committee(&self, epoch: Epoch) -> Result<Option<Committee>, ChainError> {
        self.entry(Key::Committee(epoch))
    }

    /// A model.
    pub fn model(&self, id: &ModelId) -> Result<Option<Model>, ChainError> {
        self.entry(Key::Model(*id))
    }

    /// Where a model stands.
    pub fn model_embedding(&self, id: &ModelId) -> Result<Option<Embedding>, ChainError> {
        self.entry(Key::ModelEmbedding(*id))
    }

    /// Models in order of id, after `after`.
    pub fn models(&self, after: Option<ModelId>, limit: usize) -> Result<Vec<Model>, ChainError> {
        self.page(&prefix::MODELS, after.map(Key::Model), limit)
    }

    /// Who committed first to the weights with this plaintext checksum, of those who revealed them.
    pub fn weights_record(
        &self,
        plaintext: &Checksum,
    ) -> Result<Option<WeightsRecord>, ChainError> {
        self.entry(Key::Weights(*plaintext))
    }

    /// Reports of a model in this epoch.
    pub fn model_reports(&self, id: &ModelId) -> Result<Vec<(Address, ModelFault)>, ChainError> {
        self.reports(&prefix::model_reports_of(id))
    }

    fn reports<T: DeserializeOwned>(&self, prefix: &[u8]) -> Result<Vec<(Address, T)>, ChainError> {
        let entries = self.store().scan(prefix, None, usize::MAX)?;
        let decoded = entries
            .iter()
            .map(|(key, value)| Ok((Address(Key::last_id(key)), read_entry(key, value)?)));
        decoded.collect()
    }

    /// A staking pool.
    pub fn pool(&self, id: &PoolId) -> Result<Option<StakingPool>, ChainError> {
        self.entry(Key::Pool(*id))
    }

    /// A stake position.
    pub fn stake(&self, id: &StakeId) -> Result<Option<StakePosition>, ChainError> {
        self.entry(Key::Stake(*id))
    }

    /// Stake positions of `owner` in order of id, after `after`.
    pub fn stakes_of(
        &self,
        owner: &Address,
        after: Option<StakeId>,
        limit: usize,
    ) -> Result<Vec<StakePosition>, ChainError> {
        let after = after.map(|stake| rows::stake_by_owner(owner, &stake));
        let found = self
            .store()
            .scan(&rows::stakes_of(owner), after.as_deref(), limit)?;
        let mut positions = Vec::with_capacity(found.len());
        for (row, _) in found {
            positions.extend(self.stake(&StakeId(Key::last_id(&row)))?);
        }
        Ok(positions)
    }

    /// What a position is in this epoch: one that has started holds shares, though its own entry
    /// says so only when it is touched next.
    pub fn stake_state(&self, position: &StakePosition) -> Result<StakeState, ChainError> {
        let now = self.committed.system.epoch;
        match (position.state, self.pool(&position.pool)?) {
            (StakeState::Starting { from }, Some(pool)) if has_started(&pool, from, now) => {
                let rate: Option<PoolRate> = self.entry(Key::PoolRate(pool.id, from))?;
                let (soma, tokens) =
                    rate.map_or((Shannons::ZERO, 0), |rate| (rate.soma, rate.tokens));
                let tokens = shares_for(position.principal, soma, tokens);
                Ok(StakeState::Staked { tokens })
            }
            (state, _) => Ok(state),
        }
    }

    /// What a position is worth now.
    pub fn stake_value(&self, position: &StakePosition) -> Result<Shannons, ChainError> {
        let Some(pool) = self.pool(&position.pool)? else {
            return Ok(Shannons::ZERO);
        };
        Ok(match self.stake_state(position)? {
            StakeState::Staked { tokens } => value_of(tokens, pool.soma, pool.tokens),
            StakeState::Unbonding { tokens, .. } => {
                value_of(tokens, pool.unbonding_soma, pool.unbonding_tokens)
            }
            StakeState::Starting { .. } => position.principal,
        })
    }

    /// A target.
    pub fn target(&self, id: &TargetId) -> Result<Option<Target>, ChainError> {
        self.entry(Key::Target(*id))
    }

    /// The direction of a target.
    pub fn target_embedding(&self, id: &TargetId) -> Result<Option<Embedding>, ChainError> {
        self.entry(Key::TargetEmbedding(*id))
    }

    /// The embedding of the data that filled a target.
    pub fn fill_embedding(&self, id: &TargetId) -> Result<Option<Embedding>, ChainError> {
        self.entry(Key::FillEmbedding(*id))
    }

    /// Reports of a submission under audit.
    pub fn submission_reports(
        &self,
        target: &Target,
    ) -> Result<Vec<(Address, SubmissionFault)>, ChainError> {
        match target.fill() {
            Some(fill) => self.reports(&prefix::submission_reports_of(fill.epoch, &target.id)),
            None => Ok(Vec::new()),
        }
    }

    /// The challenge of a submission under audit.
    pub fn challenge(&self, target: &Target) -> Result<Option<Challenge>, ChainError> {
        match target.fill() {
            Some(fill) => self.entry(Key::Challenge(fill.epoch, target.id)),
            None => Ok(None),
        }
    }

    /// A validator, also one that left.
    pub fn validator(&self, address: &Address) -> Result<Option<Validator>, ChainError> {
        self.entry(Key::Validator(*address))
    }

    /// Validators in order of address, after `after`.
    pub fn validators(
        &self,
        after: Option<Address>,
        limit: usize,
    ) -> Result<Vec<Validator>, ChainError> {
        self.page(&prefix::VALIDATORS, after.map(Key::Validator), limit)
    }

    /// Who reported a validator in this epoch.
    pub fn validator_reports(&self, address: &Address) -> Result<Vec<Address>, ChainError> {
        let reports = self.reports(&prefix::validator_reports_of(address))?;
        Ok(reports.into_iter().map(|(reporter, ())| reporter).collect())
    }

    /// A block.
    pub fn block(&self, height: Height) -> Result<Option<Block>, ChainError> {
        self.row(&rows::block(height))
    }

    /// What proves a block final; none when it was committed without a certificate.
    pub fn certificate(&self, height: Height) -> Result<Option<Certificate>, ChainError> {
        self.row(&rows::certificate(height))
    }

    /// How the committee of `epoch` handed over to the next; none while it is in office, or when its
    /// last block was committed without a certificate.
    pub fn handover(&self, epoch: Epoch) -> Result<Option<Handover>, ChainError> {
        self.row(&rows::handover(epoch))
    }

    /// Proofs of the misbehaviour that a block names, in its order.
    pub fn evidence(&self, height: Height) -> Result<Vec<Evidence>, ChainError> {
        let proofs: Option<BoundedVec<Evidence, MAX_BLOCK_EVIDENCE>> =
            self.row(&rows::evidence(height))?;
        Ok(proofs.unwrap_or_default().into_vec())
    }

    /// The height of a block by its digest.
    pub fn block_height(&self, digest: &Digest) -> Result<Option<Height>, ChainError> {
        self.row(&rows::block_digest(digest))
    }

    /// Receipts of a block.
    pub fn receipts(&self, height: Height) -> Result<Option<Vec<Receipt>>, ChainError> {
        self.row(&rows::receipts(height))
    }

    /// Events of a block.
    pub fn events(&self, height: Height) -> Result<Option<Vec<Event>>, ChainError> {
        self.row(&rows::events(height))
    }

    /// The lowest block that is kept.
    pub fn lowest_block(&self) -> Result<Height, ChainError> {
        Ok(crate::commit::read_height(self.store(), &rows::LOWEST_BLOCK)?.unwrap_or(1))
    }

    /// A transaction and its receipt.
    pub fn transaction(
        &self,
        digest: &Digest,
    ) -> Result<Option<(SignedTransaction, Receipt)>, ChainError> {
        let Some((height, index)) = self.row::<(Height, u32)>(&rows::transaction(digest))? else {
            return Ok(None);
        };
        let index = index as usize;
        let signed = self
            .block(height)?
            .and_then(|b| b.transactions.get(index).cloned());
        let receipt = self
            .receipts(height)?
            .and_then(|mut r| (index < r.len()).then(|| r.swap_remove(index)));
        Ok(signed.zip(receipt))
    }

    /// Earnings of `address`, newest first, before `before`.
    pub fn ledger(
        &self,
        address: &Address,
        before: Option<LedgerCursor>,
        limit: usize,
    ) -> Result<Vec<LedgerEntry>, ChainError> {
        let before = before.map(|at| rows::ledger(address, at.height, at.index));
        let found = self
            .store()
            .scan_back(&rows::ledger_of(address), before.as_deref(), limit)?;
        let mut entries = Vec::with_capacity(found.len());
        for (key, value) in found {
            let row = decode("a ledger entry", &value).map_err(tree_error)?;
            entries.extend(LedgerEntry::from_row(&key, row));
        }
        Ok(entries)
    }
}
