//! What is kept, shared and thrown away.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use soma_blobs::{BlobRef, Cache, CacheConfig, ProgressState};

use crate::raw::{Raw, bytes, fetcher, send, serve};

fn cache(folder: &std::path::Path, max_bytes: u64) -> Cache {
    let config = CacheConfig {
        max_bytes,
        ..CacheConfig::new(folder)
    };
    Cache::open(config, fetcher()).unwrap()
}

/// Serves at `/N` the bytes of length N.
async fn server() -> Raw {
    Raw::start(|_, asked, mut stream| async move {
        let count = asked.path[1..].parse().unwrap();
        serve(&mut stream, &asked, &bytes(count)).await;
    })
    .await
}

fn blob(server: &Raw, count: usize) -> BlobRef {
    BlobRef {
        url: server.url(&format!("/{count}")),
        ..server.blob(&bytes(count))
    }
}

#[tokio::test]
async fn a_blob_is_downloaded_once_and_outlives_the_process() {
    let (server, folder) = (server().await, tempfile::tempdir().unwrap());
    let first = cache(folder.path(), 1_000);
    for _ in 0..3 {
        let kept = first.get(&blob(&server, 300)).await.unwrap();
        assert_eq!(kept.read().unwrap(), bytes(300));
    }
    assert_eq!(server.asked().len(), 1);
    let error = Cache::open(CacheConfig::new(folder.path()), fetcher());
    let error = error.err().expect("in use").to_string();
    assert!(error.contains("another process"), "{error}");
    drop(first);
    let second = cache(folder.path(), 1_000);
    assert_eq!(second.bytes(), 300);
    second.get(&blob(&server, 300)).await.unwrap();
    assert_eq!(server.asked().len(), 1);
}

#[tokio::test]
async fn what_was_not_used_for_longest_makes_room_and_what_is_in_use_stays() {
    let (server, folder) = (server().await, tempfile::tempdir().unwrap());
    let cache = cache(folder.path(), 1_000);
    drop(cache.get(&blob(&server, 400)).await.unwrap());
    drop(cache.get(&blob(&server, 401)).await.unwrap());
    drop(cache.get(&blob(&server, 400)).await.unwrap());
    let held = cache.get(&blob(&server, 500)).await.unwrap();
    assert!(cache.kept(&blob(&server, 401).checksum).is_none());
    assert!(cache.kept(&blob(&server, 400).checksum).is_some());
    assert_eq!(cache.bytes(), 900);
    let other = cache.get(&blob(&server, 499)).await.unwrap();
    assert_eq!(cache.bytes(), 999);
    // Both are in use.
    let error = cache.get(&blob(&server, 2)).await.unwrap_err();
    assert_eq!(error.name(), "CacheFull");
    assert!(error.is_own());
    assert_eq!(held.read().unwrap(), bytes(500));
    drop(other);
    cache.get(&blob(&server, 2)).await.unwrap();
    let error = cache.get(&blob(&server, 1_001)).await.unwrap_err();
    assert_eq!(error.name(), "CacheFull");
}

#[tokio::test]
async fn a_damaged_file_is_found_and_fetched_again() {
    let (server, folder) = (server().await, tempfile::tempdir().unwrap());
    let cache = cache(folder.path(), 10_000);
    let wanted = blob(&server, 300);
    let kept = cache.get(&wanted).await.unwrap();
    std::fs::write(kept.path(), bytes(301).split_off(1)).unwrap();
    let error = kept.read().unwrap_err();
    assert_eq!(error.name(), "Damaged");
    assert!(error.is_own());
    drop(kept);
    let again = cache.get(&wanted).await.unwrap();
    assert_eq!(again.read().unwrap(), bytes(300));
    assert_eq!(server.asked().len(), 2);
    assert_eq!(cache.bytes(), 300);
}

