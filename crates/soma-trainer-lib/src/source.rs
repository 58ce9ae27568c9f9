//! What the trainer asks of the data.

/// Where training sequences come from; the same sequence at the same place, always.
pub trait SequenceSource: Send {
    /// The next sequence; `None` where the data has not a single byte.
    ///
    /// # Errors
    /// What reading the data gives; the position stays.
    fn next(&mut self) -> Result<Option<soma_model::tokenizer::Sequence>, crate::data::DataError>;

    /// How many sequences were taken.
    fn position(&self) -> u64;

    /// Goes to a place, as if that many sequences had been taken.
    ///
    /// # Errors
    /// What reading the data gives.
    fn seek(&mut self, position: u64) -> Result<(), crate::data::DataError>;
}

impl SequenceSource for crate::data::Stream {
    fn next(&mut self) -> Result<Option<soma_model::tokenizer::Sequence>, crate::data::DataError> {
        self.next_sequence()
    }

    fn position(&self) -> u64 {
        Self::position(self)
    }

    fn seek(&mut self, position: u64) -> Result<(), crate::data::DataError> {
        Self::seek(self, position);
        Ok(())
    }
}
