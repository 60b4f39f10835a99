//! The bytes of a log: its two heads, its frames, and how they are read back. No I/O.
//!
//! ```text
//! block 0, 1    heads; that of epoch E is in block E % 2
//! block 2 ..    the frames of one epoch, each from the beginning of a block
//!
//! head   0  "bayplan" 00        frame   0  "bplf"
//!        8  checksum u32                4  checksum u32
//!       12  version u32                 8  epoch u64
//!       16  UUID of the store          16  number u64
//!       32  UUID of the log            24  checksum of the frame, or head, before it u32
//!       48  epoch u64                  28  bytes of rows u32
//!       56  bytes of the file u64      32  rows, then zeros up to the end of the block
//!
//! row    0  table u8: 1 records, 2 namespaces, 3 meta
//!        1  bytes of the key u32
//!        5  bytes of the value u32; ff ff ff ff if the row is removed
//!        9  key, value
//! ```
//!
//! Numbers are little endian. A checksum is a CRC-32 (IEEE) of all that follows it, up to the end of the last block;
//! that of a frame begins with the CRC-32 of both UUIDs. So a frame is never mistaken for one of another log, of
//! another epoch, or at another place in the order.

use crate::model::error::{Error, Result};
use crate::records::marker::Marker;
use crate::session::log::changes::{RowChange, RowChanges};

/// The unit of writes: no sync writes a block that holds what was synced before.
pub(crate) const BLOCK_BYTES: usize = 4096;

/// The length of a log, which never changes. If a frame no longer fits, the log begins anew.
pub(crate) const LOG_BYTES: u64 = 1 << 20;

/// The maximum length of a log, whatever its head says.
pub(crate) const LOG_MAX_BYTES: u64 = 64 << 20;

/// The offset of the first frame of an epoch.
pub(crate) const FRAMES_START: usize = HEADS_COUNT * BLOCK_BYTES;

const HEADS_COUNT: usize = 2;
const HEAD_MAGIC: [u8; 8] = *b"bayplan\0";
const VERSION: u32 = 1;
const FRAME_MAGIC: [u8; 4] = *b"bplf";

/// The length of what precedes the rows of a frame.
pub(crate) const FRAME_HEAD_BYTES: usize = 32;

const _: () = assert!(
    LOG_BYTES.is_multiple_of(BLOCK_BYTES as u64) && LOG_BYTES <= LOG_MAX_BYTES,
    "a log is whole blocks, and no longer than what is read"
);

/// The store and the log that a frame or head belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Owner {
    pub(crate) store: [u8; 16],
    pub(crate) log: [u8; 16],
}

impl Owner {
    /// Returns the initial value of each frame's checksum.
    fn root(&self) -> u32 {
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(&self.store);
        hasher.update(&self.log);
        hasher.finalize()
    }
}

/// A head that was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LogHead {
    pub(crate) owner: Owner,
    pub(crate) epoch: u64,
    file_bytes: u64,
    checksum: u32,
}

/// Returns the offset of the head of an epoch.
pub(crate) fn head_place(epoch: u64) -> u64 {
    (epoch % HEADS_COUNT as u64) * BLOCK_BYTES as u64
}

/// Returns the block of a head, and its checksum, which the first frame names.
pub(crate) fn head(owner: &Owner, epoch: u64, file_bytes: u64) -> (Vec<u8>, u32) {
    let mut block = Vec::with_capacity(BLOCK_BYTES);
    block.extend_from_slice(&HEAD_MAGIC);
    block.extend_from_slice(&[0; 4]);
    block.extend_from_slice(&VERSION.to_le_bytes());
    block.extend_from_slice(&owner.store);
    block.extend_from_slice(&owner.log);
    block.extend_from_slice(&epoch.to_le_bytes());
    block.extend_from_slice(&file_bytes.to_le_bytes());
    block.resize(BLOCK_BYTES, 0);
    let checksum = crc32fast::hash(block.get(12..).unwrap_or_default());
    put(&mut block, 8, &checksum.to_le_bytes());
    (block, checksum)
}

