//! Who watches the game.

/// Who watches the game.
pub trait Watch: Sync {
    /// What happens now, in a sentence.
    fn say(&self, text: &str);

    /// So many steps of a model's training are done.
    fn training(&self, _domain: &str, _done: u64, _of: u64, _text: &str) {}
}

/// Nobody watches.
impl Watch for () {
    fn say(&self, _: &str) {}
}
