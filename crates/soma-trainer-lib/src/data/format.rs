//! What a file holds, by its name.

use std::path::Path;

/// How documents lie in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// The file is one document.
    Plain,
    /// Each line is a JSON object with a document in one field.
    Jsonl(Packing),
    /// Each row has a document in one column.
    Parquet,
}

/// How the bytes of a file are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Packing {
    None,
    Gzip,
    Zstd,
}

/// Ends of names, in lower case.
const ENDS: [(&str, Format); 7] = [
    (".jsonl", Format::Jsonl(Packing::None)),
    (".ndjson", Format::Jsonl(Packing::None)),
    (".jsonl.gz", Format::Jsonl(Packing::Gzip)),
    (".ndjson.gz", Format::Jsonl(Packing::Gzip)),
    (".jsonl.zst", Format::Jsonl(Packing::Zstd)),
    (".ndjson.zst", Format::Jsonl(Packing::Zstd)),
    (".parquet", Format::Parquet),
];

impl Format {
    /// The format of the file at `path`; every other name is that of a plain file.
    pub(super) fn of(path: &Path) -> Self {
        let name = path.file_name().unwrap_or_default();
        let lower = name.to_string_lossy().to_lowercase();
        let found = ENDS.iter().find(|(end, _)| lower.ends_with(end));
        found.map_or(Self::Plain, |(_, format)| *format)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_the_format() {
        let cases = [
            ("a/b.jsonl", Format::Jsonl(Packing::None)),
            ("a/b.NDJSON", Format::Jsonl(Packing::None)),
            ("a/b.jsonl.gz", Format::Jsonl(Packing::Gzip)),
            ("a/b.jsonl.zst", Format::Jsonl(Packing::Zstd)),
            ("a/b.Parquet", Format::Parquet),
            ("a/b.txt.gz", Format::Plain),
            ("a.jsonl/b", Format::Plain),
        ];
        for (name, format) in cases {
            assert_eq!(Format::of(Path::new(name)), format, "{name}");
        }
    }
}
