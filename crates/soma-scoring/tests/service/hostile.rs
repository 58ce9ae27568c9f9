//! What hostile and broken input gives: its error code, and a service that goes on.

use serde_json::{Value, json};
use soma_api::{Base64, DataSource, DataView};
use soma_blobs::{AddressPolicy, FetchConfig};
use soma_crypto::sealed::fresh_key;
use soma_scoring::{
    Device, MemoryNeeds, ModelConfig, Precision, Scorer, ScorerConfig, ScoringService,
    ServiceConfig, WeightsFile,
};
use tokio::io::AsyncWriteExt as _;

use crate::web::{Web, declare};
use crate::world::{World, request, text, weights_file};

fn inline(bytes: Vec<u8>) -> DataSource {
    DataSource::Inline {
        bytes: Base64(bytes),
    }
}

/// A header that claims tensors of 10^12 numbers.
pub(crate) fn boastful() -> Vec<u8> {
    let header = br#"{"embedding.weight":{"dtype":"F32","shape":[1000000,1000000],"data_offsets":[0,4000000000000]}}"#;
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend_from_slice(header);
    file
}

#[tokio::test]
async fn weights_that_are_not_a_model_are_refused_by_name() {
    let world = World::new().await;
    let data = world.data(b"data").await;
    let good = weights_file(1);
    let mut not_a_number = good.clone();
    let end = not_a_number.len();
    not_a_number[end - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
    let mut longer = good.clone();
    longer.push(0);
    let mut long_header = u64::MAX.to_le_bytes().to_vec();
    long_header.extend_from_slice(&[b' '; 100]);
    for (file, cause) in [
        (good[..good.len() / 2].to_vec(), "WrongLength"),
        (longer, "WrongLength"),
        (not_a_number, "NotFinite"),
        (boastful(), "MissingTensor"),
        (long_header, "Malformed"),
        (b"{}".to_vec(), "WrongLength"),
        (Vec::new(), "WrongLength"),
    ] {
        let model = world.seal(&file).await;
        let good = world.model(1).await;
        let refusal = world.refusal(&data, &[good, model]).await;
        assert_eq!(refusal["code"], "InvalidWeights", "{refusal}");
        assert_eq!(refusal["details"]["blob"], "weights");
        assert_eq!(refusal["details"]["model"], 1);
        let got = refusal["details"]["cause"].as_str().unwrap();
        assert!(
            got == cause || (cause == "MissingTensor" && got == "WrongShape"),
            "{refusal}"
        );
    }
    world.works().await;
}

#[tokio::test]
async fn a_wrong_key_a_wrong_checksum_and_a_cut_file_are_told_apart() {
    let world = World::new().await;
    let data = world.data(b"data").await;
    let good = world.model(1).await;
    let mut wrong = good.clone();
    wrong.key = fresh_key();
    let refusal = world.refusal(&data, &[wrong]).await;
    assert_eq!(refusal["code"], "DecryptionFailed", "{refusal}");
    let mut wrong = good.clone();
    wrong.plaintext_checksum = Some(soma_crypto::checksum(b"else"));
    let refusal = world.refusal(&data, &[wrong]).await;
    assert_eq!(refusal["code"], "PlaintextMismatch", "{refusal}");
    let mut wrong = good.clone();
    wrong.url = world.put(b"something else").await.url;
    wrong.checksum = soma_crypto::checksum(b"no such blob");
    for size in [14, 13, 15] {
        wrong.size = size;
        let refusal = world.refusal(&data, std::slice::from_ref(&wrong)).await;
        assert_eq!(refusal["code"], "ChecksumMismatch", "{refusal}");
        assert_eq!(refusal["details"]["blob"], "weights");
    }
    let mut gone = world.model(2).await;
    gone.url.push('x');
    let refusal = world.refusal(&data, &[gone]).await;
    assert_eq!(refusal["code"], "WeightsUnavailable", "{refusal}");
    // The right key still opens what the wrong one did not.
    world.score(&data, &[good]).await;
    world.works().await;
}

#[tokio::test]
async fn data_of_no_known_form_is_refused_with_the_forms_there_are() {
    let world = World::new().await;
    for (data, named) in [
        (json!({}), "[]"),
        (
            json!({ "url": "http://a/b", "size": 3 }),
            r#"["url", "size"]"#,
        ),
        (
            json!({ "bytes": "AAAA", "size": 3 }),
            r#"["bytes", "size"]"#,
        ),
        (json!({ "byte": "AAAA" }), "`byte`"),
        (json!("AAAA"), "AAAA"),
        (json!(null), "null"),
    ] {
        let body = json!({ "data": data, "models": [] });
        let response = world.post("/v1/score", &body).await;
        assert_eq!(response.status(), 400);
        let refusal: Value = response.json().await.unwrap();
        assert_eq!(refusal["code"], "InvalidJson", "{refusal}");
        let message = refusal["message"].as_str().unwrap();
        for part in ["`bytes`", "`url`", "`checksum`", "`size`", named] {
            assert!(message.contains(part), "{part}: {message}");
        }
    }
    world.works().await;
}

#[tokio::test]
async fn data_at_fault_is_told_from_weights_at_fault() {
    let world = World::with(|config| config.scorer.max_data_bytes = 10_000).await;
    let models = [world.model(1).await];
    let view = |blob: soma_blobs::BlobRef| DataView {
        url: blob.url,
        checksum: blob.checksum,
        size: blob.size,
    };
    let good = view(world.put(b"data").await);
    let missing = DataView {
        url: format!("{}x", good.url),
        checksum: soma_crypto::checksum(b"other"),
        ..good.clone()
    };
    let other = DataView {
        checksum: soma_crypto::checksum(b"atad"),
        ..good.clone()
    };
    let empty = DataView {
        size: 0,
        ..good.clone()
    };
    let large = view(world.put(&text(10_001)).await);
    for (data, code, blob) in [
        (DataSource::Url(missing), "DataUnavailable", Some("data")),
        (DataSource::Url(other), "ChecksumMismatch", Some("data")),
        (DataSource::Url(empty), "EmptyData", None),
        (DataSource::Url(large), "DataTooLarge", None),
        (inline(Vec::new()), "EmptyData", None),
        (inline(text(10_001)), "DataTooLarge", None),
    ] {
        let refusal = world.refusal(&data, &models).await;
        assert_eq!(refusal["code"], code, "{refusal}");
        assert_eq!(refusal["details"]["blob"].as_str(), blob, "{refusal}");
    }
    world.score(&inline(text(10_000)), &models).await;
    world.works().await;
}

#[tokio::test]
async fn addresses_inside_are_refused_unless_allowed() {
    let world = World::with(|config| config.fetch.policy = AddressPolicy::default()).await;
    let models = [world.model(1).await];
    let inline = DataSource::Inline {
        bytes: Base64(b"x".to_vec()),
    };
    let refusal = world.refusal(&inline, &models).await;
    assert_eq!(refusal["code"], "UrlNotAllowed", "{refusal}");
    assert_eq!(refusal["details"]["cause"], "AddressNotAllowed");
    let strict = World::with(|config| config.fetch = FetchConfig::default()).await;
    let mut file = world.model(1).await;
    file.url = "file:///etc/hostname".to_owned();
    let refusal = strict.refusal(&inline, &[file]).await;
    assert_eq!(refusal["code"], "UrlNotAllowed", "{refusal}");
    strict.is_ready().await;
}

#[tokio::test]
async fn a_redirect_to_an_address_inside_is_refused() {
    let world = World::with(|config| {
        config.fetch.policy = AddressPolicy {
            allow_private: false,
            also: vec![[127, 0, 0, 1].into()],
        };
    })
    .await;
    let inside = Web::at([127, 0, 0, 2], async |mut stream, _| {
        declare(&mut stream, 6).await?;
        stream.write_all(b"secret").await
    })
    .await;
    let to = inside.url();
    let outside = Web::at([127, 0, 0, 1], move |mut stream, _| {
        let answer = format!("HTTP/1.1 302 Found\r\nlocation: {to}\r\ncontent-length: 0\r\n\r\n");
        async move { stream.write_all(answer.as_bytes()).await }
    })
    .await;
    let data = DataSource::Url(DataView {
        url: outside.url(),
        checksum: soma_crypto::checksum(b"secret"),
        size: 6,
    });
    let refusal = world.refusal(&data, &[world.model(1).await]).await;
    assert_eq!(refusal["code"], "UrlNotAllowed", "{refusal}");
    assert_eq!(refusal["details"]["cause"], "AddressNotAllowed");
    assert_eq!((outside.asked(), inside.asked()), (1, 0));
    world.works().await;
}

#[tokio::test]
async fn a_server_that_breaks_off_and_knows_no_ranges_is_read_again_from_the_start() {
    let world = World::new().await;
    let content = text(40_000);
    let (checksum, size) = (soma_crypto::checksum(&content), content.len() as u64);
    let expected = world
        .score(&inline(content.clone()), &[world.model(1).await])
        .await;
    let web = Web::at([127, 0, 0, 1], move |mut stream, number| {
        let content = content.clone();
        async move {
            declare(&mut stream, content.len()).await?;
            // All of it only at the second time, whatever range is asked for.
            let sent = if number == 0 { 30_000 } else { content.len() };
            stream.write_all(&content[..sent]).await
        }
    })
    .await;
    let data = DataSource::Url(DataView {
        url: web.url(),
        checksum,
        size,
    });
    let scores = world.score(&data, &[world.model(1).await]).await;
    assert_eq!(scores["models"][0]["loss"], expected["models"][0]["loss"]);
    assert_eq!(web.asked(), 2);
    world.works().await;
}

#[cfg(unix)]
#[tokio::test]
async fn a_full_disk_is_the_scorers_own_trouble_and_shows_in_its_health() {
    let world = World::new().await;
    let (data, model) = (world.data(&text(30_000)).await, world.model(1).await);
    // Writing to this device fails as on a full disk.
    let parts = world.folder.path().join("cache/parts");
    let DataSource::Url(view) = &data else {
        unreachable!()
    };
    let source = soma_crypto::checksum(format!("{} {}", view.size, view.url));
    let hex = |bytes: &[u8]| -> String { bytes.iter().map(|b| format!("{b:02x}")).collect() };
    let part = parts.join(format!("{}-{}", hex(&view.checksum.0), hex(&source.0[..8])));
    let probe = parts.join("probe");
    for path in [&part, &probe] {
        std::os::unix::fs::symlink("/dev/full", path).unwrap();
    }
    let refusal = world.refusal(&data, std::slice::from_ref(&model)).await;
    assert_eq!(refusal["code"], "StorageFailed", "{refusal}");
    assert_eq!(refusal["details"]["cause"], "DiskFull");
    let health = world.client.get(world.url("/health")).send().await.unwrap();
    assert!(health.status().is_server_error(), "{}", health.status());
    let health: Value = health.json().await.unwrap();
    assert_eq!(health["code"], "StorageFailed", "{health}");
    for path in [&part, &probe] {
        std::fs::remove_file(path).unwrap();
    }
    world.score(&data, &[model]).await;
    world.works().await;
}

#[test]
fn a_model_that_does_not_fit_is_refused_before_it_is_loaded() {
    let mut config = ScorerConfig::new(ModelConfig::SMALL, Device::Cpu);
    let needed = config.needs().total();
    config.host_memory_bytes = needed - 1;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weights");
    std::fs::write(&path, weights_file(1)).unwrap();
    let scorer = Scorer::new(config).unwrap();
    let refusal = scorer.score(b"data", &[&WeightsFile::new(path).unwrap()], 0);
    let refusal = refusal.unwrap_err().body();
    assert_eq!(refusal.code, "OutOfMemory", "{refusal:?}");
    assert_eq!(refusal.details["needed"], needed);
    assert_eq!(scorer.loads(), 0);
}

#[tokio::test]
async fn a_service_that_could_score_nothing_does_not_start() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = ServiceConfig::new("small", ModelConfig::SMALL, Device::Cpu, folder.path());
    config.listen.set_port(0);
    config.scorer.host_memory_bytes = config.scorer.needs().total();
    let refused = ScoringService::start(config).await.err().unwrap();
    let text = refused.to_string();
    assert!(
        text.contains("--memory") && text.contains("one small model in f32"),
        "{text}"
    );
    let entries = std::fs::read_dir(folder.path()).unwrap();
    assert_eq!(entries.count(), 0, "refused before anything is made");
}

