//! A scorer, a blob server, and what lies there.

use std::net::SocketAddr;
use std::time::Duration;

use reqwest::Response;
use serde_json::{Value, json};
use soma_api::{DataSource, DataView, WeightsSource};
use soma_blobs::server::{BlobServerConfig, router};
use soma_blobs::{BlobRef, FetchConfig, Store, StoreConfig};
use soma_crypto::sealed::{fresh_key, seal_bytes};
use soma_model::{Cpu, Device, ModelConfig, weights};
use soma_scoring::{ScoringService, ServiceConfig};
use tempfile::TempDir;
use tokio::task::JoinHandle;

/// A running scorer with a place for blobs.
pub(crate) struct World {
    pub(crate) service: ScoringService,
    pub(crate) client: reqwest::Client,
    pub(crate) folder: TempDir,
    store: Store,
}

/// Weights of the small model, as a file.
pub(crate) fn weights_file(seed: u64) -> Vec<u8> {
    let model = weights::random::<Cpu>(&ModelConfig::SMALL, seed, &Default::default());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weights.safetensors");
    weights::write(&model, &path).unwrap();
    std::fs::read(path).unwrap()
}

pub(crate) fn text(bytes: usize) -> Vec<u8> {
    (0..bytes).map(|at| (at * 37 % 97) as u8 + 32).collect()
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(|_| {}).await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut ServiceConfig)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let blobs = router(BlobServerConfig::new(folder.path().join("blobs"))).unwrap();
        tokio::spawn(async move { axum::serve(listener, blobs).await });
        let cache = folder.path().join("cache");
        let mut config = ServiceConfig::new("small", ModelConfig::SMALL, Device::Cpu, cache);
        config.listen = SocketAddr::from(([127, 0, 0, 1], 0));
        config.fetch = FetchConfig {
            first_pause: std::time::Duration::from_millis(5),
            tries: 2,
            ..FetchConfig::local()
        };
        change(&mut config);
        Self {
            service: ScoringService::start(config).await.unwrap(),
            client: reqwest::Client::new(),
            store: Store::new(StoreConfig::Server { url }).unwrap(),
            folder,
        }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.service.address())
    }

    /// Puts a blob on the server.
    pub(crate) async fn put(&self, bytes: &[u8]) -> BlobRef {
        self.store.upload_bytes(bytes.to_vec()).await.unwrap()
    }

    /// Seals and puts a weights file.
    pub(crate) async fn seal(&self, file: &[u8]) -> WeightsSource {
        let key = fresh_key();
        let (sealed, report) = seal_bytes(file, &key).unwrap();
        let blob = self.put(&sealed).await;
        WeightsSource {
            url: blob.url,
            checksum: blob.checksum,
            size: blob.size,
            key,
            plaintext_checksum: Some(report.plaintext_checksum),
        }
    }

    /// Random weights.
    pub(crate) async fn model(&self, seed: u64) -> WeightsSource {
        self.seal(&weights_file(seed)).await
    }

    /// Data on the server.
    pub(crate) async fn data(&self, bytes: &[u8]) -> DataSource {
        let blob = self.put(bytes).await;
        DataSource::Url(DataView {
            url: blob.url,
            checksum: blob.checksum,
            size: blob.size,
        })
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Response {
        let request = self.client.post(self.url(path)).json(body);
        request.send().await.unwrap()
    }

    /// Scores, or fails the test.
    pub(crate) async fn score(&self, data: &DataSource, models: &[WeightsSource]) -> Value {
        let response = self.post("/v1/score", &request(data, models)).await;
        assert_eq!(response.status(), 200, "{}", response.text().await.unwrap());
        response.json().await.unwrap()
    }

    /// The code and details of a failure.
    pub(crate) async fn refusal(&self, data: &DataSource, models: &[WeightsSource]) -> Value {
        let response = self.post("/v1/score", &request(data, models)).await;
        let status = response.status();
        let body: Value = response.json().await.unwrap();
        assert!(!status.is_success(), "{body}");
        assert!(
            body["message"].is_string() && body["details"].is_object(),
            "{body}"
        );
        body
    }

    /// A number of the metrics.
    pub(crate) async fn metric(&self, name: &str) -> u64 {
        let response = self.client.get(self.url("/metrics")).send().await.unwrap();
        let text = response.text().await.unwrap();
        let line = text
            .lines()
            .find(|line| line.split(' ').next() == Some(name));
        let value = line.and_then(|line| line.split(' ').nth(1)?.parse().ok());
        value.unwrap_or_else(|| panic!("no {name} in {text}"))
    }

    /// Waits until a number of the metrics is at least `value`.
    pub(crate) async fn until_metric(&self, name: &str, value: u64) {
        while self.metric(name).await < value {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Sends a request, and gives its status and answer when they come.
    pub(crate) fn send(&self, path: &str, body: Value) -> JoinHandle<(u16, Value)> {
        let request = self.client.post(self.url(path)).json(&body);
        tokio::spawn(async move {
            let response = request.send().await.unwrap();
            let status = response.status().as_u16();
            (status, response.json().await.unwrap())
        })
    }

    /// A batch that keeps the device busy for many seconds.
    pub(crate) async fn long_batch(&self, pieces: usize) -> Value {
        let data = vec![self.data(&text(1 << 20)).await; pieces];
        json!({ "data": data, "models": [self.model(1).await] })
    }

    /// It says that it is up.
    pub(crate) async fn is_ready(&self) {
        let health = self.client.get(self.url("/health")).send().await.unwrap();
        assert_eq!(health.status(), 200);
    }

    /// It is up and scores.
    pub(crate) async fn works(&self) {
        self.is_ready().await;
        let model = self.model(99).await;
        let scores = self.score(&self.data(b"still here").await, &[model]).await;
        assert_eq!(scores["winner"], 0);
    }
}

pub(crate) fn request(data: &DataSource, models: &[WeightsSource]) -> Value {
    json!({ "data": data, "models": models })
}
