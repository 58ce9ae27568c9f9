//! What a stream gives, and in which order.

use parquet::basic::Compression;
use proptest::prelude::*;
use soma_trainer::data::{DataConfig, StreamConfig};
use tempfile::TempDir;

use crate::support::*;

/// Documents in all formats: 30 files, 1,200 lines in two blocks, 90 rows in 3 groups.
fn mixed() -> (TempDir, Vec<String>) {
    let folder = folder();
    let texts: Vec<String> = (0..1_320)
        .map(|at| letters(at, (at as usize * 37) % 3_000))
        .collect();
    for (at, text) in texts[..30].iter().enumerate() {
        put(&folder, &format!("files/{at}"), text);
    }
    let lines: String = texts[30..1_230].iter().map(|text| line(text)).collect();
    assert!(lines.len() > 1 << 20);
    put(&folder, "lines.jsonl", lines);
    let groups: Vec<Vec<Option<String>>> = texts[1_230..]
        .chunks(30)
        .map(|group| group.iter().cloned().map(Some).collect())
        .collect();
    let path = folder.path().join("rows.parquet");
    put_parquet(&path, &groups, Compression::SNAPPY);
    (folder, texts)
}

#[test]
fn each_pass_gives_every_sequence_once_in_an_order_of_its_own() {
    let (folder, texts) = mixed();
    let documents = open(all(&folder));
    let mut stream = stream(&documents, 100);
    let count = stream.sequences_per_pass();
    assert_eq!(count, documents.summary().sequences_per_pass());
    let first = take(&mut stream, count);
    let second = take(&mut stream, count);
    assert_eq!(stream.position(), 2 * count);
    assert_ne!(first, second);
    let all = expected(&texts);
    assert_eq!(sorted(first), all);
    assert_eq!(sorted(second), all);
}

#[test]
fn the_order_depends_on_seed_buffer_and_data_but_not_on_where_the_data_lies_or_on_threads() {
    let (folder, _) = mixed();
    let documents = open(DataConfig::new([folder.path()]));
    let take_with = |documents: &soma_trainer::data::Documents, seed, shuffle_sequences| {
        let mut stream = documents.stream(StreamConfig {
            seed,
            shuffle_sequences,
        });
        (stream.fingerprint(), take(&mut stream, 500))
    };
    let one = take_with(&documents, 1, 64);
    assert_ne!(one, take_with(&documents, 2, 64));
    assert_ne!(one, take_with(&documents, 1, 65));

    // The same files, made in another order elsewhere, listed by one thread and by four.
    let copy = super::support::folder();
    let mut names: Vec<String> = (0..30).map(|at| format!("files/{at}")).collect();
    names.extend(["lines.jsonl".to_owned(), "rows.parquet".to_owned()]);
    for name in names.iter().rev() {
        let content = std::fs::read(folder.path().join(name)).expect("file");
        put(&copy, name, content);
    }
    for threads in [1, 4] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        let other = pool
            .expect("threads")
            .install(|| open(DataConfig::new([copy.path()])));
        assert_eq!(other.fingerprint(), documents.fingerprint());
        assert_eq!(one, take_with(&other, 1, 64));
    }
}

#[test]
fn sequences_of_different_files_are_mixed() {
    let folder = folder();
    for at in 0..16 {
        put(&folder, &at.to_string(), letters(at, 64 * 1_024));
    }
    let documents = open(all(&folder));
    let found = take(&mut stream(&documents, 256), 256);
    // Windows of one file follow each other about 4 times in 256 by chance.
    let follow = found
        .windows(2)
        .filter(|pair| pair[0].start + 1_024 == pair[1].start)
        .count();
    assert!(follow < 64, "{follow}");
}

#[test]
fn blocks_of_one_large_file_are_mixed_and_keep_their_places() {
    let folder = folder();
    let text = letters(3, (3 << 20) + 1_500);
    put(&folder, "large", &text);
    let documents = open(all(&folder));
    let found = take(&mut stream(&documents, 1), 3 * 1_024 + 2);
    assert!(found.windows(2).any(|pair| pair[0].start > pair[1].start));
    assert_eq!(sorted(found), expected([text]));
}

#[test]
fn held_out_sequences_come_in_order_and_can_be_sought() {
    let (folder, _) = mixed();
    let documents = open(DataConfig {
        held_out_fraction: 0.5,
        ..DataConfig::new([folder.path()])
    });
    let all = held_out(&documents);
    assert_eq!(all.len() as u64, documents.summary().held_out.sequences);
    let mut held = documents.held_out();
    for position in [0, 7, all.len() - 1, 3, all.len(), 100] {
        held.seek(position as u64);
        assert_eq!(
            held.next_sequence().expect("readable").as_ref(),
            all.get(position)
        );
    }
    held.seek(u64::MAX);
    assert_eq!(held.position(), all.len() as u64);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn seeking_gives_what_taking_gives(
        buffer in 0_usize..700,
        jumps in proptest::collection::vec(0_u64..6_000, 1..8),
    ) {
        let (folder, _) = mixed();
        let documents = open(DataConfig::new([folder.path()]));
        let taken = take(&mut stream(&documents, buffer), 6_010);
        let mut stream = stream(&documents, buffer);
        for position in jumps {
            stream.seek(position);
            prop_assert_eq!(stream.position(), position);
            let next = take(&mut stream, 10);
            prop_assert!(next == taken[position as usize..position as usize + 10]);
        }
    }

    #[test]
    fn every_byte_of_every_document_appears_once_in_a_pass(
        files in proptest::collection::vec(size(), 0..6),
        lines in proptest::collection::vec(size(), 1..40),
        rows in proptest::collection::vec(proptest::collection::vec(size(), 1..20), 1..4),
        fraction in prop_oneof![Just(0.0), 0.01..0.99],
        split_seed: u64,
    ) {
        let folder = folder();
        let mut texts = Vec::new();
        let mut text = |size| {
            texts.push(letters(texts.len() as u64, size));
            texts.last().cloned().unwrap_or_default()
        };
        for (at, size) in files.into_iter().enumerate() {
            put(&folder, &at.to_string(), text(size));
        }
        let lines: String = lines.into_iter().map(|size| line(&text(size))).collect();
        put(&folder, "lines.ndjson", lines);
        let groups: Vec<Vec<Option<String>>> = rows
            .into_iter()
            .map(|group| group.into_iter().map(|size| Some(text(size))).collect())
            .collect();
        put_parquet(&folder.path().join("rows.parquet"), &groups, Compression::UNCOMPRESSED);
        let one_byte = texts.iter().any(|text| !text.is_empty());
        prop_assume!(one_byte);

        let config = DataConfig { held_out_fraction: fraction, split_seed, ..all(&folder) };
        let documents = open(config);
        let summary = documents.summary();
        let full = texts.iter().filter(|text| !text.is_empty()).count() as u64;
        prop_assert_eq!(summary.documents(), full);
        prop_assert_eq!(summary.left_out.empty, texts.len() as u64 - full);
        if fraction > 0.0 && full > 1 {
            prop_assert!(summary.training.documents > 0 && summary.held_out.documents > 0);
        }
        let both = one_pass(&documents).into_iter().chain(held_out(&documents));
        prop_assert!(sorted(both.collect()) == expected(&texts));
    }
}

/// Sizes around those of windows and blocks, and nothing.
fn size() -> impl Strategy<Value = usize> {
    prop_oneof![
        Just(0),
        1_usize..30,
        1_000_usize..1_050,
        2_040_usize..2_060,
        Just((1 << 20) - 1),
        (1_usize << 20)..(1 << 20) + 2,
    ]
}
