//! Blocks of the height in work: proposed, checked, not decided yet.

mod log;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use malachite::app::types::ProposedValue;
use malachite::app::types::core::{Round, Validity};
use serde::{Deserialize, Serialize};
use soma_types::consensus::SignedRoundProposal;
use soma_types::{Address as PlainAddress, Digest, Height as PlainHeight};

use crate::context::{Address, BlockId, Height, SomaContext, Value};
use crate::error::ConsensusError;

use log::Log;
pub use log::LogFile;

/// A block in a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entry {
    /// The round.
    pub(crate) round: u32,
    /// An earlier round in which it had prevotes of more than two thirds.
    pub(crate) valid_round: Option<u32>,
    /// The proposer of the round.
    pub(crate) proposer: PlainAddress,
    /// The block.
    pub(crate) id: Digest,
    /// What checking and executing it gave.
    pub(crate) is_valid: bool,
    /// The proposer's signature; none for blocks that came by sync.
    pub(crate) signed: Option<SignedRoundProposal>,
}

/// What the file holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Record {
    /// A block, once.
    Block { id: Digest, payload: Stored },
    /// A round in which it was proposed.
    Entry(Entry),
}

/// A payload's encoding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stored(pub(crate) Bytes);

impl From<Bytes> for Stored {
    fn from(bytes: Bytes) -> Self {
        Self(bytes)
    }
}

impl Serialize for Stored {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Stored {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        crate::codec::byte_string::deserialize(deserializer).map(|bytes| Self(bytes.into()))
    }
}

/// The undecided blocks. They lie on disk, all of the height: any of them may be decided yet. In
/// memory is what is known of them.
#[derive(Debug)]
pub(crate) struct Undecided {
    log: Log,
    height: PlainHeight,
    /// Where in the log each block is.
    places: BTreeMap<Digest, u64>,
    entries: Vec<Entry>,
}

impl Undecided {
    /// Opens the file in `folder`; what it holds counts when it is of `height`.
    pub(crate) fn open(folder: &Path, height: PlainHeight) -> Result<Self, ConsensusError> {
        let (path, file) = log::open(folder)?;
        Self::read(path, file, height)
    }

    /// As [`Undecided::open`], in a file of one's own.
    pub(crate) fn open_file(
        file: Box<dyn LogFile>,
        height: PlainHeight,
    ) -> Result<Self, ConsensusError> {
        Self::read(PathBuf::from("undecided.log"), file, height)
    }

    fn read(
        path: PathBuf,
        file: Box<dyn LogFile>,
        height: PlainHeight,
    ) -> Result<Self, ConsensusError> {
        let (mut places, mut entries) = (BTreeMap::new(), Vec::new());
        let log = Log::read(path, file, |place, record| match record {
            Record::Block { id, .. } => {
                places.insert(id, place);
            }
            Record::Entry(entry) => entries.push(entry),
        })?;
        if log.height() != Some(height) {
            places.clear();
            entries.clear();
        }
        Ok(Self {
            log,
            height,
            places,
            entries,
        })
    }

    /// Goes on to `height`; blocks of others are forgotten.
    pub(crate) fn advance(&mut self, height: PlainHeight) {
        if self.height != height {
            self.height = height;
            self.places.clear();
            self.entries.clear();
        }
    }

    /// Keeps a block and the round in which it was proposed; on disk when this returns.
    pub(crate) fn add(&mut self, payload: &Bytes, entry: Entry) -> Result<(), ConsensusError> {
        if !self.places.contains_key(&entry.id) {
            let record = Record::Block {
                id: entry.id,
                payload: payload.clone().into(),
            };
            let place = self.log.append(self.height, &record)?;
            self.places.insert(entry.id, place);
        }
        self.add_round(entry)
    }

    /// Keeps one more round in which a block that is here was proposed; on disk when this returns.
    pub(crate) fn add_round(&mut self, entry: Entry) -> Result<(), ConsensusError> {
        if !self.entries.contains(&entry) {
            self.log.append(self.height, &Record::Entry(entry))?;
            self.entries.push(entry);
        }
        Ok(())
    }

