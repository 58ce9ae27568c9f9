//! Data under audit, which stays in the cache until its claim is possible.

use std::collections::{BTreeMap, HashMap};

use soma_blobs::CachedBlob;
use soma_types::{Epoch, TargetId};

/// Blobs that are held in use, so that the cache does not remove them. At most `max_bytes`: beyond
/// that the oldest are let go, since a full cache could take nothing new.
pub(super) struct Pins {
    max_bytes: u64,
    bytes: u64,
    count: u64,
    /// In the order in which they came.
    held: BTreeMap<u64, Pin>,
    places: HashMap<TargetId, u64>,
}

struct Pin {
    target: TargetId,
    /// The epoch of the fill.
    epoch: Epoch,
    blob: CachedBlob,
}

impl Pins {
    pub(super) fn new(max_bytes: u64) -> Self {
        Self {
            max_bytes,
            bytes: 0,
            count: 0,
            held: BTreeMap::new(),
            places: HashMap::new(),
        }
    }

    /// Holds the data of `target`, filled in `epoch`.
    pub(super) fn hold(&mut self, target: TargetId, epoch: Epoch, blob: CachedBlob) {
        if self.places.contains_key(&target) || blob.size() > self.max_bytes {
            return;
        }
        self.bytes = self.bytes.saturating_add(blob.size());
        self.count += 1;
        self.places.insert(target, self.count);
        let pin = Pin {
            target,
            epoch,
            blob,
        };
        self.held.insert(self.count, pin);
        while self.bytes > self.max_bytes {
            let Some((_, oldest)) = self.held.pop_first() else {
                break;
            };
            self.forget(&oldest);
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

    fn forget(&mut self, pin: &Pin) {
        self.bytes = self.bytes.saturating_sub(pin.blob.size());
        self.places.remove(&pin.target);
    }

    #[cfg(test)]
    fn targets(&self) -> Vec<TargetId> {
        self.held.values().map(|pin| pin.target).collect()
    }
}

#[cfg(test)]
mod tests {
    use soma_blobs::{BlobRef, Cache, CacheConfig, FetchConfig, Fetcher};

    use super::*;

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
            pins.hold(TargetId([byte; 32]), Epoch(epoch), blob);
        }
        assert_eq!(pins.targets(), [TargetId([2; 32]), TargetId([3; 32])]);
        pins.release(Epoch(6));
        assert_eq!(pins.targets(), [TargetId([2; 32])]);
        pins.release(Epoch(7));
        assert_eq!((pins.targets().len(), pins.bytes), (0, 0));
    }
}
