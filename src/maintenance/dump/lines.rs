//! The lines of a text, bounded and counted.

use std::io::{BufRead, Read};

use crate::model::error::{Error, ErrorKind, Result};

/// Reads line by line.
pub(super) struct Lines<R> {
    input: R,
    most_bytes: usize,
    /// The last line that was read, with its line feed.
    pub(super) line: Vec<u8>,
    /// Its number; the first one is 1.
    pub(super) number: u64,
}

impl<R: BufRead> Lines<R> {
    /// Reads lines of at most this many bytes, without line feeds.
    pub(super) fn new(input: R, most_bytes: usize) -> Self {
        Self {
            input,
            most_bytes,
            line: Vec::new(),
            number: 0,
        }
    }

    /// Reads the next line. Returns false at the end.
    pub(super) fn advance(&mut self) -> Result<bool> {
        self.line.clear();
        let next = self.number + 1;
        let room = self.most_bytes as u64 + 1;
        let mut input = self.input.by_ref().take(room);
        let count = input.read_until(b'\n', &mut self.line).map_err(|error| {
            Error::new(ErrorKind::Io, format!("line {next}: it cannot be read")).caused_by(error)
        })?;
        if count == 0 {
            return Ok(false);
        }
        self.number = next;
        if self.line.last() == Some(&b'\n') {
            return Ok(true);
        }
        Err(Error::invalid(if self.line.len() > self.most_bytes {
            format!("line {next}: it is longer than {} bytes", self.most_bytes)
        } else {
            format!("line {next}: it is cut short: there is no line feed at its end")
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_up_to_the_limit() {
        let mut lines = Lines::new(&b"1234\n12345\n123456\n"[..], 5);
        assert!(lines.advance().unwrap());
        assert_eq!((lines.line.as_slice(), lines.number), (&b"1234\n"[..], 1));
        assert!(lines.advance().unwrap());
        let error = lines.advance().unwrap_err();
        assert_eq!(error.to_string(), "line 3: it is longer than 5 bytes");
    }

    #[test]
    fn a_last_line_without_a_line_feed_is_cut_short() {
        let mut lines = Lines::new(&b"1\n2"[..], 5);
        assert!(lines.advance().unwrap());
        let error = lines.advance().unwrap_err();
        assert_eq!(
            error.to_string(),
            "line 2: it is cut short: there is no line feed at its end"
        );
        assert!(!Lines::new(&b""[..], 5).advance().unwrap());
    }
}
