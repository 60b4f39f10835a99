//! What a store in etcd costs, beside bare puts of the same bytes: time, and bytes on the wire.
//!
//! ```sh
//! cargo run --release --example cost -- --start 3        # a cluster of three on this machine, in TMPDIR
//! cargo run --release --example cost -- 127.0.0.1:2379   # an etcd that runs: its endpoints, separated by commas
//! ```

#![allow(
    clippy::print_stdout,
    clippy::indexing_slicing,
    clippy::expect_used,
    reason = "a measurement"
)]

mod servers;
mod wire;

use std::time::{Duration, Instant};

use bayplan::{Any, Container, Db, Filters, ReadStore, Runtime, Store, Update};
use bayplan_etcd::{Etcd, Mirror, Options};

use servers::Servers;
use wire::Wire;

/// How many containers are written one after the other.
const SINGLE: usize = 500;

/// How many containers a host has that is mirrored.
const MIRRORED: usize = 10_000;

/// About the size of a spec that a CRI plugin writes.
const SPEC_BYTES: usize = 8_500;

type Failure = Box<dyn std::error::Error>;

type Result<T> = std::result::Result<T, Failure>;

/// How long servers may take to be one etcd.
const START_MAX: Duration = Duration::from_secs(30);

/// How many operations are counted in bytes.
const COUNTED: usize = 200;

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let (endpoints, started) = match args.as_slice() {
        ["--start", count] => {
            let servers = Servers::start(count.parse()?)?;
            println!("{count} servers in {}\n", servers.folder.path().display());
            (servers.endpoints.clone(), Some(servers))
        }
        [endpoints] => (endpoints.split(',').map(str::to_owned).collect(), None),
        _ => return Err("usage: cost ENDPOINTS, or cost --start COUNT".into()),
    };
    let raw = Raw::connect(&endpoints)?;
    raw.wait()?;
    time(&endpoints, &raw)?;
    bytes(&endpoints)?;
    drop(started);
    Ok(())
}

/// Measures how long operations take.
fn time(endpoints: &[String], raw: &Raw) -> Result<()> {
    let run = uuid::Uuid::new_v4();
    let options = Options::new(endpoints);
    let etcd = Etcd::open(&options.clone().prefix(format!("/cost/{run}/store/")))?;
    let store = etcd.namespace("default")?;
    println!("| operation | per second | median | p99 |\n|---|---|---|---|");
    let [head, value] = stored_bytes();
    let bytes = vec![7; head + value];
    measure("bare put of the same bytes", SINGLE, |n| {
        raw.put(&format!("/cost/{run}/raw/{n}"), &bytes)
    })?;
    measure("create", SINGLE, |n| store.create(container(n)))?;
    measure("update of one label", SINGLE, |n| {
        store.apply(Update::new(id(n)).set_label("tier", "front"))
    })?;
    measure("get", SINGLE, |n| store.get(&id(n)))?;
    let odd = Filters::parse(["labels.parity==odd"])?;
    measure("list 250 of 500 by a filter", 20, |_| store.list(&odd))?;
    measure("delete", SINGLE, |n| store.delete(&id(n)))?;

    println!("\nA container is {head} bytes of head and {value} bytes of spec.");
    let before = raw.size()?;
    println!("{MIRRORED} containers, mirrored from nothing:");
    let db = Db::in_memory()?;
    let local = db.namespace("default")?;
    db.write(|txn| -> bayplan::Result<()> {
        let store = txn.namespace("default")?;
        (0..MIRRORED).try_for_each(|n| store.create(container(n)).map(drop))
    })?;
    for specs in [false, true] {
        let fleet = options.clone().prefix(format!("/cost/{run}/{specs}/"));
        let mut mirror = Mirror::open(&db, &fleet, "host", specs)?;
        let begun = Instant::now();
        let done = mirror.catch_up()?;
        let took = begun.elapsed();
        println!(
            "- specs: {specs}: {took:.2?}, {} transactions",
            done.commits_count
        );
        local.apply(Update::new(id(1)).set_label("run", specs.to_string()))?;
        let begun = Instant::now();
        mirror.catch_up()?;
        println!("  - one label changed: {:.2?} later", begun.elapsed());
    }
    println!(
        "- etcd's file grew by {} KiB",
        (raw.size()? - before) / 1024
    );
    Ok(())
}

