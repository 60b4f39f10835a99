//! The Unix socket that a server listens on.

use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _, chown};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

/// A socket that nobody but the chosen users can reach, at any moment. Its file is removed when it is dropped.
#[derive(Debug)]
pub struct Socket {
    listener: UnixListener,
    path: PathBuf,
    /// Which file it is: another server may have replaced it.
    file: (u64, u64),
}

impl Socket {
    /// Listens on a path, as a file with this mode, and this owner and group if they are named (by number).
    ///
    /// A socket that nobody answers on, left by a server that was killed, is replaced.
    ///
    /// # Errors
    ///
    /// - `AddrInUse`: a server answers there.
    /// - `AlreadyExists`: there is a file that is no socket.
    /// - Those of the operating system, among them `InvalidInput` for a path of more than about 100 bytes.
    pub fn bind(
        path: impl AsRef<Path>,
        mode: u32,
        owner: Option<(Option<u32>, Option<u32>)>,
    ) -> io::Result<Self> {
        let path = path.as_ref();
        replaceable(path)?;
        let parent = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        // Until it has its mode and owner it is where only this user can go.
        let hidden = parent.join(format!(".{}", uuid::Uuid::new_v4().simple()));
        fs::create_dir(&hidden)?;
        let bound = fs::set_permissions(&hidden, fs::Permissions::from_mode(0o700))
            .and_then(|()| Self::bind_in(&hidden, path, mode, owner));
        let _ = fs::remove_dir_all(&hidden);
        bound
    }

    fn bind_in(
        hidden: &Path,
        path: &Path,
        mode: u32,
        owner: Option<(Option<u32>, Option<u32>)>,
    ) -> io::Result<Self> {
        let new = hidden.join("s");
        let listener = UnixListener::bind(&new)?;
        if let Some((user, group)) = owner {
            chown(&new, user, group)?;
        }
        fs::set_permissions(&new, fs::Permissions::from_mode(mode))?;
        listener.set_nonblocking(true)?;
        fs::rename(&new, path)?;
        Ok(Self {
            listener,
            path: path.to_owned(),
            file: identity(path)?,
        })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn listener(&self) -> io::Result<tokio::net::UnixListener> {
        tokio::net::UnixListener::from_std(self.listener.try_clone()?)
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        if identity(&self.path).is_ok_and(|file| file == self.file) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    let metadata = path.symlink_metadata()?;
    Ok((metadata.dev(), metadata.ino()))
}

/// Whether there is nothing at a path, or a socket that nobody answers on.
fn replaceable(path: &Path) -> io::Result<()> {
    let metadata = match path.symlink_metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        metadata => metadata?,
    };
    if !metadata.file_type().is_socket() {
        let text = format!("{} exists and is no socket", path.display());
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, text));
    }
    match UnixStream::connect(path) {
        Ok(_) => {
            let text = format!("another server answers at {}", path.display());
            Err(io::Error::new(io::ErrorKind::AddrInUse, text))
        }
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => Ok(()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        path.metadata().unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn a_socket_has_its_mode_and_goes_with_its_server() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("s.sock");
        let socket = Socket::bind(&path, 0o600, None).unwrap();
        assert_eq!(mode(&path), 0o600);
        let error = Socket::bind(&path, 0o600, None).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
        drop(socket);
        assert_eq!(fs::read_dir(&directory).unwrap().count(), 0);
    }

    #[test]
    fn a_stale_socket_is_replaced_and_a_file_is_not() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("s.sock");
        drop(UnixListener::bind(&path).unwrap());
        let socket = Socket::bind(&path, 0o660, None).unwrap();
        assert_eq!(mode(&path), 0o660);
        // Another one took its place: it is not ours to remove.
        fs::remove_file(&path).unwrap();
        let other = UnixListener::bind(&path).unwrap();
        drop(socket);
        assert!(path.exists());
        drop(other);
        fs::remove_file(&path).unwrap();
        fs::write(&path, "data").unwrap();
        let error = Socket::bind(&path, 0o600, None).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&path).unwrap(), b"data");
    }
}
