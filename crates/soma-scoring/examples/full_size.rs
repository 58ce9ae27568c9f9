//! Scores 4 KiB twice with a model of full size, and says what that took.
//!
//! `full_size make FOLDER [SIZE]` makes random weights and seals them; `full_size score FOLDER
//! [SIZE] [DEVICE]` runs the service on them in this process, whose peak memory is then that of
//! scoring.

use std::error::Error;
use std::fs::File;
use std::io::{BufReader, BufWriter};
use std::path::Path;
use std::time::Instant;

use serde_json::json;
use soma_blobs::FetchConfig;
use soma_crypto::sealed::{fresh_key, seal};
use soma_model::{Cpu, Device, ModelConfig, weights};
use soma_scoring::{ScoringService, ServiceConfig};

/// The allocator and its settings are those of the programs that people run.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Tensors in large pages.
// SAFETY: the name and the type are those that the allocator reads its settings from.
#[allow(unsafe_code)]
#[unsafe(export_name = "_rjem_malloc_conf")]
pub static ALLOCATOR_SETTINGS: &[u8; 11] = b"thp:always\0";

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let task = arguments.next().unwrap_or_default();
    let folder = arguments.next().ok_or("say which folder")?;
    let size = arguments.next().unwrap_or_else(|| "v1".to_owned());
    let device = arguments.next().unwrap_or_else(|| "cpu".to_owned());
    let folder = Path::new(&folder);
    match task.as_str() {
        "make" => make(folder, &size),
        "score" => {
            let score = score(folder, &size, device.parse()?);
            tokio::runtime::Runtime::new()?.block_on(score)
        }
        _ => Err("say `make` or `score`".into()),
    }
}

fn make(folder: &Path, size: &str) -> Result<(), Box<dyn Error>> {
    std::fs::create_dir_all(folder)?;
    let config = ModelConfig::preset(size)?;
    let plain = folder.join("weights.safetensors");
    weights::write(
        &weights::random::<Cpu>(&config, 1, &Default::default()),
        &plain,
    )?;
    let key = fresh_key();
    let sealed = BufWriter::new(File::create(folder.join("sealed"))?);
    let report = seal(BufReader::new(File::open(&plain)?), sealed, &key)?;
    let model = json!({
        "url": format!("file://{}", folder.join("sealed").canonicalize()?.display()),
        "checksum": report.ciphertext_checksum,
        "size": report.sealed_len,
        "key": key,
        "plaintext_checksum": report.plaintext_checksum,
    });
    std::fs::write(folder.join("model.json"), model.to_string())?;
    Ok(())
}

async fn score(folder: &Path, size: &str, device: Device) -> Result<(), Box<dyn Error>> {
    let config = ModelConfig::preset(size)?;
    let model = std::fs::read_to_string(folder.join("model.json"))?;
    let model: serde_json::Value = serde_json::from_str(&model)?;
    let mut service = ServiceConfig::new(size, config, device, folder.join("cache"));
    service.listen.set_port(0);
    service.fetch = FetchConfig::local();
    let service = ScoringService::start(service).await?;
    let url = format!("http://{}", service.address());
    let client = reqwest::Client::new();
    let bytes: Vec<u8> = (0..4_096).map(|at| (at * 31 % 251) as u8).collect();
    let data = soma_api::DataSource::Inline {
        bytes: soma_api::Base64(bytes),
    };
    let request = json!({ "data": data, "models": [model] });
    let mut losses = Vec::new();
    for name in ["first", "second"] {
        let begin = Instant::now();
        let response = client
            .post(format!("{url}/v1/score"))
            .json(&request)
            .send()
            .await?;
        let answer: serde_json::Value = response.error_for_status()?.json().await?;
        losses.push(answer["models"][0]["loss"].clone());
        println!("{name}_request_s {:.2}", begin.elapsed().as_secs_f64());
    }
    let metrics = client
        .get(format!("{url}/metrics"))
        .send()
        .await?
        .text()
        .await?;
    let loads = metrics
        .lines()
        .find_map(|line| line.strip_prefix("soma_scorer_loads "));
    println!("loads {}", loads.unwrap_or("unknown"));
    println!("loss {}", losses[0]);
    println!("same_loss {}", losses[0] == losses[1]);
    println!("weights_bytes {}", config.weight_bytes());
    let status = std::fs::read_to_string("/proc/self/status")?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let peak: u64 = peak
        .and_then(|text| text.trim().strip_suffix(" kB")?.parse().ok())
        .unwrap_or(0);
    println!("peak_bytes {}", peak * 1_024);
    service.shutdown().await;
    Ok(())
}
