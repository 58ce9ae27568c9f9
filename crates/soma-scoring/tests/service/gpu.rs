//! The service on a GPU beside one on the CPU: through Vulkan, in software where there is no GPU, or
//! on CUDA.

use serde_json::json;
use soma_api::{BatchScoreResponse, PieceView, ScoreResponse, ScorerInfo};
use soma_model::Device;

use crate::world::{World, text};

async fn scores_as_the_cpu(device: Device) {
    let cpu = World::new().await;
    let gpu = World::with(|config| config.scorer.device = device).await;
    let models = [cpu.model(1).await, cpu.model(2).await, cpu.model(3).await];
    let target: Vec<f32> = (0..16).map(|at| at as f32 - 7.0).collect();
    // More sequences than are on the device at a time, and one that is not full.
    let data = [cpu.data(&text(17_508)).await, cpu.data(b"short").await];
    let body = json!({ "data": data, "models": models, "target_embedding": target });
    let expected = batch(&cpu, &body).await;
    for _ in 0..2 {
        same(&expected, &batch(&gpu, &body).await);
    }

    // The weights stay loaded, and the service says where.
    assert_eq!(gpu.metric("soma_scorer_loads").await, 3);
    let info = gpu.client.get(gpu.url("/v1/info")).send().await.unwrap();
    let info: ScorerInfo = info.json().await.unwrap();
    assert_eq!(info.device, device.to_string());
    gpu.works().await;
    gpu.service.shutdown().await;
}

/// Equal but for rounding.
fn same(expected: &[ScoreResponse], got: &[ScoreResponse]) {
    assert_eq!(expected.len(), got.len());
    for (expected, got) in expected.iter().zip(got) {
        assert_eq!(expected.winner, got.winner);
        for (expected, got) in expected.models.iter().zip(&got.models) {
            for (expected, got) in [
                (expected.loss, got.loss),
                (expected.bits_per_byte, got.bits_per_byte),
                (expected.distance, got.distance),
            ] {
                let (expected, got) = (expected.unwrap(), got.unwrap());
                assert!((expected - got).abs() < 1e-4, "{expected} and {got}");
            }
        }
    }
}

/// The scores of a batch, none of which may fail.
async fn batch(world: &World, body: &serde_json::Value) -> Vec<ScoreResponse> {
    let response = world.post("/v1/score/batch", body).await;
    let scores: BatchScoreResponse = response.json().await.unwrap();
    let scores = scores.results.into_iter().map(|piece| match piece {
        PieceView::Scores(scores) => scores,
        PieceView::Error(error) => panic!("{error:?}"),
    });
    scores.collect()
}

#[cfg(feature = "wgpu")]
#[tokio::test]
async fn a_service_scores_through_wgpu_as_on_the_cpu() {
    scores_as_the_cpu(Device::Wgpu(None)).await;
}

#[cfg(feature = "cuda")]
#[tokio::test]
async fn a_service_scores_on_cuda_as_on_the_cpu() {
    scores_as_the_cpu(Device::Cuda(0)).await;
}
