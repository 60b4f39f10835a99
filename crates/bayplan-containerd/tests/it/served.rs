//! A server in this process.

use std::path::PathBuf;
use std::thread::{self, JoinHandle};

use bayplan::{Db, Rules};
use bayplan_containerd::{Remote, Server, Socket};
use tempfile::TempDir;
use tokio::sync::oneshot;

/// A server that stops when it is dropped.
pub(crate) struct Served {
    directory: TempDir,
    running: Option<(oneshot::Sender<()>, JoinHandle<()>)>,
}

impl Served {
    pub(crate) fn in_memory() -> Self {
        let db = Db::builder().rules(Rules::Containerd2).in_memory();
        Self::of(db.unwrap())
    }

    pub(crate) fn of(db: Db) -> Self {
        let mut served = Self {
            directory: tempfile::tempdir().unwrap(),
            running: None,
        };
        served.start(db);
        served
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.directory.path().join("s.sock")
    }

    pub(crate) fn remote(&self) -> Remote {
        Remote::connect(self.path()).unwrap()
    }

    pub(crate) fn start(&mut self, db: Db) {
        let socket = Socket::bind(self.path(), 0o600, None).unwrap();
        let (stop, stopped) = oneshot::channel();
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread();
            let runtime = { runtime }.enable_all().build().unwrap();
            let stopped = async move { drop(stopped.await) };
            runtime
                .block_on(Server::new(db).serve(socket, stopped))
                .unwrap();
        });
        self.running = Some((stop, thread));
    }

    pub(crate) fn stop(&mut self) {
        if let Some((stop, thread)) = self.running.take() {
            drop(stop);
            thread.join().unwrap();
        }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.stop();
    }
}
