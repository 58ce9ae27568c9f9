//! Putting blobs somewhere, and getting them back.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use soma_blobs::server::{BlobServerConfig, router};
use soma_blobs::{BlobRef, FetchConfig, Fetcher, S3Config, Store, StoreConfig};

use crate::raw::{bytes, fetcher, quick};

async fn listen(router: Router) -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

async fn get(fetcher: &Fetcher, blob: &BlobRef) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("part");
    fetcher.fetch(blob, &path, &|_| {}).await.unwrap();
    std::fs::read(path).unwrap()
}

#[tokio::test]
async fn the_blob_server_takes_and_gives() {
    let folder = tempfile::tempdir().unwrap();
    let config = BlobServerConfig {
        max_blob_bytes: 4_000_000,
        ..BlobServerConfig::new(folder.path())
    };
    let url = format!("http://{}", listen(router(config).unwrap()).await);
    let store = Store::new(StoreConfig::Server { url: url.clone() }).unwrap();
    let blob = store.upload_bytes(bytes(3_000_000)).await.unwrap();
    assert_eq!(get(&fetcher(), &blob).await, bytes(3_000_000));
    // Twice is as good as once.
    assert_eq!(store.upload_bytes(bytes(3_000_000)).await.unwrap(), blob);
    let error = store.upload_bytes(bytes(4_000_001)).await.unwrap_err();
    assert_eq!(error.name(), "UploadFailed");
    assert!(error.to_string().contains("413"), "{error}");

    let client = reqwest::Client::new();
    let ranged = client.get(&blob.url).header("range", "bytes=10-19");
    let response = ranged.send().await.unwrap();
    assert_eq!(response.status(), 206);
    assert_eq!(response.bytes().await.unwrap(), bytes(20)[10..]);
    let head = client.head(&blob.url).send().await.unwrap();
    assert_eq!(head.headers()["content-length"], "3000000");
    let wrong = client
        .put(&blob.url)
        .body("something else")
        .send()
        .await
        .unwrap();
    assert_eq!(wrong.status(), 422);
    assert_eq!(get(&fetcher(), &blob).await, bytes(3_000_000));
}

#[tokio::test]
async fn the_blob_server_answers_hostile_names_with_typed_errors() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("secret"), "x").unwrap();
    let served = folder.path().join("blobs");
    let address = listen(router(BlobServerConfig::new(served)).unwrap()).await;
    let client = reqwest::Client::new();
    let absent = soma_crypto::checksum(b"absent").to_string();
    for (name, status) in [
        ("..%2Fsecret", 400),
        ("%2e%2e%2fsecret", 400),
        (".", 404),
        ("%00", 400),
        ("%ff", 400),
        ("0", 400),
        (&"1".repeat(4_000), 400),
        (&absent, 404),
    ] {
        let url = format!("http://{address}/blobs/{name}");
        for request in [client.get(&url), client.put(&url).body("x")] {
            let response = request.send().await.unwrap();
            let got = response.status().as_u16();
            // A body under an absent name is another blob's.
            assert!(
                got == status || (got == 422 && name == absent),
                "{name}: {got}"
            );
            let body: serde_json::Value = response.json().await.unwrap();
            assert!(body["code"].is_string(), "{name}: {body}");
        }
    }
}

/// A small S3: objects and multipart uploads, requests signed.
#[derive(Clone, Default)]
struct S3 {
    objects: Arc<Mutex<BTreeMap<String, Vec<u8>>>>,
    parts: Arc<Mutex<BTreeMap<u32, Vec<u8>>>>,
    seen: Arc<Mutex<Vec<String>>>,
}

