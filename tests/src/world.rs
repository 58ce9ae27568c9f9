//! One chain in memory, its actors, and blocks made on request.

use std::collections::BTreeMap;
use std::sync::Arc;

use soma_chain::{
    BlockError, Chain, ChainConfig, CommittedBlock, MemoryStore, Reader, Rules, Store,
    VerifiedProposal, proof_of_possession_digest,
};
use soma_crypto::SecretKey;
use soma_crypto::transaction::{VerifiedTransaction, sign, transaction_digest, verify};
use soma_types::genesis::ChainName;
use soma_types::validator::MetadataText;
use soma_types::{
    Address, Bps, Embedding, ExecutionStatus, Genesis, GenesisAccount, GenesisModel,
    GenesisValidator, Misbehavior, ParameterOverrides, ParameterTable, Receipt, Shannons,
    SignedTransaction, Transaction, TransactionKind, ValidatorCandidate, ValidatorMetadata,
};

/// One SOMA.
pub const SOMA: Shannons = Shannons(1_000_000_000);

/// How a world starts.
#[derive(Clone)]
pub struct Setup {
    /// Validators of the first committee, with equal stake.
    pub validators: usize,
    /// Funded accounts besides.
    pub users: usize,
    /// Balance of every account in SOMA.
    pub balance: u64,
    /// Stake of every validator in SOMA.
    pub stake: u64,
    /// Parameters that differ from version 1.
    pub parameters: ParameterOverrides,
    /// Models that are active from the start.
    pub models: Vec<GenesisModel>,
    /// Versions of the protocol; the build's own when empty.
    pub versions: Vec<soma_types::Parameters>,
    /// Whether a forced epoch releases a whole emission.
    pub full_emission: bool,
    /// Time of the genesis in milliseconds since 1970.
    pub time_ms: soma_types::TimestampMs,
}

impl Default for Setup {
    fn default() -> Self {
        let parameters = [
            ("target_embedding_dim", 8),
            ("epoch_duration_ms", 1_000_000),
            ("target_hits_per_epoch", 16),
            ("target_initial_targets_per_epoch", 6),
            // Every direction is near enough, unless a test asks for less.
            ("target_initial_distance_threshold", 2 << 30),
            ("target_retention_epochs", 3),
        ];
        Self {
            validators: 4,
            users: 8,
            balance: 10_000,
            stake: 1_000,
            parameters: parameters
                .map(|(name, value)| (name.to_owned(), value))
                .into(),
            models: Vec::new(),
            versions: Vec::new(),
            full_emission: true,
            time_ms: 1_700_000_000_000,
        }
    }
}

impl Setup {
    /// Sets a parameter.
    #[must_use]
    pub fn with(mut self, name: &str, value: u64) -> Self {
        self.parameters.insert(name.to_owned(), value);
        self
    }
}

/// Key number `seed` of all worlds.
pub fn key(seed: u64) -> SecretKey {
    let bytes = soma_crypto::hash(soma_crypto::Domain::StateKey, seed.to_le_bytes());
    SecretKey::from_bytes(&bytes).expect("a hash is a valid key")
}

/// A key of a validator's consensus votes.
pub fn consensus_key(seed: u64) -> SecretKey {
    key(seed + 1_000_000)
}

/// Metadata of validator number `seed`.
pub fn metadata(seed: u64) -> ValidatorMetadata {
    let text = |text: String| MetadataText::new(text).expect("short");
    ValidatorMetadata {
        name: text(format!("validator-{seed}")),
        consensus_key: consensus_key(seed).public_key(),
        p2p_address: text(format!("/ip4/127.0.0.1/tcp/{}", 20_000 + seed)),
        rpc_address: text(String::new()),
        proxy_address: text(String::new()),
    }
}

/// A direction along axis `index` of `dim`.
pub fn axis(dim: usize, index: usize) -> Embedding {
    let mut values = vec![0.0; dim];
    values[index % dim] = 1.0;
    Embedding::from_f32(&values).expect("a unit vector")
}

