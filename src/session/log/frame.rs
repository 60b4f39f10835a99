//! The bytes of a log: its two heads, its frames, and how they are read back. No I/O.
//!
//! ```text
//! block 0, 1    heads; that of epoch E is in block E % 2
//! block 2 ..    two halves; the first one has the frames of odd epochs, the second one those of even epochs, each from
//!               the beginning of a block
//!
//! head   0  "bayplan" 00        frame   0  "bplf"
//!        8  checksum u32                4  checksum u32
//!       12  version u32                 8  epoch u64
//!       16  UUID of the store          16  number u64
//!       32  UUID of the log            24  checksum of the frame, or head, before it u32
//!       48  epoch u64                  28  bytes of rows u32
//!       56  bytes of the file u64      32  rows, then zeros up to the end of the block
//!       64  number of the last frame of the epoch before u64
//!       72  its checksum u32, or that of the head before it
//!
//! row    0  table u8: 1 records, 2 namespaces, 3 meta, 4 tombstones
//!        1  bytes of the key u32
//!        5  bytes of the value u32; ff ff ff ff if the row is removed
//!        9  key, value
//! ```
//!
//! Numbers are little endian. A checksum is a CRC-32 (IEEE) of all that follows it, up to the end of the last block;
//! that of a frame begins with the CRC-32 of both UUIDs. So a frame is never mistaken for one of another log, of
//! another epoch, or at another place in the order. The head of an epoch continues the chain of the epoch before.

use std::ops::Range;

use crate::model::error::{Error, Result};
use crate::records::marker::Marker;
use crate::session::log::changes::{RowChange, RowChanges};

/// The unit of writes: no sync writes a block that holds what was synced before.
pub(crate) const BLOCK_BYTES: usize = 4096;

/// The length of a log, which never changes. If a frame no longer fits into its half, the next epoch begins in the
/// other one.
pub(crate) const LOG_BYTES: u64 = 4 << 20;

/// The maximum length of a log, whatever its head says.
pub(crate) const LOG_MAX_BYTES: u64 = 64 << 20;

/// The offset of the first half.
pub(crate) const FRAMES_START: usize = HEADS_COUNT * BLOCK_BYTES;

const HEADS_COUNT: usize = 2;
const HEAD_MAGIC: [u8; 8] = *b"bayplan\0";
const VERSION: u32 = 2;
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
    /// The last frame of the epoch before: its number, and its checksum.
    before: (u64, u32),
    checksum: u32,
}

/// Returns the offset of the head of an epoch.
pub(crate) fn head_place(epoch: u64) -> u64 {
    (epoch % HEADS_COUNT as u64) * BLOCK_BYTES as u64
}

/// Returns the half of a log in which the frames of an epoch are.
fn half(epoch: u64, file_bytes: u64) -> Range<usize> {
    let file_bytes = usize::try_from(file_bytes).unwrap_or(usize::MAX);
    let blocks = file_bytes.saturating_sub(FRAMES_START) / BLOCK_BYTES;
    let bytes = blocks / HEADS_COUNT * BLOCK_BYTES;
    let start = match epoch.is_multiple_of(2) {
        true => FRAMES_START.saturating_add(bytes),
        false => FRAMES_START,
    };
    start..start.saturating_add(bytes)
}

/// Returns the most bytes of a frame in a log of this length.
pub(crate) fn frame_max_bytes(file_bytes: u64) -> usize {
    half(0, file_bytes).len()
}

/// Returns the block of a head, and its checksum, which the first frame names. `before` is the last frame of the epoch
/// before: its number, and its checksum.
fn head(owner: &Owner, epoch: u64, file_bytes: u64, before: (u64, u32)) -> (Vec<u8>, u32) {
    let mut block = Vec::with_capacity(BLOCK_BYTES);
    block.extend_from_slice(&HEAD_MAGIC);
    block.extend_from_slice(&[0; 4]);
    block.extend_from_slice(&VERSION.to_le_bytes());
    block.extend_from_slice(&owner.store);
    block.extend_from_slice(&owner.log);
    block.extend_from_slice(&epoch.to_le_bytes());
    block.extend_from_slice(&file_bytes.to_le_bytes());
    block.extend_from_slice(&before.0.to_le_bytes());
    block.extend_from_slice(&before.1.to_le_bytes());
    block.resize(BLOCK_BYTES, 0);
    let checksum = crc32fast::hash(block.get(12..).unwrap_or_default());
    put(&mut block, 8, &checksum.to_le_bytes());
    (block, checksum)
}

