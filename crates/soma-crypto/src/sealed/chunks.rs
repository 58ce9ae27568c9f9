//! Reading in chunks of one size, knowing which is the last.

use std::io::{self, Read};

/// Splits a reader into chunks of `size` bytes; only the last is shorter.
pub(super) struct Chunks<R> {
    inner: R,
    size: usize,
    // One byte is read ahead, to know whether another chunk follows.
    ahead: Option<u8>,
}

impl<R: Read> Chunks<R> {
    pub(super) fn new(inner: R, size: usize) -> Self {
        Self {
            inner,
            size,
            ahead: None,
        }
    }

    /// Fills `buffer` with the next chunk; true when it is the last one. An empty input has one
    /// empty chunk.
    pub(super) fn next(&mut self, buffer: &mut Vec<u8>) -> io::Result<bool> {
        buffer.clear();
        buffer.extend(self.ahead.take());
        let wanted = self.size + 1 - buffer.len();
        self.inner
            .by_ref()
            .take(wanted as u64)
            .read_to_end(buffer)?;
        if buffer.len() > self.size {
            self.ahead = buffer.pop();
            return Ok(false);
        }
        Ok(true)
    }

    pub(super) fn into_inner(self) -> R {
        self.inner
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunks(input: &[u8], size: usize) -> Vec<Vec<u8>> {
        let mut chunks = Chunks::new(input, size);
        let (mut all, mut buffer) = (Vec::new(), Vec::new());
        loop {
            let last = chunks.next(&mut buffer).unwrap();
            all.push(buffer.clone());
            if last {
                return all;
            }
        }
    }

    #[test]
    fn only_an_empty_input_has_an_empty_chunk() {
        assert_eq!(chunks(b"", 3), [b""]);
        assert_eq!(chunks(b"ab", 3), [b"ab".to_vec()]);
        assert_eq!(chunks(b"abc", 3), [b"abc".to_vec()]);
        assert_eq!(chunks(b"abcd", 3), [b"abc".to_vec(), b"d".to_vec()]);
        assert_eq!(chunks(b"abcdef", 3), [b"abc".to_vec(), b"def".to_vec()]);
    }
}
