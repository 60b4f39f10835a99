//! The lease that marks a host as alive.

use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use etcd_client::{Client, PutOptions};
use tokio::sync::Notify;

use crate::connection::Connection;

/// How long a host counts as alive after its mirror was last heard of, in seconds.
pub const LEASE_SECONDS: i64 = 15;

/// How often the lease is renewed.
const RENEWAL: Duration = Duration::from_secs(5);

/// Keeps a host alive until it is dropped.
pub(crate) struct Alive(Arc<Notify>);

impl Alive {
    /// Begins, beside the caller. What fails is tried again: the copy does not depend on it.
    pub(crate) fn begin(connection: &Connection, key: Vec<u8>) -> Self {
        let end = Arc::new(Notify::new());
        let (client, ended) = (connection.client(), Arc::clone(&end));
        connection.spawn(async move {
            let mut lease = None;
            let keep = async {
                loop {
                    // Without an answer, the lease runs out by itself.
                    if renew(&client, &key, &mut lease).await.is_err() {
                        lease = None;
                    }
                    tokio::time::sleep(RENEWAL).await;
                }
            };
            tokio::select! {
                () = ended.notified() => {}
                () = keep => {}
            }
        });
        Self(end)
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

/// Renews the lease, or takes one and puts the key under it.
async fn renew(
    client: &Client,
    key: &[u8],
    lease: &mut Option<i64>,
) -> Result<(), etcd_client::Error> {
    let mut leases = client.lease_client();
    if let Some(lease) = *lease {
        // It answers once, and the stream ends with this value.
        return leases.keep_alive(lease).await.map(drop);
    }
    let granted = leases.grant(LEASE_SECONDS, None).await?.id();
    let options = PutOptions::new().with_lease(granted);
    let since = Utc::now().to_rfc3339();
    client.kv_client().put(key, since, Some(options)).await?;
    *lease = Some(granted);
    Ok(())
}
