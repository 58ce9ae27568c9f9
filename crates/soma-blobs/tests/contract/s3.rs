//! S3-compatible stores, both ways.

use axum::http::StatusCode;
use soma_blobs::{AddressPolicy, FetchConfig, Fetcher, S3Config, Store, StoreConfig};

use crate::s3_server::S3Server;
use crate::support::{MIB, Place, blob, bytes, config};
use crate::web::{Answer, Web};

fn store(config: S3Config) -> Store {
    Store::new(StoreConfig::S3(config)).unwrap()
}

/// Reads the buckets `box` and `other` with its keys.
fn fetcher(server: &S3Server) -> Fetcher {
    fetcher_with(server.config(), config())
}

fn fetcher_with(s3: S3Config, config: FetchConfig) -> Fetcher {
    Fetcher::new(FetchConfig {
        s3: Some(s3),
        s3_buckets: vec!["box".to_owned(), "other".to_owned()],
        ..config
    })
    .unwrap()
}

fn file(place: &Place, content: &[u8]) -> std::path::PathBuf {
    let path = place.folder().join("source");
    std::fs::write(&path, content).unwrap();
    path
}

#[tokio::test]
async fn a_small_file_is_put_in_one_request() {
    let (server, place, content) = (S3Server::new().await, Place::new(), bytes(MIB));
    let put = store(server.config()).upload(&file(&place, &content)).await;
    let put = put.unwrap();
    let path = format!("/box/{}", put.checksum);
    assert_eq!(put, blob(format!("{}{path}", server.endpoint()), &content));
    server.with(|held| {
        assert_eq!(held.objects[&path], content);
        assert_eq!(held.log, [format!("PUT {path}")]);
    });
}

#[tokio::test]
async fn bytes_are_put_under_the_public_prefix() {
    let (server, content) = (S3Server::new().await, bytes(1_000));
    let mut config = server.config();
    config.prefix = "weights/v1".to_owned();
    config.public_url_prefix = Some("https://cdn.example/w".to_owned());
    let put = store(config).upload_bytes(content.clone()).await.unwrap();
    let checksum = soma_crypto::checksum(&content);
    assert_eq!(
        put.url,
        format!("https://cdn.example/w/weights/v1/{checksum}")
    );
    let path = format!("/box/weights/v1/{checksum}");
    server.with(|held| assert_eq!(held.objects[&path], content));
}

#[tokio::test]
async fn a_large_file_is_put_in_parts() {
    let (server, place) = (S3Server::new().await, Place::new());
    let content = bytes(40 * MIB + 3);
    let put = store(server.config()).upload(&file(&place, &content)).await;
    let path = format!("/box/{}", put.unwrap().checksum);
    server.with(|held| {
        assert!(held.objects[&path] == content);
        assert!(held.uploads.is_empty());
        let mut log = held.log.clone();
        log.sort();
        let expected = [
            format!("POST {path} begin"),
            format!("POST {path} upload"),
            format!("PUT {path} part 1"),
            format!("PUT {path} part 2"),
            format!("PUT {path} part 3"),
        ];
        assert_eq!(log, expected);
    });
}

#[tokio::test]
async fn a_part_that_fails_for_a_moment_is_sent_again() {
    let (server, place) = (S3Server::new().await, Place::new());
    let content = bytes(20 * MIB);
    server.with(|held| held.failures = vec![("part 2", StatusCode::SERVICE_UNAVAILABLE)]);
    let put = store(server.config()).upload(&file(&place, &content)).await;
    let path = format!("/box/{}", put.unwrap().checksum);
    server.with(|held| assert!(held.objects[&path] == content));
}

#[tokio::test]
async fn an_upload_that_fails_leaves_no_parts() {
    let (server, place) = (S3Server::new().await, Place::new());
    let path = file(&place, &bytes(40 * MIB));
    // In the middle, and at the very end.
    for request in ["part 2", "upload"] {
        server.with(|held| held.failures = vec![(request, StatusCode::FORBIDDEN)]);
        let error = store(server.config()).upload(&path).await.unwrap_err();
        assert_eq!(error.name(), "UploadFailed", "{error}");
        assert!(error.is_own());
        assert!(!error.to_string().contains("hunter2"), "{error}");
        server.with(|held| {
            assert!(held.failures.is_empty(), "{request} failed");
            assert!(held.objects.is_empty());
            assert!(held.uploads.is_empty(), "parts cost money");
        });
    }
}

