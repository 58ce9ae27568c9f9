//! Data that changes between and during runs.

use std::fs::OpenOptions;

use soma_trainer::data::{DataConfig, Fingerprint};

use crate::support::*;

#[test]
fn the_fingerprint_tells_other_names_sizes_and_settings() {
    let folder = folder();
    put(&folder, "a", "1");
    put(&folder, "b", "2");
    let print = || open(DataConfig::new([folder.path()])).fingerprint();
    let first = print();
    assert_eq!(first, print());
    put(&folder, "b", "22");
    let grown = print();
    put(&folder, "c", "3");
    let more = print();
    std::fs::rename(folder.path().join("c"), folder.path().join("d")).expect("renamed");
    let renamed = print();
    let other_split = open(DataConfig {
        held_out_fraction: 0.5,
        ..DataConfig::new([folder.path()])
    });
    let prints = [first, grown, more, renamed, other_split.fingerprint()];
    for (at, one) in prints.iter().enumerate() {
        assert!(prints[..at].iter().all(|other| other != one), "{at}");
    }
    std::fs::remove_file(folder.path().join("d")).expect("removed");
    put(&folder, "b", "2");
    assert_eq!(first, print());
}

#[test]
fn a_fingerprint_is_read_back_from_its_text() {
    let folder = folder();
    put(&folder, "a", "1");
    let print = open(all(&folder)).fingerprint();
    let text = print.to_string();
    assert_eq!(text.len(), 64);
    assert_eq!(text.parse::<Fingerprint>(), Ok(print));
    let json = serde_json::to_string(&print).expect("json");
    assert_eq!(json, format!("\"{text}\""));
    assert_eq!(
        serde_json::from_str::<Fingerprint>(&json).expect("read"),
        print
    );
    assert!("12".parse::<Fingerprint>().is_err());
}

#[test]
fn a_file_that_changes_during_the_run_is_an_error_and_the_position_stays() {
    let folder = folder();
    put(&folder, "a", letters(1, 50_000));
    let documents = open(all(&folder));
    let mut stream = stream(&documents, 10);
    let all = take(&mut stream, 49);
    stream.seek(20);
    let file = OpenOptions::new().write(true).open(folder.path().join("a"));
    file.expect("file").set_len(49_999).expect("cut");
    let error = stream.next_sequence().expect_err("cut");
    assert_eq!(error.name(), "Changed");
    assert!(
        error.to_string().contains("49999 bytes, and had 50000"),
        "{error}"
    );
    assert_eq!(stream.position(), 20);
    // Put back as it was, the stream goes on.
    put(&folder, "a", letters(1, 50_000));
    assert_eq!(take(&mut stream, 29), all[20..]);
}

#[test]
fn lines_that_become_other_lines_of_the_same_size_are_an_error() {
    let folder = folder();
    put(&folder, "a.jsonl", line("abc") + &line("def"));
    let documents = open(all(&folder));
    let size = (line("abc") + &line("def")).len();
    let one = line(&"x".repeat(size - line("").len()));
    assert_eq!(one.len(), size);
    put(&folder, "a.jsonl", one);
    let mut stream = stream(&documents, 10);
    let error = stream.next_sequence().expect_err("changed");
    assert_eq!(error.name(), "Changed");
}

#[test]
fn a_file_that_is_gone_is_an_error_with_its_path() {
    let folder = folder();
    put(&folder, "a", "a");
    let documents = open(all(&folder));
    std::fs::remove_file(folder.path().join("a")).expect("removed");
    let error = stream(&documents, 1).next_sequence().expect_err("gone");
    assert_eq!(error.name(), "File");
}