/// Returns all bytes of a log without frames, and the checksum of its head.
pub(crate) fn first(owner: &Owner, epoch: u64, file_bytes: u64) -> (Vec<u8>, u32) {
    let (head, checksum) = head(owner, epoch, file_bytes);
    let at = usize::try_from(head_place(epoch)).unwrap_or(0);
    let mut bytes = vec![0; usize::try_from(file_bytes).unwrap_or(0)];
    put(&mut bytes, at, &head);
    (bytes, checksum)
}

/// Reads the head in a block, if its checksum is valid.
fn read_head(block: &[u8]) -> Option<LogHead> {
    if !block.starts_with(&HEAD_MAGIC) || u32_at(block, 12)? != VERSION {
        return None;
    }
    let checksum = u32_at(block, 8)?;
    (checksum == crc32fast::hash(block.get(12..)?)).then_some(LogHead {
        owner: Owner {
            store: array_at(block, 16)?,
            log: array_at(block, 32)?,
        },
        epoch: u64_at(block, 48)?,
        file_bytes: u64_at(block, 56)?,
        checksum,
    })
}

/// Reads the valid heads of a log.
pub(crate) fn heads(bytes: &[u8]) -> impl Iterator<Item = LogHead> {
    let blocks = bytes.chunks_exact(BLOCK_BYTES).take(HEADS_COUNT);
    blocks.filter_map(read_head)
}

/// Whether no frame was ever written after the heads.
pub(crate) fn is_unused(bytes: &[u8]) -> bool {
    let frames = bytes.get(FRAMES_START..).unwrap_or_default();
    frames.iter().all(|byte| *byte == 0)
}

/// Where the next frame goes, and which frame it follows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct End {
    root: u32,
    epoch: u64,
    /// The number of the last frame.
    pub(crate) number: u64,
    checksum: u32,
    pub(crate) at: usize,
}

impl End {
    /// Returns the end of an epoch without frames, whose head has this checksum.
    pub(crate) fn of_epoch(owner: &Owner, epoch: u64, number: u64, head_checksum: u32) -> Self {
        Self {
            root: owner.root(),
            epoch,
            number,
            checksum: head_checksum,
            at: FRAMES_START,
        }
    }

    /// Whether a frame of these rows fits into a log of `file_bytes`.
    pub(crate) fn fits(&self, changes: &RowChanges, file_bytes: u64) -> bool {
        let behind = |bytes| self.at.checked_add(bytes);
        let end = changes.frame_bytes().and_then(behind);
        end.is_some_and(|end| end as u64 <= file_bytes)
    }

    /// Makes the blocks of the next frame. Returns them and the end after it.
    pub(crate) fn frame(&self, changes: RowChanges) -> Result<(Vec<u8>, Self)> {
        let too_long = || Error::invalid("the transaction is too long for a log");
        let number = self.number.checked_add(1).ok_or_else(too_long)?;
        let rows = u32::try_from(changes.rows_bytes()).map_err(|_| too_long())?;
        let mut frame = changes.into_frame();
        put(&mut frame, 0, &FRAME_MAGIC);
        put(&mut frame, 8, &self.epoch.to_le_bytes());
        put(&mut frame, 16, &number.to_le_bytes());
        put(&mut frame, 24, &self.checksum.to_le_bytes());
        put(&mut frame, 28, &rows.to_le_bytes());
        let checksum = frame_checksum(self.root, &frame);
        put(&mut frame, 4, &checksum.to_le_bytes());
        let end = Self {
            number,
            checksum,
            at: self.at + frame.len(),
            ..*self
        };
        Ok((frame, end))
    }

