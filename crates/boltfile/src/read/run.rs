//! A page with its overflow, in part in memory.

use std::borrow::Cow;

use super::disk::Disk;
use crate::error::{Error, Fault, Result};
use crate::meta::Meta;
use crate::page::{BRANCH, FREELIST, HEADER_BYTES, Header, LEAF};

/// At most so much of a page and its overflow is kept in memory. The rest is read when it is asked for.
const HEAD_MAX_BYTES: u64 = 1 << 16;

/// A page and those that it overflows to, or the page of an inline bucket.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) header: Header,
    /// The id of the page, or of the page around an inline one.
    pub(crate) page: u64,
    /// The element that the inline page is the value of.
    pub(crate) inline: Option<u16>,
    /// Where it begins in the file, in bytes.
    offset: u64,
    /// Its length in bytes, with its overflow.
    pub(crate) length: u64,
    /// What it begins with.
    head: Vec<u8>,
}

impl Run {
    /// What is in memory from this place on.
    fn in_head(&self, at: u64) -> Option<&[u8]> {
        self.head.get(usize::try_from(at).ok()?..)
    }
}

/// The file with what its meta page says.
#[derive(Debug)]
pub(crate) struct Pages {
    pub(crate) disk: Disk,
    pub(crate) meta: Meta,
}

impl Pages {
    /// Reads a page. Its header is verified, and that the page is in the file.
    pub(crate) fn run(&self, page: u64) -> Result<Run> {
        self.load(page)?.map_err(|fault| self.damaged(page, fault))
    }

    fn load(&self, page: u64) -> Result<Result<Run, Fault>> {
        let high_water = self.meta.high_water;
        if page < 2 || page >= high_water {
            return Ok(Err(Fault::PageId { high_water }));
        }
        let length = self.disk.length();
        let truncated = |end| Fault::Truncated { end, length };
        let offset = self.meta.offset(page).unwrap_or(u64::MAX);
        let Some(bytes) = self.disk.array(offset)? else {
            return Ok(Err(truncated(offset.saturating_add(HEADER_BYTES))));
        };
        let header = Header::decode(bytes);
        if header.id != page {
            return Ok(Err(Fault::Id { found: header.id }));
        }
        let last = page.saturating_add(u64::from(header.overflow));
        if last >= high_water {
            return Ok(Err(Fault::Overflow { last, high_water }));
        }
        let end = self.meta.offset(last.saturating_add(1));
        let end = end.unwrap_or(u64::MAX);
        if end > length {
            return Ok(Err(truncated(end)));
        }
        self.at(header, page, None, offset, end - offset).map(Ok)
    }

    /// Reads the page of an inline bucket, which is that much of the page around it.
    pub(crate) fn inline(&self, around: &Run, index: u16, at: u64, length: u64) -> Result<Run> {
        let offset = around.offset.saturating_add(at);
        let mut bytes = [0; HEADER_BYTES as usize];
        self.disk.read(&mut bytes, offset)?;
        let header = Header::decode(bytes);
        let run = self.at(header, around.page, Some(index), offset, length)?;
        if header.id != 0 {
            return Err(self.fault(&run, Fault::Id { found: header.id }));
        }
        if header.overflow != 0 {
            let fault = Fault::Overflow {
                last: u64::from(header.overflow),
                high_water: 1,
            };
            return Err(self.fault(&run, fault));
        }
        Ok(run)
    }

    fn at(
        &self,
        header: Header,
        page: u64,
        inline: Option<u16>,
        offset: u64,
        length: u64,
    ) -> Result<Run> {
        let mut head = vec![0; length.min(HEAD_MAX_BYTES) as usize];
        self.disk.read(&mut head, offset)?;
        Ok(Run {
            header,
            page,
            inline,
            offset,
            length,
            head,
        })
    }

    /// A part of a page, which is in it.
    pub(crate) fn bytes<'r>(&self, run: &'r Run, at: u64, length: u32) -> Result<Cow<'r, [u8]>> {
        if let Some(bytes) = run.in_head(at).and_then(|head| head.get(..length as usize)) {
            return Ok(Cow::Borrowed(bytes));
        }
        let mut bytes = vec![0; length as usize];
        self.fill(run, at, &mut bytes)?;
        Ok(Cow::Owned(bytes))
    }

    /// The same, into a buffer.
    pub(crate) fn fill(&self, run: &Run, at: u64, buffer: &mut [u8]) -> Result<()> {
        self.disk.read(buffer, run.offset.saturating_add(at))
    }

    /// Sixteen bytes of a page, which are in it: an element, or the header of a bucket.
    pub(crate) fn sixteen(&self, run: &Run, at: u64) -> Result<[u8; 16]> {
        if let Some(bytes) = run.in_head(at).and_then(|head| head.first_chunk()) {
            return Ok(*bytes);
        }
        let mut bytes = [0; 16];
        self.fill(run, at, &mut bytes)?;
        Ok(bytes)
    }

    /// Whether a page of a tree is a branch, and not a leaf.
    pub(crate) fn is_branch(&self, run: &Run) -> Result<bool> {
        match (run.header.flags, run.inline) {
            (BRANCH, None) => Ok(true),
            (LEAF, _) => Ok(false),
            (_, None) => Err(self.wrong_kind(run, "branch or leaf")),
            (_, Some(_)) => Err(self.wrong_kind(run, "leaf")),
        }
    }

    /// Verifies that a page is a freelist.
    pub(crate) fn expect_freelist(&self, run: &Run) -> Result<()> {
        match run.header.flags {
            FREELIST => Ok(()),
            _ => Err(self.wrong_kind(run, "freelist")),
        }
    }

    fn wrong_kind(&self, run: &Run, expected: &'static str) -> Error {
        let found = run.header.flags;
        self.fault(run, Fault::Flags { expected, found })
    }

    pub(crate) fn damaged(&self, page: u64, fault: Fault) -> Error {
        Error::Damaged {
            path: self.disk.path().to_owned(),
            page,
            fault,
        }
    }

    pub(crate) fn fault(&self, run: &Run, fault: Fault) -> Error {
        let fault = match run.inline {
            None => fault,
            Some(index) => Fault::Inline {
                index,
                fault: Box::new(fault),
            },
        };
        self.damaged(run.page, fault)
    }
}