#[tokio::test]
async fn a_store_that_refuses_is_told() {
    let (server, place) = (S3Server::new().await, Place::new());
    let mut config = server.config();
    config.access_key_id = Some("SOMEBODY".to_owned());
    let error = store(config).upload_bytes(bytes(10)).await.unwrap_err();
    assert_eq!(error.name(), "UploadFailed", "{error}");
    let missing = place.folder().join("missing");
    let error = store(server.config()).upload(&missing).await.unwrap_err();
    assert_eq!(error.name(), "Io", "{error}");
}

#[tokio::test]
async fn a_blob_is_fetched_by_its_s3_url() {
    let (server, place, content) = (S3Server::new().await, Place::new(), bytes(MIB));
    server.with(|held| {
        held.objects
            .insert("/other/a/b%20c".to_owned(), content.clone());
    });
    let blob = blob("s3://other/a/b%20c", &content);
    assert_eq!(place.fetch(&fetcher(&server), &blob).await, Ok(()));
    assert_eq!(place.content(), content);
}

#[tokio::test]
async fn a_broken_s3_download_goes_on() {
    let (server, place, content) = (S3Server::new().await, Place::new(), bytes(MIB));
    server.with(|held| {
        held.objects.insert("/box/k".to_owned(), content.clone());
        held.break_after = Some(300_000);
    });
    let blob = blob("s3://box/k", &content);
    assert_eq!(place.fetch(&fetcher(&server), &blob).await, Ok(()));
    assert_eq!(place.content(), content);
    server.with(|held| {
        let ranges = held.log.iter().filter(|line| line.starts_with("range"));
        assert_eq!(ranges.collect::<Vec<_>>(), ["range bytes=300000-"]);
    });
}

#[tokio::test]
async fn what_the_store_gives_is_checked() {
    let (server, place, content) = (S3Server::new().await, Place::new(), bytes(MIB));
    server.with(|held| {
        held.objects.insert("/box/long".to_owned(), bytes(MIB + 1));
        held.objects.insert("/box/short".to_owned(), bytes(MIB - 1));
        held.objects.insert("/box/other".to_owned(), vec![0; MIB]);
    });
    for (key, name) in [
        ("long", "SizeMismatch"),
        ("short", "SizeMismatch"),
        ("other", "ChecksumMismatch"),
        ("none", "Unavailable"),
    ] {
        let blob = blob(format!("s3://box/{key}"), &content);
        let error = place.fetch(&fetcher(&server), &blob).await.unwrap_err();
        assert_eq!(error.name(), name, "{error}");
        assert!(!error.is_own());
    }
}

#[tokio::test]
async fn strangers_urls_are_read_without_a_signature() {
    let (server, place, content) = (S3Server::new().await, Place::new(), bytes(1_000));
    server.with(|held| {
        for path in ["/public/k", "/private/k"] {
            held.objects.insert(path.to_owned(), content.clone());
        }
        held.public = vec!["/public/k".to_owned()];
    });
    let (mut no_keys, fetcher) = (server.config(), fetcher(&server));
    let public = blob("s3://public/k", &content);
    assert_eq!(place.fetch(&fetcher, &public).await, Ok(()));
    // These keys could read it; nobody else is told that it is there.
    let private = blob("s3://private/k", &content);
    let error = Place::new().fetch(&fetcher, &private).await.unwrap_err();
    assert_eq!(error.name(), "Unavailable", "{error}");
    assert!(!error.is_own());
    // Without keys nothing is asked for any: not even for buckets of one's own.
    (no_keys.access_key_id, no_keys.secret_access_key) = (None, None);
    let without = fetcher_with(no_keys, config());
    let fetched = Place::new().fetch(&without, &public).await;
    assert_eq!(fetched, Ok(()));
    let own = blob("s3://box/k", &content);
    let error = Place::new().fetch(&without, &own).await.unwrap_err();
    assert_eq!(error.name(), "Unavailable", "{error}");
}

