//! Files to train on, and what must come of them.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use parquet::basic::Compression;
use parquet::data_type::{ByteArray, ByteArrayType, Int64Type};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use soma_model::tokenizer::{Sequence, sequences};
use soma_trainer::data::{DataConfig, Documents, Stream, StreamConfig};
use tempfile::TempDir;

pub(crate) fn folder() -> TempDir {
    tempfile::tempdir().expect("folder")
}

/// Writes a file, and the folders that it lies in.
pub(crate) fn put(folder: &TempDir, name: &str, content: impl AsRef<[u8]>) {
    let path = folder.path().join(name);
    std::fs::create_dir_all(path.parent().expect("parent")).expect("folders");
    std::fs::write(path, content).expect("file");
}

/// All documents in `folder`, none held out.
pub(crate) fn all(folder: &TempDir) -> DataConfig {
    DataConfig {
        held_out_fraction: 0.0,
        ..DataConfig::new([folder.path()])
    }
}

pub(crate) fn open(config: DataConfig) -> Documents {
    Documents::open(config).expect("documents")
}

/// Letters that are different for each `seed`, so that no window is like another.
pub(crate) fn letters(seed: u64, size: usize) -> String {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        char::from(b'a' + (state % 26) as u8)
    };
    std::iter::repeat_with(next).take(size).collect()
}

pub(crate) fn line(text: &str) -> String {
    format!("{{\"id\": 1, \"text\": {}}}\n", serde_json::json!(text))
}

/// A stream with the seed 7.
pub(crate) fn stream(documents: &Documents, shuffle_sequences: usize) -> Stream {
    let seed = 7;
    documents.stream(StreamConfig {
        seed,
        shuffle_sequences,
    })
}

pub(crate) fn take(stream: &mut Stream, count: u64) -> Vec<Sequence> {
    let next = |_| stream.next_sequence().expect("readable").expect("endless");
    (0..count).map(next).collect()
}

pub(crate) fn one_pass(documents: &Documents) -> Vec<Sequence> {
    let mut stream = stream(documents, 100);
    let count = stream.sequences_per_pass();
    take(&mut stream, count)
}

pub(crate) fn held_out(documents: &Documents) -> Vec<Sequence> {
    let mut held = documents.held_out();
    std::iter::from_fn(|| held.next_sequence().expect("readable")).collect()
}

/// In an order that does not depend on how they came.
pub(crate) fn sorted(mut found: Vec<Sequence>) -> Vec<Sequence> {
    found.sort_by(|a, b| (&a.tokens, a.start).cmp(&(&b.tokens, b.start)));
    found
}

/// What the tokenizer makes of the documents, sorted.
pub(crate) fn expected<T: AsRef<[u8]>>(documents: impl IntoIterator<Item = T>) -> Vec<Sequence> {
    let cut = |document: T| sequences(document.as_ref()).collect::<Vec<_>>();
    sorted(documents.into_iter().flat_map(cut).collect())
}

/// Writes a Parquet file with a number, a text that may be null, and a list, in row groups.
pub(crate) fn put_parquet(path: &Path, groups: &[Vec<Option<String>>], compression: Compression) {
    let schema = "message rows {
        required int64 id;
        optional binary text (UTF8);
        required binary always;
        repeated binary tags (UTF8);
    }";
    let schema = Arc::new(parse_message_type(schema).expect("schema"));
    let properties = WriterProperties::builder().set_compression(compression);
    let properties = Arc::new(properties.set_data_page_row_count_limit(7).build());
    let file = File::create(path).expect("file");
    let mut writer = SerializedFileWriter::new(file, schema, properties).expect("writer");
    for rows in groups {
        let mut group = writer.next_row_group().expect("group");
        let bytes = |text: &String| ByteArray::from(text.as_str());
        let values: Vec<ByteArray> = rows.iter().flatten().map(bytes).collect();
        let levels: Vec<i16> = rows.iter().map(|text| i16::from(text.is_some())).collect();
        let ids: Vec<i64> = (0..rows.len() as i64).collect();
        let always: Vec<ByteArray> = rows
            .iter()
            .map(|text| bytes(text.as_ref().unwrap_or(&String::new())))
            .collect();
        let none = vec![0; rows.len()];
        let mut column = group.next_column().expect("column").expect("id");
        let typed = column.typed::<Int64Type>();
        typed.write_batch(&ids, None, None).expect("ids");
        column.close().expect("closed");
        let mut put = |values: &[ByteArray], levels: Option<&[i16]>, repeats: Option<&[i16]>| {
            let mut column = group.next_column().expect("column").expect("binary");
            let typed = column.typed::<ByteArrayType>();
            typed.write_batch(values, levels, repeats).expect("values");
            column.close().expect("closed");
        };
        put(&values, Some(&levels), None);
        put(&always, None, None);
        put(&[], Some(&none), Some(&none));
        group.close().expect("group closed");
    }
    writer.close().expect("file closed");
}
