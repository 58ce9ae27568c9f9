//! Cutting large files into pieces.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

use super::find::SourceFile;
use crate::error::SubmitterError;

/// Bytes that are searched for a line end at a time.
const BLOCK: u64 = 1 << 16;

/// Pieces of a file as offset and size, each of at most `max` bytes.
pub(super) fn file(file: &SourceFile, max: u64) -> Result<Vec<(u64, u64)>, SubmitterError> {
    if file.size <= max {
        return Ok(vec![(0, file.size)]);
    }
    let fail = |error: io::Error| SubmitterError::source(&file.path, error);
    let mut reader = File::open(&file.path).map_err(fail)?;
    pieces(&mut reader, file.size, max).map_err(fail)
}

/// Each piece ends after the last line end that fits, or, in a longer line, between characters.
fn pieces(reader: &mut (impl Read + Seek), size: u64, max: u64) -> io::Result<Vec<(u64, u64)>> {
    let max = max.max(1);
    let (mut all, mut offset) = (Vec::new(), 0);
    while size - offset > max {
        let end = end_of_piece(reader, offset, offset + max)?;
        all.push((offset, end - offset));
        offset = end;
    }
    if size > offset {
        all.push((offset, size - offset));
    }
    Ok(all)
}

fn end_of_piece(reader: &mut (impl Read + Seek), from: u64, to: u64) -> io::Result<u64> {
    let mut end = to;
    while end > from {
        let start = end.saturating_sub(BLOCK).max(from);
        let block = read(reader, start, end)?;
        if let Some(place) = block.iter().rposition(|byte| *byte == b'\n') {
            return Ok(start + place as u64 + 1);
        }
        end = start;
    }
    // One byte more says whether a character goes on there.
    let start = to.saturating_sub(3).max(from + 1);
    let last = read(reader, start, to + 1)?;
    let is_boundary = |byte: &u8| byte & 0b1100_0000 != 0b1000_0000;
    let boundary = last.iter().rposition(is_boundary);
    Ok(boundary.map_or(to, |place| start + place as u64))
}

fn read(reader: &mut (impl Read + Seek), from: u64, to: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    reader.seek(SeekFrom::Start(from))?;
    reader.take(to - from).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use proptest::prelude::*;

    use super::*;

    fn texts(bytes: &[u8], max: u64) -> Vec<Vec<u8>> {
        let cut = pieces(&mut Cursor::new(bytes), bytes.len() as u64, max).unwrap();
        let range = |(offset, size): (u64, u64)| offset as usize..(offset + size) as usize;
        cut.into_iter().map(|p| bytes[range(p)].to_vec()).collect()
    }

    #[test]
    fn characters_are_not_cut_in_two() {
        let text = "aäöüß€𝄞b".as_bytes();
        for max in 4..text.len() as u64 {
            for piece in texts(text, max) {
                assert!(std::str::from_utf8(&piece).is_ok(), "{max}: {piece:?}");
            }
        }
        // Bytes that are no text are cut where the piece is full.
        assert_eq!(
            texts(&[0x80; 10], 4),
            [vec![0x80; 4], vec![0x80; 4], vec![0x80; 2]]
        );
    }

    proptest! {
        #[test]
        fn pieces_are_all_of_the_file_and_end_at_lines_where_they_can(
            bytes in prop::collection::vec(prop::sample::select(b"ab\n\xc3\xa4".to_vec()), 1..400),
            max in 1u64..60,
        ) {
            let pieces = texts(&bytes, max);
            prop_assert_eq!(pieces.concat(), bytes);
            let (last, before) = pieces.split_last().unwrap();
            prop_assert!((1..=max).contains(&(last.len() as u64)));
            for piece in before {
                prop_assert!((1..=max).contains(&(piece.len() as u64)));
                prop_assert!(piece.ends_with(b"\n") || !piece.contains(&b'\n'));
            }
        }
    }
}
