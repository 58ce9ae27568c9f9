//! The whole game, with blobs in an S3-compatible store.

use std::path::Path;
use std::sync::Arc;

use soma_demo::{DemoConfig, DomainConfig};
use soma_sdk::blobs::{S3Config, StoreConfig};
use soma_test_s3::{ACCESS_KEY_ID, BUCKET, S3Server, SECRET_ACCESS_KEY};

/// Files of letters that no other domain has.
fn domain(root: &Path, name: &str, letters: &[u8]) -> DomainConfig {
    let folder = root.join(name);
    std::fs::create_dir_all(&folder).unwrap();
    let mut state = 7u32;
    for number in 0..80 {
        let mut text = format!("{number} ").into_bytes();
        for _ in 0..1_500 {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            text.push(letters[(state >> 16) as usize % letters.len()]);
        }
        std::fs::write(folder.join(number.to_string()), text).unwrap();
    }
    DomainConfig {
        name: name.to_owned(),
        paths: vec![folder],
        extensions: Vec::new(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_whole_game_is_played_with_an_s3_store() {
    let folder = tempfile::tempdir().unwrap();
    let bucket = folder.path().join("s3");
    let server = S3Server::start(&bucket).await;
    let config = DemoConfig {
        domains: vec![
            domain(folder.path(), "digits", b"0123456789 "),
            domain(folder.path(), "capitals", b"ABCDEFGHIJ KLMN"),
            domain(folder.path(), "signs", b"()[]{}<>;:,.!?"),
        ],
        storage: Some(StoreConfig::S3(S3Config {
            prefix: "demo".to_owned(),
            endpoint: Some(server.endpoint()),
            access_key_id: Some(ACCESS_KEY_ID.to_owned()),
            secret_access_key: Some(SECRET_ACCESS_KEY.to_owned()),
            ..S3Config::new(BUCKET)
        })),
        ..DemoConfig::quick()
    };
    let outcome = soma_demo::run(config, Arc::new(())).await.unwrap();
    assert!(outcome.passed(), "{:#?}", outcome.checks);
    let kept = bucket.join(BUCKET).join("demo");
    // Weights of three specialists, and data of as many submitters; one piece may fill several
    // targets.
    let blobs = std::fs::read_dir(kept).unwrap().count();
    assert!(blobs >= 6, "{blobs} blobs");
}
