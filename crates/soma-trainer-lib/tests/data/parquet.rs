//! Documents as rows of Parquet.

use parquet::basic::{BrotliLevel, Compression, GzipLevel, ZstdLevel};
use proptest::prelude::*;
use soma_trainer::data::{DataConfig, Documents, OnUnreadable};
use tempfile::TempDir;

use crate::support::*;

/// Rows in three groups; every fifth is null, and every seventh empty.
fn rows() -> Vec<Vec<Option<String>>> {
    let text = |at: usize| match at {
        at if at.is_multiple_of(5) => None,
        at if at.is_multiple_of(7) => Some(String::new()),
        at => Some(letters(at as u64, at * 20)),
    };
    let all: Vec<Option<String>> = (0..300).map(text).collect();
    all.chunks(130).map(<[_]>::to_vec).collect()
}

fn with_rows(compression: Compression) -> TempDir {
    let folder = folder();
    put_parquet(&folder.path().join("a.parquet"), &rows(), compression);
    folder
}

#[test]
fn rows_of_all_compressions_are_documents() {
    let texts: Vec<String> = rows().into_iter().flatten().flatten().collect();
    let compressions = [
        Compression::UNCOMPRESSED,
        Compression::SNAPPY,
        Compression::GZIP(GzipLevel::default()),
        Compression::BROTLI(BrotliLevel::default()),
        Compression::LZ4_RAW,
        Compression::ZSTD(ZstdLevel::default()),
    ];
    for compression in compressions {
        let folder = with_rows(compression);
        let documents = open(all(&folder));
        assert_eq!(
            sorted(one_pass(&documents)),
            expected(&texts),
            "{compression}"
        );
        let empty = 300 - texts.iter().filter(|text| !text.is_empty()).count() as u64;
        assert_eq!(documents.summary().left_out.empty, empty);
    }
}

#[test]
fn a_column_that_is_never_null_is_read_too() {
    let folder = with_rows(Compression::SNAPPY);
    let documents = open(DataConfig {
        field: "always".to_owned(),
        ..all(&folder)
    });
    let texts: Vec<String> = rows().into_iter().flatten().flatten().collect();
    assert_eq!(sorted(one_pass(&documents)), expected(&texts));
}

#[test]
fn a_missing_column_names_the_columns_there_are() {
    let folder = with_rows(Compression::SNAPPY);
    let config = DataConfig {
        field: "body".to_owned(),
        ..all(&folder)
    };
    let error = Documents::open(config).expect_err("no column");
    assert_eq!(error.name(), "MissingColumn");
    let text = error.to_string();
    let part = "no column `body`; the file has `id`, `text`, `always`, `tags`";
    assert!(text.contains(part), "{text}");
}

#[test]
fn columns_of_numbers_and_of_lists_hold_no_text() {
    let folder = with_rows(Compression::SNAPPY);
    for (column, kind) in [("id", "INT64"), ("tags", "lists")] {
        let config = DataConfig {
            field: column.to_owned(),
            ..all(&folder)
        };
        let error = Documents::open(config).expect_err("no text");
        assert_eq!(error.name(), "NotText");
        assert!(error.to_string().contains(kind), "{error}");
    }
}

#[test]
fn a_cut_file_is_an_error_or_left_out_as_a_whole() {
    let folder = with_rows(Compression::SNAPPY);
    let whole = std::fs::read(folder.path().join("a.parquet")).expect("file");
    put(&folder, "b.txt", "b");
    for size in [0, 3, 100, whole.len() / 2, whole.len() - 1] {
        put(&folder, "a.parquet", &whole[..size]);
        let error = Documents::open(all(&folder)).expect_err("cut");
        assert_eq!(error.name(), "Parquet", "{error}");
        assert!(error.to_string().contains("a.parquet"), "{error}");
        let documents = open(DataConfig {
            on_unreadable: OnUnreadable::Skip,
            ..all(&folder)
        });
        assert_eq!(documents.summary().left_out.unreadable, 1);
        assert_eq!(one_pass(&documents), expected(["b"]));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn a_damaged_file_is_read_or_is_an_error(at: prop::sample::Index, byte: u8) {
        let folder = with_rows(Compression::UNCOMPRESSED);
        let path = folder.path().join("a.parquet");
        let mut content = std::fs::read(&path).expect("file");
        // Half of the damage goes to the footer, which is a small part of the file.
        let size = content.len();
        let from = if byte.is_multiple_of(2) { size - 1_000 } else { 0 };
        content[from + at.index(size - from)] ^= byte | 1;
        std::fs::write(&path, content).expect("file");
        match Documents::open(all(&folder)) {
            Ok(documents) => prop_assert!(documents.summary().documents() > 0),
            Err(error) => prop_assert!(!error.name().is_empty()),
        }
    }
}
