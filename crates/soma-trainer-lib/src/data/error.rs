//! What can be wrong with training data.

use std::path::{Path, PathBuf};

/// Why data cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// A file or folder cannot be opened, read or written.
    #[error("`{path}`: {source}; check the path, its permissions, and that the file is whole")]
    File {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// A named path is a pipe, a socket or a device.
    #[error("`{path}` is neither a file nor a folder; name files or folders")]
    NotAFile {
        /// The path.
        path: PathBuf,
    },
    /// Nothing is left of the data.
    #[error(
        "the data holds no documents: {found}; name other files or folders, or relax the filters"
    )]
    NoDocuments {
        /// What was found and left out.
        found: String,
    },
    /// A pattern for names is no glob.
    #[error(
        "the pattern `{pattern}` is no glob: {reason}; write for example `*.txt` or `**/logs/**`"
    )]
    BadPattern {
        /// The pattern.
        pattern: String,
        /// Why.
        reason: String,
    },
    /// The held-out fraction is no fraction.
    #[error("the held-out fraction is {fraction}; give a number from 0 to below 1")]
    BadFraction {
        /// What was given.
        fraction: f64,
    },
    /// A line of a JSONL file is no JSON object.
    #[error("`{path}`, line {line}: {reason}; each line must be one JSON object in UTF-8")]
    BadLine {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// What the JSON parser says.
        reason: String,
    },
    /// A line of a JSONL file lacks the field.
    #[error("`{path}`, line {line}: there is no field `{field}`; the line has {}", list(.names))]
    MissingField {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// The field that should hold the text.
        field: String,
        /// The fields there are.
        names: Vec<String>,
    },
    /// A Parquet file lacks the column.
    #[error("`{path}`: there is no column `{column}`; the file has {}", list(.names))]
    MissingColumn {
        /// The file.
        path: PathBuf,
        /// The column that should hold the text.
        column: String,
        /// The columns there are.
        names: Vec<String>,
    },
    /// The column of a Parquet file holds no text.
    #[error(
        "`{path}`: the column `{column}` holds {kind}; name a column of strings or binary values"
    )]
    NotText {
        /// The file.
        path: PathBuf,
        /// The column.
        column: String,
        /// What it holds.
        kind: String,
    },
    /// A Parquet file is cut or damaged, or uses a feature that is not supported.
    #[error("`{path}` cannot be read as Parquet: {reason}; fetch or write the file again")]
    Parquet {
        /// The file.
        path: PathBuf,
        /// What the decoder says.
        reason: String,
    },
    /// Held-out documents are to be written among other files.
    #[error("`{path}` is not empty; name a new folder for the held-out documents")]
    FolderNotEmpty {
        /// The folder.
        path: PathBuf,
    },
    /// A file is no longer what it was when the documents were listed.
    #[error("`{path}` changed during the run: {reason}; keep the data as it is, or start again")]
    Changed {
        /// The file.
        path: PathBuf,
        /// What differs.
        reason: String,
    },
}

impl DataError {
    /// The stable name of the error.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::File { .. } => "File",
            Self::NotAFile { .. } => "NotAFile",
            Self::NoDocuments { .. } => "NoDocuments",
            Self::BadPattern { .. } => "BadPattern",
            Self::BadFraction { .. } => "BadFraction",
            Self::BadLine { .. } => "BadLine",
            Self::MissingField { .. } => "MissingField",
            Self::MissingColumn { .. } => "MissingColumn",
            Self::NotText { .. } => "NotText",
            Self::Parquet { .. } => "Parquet",
            Self::FolderNotEmpty { .. } => "FolderNotEmpty",
            Self::Changed { .. } => "Changed",
        }
    }

    /// For `map_err` where `path` was opened, read or written.
    pub(super) fn file(path: &Path) -> impl FnOnce(std::io::Error) -> Self + '_ {
        move |source| Self::File {
            path: path.to_owned(),
            source,
        }
    }
}

/// The first names, quoted; files with thousands of columns give a message of one line too.
fn list(names: &[String]) -> String {
    const SHOWN: usize = 20;
    if names.is_empty() {
        return "none".to_owned();
    }
    let shown: Vec<String> = names.iter().take(SHOWN).map(|n| format!("`{n}`")).collect();
    let more = match names.len().saturating_sub(SHOWN) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("{}{more}", shown.join(", "))
}
