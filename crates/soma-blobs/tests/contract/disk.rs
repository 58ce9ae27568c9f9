//! Trouble with this machine's own disk and network: never held against a blob.

use std::fs;
use std::os::unix::fs::symlink;

use soma_blobs::{BlobError, BlobRef, Cache, CacheConfig};

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

/// The name of the file of an unfinished download.
fn part_name(blob: &BlobRef) -> String {
    let source = soma_crypto::checksum(format!("{} {}", blob.size, blob.url));
    let hex = |bytes: &[u8]| -> String { bytes.iter().map(|b| format!("{b:02x}")).collect() };
    format!("{}-{}", hex(&blob.checksum.0), hex(&source.0[..8]))
}

#[tokio::test]
async fn what_the_cache_itself_put_on_a_full_disk_makes_room() {
    let place = Place::new();
    let parts = place.folder().join("cache/parts");
    let full = parts.clone();
    let web = Web::new(move |asked| {
        // The file that is open stays full; the next try makes another one.
        for file in fs::read_dir(&full).unwrap().map(Result::unwrap) {
            if file.file_type().unwrap().is_symlink() {
                fs::remove_file(file.path()).unwrap();
            }
        }
        let n: u8 = asked.path[1..].parse().unwrap();
        Answer::whole(&vec![n; MIB])
    })
    .await;
    let cache = place.cache(8 * MIB as u64);
    let named = |n: u8| blob(web.url(&n.to_string()), &vec![n; MIB]);
    let on_a_full_disk = async |n: u8| {
        symlink("/dev/full", parts.join(part_name(&named(n)))).unwrap();
        cache.get(&named(n)).await
    };
    cache.get(&named(1)).await.unwrap();
    let leftover = parts.join("of-long-ago");
    fs::write(&leftover, bytes(MIB)).unwrap();

    let second = on_a_full_disk(2).await.unwrap();
    assert_eq!(second.read().unwrap(), vec![2; MIB]);
    assert!(!leftover.exists(), "leftovers go before blobs");
    assert_eq!(cache.bytes(), 2 * MIB as u64);
    let third = on_a_full_disk(3).await.unwrap();
    assert_eq!(cache.bytes(), 2 * MIB as u64);
    assert!(cache.kept(&named(1).checksum).is_none(), "1 went");

    let error = on_a_full_disk(4).await.unwrap_err();
    assert_eq!(error.name(), "DiskFull", "all are in use: {error}");
    assert_eq!(second.verify().and(third.verify()), Ok(()));
    assert_eq!(web.asked().len(), 6, "once more where there is room");
}

#[tokio::test]
async fn a_folder_has_one_user() {
    let place = Place::new();
    let config = CacheConfig::new(place.folder());
    let cache = Cache::open(config.clone(), fetcher()).unwrap();
    let error = Cache::open(config.clone(), fetcher()).err().unwrap();
    assert_eq!(error.name(), "CacheInUse");
    assert!(error.is_own());
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