/// Counts the bytes of operations on their way to etcd and back.
fn bytes(endpoints: &[String]) -> Result<()> {
    let run = uuid::Uuid::new_v4();
    let wire = Wire::start(endpoints)?;
    let options = Options::new(&wire.endpoints);
    let [head, value] = stored_bytes();
    println!("\n| operation | bytes sent | bytes received |\n|---|---|---|");
    {
        let raw = Raw::connect(&wire.endpoints)?;
        let whole = vec![7; head + value];
        wire.measure("bare put of head and spec", COUNTED, |n| {
            raw.put(&format!("/cost/{run}/raw/{n}"), &whole)
        })?;
        wire.measure("bare put of the head", COUNTED, |n| {
            raw.put(&format!("/cost/{run}/raw/{n}"), &whole[..head])
        })?;
    }
    {
        let etcd = Etcd::open(&options.clone().prefix(format!("/cost/{run}/store/")))?;
        let store = etcd.namespace("default")?;
        wire.measure("create", COUNTED, |n| store.create(container(n)))?;
        wire.measure("get", COUNTED, |n| store.get(&id(n)))?;
        wire.measure("update of one label", COUNTED, |n| {
            store.apply(Update::new(id(n)).set_label("tier", "front"))
        })?;
    }
    let db = Db::in_memory()?;
    let local = db.namespace("default")?;
    (0..COUNTED).try_for_each(|n| local.create(container(n)).map(drop))?;
    for (specs, what) in [(false, "without specs"), (true, "with specs")] {
        let fleet = options.clone().prefix(format!("/cost/{run}/{specs}/"));
        let mut mirror = Mirror::open(&db, &fleet, "host", specs)?;
        mirror.catch_up()?;
        let what = format!("update of one label, by a mirror {what}");
        wire.measure(&what, COUNTED, |n| {
            local.apply(Update::new(id(n)).set_label("run", specs.to_string()))?;
            mirror.catch_up()
        })?;
    }
    Ok(())
}

fn id(number: usize) -> String {
    format!("c{number:05}")
}

fn container(number: usize) -> Container {
    let mut state = number as u64 + 1;
    let noise = std::iter::repeat_with(|| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        // Letters, which compress a little, as specs do.
        b'a' + (state >> 60) as u8
    });
    let spec = Any::new(
        Any::OCI_SPEC_URL,
        noise.take(SPEC_BYTES).collect::<Vec<u8>>(),
    );
    Container::new(id(number), Runtime::new("io.containerd.runc.v2"), spec)
        .image("docker.io/library/nginx:1.29")
        .label("parity", ["even", "odd"][number % 2])
        .label("io.kubernetes.pod.name", format!("pod-{number}"))
}

/// How many bytes the head and the spec of one container have in etcd.
fn stored_bytes() -> [usize; 2] {
    let sealed = bayplan::implementing::Sealed::new(b"key", &container(1), true, 0);
    let sealed = sealed.expect("a container");
    [
        sealed.head.len(),
        sealed.value.map_or(0, |value| value.len()),
    ]
}

fn measure<T, E: Into<Failure>>(
    what: &str,
    count: usize,
    mut work: impl FnMut(usize) -> std::result::Result<T, E>,
) -> Result<()> {
    let mut times = Vec::with_capacity(count);
    let begun = Instant::now();
    for number in 0..count {
        let begun = Instant::now();
        work(number).map_err(Into::into)?;
        times.push(begun.elapsed());
    }
    let rate = count as f64 / begun.elapsed().as_secs_f64();
    times.sort();
    let at = |share: f64| times[((count - 1) as f64 * share) as usize];
    let ms = |time: Duration| time.as_secs_f64() * 1e3;
    println!(
        "| {what} | {rate:.0} | {:.2} ms | {:.2} ms |",
        ms(at(0.5)),
        ms(at(0.99))
    );
    Ok(())
}

/// etcd's client alone.
struct Raw {
    runtime: tokio::runtime::Runtime,
    client: etcd_client::Client,
}

impl Raw {
    fn connect(endpoints: &[String]) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()?;
        let client = runtime.block_on(etcd_client::Client::connect(endpoints, None))?;
        Ok(Self { runtime, client })
    }

    /// Waits until all servers answer.
    fn wait(&self) -> Result<()> {
        let begun = Instant::now();
        // The client asks one of them after another.
        let mut answers = 0;
        while answers < 20 {
            match self.put("/cost/ready", b"") {
                Ok(()) => answers += 1,
                Err(failure) if begun.elapsed() > START_MAX => return Err(failure),
                Err(_) => {
                    answers = 0;
                    std::thread::sleep(Duration::from_millis(100));
                }
            }
        }
        Ok(())
    }

    fn put(&self, key: &str, value: &[u8]) -> Result<()> {
        let mut client = self.client.kv_client();
        self.runtime.block_on(client.put(key, value, None))?;
        Ok(())
    }

    /// The size of etcd's file.
    fn size(&self) -> Result<i64> {
        let mut client = self.client.maintenance_client();
        Ok(self.runtime.block_on(client.status())?.db_size())
    }
}
