//! One download for many, and what becomes of it when some go away.

use std::time::Duration;

use futures::future::join_all;
use soma_blobs::{Cache, CacheConfig, Progress, ProgressState};
use tokio::sync::broadcast;
use tokio::task::JoinHandle;

use crate::support::{MIB, Place, blob, bytes, fetcher};
use crate::web::{Answer, Body, Web};

/// Waits until the server was asked `count` times.
async fn asked(web: &Web, count: usize) {
    while web.asked().len() < count {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Waits until a download has failed or was given up.
async fn given_up(progress: &mut broadcast::Receiver<Progress>) {
    while progress.recv().await.unwrap().state != ProgressState::Failed {}
}

#[tokio::test]
async fn calls_for_one_blob_share_one_download() {
    let content = bytes(2 * MIB);
    let (served, place) = (content.clone(), Place::new());
    let web = Web::new(move |_| Answer::whole(&served)).await;
    let cache = place.cache(8 << 20);
    let wanted = blob(web.url("x"), &content);
    let all = join_all((0..20).map(|_| cache.get(&wanted))).await;
    for blob in all {
        assert_eq!(blob.unwrap().read().unwrap(), content);
    }
    assert_eq!(web.asked().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn calls_from_many_threads_share_one_download() {
    for round in 0..20 {
        let content = bytes(1_000 + round);
        let (served, place) = (content.clone(), Place::new());
        let web = Web::new(move |_| Answer::whole(&served)).await;
        let cache = place.cache(8 << 20);
        let wanted = blob(web.url("x"), &content);
        let calls = (0..16).map(|_| {
            let (cache, wanted) = (cache.clone(), wanted.clone());
            tokio::spawn(async move { cache.get(&wanted).await.unwrap().read().unwrap() })
        });
        for read in join_all(calls).await {
            assert_eq!(read.unwrap(), content);
        }
        assert_eq!(web.asked().len(), 1, "round {round}");
    }
}

#[tokio::test]
async fn who_began_a_download_may_leave() {
    let content = bytes(MIB);
    let (served, place) = (content.clone(), Place::new());
    let web = Web::new(move |asked| match asked.number {
        0 => Answer::declared_with(MIB, Body::Trickle(Duration::from_millis(1))),
        _ => Answer::whole(&served),
    })
    .await;
    let cache = place.cache(8 << 20);
    let wanted = blob(web.url("x"), &content);
    let get = || -> JoinHandle<_> {
        let (cache, wanted) = (cache.clone(), wanted.clone());
        tokio::spawn(async move { cache.get(&wanted).await })
    };
    let mut progress = cache.progress();
    let leader = get();
    asked(&web, 1).await;
    let followers = [get(), get()];
    tokio::time::sleep(Duration::from_millis(50)).await;
    leader.abort();
    // Longer than it takes to notice that nobody waits.
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(followers.iter().all(|follower| !follower.is_finished()));
    assert_eq!(web.asked().len(), 1, "the download goes on");
    for follower in followers {
        follower.abort();
    }
    // Nobody is left; a later call begins anew and gets the blob.
    given_up(&mut progress).await;
    let blob = cache.get(&wanted).await.unwrap();
    assert_eq!(blob.read().unwrap(), content);
}

#[tokio::test]
async fn a_download_that_nobody_waits_for_ends() {
    let place = Place::new();
    let web = Web::new(|_| Answer::declared_with(MIB, Body::Silence)).await;
    let config = CacheConfig {
        parallel: 1,
        ..CacheConfig::new(place.folder().join("cache"))
    };
    let cache = Cache::open(config, fetcher()).unwrap();
    let mut progress = cache.progress();
    let content = bytes(MIB);
    let (leaving, wanted) = (cache.clone(), blob(web.url("x"), &content));
    let call = tokio::spawn(async move { leaving.get(&wanted).await });
    asked(&web, 1).await;
    call.abort();
    given_up(&mut progress).await;
    // Its slot is free again.
    let other = Web::new(move |_| Answer::whole(&content)).await;
    let wanted = blob(other.url("y"), &bytes(MIB));
    assert!(cache.get(&wanted).await.is_ok());
}

#[tokio::test]
async fn a_bad_url_does_not_spoil_a_good_one() {
    let content = bytes(MIB);
    let (served, place) = (content.clone(), Place::new());
    let good = Web::new(move |_| Answer::whole(&served)).await;
    let bad = Web::new(|_| Answer::whole(&vec![0; MIB])).await;
    let cache = place.cache(8 << 20);
    let (good, bad) = (blob(good.url("x"), &content), blob(bad.url("x"), &content));
    let (right, wrong) = tokio::join!(cache.get(&good), cache.get(&bad));
    assert_eq!(right.unwrap().read().unwrap(), content);
    assert_eq!(wrong.unwrap_err().name(), "ChecksumMismatch");
    assert!(cache.get(&bad).await.is_ok(), "the blob is here now");
}

#[tokio::test]
async fn two_downloads_of_one_blob_count_as_one_file_in_use() {
    let content = bytes(MIB);
    let (served, place) = (content.clone(), Place::new());
    let web = Web::new(move |asked| match &*asked.path {
        "/1" | "/2" => Answer::whole(&served),
        _ => Answer::whole(&vec![9; MIB]),
    })
    .await;
    let cache = place.cache(3 << 20);
    let (one, two) = (blob(web.url("1"), &content), blob(web.url("2"), &content));
    let (one, two) = tokio::join!(cache.get(&one), cache.get(&two));
    let (one, two) = (one.unwrap(), two.unwrap());
    drop(one);
    let other = blob(web.url("3"), &vec![9; MIB]);
    let _held = cache.get(&other).await.unwrap();
    let mut large = blob(web.url("4"), b"");
    large.size = 2 << 20;
    let error = cache.get(&large).await.unwrap_err();
    assert_eq!(error.name(), "CacheFull", "both are in use");
    assert_eq!(two.read().unwrap(), content);
}

#[tokio::test]
async fn only_so_many_downloads_run_at_once() {
    let place = Place::new();
    let web = Web::new(|asked| {
        let n: u8 = asked.path[1..].parse().unwrap();
        Answer::whole(&vec![n; 1_000])
    })
    .await;
    let stuck = Web::new(|_| Answer::declared_with(MIB, Body::Silence)).await;
    let config = CacheConfig {
        parallel: 2,
        ..CacheConfig::new(place.folder().join("cache"))
    };
    let cache = Cache::open(config, fetcher()).unwrap();
    let (waiting, wanted) = (cache.clone(), blob(stuck.url("x"), &bytes(MIB)));
    let held = tokio::spawn(async move { waiting.get(&wanted).await });
    asked(&stuck, 1).await;
    // One slot is left, and serves all others in turn.
    let blobs: Vec<_> = (0..5u8)
        .map(|n| blob(web.url(&n.to_string()), &vec![n; 1_000]))
        .collect();
    let all = join_all(blobs.iter().map(|blob| cache.get(blob))).await;
    assert!(all.iter().all(Result::is_ok));
    assert!(!held.is_finished());
    held.abort();
}

#[tokio::test]
async fn progress_is_told_until_the_end() {
    let content = bytes(10 * MIB);
    let (served, place) = (content.clone(), Place::new());
    let web = Web::new(move |_| Answer::whole(&served)).await;
    let cache = place.cache(64 << 20);
    let mut progress = cache.progress();
    let wanted = blob(web.url("x"), &content);
    cache.get(&wanted).await.unwrap();
    let mut told = Vec::new();
    while let Ok(step) = progress.try_recv() {
        assert_eq!((step.checksum, step.total), (wanted.checksum, wanted.size));
        told.push((step.bytes, step.state));
    }
    assert_eq!(told.first(), Some(&(0, ProgressState::Running)));
    assert_eq!(told.last(), Some(&(wanted.size, ProgressState::Done)));
    assert!(told.len() >= 4, "{told:?}");
    assert!(told.is_sorted_by_key(|(bytes, _)| *bytes), "{told:?}");
}
