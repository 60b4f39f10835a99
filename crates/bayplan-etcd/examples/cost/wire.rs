//! Counts the bytes between a client and etcd, by proxies on loopback.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use crate::{Failure, Result};

/// How long to wait for what follows an answer, such as the client's acknowledgement.
const REST: Duration = Duration::from_millis(5);

/// A proxy for each endpoint, and what has passed all of them.
pub(crate) struct Wire {
    pub(crate) endpoints: Vec<String>,
    /// Bytes to etcd, and from it.
    counts: [Arc<AtomicUsize>; 2],
}

impl Wire {
    pub(crate) fn start(endpoints: &[String]) -> Result<Self> {
        let mut wire = Self {
            endpoints: Vec::new(),
            counts: Default::default(),
        };
        for target in endpoints {
            let target = target.trim_start_matches("http://").to_owned();
            let listener = TcpListener::bind("127.0.0.1:0")?;
            wire.endpoints.push(listener.local_addr()?.to_string());
            let counts = wire.counts.clone();
            thread::spawn(move || {
                for client in listener.incoming().flatten() {
                    // A connection that fails is closed, and the client tries again.
                    let _ = pass_on(client, &target, &counts);
                }
            });
        }
        Ok(wire)
    }

    /// Prints the median of the bytes that an operation takes.
    pub(crate) fn measure<T, E: Into<Failure>>(
        &self,
        what: &str,
        count: usize,
        mut work: impl FnMut(usize) -> std::result::Result<T, E>,
    ) -> Result<()> {
        let mut taken: [Vec<usize>; 2] = Default::default();
        for number in 0..count {
            let before = self.read();
            work(number).map_err(Into::into)?;
            thread::sleep(REST);
            for ((taken, after), before) in taken.iter_mut().zip(self.read()).zip(before) {
                taken.push(after - before);
            }
        }
        let [sent, received] = taken.map(|mut taken| {
            taken.sort_unstable();
            taken[taken.len() / 2]
        });
        println!("| {what} | {sent} | {received} |");
        Ok(())
    }

    fn read(&self) -> [usize; 2] {
        self.counts
            .each_ref()
            .map(|count| count.load(Ordering::SeqCst))
    }
}

fn pass_on(client: TcpStream, target: &str, counts: &[Arc<AtomicUsize>; 2]) -> Result<()> {
    let server = TcpStream::connect(target)?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let ways = [(client.try_clone()?, server.try_clone()?), (server, client)];
    for ((mut from, mut to), count) in ways.into_iter().zip(counts.clone()) {
        thread::spawn(move || {
            let mut buffer = vec![0; 64 * 1024];
            while let Ok(length @ 1..) = from.read(&mut buffer) {
                count.fetch_add(length, Ordering::SeqCst);
                if to.write_all(&buffer[..length]).is_err() {
                    break;
                }
            }
            let _ = to.shutdown(Shutdown::Both);
        });
    }
    Ok(())
}
