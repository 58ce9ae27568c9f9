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
    there_and_back(&place, &server, config(&server), &[0, 1, 70_000, 20 << 20]).await;
}

#[tokio::test]
async fn the_bucket_may_be_in_the_host_name_and_the_region_auto() {
    let place = Place::new();
    let server = S3Server::start_by_host(&place.folder().join("server")).await;
    let config = S3Config {
        virtual_host_style: true,
        region: "auto".to_owned(),
        ..config(&server)
    };
    let host = format!("http://{BUCKET}.localhost:");
    let urls = there_and_back(&place, &server, config, &[1, 20 << 20]).await;
    assert!(urls.iter().all(|url| url.starts_with(&host)), "{urls:?}");
}

/// Puts files of `sizes`, and fetches each by both of its URLs. Gives the public ones.
async fn there_and_back(
    place: &Place,
    server: &S3Server,
    config: S3Config,
    sizes: &[usize],
) -> Vec<String> {
    let by_host = config.virtual_host_style;
    let store = Store::new(StoreConfig::S3(config.clone())).unwrap();
    let fetcher = Fetcher::new(FetchConfig {
        s3: Some(config),
        s3_buckets: vec![BUCKET.to_owned()],
        ..FetchConfig::local()
    })
    .unwrap();
    let mut urls = Vec::new();
    for &size in sizes {
        let content: Vec<u8> = (0..size).map(|n| (n % 253) as u8).collect();
        let path = place.folder().join("file");
        std::fs::write(&path, &content).unwrap();
        let blob = store.upload(&path).await.unwrap();
        assert_eq!(blob.size, size as u64);
        let key = if by_host {
            blob.url.rsplit_once("/weights/").unwrap().1
        } else {
            let start = format!("{}/{BUCKET}/weights/", server.endpoint());
            blob.url.strip_prefix(&start).unwrap()
        };
        let s3 = BlobRef {
            url: format!("s3://{BUCKET}/weights/{key}"),
            ..blob.clone()
        };
        for blob in [&blob, &s3] {
            let to = place.folder().join("fetched");
            fetcher.fetch(blob, &to, &|_| {}).await.unwrap();
            assert_eq!(std::fs::read(&to).unwrap(), content);
            std::fs::remove_file(to).unwrap();
        }
        urls.push(blob.url);
    }
    urls
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
