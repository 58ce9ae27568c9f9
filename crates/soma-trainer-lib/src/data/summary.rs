//! How much data there is, and what was left out.

use super::{DataError, OnUnreadable};

/// How much data lies on one side of the split.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Documents.
    pub documents: u64,
    /// Bytes of the documents, after decompression.
    pub bytes: u64,
    /// Sequences that the documents are cut into.
    pub sequences: u64,
}

impl Tally {
    /// One document of `bytes` bytes.
    pub(super) fn document(bytes: u64) -> Self {
        Self {
            documents: 1,
            bytes,
            sequences: super::window::count(bytes),
        }
    }

    pub(super) fn add(&mut self, other: Self) {
        self.documents += other.documents;
        self.bytes += other.bytes;
        self.sequences += other.sequences;
    }

    pub(super) fn remove(&mut self, other: Self) {
        self.documents -= other.documents;
        self.bytes -= other.bytes;
        self.sequences -= other.sequences;
    }
}

/// What is in the named places but is not used.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LeftOut {
    /// Documents without a byte, and records whose text is null.
    pub empty: u64,
    /// Documents above the limit of size.
    pub too_long: u64,
    /// Files, folders and lines that cannot be read, with [`OnUnreadable::Skip`].
    pub unreadable: u64,
    /// Why the first of them cannot be read.
    pub first_unreadable: Option<String>,
}

impl LeftOut {
    pub(super) fn add(&mut self, other: Self) {
        self.empty += other.empty;
        self.too_long += other.too_long;
        self.unreadable += other.unreadable;
        self.first_unreadable = self.first_unreadable.take().or(other.first_unreadable);
    }

    /// Counts what cannot be read, or stops at it.
    pub(super) fn unreadable(
        &mut self,
        error: DataError,
        on: OnUnreadable,
    ) -> Result<(), DataError> {
        if on == OnUnreadable::Fail {
            return Err(error);
        }
        self.unreadable += 1;
        self.first_unreadable
            .get_or_insert_with(|| error.to_string());
        Ok(())
    }
}

/// How much data there is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Files that were found, also those without a document that is used.
    pub files: u64,
    /// What one pass trains on.
    pub training: Tally,
    /// What is held out.
    pub held_out: Tally,
    /// What is not used.
    pub left_out: LeftOut,
}

impl Summary {
    /// All documents that are used.
    pub fn documents(&self) -> u64 {
        self.training.documents + self.held_out.documents
    }

    /// Bytes of all documents that are used.
    pub fn bytes(&self) -> u64 {
        self.training.bytes + self.held_out.bytes
    }

    /// Sequences of one pass over the training documents.
    pub fn sequences_per_pass(&self) -> u64 {
        self.training.sequences
    }
}
