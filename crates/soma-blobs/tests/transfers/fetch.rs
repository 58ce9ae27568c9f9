//! Downloads from servers that are good, broken and hostile.

use std::sync::Arc;
use std::time::Duration;

use soma_blobs::{AddressPolicy, BlobError, BlobRef, FetchConfig, Fetcher};
use tokio::io::AsyncWriteExt as _;

use crate::raw::{Raw, bytes, fetcher, quick, send, serve};

async fn fetch_with(fetcher: &Fetcher, blob: &BlobRef) -> Result<Vec<u8>, BlobError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("part");
    fetcher.fetch(blob, &path, &|_| {}).await?;
    Ok(std::fs::read(path).unwrap())
}

async fn fetch(blob: &BlobRef) -> Result<Vec<u8>, BlobError> {
    fetch_with(&fetcher(), blob).await
}

#[tokio::test]
async fn a_blob_arrives_whole() {
    let content = Arc::new(bytes(3_000_000));
    let served = Arc::clone(&content);
    let server = Raw::start(move |_, asked, mut stream| {
        let content = Arc::clone(&served);
        async move { serve(&mut stream, &asked, &content).await }
    })
    .await;
    assert_eq!(fetch(&server.blob(&content)).await.unwrap(), *content);
    assert_eq!(server.asked().len(), 1);
}

#[tokio::test]
async fn after_a_broken_connection_only_the_rest_is_asked_for() {
    let content = Arc::new(bytes(1_000_000));
    let served = Arc::clone(&content);
    let server = Raw::start(move |number, asked, mut stream| {
        let content = Arc::clone(&served);
        async move {
            if number == 0 {
                let head = format!("200 OK\r\ncontent-length: {}", content.len());
                send(&mut stream, &head, &content[..400_000]).await;
            } else {
                serve(&mut stream, &asked, &content).await;
            }
        }
    })
    .await;
    assert_eq!(fetch(&server.blob(&content)).await.unwrap(), *content);
    let asked = server.asked();
    assert_eq!(asked.len(), 2);
    assert_eq!(asked[1].range, Some(400_000));
}

#[tokio::test]
async fn a_later_call_goes_on_from_what_an_earlier_one_left() {
    let content = Arc::new(bytes(500_000));
    let served = Arc::clone(&content);
    let server = Raw::start(move |_, asked, mut stream| {
        let content = Arc::clone(&served);
        async move { serve(&mut stream, &asked, &content).await }
    })
    .await;
    let blob = server.blob(&content);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("part");
    std::fs::write(&path, &content[..200_000]).unwrap();
    fetcher().fetch(&blob, &path, &|_| {}).await.unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), *content);
    assert_eq!(server.asked()[0].range, Some(200_000));
    // What was left may be wrong: then all of it comes again.
    std::fs::write(&path, &bytes(300_001)[1..]).unwrap();
    fetcher().fetch(&blob, &path, &|_| {}).await.unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), *content);
    assert_eq!(server.asked().last().unwrap().range, None);
}

#[tokio::test]
async fn a_server_that_ignores_ranges_starts_again_within_the_cap() {
    let content = Arc::new(bytes(600_000));
    let served = Arc::clone(&content);
    let server = Raw::start(move |number, _, mut stream| {
        let content = Arc::clone(&served);
        async move {
            let head = format!("200 OK\r\ncontent-length: {}", content.len());
            let end = if number == 0 { 100_000 } else { content.len() };
            send(&mut stream, &head, &content[..end]).await;
        }
    })
    .await;
    assert_eq!(fetch(&server.blob(&content)).await.unwrap(), *content);
    assert_eq!(server.asked()[1].range, Some(100_000));
}

#[tokio::test]
async fn a_blob_without_end_is_cut_at_its_size() {
    let server = Raw::start(|_, _, mut stream| async move {
        send(&mut stream, "200 OK", b"").await;
        while stream.write_all(&[7; 65_536]).await.is_ok() {}
    })
    .await;
    let error = fetch(&server.blob(&[7; 100_000])).await.unwrap_err();
    assert_eq!(error.name(), "SizeMismatch");
}