    /// Reads the frame at this offset, if it is a frame of this log with a valid checksum.
    fn read<'b>(&self, bytes: &'b [u8], at: usize) -> Option<Frame<'b>> {
        let blocks = bytes.get(at..)?;
        if !blocks.starts_with(&FRAME_MAGIC) {
            return None;
        }
        let rows_bytes = usize::try_from(u32_at(blocks, 28)?).ok()?;
        let used = FRAME_HEAD_BYTES.checked_add(rows_bytes)?;
        let blocks = blocks.get(..used.checked_next_multiple_of(BLOCK_BYTES)?)?;
        let checksum = u32_at(blocks, 4)?;
        (checksum == frame_checksum(self.root, blocks)).then_some(Frame {
            epoch: u64_at(blocks, 8)?,
            number: u64_at(blocks, 16)?,
            before: u32_at(blocks, 24)?,
            checksum,
            rows: blocks.get(FRAME_HEAD_BYTES..used)?,
            bytes: blocks.len(),
        })
    }

    /// Reads the frame at this end, if it is the next one.
    fn next<'b>(&self, bytes: &'b [u8]) -> Option<(Frame<'b>, Self)> {
        let frame = self.read(bytes, self.at)?;
        let is_next = frame.epoch == self.epoch
            && Some(frame.number) == self.number.checked_add(1)
            && frame.before == self.checksum;
        let end = Self {
            number: frame.number,
            checksum: frame.checksum,
            at: self.at + frame.bytes,
            ..*self
        };
        is_next.then_some((frame, end))
    }
}

/// A frame with a valid checksum.
#[derive(Clone, Copy, Debug)]
struct Frame<'b> {
    epoch: u64,
    number: u64,
    before: u32,
    checksum: u32,
    rows: &'b [u8],
    bytes: usize,
}

/// The frames of a log that are not in the file.
#[derive(Debug)]
pub(crate) struct Scanned<'b> {
    frames: Vec<&'b [u8]>,
    /// The number of the last of them.
    pub(crate) number: u64,
    /// The damage after them, if any. A frame that was never acknowledged is no damage.
    pub(crate) damage: Option<Error>,
    /// The valid frames of the same epoch after the damage.
    behind: Vec<&'b [u8]>,
}

impl<'b> Scanned<'b> {
    /// Returns the number of frames.
    pub(crate) fn count(&self) -> u64 {
        self.frames.len() as u64
    }

    /// Iterates over all rows, in the order in which they were written.
    ///
    /// # Errors
    ///
    /// `Corrupt` at an invalid row, after which the iterator ends.
    pub(crate) fn rows(&self) -> impl Iterator<Item = Result<RowChange<'b>>> {
        self.frames.iter().flat_map(|rows| Rows(rows))
    }

    /// Returns the number of frames after the damage.
    pub(crate) fn count_behind(&self) -> u64 {
        self.behind.len() as u64
    }

    /// Iterates over all rows of the frames after the damage, with the same errors.
    pub(crate) fn rows_behind(&self) -> impl Iterator<Item = Result<RowChange<'b>>> {
        self.behind.iter().flat_map(|rows| Rows(rows))
    }
}

/// Reads the frames of a log after those that the file has.
///
/// # Errors
///
/// `Corrupt` if these bytes are not the log that the file names.
pub(crate) fn scan<'b>(bytes: &'b [u8], store: [u8; 16], marker: &Marker) -> Result<Scanned<'b>> {
    let owner = Owner {
        store,
        log: marker.log,
    };
    let head = find_head(bytes, &owner, marker.epoch)?;
    if head.file_bytes != bytes.len() as u64 {
        return Err(Error::corrupt(format!(
            "the log has been cut: it has {} bytes of {}",
            bytes.len(),
            head.file_bytes
        )));
    }
    let mut end = End::of_epoch(&owner, marker.epoch, marker.frame, head.checksum);
    let mut frames = Vec::new();
    while let Some((frame, behind)) = end.next(bytes) {
        frames.push(frame.rows);
        end = behind;
    }
    let found = found_behind(bytes, &end);
    let is_of_epoch = |frame: &&Frame<'b>| frame.epoch == end.epoch;
    Ok(Scanned {
        frames,
        number: end.number,
        damage: damage_behind(&found, &end),
        behind: found
            .iter()
            .filter(is_of_epoch)
            .map(|frame| frame.rows)
            .collect(),
    })
}