/// A chain with actors.
pub struct World {
    /// The chain's store, to look into.
    pub store: Arc<MemoryStore>,
    /// The chain.
    pub chain: Arc<Chain<Arc<MemoryStore>>>,
    /// Keys of all actors by address: validators first, users after.
    pub keys: BTreeMap<Address, SecretKey>,
    /// Addresses of the first validators, by number.
    pub validators: Vec<Address>,
    /// Addresses of users, by number.
    pub users: Vec<Address>,
    /// Every proposal so far.
    pub proposals: Vec<VerifiedProposal>,
    /// The genesis.
    pub genesis: Genesis,
}

impl World {
    /// A world with the default setup.
    pub fn new() -> Self {
        Self::with(Setup::default())
    }

    /// A world as `setup` says. Keys depend on the actor's number only.
    pub fn with(setup: Setup) -> Self {
        let validator_keys: Vec<_> = (0..setup.validators as u64).map(key).collect();
        let user_keys: Vec<_> = (0..setup.users as u64).map(|n| key(n + 1_000)).collect();
        let addresses = |keys: &[SecretKey]| keys.iter().map(SecretKey::address).collect();
        let (validators, users): (Vec<_>, Vec<_>) =
            (addresses(&validator_keys), addresses(&user_keys));
        let genesis = genesis(&setup, &validators, &users);
        let store = Arc::new(MemoryStore::new());
        let chain = Arc::new(open(&store, &genesis, &setup));
        let keys = validator_keys.into_iter().chain(user_keys);
        World {
            keys: keys.map(|key| (key.address(), key)).collect(),
            store,
            chain,
            validators,
            users,
            proposals: Vec::new(),
            genesis,
        }
    }

    /// Reads of the committed state.
    pub fn read(&self) -> Reader<'_, Arc<MemoryStore>> {
        self.chain.reader()
    }

    /// The balance of `address`.
    pub fn balance(&self, address: &Address) -> Shannons {
        self.read().account(address).expect("readable").balance
    }

    /// Signs a transaction with the next nonce plus `ahead`.
    pub fn sign(&self, sender: &Address, kind: TransactionKind, ahead: u64) -> VerifiedTransaction {
        verify(self.sign_raw(sender, kind, ahead)).expect("signed by its sender")
    }

    /// As [`World::sign`], not verified.
    pub fn sign_raw(
        &self,
        sender: &Address,
        kind: TransactionKind,
        ahead: u64,
    ) -> SignedTransaction {
        let nonce = self.read().account(sender).expect("readable").nonce + ahead;
        let transaction = Transaction {
            chain_id: self.chain.chain_id(),
            sender: *sender,
            nonce,
            expiry_height: u64::MAX,
            kind,
        };
        sign(transaction, &self.keys[sender])
    }

    /// The proposal of the next block.
    pub fn proposal(&self, transactions: Vec<VerifiedTransaction>) -> VerifiedProposal {
        let head = self.chain.head();
        let epoch = self.chain.system().epoch;
        let committee = self
            .read()
            .committee(epoch)
            .expect("readable")
            .expect("present");
        VerifiedProposal {
            height: head.header.height + 1,
            time_ms: head.header.time_ms.saturating_add(1_000),
            parent: head.digest,
            proposer: committee.members[0].address,
            transactions,
            misbehavior: Vec::new(),
            end_epoch: false,
        }
    }

    /// Executes and commits a proposal.
    pub fn apply(&mut self, proposal: VerifiedProposal) -> Result<Arc<CommittedBlock>, BlockError> {
        let executed = self.chain.execute(&proposal)?;
        self.proposals.push(proposal);
        Ok(self.chain.commit(executed).expect("the store is in memory"))
    }

    /// A block with these transactions.
    pub fn block(&mut self, transactions: Vec<VerifiedTransaction>) -> Arc<CommittedBlock> {
        let proposal = self.proposal(transactions);
        self.apply(proposal).expect("a valid block")
    }

    /// An empty block.
    pub fn tick(&mut self) -> Arc<CommittedBlock> {
        self.block(Vec::new())
    }

    /// A block with one transaction; its receipt.
    pub fn run(&mut self, sender: &Address, kind: TransactionKind) -> Receipt {
        let transaction = self.sign(sender, kind, 0);
        self.block(vec![transaction]).receipts[0].clone()
    }

    /// As [`World::run`]; fails the test when the transaction fails.
    pub fn ok(&mut self, sender: &Address, kind: TransactionKind) -> Receipt {
        let name = kind.name();
        let receipt = self.run(sender, kind);
        assert_eq!(
            receipt.status,
            ExecutionStatus::Success,
            "{name} of {sender}"
        );
        receipt
    }

    /// As [`World::run`]; the error's stable name. Fails the test when the transaction succeeds.
    pub fn fails(&mut self, sender: &Address, kind: TransactionKind) -> &'static str {
        let name = kind.name();
        match self.run(sender, kind).status {
            ExecutionStatus::Failure { error } => error.name(),
            ExecutionStatus::Success => panic!("{name} of {sender} succeeded"),
        }
    }

    /// Ends the epoch with an empty block, and draws the targets of the next with another.
    pub fn end_epoch(&mut self) {
        self.end_epoch_with(Vec::new());
        self.tick();
    }

    /// Ends the epoch with evidence against validators.
    pub fn end_epoch_with(&mut self, misbehavior: Vec<Misbehavior>) {
        let mut proposal = self.proposal(Vec::new());
        proposal.end_epoch = true;
        proposal.misbehavior = misbehavior;
        self.apply(proposal).expect("a valid block");
    }

    /// Every entry of the state.
    pub fn dump(&self) -> BTreeMap<Vec<u8>, Vec<u8>> {
        let entries = self
            .store
            .scan(&soma_chain::key::prefix::STATE, None, usize::MAX);
        entries.expect("in memory").into_iter().collect()
    }

    /// Adds an actor without money.
    pub fn newcomer(&mut self, seed: u64) -> Address {
        let key = key(seed);
        let address = key.address();
        self.keys.insert(address, key);
        address
    }

    /// An application of actor `address` with the metadata of number `seed`.
    pub fn candidate(&self, address: &Address, seed: u64) -> TransactionKind {
        let digest = proof_of_possession_digest(&self.chain.chain_id(), address);
        TransactionKind::AddValidator(Box::new(ValidatorCandidate {
            metadata: metadata(seed),
            proof_of_possession: consensus_key(seed).sign_digest(&digest.0),
            commission_bps: 200,
        }))
    }

    /// The digest of a signed transaction's content.
    pub fn digest(signed: &SignedTransaction) -> soma_types::Digest {
        transaction_digest(&signed.transaction)
    }
}

