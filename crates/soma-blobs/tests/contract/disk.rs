//! Trouble with this machine's own disk and network: never held against a blob.

use std::os::unix::fs::symlink;

use soma_blobs::{BlobError, Cache, CacheConfig};

use crate::support::{MIB, Place, blob, bytes, fetcher};
use crate::web::{Answer, Web};

#[tokio::test]
async fn a_full_disk_is_named_and_own() {
    let content = bytes(3 * MIB);
    let (served, place) = (content.clone(), Place::new());
    let web = Web::new(move |_| Answer::whole(&served)).await;
    // Writing to this device fails as on a full disk.
    symlink("/dev/full", place.file()).unwrap();
    let error = place
        .fetch(&fetcher(), &blob(web.url("x"), &content))
        .await
        .unwrap_err();
    assert_eq!(error.name(), "DiskFull", "{error}");
    assert!(error.is_own());
}

#[tokio::test]
async fn a_full_disk_fails_the_cache_and_its_probe() {
    let content = bytes(MIB);
    let (served, place) = (content.clone(), Place::new());
    let web = Web::new(move |_| Answer::whole(&served)).await;
    let cache = place.cache(8 * MIB as u64);
    assert_eq!(cache.try_disk(), Ok(()));
    let parts = place.folder().join("cache/parts");
    symlink("/dev/full", parts.join("probe")).unwrap();
    assert_eq!(cache.try_disk().unwrap_err().name(), "DiskFull");

    std::fs::remove_dir_all(&parts).unwrap();
    std::fs::write(&parts, b"a file where a folder should be").unwrap();
    let error = cache.get(&blob(web.url("x"), &content)).await.unwrap_err();
    assert_eq!(error.name(), "Io", "{error}");
    assert!(error.is_own());
    assert_eq!(cache.bytes(), 0);
}

#[tokio::test]
async fn a_folder_has_one_user() {
    let place = Place::new();
    let config = CacheConfig::new(place.folder());
    let cache = Cache::open(config.clone(), fetcher()).unwrap();
    let error = Cache::open(config.clone(), fetcher()).err().unwrap();
    assert_eq!(error.name(), "Io");
    assert!(error.to_string().contains("another process"), "{error}");
    drop(cache);
    assert!(Cache::open(config, fetcher()).is_ok());
}

#[tokio::test]
async fn a_folder_that_cannot_be_made_is_own_trouble() {
    let place = Place::new();
    std::fs::write(place.file(), b"a file").unwrap();
    let error = Cache::open(CacheConfig::new(place.file().join("cache")), fetcher());
    let error = error.err().unwrap();
    assert!(matches!(error, BlobError::Io { .. }) && error.is_own());
}