fn find_head(bytes: &[u8], owner: &Owner, epoch: u64) -> Result<LogHead> {
    let found: Vec<LogHead> = heads(bytes).collect();
    let Some(newest) = found.iter().map(|head| head.epoch).max() else {
        return Err(Error::corrupt("the log is damaged: it has no head"));
    };
    if found.iter().any(|head| head.owner.store != owner.store) {
        return Err(Error::corrupt("the log is that of another store"));
    }
    if found.iter().any(|head| head.owner.log != owner.log) {
        return Err(Error::corrupt(
            "the log is another one of this store, not the one that the file means",
        ));
    }
    match found.into_iter().find(|head| head.epoch == epoch) {
        Some(head) => Ok(head),
        None if newest < epoch => Err(Error::corrupt(format!(
            "the log is older than the file: it is of epoch {newest}, and the file means {epoch}"
        ))),
        None if newest > epoch.saturating_add(1) => Err(Error::corrupt(format!(
            "the file is older than its log, which is of epoch {newest}: the file means {epoch}"
        ))),
        None => Err(Error::corrupt("the log is damaged: its head is")),
    }
}

/// Finds the frames after the end that are no older than it, in their order. There are none unless something is
/// damaged: a frame is written only after all before it are synced.
fn found_behind<'b>(bytes: &'b [u8], end: &End) -> Vec<Frame<'b>> {
    let mut found = Vec::new();
    let mut last = (end.epoch, end.number);
    let mut at = end.at;
    while at < bytes.len() {
        match end.read(bytes, at) {
            Some(frame) if (frame.epoch, frame.number) > last => {
                last = (frame.epoch, frame.number);
                at += frame.bytes;
                found.push(frame);
            }
            _ => at += BLOCK_BYTES,
        }
    }
    found
}

fn damage_behind(found: &[Frame<'_>], end: &End) -> Option<Error> {
    let found = found.first()?;
    Some(match found.epoch == end.epoch {
        true => Error::corrupt(format!(
            "the log is damaged: frame {} does not hold, and frame {} behind it does",
            end.number.saturating_add(1),
            found.number
        )),
        false => Error::corrupt(format!(
            "the file is older than its log, which has frames of epoch {}: the file means {}",
            found.epoch, end.epoch
        )),
    })
}

/// The rows of a frame.
struct Rows<'b>(&'b [u8]);

impl<'b> Iterator for Rows<'b> {
    type Item = Result<RowChange<'b>>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let Some((row, rest)) = RowChange::read(self.0) else {
            self.0 = &[];
            return Some(Err(Error::corrupt("the log has a row that is none")));
        };
        self.0 = rest;
        Some(Ok(row))
    }
}

fn frame_checksum(root: u32, frame: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new_with_initial(root);
    hasher.update(frame.get(8..).unwrap_or_default());
    hasher.finalize()
}

fn put(block: &mut [u8], at: usize, bytes: &[u8]) {
    if let Some(place) = block
        .get_mut(at..)
        .and_then(|rest| rest.get_mut(..bytes.len()))
    {
        place.copy_from_slice(bytes);
    }
}

