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

/// The undecided blocks, in memory and on disk.
#[derive(Debug)]
pub(crate) struct Undecided {
    log: Log,
    max_bytes: u64,
    height: PlainHeight,
    blocks: BTreeMap<Digest, Bytes>,
    entries: Vec<Entry>,
}

impl Undecided {
    /// Opens the file in `folder`; what it holds counts when it is of `height`.
    pub(crate) fn open(
        folder: &Path,
        height: PlainHeight,
        max_bytes: u64,
    ) -> Result<Self, ConsensusError> {
        Ok(Self::of(Log::open(folder)?, height, max_bytes))
    }

    /// As [`Undecided::open`], in a file of one's own.
    pub(crate) fn open_file(
        file: Box<dyn LogFile>,
        height: PlainHeight,
        max_bytes: u64,
    ) -> Result<Self, ConsensusError> {
        let log = Log::read(PathBuf::from("undecided.log"), file)?;
        Ok(Self::of(log, height, max_bytes))
    }

    fn of((log, records): (Log, Vec<Record>), height: PlainHeight, max_bytes: u64) -> Self {
        let mut undecided = Self {
            log,
            max_bytes,
            height,
            blocks: BTreeMap::new(),
            entries: Vec::new(),
        };
        if undecided.log.height() == Some(height) {
            for record in records {
                match record {
                    Record::Block { id, payload } => {
                        undecided.blocks.insert(id, payload.0);
                    }
                    Record::Entry(entry) => undecided.entries.push(entry),
                }
            }
        }
        undecided
    }

    /// Goes on to `height`; blocks of others are forgotten.
    pub(crate) fn advance(&mut self, height: PlainHeight) {
        if self.height != height {
            self.height = height;
            self.blocks.clear();
            self.entries.clear();
        }
    }

    /// Keeps a block and the round in which it was proposed; on disk when this returns. False when
    /// the height has more blocks than are allowed: then it was not kept.
    pub(crate) fn add(&mut self, payload: &Bytes, entry: Entry) -> Result<bool, ConsensusError> {
        if self.entries.contains(&entry) {
            return Ok(true);
        }
        let is_current = self.log.height() == Some(self.height);
        let used = if is_current { self.log.bytes() } else { 0 };
        if !self.blocks.contains_key(&entry.id) {
            if !self.blocks.is_empty() && used.saturating_add(payload.len() as u64) > self.max_bytes
            {
                return Ok(false);
            }
            let record = Record::Block {
                id: entry.id,
                payload: payload.clone().into(),
            };
            self.log.append(self.height, &record)?;
            self.blocks.insert(entry.id, payload.clone());
        }
        self.log.append(self.height, &Record::Entry(entry))?;
        self.entries.push(entry);
        Ok(true)
    }

    /// The block with this id.
    pub(crate) fn payload(&self, id: &Digest) -> Option<&Bytes> {
        self.blocks.get(id)
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
