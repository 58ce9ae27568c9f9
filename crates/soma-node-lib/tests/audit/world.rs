//! A node that audits, its scorer, three models, and who submits data.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;
use serde_json::Value;
use soma_api::{
    AuditView, Base64, DataSource, Page, ScoreRequest, ScoreResponse, WeightsSource, WeightsView,
};
use soma_blobs::FetchConfig;
use soma_chain::{SealedFields, TargetFilter, TargetQuery, submission_commitment};
use soma_crypto::SecretKey;
use soma_crypto::transaction::sign;
use soma_model::{Device, ModelConfig};
use soma_node::localnet::{LocalnetKeys, localnet_genesis};
use soma_node::{Application, LocalnetConfig, Node, NodeConfig, NodeHandle, NodeKeys};
use soma_scoring::{ScoringService, ServiceConfig};
use soma_types::{
    Address, Bps, DataManifest, Embedding, Epoch, ExecutionStatus, Genesis, GenesisModel, Loss,
    Model, ModelId, RawEmbedding, Receipt, Salt, Shannons, Submission, Target, TargetId,
    Transaction, TransactionKind, Url,
};
use tempfile::TempDir;

use crate::weights::{publish, put, url, weights_file};

/// Numbers of an embedding of the small model.
pub(crate) const DIM: usize = 16;

/// What all weights of each model are multiplied by: its losses are clearly its own.
pub(crate) const FACTORS: [f32; 3] = [1.0, 2.0, 4.0];

/// What waits so long never comes.
const PATIENCE: Duration = Duration::from_secs(120);

/// A submission, true or false.
#[derive(Clone)]
pub(crate) struct Claim {
    pub(crate) data: Vec<u8>,
    pub(crate) winner: ModelId,
    pub(crate) loss: Loss,
    pub(crate) embedding: Embedding,
}

pub(crate) struct World {
    pub(crate) folder: TempDir,
    pub(crate) keys: LocalnetKeys,
    pub(crate) genesis: Genesis,
    pub(crate) config: NodeConfig,
    pub(crate) scorer_address: SocketAddr,
    pub(crate) scorer: Option<ScoringService>,
    pub(crate) node: Option<NodeHandle>,
    salt: AtomicU8,
}

/// A port that was free a moment ago.
fn free_port() -> SocketAddr {
    let ports = soma_service::free_ports(1).unwrap();
    SocketAddr::from(([127, 0, 0, 1], ports[0]))
}

pub(crate) fn text(seed: u8, bytes: usize) -> Vec<u8> {
    (0..bytes)
        .map(|at| (at * 37 % 89) as u8 + 32 + seed % 5)
        .collect()
}

impl World {
    /// All running.
    pub(crate) async fn start() -> Self {
        Self::with(|_| {}).await
    }

    /// All running, with changed settings of the node.
    pub(crate) async fn with(change: impl FnOnce(&mut NodeConfig)) -> Self {
        let mut world = Self::new(change);
        world.start_scorer().await;
        world.start_node().await;
        world
    }

    /// Nothing running yet.
    pub(crate) fn new(change: impl FnOnce(&mut NodeConfig)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let keys = LocalnetKeys::generate(1, 6);
        let localnet = LocalnetConfig::for_tests();
        let mut genesis = localnet_genesis(&localnet, &keys);
        // Any direction is near enough: tests choose data freely.
        let far = 2 << 30;
        let threshold = "target_initial_distance_threshold".to_owned();
        genesis.parameters.insert(threshold, far);
        let blobs = folder.path().join("public");
        std::fs::create_dir_all(&blobs).unwrap();
        genesis.models = (0..3)
            .map(|place| GenesisModel {
                owner: keys.accounts[place].address,
                commission: Bps::ZERO,
                stake: Shannons(10_000_000_000),
                weights: publish(&blobs, &weights_file(place as u64, FACTORS[place])),
                embedding: axis(place),
            })
            .collect();
        let scorer_address = free_port();
        let mut config = localnet.node.clone();
        config.data_dir = Some(folder.path().join("node"));
        config.audit.scorer = vec![format!("http://{scorer_address}")];
        config.audit.first_pause_ms = 20;
        config.audit.longest_pause_ms = 50;
        config.audit.unavailable_after_ms = Some(300);
        config.audit.recheck_after_ms = Some(3_600_000);
        config.blobs.tries = 1;
        config.blobs.first_pause_ms = 1;
        change(&mut config);
        Self {
            folder,
            keys,
            genesis,
            config,
            scorer_address,
            scorer: None,
            node: None,
            salt: AtomicU8::new(1),
        }
    }

    pub(crate) async fn start_scorer(&mut self) {
        let cache = self.folder.path().join("scoring");
        let mut config = ServiceConfig::new("small", ModelConfig::SMALL, Device::Cpu, cache);
        config.listen = self.scorer_address;
        config.fetch = FetchConfig {
            first_pause: Duration::from_millis(1),
            tries: 1,
            ..FetchConfig::local()
        };
        self.scorer = Some(ScoringService::start(config).await.unwrap());
    }

