//! Which documents are held out, and how to have them.

use std::collections::BTreeSet;

use soma_trainer::data::{DataConfig, Documents};

use crate::support::*;

fn held_names(documents: &Documents) -> BTreeSet<String> {
    let documents = documents.held_out_documents();
    documents
        .map(|document| document.expect("readable").name)
        .collect()
}

#[test]
fn more_documents_move_none_of_the_others() {
    let folder = folder();
    for at in 0..300 {
        put(&folder, &format!("f{at}"), format!("file {at}"));
    }
    let lines = |count: usize| {
        (0..count)
            .map(|at| line(&at.to_string()))
            .collect::<String>()
    };
    put(&folder, "lines.jsonl", lines(300));
    let before = held_names(&open(DataConfig::new([folder.path()])));
    assert!((10..60).contains(&before.len()), "{}", before.len());
    assert!(before.iter().any(|name| name.starts_with("lines.jsonl#")));

    for at in 0..100 {
        put(&folder, &format!("a{at}"), format!("new {at}"));
    }
    put(&folder, "lines.jsonl", lines(400));
    let after = held_names(&open(DataConfig::new([folder.path()])));
    assert!(after.len() > before.len());
    let is_old = |name: &&String| match name.strip_prefix("lines.jsonl#") {
        Some(line) => line.parse::<usize>().expect("line") <= 300,
        None => name.starts_with('f'),
    };
    assert_eq!(
        after
            .iter()
            .filter(is_old)
            .cloned()
            .collect::<BTreeSet<_>>(),
        before
    );
}

#[test]
fn both_sides_have_a_document_when_there_are_two() {
    for fraction in [1e-9, 0.05, 0.999_999_999] {
        for documents in 2..5 {
            let (files, lines) = (folder(), folder());
            let mut text = String::new();
            for at in 0..documents {
                put(&files, &at.to_string(), letters(at, (2 << 20) + 1));
                text += &line(&letters(at, 3_000));
            }
            put(&lines, "lines.jsonl", text);
            for folder in [files, lines] {
                let documents_open = open(DataConfig {
                    held_out_fraction: fraction,
                    ..DataConfig::new([folder.path()])
                });
                let summary = documents_open.summary();
                let (training, held) = (summary.training, summary.held_out);
                assert_eq!(training.documents + held.documents, documents);
                assert!(training.documents > 0 && held.documents > 0);
                assert_eq!(one_pass(&documents_open).len() as u64, training.sequences);
                assert_eq!(held_out(&documents_open).len() as u64, held.sequences);
            }
        }
    }
}

#[test]
fn a_single_document_is_trained_on_and_a_fraction_of_nothing_holds_out_nothing() {
    let folder = folder();
    put(&folder, "a", "a");
    for fraction in [1e-9, 0.999_999_999] {
        let documents = open(DataConfig {
            held_out_fraction: fraction,
            ..DataConfig::new([folder.path()])
        });
        let summary = documents.summary();
        assert_eq!(
            (summary.training.documents, summary.held_out.documents),
            (1, 0)
        );
        assert_eq!(held_out(&documents), []);
    }
    put(&folder, "b", "b");
    assert_eq!(open(all(&folder)).summary().held_out.documents, 0);
}

#[test]
fn the_seed_of_the_split_changes_which_documents_are_held_out() {
    let folder = folder();
    for at in 0..300 {
        put(&folder, &at.to_string(), "text");
    }
    let with = |split_seed| {
        let config = DataConfig::new([folder.path()]);
        held_names(&open(DataConfig {
            split_seed,
            ..config
        }))
    };
    assert_eq!(with(1), with(1));
    assert_ne!(with(1), with(2));
}

#[test]
fn held_out_documents_are_written_as_they_are() {
    let folder = folder();
    let mut texts: Vec<String> = (0..40).map(|at| letters(at, 100 + at as usize)).collect();
    texts.push(letters(99, (2 << 20) + 5));
    for (at, text) in texts.iter().enumerate() {
        match at % 2 {
            0 => put(&folder, &format!("sub/{at}.txt"), text),
            _ => put(&folder, &format!("{at}.jsonl"), line(text)),
        }
    }
    let documents = open(DataConfig {
        held_out_fraction: 0.5,
        ..DataConfig::new([folder.path()])
    });
    let out = super::support::folder();
    let target = out.path().join("new/held");
    let written = documents
        .write_held_out(&target, usize::MAX)
        .expect("written");
    assert_eq!(written.len() as u64, documents.summary().held_out.documents);
    let read = |path| std::fs::read(path).expect("written file");
    assert_eq!(
        expected(written.iter().map(read)),
        sorted(held_out(&documents))
    );

    for document in documents.held_out_documents() {
        let document = document.expect("readable");
        let whole = document.read().expect("text");
        for most in [0, 50, document.bytes, u64::MAX] {
            let most_bytes =
                usize::try_from(most).map_or(whole.len(), |most| most.min(whole.len()));
            let first = document.read_first(most).expect("text");
            assert!(first == whole[..most_bytes], "{most} of {}", document.name);
        }
    }

    let error = documents.write_held_out(&target, 1).expect_err("not empty");
    assert_eq!(error.name(), "FolderNotEmpty");
    let few = out.path().join("few");
    assert_eq!(documents.write_held_out(&few, 3).expect("written").len(), 3);
}
