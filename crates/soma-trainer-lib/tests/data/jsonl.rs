//! Documents as lines of JSON.

use std::io::Write;

use flate2::write::GzEncoder;
use soma_trainer::data::{DataConfig, DataError, Documents, OnUnreadable};

use crate::support::*;

#[test]
fn blank_lines_line_ends_and_a_byte_order_mark_are_no_text() {
    let folder = folder();
    let text = "\u{feff}{\"text\": \"a\"}\r\n\n  \n{\"text\": \"b\\r\\n\"}\n{\"text\": null}\n{\"text\":\"c\"}";
    put(&folder, "a.jsonl", text);
    let documents = open(all(&folder));
    assert_eq!(documents.summary().documents(), 3);
    assert_eq!(documents.summary().left_out.empty, 1);
    assert_eq!(sorted(one_pass(&documents)), expected(["a", "b\r\n", "c"]));
}

#[test]
fn a_bad_line_is_named_by_its_number() {
    let folder = folder();
    put(
        &folder,
        "a.jsonl",
        line("a") + "\n" + "{\"text\": \"b\n" + &line("c"),
    );
    let error = Documents::open(all(&folder)).expect_err("bad line");
    let DataError::BadLine { path, line, reason } = &error else {
        panic!("{error}")
    };
    assert!(path.ends_with("a.jsonl"));
    assert_eq!(*line, 3);
    assert!(reason.contains("EOF"), "{reason}");
    assert!(error.to_string().contains("line 3"), "{error}");
}

#[test]
fn a_bad_line_can_be_skipped_without_its_file() {
    let folder = folder();
    put(&folder, "a.jsonl", line("a") + "nothing\n" + &line("b"));
    let documents = open(DataConfig {
        on_unreadable: OnUnreadable::Skip,
        ..all(&folder)
    });
    let left = &documents.summary().left_out;
    assert_eq!(left.unreadable, 1);
    let first = left.first_unreadable.as_deref().unwrap_or_default();
    assert!(first.contains("line 2"), "{first}");
    assert_eq!(sorted(one_pass(&documents)), expected(["a", "b"]));
}

#[test]
fn a_line_without_the_field_names_the_fields_there_are() {
    let folder = folder();
    put(&folder, "a.jsonl", "{\"body\": \"a\", \"id\": 1}\n");
    let error = Documents::open(all(&folder)).expect_err("no field");
    assert_eq!(error.name(), "MissingField");
    assert!(
        error
            .to_string()
            .contains("no field `text`; the line has `body`, `id`"),
        "{error}"
    );
    let documents = open(DataConfig {
        field: "body".to_owned(),
        ..all(&folder)
    });
    assert_eq!(one_pass(&documents), expected(["a"]));
}

#[test]
fn compressed_lines_are_the_same_documents() {
    let texts: Vec<String> = (0..60).map(|at| letters(at, at as usize * 90)).collect();
    let lines: String = texts.iter().map(|text| line(text)).collect();
    let mut gzip = GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(lines.as_bytes()).expect("gzip");
    let gzip = gzip.finish().expect("gzip");
    let zstd = zstd::encode_all(lines.as_bytes(), 1).expect("zstd");
    for (name, content) in [("a.jsonl.gz", &gzip), ("a.jsonl.zst", &zstd)] {
        let whole = folder();
        put(&whole, name, content);
        let documents = open(all(&whole));
        assert_eq!(sorted(one_pass(&documents)), expected(&texts));
        let mut stream = stream(&documents, 10);
        let taken = take(&mut stream, 50);
        stream.seek(45);
        assert_eq!(take(&mut stream, 5), taken[45..]);

        let cut = folder();
        put(&cut, name, &content[..content.len() / 2]);
        let error = Documents::open(all(&cut)).expect_err("cut");
        assert_eq!(error.name(), "File");
        assert!(error.to_string().contains("the file is whole"), "{error}");
    }
}

#[test]
fn lines_on_both_sides_of_a_block_boundary_appear_once() {
    let folder = folder();
    // The first line ends one byte before, at, and one byte after the end of the first block.
    let frame = line("").len();
    for shift in [0, 1, 2] {
        let texts = [
            letters(1, (1 << 20) - frame - 1 + shift),
            letters(2, 5),
            letters(3, 9),
        ];
        let lines: String = texts.iter().map(|text| line(text)).collect();
        put(&folder, "a.jsonl", lines);
        let documents = open(all(&folder));
        assert_eq!(sorted(one_pass(&documents)), expected(&texts), "{shift}");
    }
}

#[test]
fn a_line_that_does_not_fit_is_left_out_and_the_next_is_read() {
    let folder = folder();
    let mut text = line(&"a".repeat(65 << 20));
    text += &line("b");
    put(&folder, "a.jsonl", text);
    let documents = open(all(&folder));
    assert_eq!(documents.summary().left_out.too_long, 1);
    assert_eq!(one_pass(&documents), expected(["b"]));
}
