//! Models in memory: those used last, as many as fit.

use crate::source::ModelKey;

/// Models in memory, the one used last at the end.
pub(crate) struct Loaded<M> {
    models: Vec<(ModelKey, M)>,
    /// How many may be there.
    most: usize,
}

impl<M> Loaded<M> {
    /// No model yet; each takes `bytes_each`, all together at most `max_bytes`. One is taken in any
    /// case: whether it fits is asked before.
    pub(crate) fn new(bytes_each: u64, max_bytes: u64) -> Self {
        let fit = max_bytes / bytes_each.max(1);
        Self {
            models: Vec::new(),
            most: usize::try_from(fit).unwrap_or(usize::MAX).max(1),
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
        while self.models.len() >= self.most {
            self.models.remove(0);
        }
    }

    /// Drops the model not used for longest, and keeps no more than are left from now on.
    pub(crate) fn keep_fewer(&mut self) {
        if !self.models.is_empty() {
            self.models.remove(0);
        }
        self.most = self.models.len().max(1);
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
        assert_eq!(loaded.count(), 2);
        assert_eq!(loaded.get(&key(1)), Some(&1));
        loaded.make_room();
        loaded.add(key(3), 3);
        assert_eq!(loaded.get(&key(2)), None, "used before the first");
        assert_eq!(loaded.get(&key(1)), Some(&1));
        assert_eq!(loaded.get(&key(3)), Some(&3));
    }

    #[test]
    fn where_models_take_more_than_they_should_fewer_are_kept() {
        let key = |n| ModelKey([n; 32]);
        let mut loaded = Loaded::new(10, 100);
        for n in 1..=3 {
            loaded.make_room();
            loaded.add(key(n), n);
        }
        loaded.keep_fewer();
        assert_eq!(loaded.count(), 2);
        loaded.make_room();
        loaded.add(key(4), 4);
        assert_eq!(loaded.count(), 2);
        assert_eq!(loaded.get(&key(3)), Some(&3));
    }

    #[test]
    fn one_model_is_taken_in_any_case() {
        let mut loaded = Loaded::new(10, 9);
        loaded.make_room();
        loaded.add(ModelKey([1; 32]), 1);
        assert_eq!(loaded.count(), 1);
    }
}
