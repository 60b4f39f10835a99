//! Writes that are held back. Until they are passed on, the file is shown as it would be with them.

use std::collections::BTreeMap;
use std::io;

use redb::StorageBackend;

const BLOCK_BYTES: u64 = 4096;

/// What was written behind the closed gate.
#[derive(Debug, Default)]
pub(super) struct Overlay {
    /// The length, and how much of the file below is still visible. No other process changes the file, since it is
    /// locked.
    lens: Option<Lens>,
    blocks: BTreeMap<u64, Vec<u8>>,
    held: Vec<Held>,
    /// Whether writing the kept writes has begun but not ended.
    is_stuck: bool,
}

#[derive(Clone, Copy, Debug)]
struct Lens {
    len: u64,
    shown: u64,
}

#[derive(Debug)]
enum Held {
    Write(u64, Vec<u8>),
    SetLen(u64),
    Sync,
}

impl Overlay {
    /// Writes the kept writes to the file. The overlay is empty then.
    ///
    /// # Errors
    ///
    /// Errors of the file. After one, it always fails.
    pub(super) fn pass_on(&mut self, inner: &dyn StorageBackend) -> io::Result<()> {
        if std::mem::replace(&mut self.is_stuck, true) {
            let what = "an earlier attempt to write what was held back failed";
            return Err(io::Error::other(what));
        }
        for held in std::mem::take(&mut self.held) {
            match held {
                Held::Write(offset, data) => inner.write(offset, &data)?,
                Held::SetLen(len) => inner.set_len(len)?,
                Held::Sync => inner.sync_data()?,
            }
        }
        *self = Self::default();
        Ok(())
    }

    /// Returns the length of the file, including the kept writes.
    pub(super) fn len(&mut self, inner: &dyn StorageBackend) -> io::Result<u64> {
        self.lens(inner).map(|lens| lens.len)
    }

    /// Keeps a sync.
    pub(super) fn sync(&mut self) {
        self.held.push(Held::Sync);
    }

    fn lens(&mut self, inner: &dyn StorageBackend) -> io::Result<Lens> {
        match self.lens {
            Some(lens) => Ok(lens),
            None => {
                let len = inner.len()?;
                Ok(*self.lens.insert(Lens { len, shown: len }))
            }
        }
    }

    pub(super) fn set_len(&mut self, inner: &dyn StorageBackend, len: u64) -> io::Result<()> {
        let lens = self.lens(inner)?;
        self.lens = Some(Lens {
            len,
            shown: lens.shown.min(len),
        });
        self.blocks.retain(|block, _| block * BLOCK_BYTES < len);
        if let Some(last) = self.blocks.get_mut(&(len / BLOCK_BYTES)) {
            let kept = usize::try_from(len % BLOCK_BYTES).unwrap_or(usize::MAX);
            last.iter_mut().skip(kept).for_each(|byte| *byte = 0);
        }
        self.held.push(Held::SetLen(len));
        Ok(())
    }

    /// Returns the current content of a block.
    fn block(&mut self, inner: &dyn StorageBackend, block: u64) -> io::Result<Vec<u8>> {
        if let Some(bytes) = self.blocks.get(&block) {
            return Ok(bytes.clone());
        }
        let start = block * BLOCK_BYTES;
        let shown = self
            .lens(inner)?
            .shown
            .saturating_sub(start)
            .min(BLOCK_BYTES);
        let mut bytes = vec![0; usize::try_from(shown).unwrap_or(0)];
        if !bytes.is_empty() {
            inner.read(start, &mut bytes)?;
        }
        bytes.resize(usize::try_from(BLOCK_BYTES).unwrap_or(0), 0);
        Ok(bytes)
    }

    /// Reads a range if any of it differs from the file. Otherwise returns false, and the file must be read.
    pub(super) fn read(
        &mut self,
        inner: &dyn StorageBackend,
        offset: u64,
        out: &mut [u8],
    ) -> io::Result<bool> {
        let end = offset
            .checked_add(out.len() as u64)
            .ok_or(io::ErrorKind::InvalidInput)?;
        let lens = self.lens(inner)?;
        if end > lens.len {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let mut covering = self
            .blocks
            .range(offset / BLOCK_BYTES..end.div_ceil(BLOCK_BYTES));
        if end <= lens.shown && covering.next().is_none() {
            return Ok(false);
        }
        let mut at = offset;
        let mut rest = out;
        while !rest.is_empty() {
            let block = self.block(inner, at / BLOCK_BYTES)?;
            let from = block
                .get(usize::try_from(at % BLOCK_BYTES).unwrap_or(0)..)
                .unwrap_or(&[]);
            let count = from.len().min(rest.len());
            let (now, later) = rest.split_at_mut(count);
            now.iter_mut().zip(from).for_each(|(to, byte)| *to = *byte);
            at += count as u64;
            rest = later;
        }
        Ok(true)
    }

    pub(super) fn write(
        &mut self,
        inner: &dyn StorageBackend,
        offset: u64,
        data: &[u8],
    ) -> io::Result<()> {
        let mut at = offset;
        let mut rest = data;
        while !rest.is_empty() {
            let mut block = self.block(inner, at / BLOCK_BYTES)?;
            let into = block
                .iter_mut()
                .skip(usize::try_from(at % BLOCK_BYTES).unwrap_or(0));
            let count = into.zip(rest).map(|(to, byte)| *to = *byte).count();
            self.blocks.insert(at / BLOCK_BYTES, block);
            at += count as u64;
            rest = rest.get(count..).unwrap_or(&[]);
        }
        let lens = self.lens(inner)?;
        self.lens = Some(Lens {
            len: lens.len.max(at),
            ..lens
        });
        self.held.push(Held::Write(offset, data.to_vec()));
        Ok(())
    }
}
