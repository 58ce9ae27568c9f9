//! What is kept, for how long, and that it is checked again on every use.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use soma_blobs::{BlobRef, Cache, CacheConfig, FetchConfig, Fetcher};
use soma_types::Checksum;

use crate::support::{MIB, Place, blob, bytes};
use crate::web::{Answer, Web};

/// Serves at `/N` one MiB that differs from all others.
async fn many() -> Web {
    Web::new(|asked| Answer::whole(&piece(asked.path[1..].parse().unwrap()))).await
}

fn piece(n: u8) -> Vec<u8> {
    let mut bytes = bytes(MIB);
    bytes[0] = n;
    bytes
}

fn named(web: &Web, n: u8) -> BlobRef {
    blob(web.url(&n.to_string()), &piece(n))
}

fn file(place: &Place, checksum: &Checksum) -> PathBuf {
    let name: String = checksum.0.iter().map(|b| format!("{b:02x}")).collect();
    place.folder().join("cache/blobs").join(name)
}

/// Bytes of all files of the cache.
fn on_disk(place: &Place) -> u64 {
    let folders = ["blobs", "parts"].map(|name| place.folder().join("cache").join(name));
    let files = folders
        .iter()
        .flat_map(|folder| fs::read_dir(folder).unwrap());
    files
        .map(|file| file.unwrap().metadata().unwrap().len())
        .sum()
}

async fn load(cache: &Cache, blob: &BlobRef) -> Vec<u8> {
    cache.get(blob).await.unwrap().read().unwrap()
}

#[tokio::test]
async fn a_kept_blob_is_not_downloaded_again() {
    let (web, place) = (many().await, Place::new());
    let cache = place.cache(4 << 20);
    assert!(cache.kept(&named(&web, 1).checksum).is_none());
    for _ in 0..3 {
        assert_eq!(load(&cache, &named(&web, 1)).await, piece(1));
    }
    assert_eq!(web.asked().len(), 1);
    assert_eq!(cache.bytes(), 1 << 20);
    let kept = cache.kept(&named(&web, 1).checksum).unwrap();
    assert_eq!((kept.size(), kept.verify()), (1 << 20, Ok(())));
    assert_eq!(fs::read(kept.path()).unwrap(), piece(1));
}

#[tokio::test]
async fn a_kept_blob_is_refused_under_a_url_that_would_not_be_opened() {
    let (web, place) = (many().await, Place::new());
    let cache = place.cache(4 << 20);
    let kept = cache.get(&named(&web, 1)).await.unwrap();
    let under = |url: &str| BlobRef {
        url: url.to_owned(),
        ..named(&web, 1)
    };
    for (url, name) in [
        ("nonsense", "InvalidUrl"),
        ("http://me:secret@a.example/1", "InvalidUrl"),
        ("ftp://a.example/1", "SchemeNotAllowed"),
        ("s3://box/1", "SchemeNotAllowed"),
    ] {
        let error = cache.get(&under(url)).await.unwrap_err();
        assert_eq!(error.name(), name, "{url}");
    }
    // One that is gone is not asked, and a name is not looked up.
    for url in ["file:///gone/1", "http://gone.invalid/1"] {
        assert!(cache.get(&under(url)).await.is_ok(), "{url}");
    }
    drop((kept, cache));
    let public = Fetcher::new(FetchConfig::default()).unwrap();
    let cache = CacheConfig::new(place.folder().join("cache"));
    let cache = Cache::open(cache, public).unwrap();
    for (url, name) in [
        (web.url("1"), "AddressNotAllowed"),
        ("http://localhost/1".to_owned(), "AddressNotAllowed"),
        ("file:///gone/1".to_owned(), "SchemeNotAllowed"),
    ] {
        let error = cache.get(&under(&url)).await.unwrap_err();
        assert_eq!(error.name(), name, "{url}");
    }
    assert!(cache.kept(&named(&web, 1).checksum).is_some());
    assert_eq!(web.asked().len(), 1);
}

#[tokio::test]
async fn the_bound_holds_and_the_oldest_goes_first() {
    let (web, place) = (many().await, Place::new());
    let cache = place.cache(3 << 20);
    for n in [1, 2, 3] {
        load(&cache, &named(&web, n)).await;
    }
    // A use makes it young again.
    load(&cache, &named(&web, 1)).await;
    load(&cache, &named(&web, 4)).await;
    assert!(cache.kept(&named(&web, 2).checksum).is_none(), "2 went");
    for n in [1, 3, 4] {
        assert!(cache.kept(&named(&web, n).checksum).is_some(), "{n} stayed");
    }
    assert_eq!(cache.bytes(), 3 << 20);
    assert_eq!(on_disk(&place), 3 << 20);
}