async fn s3(
    State(s3): State<S3>,
    method: Method,
    Path(path): Path<String>,
    Query(query): Query<BTreeMap<String, String>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let signed = headers
        .get("authorization")
        .and_then(|value| value.to_str().ok());
    let host = headers["host"].to_str().unwrap().to_owned();
    s3.seen
        .lock()
        .unwrap()
        .push(format!("{method} {host} {path}"));
    if !signed.is_some_and(|text| text.starts_with("AWS4-HMAC-SHA256 Credential=id/")) {
        return StatusCode::FORBIDDEN.into_response();
    }
    if method == Method::POST && query.contains_key("uploads") {
        let xml = "<InitiateMultipartUploadResult><UploadId>7</UploadId>\
                   </InitiateMultipartUploadResult>";
        return xml.into_response();
    }
    if let (true, Some(number)) = (method == Method::PUT, query.get("partNumber")) {
        let number = number.parse().unwrap();
        s3.parts.lock().unwrap().insert(number, body.to_vec());
        return [("etag", format!("\"{number}\""))].into_response();
    }
    if method == Method::POST && query.contains_key("uploadId") {
        let parts = std::mem::take(&mut *s3.parts.lock().unwrap());
        let whole = parts.into_values().flatten().collect();
        s3.objects.lock().unwrap().insert(path, whole);
        let xml = "<CompleteMultipartUploadResult><ETag>e</ETag></CompleteMultipartUploadResult>";
        return xml.into_response();
    }
    if method == Method::PUT {
        s3.objects.lock().unwrap().insert(path, body.to_vec());
        return [("etag", "\"e\"")].into_response();
    }
    let objects = s3.objects.lock().unwrap();
    let Some(object) = objects.get(&path) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let headers = [
        ("etag", "\"e\""),
        ("last-modified", "Mon, 01 Jan 2024 00:00:00 GMT"),
    ];
    (headers, object.clone()).into_response()
}

fn bucket(address: SocketAddr) -> S3Config {
    S3Config {
        endpoint: Some(format!("http://{address}")),
        access_key_id: Some("id".to_owned()),
        secret_access_key: Some("secret".to_owned()),
        prefix: "weights".to_owned(),
        ..S3Config::new("box")
    }
}

#[tokio::test]
async fn an_s3_store_takes_small_and_large_files_and_gives_them_back() {
    let state = S3::default();
    let routes = Router::new()
        .route("/{*path}", any(s3))
        .with_state(state.clone());
    let routes = routes.layer(axum::extract::DefaultBodyLimit::disable());
    let address = listen(routes).await;
    let config = S3Config {
        public_url_prefix: Some("https://cdn.example/".to_owned()),
        ..bucket(address)
    };
    let store = Store::new(StoreConfig::S3(config.clone())).unwrap();
    let reader = FetchConfig {
        s3: Some(config),
        ..quick()
    };
    let reader = Fetcher::new(reader).unwrap();
    for count in [1_000, 40_000_000] {
        let blob = store.upload_bytes(bytes(count)).await.unwrap();
        let key = format!("weights/{}", blob.checksum);
        assert_eq!(blob.url, format!("https://cdn.example/{key}"));
        let inside = BlobRef {
            url: format!("s3://box/{key}"),
            ..blob
        };
        assert_eq!(get(&reader, &inside).await, bytes(count));
    }
    let seen = state.seen.lock().unwrap().clone();
    let parts = seen.iter().filter(|line| line.starts_with("PUT")).count();
    assert_eq!(parts, 1 + 3, "one small file, three parts: {seen:?}");
    assert!(
        seen.iter().all(|line| line.contains(" box/weights/")),
        "{seen:?}"
    );
}

#[tokio::test]
async fn the_bucket_can_stand_in_the_host_name() {
    let state = S3::default();
    let routes = Router::new()
        .route("/{*path}", any(s3))
        .with_state(state.clone());
    let address = listen(routes).await;
    let config = S3Config {
        // Every name below localhost is this machine.
        endpoint: Some(format!("http://localhost:{}", address.port())),
        virtual_host_style: true,
        ..bucket(address)
    };
    let store = Store::new(StoreConfig::S3(config)).unwrap();
    match store.upload_bytes(bytes(10)).await {
        Ok(blob) => {
            let expected = format!("http://box.localhost:{}/weights/", address.port());
            assert!(blob.url.starts_with(&expected), "{}", blob.url);
            let seen = state.seen.lock().unwrap().clone();
            assert!(seen[0].contains(" box.localhost:"), "{seen:?}");
        }
        // Where the system does not resolve such names, the name is in the error.
        Err(error) => assert!(error.to_string().contains("box.localhost"), "{error}"),
    }
}

#[tokio::test]
async fn a_store_that_refuses_says_so() {
    let state = S3::default();
    let routes = Router::new().route("/{*path}", any(s3)).with_state(state);
    let address = listen(routes).await;
    let config = S3Config {
        access_key_id: Some("somebody".to_owned()),
        ..bucket(address)
    };
    let store = Store::new(StoreConfig::S3(config)).unwrap();
    let error = store.upload_bytes(bytes(10)).await.unwrap_err();
    assert_eq!(error.name(), "UploadFailed");
    assert!(!error.to_string().contains("secret"), "{error}");
}
