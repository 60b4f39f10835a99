//! A file that gets its name when it is complete.
//!
//! Until then it has no name, if the system supports that: then nothing is left behind, whatever happens to the
//! process. Elsewhere (most network file systems, other systems than Linux) it has a temporary name in the same
//! directory, which a killed process leaves behind. Such a file is never removed because of its name: another process
//! may be writing it.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use tempfile::TempPath;

use crate::model::error::{Error, ErrorKind, Result};
use crate::redb_file::fault::OrIo;
use crate::session::process::{Own, Process};

/// A new file, readable and writable by its owner only. Dropping it removes it.
pub(crate) struct NewFile {
    file: File,
    /// The temporary name, if the file needs one.
    name: Option<Own<TempPath>>,
    path: PathBuf,
    /// Opened first, so that opening it cannot fail when everything else is done.
    directory: File,
    process: Process,
}

impl NewFile {
    /// Creates a file for `path`, which must not exist.
    pub(crate) fn begin(path: &Path) -> Result<Self> {
        Self::begin_in(path, unnamed)
    }

    fn begin_in(path: &Path, unnamed: impl Fn(&Path) -> Option<File>) -> Result<Self> {
        if let Some(text) = dangling_link(path) {
            return Err(Error::new(ErrorKind::AlreadyExists, text));
        }
        if path.symlink_metadata().is_ok() {
            return Err(Error::already_exists());
        }
        if path.as_os_str().as_encoded_bytes().ends_with(b"/") {
            return Err(Error::invalid("the path ends in '/': name a file"));
        }
        let parent = parent(path);
        let no_directory = || Error::new(ErrorKind::NotFound, "there is no such directory");
        let directory = match File::open(parent) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(no_directory()),
            opened => opened.or_io()?,
        };
        if !directory.metadata().or_io()?.is_dir() {
            return Err(no_directory());
        }
        let (file, name) = match unnamed(parent) {
            Some(file) => (file, None),
            None => {
                let (file, name) = named(parent).or_io()?;
                (file, Some(name))
            }
        };
        let process = Process::current()?;
        Ok(Self {
            file,
            name: name.map(|name| Own::new(name, &process)),
            path: path.to_owned(),
            directory,
            process,
        })
    }

    /// Returns the file, to write it.
    pub(crate) fn file(&self) -> Result<File> {
        self.file.try_clone().or_io()
    }

    /// Gives the file its name, without replacing anything, and makes both durable.
    ///
    /// If only a step after the naming fails, the complete file is in place, and the error says so.
    pub(crate) fn finish(self) -> Result<()> {
        self.process.check()?;
        self.file.sync_all().or_io()?;
        match self.name {
            Some(name) => name
                .into_inner()?
                .persist_noclobber(&self.path)
                .map_err(|error| error.error)
                .or_io()?,
            None => link(&self.file, &self.path).or_io()?,
        }
        self.file
            .sync_all()
            .and_then(|()| self.directory.sync_all())
            .or_io()
            .map_err(|error| {
                let what = "the file is whole, but a power cut may take its name away";
                Error::new(error.kind(), what).caused_by(error)
            })
    }
}

/// Creates a file in the directory under a temporary name. The error is the system's own, without this name, which
/// means nothing to a user.
fn named(directory: &Path) -> io::Result<(File, TempPath)> {
    let create = |path: &Path| {
        let mut options = File::options();
        options.read(true).write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        options.open(path)
    };
    tempfile::Builder::new()
        .prefix(".bayplan-")
        .suffix(".new")
        .make_in(directory, create)
        .map(tempfile::NamedTempFile::into_parts)
}

/// Returns a message if the path is a symbolic link that leads to nothing: it is neither a file nor free.
pub(crate) fn dangling_link(path: &Path) -> Option<String> {
    let target = path.read_link().ok()?;
    let error = path.metadata().err()?;
    (error.kind() == io::ErrorKind::NotFound).then(|| {
        format!(
            "it is a symbolic link to {}, which does not exist",
            target.display()
        )
    })
}

/// Returns the directory of a path.
pub(crate) fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(directory) if !directory.as_os_str().is_empty() => directory,
        _ => Path::new("."),
    }
}

/// Creates an unnamed file in the directory, if it can be named later.
#[cfg(target_os = "linux")]
fn unnamed(directory: &Path) -> Option<File> {
    use rustix::fs::{Mode, OFlags};
    use std::os::unix::fs::MetadataExt;

    let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
    let file = File::from(rustix::fs::open(directory, flags, Mode::RUSR | Mode::WUSR).ok()?);
    let (own, found) = (file.metadata().ok()?, handle(&file).metadata().ok()?);
    ((own.dev(), own.ino()) == (found.dev(), found.ino())).then_some(file)
}