#[tokio::test]
async fn models_beyond_the_budget_take_turns() {
    let needs = MemoryNeeds::of(&soma_model::ModelConfig::SMALL, Precision::F32, 4);
    let room = needs.working + 2 * needs.weights;
    let world = World::with(|config| {
        config.max_request_bytes = Some(1 << 20);
        config.scorer.host_memory_bytes = room + (1 << 20);
    })
    .await;
    let data = world.data(b"data").await;
    let models = [
        world.model(1).await,
        world.model(2).await,
        world.model(3).await,
    ];
    let first = world.score(&data, &models).await;
    assert_eq!(world.service.info().loaded_models, 2);
    assert_eq!(world.score(&data, &models).await, first);
    assert!(world.service.info().loaded_bytes <= room);
}

#[tokio::test]
async fn a_dripping_server_gives_up_its_place() {
    let world = World::with(|config| {
        config.fetch.base_time = std::time::Duration::from_millis(300);
    })
    .await;
    let web = Web::at([127, 0, 0, 1], async |mut stream, _| {
        declare(&mut stream, 5_000).await?;
        loop {
            stream.write_all(b"x").await?;
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    })
    .await;
    let data = DataSource::Url(DataView {
        url: web.url(),
        checksum: soma_crypto::checksum(b"never"),
        size: 5_000,
    });
    let refusal = world.refusal(&data, &[world.model(1).await]).await;
    assert_eq!(refusal["code"], "DataUnavailable", "{refusal}");
    assert_eq!(refusal["details"]["cause"], "TooSlow");
    world.works().await;
}

#[tokio::test]
async fn downloads_beyond_the_disk_budget_are_the_scorers_own_trouble() {
    // Room for the weights of a model, and for no such data.
    let room = 10 << 20;
    let world = World::with(|config| {
        config.cache.max_bytes = room;
        config.set_max_data_bytes(2 * room);
    })
    .await;
    let data = DataSource::Url(DataView {
        url: world.url("/large"),
        checksum: soma_crypto::checksum(b"large"),
        size: room + 1,
    });
    let refusal = world.refusal(&data, &[world.model(1).await]).await;
    assert_eq!(refusal["code"], "StorageFailed", "{refusal}");
    assert_eq!(refusal["details"]["cause"], "CacheFull");
    world.is_ready().await;
    assert_eq!(world.service.info().queue, 0);
}

#[tokio::test]
async fn every_malformed_request_is_answered_with_a_typed_error() {
    let world = World::with(|config| config.max_models = 2).await;
    let data = world.data(b"data").await;
    let model = world.model(1).await;
    let good = request(&data, std::slice::from_ref(&model));
    let mut bodies: Vec<String> = ["", "x", "[]", "null", "1e999", "{\"data\":", "\"", "{}"]
        .map(str::to_owned)
        .into();
    bodies.push(format!("{}1{}", "[".repeat(20_000), "]".repeat(20_000)));
    let odd = [
        json!(null),
        json!(-1),
        json!(1e300),
        json!("x"),
        json!([]),
        json!({}),
        json!({ "bytes": "%" }),
        json!([[], null]),
    ];
    for field in ["data", "models", "target_embedding", "seed", "unknown"] {
        for value in &odd {
            let mut body = good.clone();
            body[field] = value.clone();
            bodies.push(body.to_string());
        }
    }
    for field in ["checksum", "size", "key", "plaintext_checksum", "unknown"] {
        for value in &odd {
            let mut body = good.clone();
            body["models"][0][field] = value.clone();
            bodies.push(body.to_string());
        }
    }
    for target in [vec![0.0; 16], vec![1.0; 15], vec![1.0; 100_000]] {
        let mut body = good.clone();
        body["target_embedding"] = json!(target);
        bodies.push(body.to_string());
    }
    // Whether or not the blob is kept.
    for url in ["", "x", "ftp://a/b", "http://", "http://a:b@c/"] {
        let mut body = good.clone();
        body["models"][0]["url"] = json!(url);
        bodies.push(body.to_string());
        body["models"][0]["checksum"] = json!(soma_crypto::checksum(url));
        bodies.push(body.to_string());
    }
    let many = vec![model; 3];
    bodies.push(request(&data, &many).to_string());
    for path in ["/v1/score", "/v1/score/batch"] {
        for body in &bodies {
            let request = world.client.post(world.url(path)).body(body.clone());
            let request = request.header("content-type", "application/json");
            let response = request.send().await.unwrap();
            let status = response.status().as_u16();
            let answer: Value = response.json().await.unwrap();
            // A null where something may be absent is as good as absent.
            let absent = body.contains("null") && status == 200;
            assert!(
                absent || (400..500).contains(&status),
                "{status} {answer} {body:.300}"
            );
            assert!(absent || answer["code"].is_string(), "{answer}");
        }
        let large = vec![b' '; 9 << 20];
        let request = world.client.post(world.url(path)).body(large);
        let request = request.header("content-type", "application/json");
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 413);
        let answer: Value = response.json().await.unwrap();
        assert_eq!(answer["details"]["max"], 8 << 20, "{answer}");
        assert!(
            answer["message"]
                .as_str()
                .unwrap()
                .contains("8388608 bytes")
        );
        let response = world
            .client
            .post(world.url(path))
            .body("{}")
            .send()
            .await
            .unwrap();
        assert_eq!(response.status(), 415);
        let response = world.client.get(world.url(path)).send().await.unwrap();
        assert_eq!(response.status(), 405);
    }
    world.works().await;
}
