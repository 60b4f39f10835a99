//! Keeps output back until the store is closed.
//!
//! A pager reads a screen and waits for a key. The program that writes to it waits as well. If it held a snapshot, the
//! file would have to keep every page that writers replace meanwhile; and if the store is not shared, the host could
//! not open the file. So long output is written to a private temporary file first.

use std::io::{self, Read, Seek, SeekFrom, Write};

use tempfile::SpooledTempFile;

use crate::failure::{Failure, Result};

/// So much is kept in memory.
const MEMORY_MAX_BYTES: usize = 4 * 1024 * 1024;

/// How much is copied at a time.
const COPIED_BYTES: usize = 64 * 1024;

/// Output that is kept back.
pub(crate) struct Spool {
    file: SpooledTempFile,
    failed: Option<io::Error>,
}

impl Spool {
    pub(crate) fn new() -> Self {
        Self {
            file: tempfile::spooled_tempfile(MEMORY_MAX_BYTES),
            failed: None,
        }
    }

    /// Writes all of it.
    pub(crate) fn copy_to(mut self, out: &mut dyn Write) -> Result<()> {
        let of_spool = |error: io::Error| {
            let directory = std::env::temp_dir();
            Failure::new(format!(
                "what is to be printed cannot be kept in {}: {error}",
                directory.display()
            ))
            .because("TMPDIR names another directory; or redirect the output to a file")
        };
        if let Some(error) = self.failed {
            return Err(of_spool(error));
        }
        self.file.seek(SeekFrom::Start(0)).map_err(of_spool)?;
        let mut bytes = vec![0; COPIED_BYTES];
        loop {
            let count = self.file.read(&mut bytes).map_err(of_spool)?;
            match bytes.get(..count) {
                None | Some([]) => return Ok(()),
                Some(read) => out.write_all(read)?,
            }
        }
    }
}

impl Write for Spool {
    /// The first failure is reported at the end, separately from a failure of the output.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.failed.is_none()
            && let Err(error) = self.file.write_all(bytes)
        {
            self.failed = Some(error);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_back_is_written_as_it_was() {
        for length in [0, 10, MEMORY_MAX_BYTES + 7] {
            let bytes: Vec<u8> = (0..length).map(|at| (at % 251) as u8).collect();
            let mut spool = Spool::new();
            for part in bytes.chunks(1000) {
                spool.write_all(part).unwrap();
            }
            let mut out = Vec::new();
            spool.copy_to(&mut out).unwrap();
            assert!(out == bytes, "{length}");
        }
    }
}
