//! Loads a server of containerd's API: how many containers 64 connections create in a second, and how long a get takes.
//!
//! ```sh
//! cargo run --release -p bayplan-containerd --features client --example load -- SOCKET [SECONDS] [CONNECTIONS]
//! ```
//!
//! Each phase takes as many seconds (3 if nothing is said). The containers stay, in a namespace of their own: give it a
//! server whose store you can lose.

use std::error::Error;
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use bayplan::{Any, Container, ReadStore as _, Runtime, Store as _};
use bayplan_containerd::{Remote, RemoteStore};

const CONNECTIONS: usize = 64;

/// As long as the OCI spec that `ctr` makes.
const SPEC_BYTES: usize = 4 * 1024;

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// How long each call of one phase took, in order.
struct Phase {
    sorted: Vec<Duration>,
    took: Duration,
}

impl Phase {
    /// Calls from each of these stores at once, one call after the other, for so long.
    fn run(
        stores: &[RemoteStore],
        length: Duration,
        call: impl Fn(&RemoteStore, usize, usize) -> bayplan::Result<()> + Sync,
    ) -> Outcome<Self> {
        let start = Barrier::new(stores.len());
        let calls = |connection: usize, store: &RemoteStore| -> Outcome<Vec<Duration>> {
            start.wait();
            let begun = Instant::now();
            let mut taken = Vec::new();
            while begun.elapsed() < length {
                let called = Instant::now();
                call(store, connection, taken.len())?;
                taken.push(called.elapsed());
            }
            Ok(taken)
        };
        let begun = Instant::now();
        let taken = thread::scope(|scope| {
            let spawn = |(number, store)| scope.spawn(move || calls(number, store));
            let threads: Vec<_> = stores.iter().enumerate().map(spawn).collect();
            let joined = threads.into_iter().map(|thread| match thread.join() {
                Ok(taken) => taken,
                Err(_) => Err("a connection panicked".into()),
            });
            joined.collect::<Outcome<Vec<_>>>()
        })?;
        let took = begun.elapsed();
        let mut sorted = taken.concat();
        sorted.sort_unstable();
        Ok(Self { sorted, took })
    }

    /// The time in which so many of a hundred calls were answered, in milliseconds.
    fn percentile(&self, percent: usize) -> f64 {
        let at = self.sorted.len().saturating_sub(1) * percent / 100;
        let taken = self.sorted.get(at).copied().unwrap_or_default();
        taken.as_secs_f64() * 1_000.0
    }

    #[allow(clippy::print_stdout, reason = "what it is for")]
    fn print(&self, name: &str) {
        let count = self.sorted.len();
        println!(
            "{name:<12} {:>8.0}/s   p50 {:>7.3} ms   p99 {:>7.3} ms   ({count} calls)",
            f64::from(u32::try_from(count).unwrap_or(u32::MAX)) / self.took.as_secs_f64(),
            self.percentile(50),
            self.percentile(99),
        );
    }
}

fn number(text: Option<String>, default: usize) -> Outcome<usize> {
    text.map_or(Ok(default), |text| Ok(text.parse()?))
}

fn main() -> Outcome<()> {
    let mut args = std::env::args().skip(1);
    let socket = args
        .next()
        .ok_or("usage: load SOCKET [SECONDS] [CONNECTIONS]")?;
    let length = Duration::from_secs(number(args.next(), 3)?.try_into()?);
    let connections = number(args.next(), CONNECTIONS)?;

    let namespace = format!("load-{}", std::process::id());
    let connect = |_| Remote::connect(&socket)?.namespace(&namespace);
    let stores: Vec<_> = (0..connections).map(connect).collect::<Result<_, _>>()?;
    let [first, ..] = stores.as_slice() else {
        return Err("no connection makes no load".into());
    };
    let container = |id: String| {
        let spec = Any::new(
            "types.containerd.io/opencontainers/runtime-spec/1/Spec",
            vec![b'x'; SPEC_BYTES],
        );
        let container = Container::new(id, Runtime::new("io.containerd.runc.v2"), spec);
        container
            .image("docker.io/library/nginx:1.29")
            .label("io.kubernetes.pod.name", "front")
            .label("app", "nginx")
    };
    let id = |connection: usize, call: usize| format!("c{connection}-{call}");

    let created = Phase::run(&stores, length, |store, connection, call| {
        store.create(container(id(connection, call))).map(drop)
    })?;
    created.print(&format!("create x{connections}"));
    let get = |store: &RemoteStore, connection, _| store.get(&id(connection, 0)).map(drop);
    Phase::run(std::slice::from_ref(first), length, get)?.print("get x1");
    Phase::run(&stores, length, get)?.print(&format!("get x{connections}"));
    Ok(())
}