impl Default for World {
    fn default() -> Self {
        Self::new()
    }
}

fn genesis(setup: &Setup, validators: &[Address], users: &[Address]) -> Genesis {
    let soma = |amount: u64| Shannons::from_soma(amount).expect("within the supply");
    let balance = soma(setup.balance);
    let mut accounts: Vec<_> = validators
        .iter()
        .chain(users)
        .map(|address| GenesisAccount {
            address: *address,
            balance,
        })
        .collect();
    accounts.sort_by_key(|account| account.address);
    let mut members: Vec<_> = (0u64..)
        .zip(validators)
        .map(|(number, address)| GenesisValidator {
            address: *address,
            metadata: metadata(number),
            commission: Bps::new(200).expect("below 10,000"),
            stake: soma(setup.stake),
        })
        .collect();
    members.sort_by_key(|member| member.address);
    Genesis {
        chain: ChainName::new("test").expect("short"),
        protocol_version: 1,
        parameters: setup.parameters.clone(),
        time_ms: setup.time_ms,
        emission_per_epoch: soma(1_370),
        allow_forced_epochs: true,
        full_emission_on_forced_epochs: setup.full_emission,
        accounts,
        validators: members,
        models: setup.models.clone(),
    }
}

fn open(store: &Arc<MemoryStore>, genesis: &Genesis, setup: &Setup) -> Chain<Arc<MemoryStore>> {
    let versions = match setup.versions.is_empty() {
        true => vec![soma_types::Parameters::v1()],
        false => setup.versions.clone(),
    };
    let table = ParameterTable::with_versions(versions, genesis.parameters.clone());
    let rules = Rules::with_table(genesis, table.expect("valid parameters")).expect("known");
    Chain::open_with_rules(Arc::clone(store), genesis, rules, ChainConfig::default())
        .expect("a valid genesis")
}
