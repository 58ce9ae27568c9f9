//! Which documents to train on.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Share of the documents that is held out when nothing else is asked for.
pub const HELD_OUT_FRACTION: f64 = 0.05;

/// Which documents to train on, and how to read them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DataConfig {
    /// Files and folders. Folders are searched through; files named here are always taken.
    ///
    /// Not kept with a run: its data may lie elsewhere when it goes on.
    #[serde(skip)]
    pub paths: Vec<PathBuf>,
    /// Globs; when there are any, files in folders are taken only if one of them matches.
    ///
    /// A glob is held against the path inside the named folder and against the last name; `*` also
    /// matches `/`.
    pub include: Vec<String>,
    /// Globs of files and folders that are left out, even if `include` matches.
    pub exclude: Vec<String>,
    /// Ends of names, such as `rs` or `jsonl.gz`; none takes all files in folders. Case is ignored.
    pub extensions: Vec<String>,
    /// The field of JSONL lines, and the column of Parquet files, that holds the text.
    pub field: String,
    /// Longer documents are left out and counted; `None` takes files of any size.
    ///
    /// Lines of JSONL and values of Parquet have to fit in memory, and are left out beyond
    /// [`MAX_RECORD_BYTES`](super::MAX_RECORD_BYTES) whatever is set here.
    pub max_document_bytes: Option<u64>,
    /// What to do with what cannot be read when the documents are listed.
    pub on_unreadable: OnUnreadable,
    /// Share of the documents that is held out: 0 holds out none, else from above 0 to below 1.
    pub held_out_fraction: f64,
    /// Chooses which documents are held out.
    pub split_seed: u64,
}

impl DataConfig {
    /// All documents in `paths`, with a twentieth of them held out.
    pub fn new(paths: impl IntoIterator<Item = impl Into<PathBuf>>) -> Self {
        Self {
            paths: paths.into_iter().map(Into::into).collect(),
            include: Vec::new(),
            exclude: Vec::new(),
            extensions: Vec::new(),
            field: "text".to_owned(),
            max_document_bytes: None,
            on_unreadable: OnUnreadable::Fail,
            held_out_fraction: HELD_OUT_FRACTION,
            split_seed: 0,
        }
    }
}

/// What to do with files, folders and lines that cannot be read when the documents are listed.
///
/// While the documents are streamed every such error ends the stream: to leave something out then
/// would move all positions after it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnUnreadable {
    /// Leave out the file, the folder or the line, and count it in the summary.
    Skip,
    /// Stop with the error.
    #[default]
    Fail,
}
