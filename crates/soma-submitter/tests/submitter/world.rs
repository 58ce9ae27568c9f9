//! A network with models of random weights, and submitters of it.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use soma_blobs::{Store, StoreConfig};
use soma_localnet::{Network, NetworkConfig};
use soma_model::{Cpu, ModelConfig, weights};
use soma_sdk::api::TargetView;
use soma_sdk::pages::collect;
use soma_sdk::workflows::publish::{PublishAs, PublishState, Publisher};
use soma_sdk::{Account, Client, TargetFilter};
use soma_submitter::{Control, Stats, Submitter, SubmitterConfig, SubmitterEvent, Uploads};
use soma_types::{ModelId, TargetId};
use tempfile::TempDir;

/// The account that submits; account 0 owns the models.
pub(crate) const SUBMITTER: usize = 1;

pub(crate) struct World {
    pub(crate) network: Network,
    pub(crate) client: Client,
    pub(crate) folder: TempDir,
    pub(crate) models: Vec<ModelId>,
}

/// The largest threshold: everything hits.
pub(crate) const ANYWHERE: u64 = 2 << 30;

impl World {
    /// A network with `models` active models, where targets allow a distance of `threshold` units.
    pub(crate) async fn start(models: usize, threshold: u64) -> Self {
        Self::with(models, threshold, |_| {}).await
    }

    pub(crate) async fn with(
        models: usize,
        threshold: u64,
        change: impl FnOnce(&mut NetworkConfig),
    ) -> Self {
        let mut config = NetworkConfig::for_tests();
        let parameters = &mut config.node.parameters;
        parameters.insert("target_initial_distance_threshold".to_owned(), threshold);
        parameters.insert("target_initial_targets_per_epoch".to_owned(), 5);
        change(&mut config);
        let network = Network::start(config).await.unwrap();
        let client = Client::builder()
            .rpc_url(network.node().rpc_url())
            .faucet_url(network.node().faucet_url().unwrap())
            .admin_url(network.node().admin_url().unwrap())
            .scoring_url(network.scorer_url().unwrap())
            .build()
            .unwrap();
        let mut world = Self {
            network,
            client,
            folder: TempDir::new().unwrap(),
            models: Vec::new(),
        };
        let mut publishers = Vec::new();
        for seed in 0..models as u64 {
            publishers.push(world.publish(seed, None).await);
        }
        world.advance().await;
        for publisher in &mut publishers {
            let model = publisher.run(&|_| {}).await.unwrap();
            world.models.extend(model);
        }
        world.advance().await;
        world
    }

    /// Commits random weights as a new model, or as an update of `model`.
    pub(crate) async fn publish(&self, seed: u64, model: Option<ModelId>) -> Publisher {
        let path = self.folder.path().join(format!("weights-{seed}"));
        let random = weights::random::<Cpu>(&ModelConfig::SMALL, seed, &Default::default());
        weights::write(&random, &path).unwrap();
        let folder = self.folder.path().join(format!("publish-{seed}"));
        let publisher = Publisher::open(self.account(0), self.store(), &folder);
        let mut publisher = publisher.await.unwrap();
        let mut embedding = vec![0.1; 16];
        embedding[seed as usize % 16] = 1.0;
        let publish_as = match model {
            Some(model) => PublishAs::Model(model),
            None => PublishAs::New {
                stake: None,
                commission_bps: 0,
            },
        };
        publisher
            .prepare(&path, &embedding, publish_as)
            .await
            .unwrap();
        loop {
            match publisher.advance(&|_| {}).await.unwrap() {
                PublishState::Working => {}
                PublishState::WaitingForEpoch { .. } => return publisher,
                state => panic!("{state:?}"),
            }
        }
    }

    pub(crate) async fn advance(&self) {
        self.client.advance_epoch().await.unwrap();
    }

    pub(crate) fn account(&self, place: usize) -> Account {
        let key = &self.network.node().keys().accounts[place].secret_key;
        self.client.account(key.clone())
    }

    pub(crate) fn store(&self) -> Store {
        let url = self.network.blobs_url().unwrap();
        Store::new(StoreConfig::Server { url }).unwrap()
    }

