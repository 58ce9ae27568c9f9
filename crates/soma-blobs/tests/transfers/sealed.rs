//! Sealed weights in the cache.

use std::io::Read as _;

use soma_blobs::{Cache, CacheConfig, CachedBlob, Store, StoreConfig};
use soma_crypto::sealed::{fresh_key, seal_bytes};
use soma_types::Checksum;

use crate::raw::{bytes, fetcher};

/// Sealed bytes in a cache.
async fn keep(sealed: &[u8], folder: &std::path::Path) -> CachedBlob {
    let store = Store::new(StoreConfig::Folder {
        path: folder.join("store"),
        public_url_prefix: None,
    });
    let blob = store.unwrap().upload_bytes(sealed.to_vec()).await.unwrap();
    let cache = Cache::open(CacheConfig::new(folder.join("cache")), fetcher()).unwrap();
    cache.get(&blob).await.unwrap()
}

fn open(
    kept: &CachedBlob,
    key: &soma_types::WeightsKey,
    plain: Option<Checksum>,
) -> Result<Vec<u8>, soma_blobs::BlobError> {
    let mut stream = kept.open_sealed(key)?;
    let mut weights = Vec::new();
    // Errors are told by the end.
    let _ = stream.read_to_end(&mut weights);
    stream.finish(plain)?;
    Ok(weights)
}

#[tokio::test]
async fn a_wrong_key_opens_nothing_and_spoils_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (key, weights) = (fresh_key(), bytes(3_000_000));
    let (sealed, report) = seal_bytes(&weights, &key).unwrap();
    let kept = keep(&sealed, folder.path()).await;
    let error = open(&kept, &fresh_key(), None).unwrap_err();
    assert_eq!(error.name(), "Sealed");
    assert!(!error.is_own());
    let plain = Some(report.plaintext_checksum);
    assert_eq!(open(&kept, &key, plain).unwrap(), weights);
    let other = Some(Checksum([9; 32]));
    let error = open(&kept, &key, other).unwrap_err();
    assert_eq!(error.name(), "PlaintextMismatch");
}

#[tokio::test]
async fn a_cut_stream_is_not_opened() {
    let folder = tempfile::tempdir().unwrap();
    let (key, weights) = (fresh_key(), bytes(3_000_000));
    let (sealed, _) = seal_bytes(&weights, &key).unwrap();
    // Whole segments, but not all of them.
    let cut = &sealed[..24 + (1 << 20) + 16];
    let kept = keep(cut, folder.path()).await;
    assert_eq!(open(&kept, &key, None).unwrap_err().name(), "Sealed");
    let folder = tempfile::tempdir().unwrap();
    let kept = keep(b"not sealed at all, but long enough", folder.path()).await;
    assert_eq!(open(&kept, &key, None).unwrap_err().name(), "Sealed");
}

#[tokio::test]
async fn damage_on_disk_is_told_apart_from_a_wrong_key() {
    let folder = tempfile::tempdir().unwrap();
    let (key, weights) = (fresh_key(), bytes(3_000_000));
    let (sealed, _) = seal_bytes(&weights, &key).unwrap();
    let kept = keep(&sealed, folder.path()).await;
    let mut damaged = sealed.clone();
    damaged[2_000_000] ^= 1;
    std::fs::write(kept.path(), damaged).unwrap();
    let error = open(&kept, &key, None).unwrap_err();
    assert_eq!(error.name(), "Damaged");
    assert!(error.is_own());
}