/// Returns all bytes of a log without frames, and its end. `number` is that of the last frame of the log before it.
pub(crate) fn first(owner: &Owner, epoch: u64, number: u64, file_bytes: u64) -> (Vec<u8>, End) {
    let before = (number, 0);
    let (head, checksum) = head(owner, epoch, file_bytes, before);
    let at = usize::try_from(head_place(epoch)).unwrap_or(0);
    let mut bytes = vec![0; usize::try_from(file_bytes).unwrap_or(0)];
    put(&mut bytes, at, &head);
    let end = End::of_epoch(owner, epoch, file_bytes, number, checksum);
    (bytes, end)
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
        before: (u64_at(block, 64)?, u32_at(block, 72)?),
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
    pub(crate) epoch: u64,
    /// The number of the last frame.
    pub(crate) number: u64,
    checksum: u32,
    pub(crate) at: usize,
    /// The end of the half.
    half_end: usize,
}

impl End {
    /// Returns the end of an epoch without frames, whose head has this checksum. `number` is that of the last frame of
    /// the epoch before.
    fn of_epoch(
        owner: &Owner,
        epoch: u64,
        file_bytes: u64,
        number: u64,
        head_checksum: u32,
    ) -> Self {
        let half = half(epoch, file_bytes);
        Self {
            root: owner.root(),
            epoch,
            number,
            checksum: head_checksum,
            at: half.start,
            half_end: half.end,
        }
    }

    /// Makes the head of the next epoch. Returns it, and the end of that epoch without frames; `None` if there are no
    /// more epochs.
    pub(crate) fn next_epoch(&self, owner: &Owner, file_bytes: u64) -> Option<(Vec<u8>, Self)> {
        let epoch = self.epoch.checked_add(1)?;
        let (head, checksum) = head(owner, epoch, file_bytes, (self.number, self.checksum));
        let end = Self::of_epoch(owner, epoch, file_bytes, self.number, checksum);
        Some((head, end))
    }