#[tokio::test]
async fn keys_that_are_refused_are_own_trouble() {
    let (server, place, content) = (S3Server::new().await, Place::new(), bytes(1_000));
    server.with(|held| {
        held.objects.insert("/box/k".to_owned(), content.clone());
    });
    let blob = blob("s3://box/k", &content);
    let mut wrong = server.config();
    wrong.access_key_id = Some("SOMEBODY".to_owned());
    let wrong = fetcher_with(wrong, config());
    let error = place.fetch(&wrong, &blob).await.unwrap_err();
    assert_eq!(error.name(), "Settings", "{error}");
    assert!(error.is_own(), "{error}");
    assert!(!error.to_string().contains("hunter2"), "{error}");
    for status in [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN] {
        server.with(|held| held.failures = vec![("GET", status)]);
        let error = place.fetch(&fetcher(&server), &blob).await.unwrap_err();
        assert_eq!(error.name(), "Settings", "{error}");
    }
    assert_eq!(place.fetch(&fetcher(&server), &blob).await, Ok(()));
}

#[tokio::test]
async fn a_store_that_does_not_answer_is_not_own_trouble_but_no_network_is() {
    let (place, content) = (Place::new(), bytes(1_000));
    let server = S3Server::new().await;
    let blob = blob("s3://box/k", &content);
    server.with(|held| {
        let down = StatusCode::SERVICE_UNAVAILABLE;
        held.failures = vec![("GET", down), ("GET", down), ("GET", down)];
    });
    let error = place.fetch(&fetcher(&server), &blob).await.unwrap_err();
    assert_eq!(error.name(), "Unavailable", "{error}");
    // An address that no machine can connect to: no way there from this one.
    let mut nowhere = server.config();
    nowhere.endpoint = Some("http://[ff02::1]:9".to_owned());
    let error = place.fetch(&fetcher_with(nowhere, config()), &blob).await;
    assert_eq!(error.unwrap_err().name(), "Offline");
}

#[tokio::test]
async fn the_address_policy_holds_for_stores_too() {
    let (server, place, content) = (S3Server::new().await, Place::new(), bytes(1_000));
    server.with(|held| {
        held.objects.insert("/box/k".to_owned(), content.clone());
    });
    let blob = blob("s3://box/k", &content);
    let port = server.endpoint().rsplit(':').next().unwrap().to_owned();
    for host in ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]"] {
        let mut s3 = server.config();
        s3.endpoint = Some(format!("http://{host}:{port}"));
        let strict = FetchConfig {
            policy: AddressPolicy::default(),
            ..config()
        };
        let error = place.fetch(&fetcher_with(s3, strict), &blob).await;
        assert_eq!(error.unwrap_err().name(), "AddressNotAllowed", "{host}");
    }
    // Where the store sends its readers on, is not followed.
    let inside = Web::new(|_| Answer::whole(b"secret")).await;
    let to = inside.url("k");
    let web = Web::new(move |_| Answer::redirect(&to)).await;
    let mut s3 = server.config();
    s3.endpoint = Some(web.url("").trim_end_matches('/').to_owned());
    let error = place.fetch(&fetcher_with(s3, config()), &blob).await;
    assert_eq!(error.unwrap_err().name(), "Unavailable");
    assert!(inside.asked().is_empty());
    server.with(|held| assert!(held.log.is_empty(), "{:?}", held.log));
}

#[tokio::test]
async fn a_bucket_cannot_be_more_than_a_name() {
    let (server, place) = (S3Server::new().await, Place::new());
    for url in [
        "s3://a%2Fb/k",
        "s3://bucket%3F/k",
        "s3://b/../k/..",
        "s3://.b/k",
        "s3://b..c/k",
        "s3://bucket:80/k",
        "s3://bucket/k?versionId=1",
    ] {
        let error = place.fetch(&fetcher(&server), &blob(url, b"x")).await;
        assert_eq!(error.unwrap_err().name(), "InvalidUrl", "{url}");
    }
    server.with(|held| assert!(held.log.is_empty(), "{:?}", held.log));
}
