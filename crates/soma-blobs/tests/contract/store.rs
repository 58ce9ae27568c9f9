//! Putting blobs into a folder and onto the built-in server; settings of stores.

use std::os::unix::fs::PermissionsExt as _;

use soma_blobs::{Store, StoreConfig};

use crate::server::Blobs;
use crate::support::{MIB, Place, blob, bytes, fetcher};
use crate::web::{Answer, Web};

fn folder(place: &Place, prefix: Option<&str>) -> Store {
    Store::new(StoreConfig::Folder {
        path: place.folder().join("public"),
        public_url_prefix: prefix.map(str::to_owned),
    })
    .unwrap()
}

#[tokio::test]
async fn a_file_put_into_a_folder_is_fetched_by_its_url() {
    let (content, place) = (bytes(2 * MIB), Place::new());
    let source = place.folder().join("source");
    std::fs::write(&source, &content).unwrap();
    let put = folder(&place, None).upload(&source).await.unwrap();
    assert_eq!(put, blob(put.url.clone(), &content));
    assert!(put.url.starts_with("file:///"), "{}", put.url);
    assert_eq!(place.fetch(&fetcher(), &put).await, Ok(()));
    assert_eq!(place.content(), content);
    // The same again lies there once.
    let again = folder(&place, None).upload(&source).await.unwrap();
    assert_eq!(again, put);
    let files = std::fs::read_dir(place.folder().join("public")).unwrap();
    assert_eq!(files.count(), 1);
}

#[tokio::test]
async fn a_folder_behind_a_web_server_has_public_urls_and_readable_files() {
    let (content, place) = (bytes(1_000), Place::new());
    let store = folder(&place, Some("https://blobs.example/x/"));
    let put = store.upload_bytes(content.clone()).await.unwrap();
    let name = soma_crypto::checksum(&content).to_string();
    assert_eq!(put.url, format!("https://blobs.example/x/{name}"));
    let file = place.folder().join("public").join(name);
    let mode = std::fs::metadata(file).unwrap().permissions().mode();
    assert_eq!(mode & 0o044, 0o044, "another user serves it: {mode:o}");
}

#[tokio::test]
async fn what_others_may_not_read_is_said_before_anybody_pays_for_it() {
    for (answer, is_public) in [
        ("403 Forbidden", false),
        ("404 Not Found", false),
        ("206 Partial Content", true),
        // Says nothing of who may read.
        ("503 Service Unavailable", true),
    ] {
        let (web, place) = (
            Web::new(move |_| Answer::status(answer)).await,
            Place::new(),
        );
        let store = folder(&place, Some(&web.url("/x")));
        let published = store.publish_bytes(bytes(1_000)).await;
        assert_eq!(web.asked().len(), 1);
        match is_public {
            true => assert!(published.is_ok(), "{answer}: {published:?}"),
            false => {
                let error = published.unwrap_err();
                assert_eq!(error.name(), "NotPublic");
                assert!(error.to_string().contains(answer), "{error}");
            }
        }
    }
    // What this machine cannot ask is not held against it.
    let place = Place::new();
    let store = folder(&place, Some("http://127.0.0.1:9/x"));
    assert!(store.publish_bytes(bytes(1_000)).await.is_ok());
}

#[tokio::test]
async fn a_file_put_onto_the_server_is_fetched_by_its_url() {
    let (content, place) = (bytes(5 * MIB + 1), Place::new());
    let blobs = Blobs::new().await;
    let source = place.folder().join("source");
    std::fs::write(&source, &content).unwrap();
    let url = format!("{}/", blobs.url());
    let store = Store::new(StoreConfig::Server { url }).unwrap();
    let put = store.upload(&source).await.unwrap();
    let name = soma_crypto::checksum(&content);
    assert_eq!(put.url, format!("{}/blobs/{name}", blobs.url()));
    assert_eq!(place.fetch(&fetcher(), &put).await, Ok(()));
    assert_eq!(place.content(), content);
    assert_eq!(store.upload(&source).await, Ok(put), "again is no error");
}

#[tokio::test]
async fn a_server_that_refuses_an_upload_is_told() {
    let web = Web::new(|_| Answer::status("507 Insufficient Storage")).await;
    let url = web.url("");
    let store = Store::new(StoreConfig::Server { url }).unwrap();
    let error = store.upload_bytes(bytes(10)).await.unwrap_err();
    assert_eq!(error.name(), "UploadFailed");
    assert!(error.to_string().contains("507"), "{error}");
    assert!(error.is_own());

    let url = "http://127.0.0.1:1".to_owned();
    let store = Store::new(StoreConfig::Server { url }).unwrap();
    let error = store.upload_bytes(bytes(10)).await.unwrap_err();
    assert_eq!(error.name(), "UploadFailed");
    let text = error.to_string();
    assert!(text.contains("refused"), "the cause is said: {text}");
}

#[test]
fn settings_are_read_and_secrets_stay_out() {
    let text = r#"{"kind": "s3", "bucket": "b", "endpoint": "https://r2.example",
                   "secret_access_key": "hunter2", "access_key_id": "id"}"#;
    let config: StoreConfig = serde_json::from_str(text).unwrap();
    let StoreConfig::S3(s3) = &config else {
        panic!("{config:?}");
    };
    assert_eq!(s3.secret_access_key.as_deref(), Some("hunter2"));
    assert_eq!((&*s3.region, s3.virtual_host_style), ("us-east-1", false));
    let store = Store::new(config.clone()).unwrap();
    let written = serde_json::to_string(&config).unwrap();
    for shown in [format!("{config:?}"), format!("{store:?}"), written] {
        assert!(!shown.contains("hunter2"), "{shown}");
    }

    let server = r#"{"kind": "server", "url": "http://127.0.0.1:9126"}"#;
    assert!(serde_json::from_str::<StoreConfig>(server).is_ok());
    for text in [
        r#"{"kind": "ftp"}"#,
        r#"{"kind": "folder"}"#,
        r#"{"kind": "folder", "path": "/x", "colour": "red"}"#,
        r#"{"kind": "s3"}"#,
        r#"{"kind": "s3", "bucket": "b", "bukket": "c"}"#,
    ] {
        let read = serde_json::from_str::<StoreConfig>(text);
        assert!(read.is_err(), "{text}");
    }
    for url in ["", "nonsense", "ftp://127.0.0.1/"] {
        let url = url.to_owned();
        let error = Store::new(StoreConfig::Server { url }).unwrap_err();
        assert_eq!(error.name(), "Settings");
    }
}