/// Returns the path at which the system shows an open file; only there can it be named without special rights.
#[cfg(target_os = "linux")]
fn handle(file: &File) -> PathBuf {
    use std::os::fd::AsRawFd;

    PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()))
}

#[cfg(target_os = "linux")]
fn link(file: &File, path: &Path) -> io::Result<()> {
    use rustix::fs::{AtFlags, CWD};

    let follow = AtFlags::SYMLINK_FOLLOW;
    Ok(rustix::fs::linkat(CWD, handle(file), CWD, path, follow)?)
}

#[cfg(not(target_os = "linux"))]
fn unnamed(_directory: &Path) -> Option<File> {
    None
}

#[cfg(not(target_os = "linux"))]
fn link(_file: &File, _path: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write;

    use super::*;

    /// The ways to make a file: the best that the system supports, and the one that every system supports.
    const WAYS: [fn(&Path) -> Option<File>; 2] = [unnamed, |_| None];

    fn names(directory: &Path) -> Vec<String> {
        let entries = fs::read_dir(directory).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.collect()
    }

    #[test]
    fn a_file_has_its_name_when_it_is_finished_and_not_before() {
        for way in WAYS {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("a");
            let new = NewFile::begin_in(&path, way).unwrap();
            new.file().unwrap().write_all(b"whole").unwrap();
            assert!(!path.exists());
            assert_eq!(
                names(directory.path()).len(),
                usize::from(new.name.is_some())
            );
            new.finish().unwrap();
            assert_eq!(names(directory.path()), ["a"]);
            assert_eq!(fs::read(&path).unwrap(), b"whole");
            #[cfg(unix)]
            {
                use std::os::unix::fs::PermissionsExt;
                let mode = fs::metadata(&path).unwrap().permissions().mode();
                assert_eq!(mode & 0o777, 0o600);
            }
        }
    }

    #[test]
    fn nothing_is_replaced_and_nothing_is_left() {
        for way in WAYS {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("a");
            drop(NewFile::begin_in(&path, way).unwrap());
            assert!(names(directory.path()).is_empty());

            let new = NewFile::begin_in(&path, way).unwrap();
            fs::write(&path, "of somebody else").unwrap();
            let error = new.finish().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::AlreadyExists);
            let error = NewFile::begin_in(&path, way).err().unwrap();
            assert_eq!(error.kind(), ErrorKind::AlreadyExists);
            assert_eq!(fs::read(&path).unwrap(), b"of somebody else");
            assert_eq!(names(directory.path()), ["a"]);
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_failure_behind_the_naming_says_that_the_file_is_whole() {
        for way in WAYS {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("a");
            let mut new = NewFile::begin_in(&path, way).unwrap();
            new.file().unwrap().write_all(b"whole").unwrap();
            // A device on which every sync fails.
            new.directory = File::open("/dev/null").unwrap();
            let error = new.finish().unwrap_err();
            let text = "the file is whole, but a power cut may take its name away";
            assert_eq!(error.to_string(), text);
            assert!(format!("{error:#}").contains("os error"), "{error:#}");
            assert_eq!(fs::read(&path).unwrap(), b"whole");
        }
    }

    /// A file system on which nobody can create files.
    #[cfg(target_os = "linux")]
    #[test]
    fn what_the_system_says_is_kept_whichever_way_the_file_is_made() {
        for way in WAYS {
            let error = NewFile::begin_in(Path::new("/proc/a"), way).err().unwrap();
            let text = format!("{error:#}");
            assert!(text.contains("(os error "), "{text}");
            assert!(!text.contains(".bayplan-"), "{text}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_link_that_leads_to_nothing_is_told() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a");
        std::os::unix::fs::symlink("gone", &path).unwrap();
        let error = NewFile::begin(&path).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::AlreadyExists);
        let text = "it is a symbolic link to gone, which does not exist";
        assert_eq!(error.to_string(), text);
    }

    #[test]
    fn a_directory_that_is_not_there_is_told() {
        let error = NewFile::begin(Path::new("/nowhere/at/all")).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert_eq!(error.to_string(), "there is no such directory");
        let file = tempfile::NamedTempFile::new().unwrap();
        let error = NewFile::begin(&file.path().join("a")).err().unwrap();
        assert_eq!(error.to_string(), "there is no such directory");
        let error = NewFile::begin(Path::new("a/")).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    }
}
