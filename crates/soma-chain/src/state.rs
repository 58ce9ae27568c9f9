//! The state during execution: committed entries below, changes of this block above.
//!
//! A transaction writes to a layer of its own, which is kept or dropped as a whole. The system
//! state is held decoded, because every transaction touches it, and written once at the end.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use soma_types::codec::{decode, encode};
use soma_types::{
    Account, Address, ChainId, Committee, Epoch, Event, ExecutionError, Height, Model, ModelId,
    Parameters, PoolId, Shannons, StakingPool, SystemState, Target, TargetId, TimestampMs,
    Validator,
};
use thiserror::Error;

use crate::key::Key;
use crate::store::{Entry, Store, StoreError};

/// Changed entries by key; none for removed ones.
pub(crate) type Changes = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

/// Why execution cannot go on. A transaction's own failure is a [`Failure::Rejected`].
#[derive(Debug, Error)]
pub enum Failure {
    /// The transaction is at fault: it changes nothing and pays the base fee.
    #[error(transparent)]
    Rejected(#[from] ExecutionError),
    /// The store failed: the node stops.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The stored state is not what this build wrote: the node stops.
    #[error("state entry {key} is corrupt: {reason}; restore the data folder from a backup")]
    Corrupt {
        /// The entry's key.
        key: String,
        /// What is wrong with it.
        reason: String,
    },
    /// An amount left the range that the supply allows: the node stops.
    #[error("arithmetic broke the supply: {0}")]
    Supply(&'static str),
}

/// Result of a step of execution.
pub(crate) type Step<T> = Result<T, Failure>;

/// The state during the execution of one block.
pub(crate) struct State<'a> {
    base: &'a dyn Store,
    /// Committed entries that were read: each is fetched from the store once.
    seen: RefCell<Changes>,
    block: Changes,
    transaction: Option<Changes>,
    /// The chain.
    pub(crate) chain_id: ChainId,
    /// The system state, decoded.
    pub(crate) system: SystemState,
    /// Parameters of the current epoch.
    pub(crate) parameters: Arc<Parameters>,
    /// Height of the block.
    pub(crate) height: Height,
    /// Time of the block.
    pub(crate) time_ms: TimestampMs,
    /// What happened so far.
    pub(crate) events: Vec<Event>,
    /// The epoch that this block ended, if any.
    pub(crate) ended_epoch: Option<Epoch>,
}

/// What execution leaves behind.
pub(crate) struct Parts {
    /// Changed entries.
    pub(crate) changes: Changes,
    /// Entries that were read, as committed before the block.
    pub(crate) committed: Changes,
    /// What happened.
    pub(crate) events: Vec<Event>,
}

/// Decodes a stored entry.
pub(crate) fn read_entry<T: DeserializeOwned>(key: &[u8], bytes: &[u8]) -> Step<T> {
    decode("a state entry", bytes).map_err(|error| Failure::Corrupt {
        key: key.iter().map(|byte| format!("{byte:02x}")).collect(),
        reason: error.reason,
    })
}

impl<'a> State<'a> {
    /// The state for the block at `height`, above the committed state in `base`.
    pub(crate) fn new(
        base: &'a dyn Store,
        chain_id: ChainId,
        system: SystemState,
        parameters: Arc<Parameters>,
        height: Height,
        time_ms: TimestampMs,
    ) -> Self {
        Self {
            base,
            seen: RefCell::new(Changes::new()),
            block: Changes::new(),
            transaction: None,
            chain_id,
            system,
            parameters,
            height,
            time_ms,
            events: Vec::new(),
            ended_epoch: None,
        }
    }

    /// The current epoch.
    pub(crate) fn epoch(&self) -> Epoch {
        self.system.epoch
    }

    /// Opens the layer of one transaction.
    pub(crate) fn begin_transaction(&mut self) {
        self.transaction = Some(Changes::new());
    }

    /// Closes the layer and gives its changes, without keeping them.
    pub(crate) fn end_transaction(&mut self) -> Changes {
        self.transaction.take().unwrap_or_default()
    }