#[tokio::test]
async fn a_shorter_blob_and_another_one_are_told_apart() {
    let server = Raw::start(|_, asked, mut stream| async move {
        serve(&mut stream, &asked, b"short").await;
    })
    .await;
    let mut blob = server.blob(b"shorter");
    assert_eq!(fetch(&blob).await.unwrap_err().name(), "SizeMismatch");
    blob.size = 5;
    let error = fetch(&blob).await.unwrap_err();
    assert_eq!(error.name(), "ChecksumMismatch");
    assert!(!error.is_own());
}

#[tokio::test]
async fn a_connection_that_always_ends_early_is_unavailable() {
    let server = Raw::start(|_, _, mut stream| async move {
        send(&mut stream, "200 OK", b"abc").await;
    })
    .await;
    let error = fetch(&server.blob(b"abcdef")).await.unwrap_err();
    assert_eq!(error.name(), "Unavailable", "{error}");
}

#[tokio::test]
async fn passing_failures_are_tried_again_and_lasting_ones_are_not() {
    let server = Raw::start(|number, asked, mut stream| async move {
        match number {
            0 => {
                send(
                    &mut stream,
                    "503 Service Unavailable\r\ncontent-length: 0",
                    b"",
                )
                .await
            }
            1 => {
                let head = "429 Too Many Requests\r\nretry-after: 1\r\ncontent-length: 0";
                send(&mut stream, head, b"").await;
            }
            2 => drop(stream),
            _ => serve(&mut stream, &asked, b"there").await,
        }
    })
    .await;
    let begin = std::time::Instant::now();
    assert_eq!(fetch(&server.blob(b"there")).await.unwrap(), b"there");
    assert_eq!(server.asked().len(), 4);
    assert!(begin.elapsed() >= Duration::from_secs(1), "asked to wait");

    let gone = Raw::start(|_, _, mut stream| async move {
        send(&mut stream, "404 Not Found\r\ncontent-length: 0", b"").await;
    })
    .await;
    let error = fetch(&gone.blob(b"there")).await.unwrap_err();
    assert_eq!(error.name(), "Unavailable");
    assert!(error.to_string().contains("404"), "{error}");
    assert_eq!(gone.asked().len(), 1);

    let broken = Raw::start(|_, _, mut stream| async move {
        send(&mut stream, "500 Oops\r\ncontent-length: 0", b"").await;
    })
    .await;
    let error = fetch(&broken.blob(b"there")).await.unwrap_err();
    assert_eq!(error.name(), "Unavailable");
    assert_eq!(broken.asked().len(), 5);
}