#[tokio::test]
async fn many_who_want_the_same_share_one_download() {
    let server = Raw::start(|_, asked, mut stream| async move {
        tokio::time::sleep(Duration::from_millis(100)).await;
        serve(&mut stream, &asked, &bytes(1_000)).await;
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let cache = cache(folder.path(), 10_000);
    let wanted = server.blob(&bytes(1_000));
    // The first one leaves early; the others are served all the same.
    let leaver = tokio::spawn({
        let (cache, wanted) = (cache.clone(), wanted.clone());
        async move { cache.get(&wanted).await }
    });
    tokio::time::sleep(Duration::from_millis(30)).await;
    let all: Vec<_> = (0..20)
        .map(|_| {
            let (cache, wanted) = (cache.clone(), wanted.clone());
            tokio::spawn(async move { cache.get(&wanted).await.unwrap().read().unwrap() })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(10)).await;
    leaver.abort();
    for one in all {
        assert_eq!(one.await.unwrap(), bytes(1_000));
    }
    assert_eq!(server.asked().len(), 1);
}

#[tokio::test]
async fn a_wrong_url_does_not_spoil_a_good_one() {
    let server = Raw::start(|_, asked, mut stream| async move {
        if asked.path == "/blob" {
            tokio::time::sleep(Duration::from_millis(50)).await;
            serve(&mut stream, &asked, &bytes(1_000)).await;
        } else {
            send(&mut stream, "404 Not Found\r\ncontent-length: 0", b"").await;
        }
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let cache = cache(folder.path(), 10_000);
    let good = server.blob(&bytes(1_000));
    let bad = BlobRef {
        url: server.url("/elsewhere"),
        ..good.clone()
    };
    let (bad, good) = tokio::join!(cache.get(&bad), cache.get(&good));
    assert_eq!(bad.unwrap_err().name(), "Unavailable");
    assert_eq!(good.unwrap().read().unwrap(), bytes(1_000));
}

#[tokio::test]
async fn a_download_that_nobody_waits_for_ends_and_frees_its_room() {
    let ended = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&ended);
    let server = Raw::start(move |number, asked, mut stream| {
        let seen = Arc::clone(&seen);
        async move {
            if number > 0 {
                return serve(&mut stream, &asked, &bytes(900)).await;
            }
            send(&mut stream, "200 OK\r\ncontent-length: 900", b"abc").await;
            use tokio::io::AsyncReadExt as _;
            // Ends when the client goes away.
            let _ = stream.read(&mut [0]).await;
            seen.store(true, Ordering::SeqCst);
        }
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let cache = cache(folder.path(), 1_000);
    let wanted = server.blob(&bytes(900));
    let waiting = tokio::time::timeout(Duration::from_millis(100), cache.get(&wanted));
    assert!(waiting.await.is_err());
    while !ended.load(Ordering::SeqCst) {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // Its room is free again, and another try succeeds.
    assert_eq!(
        cache.get(&wanted).await.unwrap().read().unwrap(),
        bytes(900)
    );
}

#[tokio::test]
async fn progress_is_told() {
    let (server, folder) = (server().await, tempfile::tempdir().unwrap());
    let cache = cache(folder.path(), 10_000);
    let mut progress = cache.progress();
    let wanted = blob(&server, 800);
    cache.get(&wanted).await.unwrap();
    let mut last = progress.recv().await.unwrap();
    assert_eq!((last.checksum, last.total), (wanted.checksum, 800));
    while last.state == ProgressState::Running {
        last = progress.recv().await.unwrap();
    }
    assert_eq!((last.state, last.bytes), (ProgressState::Done, 800));
}

#[tokio::test]
async fn the_size_is_part_of_the_name() {
    let (server, folder) = (server().await, tempfile::tempdir().unwrap());
    let cache = cache(folder.path(), 10_000);
    cache.get(&blob(&server, 800)).await.unwrap();
    let lie = BlobRef {
        size: 799,
        ..blob(&server, 800)
    };
    assert_eq!(cache.get(&lie).await.unwrap_err().name(), "SizeMismatch");
}
