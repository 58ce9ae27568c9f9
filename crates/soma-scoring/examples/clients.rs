//! Throughput of the service with many clients at once, beside one client that sends batches.
//!
//! `clients FOLDER SIZE CLIENTS SECONDS` makes two models of a size in FOLDER and runs the service
//! on them in this process. One client finds the size of its best batches; then the two ways take
//! turns, each for that many seconds in all. Prints a line `round BATCHES CLIENTS` for each turn, in
//! pieces per second, and how many requests were served and how many were asked to come back; any
//! other answer is an error.

use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use reqwest::StatusCode;
use serde_json::json;
use soma_api::{Base64, BatchScoreResponse, DataSource, PieceView, ScoreResponse, WeightsSource};
use soma_blobs::FetchConfig;
use soma_crypto::sealed::{fresh_key, seal_bytes};
use soma_model::{Cpu, Device, ModelConfig, weights};
use soma_scoring::{ScoringService, ServiceConfig};
use tokio::task::JoinSet;

/// The allocator and its settings are those of the programs that people run.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Tensors in large pages.
// SAFETY: the name and the type are those that the allocator reads its settings from.
#[allow(unsafe_code)]
#[unsafe(export_name = "_rjem_malloc_conf")]
pub static ALLOCATOR_SETTINGS: &[u8; 11] = b"thp:always\0";

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// Bytes of a piece: nearly a whole sequence.
const PIECE: usize = 1_000;
/// Pieces of a batch that are tried.
const BATCHES: [usize; 3] = [16, 64, 256];
/// Turns.
const ROUNDS: u32 = 3;

/// What clients share.
struct Target {
    client: reqwest::Client,
    url: String,
    models: Vec<WeightsSource>,
}

/// What clients saw.
#[derive(Default)]
struct Seen {
    served: usize,
    refused: usize,
}

#[tokio::main]
async fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, size, clients, seconds] = &arguments[..] else {
        return Err("say `clients FOLDER SIZE CLIENTS SECONDS`".into());
    };
    let (folder, clients) = (Path::new(folder), clients.parse()?);
    let seconds = Duration::from_secs(seconds.parse()?);
    std::fs::create_dir_all(folder)?;
    let config = ModelConfig::preset(size)?;
    let models = vec![make(folder, &config, 1)?, make(folder, &config, 2)?];
    let mut service = ServiceConfig::new(size, config, Device::Cpu, folder.join("cache"));
    service.listen.set_port(0);
    service.fetch = FetchConfig::local();
    let service = ScoringService::start(service).await?;
    let target = Arc::new(Target {
        client: reqwest::Client::new(),
        url: format!("http://{}", service.address()),
        models,
    });
    // Downloads and loads the models.
    target.batch(1).await?;

    let mut best = (0.0f64, 0);
    for pieces in BATCHES {
        let rate = target.batches(pieces, Duration::ZERO).await?;
        eprintln!("one client, batches of {pieces}: {rate:.1} pieces/s");
        if rate > best.0 {
            best = (rate, pieces);
        }
    }
    let mut seen = Seen::default();
    for round in 1..=ROUNDS {
        let batches = target.batches(best.1, seconds / ROUNDS).await?;
        let start = Instant::now();
        let served = seen.served;
        target.many(clients, seconds / ROUNDS, &mut seen).await?;
        let many = (seen.served - served) as f64 / start.elapsed().as_secs_f64();
        eprintln!(
            "round {round} of {ROUNDS}: one client with batches of {} {batches:.1} pieces/s, \
             {clients} clients {many:.1} pieces/s",
            best.1
        );
        println!("round {batches} {many}");
    }
    println!("served {}", seen.served);
    println!("refused {}", seen.refused);
    service.shutdown().await;
    Ok(())
}

/// Random weights, sealed.
fn make(folder: &Path, config: &ModelConfig, seed: u64) -> Outcome<WeightsSource> {
    let plain = folder.join("weights.safetensors");
    let model = weights::random::<Cpu>(config, seed, &Default::default());
    weights::write(&model, &plain)?;
    let key = fresh_key();
    let (sealed, report) = seal_bytes(&std::fs::read(&plain)?, &key)?;
    let path = folder.join(format!("sealed-{seed}"));
    std::fs::write(&path, sealed)?;
    Ok(WeightsSource {
        url: format!("file://{}", path.canonicalize()?.display()),
        checksum: report.ciphertext_checksum,
        size: report.sealed_len,
        key,
        plaintext_checksum: Some(report.plaintext_checksum),
    })
}

/// Piece number `number`, unlike the others.
fn piece(number: usize) -> DataSource {
    let bytes = (0..PIECE).map(|at| ((at + number) * (31 + number) % 251) as u8);
    DataSource::Inline {
        bytes: Base64(bytes.collect()),
    }
}

impl Target {
    async fn batch(&self, pieces: usize) -> Outcome<()> {
        let data: Vec<DataSource> = (0..pieces).map(piece).collect();
        let body = json!({ "data": data, "models": self.models });
        let url = format!("{}/v1/score/batch", self.url);
        let response = self.client.post(url).json(&body).send().await?;
        let answer: BatchScoreResponse = response.error_for_status()?.json().await?;
        for result in &answer.results {
            if let PieceView::Error(error) = result {
                return Err(format!("a piece of a batch failed: {error:?}").into());
            }
        }
        Ok(())
    }

    /// Pieces per second of one client that sends batches of `pieces` for this long.
    async fn batches(&self, pieces: usize, time: Duration) -> Outcome<f64> {
        let start = Instant::now();
        let mut sent = 0;
        while sent == 0 || start.elapsed() < time {
            self.batch(pieces).await?;
            sent += 1;
        }
        Ok((sent * pieces) as f64 / start.elapsed().as_secs_f64())
    }

    /// Clients that send one piece after the other for this long.
    async fn many(self: &Arc<Self>, clients: usize, time: Duration, all: &mut Seen) -> Outcome<()> {
        let end = Instant::now() + time;
        let mut running = JoinSet::new();
        for number in 0..clients {
            let target = Arc::clone(self);
            running.spawn(async move { target.one(number, end).await });
        }
        while let Some(ended) = running.join_next().await {
            let seen = ended??;
            all.served += seen.served;
            all.refused += seen.refused;
        }
        Ok(())
    }

    async fn one(&self, number: usize, end: Instant) -> Outcome<Seen> {
        let body = json!({ "data": piece(number), "models": self.models });
        let url = format!("{}/v1/score", self.url);
        let mut seen = Seen::default();
        while Instant::now() < end {
            let response = self.client.post(&url).json(&body).send().await?;
            if response.status() == StatusCode::SERVICE_UNAVAILABLE {
                let after = response.headers().get(reqwest::header::RETRY_AFTER);
                let after = after.and_then(|value| value.to_str().ok()?.parse().ok());
                let after = after.ok_or("503 without the time to come back")?;
                seen.refused += 1;
                tokio::time::sleep(Duration::from_secs(after)).await;
                continue;
            }
            let status = response.status();
            if status != StatusCode::OK {
                return Err(format!("{status}: {}", response.text().await?).into());
            }
            let scores: ScoreResponse = response.json().await?;
            if scores.winner.is_none() {
                return Err(format!("no winner: {scores:?}").into());
            }
            seen.served += 1;
        }
        Ok(seen)
    }
}
