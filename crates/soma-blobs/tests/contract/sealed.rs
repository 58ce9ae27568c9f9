//! Sealed weights out of the cache.

use std::fs;
use std::io::Read as _;

use soma_blobs::{BlobError, Cache, CachedBlob};
use soma_crypto::sealed::{fresh_key, seal_bytes};
use soma_types::{Checksum, WeightsKey};

use crate::support::{MIB, Place, blob, bytes};
use crate::web::{Answer, Web};

struct Kept {
    blob: CachedBlob,
    key: WeightsKey,
    weights: Vec<u8>,
    plaintext: Checksum,
    web: Web,
    cache: Cache,
    _place: Place,
}

impl Kept {
    /// Sealed weights of three segments, downloaded into a cache; `change` is what their owner
    /// does to the file before naming it.
    async fn new(change: impl FnOnce(&mut Vec<u8>)) -> Self {
        let (weights, key, place) = (bytes(2 * MIB + 500), fresh_key(), Place::new());
        let (mut sealed, report) = seal_bytes(&weights, &key).unwrap();
        change(&mut sealed);
        let served = sealed.clone();
        let web = Web::new(move |_| Answer::whole(&served)).await;
        let cache = place.cache(16 << 20);
        let blob = cache.get(&blob(web.url("w"), &sealed)).await.unwrap();
        Self {
            blob,
            key,
            weights,
            plaintext: report.plaintext_checksum,
            web,
            cache,
            _place: place,
        }
    }

    fn open(&self, key: &WeightsKey, plaintext: Checksum) -> Result<Vec<u8>, BlobError> {
        let mut reader = self.blob.open_sealed(key)?;
        let mut weights = Vec::new();
        // What this says is less exact than `finish`.
        let _ = reader.read_to_end(&mut weights);
        reader.finish(Some(plaintext)).map(|()| weights)
    }

    fn opens(&self) -> bool {
        self.open(&self.key, self.plaintext).as_ref() == Ok(&self.weights)
    }
}

#[tokio::test]
async fn the_right_key_gives_the_weights() {
    let kept = Kept::new(|_| {}).await;
    assert!(kept.opens());
    let unread = kept.blob.open_sealed(&kept.key).unwrap();
    let read_by_itself = unread.finish(Some(kept.plaintext));
    assert_eq!(read_by_itself, Ok(()));
    let unknown = kept.blob.open_sealed(&kept.key).unwrap();
    assert_eq!(unknown.finish(None), Ok(()));
}

#[tokio::test]
async fn a_wrong_key_is_told_and_spoils_nothing() {
    let kept = Kept::new(|_| {}).await;
    let error = kept.open(&fresh_key(), kept.plaintext).unwrap_err();
    assert_eq!(error.name(), "Sealed", "{error}");
    assert!(!error.is_own());
    assert!(kept.opens());
    assert!(kept.cache.kept(&kept.blob.checksum()).is_some());
    assert_eq!(kept.web.asked().len(), 1);
}

#[tokio::test]
async fn other_weights_than_committed_are_told() {
    let kept = Kept::new(|_| {}).await;
    let error = kept.open(&kept.key, Checksum([7; 32])).unwrap_err();
    let BlobError::PlaintextMismatch { expected, got } = &error else {
        panic!("{error}");
    };
    assert_eq!((*expected, *got), (Checksum([7; 32]), kept.plaintext));
    assert!(!error.is_own());
}

#[tokio::test]
async fn damage_on_disk_is_not_taken_for_a_wrong_key() {
    for position in [0, 50, MIB + 5_000, 2 * MIB + 200] {
        let kept = Kept::new(|_| {}).await;
        let mut sealed = fs::read(kept.blob.path()).unwrap();
        sealed[position] ^= 1;
        fs::write(kept.blob.path(), &sealed).unwrap();
        let error = kept.open(&kept.key, kept.plaintext).unwrap_err();
        assert_eq!(error.name(), "Damaged", "byte {position}: {error}");
        assert!(error.is_own());
        assert!(kept.cache.kept(&kept.blob.checksum()).is_none());
    }
}

#[tokio::test]
async fn a_cut_file_is_not_taken_for_a_wrong_key() {
    // Inside the header, inside a segment, between segments.
    for length in [0, 10, 24, 500_000, 24 + MIB + 16] {
        let kept = Kept::new(|_| {}).await;
        let sealed = fs::read(kept.blob.path()).unwrap();
        fs::write(kept.blob.path(), &sealed[..length]).unwrap();
        let error = kept.open(&kept.key, kept.plaintext).unwrap_err();
        assert_eq!(error.name(), "Damaged", "{length} bytes: {error}");
    }
}

#[tokio::test]
async fn what_was_never_sealed_is_told() {
    let kept = Kept::new(|sealed| sealed[0] = b'x').await;
    let error = kept.blob.open_sealed(&kept.key).err().unwrap();
    assert_eq!(error.name(), "Sealed", "{error}");
    assert_eq!(kept.blob.verify(), Ok(()), "it is kept as it is");
}

#[tokio::test]
async fn weights_that_their_owner_cut_or_changed_are_told() {
    // The manifest names the changed file: its checksum is right, the weights are not.
    let cut = Kept::new(|sealed| sealed.truncate(24 + MIB + 16)).await;
    let changed = Kept::new(|sealed| sealed[24 + MIB + 16 + 5] ^= 1).await;
    let longer = Kept::new(|sealed| sealed.push(0)).await;
    for kept in [cut, changed, longer] {
        let error = kept.open(&kept.key, kept.plaintext).unwrap_err();
        assert_eq!(error.name(), "Sealed", "{error}");
        assert!(!error.is_own());
    }
}