    /// Keeps changes of a transaction.
    pub(crate) fn keep(&mut self, changes: Changes) {
        self.block.extend(changes);
    }

    /// Ends execution and gives what changed and what was read.
    pub(crate) fn into_parts(self) -> Parts {
        let Self {
            block,
            events,
            seen,
            ..
        } = self;
        Parts {
            changes: block,
            committed: seen.into_inner(),
            events,
        }
    }

    /// Changes so far.
    pub(crate) fn changes(&self) -> &Changes {
        &self.block
    }

    /// The store below.
    pub(crate) fn base(&self) -> &'a dyn Store {
        self.base
    }

    /// The bytes of an entry as seen before the open transaction.
    pub(crate) fn bytes_before(&self, key: &[u8]) -> Step<Option<Vec<u8>>> {
        match self.block.get(key) {
            Some(change) => Ok(change.clone()),
            None => self.committed(key),
        }
    }

    /// The bytes of an entry in the committed state.
    pub(crate) fn committed(&self, key: &[u8]) -> Step<Option<Vec<u8>>> {
        if let Some(seen) = self.seen.borrow().get(key) {
            return Ok(seen.clone());
        }
        let bytes = self.base.get(key)?;
        self.seen.borrow_mut().insert(key.to_vec(), bytes.clone());
        Ok(bytes)
    }

    fn bytes(&self, key: &[u8]) -> Step<Option<Vec<u8>>> {
        match self.transaction.as_ref().and_then(|layer| layer.get(key)) {
            Some(change) => Ok(change.clone()),
            None => self.bytes_before(key),
        }
    }

    fn write(&mut self, key: Vec<u8>, value: Option<Vec<u8>>) {
        self.transaction
            .as_mut()
            .unwrap_or(&mut self.block)
            .insert(key, value);
    }

    /// An entry.
    pub(crate) fn load<T: DeserializeOwned>(&self, key: Key) -> Step<Option<T>> {
        let key = key.to_bytes();
        match self.bytes(&key)? {
            Some(bytes) => read_entry(&key, &bytes).map(Some),
            None => Ok(None),
        }
    }

    /// True when the entry exists.
    pub(crate) fn has(&self, key: Key) -> Step<bool> {
        Ok(self.bytes(&key.to_bytes())?.is_some())
    }

    /// Sets an entry.
    pub(crate) fn save<T: Serialize>(&mut self, key: Key, value: &T) {
        self.write(key.to_bytes(), Some(encode(value)));
    }

    /// Sets an entry that is only a mark.
    pub(crate) fn mark(&mut self, key: Key) {
        self.write(key.to_bytes(), Some(Vec::new()));
    }

    /// Removes an entry.
    pub(crate) fn remove(&mut self, key: Key) {
        self.write(key.to_bytes(), None);
    }

    /// Removes an entry by its stored key.
    pub(crate) fn remove_bytes(&mut self, key: Vec<u8>) {
        self.write(key, None);
    }

    /// All entries under `prefix`, ascending, with the changes of this block.
    pub(crate) fn scan(&self, prefix: &[u8]) -> Step<Vec<Entry>> {
        let mut found: BTreeMap<Vec<u8>, Vec<u8>> = self
            .base
            .scan(prefix, None, usize::MAX)?
            .into_iter()
            .collect();
        for layer in [Some(&self.block), self.transaction.as_ref()]
            .into_iter()
            .flatten()
        {
            let changed = layer.range(prefix.to_vec()..);
            for (key, change) in changed.take_while(|(key, _)| key.starts_with(prefix)) {
                match change {
                    Some(value) => found.insert(key.clone(), value.clone()),
                    None => found.remove(key),
                };
            }
        }
        Ok(found.into_iter().collect())
    }

    /// All entries under `prefix`, decoded.
    pub(crate) fn scan_values<T: DeserializeOwned>(&self, prefix: &[u8]) -> Step<Vec<T>> {
        let entries = self.scan(prefix)?;
        entries
            .iter()
            .map(|(key, value)| read_entry(key, value))
            .collect()
    }

