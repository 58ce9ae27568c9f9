//! Uploads to an S3-compatible server of others, which checks signatures, and downloads from it.

use soma_blobs::{BlobRef, FetchConfig, Fetcher, S3Config, Store, StoreConfig};
use soma_test_s3::{ACCESS_KEY_ID, BUCKET, S3Server, SECRET_ACCESS_KEY};

use crate::support::Place;

fn config(server: &S3Server) -> S3Config {
    S3Config {
        endpoint: Some(server.endpoint()),
        access_key_id: Some(ACCESS_KEY_ID.to_owned()),
        secret_access_key: Some(SECRET_ACCESS_KEY.to_owned()),
        prefix: "weights".to_owned(),
        ..S3Config::new(BUCKET)
    }
}

#[tokio::test]
async fn files_of_all_sizes_are_put_and_fetched_by_both_of_their_urls() {
    let place = Place::new();
    let server = S3Server::start(&place.folder().join("server")).await;
    let config = config(&server);
    let store = Store::new(StoreConfig::S3(config.clone())).unwrap();
    let fetcher = Fetcher::new(FetchConfig {
        s3: Some(config),
        ..FetchConfig::local()
    })
    .unwrap();
    for size in [0_usize, 1, 70_000, 20 << 20] {
        let content: Vec<u8> = (0..size).map(|n| (n % 253) as u8).collect();
        let path = place.folder().join("file");
        std::fs::write(&path, &content).unwrap();
        let blob = store.upload(&path).await.unwrap();
        assert_eq!(blob.size, size as u64);
        assert!(blob.url.starts_with(&server.endpoint()), "{}", blob.url);
        let key = blob.url.split_once(&format!("/{BUCKET}/")).unwrap().1;
        let s3 = BlobRef {
            url: format!("s3://{BUCKET}/{key}"),
            ..blob.clone()
        };
        for blob in [&blob, &s3] {
            let to = place.folder().join("fetched");
            fetcher.fetch(blob, &to, &|_| {}).await.unwrap();
            assert_eq!(std::fs::read(&to).unwrap(), content);
            std::fs::remove_file(to).unwrap();
        }
    }
}

#[tokio::test]
async fn a_wrong_secret_is_refused() {
    let place = Place::new();
    let server = S3Server::start(&place.folder().join("server")).await;
    let wrong = S3Config {
        secret_access_key: Some("wrong".to_owned()),
        ..config(&server)
    };
    let store = Store::new(StoreConfig::S3(wrong)).unwrap();
    let error = store.upload_bytes(b"data".to_vec()).await.unwrap_err();
    assert_eq!(error.name(), "UploadFailed");
}
