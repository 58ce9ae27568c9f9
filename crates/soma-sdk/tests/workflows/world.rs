//! A localnet with a folder for blobs.

use std::path::PathBuf;

use soma_blobs::{Store, StoreConfig};
use soma_node::{Localnet, LocalnetConfig};
use soma_sdk::pages::collect;
use soma_sdk::types::ModelId;
use soma_sdk::workflows::publish::{PublishAs, PublishState, Publisher};
use soma_sdk::{Account, Client, TargetFilter};
use tempfile::TempDir;

pub(crate) struct World {
    pub(crate) net: Localnet,
    pub(crate) client: Client,
    pub(crate) folder: TempDir,
}

pub(crate) const NEW: PublishAs = PublishAs::New {
    stake: None,
    commission_bps: 500,
};

impl World {
    pub(crate) async fn start() -> Self {
        let net = Localnet::start(LocalnetConfig::for_tests()).await.unwrap();
        let client = Client::builder()
            .rpc_url(net.rpc_url())
            .faucet_url(net.faucet_url().unwrap())
            .admin_url(net.admin_url().unwrap())
            .build()
            .unwrap();
        Self {
            net,
            client,
            folder: TempDir::new().unwrap(),
        }
    }

    pub(crate) fn account(&self, place: usize) -> Account {
        let key = self.net.keys().accounts[place].secret_key.clone();
        self.client.account(key)
    }

    pub(crate) fn store(&self) -> Store {
        let path = self.folder.path().join("blobs");
        Store::new(StoreConfig::Folder {
            path,
            public_url_prefix: None,
        })
        .unwrap()
    }

    /// A file with `bytes`.
    pub(crate) fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }

    pub(crate) async fn publisher(&self, place: usize) -> Publisher {
        let folder = self.folder.path().join(format!("publish-{place}"));
        let publisher = Publisher::open(self.account(place), self.store(), &folder);
        publisher.await.unwrap()
    }

    /// A model of account `place` with these weights, active.
    pub(crate) async fn model(&self, place: usize, weights: &[u8]) -> ModelId {
        let weights = self.file(&format!("weights-{place}"), weights);
        let mut publisher = self.publisher(place).await;
        publisher
            .prepare(&weights, &embedding(), NEW)
            .await
            .unwrap();
        let model = loop {
            match publisher.advance(&|_| {}).await.unwrap() {
                PublishState::WaitingForEpoch { .. } => {
                    self.client.advance_epoch().await.unwrap();
                }
                PublishState::Revealed { model, .. } => break model,
                PublishState::Working | PublishState::Idle => {}
            }
        };
        self.client.advance_epoch().await.unwrap();
        assert_eq!(
            self.client.model(&model, false).await.unwrap().status,
            "active"
        );
        model
    }

    pub(crate) async fn open_targets(&self) -> Vec<soma_sdk::api::TargetView> {
        let open = TargetFilter {
            status: Some("open".to_owned()),
            with_embedding: true,
            ..TargetFilter::default()
        };
        let client = &self.client;
        collect(None, async |page| client.targets(&open, &page).await)
            .await
            .unwrap()
    }
}

pub(crate) fn embedding() -> Vec<f32> {
    (0..16).map(|n| 1.0 + n as f32).collect()
}
