//! Networks of engines in this process.

use std::collections::{HashSet, VecDeque};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use soma_chain::{Chain, ChainConfig, CommittedBlock, Rules, SledStore};
use soma_consensus::application::{Nonces, PickLimits};
use soma_consensus::{
    Bans, BlockSource, ChainApplication, ChainRules, ConsensusConfig, Engine, Fault, Handle,
    Identity, NetworkKey, Publisher, Timeouts, ValidatorKeys,
};
use soma_crypto::consensus::verify_certificate;
use soma_crypto::transaction::{VerifiedTransaction, sign, verify};
use soma_service::free_ports;
use soma_tests::world::{self, Setup, World};
use soma_types::{
    Address, Digest, Epoch, ExecutionStatus, Genesis, Height, ParameterTable, Parameters, Shannons,
    SignedTransaction, TimestampMs, Transaction, TransactionKind,
};
use tempfile::TempDir;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// What waits so long never comes.
const PATIENCE: Duration = Duration::from_secs(60);

/// Faults that ban a peer, and how long.
pub(crate) const MAX_FAULTS: u32 = 20;
pub(crate) const BAN: Duration = Duration::from_secs(15);

/// Transactions that wait, in order of arrival, and a clock.
#[derive(Default)]
pub(crate) struct Queue {
    waiting: Mutex<VecDeque<VerifiedTransaction>>,
    // A peer may pass on what is already in a block.
    done: Mutex<HashSet<Digest>>,
    epoch_to_end: Mutex<bool>,
    wake: Arc<Notify>,
}

impl Queue {
    fn push(&self, transaction: VerifiedTransaction) {
        let mut waiting = self.waiting.lock().unwrap();
        let digest = transaction.digest();
        if self.done.lock().unwrap().contains(&digest) {
            return;
        }
        if waiting.iter().all(|one| one.digest() != digest) {
            waiting.push_back(transaction);
        }
        self.wake.notify_one();
    }

    pub(crate) fn end_epoch(&self) {
        *self.epoch_to_end.lock().unwrap() = true;
        self.wake.notify_one();
    }
}

impl BlockSource for Queue {
    fn pick(&self, limits: PickLimits, nonces: Nonces<'_>) -> Vec<VerifiedTransaction> {
        let waiting = self.waiting.lock().unwrap();
        let mut picked: Vec<VerifiedTransaction> = Vec::new();
        for transaction in waiting.iter().take(limits.transactions) {
            let sender = transaction.transaction.sender;
            let before = picked.iter().filter(|one| one.transaction.sender == sender);
            let next = nonces(&sender).unwrap_or(0) + before.count() as u64;
            if transaction.transaction.nonce == next {
                picked.push(transaction.clone());
            }
        }
        picked
    }

    fn has_transactions(&self) -> bool {
        !self.waiting.lock().unwrap().is_empty()
    }

    fn is_epoch_to_end(&self) -> bool {
        *self.epoch_to_end.lock().unwrap()
    }

    fn wake(&self) -> Arc<Notify> {
        Arc::clone(&self.wake)
    }

    fn now_ms(&self) -> TimestampMs {
        now_ms()
    }

    fn receive(&self, transactions: Vec<SignedTransaction>, publisher: Publisher) {
        for signed in transactions {
            match verify(signed) {
                Ok(verified) => self.push(verified),
                Err(_) => publisher.blame(Fault::Transaction),
            }
        }
    }

    fn drop_failed(&self, transactions: &[Digest]) {
        let mut waiting = self.waiting.lock().unwrap();
        waiting.retain(|one| !transactions.contains(&one.digest()));
        self.done.lock().unwrap().extend(transactions);
    }

    fn on_commit(&self, block: &Arc<CommittedBlock>) {
        let done: Vec<_> = block.receipts.iter().map(|one| one.transaction).collect();
        self.drop_failed(&done);
        if block.block.end_epoch {
            *self.epoch_to_end.lock().unwrap() = false;
        }
    }
}

type NodeChain = Chain<SledStore>;