    /// The account at `address`; unknown ones are empty.
    pub(crate) fn account(&self, address: &Address) -> Step<Account> {
        Ok(self.load(Key::Account(*address))?.unwrap_or_default())
    }

    /// Sets an account. An account that holds nothing and sent nothing is no entry.
    pub(crate) fn save_account(&mut self, address: &Address, account: &Account) {
        match *account == Account::default() {
            true => self.remove(Key::Account(*address)),
            false => self.save(Key::Account(*address), account),
        }
    }

    /// Adds to a balance.
    pub(crate) fn credit(&mut self, address: &Address, amount: Shannons) -> Step<()> {
        if amount.is_zero() {
            return Ok(());
        }
        let mut account = self.account(address)?;
        account.balance = account
            .balance
            .checked_add(amount)
            .ok_or(Failure::Supply("a balance overflowed"))?;
        self.save_account(address, &account);
        Ok(())
    }

    /// Takes from a balance.
    pub(crate) fn debit(&mut self, address: &Address, amount: Shannons) -> Step<()> {
        let mut account = self.account(address)?;
        let available = account.balance;
        account.balance =
            available
                .checked_sub(amount)
                .ok_or(ExecutionError::InsufficientCoinBalance {
                    needed: amount,
                    available,
                })?;
        self.save_account(address, &account);
        Ok(())
    }

    /// The pool, which must exist: ids of pools come from validators, models and positions.
    pub(crate) fn pool(&self, id: &PoolId) -> Step<StakingPool> {
        self.load(Key::Pool(*id))?
            .ok_or_else(|| ExecutionError::StakingPoolNotFound.into())
    }

    /// Sets a pool.
    pub(crate) fn save_pool(&mut self, pool: &StakingPool) {
        self.save(Key::Pool(pool.id), pool);
    }

    /// The model, or `ModelNotFound`.
    pub(crate) fn model(&self, id: &ModelId) -> Step<Model> {
        self.load(Key::Model(*id))?
            .ok_or_else(|| ExecutionError::ModelNotFound.into())
    }

    /// Sets a model.
    pub(crate) fn save_model(&mut self, model: &Model) {
        self.save(Key::Model(model.id), model);
    }

    /// The target, or `TargetNotFound`.
    pub(crate) fn target(&self, id: &TargetId) -> Step<Target> {
        self.load(Key::Target(*id))?
            .ok_or_else(|| ExecutionError::TargetNotFound.into())
    }

    /// Sets a target.
    pub(crate) fn save_target(&mut self, target: &Target) {
        self.save(Key::Target(target.id), target);
    }

    /// The validator at `address`: a candidate, or one that joined once.
    pub(crate) fn validator(&self, address: &Address) -> Step<Option<Validator>> {
        self.load(Key::Validator(*address))
    }

    /// Sets a validator.
    pub(crate) fn save_validator(&mut self, validator: &Validator) {
        self.save(Key::Validator(validator.address), validator);
    }

    /// The committee of `epoch`; empty for epochs that never were.
    pub(crate) fn committee(&self, epoch: Epoch) -> Step<Committee> {
        let none = Committee {
            epoch,
            members: Vec::new(),
        };
        Ok(self.load(Key::Committee(epoch))?.unwrap_or(none))
    }

    /// Moves money into the emission pool.
    pub(crate) fn refill_emission(&mut self, amount: Shannons) -> Step<()> {
        let pool = &mut self.system.emission_pool;
        *pool = pool
            .checked_add(amount)
            .ok_or(Failure::Supply("the emission pool overflowed"))?;
        Ok(())
    }

    /// Moves money into the budget of targets.
    pub(crate) fn refill_targets(&mut self, amount: Shannons) -> Step<()> {
        let pot = &mut self.system.target_pot;
        *pot = pot
            .checked_add(amount)
            .ok_or(Failure::Supply("the target pot overflowed"))?;
        Ok(())
    }
}
