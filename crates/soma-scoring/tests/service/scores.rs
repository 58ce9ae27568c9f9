//! What good requests give.

use serde_json::json;
use soma_api::{Base64, BatchScoreResponse, DataSource, DownloadView, PieceView, ScoreResponse};
use soma_model::{Cpu, EvaluateOptions, ModelConfig, weights};
use soma_scoring::{MemoryNeeds, Precision};
use soma_types::Embedding;

use tokio::io::AsyncWriteExt as _;

use crate::web::{Web, declare};
use crate::world::{World, request, text};

#[tokio::test]
async fn scores_are_those_of_the_model_and_stay_the_same() {
    let world = World::new().await;
    let models = [
        world.model(1).await,
        world.model(2).await,
        world.model(3).await,
    ];
    let bytes = text(20_000);
    let data = world.data(&bytes).await;
    let target: Vec<f32> = (0..16).map(|at| at as f32 - 7.0).collect();
    let mut body = request(&data, &models);
    body["target_embedding"] = json!(target);
    let first: ScoreResponse = world.post("/v1/score", &body).await.json().await.unwrap();
    let second: ScoreResponse = world.post("/v1/score", &body).await.json().await.unwrap();
    assert_eq!(first, second);

    let device = Default::default();
    let direction = Embedding::from_f32(&target).unwrap();
    let mut best = (f64::INFINITY, usize::MAX);
    for (place, seed) in [1, 2, 3].into_iter().enumerate() {
        let model = weights::random::<Cpu>(&ModelConfig::SMALL, seed, &device);
        let alone = model
            .evaluate(&bytes, &EvaluateOptions::default(), &device)
            .unwrap();
        let score = &first.models[place];
        assert!((score.loss.unwrap() - alone.loss).abs() < 1e-5);
        assert!((score.bits_per_byte.unwrap() - alone.bits_per_byte).abs() < 1e-5);
        let embedding = Embedding::from_f32(score.embedding.as_ref().unwrap()).unwrap();
        let distance = soma_targets::cosine_distance(&embedding, &direction).unwrap();
        assert!((distance.to_f64() - score.distance.unwrap()).abs() < 1e-6);
        if alone.loss < best.0 {
            best = (alone.loss, place);
        }
    }
    assert_eq!(first.winner, Some(best.1));
    assert_eq!(first.data_checksum, soma_crypto::checksum(&bytes));
    // Each model was loaded once.
    assert_eq!(world.metric("soma_scorer_loads").await, 3);
    world.service.shutdown().await;
}

#[tokio::test]
async fn the_order_of_models_and_the_company_of_other_data_change_nothing() {
    let world = World::new().await;
    let models = [
        world.model(1).await,
        world.model(2).await,
        world.model(3).await,
    ];
    let pieces: Vec<_> = [3_000, 1, 17_508, 1_024].map(text).into();
    let inline = |bytes: &Vec<u8>| DataSource::Inline {
        bytes: Base64(bytes.clone()),
    };
    let data: Vec<DataSource> = pieces.iter().map(inline).collect();
    let mut turned = models.clone();
    turned.reverse();
    let forward = json!({ "data": data, "models": models });
    let response = world.post("/v1/score/batch", &forward).await;
    let forward: BatchScoreResponse = response.json().await.unwrap();
    let backward = json!({ "data": data, "models": turned });
    let response = world.post("/v1/score/batch", &backward).await;
    let backward: BatchScoreResponse = response.json().await.unwrap();
    for ((data, forward), backward) in data.iter().zip(&forward.results).zip(&backward.results) {
        let (PieceView::Scores(forward), PieceView::Scores(backward)) = (forward, backward) else {
            panic!("{forward:?} {backward:?}");
        };
        assert_eq!(forward.winner.map(|place| 2 - place), backward.winner);
        let alone = world.post("/v1/score", &request(data, &models)).await;
        let alone: ScoreResponse = alone.json().await.unwrap();
        assert_eq!(alone.winner, forward.winner);
        for place in 0..3 {
            let loss = forward.models[place].loss.unwrap();
            assert!((loss - backward.models[2 - place].loss.unwrap()).abs() < 1e-5);
            assert!((loss - alone.models[place].loss.unwrap()).abs() < 1e-5);
        }
    }
}

#[tokio::test]
async fn a_bad_piece_does_not_hurt_the_others() {
    let world = World::new().await;
    let models = [world.model(1).await];
    let mut missing = world.data(b"missing").await;
    if let DataSource::Url(view) = &mut missing {
        view.url = format!("{}x", view.url);
    }
    let data = [
        world.data(b"good").await,
        missing,
        world.data(b"good too").await,
    ];
    let body = json!({ "data": data, "models": models });
    let response = world.post("/v1/score/batch", &body).await;
    let answer: BatchScoreResponse = response.json().await.unwrap();
    assert!(matches!(answer.results[0], PieceView::Scores(_)));
    assert!(matches!(answer.results[2], PieceView::Scores(_)));
    let PieceView::Error(error) = &answer.results[1] else {
        panic!("{answer:?}");
    };
    assert_eq!(error.code, "DataUnavailable");
}

