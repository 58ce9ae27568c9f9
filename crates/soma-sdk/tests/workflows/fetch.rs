//! Downloading what the chain names.

use soma_blobs::{BlobError, FetchConfig};
use soma_sdk::types::ModelId;
use soma_sdk::{SdkError, SubmitData};
use tokio::task::JoinSet;

use crate::world::World;

#[tokio::test]
async fn weights_are_downloaded_and_opened() {
    let world = World::start().await;
    let bytes: Vec<u8> = (0..3_000_000_u32).map(|n| (n % 249) as u8).collect();
    let model = world.model(0, &bytes).await;
    let downloads = world.client.downloads(FetchConfig::local()).unwrap();
    let to = world.folder.path().join("downloaded");
    let weights = downloads.weights(&model, &to).await.unwrap();
    assert_eq!(std::fs::read(&to).unwrap(), bytes);
    let sealed = world.folder.path().join("as it lies");
    downloads.sealed_weights(&model, &sealed).await.unwrap();
    assert_eq!(std::fs::metadata(&sealed).unwrap().len(), weights.size);

    // The owner's file changes: what was there before stays, nothing wrong takes its place.
    let path = url::Url::parse(&weights.url)
        .unwrap()
        .to_file_path()
        .unwrap();
    let mut changed = std::fs::read(&path).unwrap();
    changed[2_000_000] ^= 1;
    std::fs::write(&path, changed).unwrap();
    let error = downloads.weights(&model, &to).await.unwrap_err();
    let is_mismatch = matches!(error, SdkError::Blob(BlobError::ChecksumMismatch { .. }));
    assert!(is_mismatch, "{error}");
    assert_eq!(std::fs::read(&to).unwrap(), bytes);

    let nobody = downloads.weights(&ModelId([9; 32]), &to).await;
    assert_eq!(nobody.unwrap_err().name(), "NotFound");
    world.net.shutdown().await.unwrap();
}

#[tokio::test]
async fn downloads_to_one_file_at_the_same_time_leave_it_whole_and_nothing_beside_it() {
    let world = World::start().await;
    let bytes: Vec<u8> = (0..3_000_000_u32).map(|n| (n % 241) as u8).collect();
    let model = world.model(0, &bytes).await;
    let downloads = world.client.downloads(FetchConfig::local()).unwrap();
    let folder = world.folder.path().join("downloads");
    std::fs::create_dir(&folder).unwrap();
    let to = folder.join("weights");
    let mut running = JoinSet::new();
    for number in 0..8 {
        let (downloads, to) = (downloads.clone(), to.clone());
        running.spawn(async move {
            match number % 2 {
                0 => downloads.weights(&model, &to).await,
                _ => downloads.sealed_weights(&model, &to).await,
            }
        });
    }
    for ended in running.join_all().await {
        ended.unwrap();
    }
    downloads.weights(&model, &to).await.unwrap();
    assert_eq!(std::fs::read(&to).unwrap(), bytes);
    let names = std::fs::read_dir(&folder).unwrap();
    let names: Vec<_> = names.map(|file| file.unwrap().file_name()).collect();
    assert_eq!(names, ["weights"]);
    world.net.shutdown().await.unwrap();
}

#[tokio::test]
async fn data_of_a_filled_target_is_downloaded() {
    let world = World::start().await;
    let model = world.model(0, b"weights").await;
    let target = world.open_targets().await.remove(0);
    let downloads = world.client.downloads(FetchConfig::local()).unwrap();
    let to = world.folder.path().join("data");
    let error = downloads.data(&target.id, &to).await.unwrap_err();
    assert!(error.to_string().contains("is open"), "{error}");

    let blob = world.store().upload_bytes(b"some data".to_vec()).await;
    let blob = blob.unwrap();
    let submit = SubmitData {
        target: target.id,
        url: &blob.url,
        checksum: blob.checksum,
        size: blob.size,
        model,
        embedding: target.embedding.as_deref().unwrap(),
        loss: 2.0,
        scored_with: None,
    };
    world.account(1).submit_data(&submit).await.unwrap();
    assert_eq!(downloads.data(&target.id, &to).await.unwrap(), 9);
    assert_eq!(std::fs::read(&to).unwrap(), b"some data");
    world.net.shutdown().await.unwrap();
}

#[tokio::test]
async fn weights_whose_own_url_is_gone_are_had_from_the_node() {
    let world = World::start().await;
    let model = world.model(0, b"weights that somebody else keeps").await;
    let at_node = format!("{}/v1/models/{model}/weights", world.net.rpc_url());
    assert_eq!(reqwest::get(at_node).await.unwrap().status(), 200);
    std::fs::remove_dir_all(world.folder.path().join("blobs")).unwrap();
    let downloads = world.client.downloads(FetchConfig::local()).unwrap();
    let to = world.folder.path().join("downloaded");
    downloads.weights(&model, &to).await.unwrap();
    let bytes = std::fs::read(&to).unwrap();
    assert_eq!(bytes, b"weights that somebody else keeps");

    // Who does not allow files gets them as well: the node is an address that the user chose.
    let downloads = world.client.downloads(FetchConfig::default()).unwrap();
    downloads.weights(&model, &to).await.unwrap();
    world.net.shutdown().await.unwrap();
}
