//! Server-sent events: lines to messages (WHATWG HTML, section 9.2.6).

/// One event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) event: String,
    pub(crate) data: String,
}

/// The most bytes of one event.
const MAX_FRAME_BYTES: usize = 16 << 20;

/// An event that does not end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooLong;

/// Takes bytes in pieces of any size and gives whole events.
#[derive(Debug, Default)]
pub(crate) struct Parser {
    line: Vec<u8>,
    frame: Frame,
    has_data: bool,
}

impl Parser {
    /// Takes bytes and adds the events that they complete to `frames`.
    pub(crate) fn push(
        &mut self,
        bytes: &[u8],
        frames: &mut impl Extend<Frame>,
    ) -> Result<(), TooLong> {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.line.extend_from_slice(piece);
            if self.line.len() + self.frame.data.len() > MAX_FRAME_BYTES {
                return Err(TooLong);
            }
            if self.line.ends_with(b"\n") {
                let line = std::mem::take(&mut self.line);
                frames.extend(self.take_line(&String::from_utf8_lossy(&line)));
            }
        }
        Ok(())
    }

    fn take_line(&mut self, line: &str) -> Option<Frame> {
        let line = line.trim_end_matches(['\r', '\n']);
        if line.is_empty() {
            let frame = std::mem::take(&mut self.frame);
            return std::mem::take(&mut self.has_data).then_some(frame);
        }
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match name {
            "event" => self.frame.event = value.to_owned(),
            "data" => {
                if self.has_data {
                    self.frame.data.push('\n');
                }
                self.frame.data.push_str(value);
                self.has_data = true;
            }
            // Comments keep the connection alive; the id is also in the data.
            _ => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &[u8] = b": alive\n\nevent: block\nid: 1:0\ndata: {\"a\":\ndata:1}\n\nevent: x\r\ndata: \xc3\xa9\r\n\r\n";

    fn parse(pieces: impl Iterator<Item = &'static [u8]>) -> Vec<Frame> {
        let mut parser = Parser::default();
        let mut frames = Vec::new();
        for piece in pieces {
            parser.push(piece, &mut frames).unwrap();
        }
        frames
    }

    #[test]
    fn events_are_read_whole_whatever_the_pieces() {
        let expected = vec![
            Frame {
                event: "block".into(),
                data: "{\"a\":\n1}".into(),
            },
            Frame {
                event: "x".into(),
                data: "é".into(),
            },
        ];
        for size in [1, 2, 3, 7, TEXT.len()] {
            assert_eq!(parse(TEXT.chunks(size)), expected, "pieces of {size}");
        }
    }

    #[test]
    fn an_event_without_an_end_is_refused() {
        let mut parser = Parser::default();
        let piece = vec![b'a'; 1 << 20];
        let mut frames = Vec::new();
        let result: Result<Vec<()>, TooLong> =
            (0..17).map(|_| parser.push(&piece, &mut frames)).collect();
        assert_eq!(result, Err(TooLong));
    }
}
