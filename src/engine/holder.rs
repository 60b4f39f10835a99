//! Who holds the lock of a file: what Linux tells in `/proc/locks`.

use std::path::Path;

/// The process that has the file locked as a whole, if the system tells.
#[cfg(target_os = "linux")]
pub(crate) fn of(path: &Path) -> Option<u32> {
    use std::os::unix::fs::MetadataExt;

    let metadata = path.metadata().ok()?;
    parse(
        &std::fs::read_to_string("/proc/locks").ok()?,
        metadata.ino(),
    )
}

/// The process that has the file locked as a whole, if the system tells: it does not.
#[cfg(not(target_os = "linux"))]
pub(crate) fn of(_path: &Path) -> Option<u32> {
    None
}

/// Finds the lock of an inode in a text such as `1: FLOCK  ADVISORY  WRITE 812 fe:00:1234 0 EOF`.
///
/// The device is not compared: file systems such as btrfs and overlayfs report another one here
/// than for the file. Byte-range locks of open file descriptions have no process (-1).
#[cfg(target_os = "linux")]
fn parse(locks: &str, inode: u64) -> Option<u32> {
    locks.lines().find_map(|line| {
        let mut fields = line.split_whitespace().skip(4);
        let pid = fields.next()?.parse().ok()?;
        let of = fields.next()?.rsplit(':').next()?.parse::<u64>().ok()?;
        (of == inode).then_some(pid)
    })
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn the_process_is_found_by_the_inode() {
        let locks = "1: OFDLCK ADVISORY  WRITE -1 fe:00:77 0 EOF\n\
                     2: FLOCK  ADVISORY  WRITE 812 fe:00:77 0 EOF\n\
                     3: FLOCK  ADVISORY  WRITE 9 fe:00:78 0 EOF\n";
        assert_eq!(parse(locks, 77), Some(812));
        assert_eq!(parse(locks, 78), Some(9));
        assert_eq!(parse(locks, 79), None);
        assert_eq!(parse("nonsense\n", 77), None);
    }
}