    /// A folder with these files.
    pub(crate) fn files(&self, name: &str, files: &[(&str, &[u8])]) -> PathBuf {
        let folder = self.folder.path().join(name);
        std::fs::create_dir_all(&folder).unwrap();
        for (name, bytes) in files {
            std::fs::write(folder.join(name), bytes).unwrap();
        }
        folder
    }

    /// Settings of a submitter of `source`, whose state is kept under `name`.
    pub(crate) fn config(&self, source: &Path, name: &str) -> SubmitterConfig {
        let state = self.folder.path().join(name);
        let uploads = Uploads::Store(self.store());
        SubmitterConfig {
            poll: Duration::from_millis(500),
            ..SubmitterConfig::new(vec![source.to_owned()], state, uploads)
        }
    }

    pub(crate) async fn targets(&self, status: &str) -> Vec<TargetView> {
        let filter = TargetFilter {
            status: Some(status.to_owned()),
            ..TargetFilter::default()
        };
        let client = &self.client;
        collect(None, async |page| client.targets(&filter, &page).await)
            .await
            .unwrap()
    }

    /// A target that is open. After a fill, the next block draws one anew.
    pub(crate) async fn open_target(&self) -> TargetId {
        let drawn = async {
            loop {
                if let Some(target) = self.targets("open").await.first() {
                    return target.id;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let limit = Duration::from_secs(60);
        tokio::time::timeout(limit, drawn).await.expect("no target")
    }

    /// Transactions of an account that were executed.
    pub(crate) async fn executed(&self, place: usize) -> u64 {
        let address = self.account(place).address();
        self.client.balance(&address).await.unwrap().nonce
    }
}

/// What a submitter told.
#[derive(Clone, Debug, Default)]
pub(crate) struct Told(Arc<Mutex<Vec<SubmitterEvent>>>);

impl Told {
    pub(crate) fn add(&self, event: &SubmitterEvent) {
        self.0.lock().unwrap().push(event.clone());
    }

    pub(crate) fn all(&self) -> Vec<SubmitterEvent> {
        self.0.lock().unwrap().clone()
    }

    /// States that submissions came to, in order.
    pub(crate) fn states(&self) -> Vec<String> {
        let all = self.all().into_iter();
        let states = all.filter_map(|event| match event {
            SubmitterEvent::Step { state, .. } => Some(state),
            _ => None,
        });
        states.collect()
    }

    pub(crate) fn any(&self, is: impl Fn(&SubmitterEvent) -> bool) -> bool {
        self.all().iter().any(is)
    }
}

/// Runs a submitter of account `place` and halts it at the first event that `is` picks. True when
/// there was one.
pub(crate) async fn run_until(
    world: &World,
    place: usize,
    config: SubmitterConfig,
    is: impl Fn(&SubmitterEvent) -> bool + Send + Sync + 'static,
) -> bool {
    let control = Control::default();
    let halt = control.clone();
    let was_told = Arc::new(AtomicBool::new(false));
    let tell = Arc::clone(&was_told);
    let observer = move |event: &SubmitterEvent| {
        if is(event) {
            tell.store(true, Ordering::SeqCst);
            halt.halt();
        }
    };
    let submitter = Submitter::open(world.account(place), config, control, observer);
    submitter.await.unwrap().run().await.unwrap();
    was_told.load(Ordering::SeqCst)
}

/// True when a submission came to this state.
pub(crate) fn is_step(event: &SubmitterEvent, name: &str) -> bool {
    matches!(event, SubmitterEvent::Step { state, .. } if state == name)
}

/// Runs a submitter of account `place` to its end.
pub(crate) async fn run(world: &World, place: usize, config: SubmitterConfig) -> (Stats, Told) {
    let told = Told::default();
    let teller = told.clone();
    let control = Control::default();
    let submitter = Submitter::open(world.account(place), config, control, move |event| {
        teller.add(event);
    });
    let report = submitter.await.unwrap().run().await.unwrap();
    (report.stats, told)
}