    /// Whether a frame of these rows fits into the rest of its half.
    pub(crate) fn fits(&self, changes: &RowChanges) -> bool {
        let behind = |bytes| self.at.checked_add(bytes);
        let end = changes.frame_bytes().and_then(behind);
        end.is_some_and(|end| end <= self.half_end)
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
        let frame = self.read(bytes.get(..self.half_end)?, self.at)?;
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

/// The frames of a log that are not in the file: those of one epoch, and of the next one if it has begun.
#[derive(Debug)]
pub(crate) struct Scanned<'b> {
    frames: Vec<&'b [u8]>,
    /// The epoch of the last of them.
    pub(crate) epoch: u64,
    /// The number of the last of them.
    pub(crate) number: u64,
    /// The damage after them, if any. A frame that was never acknowledged is no damage.
    pub(crate) damage: Option<Error>,
    /// The valid frames of the same epochs after the damage.
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
    if head.before.0 != marker.frame {
        return Err(Error::corrupt(format!(
            "the log is damaged: epoch {} begins after frame {}, and the file has frames up to {}",
            head.epoch, head.before.0, marker.frame
        )));
    }
    let file_bytes = head.file_bytes;
    let mut end = End::of_epoch(&owner, head.epoch, file_bytes, marker.frame, head.checksum);
    let mut frames = Vec::new();
    let mut take_frames = |mut end: End| {
        while let Some((frame, behind)) = end.next(bytes) {
            frames.push(frame.rows);
            end = behind;
        }
        end
    };
    end = take_frames(end);
    let next = heads(bytes).find(|next| Some(next.epoch) == marker.epoch.checked_add(1));
    // It has begun after the last frame of this epoch, or something between them is damaged.
    if let Some(next) = next.filter(|next| next.before == (end.number, end.checksum)) {
        end = take_frames(End::of_epoch(
            &owner,
            next.epoch,
            file_bytes,
            end.number,
            next.checksum,
        ));
    }
    let found = found_behind(bytes, file_bytes, &end);
    let last_epoch = marker.epoch.saturating_add(1);
    let is_needed = |frame: &&Frame<'b>| frame.epoch <= last_epoch;
    Ok(Scanned {
        frames,
        epoch: end.epoch,
        number: end.number,
        damage: damage_behind(&found, &end, next.as_ref(), last_epoch),
        behind: found
            .iter()
            .filter(is_needed)
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
/// damaged: a frame is written only after all before it were synced.
fn found_behind<'b>(bytes: &'b [u8], file_bytes: u64, end: &End) -> Vec<Frame<'b>> {
    let mut found = Vec::new();
    let mut last = (end.epoch, end.number);
    let other_half = half(end.epoch.wrapping_add(1), file_bytes);
    for range in [end.at..end.half_end, other_half] {
        let mut at = range.start;
        while at < range.end {
            match end.read(bytes.get(..range.end).unwrap_or_default(), at) {
                Some(frame) if (frame.epoch, frame.number) > last => {
                    last = (frame.epoch, frame.number);
                    at += frame.bytes;
                    found.push(frame);
                }
                _ => at += BLOCK_BYTES,
            }
        }
    }
    found
}

/// Says what is damaged, if anything is. `next` is the head of the epoch after that of the file, `last_epoch`.
fn damage_behind(
    found: &[Frame<'_>],
    end: &End,
    next: Option<&LogHead>,
    last_epoch: u64,
) -> Option<Error> {
    let missing = end.number.saturating_add(1);
    let damaged = |what: String| Error::corrupt(format!("the log is damaged: {what}"));
    match found.first() {
        Some(frame) if frame.epoch > last_epoch => Some(Error::corrupt(format!(
            "the file is older than its log, which has frames of epoch {}: the file means {}",
            frame.epoch,
            last_epoch.saturating_sub(1)
        ))),
        Some(frame) if frame.epoch > end.epoch && next.is_none() => Some(damaged(format!(
            "the head of epoch {} does not hold, and its frame {} does",
            frame.epoch, frame.number
        ))),
        Some(frame) => Some(damaged(format!(
            "frame {missing} does not hold, and frame {} behind it does",
            frame.number
        ))),
        None => next.filter(|next| next.epoch > end.epoch).map(|next| {
            damaged(format!(
                "frame {missing} does not hold, and epoch {} behind it has begun",
                next.epoch
            ))
        }),
    }
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
    use crate::records::keys::TableCode;

    const STORE: [u8; 16] = [1; 16];
    const LOG: [u8; 16] = [2; 16];
    const OWNER: Owner = Owner {
        store: STORE,
        log: LOG,
    };
    const BYTES: usize = 16 * BLOCK_BYTES;
    /// The first blocks of the halves: of odd epochs, of even ones.
    const HALVES: [usize; 2] = [2, 9];

    /// Appends frames of one row each, whose values have these lengths.
    fn append(bytes: &mut [u8], end: &mut End, values: &[usize]) {
        for (number, length) in values.iter().enumerate() {
            let mut changes = RowChanges::default();
            changes.put(TableCode::Records, &[b'k', number as u8], &vec![7; *length]);
            assert!(end.fits(&changes));
            let at = end.at;
            let (frame, behind) = end.frame(changes).unwrap();
            assert_eq!(frame.len() % BLOCK_BYTES, 0);
            put(bytes, at, &frame);
            *end = behind;
        }
    }

    /// Makes a log of an epoch with such frames.
    fn log_of(epoch: u64, values: &[usize]) -> Vec<u8> {
        let (mut bytes, mut end) = first(&OWNER, epoch, 10, BYTES as u64);
        append(&mut bytes, &mut end, values);
        bytes
    }

    /// Makes a log of an epoch and the next one.
    fn log_of_both(epoch: u64, values: [&[usize]; 2]) -> Vec<u8> {
        let (mut bytes, mut end) = first(&OWNER, epoch, 10, BYTES as u64);
        append(&mut bytes, &mut end, values[0]);
        let (head, mut next) = end.next_epoch(&OWNER, BYTES as u64).unwrap();
        put(&mut bytes, head_place(next.epoch) as usize, &head);
        append(&mut bytes, &mut next, values[1]);
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
        assert_eq!((scanned.count(), scanned.epoch, scanned.number), (3, 3, 13));
        let rows: Vec<_> = scanned.rows().map(Result::unwrap).collect();
        let lengths: Vec<_> = rows.iter().map(|row| row.value.unwrap().len()).collect();
        assert_eq!(lengths, [0, 100, 9_000]);
        assert_eq!(rows[2].key, b"k\x02");
    }

    #[test]
    fn the_next_epoch_goes_on_where_the_one_before_ended() {
        for epoch in [3, 4] {
            for values in [[&[100, 9_000][..], &[50]], [&[], &[50]], [&[100], &[]]] {
                let bytes = log_of_both(epoch, values);
                let scanned = scan(&bytes, STORE, &marker(epoch)).unwrap();
                assert!(scanned.damage.is_none());
                let count = values.concat().len() as u64;
                assert_eq!(scanned.count(), count);
                assert_eq!((scanned.epoch, scanned.number), (epoch + 1, 10 + count));
                // Once the file has the first epoch, only the second one counts.
                let later = Marker {
                    epoch: epoch + 1,
                    frame: 10 + values[0].len() as u64,
                    ..marker(epoch)
                };
                let scanned = scan(&bytes, STORE, &later).unwrap();
                assert!(scanned.damage.is_none());
                assert_eq!(scanned.count(), values[1].len() as u64);
            }
        }
    }

    #[test]
    fn a_flip_in_any_block_is_an_end_in_the_last_frame_and_damage_elsewhere() {
        let bytes = log_of(3, &[100, 9_000, 100]);
        let blocks = [(0, 0), (1, 1), (2, 1), (3, 1), (4, 2)];
        for (block, frame) in blocks {
            for at in [0, 5, 9, 17, 25, 29, 33, 4_095] {
                let mut flipped = bytes.clone();
                flipped[(HALVES[0] + block) * BLOCK_BYTES + at] ^= 1;
                let scanned = scan(&flipped, STORE, &marker(3)).unwrap();
                assert_eq!(scanned.count(), frame, "block {block}, byte {at}");
                assert_eq!(scanned.damage.is_some(), frame < 2, "block {block}");
            }
        }
    }

    #[test]
    fn a_flip_before_the_next_epoch_is_damage_and_what_is_behind_is_found() {
        let bytes = log_of_both(4, [&[100, 100], &[100, 100]]);
        let flipped = |block: usize| {
            let mut flipped = bytes.clone();
            flipped[block * BLOCK_BYTES + 40] ^= 1;
            flipped
        };
        let place = |epoch| head_place(epoch) as usize / BLOCK_BYTES;
        for (block, count, behind) in [
            (HALVES[1], 0, 3),
            (HALVES[1] + 1, 1, 2),
            (place(5), 2, 2),
            (HALVES[0], 2, 1),
        ] {
            let flipped = flipped(block);
            let scanned = scan(&flipped, STORE, &marker(4)).unwrap();
            let found = (scanned.count(), scanned.count_behind());
            assert_eq!(found, (count, behind), "block {block}");
            assert!(scanned.damage.is_some(), "block {block}");
        }
        let last = flipped(HALVES[0] + 1);
        let scanned = scan(&last, STORE, &marker(4)).unwrap();
        assert!(scanned.damage.is_none());
        assert_eq!(scanned.count(), 3);
        assert!(refused(&flipped(place(4)), STORE, &marker(4)).contains("damaged: its head is"));
        // All frames of the second epoch may be gone, and its head tells that those before it were there.
        let mut cut = log_of_both(4, [&[100, 100], &[]]);
        cut[(HALVES[1] + 1) * BLOCK_BYTES] ^= 1;
        assert!(refused(&cut, STORE, &marker(4)).contains("epoch 5 behind it has begun"));
    }

    #[test]
    fn a_file_that_went_back_is_older_than_its_log() {
        let (mut bytes, end) = first(&OWNER, 3, 10, BYTES as u64);
        let mut ends = [end; 3];
        for number in 1..3 {
            let (head, next) = ends[number - 1].next_epoch(&OWNER, BYTES as u64).unwrap();
            put(&mut bytes, head_place(next.epoch) as usize, &head);
            ends[number] = next;
            append(&mut bytes, &mut ends[number], &[100]);
        }
        assert!(refused(&bytes, STORE, &marker(3)).contains("the file is older than its log"));
        // Its head may be lost as well.
        let place = head_place(5) as usize;
        let head = log_of(3, &[])[place..place + BLOCK_BYTES].to_vec();
        put(&mut bytes, place, &head);
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
        let of = |bytes: usize| {
            let mut changes = RowChanges::default();
            changes.put(TableCode::Meta, b"", &vec![0; bytes]);
            changes
        };
        let most = frame_max_bytes(BYTES as u64) - FRAME_HEAD_BYTES - 9;
        assert_eq!(frame_max_bytes(BYTES as u64), 7 * BLOCK_BYTES);
        for epoch in [1, 2] {
            let (_, mut end) = first(&OWNER, epoch, 0, BYTES as u64);
            assert!(end.fits(&of(most)));
            assert!(!end.fits(&of(most + 1)));
            append(&mut vec![0; BYTES], &mut end, &[100]);
            assert!(!end.fits(&of(most)));
        }
    }
}