#[tokio::test]
async fn a_damaged_download_is_fetched_again() {
    let world = World::new().await;
    let models = [world.model(1).await];
    let data = world.data(&text(5_000)).await;
    let before = world.score(&data, &models).await;
    let blobs = world.folder.path().join("cache/blobs");
    for file in std::fs::read_dir(blobs).unwrap() {
        let path = file.unwrap().path();
        if path.metadata().unwrap().len() == 5_000 {
            std::fs::write(path, text(5_001).split_off(1)).unwrap();
        }
    }
    assert_eq!(world.score(&data, &models).await, before);
}

#[tokio::test]
async fn damaged_weights_are_fetched_again() {
    let needs = MemoryNeeds::of(&ModelConfig::SMALL, Precision::F32, 4);
    // Memory for one model: each is loaded from its file again and again.
    let world = World::with(|config| {
        config.max_request_bytes = Some(1 << 20);
        config.scorer.host_memory_bytes = needs.total() + (1 << 20);
    })
    .await;
    let (data, models) = (
        world.data(b"data").await,
        [world.model(1).await, world.model(2).await],
    );
    let before = world.score(&data, &models).await;
    assert_eq!(world.metric("soma_scorer_loads").await, 2);
    for file in std::fs::read_dir(world.folder.path().join("cache/blobs")).unwrap() {
        let path = file.unwrap().path();
        let mut bytes = std::fs::read(&path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        std::fs::write(path, bytes).unwrap();
    }
    assert_eq!(world.score(&data, &models).await, before);
    assert!(world.metric("soma_scorer_loads").await > 2);
}

#[tokio::test]
async fn it_says_what_it_is() {
    let world = World::new().await;
    let info = world
        .client
        .get(world.url("/v1/info"))
        .send()
        .await
        .unwrap();
    let info: soma_api::ScorerInfo = info.json().await.unwrap();
    assert_eq!(
        (info.device.as_str(), info.model_size.as_str()),
        ("cpu", "small")
    );
    assert_eq!((info.embedding_dim, info.parameters), (16, 13_192));
    assert_eq!(
        (info.loaded_models, info.queue, info.contract_version),
        (0, 0, 1)
    );
    world.works().await;
    let info = world.service.info();
    assert_eq!(info.loaded_models, 1);
    assert_eq!(info.loaded_bytes, 4 * 13_192);
    assert!(info.cache_bytes > 4 * 13_192);
}

#[tokio::test]
async fn progress_of_downloads_is_a_stream() {
    let world = World::new().await;
    let stream = world
        .client
        .get(world.url("/v1/downloads"))
        .send()
        .await
        .unwrap();
    assert_eq!(stream.headers()["content-type"], "text/event-stream");
    world.works().await;
    let mut stream = stream;
    let mut text = String::new();
    while !text.contains("\"done\"") {
        let chunk = stream.chunk().await.unwrap().expect("goes on");
        text.push_str(std::str::from_utf8(&chunk).unwrap());
    }
    assert!(text.contains("event: download"), "{text}");
    world.service.shutdown().await;
}

#[tokio::test]
async fn progress_is_told_while_a_download_runs_and_when_it_is_given_up() {
    let world = World::new().await;
    // Most of it, and then nothing.
    let web = Web::at([127, 0, 0, 1], async |mut stream, _| {
        declare(&mut stream, 8 << 20).await?;
        stream.write_all(&vec![0; 6 << 20]).await?;
        std::future::pending().await
    })
    .await;
    let mut model = world.model(1).await;
    (model.url, model.size) = (web.url(), 8 << 20);
    model.checksum = soma_crypto::checksum(b"never");
    let url = world.url("/v1/downloads");
    let mut stream = world.client.get(url).send().await.unwrap();
    let data = world.data(b"data").await;
    let waiting = world.send("/v1/score", request(&data, &[model.clone()]));
    let mut text = String::new();
    let mut until = async |is: fn(&DownloadView) -> bool| loop {
        let seen = text.lines().filter_map(|line| line.strip_prefix("data: "));
        let mut seen = seen.filter_map(|line| serde_json::from_str::<DownloadView>(line).ok());
        if let Some(found) = seen.find(|view| view.checksum == model.checksum && is(view)) {
            return found;
        }
        let chunk = stream.chunk().await.unwrap().expect("goes on");
        text.push_str(std::str::from_utf8(&chunk).unwrap());
    };
    let running = until(|view| view.state == "running" && view.bytes > 0).await;
    assert!(
        (512 << 10..=6 << 20).contains(&running.bytes),
        "{running:?}"
    );
    assert_eq!(running.total, 8 << 20);
    waiting.abort();
    until(|view| view.state == "failed").await;
    world.works().await;
}
