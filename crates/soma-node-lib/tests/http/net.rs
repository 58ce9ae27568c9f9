//! A localnet in this process, its accounts, and short ways to ask it.

use std::net::SocketAddr;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use soma_api::{Balance, Base64, ReceiptView, SubmitRequest, SubmitResponse};
use soma_consensus::ValidatorKeys;
use soma_crypto::SecretKey;
use soma_crypto::transaction::sign;
use soma_node::application::wall_clock_ms;
use soma_node::{Application, Localnet, LocalnetConfig, Node, NodeConfig, NodeHandle, NodeKeys};
use soma_service::RateConfig;
use soma_tests::world::{Setup, World};
use soma_types::{
    Address, Epoch, Genesis, Shannons, SignedTransaction, Transaction, TransactionKind,
};

use crate::answer::Answer;
use crate::raw::{Request, send};

/// A wait that nothing here comes near: who waits so long and is not told anything gets an answer
/// without a receipt in the end, which no test takes.
pub(crate) const LONG_MS: u64 = 60_000;

/// No limit.
pub(crate) const NO_RATE: RateConfig = RateConfig {
    per_minute: 0,
    burst: 0,
};

/// A node's API, and who signs what is sent to it.
#[derive(Clone)]
pub(crate) struct Api {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// The node behind it.
    pub(crate) application: Arc<Application>,
}

impl Api {
    /// A GET.
    pub(crate) async fn get(&self, target: &str) -> Answer {
        send(self.address, &Request::new("GET", target)).await
    }

    /// The JSON of a GET that must succeed.
    #[track_caller]
    pub(crate) fn read<T: DeserializeOwned>(&self, target: &str) -> impl Future<Output = T> {
        let request = self.get(target);
        async move { request.await.json() }
    }

    /// Signs a transaction with a nonce of the caller's choice and a distant expiry.
    pub(crate) fn sign(
        &self,
        key: &SecretKey,
        nonce: u64,
        kind: TransactionKind,
    ) -> SignedTransaction {
        self.sign_until(key, nonce, u64::MAX, kind)
    }

    /// As [`Api::sign`], with a last height.
    pub(crate) fn sign_until(
        &self,
        key: &SecretKey,
        nonce: u64,
        expiry_height: u64,
        kind: TransactionKind,
    ) -> SignedTransaction {
        let transaction = Transaction {
            chain_id: self.application.chain().chain_id(),
            sender: key.address(),
            nonce,
            expiry_height,
            kind,
        };
        sign(transaction, key)
    }

    /// Sends a signed transaction and lets the node wait up to `wait_ms`.
    pub(crate) async fn post(&self, signed: &SignedTransaction, wait_ms: u64) -> Answer {
        let request = SubmitRequest {
            transaction: Base64::encode(signed),
            wait_ms: Some(wait_ms),
        };
        let body = serde_json::to_vec(&request).unwrap();
        send(self.address, &Request::post("/v1/transactions", body)).await
    }

    /// Sends a transaction that must be taken, and gives its receipt.
    pub(crate) async fn receipt(&self, signed: &SignedTransaction) -> ReceiptView {
        let answer: SubmitResponse = self.post(signed, LONG_MS).await.json();
        answer.receipt.expect("a receipt in time")
    }

    /// The next nonce and the balance of an account.
    pub(crate) async fn account(&self, address: &Address) -> Balance {
        self.read(&format!("/v1/accounts/{address}/balance")).await
    }

    /// Executes a transaction that must succeed.
    pub(crate) async fn execute(&self, key: &SecretKey, kind: TransactionKind) -> ReceiptView {
        let nonce = self.account(&key.address()).await.next_nonce;
        let receipt = self.receipt(&self.sign(key, nonce, kind)).await;
        assert!(receipt.is_success(), "{:?}", receipt.error);
        receipt
    }

    /// Ends `epoch`, which must be the current one, and waits for the next.
    pub(crate) async fn end_epoch(&self, epoch: Epoch) {
        self.application.end_epoch(epoch);
        let mut blocks = self.application.watch();
        let changed = blocks.wait_for(|now| now.system.epoch > epoch).await;
        changed.unwrap();
    }

    /// Checks that the node answers and still makes blocks.
    pub(crate) async fn assert_alive(&self, key: &SecretKey) {
        let health = self.get("/health").await;
        assert_eq!((health.status, &health.body[..]), (200, &b"ok"[..]));
        let before = self.application.now().height();
        let receipt = self.execute(key, transfer(Address([0xee; 32]), 1)).await;
        assert!(receipt.height > before);
    }
}

