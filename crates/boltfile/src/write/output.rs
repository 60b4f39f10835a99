//! Pages, one after the other.

use std::path::Path;

use super::file::NewFile;
use crate::error::Result;
use crate::meta::Meta;
use crate::page::{FREELIST, HEADER_BYTES, Header, META};

/// The page of the freelist. It follows the two meta pages.
const FREELIST_PAGE: u64 = 2;

/// The file that is being written, and the page that comes next.
#[derive(Debug)]
pub(super) struct Output {
    file: NewFile,
    page_bytes: u32,
    next_page: u64,
}

impl Output {
    pub(super) fn create(path: &Path, page_bytes: u32, may_overwrite: bool) -> Result<Self> {
        let mut file = NewFile::create(path, may_overwrite)?;
        let next_page = FREELIST_PAGE + 1;
        // They are written last.
        file.append_zeros(next_page * u64::from(page_bytes))?;
        Ok(Self {
            file,
            page_bytes,
            next_page,
        })
    }

    pub(super) fn page_bytes(&self) -> u64 {
        u64::from(self.page_bytes)
    }

    /// Writes a page with what follows its header, and returns its id.
    pub(super) fn page(&mut self, flags: u16, count: u16, parts: &[&[u8]]) -> Result<u64> {
        let filled: u64 = parts.iter().map(|part| part.len() as u64).sum();
        let filled = filled + HEADER_BYTES;
        let pages = filled.div_ceil(self.page_bytes());
        let id = self.next_page;
        let header = Header {
            id,
            flags,
            count,
            // Keys and values are limited to less than 2^32 bytes, in pages of more than one.
            overflow: (pages - 1) as u32,
        };
        self.file.append(&header.encode())?;
        for part in parts {
            self.file.append(part)?;
        }
        self.file.append_zeros(pages * self.page_bytes() - filled)?;
        self.next_page += pages;
        Ok(id)
    }

    /// Writes the meta pages and an empty freelist. The file then has its name.
    pub(super) fn finish(mut self, root: u64, sequence: u64) -> Result<()> {
        let mut start = Vec::new();
        for transaction in 0..FREELIST_PAGE {
            let meta = Meta {
                page_bytes: self.page_bytes,
                root,
                sequence,
                freelist: Some(FREELIST_PAGE),
                high_water: self.next_page,
                transaction,
            };
            start.extend(header(transaction, META));
            start.extend(meta.encode());
            start.resize(start.len().next_multiple_of(self.page_bytes as usize), 0);
        }
        start.extend(header(FREELIST_PAGE, FREELIST));
        self.file.overwrite_start(&start)?;
        self.file.finish()
    }
}

fn header(id: u64, flags: u16) -> [u8; 16] {
    let header = Header {
        id,
        flags,
        count: 0,
        overflow: 0,
    };
    header.encode()
}
