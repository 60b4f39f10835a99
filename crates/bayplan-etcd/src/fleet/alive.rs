//! The lease that marks a host as alive.

use std::sync::{Arc, mpsc};
use std::time::Duration;

use chrono::Utc;
use etcd_client::{Client, GetOptions, PutOptions};
use tokio::sync::Notify;

use crate::connection::Connection;
use crate::fleet::copy::Fleet;
use crate::fleet::row::Row;

/// How long a host counts as alive after its mirror was last heard of, in seconds, unless the mirror ended by itself.
pub const LEASE_SECONDS: i64 = 15;

/// How often the lease is renewed.
const RENEWAL: Duration = Duration::from_secs(5);

/// How long the end waits for etcd. After that the lease runs out by itself.
const END_MAX: Duration = Duration::from_secs(2);

/// Keeps a host alive until it is dropped.
pub(crate) struct Alive {
    end: Arc<Notify>,
    has_ended: mpsc::Receiver<()>,
    /// The task runs on it, until it has ended.
    _connection: Arc<Connection>,
}

impl Alive {
    /// Begins for the mirror that wrote this row, beside the caller. What fails is tried again: the copy does not depend
    /// on it.
    pub(crate) fn begin(fleet: &Fleet, host: &str, row: &Row) -> Self {
        let connection = &fleet.shared.connection;
        let end = Arc::new(Notify::new());
        let (done, has_ended) = mpsc::sync_channel(1);
        let (client, ended) = (connection.client(), Arc::clone(&end));
        let keys = Keys {
            alive: fleet.alive_key(host),
            row: fleet.row_key(host),
            mirror: row.mirror.clone(),
        };
        connection.spawn(async move {
            let mut lease = None;
            let keep = async {
                loop {
                    // Without an answer, the lease runs out by itself.
                    if renew(&client, &keys, &mut lease).await.is_err() {
                        lease = None;
                    }
                    tokio::time::sleep(RENEWAL).await;
                }
            };
            tokio::select! {
                () = ended.notified() => {}
                () = keep => {}
            }
            if let Some(lease) = lease {
                // The key goes with the lease, unless another mirror has put it under its own.
                let revoked = client.lease_client().revoke(lease).await;
                drop(revoked);
            }
            // Nobody waits any more if this took too long.
            let _ = done.send(());
        });
        Self {
            end,
            has_ended,
            _connection: Arc::clone(connection),
        }
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.end.notify_one();
        let _ = self.has_ended.recv_timeout(END_MAX);
    }
}

/// What a renewal looks at.
struct Keys {
    alive: Vec<u8>,
    row: Vec<u8>,
    /// The mirror in the row, unless it was replaced.
    mirror: String,
}

/// Renews the lease, or takes one; and puts the key under it if it is not there.
async fn renew(
    client: &Client,
    keys: &Keys,
    lease: &mut Option<i64>,
) -> Result<(), etcd_client::Error> {
    let mut leases = client.lease_client();
    let mut kv = client.kv_client();
    let held = match *lease {
        Some(held) => {
            // It answers once, and the stream ends with this value.
            leases.keep_alive(held).await?;
            let only_keys = GetOptions::new().with_keys_only();
            let found = kv.get(keys.alive.as_slice(), Some(only_keys)).await?;
            if !found.kvs().is_empty() {
                return Ok(());
            }
            held
        }
        None => *lease.insert(leases.grant(LEASE_SECONDS, None).await?.id()),
    };
    let found = kv.get(keys.row.as_slice(), None).await?;
    let row = found.kvs().first();
    let row = row.and_then(|pair| Row::open(pair.key(), pair.value()).ok());
    // A mirror that was replaced does not speak for the host any more.
    if row.is_some_and(|row| row.mirror == keys.mirror) {
        let options = PutOptions::new().with_lease(held);
        let now = Utc::now().to_rfc3339();
        kv.put(keys.alive.as_slice(), now, Some(options)).await?;
    }
    Ok(())
}