    pub(crate) async fn stop_scorer(&mut self) {
        self.scorer.take().unwrap().shutdown().await;
    }

    pub(crate) async fn start_node(&mut self) {
        let keys = NodeKeys::of_validator(self.keys.first().secret_key.clone());
        let node = Node::start_as(self.genesis.clone(), self.config.clone(), keys);
        self.node = Some(node.await.unwrap());
    }

    pub(crate) async fn stop_node(&mut self) {
        self.node.take().unwrap().shutdown().await.unwrap();
    }

    /// Ends everything.
    pub(crate) async fn finish(mut self) {
        self.stop_node().await;
        if self.scorer.is_some() {
            self.stop_scorer().await;
        }
    }

    pub(crate) fn application(&self) -> &Arc<Application> {
        self.node.as_ref().unwrap().application()
    }

    pub(crate) fn blobs(&self) -> PathBuf {
        self.folder.path().join("public")
    }

    pub(crate) fn account(&self, place: usize) -> &SecretKey {
        &self.keys.accounts[place].secret_key
    }

    pub(crate) fn validator(&self) -> &SecretKey {
        &self.keys.first().secret_key
    }

    pub(crate) fn balance(&self, key: &SecretKey) -> u64 {
        let reader = self.application().chain().reader();
        reader.account(&key.address()).unwrap().balance.0
    }

    pub(crate) fn model(&self, id: &ModelId) -> Model {
        let reader = self.application().chain().reader();
        reader.model(id).unwrap().unwrap()
    }

    pub(crate) fn target(&self, id: &TargetId) -> Target {
        let reader = self.application().chain().reader();
        reader.target(id).unwrap().unwrap()
    }

    /// Sends a transaction and waits for what it did.
    pub(crate) async fn send(&self, key: &SecretKey, kind: TransactionKind) -> Receipt {
        let application = self.application();
        let nonce = {
            let reader = application.chain().reader();
            let account = reader.account(&key.address()).unwrap();
            application
                .mempool()
                .next_nonce(&key.address(), account.nonce)
        };
        let transaction = Transaction {
            chain_id: application.chain().chain_id(),
            sender: key.address(),
            nonce,
            expiry_height: u64::MAX,
            kind,
        };
        let ticket = application.enqueue(sign(transaction, key)).await.unwrap();
        ticket.receipt(PATIENCE).await.unwrap().receipt.unwrap()
    }

    /// As [`World::send`], for what must succeed.
    pub(crate) async fn execute(&self, key: &SecretKey, kind: TransactionKind) -> Receipt {
        let receipt = self.send(key, kind).await;
        assert_eq!(receipt.status, ExecutionStatus::Success);
        receipt
    }

    /// Ends the current epoch.
    pub(crate) async fn end_epoch(&self) -> Epoch {
        let application = self.application();
        let epoch = application.now().system.epoch;
        application.end_epoch(epoch);
        let mut blocks = application.watch();
        let changed = blocks.wait_for(|now| now.system.epoch > epoch).await;
        changed.unwrap().system.epoch
    }

    /// Targets that wait for data.
    pub(crate) async fn open_targets(&self) -> Vec<Target> {
        let filter = TargetFilter {
            status: Some(TargetQuery::Open),
            ..TargetFilter::default()
        };
        self.until("open targets", async || {
            let reader = self.application().chain().reader();
            let targets = reader.targets(&filter, None, 50).unwrap().targets;
            (targets.len() > 10).then_some(targets)
        })
        .await
    }

    /// What the scorer says of `data` for `target`, by all three models.
    pub(crate) async fn score(
        &self,
        target: &Target,
        data: &[u8],
    ) -> (Vec<ModelId>, ScoreResponse) {
        let (ids, models, direction) = {
            let reader = self.application().chain().reader();
            let ids = target.models.to_vec();
            let source = |id: &ModelId| {
                let weights = reader.model(id).unwrap().unwrap().weights.unwrap();
                WeightsSource::from(&WeightsView::from(&weights))
            };
            let models = ids.iter().map(source).collect();
            let direction = reader.target_embedding(&target.id).unwrap().unwrap();
            (ids, models, direction.to_f32())
        };
        let request = ScoreRequest {
            data: DataSource::Inline {
                bytes: Base64(data.to_vec()),
            },
            models,
            target_embedding: Some(direction),
            seed: 0,
        };
        let url = format!("http://{}/v1/score", self.scorer_address);
        let response = reqwest::Client::new().post(url).json(&request);
        let response = response.send().await.unwrap();
        (ids, response.json().await.unwrap())
    }

    /// The true claim for `data`.
    pub(crate) async fn honest(&self, target: &Target, data: &[u8]) -> Claim {
        let (ids, scores) = self.score(target, data).await;
        claim_of(&ids, &scores, scores.winner.unwrap(), data)
    }

    /// The true numbers of the model with the highest loss.
    pub(crate) async fn loser(&self, target: &Target, data: &[u8]) -> Claim {
        let (ids, scores) = self.score(target, data).await;
        let loss = |place: &usize| scores.models[*place].loss_fixed.unwrap();
        let worst = (0..ids.len()).max_by_key(loss).unwrap();
        let best = loss(&scores.winner.unwrap());
        assert!(loss(&worst) > best + best / 10, "{scores:?}");
        claim_of(&ids, &scores, worst, data)
    }