#[tokio::test]
async fn a_server_that_drips_is_given_up() {
    let server = Raw::start(|_, _, mut stream| async move {
        send(&mut stream, "200 OK\r\ncontent-length: 100000", b"").await;
        while stream.write_all(b"x").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    let config = FetchConfig {
        base_time: Duration::from_millis(500),
        ..quick()
    };
    let fetcher = Fetcher::new(config).unwrap();
    let error = fetch_with(&fetcher, &server.blob(&[b'x'; 100_000])).await;
    assert_eq!(error.unwrap_err().name(), "TooSlow");
}

#[tokio::test]
async fn a_server_that_says_nothing_is_given_up() {
    let server = Raw::start(|_, _, stream| async move {
        tokio::time::sleep(Duration::from_secs(60)).await;
        drop(stream);
    })
    .await;
    let config = FetchConfig {
        idle_timeout: Duration::from_millis(50),
        tries: 2,
        ..quick()
    };
    let fetcher = Fetcher::new(config).unwrap();
    let error = fetch_with(&fetcher, &server.blob(b"x")).await.unwrap_err();
    assert_eq!(error.name(), "Unavailable");
    assert_eq!(server.asked().len(), 2);
}

#[tokio::test]
async fn redirects_are_followed_and_every_address_is_checked() {
    let server = Raw::start(|_, asked, mut stream| async move {
        let port = stream.local_addr().unwrap().port();
        let to = match asked.path.as_str() {
            "/near" => "/blob".to_owned(),
            "/loop" => "/loop".to_owned(),
            "/inside" => format!("http://127.0.0.2:{port}/blob"),
            "/name" => format!("http://localhost:{port}/blob"),
            "/file" => "file:///etc/passwd".to_owned(),
            "/user" => format!("http://a:b@127.0.0.1:{port}/blob"),
            _ => return serve(&mut stream, &asked, b"found").await,
        };
        let head = format!("302 Found\r\nlocation: {to}\r\ncontent-length: 0");
        send(&mut stream, &head, b"").await;
    })
    .await;
    // Only the server's own address is allowed: what it leads to is inside.
    let config = FetchConfig {
        policy: AddressPolicy {
            allow_private: false,
            also: vec!["127.0.0.1".parse().unwrap()],
        },
        ..quick()
    };
    let strict = Fetcher::new(config).unwrap();
    let blob = |path: &str| BlobRef {
        url: server.url(path),
        ..server.blob(b"found")
    };
    assert_eq!(fetch_with(&strict, &blob("/near")).await.unwrap(), b"found");
    for (path, name) in [
        ("/inside", "AddressNotAllowed"),
        ("/file", "SchemeNotAllowed"),
        ("/user", "InvalidUrl"),
        ("/loop", "Unavailable"),
    ] {
        let error = fetch_with(&strict, &blob(path)).await.unwrap_err();
        assert_eq!(error.name(), name, "{path}: {error}");
    }
    // A name is checked by what it resolves to: nothing here is public.
    let public = Fetcher::new(FetchConfig::default()).unwrap();
    let named = BlobRef {
        url: format!("http://localhost:{}/blob", server.address.port()),
        ..server.blob(b"found")
    };
    let error = fetch_with(&public, &named).await.unwrap_err();
    assert_eq!(error.name(), "AddressNotAllowed", "{error}");
    let asked = server.asked().len();
    let error = fetch_with(&public, &blob("/near")).await.unwrap_err();
    assert_eq!(error.name(), "AddressNotAllowed", "{error}");
    assert_eq!(server.asked().len(), asked, "no connection was made");
}

#[tokio::test]
async fn compressed_answers_are_not_unpacked() {
    let server = Raw::start(|_, _, mut stream| async move {
        let head = "200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 4";
        send(&mut stream, head, b"\x1f\x8b\x08\x00").await;
    })
    .await;
    let blob = server.blob(b"\x1f\x8b\x08\x00");
    assert_eq!(fetch(&blob).await.unwrap(), b"\x1f\x8b\x08\x00");
}

#[tokio::test]
async fn files_are_opened_only_where_that_is_allowed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a blob");
    std::fs::write(&path, bytes(400_000)).unwrap();
    let blob = |url: String| BlobRef {
        url,
        checksum: soma_crypto::checksum(bytes(400_000)),
        size: 400_000,
    };
    let good = blob(format!("file://{}", path.display()).replace(' ', "%20"));
    assert_eq!(fetch(&good).await.unwrap(), bytes(400_000));
    let public = Fetcher::new(FetchConfig::default()).unwrap();
    let error = fetch_with(&public, &good).await.unwrap_err();
    assert_eq!(error.name(), "SchemeNotAllowed");
    for place in ["/dev/zero".to_owned(), folder.path().display().to_string()] {
        let error = fetch(&blob(format!("file://{place}"))).await.unwrap_err();
        assert_eq!(error.name(), "Unavailable", "{place}");
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_full_disk_is_named_and_is_own_trouble() {
    let server = Raw::start(|_, asked, mut stream| async move {
        serve(&mut stream, &asked, &bytes(400_000)).await;
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("part");
    // A device that takes no byte.
    std::os::unix::fs::symlink("/dev/full", &path).unwrap();
    let blob = server.blob(&bytes(400_000));
    let error = fetcher().fetch(&blob, &path, &|_| {}).await.unwrap_err();
    assert_eq!(error.name(), "DiskFull", "{error}");
    assert!(error.is_own());
}