/// A running node.
pub(crate) struct Running {
    pub(crate) chain: Arc<NodeChain>,
    pub(crate) queue: Arc<Queue>,
    pub(crate) handle: Handle,
    stop: CancellationToken,
}

impl Node {
    /// Where peers find it.
    pub(crate) fn address(&self) -> String {
        format!("/ip4/127.0.0.1/tcp/{}", self.port)
    }
}

/// Transfers without end; it ends when this is dropped.
pub(crate) struct Load(tokio::task::JoinHandle<()>);

impl Drop for Load {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// A node, running or not.
pub(crate) struct Node {
    folder: PathBuf,
    network: NetworkKey,
    validator: Option<ValidatorKeys>,
    port: u16,
    pub(crate) running: Option<Running>,
}

/// Nodes on loopback that all know each other: validators first, in the order of the world's.
pub(crate) struct Network {
    _folder: TempDir,
    genesis: Genesis,
    versions: Vec<Parameters>,
    pub(crate) world: World,
    pub(crate) nodes: Vec<Node>,
    nonce: u64,
}

pub(crate) fn now_ms() -> TimestampMs {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    now.as_millis() as u64
}

impl Network {
    /// A network of `setup`'s validators and `followers` full nodes; nothing runs yet.
    pub(crate) fn new(setup: Setup, followers: usize) -> Self {
        let validators = setup.validators;
        let versions = match setup.versions.is_empty() {
            true => vec![Parameters::v1()],
            false => setup.versions.clone(),
        };
        let world = World::with(Setup {
            time_ms: setup.time_ms.max(now_ms()),
            ..setup
        });
        let folder = tempfile::tempdir().unwrap();
        let ports = free_ports(validators + followers).unwrap();
        let node = |(place, port)| Node {
            folder: folder.path().join(format!("{place}")),
            network: NetworkKey::generate(),
            validator: (place < validators).then(|| ValidatorKeys {
                address: world.validators[place],
                key: world::consensus_key(place as u64),
                next: Vec::new(),
            }),
            port,
            running: None,
        };
        let nodes = ports.into_iter().enumerate().map(node).collect();
        Self {
            _folder: folder,
            genesis: world.genesis.clone(),
            versions,
            world,
            nodes,
            nonce: 0,
        }
    }

    /// Starts node number `place`; what it kept is there again.
    pub(crate) async fn start(&mut self, place: usize) {
        let ports: Vec<u16> = self.nodes.iter().map(|node| node.port).collect();
        let node = &mut self.nodes[place];
        std::fs::create_dir_all(&node.folder).unwrap();
        let store = SledStore::open(node.folder.join("chain"), 8 << 20).unwrap();
        let config = ChainConfig {
            keep_blocks: None,
            keep_states: 16,
        };
        let overrides = self.genesis.parameters.clone();
        let table = ParameterTable::with_versions(self.versions.clone(), overrides).unwrap();
        let rules = Rules::with_table(&self.genesis, table).unwrap();
        let chain = Chain::open_with_rules(store, &self.genesis, rules, config).unwrap();
        let chain = Arc::new(chain);
        let queue = Arc::new(Queue::default());
        let address = node.validator.as_ref().map(|keys| keys.address);
        let application = ChainApplication::new(
            Arc::clone(&chain),
            Arc::clone(&queue),
            address.unwrap_or(Address([0; 32])),
            ChainRules::default(),
        );
        let peers = ports
            .iter()
            .enumerate()
            .filter(|(other, _)| *other != place);
        let config = ConsensusConfig {
            name: format!("node-{place}"),
            listen: format!("/ip4/127.0.0.1/tcp/{}", node.port),
            persistent_peers: peers
                .map(|(_, port)| format!("/ip4/127.0.0.1/tcp/{port}"))
                .collect(),
            discovery: false,
            max_connections_per_ip: 100,
            min_interval_ms: 5,
            sync_interval_ms: 300,
            bans: Bans {
                max_faults: MAX_FAULTS,
                ban_ms: BAN.as_millis() as u64,
                ..Bans::default()
            },
            timeouts: Timeouts {
                propose_ms: 400,
                ..Timeouts::default()
            },
            ..ConsensusConfig::default()
        };
        let identity = Identity {
            network: node.network.clone(),
            validator: node.validator.clone(),
        };
        let stop = CancellationToken::new();
        let handle = Engine::start(
            &config,
            identity,
            Arc::new(application),
            &node.folder,
            stop.clone(),
        );
        node.running = Some(Running {
            chain,
            queue,
            handle: handle.await.unwrap(),
            stop,
        });
    }

