//! Blobs that the node passes on.

use crate::world::{World, text};

#[tokio::test]
async fn data_and_weights_are_passed_on_also_when_their_url_is_gone() {
    let world = World::start().await;
    let targets = world.open_targets().await;
    let target = &targets[0];
    let claim = world.honest(target, &text(1, 5_000)).await;
    world.submit(3, target, &claim).await;
    world.audit(&target.id, |audit| audit.state == "done").await;
    // The audit has kept the data.
    let checksum = soma_crypto::checksum(&claim.data);
    std::fs::remove_file(world.blobs().join(checksum.to_string())).unwrap();
    let path = format!("/v1/targets/{}/data", target.id);
    let response = world.response(&path).await;
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["etag"], format!("\"{checksum}\""));
    assert_eq!(response.bytes().await.unwrap(), claim.data);

    let ranged = reqwest::Client::new().get(world.url(&path));
    let ranged = ranged
        .header("range", "bytes=1000-1999")
        .send()
        .await
        .unwrap();
    assert_eq!(ranged.status(), 206);
    assert_eq!(ranged.headers()["content-range"], "bytes 1000-1999/5000");
    assert_eq!(ranged.bytes().await.unwrap(), claim.data[1_000..2_000]);

    let model = world.model(&target.models[1]);
    let weights = model.weights.unwrap();
    let path = format!("/v1/models/{}/weights", model.id);
    for _ in 0..2 {
        let bytes = world.response(&path).await.bytes().await.unwrap();
        assert_eq!(soma_crypto::checksum(&bytes), weights.checksum);
        let _ = std::fs::remove_file(world.blobs().join(weights.checksum.to_string()));
    }
    world.finish().await;
}

#[tokio::test]
async fn weights_under_audit_are_kept_and_given_though_nobody_asked_before() {
    let world = World::start().await;
    let targets = world.open_targets().await;
    let target = &targets[0];
    let claim = world.honest(target, &text(1, 5_000)).await;
    world.submit(3, target, &claim).await;
    world.audit(&target.id, |audit| audit.state == "done").await;
    let pinned = world.target(&target.id).fill().unwrap().clone();
    assert_eq!(pinned.pinned_weights.iter().count(), 3);
    let cache = world.config.data_dir.as_ref().unwrap();
    let cache = cache.join("blob-cache/weights/blobs");
    for pinned in pinned.pinned_weights.iter() {
        let weights = pinned.weights.as_ref().unwrap();
        let name = weights.checksum.0.iter().map(|byte| format!("{byte:02x}"));
        let kept = cache.join(name.collect::<String>());
        world
            .until("weights in the cache", async || kept.exists().then_some(()))
            .await;
        std::fs::remove_file(world.blobs().join(weights.checksum.to_string())).unwrap();
        let path = format!("/v1/targets/{}/weights/{}", target.id, pinned.model);
        let response = world.response(&path).await;
        assert_eq!(response.status(), 200, "{path}");
        let bytes = response.bytes().await.unwrap();
        assert_eq!(soma_crypto::checksum(&bytes), weights.checksum);
    }
    let (open, other) = (targets[1].id, soma_types::ModelId([9; 32]));
    for path in [
        format!("/v1/targets/{open}/weights/{other}"),
        format!("/v1/targets/{}/weights/{other}", target.id),
    ] {
        let (status, body) = world.refusal(&path).await;
        assert_eq!((status, body["code"].as_str()), (404, Some("NotFound")));
    }
    world.finish().await;
}

#[tokio::test]
async fn what_cannot_be_passed_on_is_answered_by_name() {
    let world = World::start().await;
    let targets = world.open_targets().await;
    let (status, body) = world
        .refusal(&format!("/v1/targets/{}/data", targets[0].id))
        .await;
    assert_eq!((status, body["code"].as_str()), (404, Some("NotFound")));
    assert_eq!(body["details"]["status"], "open");
    let (status, _) = world
        .refusal(&format!("/v1/targets/{}/scorecard", targets[0].id))
        .await;
    assert_eq!(status, 404);
    for path in ["targets/0x00/data", "models/x/weights"] {
        assert_eq!(world.refusal(&format!("/v1/{path}")).await.0, 400);
    }
    let unknown = soma_types::ModelId([9; 32]);
    let (status, body) = world
        .refusal(&format!("/v1/models/{unknown}/weights"))
        .await;
    assert_eq!((status, body["code"].as_str()), (404, Some("NotFound")));

    let create = soma_types::TransactionKind::CreateModel {
        architecture_version: 1,
        stake: soma_types::Shannons(2_000_000_000),
        commission_bps: 0,
    };
    let receipt = world.execute(world.account(3), create).await;
    let model = receipt.created.iter().find_map(|object| match object {
        soma_types::ObjectRef::Model(id) => Some(*id),
        _ => None,
    });
    let path = format!("/v1/models/{}/weights", model.unwrap());
    let (status, body) = world.refusal(&path).await;
    assert_eq!((status, body["code"].as_str()), (404, Some("NotFound")));
    assert_eq!(body["details"]["status"], "created");

    let claim = world.honest(&targets[1], &text(1, 400)).await;
    world.submit_only(3, &targets[1], &claim).await;
    let path = format!("/v1/targets/{}/data", targets[1].id);
    let (status, body) = world.refusal(&path).await;
    assert_eq!(
        (status, body["code"].as_str()),
        (424, Some("DataUnavailable"))
    );
    let checksum = soma_crypto::checksum(&claim.data);
    crate::weights::put(&world.blobs(), &checksum, &text(2, 400));
    let (status, body) = world.refusal(&path).await;
    assert_eq!(
        (status, body["code"].as_str()),
        (422, Some("ChecksumMismatch"))
    );
    assert_eq!(body["details"]["blob"], "data");
    world.finish().await;
}

#[tokio::test]
async fn passing_on_can_be_switched_off_and_is_bounded() {
    let world = World::with(|config| config.blobs.serve = false).await;
    let target = world.open_targets().await.remove(0);
    let path = format!("/v1/models/{}/weights", target.models[0]);
    let (status, body) = world.refusal(&path).await;
    assert_eq!(
        (status, body["code"].as_str()),
        (404, Some("RouteNotFound"))
    );
    world.finish().await;
    let world = World::with(|config| config.blobs.max_streams = 0).await;
    let target = world.open_targets().await.remove(0);
    let path = format!("/v1/models/{}/weights", target.models[0]);
    let (status, body) = world.refusal(&path).await;
    assert_eq!((status, body["code"].as_str()), (503, Some("Overloaded")));
    world.finish().await;
}