    /// Puts the data where it can be fetched, and submits it.
    pub(crate) async fn submit(&self, by: usize, target: &Target, claim: &Claim) {
        put(
            &self.blobs(),
            &soma_crypto::checksum(&claim.data),
            &claim.data,
        );
        self.submit_only(by, target, claim).await;
    }

    /// Submits without putting the data anywhere.
    pub(crate) async fn submit_only(&self, by: usize, target: &Target, claim: &Claim) {
        let checksum = soma_crypto::checksum(&claim.data);
        let place = url(&self.blobs().join(checksum.to_string()));
        self.submit_at(by, target, claim, place).await;
    }

    /// Submits data that is said to lie at `place`.
    pub(crate) async fn submit_at(&self, by: usize, target: &Target, claim: &Claim, place: Url) {
        let key = self.account(by);
        let checksum = soma_crypto::checksum(&claim.data);
        let submission = Submission {
            target: target.id,
            data: DataManifest {
                url: place,
                checksum,
                size: claim.data.len() as u64,
            },
            model: claim.winner,
            embedding: RawEmbedding::from(&claim.embedding),
            loss: claim.loss,
            salt: Salt([self.salt.fetch_add(1, Ordering::Relaxed); 32]),
        };
        let commitment = submission_commitment(&SealedFields {
            submitter: &key.address(),
            target: &submission.target,
            checksum: &submission.data.checksum,
            model: &submission.model,
            embedding: &submission.embedding,
            loss: submission.loss,
            salt: &submission.salt,
        });
        self.execute(key, TransactionKind::CommitSubmission { commitment })
            .await;
        let kind = TransactionKind::SubmitData(Box::new(submission));
        self.execute(key, kind).await;
    }

    /// Reads JSON from the node's API.
    pub(crate) async fn get<T: DeserializeOwned>(&self, path: &str) -> T {
        let response = self.response(path).await;
        assert_eq!(response.status(), 200, "{path}");
        response.json().await.unwrap()
    }

    /// The error that the node's API answers.
    pub(crate) async fn refusal(&self, path: &str) -> (u16, Value) {
        let response = self.response(path).await;
        (response.status().as_u16(), response.json().await.unwrap())
    }

    pub(crate) async fn response(&self, path: &str) -> reqwest::Response {
        reqwest::get(self.url(path)).await.unwrap()
    }

    pub(crate) fn url(&self, path: &str) -> String {
        let address = self.node.as_ref().unwrap().rpc_address();
        format!("http://{address}{path}")
    }

    /// The audit of the submission on `target`, once it is as asked for.
    pub(crate) async fn audit(
        &self,
        target: &TargetId,
        is: impl Fn(&AuditView) -> bool,
    ) -> AuditView {
        self.first(&format!("/v1/audits?target={target}"), is).await
    }

    /// The newest audit of weights of `model`, once it is as asked for.
    pub(crate) async fn weights_audit(
        &self,
        model: &ModelId,
        is: impl Fn(&AuditView) -> bool,
    ) -> AuditView {
        self.first(&format!("/v1/audits?model={model}"), is).await
    }

    async fn first(&self, path: &str, is: impl Fn(&AuditView) -> bool) -> AuditView {
        self.until(path, async || {
            let page: Page<AuditView> = self.get(path).await;
            page.items.into_iter().next().filter(|audit| is(audit))
        })
        .await
    }

    /// Waits for something that must come.
    pub(crate) async fn until<T>(&self, what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
        let begin = Instant::now();
        loop {
            if let Some(found) = look().await {
                return found;
            }
            if begin.elapsed() > PATIENCE {
                let audits: Value = self.get("/v1/audits").await;
                panic!("waited in vain for {what}; audits: {audits:#}");
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Kinds of the transactions that the validator has in blocks.
    pub(crate) fn duties(&self) -> Vec<(&'static str, bool)> {
        let application = self.application();
        let validator: Address = self.validator().address();
        let mut found = Vec::new();
        for height in 1..=application.now().height() {
            let block = application.block(height).unwrap().unwrap();
            let transactions = block.block.transactions.iter();
            for (signed, receipt) in transactions.zip(&block.receipts) {
                if signed.transaction.sender == validator {
                    let name = signed.transaction.kind.name();
                    found.push((name, receipt.status.is_success()));
                }
            }
        }
        found
    }
}

pub(crate) fn axis(place: usize) -> Embedding {
    let mut numbers = vec![0.0; DIM];
    numbers[place] = 1.0;
    Embedding::from_f32(&numbers).unwrap()
}

fn claim_of(ids: &[ModelId], scores: &ScoreResponse, place: usize, data: &[u8]) -> Claim {
    let score = &scores.models[place];
    Claim {
        data: data.to_vec(),
        winner: ids[place],
        loss: Loss(score.loss_fixed.unwrap()),
        embedding: Embedding::from_f32(score.embedding.as_ref().unwrap()).unwrap(),
    }
}
