//! The documents, from where everything else is made.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::corpus::Corpus;
use super::held_out::{HeldOut, HeldOutDocuments, write};
use super::{DataConfig, DataError, Fingerprint, Stream, StreamConfig, Summary};

/// An ordered list of documents, split into those to train on and those held out.
///
/// Copies share the list.
///
/// ```
/// use soma_trainer::data::{DataConfig, Documents, StreamConfig};
///
/// let folder = tempfile::tempdir()?;
/// std::fs::write(folder.path().join("a.txt"), "to be")?;
/// std::fs::write(folder.path().join("b.txt"), "or not to be")?;
/// let documents = Documents::open(DataConfig::new([folder.path()]))?;
/// assert_eq!(documents.summary().held_out.documents, 1);
/// let mut stream = documents.stream(StreamConfig::new(7));
/// assert_eq!(stream.next_sequence()?, stream.next_sequence()?);
/// assert_eq!(stream.position(), 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Documents {
    corpus: Arc<Corpus>,
}

impl Documents {
    /// Lists the documents. Plain files are only opened; JSONL and Parquet files are read through
    /// once, several at a time, so what is wrong in them shows here.
    ///
    /// Errors: all but `Changed` and `FolderNotEmpty`.
    pub fn open(config: DataConfig) -> Result<Self, DataError> {
        let corpus = Arc::new(Corpus::open(config)?);
        Ok(Self { corpus })
    }

    /// How much data there is, and what was left out.
    pub fn summary(&self) -> &Summary {
        &self.corpus.summary
    }

    /// Tells whether a later list is the same: names and sizes of files, and the split.
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(&self.corpus)
    }

    /// Endless passes over the training documents, from the start.
    pub fn stream(&self, config: StreamConfig) -> Stream {
        Stream::new(Arc::clone(&self.corpus), config)
    }

    /// One pass over the sequences of the held-out documents, in their own order.
    pub fn held_out(&self) -> HeldOut {
        HeldOut::new(Arc::clone(&self.corpus))
    }

    /// The held-out documents themselves, in their own order.
    pub fn held_out_documents(&self) -> HeldOutDocuments {
        HeldOutDocuments::new(Arc::clone(&self.corpus))
    }

    /// Writes the first `most` held-out documents as files into `folder`, which must be new or
    /// empty; gives the files. It should lie outside the named places, else they would be trained
    /// on in a later run.
    ///
    /// Errors: `FolderNotEmpty`, `File`, `Changed`, and those of the formats.
    pub fn write_held_out(&self, folder: &Path, most: usize) -> Result<Vec<PathBuf>, DataError> {
        write(&self.corpus, folder, most)
    }
}