fn array_at<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    array_at(bytes, at).map(u32::from_le_bytes)
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    array_at(bytes, at).map(u64::from_le_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::log::changes::TableCode;

    const STORE: [u8; 16] = [1; 16];
    const LOG: [u8; 16] = [2; 16];
    const BYTES: usize = 16 * BLOCK_BYTES;

    /// Makes a log of an epoch with frames of one row each, whose values have these lengths.
    fn log_of(epoch: u64, values: &[usize]) -> Vec<u8> {
        let owner = Owner {
            store: STORE,
            log: LOG,
        };
        let (mut bytes, checksum) = first(&owner, epoch, BYTES as u64);
        let mut end = End::of_epoch(&owner, epoch, 10, checksum);
        for (number, length) in values.iter().enumerate() {
            let mut changes = RowChanges::default();
            changes.put(TableCode::Records, &[b'k', number as u8], &vec![7; *length]);
            assert!(end.fits(&changes, BYTES as u64));
            let at = end.at;
            let (frame, behind) = end.frame(changes).unwrap();
            assert_eq!(frame.len() % BLOCK_BYTES, 0);
            put(&mut bytes, at, &frame);
            end = behind;
        }
        bytes
    }

    fn marker(epoch: u64) -> Marker {
        Marker {
            epoch,
            frame: 10,
            ..Marker::new(LOG)
        }
    }

    #[track_caller]
    fn refused(bytes: &[u8], store: [u8; 16], marker: &Marker) -> String {
        let error = match scan(bytes, store, marker) {
            Ok(scanned) => scanned.damage.expect("it is damaged"),
            Err(error) => error,
        };
        assert!(error.is_corrupt());
        error.to_string()
    }

    #[test]
    fn what_was_written_is_read_back_in_order() {
        let bytes = log_of(3, &[0, 100, 9_000]);
        let scanned = scan(&bytes, STORE, &marker(3)).unwrap();
        assert!(scanned.damage.is_none());
        assert_eq!((scanned.count(), scanned.number), (3, 13));
        let rows: Vec<_> = scanned.rows().map(Result::unwrap).collect();
        let lengths: Vec<_> = rows.iter().map(|row| row.value.unwrap().len()).collect();
        assert_eq!(lengths, [0, 100, 9_000]);
        assert_eq!(rows[2].key, b"k\x02");
    }

    #[test]
    fn a_flip_in_any_block_is_an_end_in_the_last_frame_and_damage_elsewhere() {
        let bytes = log_of(3, &[100, 9_000, 100]);
        let blocks = [(2, 0), (3, 1), (4, 1), (5, 1), (6, 2)];
        for (block, frame) in blocks {
            for at in [0, 5, 9, 17, 25, 29, 33, 4_095] {
                let mut flipped = bytes.clone();
                flipped[block * BLOCK_BYTES + at] ^= 1;
                let scanned = scan(&flipped, STORE, &marker(3)).unwrap();
                assert_eq!(scanned.count(), frame, "block {block}, byte {at}");
                assert_eq!(scanned.damage.is_some(), frame < 2, "block {block}");
            }
        }
    }

    #[test]
    fn frames_of_an_epoch_before_are_no_frames() {
        let mut bytes = log_of(3, &[100, 100, 100]);
        let newer = log_of(4, &[100]);
        put(&mut bytes, 0, &newer[..BLOCK_BYTES]);
        let first = FRAMES_START..FRAMES_START + BLOCK_BYTES;
        put(&mut bytes, FRAMES_START, &newer[first]);
        let scanned = scan(&bytes, STORE, &marker(4)).unwrap();
        assert!(scanned.damage.is_none());
        assert_eq!(scanned.count(), 1);
        // The file went back to the epoch before.
        assert!(refused(&bytes, STORE, &marker(3)).contains("the file is older than its log"));
    }

    #[test]
    fn a_log_that_is_not_meant_is_told() {
        let bytes = log_of(3, &[100]);
        let said = [
            (
                refused(&bytes, [9; 16], &marker(3)),
                "that of another store",
            ),
            (
                refused(
                    &bytes,
                    STORE,
                    &Marker {
                        log: [9; 16],
                        ..marker(3)
                    },
                ),
                "another one of this store",
            ),
            (refused(&bytes, STORE, &marker(4)), "older than the file"),
            (
                refused(&bytes, STORE, &marker(1)),
                "the file is older than its log",
            ),
            (refused(&bytes, STORE, &marker(2)), "damaged: its head is"),
            (
                refused(&bytes[..BYTES / 2], STORE, &marker(3)),
                "has been cut",
            ),
            (refused(&[], STORE, &marker(3)), "it has no head"),
        ];
        for (text, expected) in said {
            assert!(text.contains(expected), "{text}");
        }
    }

    #[test]
    fn a_frame_that_does_not_fit_is_known_before() {
        let owner = Owner {
            store: STORE,
            log: LOG,
        };
        let end = End::of_epoch(&owner, 1, 0, 0);
        let of = |bytes: usize| {
            let mut changes = RowChanges::default();
            changes.put(TableCode::Meta, b"", &vec![0; bytes]);
            changes
        };
        let most = BYTES - FRAMES_START - FRAME_HEAD_BYTES - 9;
        assert!(end.fits(&of(most), BYTES as u64));
        assert!(!end.fits(&of(most + 1), BYTES as u64));
    }
}
