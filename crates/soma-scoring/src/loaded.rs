//! Models in memory: those used last, within a bound in bytes.

use crate::source::ModelKey;

/// Models in memory, the one used last at the end.
pub(crate) struct Loaded<M> {
    models: Vec<(ModelKey, M)>,
    /// Bytes of each.
    bytes_each: u64,
    max_bytes: u64,
}

impl<M> Loaded<M> {
    /// No model yet; each takes `bytes_each`, all together at most `max_bytes`.
    pub(crate) fn new(bytes_each: u64, max_bytes: u64) -> Self {
        Self {
            models: Vec::new(),
            bytes_each,
            max_bytes,
        }
    }

    /// The model, which counts as used now.
    pub(crate) fn get(&mut self, key: &ModelKey) -> Option<&M> {
        let place = self.models.iter().position(|(known, _)| known == key)?;
        let model = self.models.remove(place);
        self.models.push(model);
        self.models.last().map(|(_, model)| model)
    }

    /// Drops models until one more fits.
    pub(crate) fn make_room(&mut self) {
        while !self.models.is_empty() && self.bytes() + self.bytes_each > self.max_bytes {
            self.models.remove(0);
        }
    }

    /// Adds a model as the one used last.
    pub(crate) fn add(&mut self, key: ModelKey, model: M) -> &M {
        self.models.push((key, model));
        let last = self.models.len() - 1;
        &self.models[last].1
    }

    /// Drops all.
    pub(crate) fn clear(&mut self) {
        self.models.clear();
    }

    /// Models in memory.
    pub(crate) fn count(&self) -> usize {
        self.models.len()
    }

    /// Bytes in memory.
    pub(crate) fn bytes(&self) -> u64 {
        self.models.len() as u64 * self.bytes_each
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_model_not_used_for_longest_goes_first() {
        let key = |n| ModelKey([n; 32]);
        let mut loaded = Loaded::new(10, 25);
        for n in 1..=2 {
            loaded.make_room();
            loaded.add(key(n), n);
        }
        assert_eq!((loaded.count(), loaded.bytes()), (2, 20));
        assert_eq!(loaded.get(&key(1)), Some(&1));
        loaded.make_room();
        loaded.add(key(3), 3);
        assert_eq!(loaded.get(&key(2)), None, "used before the first");
        assert_eq!(loaded.get(&key(1)), Some(&1));
        assert_eq!(loaded.get(&key(3)), Some(&3));
    }
}