    /// The block with this id, from the disk.
    pub(crate) fn payload(&mut self, id: &Digest) -> Result<Option<Bytes>, ConsensusError> {
        let Some(place) = self.places.get(id) else {
            return Ok(None);
        };
        Ok(match self.log.record(*place)? {
            Record::Block { payload, .. } => Some(payload.0),
            Record::Entry(_) => None,
        })
    }

    /// What checking this block gave, if it was.
    pub(crate) fn validity(&self, id: &Digest) -> Option<bool> {
        let mut entries = self.entries.iter();
        entries.find(|entry| entry.id == *id).map(|e| e.is_valid)
    }

    /// True when a block came by sync alone.
    pub(crate) fn is_by_sync(&self, id: &Digest) -> bool {
        let mut entries = self.entries.iter().filter(|entry| entry.id == *id);
        entries.all(|entry| entry.signed.is_none())
    }

    /// All rounds and blocks.
    pub(crate) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// What `proposer` proposed in `round`.
    pub(crate) fn proposed_by(&self, round: u32, proposer: &PlainAddress) -> Option<&Entry> {
        let mut entries = self.entries.iter();
        entries.find(|entry| {
            entry.round == round && entry.proposer == *proposer && entry.signed.is_some()
        })
    }

    /// The signed proposal of a block in a round.
    pub(crate) fn signed(&self, round: u32, id: &Digest) -> Option<SignedRoundProposal> {
        let mut entries = self.entries.iter();
        entries.find_map(|entry| {
            let matches = entry.round == round && entry.id == *id;
            entry.signed.filter(|_| matches)
        })
    }

    /// The blocks of a round in the engine's terms.
    pub(crate) fn proposed(&self, round: u32) -> Vec<ProposedValue<SomaContext>> {
        let in_round = self.entries.iter().filter(|entry| entry.round == round);
        in_round.map(|entry| entry.proposed(self.height)).collect()
    }
}

impl Entry {
    /// The block in the engine's terms.
    pub(crate) fn proposed(&self, height: PlainHeight) -> ProposedValue<SomaContext> {
        ProposedValue {
            height: Height(height),
            round: Round::new(self.round),
            valid_round: Round::from(self.valid_round),
            proposer: Address(self.proposer),
            value: Value(BlockId(self.id)),
            validity: Validity::from_bool(self.is_valid),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(round: u32) -> Entry {
        Entry {
            round,
            valid_round: None,
            proposer: PlainAddress([1; 32]),
            id: Digest([round as u8; 32]),
            is_valid: true,
            signed: None,
        }
    }

    #[test]
    fn every_block_of_a_height_is_kept_until_the_next_and_comes_back() {
        let folder = tempfile::tempdir().unwrap();
        let payload = |round: u32| Bytes::from(vec![round as u8; 1_000]);
        let mut undecided = Undecided::open(folder.path(), 7).unwrap();
        for round in 0..100 {
            undecided.add(&payload(round), entry(round)).unwrap();
            // An old block is read between two writes.
            let first = undecided.payload(&entry(0).id).unwrap();
            assert_eq!(first, Some(payload(0)));
        }
        let again = Entry {
            round: 100,
            ..entry(3)
        };
        undecided.add_round(again).unwrap();
        let mut undecided = Undecided::open(folder.path(), 7).unwrap();
        assert_eq!(undecided.entries().len(), 101);
        for round in 0..100 {
            let found = undecided.payload(&entry(round).id).unwrap();
            assert_eq!(found, Some(payload(round)));
        }
        undecided.advance(8);
        assert_eq!(undecided.payload(&entry(3).id).unwrap(), None);
        undecided.add(&payload(5), entry(5)).unwrap();
        let mut undecided = Undecided::open(folder.path(), 8).unwrap();
        assert_eq!(undecided.entries(), [entry(5)]);
        assert_eq!(undecided.payload(&entry(5).id).unwrap(), Some(payload(5)));
        assert!(
            Undecided::open(folder.path(), 9)
                .unwrap()
                .entries()
                .is_empty()
        );
    }
}