    /// Starts all nodes that do not run.
    pub(crate) async fn start_all(&mut self) {
        for place in 0..self.nodes.len() {
            if self.nodes[place].running.is_none() {
                self.start(place).await;
            }
        }
    }

    /// Ends node number `place`.
    pub(crate) async fn stop(&mut self, place: usize) {
        let running = self.nodes[place].running.take().unwrap();
        running.stop.cancel();
        running.handle.wait().await.unwrap();
        drop(running.queue);
        // Whoever still reads for a peer lets go of the store in a moment.
        let begin = Instant::now();
        while Arc::strong_count(&running.chain) > 1 && begin.elapsed() < PATIENCE {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Ends all nodes.
    pub(crate) async fn stop_all(&mut self) {
        for place in 0..self.nodes.len() {
            if self.nodes[place].running.is_some() {
                self.stop(place).await;
            }
        }
    }

    pub(crate) fn running(&self, place: usize) -> &Running {
        self.nodes[place].running.as_ref().unwrap()
    }

    pub(crate) fn height(&self, place: usize) -> Height {
        self.running(place).chain.head().header.height
    }

    pub(crate) fn epoch(&self, place: usize) -> Epoch {
        self.running(place).chain.system().epoch
    }

    /// A signed transaction of user number 0, with its next nonce.
    pub(crate) fn transfer(&mut self) -> SignedTransaction {
        let kind = TransactionKind::Transfer {
            recipient: self.world.users[1],
            amount: Shannons(1),
        };
        let sender = self.world.users[0];
        let nonce = self.nonce;
        self.nonce += 1;
        self.sign(sender, nonce, kind)
    }

    /// Signs a transaction of `sender`.
    pub(crate) fn sign(
        &self,
        sender: Address,
        nonce: u64,
        kind: TransactionKind,
    ) -> SignedTransaction {
        let transaction = Transaction {
            chain_id: self.world.chain.chain_id(),
            sender,
            nonce,
            expiry_height: u64::MAX,
            kind,
        };
        sign(transaction, &self.world.keys[&sender])
    }

    /// Gives a transaction to a node, which passes it on.
    pub(crate) fn send(&self, place: usize, signed: SignedTransaction) {
        let running = self.running(place);
        running.queue.push(verify(signed.clone()).unwrap());
        assert!(running.handle.outbox().broadcast(vec![signed]));
    }

    /// Sends transfers of user number 1 to node number `place`, which must not stop, until the load
    /// ends.
    pub(crate) fn load(&self, place: usize) -> Load {
        let running = self.running(place);
        let (queue, outbox) = (Arc::clone(&running.queue), running.handle.outbox());
        let (sender, recipient) = (self.world.users[1], self.world.users[2]);
        let key = self.world.keys[&sender].clone();
        let chain_id = self.world.chain.chain_id();
        Load(tokio::spawn(async move {
            for nonce in 0.. {
                let transaction = Transaction {
                    chain_id,
                    sender,
                    nonce,
                    expiry_height: u64::MAX,
                    kind: TransactionKind::Transfer {
                        recipient,
                        amount: Shannons(1),
                    },
                };
                let signed = sign(transaction, &key);
                queue.push(verify(signed.clone()).unwrap());
                outbox.broadcast(vec![signed]);
                tokio::time::sleep(Duration::from_millis(25)).await;
            }
        }))
    }

    /// Transfers of the load that are executed, as node number `place` has it.
    pub(crate) fn load_executed(&self, place: usize) -> u64 {
        let reader = self.running(place).chain.reader();
        reader.account(&self.world.users[1]).unwrap().nonce
    }

    /// Ends the epoch on all nodes; waits until they all are in the next.
    pub(crate) async fn end_epoch(&self) {
        let running = || self.nodes.iter().filter_map(|node| node.running.as_ref());
        let epoch = running().map(|node| node.chain.system().epoch).max();
        let next = epoch.unwrap().next();
        for node in running() {
            node.queue.end_epoch();
        }
        self.wait("the next epoch", |network| {
            let mut running = network
                .nodes
                .iter()
                .filter_map(|node| node.running.as_ref());
            running.all(|node| node.chain.system().epoch == next)
        })
        .await;
    }

    /// Makes node number `place` sign as validator `address` with its consensus key number `seed`,
    /// and with the one after it when the chain says so.
    pub(crate) fn become_validator(&mut self, place: usize, address: Address, seed: u64) {
        self.nodes[place].validator = Some(ValidatorKeys {
            address,
            key: world::consensus_key(seed),
            next: vec![world::consensus_key(seed + 1)],
        });
    }

    /// Sends a transaction, and waits until all running nodes have executed it with success.
    pub(crate) async fn execute(&self, place: usize, signed: SignedTransaction) {
        let digest = World::digest(&signed);
        self.send(place, signed);
        self.wait("a receipt", |network| {
            let mut running = network
                .nodes
                .iter()
                .filter_map(|node| node.running.as_ref());
            running.all(|node| {
                let found = node.chain.reader().transaction(&digest).unwrap();
                let Some((_, receipt)) = found else {
                    return false;
                };
                assert_eq!(receipt.status, ExecutionStatus::Success);
                true
            })
        })
        .await;
    }

    /// Waits until `holds`.
    pub(crate) async fn wait(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        let begin = Instant::now();
        while !holds(self) {
            for node in self.nodes.iter().filter_map(|node| node.running.as_ref()) {
                assert!(!node.handle.is_finished(), "an engine ended");
            }
            assert!(begin.elapsed() < PATIENCE, "waited in vain: {what}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Waits until all running nodes are at `height` at least.
    pub(crate) async fn reach(&self, height: Height) {
        self.wait(&format!("height {height}"), |network| {
            let running = network
                .nodes
                .iter()
                .filter_map(|node| node.running.as_ref());
            let mut heights = running.map(|node| node.chain.head().header.height);
            heights.all(|at| at >= height)
        })
        .await;
    }

    /// Sends transfers to node number `place` until all running nodes are `count` blocks further.
    pub(crate) async fn advance(&mut self, place: usize, count: u64) {
        let goal = self.height(place) + count;
        while self.height(place) < goal {
            let transfer = self.transfer();
            self.send(place, transfer);
            let height = self.height(place);
            self.wait("a block", |network| network.height(place) > height)
                .await;
        }
        self.reach(goal).await;
    }

    /// Checks that all running nodes have the same blocks, each with a certificate of its committee,
    /// in epochs that follow each other, and with all SOMA accounted for.
    pub(crate) fn check_agreement(&self) {
        let running: Vec<_> = self
            .nodes
            .iter()
            .filter_map(|node| node.running.as_ref())
            .collect();
        let heights = running.iter().map(|node| node.chain.head().header.height);
        let common = heights.min().unwrap();
        assert!(common > 0, "no blocks");
        let mut epoch = Epoch(0);
        for height in 1..=common {
            let mut headers = running.iter().map(|node| {
                let reader = node.chain.reader();
                let header = reader.block(height).unwrap().unwrap().header;
                let certificate = reader.certificate(height).unwrap().unwrap();
                let committee = reader.committee(header.epoch).unwrap().unwrap();
                verify_certificate(&certificate, &header, &committee).unwrap();
                header
            });
            let first = headers.next().unwrap();
            assert!(headers.all(|header| header == first), "height {height}");
            let follows = first.epoch == epoch || first.epoch == epoch.next();
            assert!(follows, "height {height}: {} after {epoch}", first.epoch);
            epoch = first.epoch;
        }
        for node in running {
            let reader = node.chain.reader();
            assert_eq!(reader.recount_supply().unwrap(), reader.supply().unwrap());
        }
    }
}
