//! What happened in a run, as lines and as one digest over them.

use std::fmt::Arguments;

use sha3::{Digest as _, Sha3_256};

use crate::time::Micros;

/// The trace of a run. The digest is over all lines, whether they are kept or not.
pub(crate) struct Trace {
    hasher: Sha3_256,
    lines: Option<Vec<String>>,
    buffer: Vec<u8>,
}

impl Trace {
    /// An empty trace.
    pub(crate) fn new(keeps_lines: bool) -> Self {
        Self {
            hasher: Sha3_256::new(),
            lines: keeps_lines.then(Vec::new),
            buffer: Vec::new(),
        }
    }

    /// Adds a line.
    pub(crate) fn add(&mut self, time: Micros, what: Arguments<'_>) {
        use std::io::Write as _;
        self.buffer.clear();
        // Writing to memory cannot fail.
        let _ = writeln!(self.buffer, "{time:>9} us  {what}");
        self.hasher.update(&self.buffer);
        if let Some(lines) = &mut self.lines {
            lines.push(String::from_utf8_lossy(&self.buffer).trim_end().to_owned());
        }
    }

    /// The digest as hex digits, and the lines.
    pub(crate) fn finish(self) -> (String, Vec<String>) {
        let digest = self.hasher.finalize();
        let hex = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        (hex, self.lines.unwrap_or_default())
    }
}