/// A payment of some shannons.
pub(crate) fn transfer(recipient: Address, shannons: u64) -> TransactionKind {
    TransactionKind::Transfer {
        recipient,
        amount: Shannons(shannons),
    }
}

/// A localnet on free ports.
pub(crate) struct Net {
    /// The localnet.
    pub(crate) localnet: Localnet,
    /// Its API.
    pub(crate) api: Api,
}

impl Net {
    /// A localnet without limits of rate.
    pub(crate) async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    /// A localnet whose settings `change` has changed.
    pub(crate) async fn start_with(change: impl FnOnce(&mut LocalnetConfig)) -> Self {
        let mut config = LocalnetConfig::for_tests();
        config.node.rpc.max_wait_ms = LONG_MS;
        config.node.rpc.guard.request_timeout_ms = 2 * LONG_MS;
        if let Some(faucet) = &mut config.faucet {
            faucet.rate_by_address = NO_RATE;
            faucet.rate_by_client = NO_RATE;
            faucet.guard.rate = NO_RATE;
        }
        change(&mut config);
        let localnet = Localnet::start(config).await.unwrap();
        let api = Api {
            address: address(&localnet.rpc_url()),
            application: Arc::clone(localnet.application()),
        };
        Self { localnet, api }
    }

    /// Where the faucet listens.
    pub(crate) fn faucet(&self) -> SocketAddr {
        address(&self.localnet.faucet_url().unwrap())
    }

    /// Where the admin routes listen.
    pub(crate) fn admin(&self) -> SocketAddr {
        address(&self.localnet.admin_url().unwrap())
    }

    /// The key of a funded account.
    pub(crate) fn key(&self, index: usize) -> &SecretKey {
        &self.localnet.keys().accounts[index].secret_key
    }

    /// Checks that the node still works, and ends it.
    pub(crate) async fn finish(self) {
        self.api.assert_alive(self.key(0)).await;
        self.localnet.shutdown().await.unwrap();
    }
}

/// A node of a chain that starts with validators, users and models.
pub(crate) struct WorldNode {
    /// Genesis and keys; its own chain is not used.
    pub(crate) world: World,
    /// The node.
    pub(crate) node: NodeHandle,
    /// Its API.
    pub(crate) api: Api,
}

impl WorldNode {
    /// A node of the world of `setup`, whose settings `change` has changed.
    pub(crate) async fn start(setup: Setup, change: impl FnOnce(&mut NodeConfig)) -> Self {
        Self::start_changed(setup, |_| {}, change).await
    }

    /// As [`WorldNode::start`], with a changed genesis too.
    pub(crate) async fn start_changed(
        setup: Setup,
        change_genesis: impl FnOnce(&mut Genesis),
        change: impl FnOnce(&mut NodeConfig),
    ) -> Self {
        let mut world = World::with(setup);
        // This node is the first validator, and a quorum: the others do not run.
        let first = world.validators[0];
        let validators = world.genesis.validators.iter_mut();
        for validator in validators.filter(|validator| validator.address == first) {
            validator.stake.0 *= 1_000;
        }
        world.genesis.time_ms = wall_clock_ms();
        change_genesis(&mut world.genesis);
        let mut config = NodeConfig::default();
        config.rpc.address = "127.0.0.1:0".parse().unwrap();
        config.rpc.max_wait_ms = LONG_MS;
        config.rpc.guard.request_timeout_ms = 2 * LONG_MS;
        config.rpc.guard.rate = NO_RATE;
        config.consensus.min_interval_ms = 1;
        change(&mut config);
        let genesis = world.genesis.clone();
        let validator = world.validators[0];
        let keys = NodeKeys {
            account: Some(world.keys[&validator].clone()),
            validator: Some(ValidatorKeys {
                address: validator,
                key: soma_tests::world::consensus_key(0),
                next: Vec::new(),
            }),
        };
        let node = Node::start_as(genesis, config, keys).await.unwrap();
        let api = Api {
            address: node.rpc_address(),
            application: Arc::clone(node.application()),
        };
        Self { world, node, api }
    }

    /// The key of a user.
    pub(crate) fn user(&self, index: usize) -> &SecretKey {
        &self.world.keys[&self.world.users[index]]
    }
}

fn address(url: &str) -> SocketAddr {
    url.trim_start_matches("http://").parse().unwrap()
}
