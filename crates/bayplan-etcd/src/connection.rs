//! The connection: requests that block, on a small runtime of its own, sent again within limits.

use std::future::Future;
use std::sync::mpsc;
use std::time::Duration;

use bayplan::Result;
use etcd_client::{Client, KvClient, Txn, TxnResponse};
use tokio::runtime::{Builder, Runtime};

use crate::fault::Fault;
use crate::options::Options;

/// The largest answer that is accepted, in bytes.
pub(crate) const ANSWER_MAX_BYTES: usize = 256 * 1024 * 1024;

/// The first pause before a request is sent again. Each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// The longest of these pauses.
const PAUSE_MAX: Duration = Duration::from_secs(1);

/// A connection to the members of one etcd.
pub(crate) struct Connection {
    /// `None` once it is closed.
    runtime: Option<Runtime>,
    client: Client,
    kv: KvClient,
    /// For errors.
    endpoints: String,
    timeout: Duration,
    attempts: u32,
}

impl Connection {
    pub(crate) fn open(options: &Options) -> Result<Self> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("bayplan-etcd")
            .enable_all()
            .build()
            .map_err(|error| {
                bayplan::Error::of_kind(bayplan::ErrorKind::Io, "no thread can be started")
                    .caused_by(error)
            })?;
        let (endpoints, connect) = (options.endpoints.clone(), options.connect_options());
        let (timeout, attempts) = (options.timeout, options.attempts);
        let named = endpoints.join(", ");
        let client = repeated(attempts, || {
            let (endpoints, connect) = (endpoints.clone(), connect.clone());
            run(&runtime, &named, timeout, async move {
                Client::connect(endpoints, Some(connect)).await
            })
        })
        .map_err(|fault| fault.error)?;
        let kv = client.kv_client();
        Ok(Self {
            runtime: Some(runtime),
            kv: kv.max_decoding_message_size(ANSWER_MAX_BYTES),
            client,
            endpoints: named,
            timeout,
            attempts,
        })
    }

    /// The endpoints, as errors name them.
    pub(crate) fn endpoints(&self) -> &str {
        &self.endpoints
    }

    fn runtime(&self) -> Result<&Runtime, Fault> {
        let runtime = self.runtime.as_ref();
        runtime.ok_or_else(|| Fault::closed(&self.endpoints))
    }

    pub(crate) fn attempts(&self) -> u32 {
        self.attempts
    }

    pub(crate) fn client(&self) -> Client {
        self.client.clone()
    }

    /// Sends one request, once.
    pub(crate) fn once<T: Send + 'static>(
        &self,
        request: impl Future<Output = Result<T, etcd_client::Error>> + Send + 'static,
    ) -> Result<T, Fault> {
        run(self.runtime()?, &self.endpoints, self.timeout, request)
    }

    /// Waits for a future that limits its time itself.
    pub(crate) fn wait<T: Send + 'static>(
        &self,
        future: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, Fault> {
        wait(self.runtime()?, &self.endpoints, future)
    }

    /// Starts a task that runs beside the caller.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        if let Some(runtime) = &self.runtime {
            runtime.spawn(task);
        }
    }

    /// Reads by one transaction without conditions, again if etcd does not answer.
    pub(crate) fn read(&self, txn: &Txn) -> Result<TxnResponse, Fault> {
        repeated(self.attempts, || self.txn(txn.clone()))
    }

    /// Sends a transaction, once.
    pub(crate) fn txn(&self, txn: Txn) -> Result<TxnResponse, Fault> {
        let mut kv = self.kv.clone();
        self.once(async move { kv.txn(txn).await })
    }
}

/// Requests may still be under way: they are dropped, not awaited. So this may be dropped anywhere.
impl Drop for Connection {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Runs a request, and waits for its answer until the limit.
fn run<T: Send + 'static>(
    runtime: &Runtime,
    endpoints: &str,
    limit: Duration,
    request: impl Future<Output = Result<T, etcd_client::Error>> + Send + 'static,
) -> Result<T, Fault> {
    let limited = async move { tokio::time::timeout(limit, request).await };
    match wait(runtime, endpoints, limited)? {
        Ok(answer) => answer.map_err(|error| Fault::of_client(endpoints, error)),
        Err(_) => Err(Fault::timeout(endpoints, limit.as_secs_f64())),
    }
}

/// Waits for a future, on any thread.
fn wait<T: Send + 'static>(
    runtime: &Runtime,
    endpoints: &str,
    future: impl Future<Output = T> + Send + 'static,
) -> Result<T, Fault> {
    let (sender, receiver) = mpsc::sync_channel(1);
    runtime.spawn(async move {
        // Nobody waits any more only if the caller's thread has panicked.
        let _ = sender.send(future.await);
    });
    receiver.recv().map_err(|_| Fault::closed(endpoints))
}

/// Tries until it succeeds, is refused, or was tried often enough.
pub(crate) fn repeated<T>(
    attempts: u32,
    mut attempt: impl FnMut() -> Result<T, Fault>,
) -> Result<T, Fault> {
    let mut pause = FIRST_PAUSE;
    let mut left = attempts;
    loop {
        left = left.saturating_sub(1);
        match attempt() {
            Err(fault) if fault.may_succeed_later() && left > 0 => {
                std::thread::sleep(pause);
                pause = (pause * 2).min(PAUSE_MAX);
            }
            done => return done,
        }
    }
}