#[tokio::test]
async fn a_blob_in_use_stays() {
    let (web, place) = (many().await, Place::new());
    let cache = place.cache(2 << 20);
    let first = cache.get(&named(&web, 1)).await.unwrap();
    let second = cache.get(&named(&web, 2)).await.unwrap();
    let error = cache.get(&named(&web, 3)).await.unwrap_err();
    assert_eq!(error.name(), "CacheFull");
    assert!(error.is_own());

    let clone = first.clone();
    drop(first);
    drop(second);
    load(&cache, &named(&web, 3)).await;
    assert_eq!(clone.read(), Ok(piece(1)), "the clone is a use");
    assert!(cache.kept(&named(&web, 2).checksum).is_none());
    drop(clone);
    load(&cache, &named(&web, 4)).await;
    assert!(cache.kept(&named(&web, 1).checksum).is_none());
}

#[tokio::test]
async fn a_blob_larger_than_the_cache_pushes_nothing_out() {
    let (web, place) = (many().await, Place::new());
    let cache = place.cache(2 << 20);
    load(&cache, &named(&web, 1)).await;
    for size in [(2 << 20) + 1, u64::MAX] {
        let mut large = named(&web, 2);
        large.size = size;
        let error = cache.get(&large).await.unwrap_err();
        assert_eq!(error.name(), "CacheFull", "{error}");
    }
    assert!(cache.kept(&named(&web, 1).checksum).is_some());
    assert_eq!(web.asked().len(), 1);
    // Nor does one that does not fit beside those in use.
    let held = cache.get(&named(&web, 1)).await.unwrap();
    load(&cache, &named(&web, 3)).await;
    let mut large = named(&web, 2);
    large.size = 2 << 20;
    assert_eq!(cache.get(&large).await.unwrap_err().name(), "CacheFull");
    assert!(cache.kept(&named(&web, 3).checksum).is_some());
    drop(held);
}

#[tokio::test]
async fn a_damaged_file_is_found_removed_and_downloaded_again() {
    let (web, place) = (many().await, Place::new());
    let cache = place.cache(4 << 20);
    let wanted = named(&web, 1);
    load(&cache, &wanted).await;
    let mut content = piece(1);
    content[500_000] ^= 0x10;
    for damage in [&content[..], &content[..1_000], b""] {
        fs::write(file(&place, &wanted.checksum), damage).unwrap();
        let blob = cache.get(&wanted).await.unwrap();
        let error = blob.read().unwrap_err();
        assert_eq!(error.name(), "Damaged");
        assert!(error.is_own());
        assert!(!file(&place, &wanted.checksum).exists());
        assert_eq!(cache.bytes(), 0);
        drop(blob);
        assert_eq!(load(&cache, &wanted).await, piece(1));
    }
    fs::remove_file(file(&place, &wanted.checksum)).unwrap();
    let blob = cache.get(&wanted).await.unwrap();
    assert_eq!(blob.verify().unwrap_err().name(), "Damaged");
    assert_eq!(load(&cache, &wanted).await, piece(1));
    assert_eq!(web.asked().len(), 5);
}

#[tokio::test]
async fn who_found_the_damage_does_not_release_the_new_file() {
    let (web, place) = (many().await, Place::new());
    let cache = place.cache(2 << 20);
    let wanted = named(&web, 1);
    let old = cache.get(&wanted).await.unwrap();
    fs::write(file(&place, &wanted.checksum), b"damage").unwrap();
    assert_eq!(old.read().unwrap_err().name(), "Damaged");
    let new = cache.get(&wanted).await.unwrap();
    drop(old);
    load(&cache, &named(&web, 2)).await;
    load(&cache, &named(&web, 3)).await;
    assert_eq!(new.read(), Ok(piece(1)), "it is in use");
}

#[tokio::test]
async fn a_size_that_is_not_the_blobs_is_told_without_a_download() {
    let (web, place) = (many().await, Place::new());
    let cache = place.cache(4 << 20);
    load(&cache, &named(&web, 1)).await;
    let mut wrong = named(&web, 1);
    wrong.size -= 1;
    let error = cache.get(&wrong).await.unwrap_err();
    assert_eq!(error.name(), "SizeMismatch");
    assert!(!error.is_own());
    assert_eq!(web.asked().len(), 1);
}

