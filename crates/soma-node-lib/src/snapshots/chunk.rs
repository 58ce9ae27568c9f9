//! How a chunk of a snapshot is written: see [`SNAPSHOT_FORMAT`](soma_api::SNAPSHOT_FORMAT).

use std::io::Read as _;

use soma_chain::store::Entry;

/// The most bytes of a chunk, compressed or not, that a node takes from another.
pub(crate) const MAX_CHUNK_BYTES: u64 = 64 << 20;
/// How hard it is compressed: little time for most of the gain.
const LEVEL: i32 = 3;
/// The most memory that decompression may ask for, as a power of two.
const MAX_WINDOW_LOG: u32 = 25;

/// A chunk with its size before compression.
///
/// # Errors
/// When it cannot be compressed: there is no memory.
pub(super) fn encode(entries: &[Entry]) -> std::io::Result<(Vec<u8>, u64)> {
    let mut content = Vec::new();
    for (key, value) in entries {
        content.extend_from_slice(&length(key)?);
        content.extend_from_slice(&length(value)?);
        content.extend_from_slice(key);
        content.extend_from_slice(value);
    }
    let bytes = zstd::bulk::compress(&content, LEVEL)?;
    Ok((bytes, content.len() as u64))
}

fn length(bytes: &[u8]) -> std::io::Result<[u8; 4]> {
    let length = u32::try_from(bytes.len());
    let length = length.map_err(|_| std::io::Error::other("an entry of more than 4 GiB"))?;
    Ok(length.to_le_bytes())
}

/// The entries of a chunk from another node, which has `content_size` bytes before compression. No
/// more memory is used than that.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn decode(bytes: &[u8], content_size: u64) -> Result<Vec<Entry>, String> {
    let broken = |error: std::io::Error| format!("it cannot be decompressed: {error}");
    let mut decoder = zstd::stream::read::Decoder::new(bytes).map_err(broken)?;
    decoder.window_log_max(MAX_WINDOW_LOG).map_err(broken)?;
    let mut content = Vec::new();
    let mut bounded = decoder.take(content_size.min(MAX_CHUNK_BYTES).saturating_add(1));
    bounded.read_to_end(&mut content).map_err(broken)?;
    if content.len() as u64 != content_size {
        let got = content.len();
        return Err(format!(
            "it has {got} bytes or more when decompressed, not {content_size}"
        ));
    }
    let (mut entries, mut rest) = (Vec::new(), content.as_slice());
    while !rest.is_empty() {
        let (entry, after) = first(rest).ok_or("an entry is cut off")?;
        entries.push(entry);
        rest = after;
    }
    Ok(entries)
}

fn first(bytes: &[u8]) -> Option<(Entry, &[u8])> {
    let (key_length, bytes) = bytes.split_first_chunk::<4>()?;
    let (value_length, bytes) = bytes.split_first_chunk::<4>()?;
    let whole = |length: &[u8; 4]| usize::try_from(u32::from_le_bytes(*length)).ok();
    let (key, bytes) = bytes.split_at_checked(whole(key_length)?)?;
    let (value, bytes) = bytes.split_at_checked(whole(value_length)?)?;
    Some(((key.to_vec(), value.to_vec()), bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some() -> Vec<Entry> {
        let entry = |n: u8| (vec![n; usize::from(n)], vec![n; 1_000]);
        (1..200).map(entry).collect()
    }

    #[test]
    fn a_chunk_comes_back_and_is_smaller() {
        let (bytes, content_size) = encode(&some()).unwrap();
        assert!((bytes.len() as u64) < content_size / 4);
        assert_eq!(decode(&bytes, content_size).unwrap(), some());
        let (bytes, content_size) = encode(&[]).unwrap();
        assert_eq!(decode(&bytes, content_size).unwrap(), []);
    }

    #[test]
    fn a_chunk_that_is_not_what_it_says_is_refused() {
        let (bytes, size) = encode(&some()).unwrap();
        for cut in [0, 1, 10, bytes.len() / 2, bytes.len() - 1] {
            decode(&bytes[..cut], size).unwrap_err();
        }
        for wrong in [0, 1, size - 1, size + 1, u64::MAX] {
            let error = decode(&bytes, wrong).unwrap_err();
            assert!(error.contains(&wrong.to_string()), "{error}");
        }
        let mut more = bytes.clone();
        more.push(0);
        decode(&more, size).unwrap_err();
        decode(b"not compressed at all", size).unwrap_err();
        // Lengths that lead beyond the end.
        let lying = [[255; 8], [4, 0, 0, 0, 4, 0, 0, 0]].concat();
        for content in [&lying[..8], &lying[8..], &lying[8..11]] {
            let bytes = zstd::bulk::compress(content, 1).unwrap();
            let error = decode(&bytes, content.len() as u64).unwrap_err();
            assert!(error.contains("cut off"), "{error}");
        }
    }

    #[test]
    fn a_bomb_does_not_go_off() {
        // A gigabyte of zeros in some kilobytes.
        let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 19).unwrap();
        for _ in 0..1_024 {
            std::io::Write::write_all(&mut encoder, &[0; 1 << 20]).unwrap();
        }
        let bomb = encoder.finish().unwrap();
        assert!(bomb.len() < 1 << 20);
        let error = decode(&bomb, 1_000).unwrap_err();
        assert!(error.contains("not 1000"), "{error}");
        // A frame that asks for a window of gigabytes.
        let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 1).unwrap();
        encoder.long_distance_matching(true).unwrap();
        encoder.window_log(30).unwrap();
        std::io::Write::write_all(&mut encoder, &[7; 100]).unwrap();
        decode(&encoder.finish().unwrap(), 100).unwrap_err();
    }
}
