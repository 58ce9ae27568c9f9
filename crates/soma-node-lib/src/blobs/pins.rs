//! Data and weights under audit, which stay in the cache until the claim is possible.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;

use soma_blobs::CachedBlob;
use soma_types::Epoch;

/// Blobs that are held in use, so that the cache does not remove them: each for a `K`, such as the
/// target that it is the data of. At most `max_bytes`: beyond that the oldest are let go, since a full
/// cache could take nothing new.
pub(super) struct Pins<K> {
    max_bytes: u64,
    bytes: u64,
    count: u64,
    /// In the order in which they came.
    held: BTreeMap<u64, Pin<K>>,
    places: HashMap<K, u64>,
}

struct Pin<K> {
    of: K,
    /// The epoch of the fill; of weights that of the latest fill or reveal.
    epoch: Epoch,
    blob: CachedBlob,
}

impl<K: Copy + Eq + Hash> Pins<K> {
    pub(super) fn new(max_bytes: u64) -> Self {
        Self {
            max_bytes,
            bytes: 0,
            count: 0,
            held: BTreeMap::new(),
            places: HashMap::new(),
        }
    }

    /// True when a blob of `size` bytes can be held at all.
    pub(super) fn can_hold(&self, size: u64) -> bool {
        size <= self.max_bytes
    }

    /// Holds a blob for what happened in `epoch`.
    pub(super) fn hold(&mut self, of: K, epoch: Epoch, blob: CachedBlob) {
        if self.extend(of, epoch) || !self.can_hold(blob.size()) {
            return;
        }
        self.bytes = self.bytes.saturating_add(blob.size());
        self.count += 1;
        self.places.insert(of, self.count);
        let pin = Pin { of, epoch, blob };
        self.held.insert(self.count, pin);
        while self.bytes > self.max_bytes {
            let Some((_, oldest)) = self.held.pop_first() else {
                break;
            };
            self.forget(&oldest);
        }
    }

    /// Holds what is held already for `epoch`, too; false when it is not held.
    pub(super) fn extend(&mut self, of: K, epoch: Epoch) -> bool {
        let pin = self.places.get(&of).and_then(|at| self.held.get_mut(at));
        match pin {
            Some(pin) => {
                pin.epoch = pin.epoch.max(epoch);
                true
            }
            None => false,
        }
    }

    /// Lets go what can be claimed in epoch `now`.
    pub(super) fn release(&mut self, now: Epoch) {
        let over: Vec<u64> = self
            .held
            .iter()
            .filter(|(_, pin)| now >= pin.epoch.plus(2))
            .map(|(place, _)| *place)
            .collect();
        for place in over {
            if let Some(pin) = self.held.remove(&place) {
                self.forget(&pin);
            }
        }
    }

    fn forget(&mut self, pin: &Pin<K>) {
        self.bytes = self.bytes.saturating_sub(pin.blob.size());
        self.places.remove(&pin.of);
    }

    #[cfg(test)]
    fn all(&self) -> Vec<K> {
        self.held.values().map(|pin| pin.of).collect()
    }
}

#[cfg(test)]
mod tests {
    use soma_blobs::{BlobRef, Cache, CacheConfig, FetchConfig, Fetcher};
    use soma_types::TargetId;

    use super::*;

    fn data(byte: u8) -> TargetId {
        TargetId([byte; 32])
    }

    async fn blob(cache: &Cache, folder: &std::path::Path, byte: u8) -> CachedBlob {
        let bytes = vec![byte; 100];
        let path = folder.join(format!("{byte}"));
        std::fs::write(&path, &bytes).unwrap();
        let blob = BlobRef {
            url: format!("file://{}", path.display()),
            checksum: soma_crypto::checksum(&bytes),
            size: 100,
        };
        cache.get(&blob).await.unwrap()
    }

    #[tokio::test]
    async fn data_is_held_until_its_claim_is_possible_and_the_oldest_goes_when_room_is_short() {
        let folder = tempfile::tempdir().unwrap();
        let fetcher = Fetcher::new(FetchConfig::local()).unwrap();
        let config = CacheConfig::new(folder.path().join("cache"));
        let cache = Cache::open(config, fetcher).unwrap();
        let mut pins = Pins::new(250);
        for (byte, epoch) in [(1, 5), (2, 5), (3, 4)] {
            let blob = blob(&cache, folder.path(), byte).await;
            pins.hold(data(byte), Epoch(epoch), blob);
        }
        assert_eq!(pins.all(), [data(2), data(3)]);
        pins.release(Epoch(6));
        assert_eq!(pins.all(), [data(2)]);
        pins.release(Epoch(7));
        assert_eq!((pins.all().len(), pins.bytes), (0, 0));
    }

    #[tokio::test]
    async fn weights_are_held_once_and_until_the_last_fill_that_pins_them_can_be_claimed() {
        let folder = tempfile::tempdir().unwrap();
        let fetcher = Fetcher::new(FetchConfig::local()).unwrap();
        let config = CacheConfig::new(folder.path().join("cache"));
        let cache = Cache::open(config, fetcher).unwrap();
        let mut pins = Pins::new(250);
        let blob = blob(&cache, folder.path(), 1).await;
        let weights = blob.checksum();
        for epoch in [5, 7, 6] {
            pins.hold(weights, Epoch(epoch), blob.clone());
        }
        assert_eq!((pins.all().len(), pins.bytes), (1, 100));
        pins.release(Epoch(8));
        assert_eq!(pins.all(), [weights]);
        pins.release(Epoch(9));
        assert_eq!((pins.all().len(), pins.bytes), (0, 0));
    }
}