#[tokio::test]
async fn a_file_cut_on_disk_is_not_held_against_the_blob() {
    let (web, place) = (many().await, Place::new());
    let wanted = named(&web, 1);
    load(&place.cache(4 << 20), &wanted).await;
    fs::write(file(&place, &wanted.checksum), &piece(1)[..1_000]).unwrap();
    // Found with the wrong length at the start.
    let cache = place.cache(4 << 20);
    assert_eq!(load(&cache, &wanted).await, piece(1));
}

#[tokio::test]
async fn blobs_survive_a_restart_in_order_of_use() {
    let (web, place) = (many().await, Place::new());
    let cache = place.cache(4 << 20);
    for n in [1, 2, 3] {
        load(&cache, &named(&web, n)).await;
    }
    drop(cache);
    // Times far apart, so that the disk's clock is fine enough: 2 is oldest.
    for (n, age) in [(1, 100), (2, 900), (3, 500)] {
        let path = file(&place, &named(&web, n).checksum);
        let used = SystemTime::now() - Duration::from_secs(age);
        let open = fs::File::options().append(true).open(path).unwrap();
        open.set_modified(used).unwrap();
    }
    fs::write(place.folder().join("cache/blobs/README"), b"not a blob").unwrap();
    let cache = place.cache(3 << 20);
    assert_eq!(cache.bytes(), 3 << 20);
    load(&cache, &named(&web, 4)).await;
    assert_eq!(web.asked().len(), 4);
    assert!(cache.kept(&named(&web, 2).checksum).is_none(), "2 went");
    assert_eq!(load(&cache, &named(&web, 3)).await, piece(3));
    assert_eq!(load(&cache, &named(&web, 1)).await, piece(1));
    assert!(place.folder().join("cache/blobs/README").exists());
}

#[tokio::test]
async fn an_unfinished_download_goes_on_after_a_restart() {
    let place = Place::new();
    let content = piece(1);
    let served = content.clone();
    let web = Web::new(move |asked| match (asked.number, asked.offset()) {
        (0, _) => Answer::declared(MIB, &served[..700_000]),
        (1..=2, _) => Answer::status("503 Service Unavailable"),
        (_, offset) => Answer::rest(&served, offset, MIB - offset),
    })
    .await;
    let wanted = blob(web.url("x"), &content);
    let error = place.cache(4 << 20).get(&wanted).await.unwrap_err();
    assert_eq!(error.name(), "Unavailable", "{error}");
    assert_eq!(on_disk(&place), 700_000);
    let cache = place.cache(4 << 20);
    assert_eq!(load(&cache, &wanted).await, content);
    let offsets: Vec<usize> = web.asked().iter().map(|asked| asked.offset()).collect();
    assert_eq!(offsets, [0, 700_000, 700_000, 700_000]);
    assert_eq!(on_disk(&place), 1 << 20);
}

#[tokio::test]
async fn leftovers_make_room() {
    let (web, place) = (many().await, Place::new());
    let cache = place.cache(2 << 20);
    let leftover = place.folder().join("cache/parts/of-long-ago");
    fs::write(&leftover, bytes(MIB)).unwrap();
    load(&cache, &named(&web, 1)).await;
    assert!(leftover.exists(), "there is room for both");
    load(&cache, &named(&web, 2)).await;
    assert!(!leftover.exists(), "leftovers go before blobs");
    assert!(cache.kept(&named(&web, 1).checksum).is_some());
    assert_eq!(on_disk(&place), 2 << 20);
}

#[tokio::test]
async fn downloads_that_bring_nothing_leave_nothing() {
    let place = Place::new();
    let web = Web::new(|_| Answer::status("404 Not Found")).await;
    let cache = place.cache(2 << 20);
    assert!(cache.get(&named(&web, 1)).await.is_err());
    let parts = place.folder().join("cache/parts");
    assert_eq!(fs::read_dir(&parts).unwrap().count(), 0);
    drop(cache);

    // What was left when the process was killed.
    fs::write(parts.join("empty"), b"").unwrap();
    fs::write(parts.join("begun"), b"some").unwrap();
    let _cache = place.cache(2 << 20);
    assert!(!parts.join("empty").exists());
    assert!(parts.join("begun").exists());
}
