//! What the system knows of a file, but for its times.
//!
//! Since Linux 6.13, a file whose times somebody has read gets an exact time with its next write, and syncing that write
//! has to write the inode as well, which takes half as long again. A store looks at its files at each commit, so it asks
//! for nothing but what it needs.

use std::fs::File;
use std::io;
use std::path::Path;

/// Identifies a file. The system gives the same numbers to no other file while this one is open.
pub(crate) type Identity = (u64, u64);

/// See the module documentation.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) identity: Identity,
    /// How many names it has.
    pub(crate) names_count: u64,
    pub(crate) len_bytes: u64,
}

impl Found {
    /// Looks at an open file.
    pub(crate) fn of(file: &File) -> io::Result<Self> {
        #[cfg(target_os = "linux")]
        if let Ok(found) = linux::found(file, Path::new(""), rustix::fs::AtFlags::EMPTY_PATH) {
            return Ok(found);
        }
        file.metadata().map(Self::from)
    }

    /// Looks at what is at a path, behind symbolic links.
    pub(crate) fn at(path: &Path) -> io::Result<Self> {
        #[cfg(target_os = "linux")]
        if let Ok(found) = linux::found(rustix::fs::CWD, path, rustix::fs::AtFlags::empty()) {
            return Ok(found);
        }
        path.metadata().map(Self::from)
    }
}

#[cfg(unix)]
impl From<std::fs::Metadata> for Found {
    fn from(metadata: std::fs::Metadata) -> Self {
        use std::os::unix::fs::MetadataExt as _;

        Self {
            identity: (metadata.dev(), metadata.ino()),
            names_count: metadata.nlink(),
            len_bytes: metadata.len(),
        }
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use std::io;
    use std::os::fd::AsFd;
    use std::path::Path;

    use rustix::fs::{AtFlags, StatxFlags, makedev, statx};

    use super::Found;

    /// Fails as well where only the call that also asks for times is allowed or known.
    pub(super) fn found(directory: impl AsFd, path: &Path, flags: AtFlags) -> io::Result<Found> {
        let wanted = StatxFlags::INO | StatxFlags::NLINK | StatxFlags::SIZE;
        let found = statx(directory, path, flags, wanted)?;
        Ok(Found {
            identity: (
                makedev(found.stx_dev_major, found.stx_dev_minor),
                found.stx_ino,
            ),
            names_count: found.stx_nlink.into(),
            len_bytes: found.stx_size,
        })
    }
}

/// On other systems an open file keeps its name, or there is no way to know.
#[cfg(not(unix))]
impl From<std::fs::Metadata> for Found {
    fn from(metadata: std::fs::Metadata) -> Self {
        Self {
            identity: (0, 0),
            names_count: 1,
            len_bytes: metadata.len(),
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn what_is_found_is_what_the_metadata_says() {
        let directory = tempfile::tempdir().unwrap();
        let [path, link] = ["a", "link"].map(|name| directory.path().join(name));
        fs::write(&path, "12345").unwrap();
        fs::hard_link(&path, &link).unwrap();
        let told = |found: Found| (found.identity, found.names_count, found.len_bytes);
        let known = told(path.metadata().unwrap().into());
        assert_eq!((known.1, known.2), (2, 5));
        assert_eq!(told(Found::at(&path).unwrap()), known);
        assert_eq!(told(Found::of(&File::open(&path).unwrap()).unwrap()), known);
        fs::remove_file(&path).unwrap();
        let error = Found::at(&path).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }
}
