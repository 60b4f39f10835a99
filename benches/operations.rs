//! Every operation of the store, at 1,000 and 10,000 containers, beside the same bytes as a single
//! put in redb: `cargo bench`. What writes is measured through a log as well.
//!
//! `BAYPLAN_BENCH_SIZES=1000,10000,100000` chooses the sizes.

#![allow(
    clippy::expect_used,
    reason = "a benchmark that cannot work has nothing to tell"
)]
#![allow(
    missing_docs,
    reason = "criterion's macros make undocumented functions"
)]

mod common;

use std::time::{Duration, Instant};

use bayplan::{Container, Db, FieldMask, Filters};
use common::{NAMESPACE, container, fill, id};
use criterion::{BatchSize, BenchmarkId, Criterion, criterion_group, criterion_main};
use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition};
use tempfile::TempDir;

const BLOBS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("blobs");

fn sizes() -> Vec<usize> {
    let sizes = std::env::var("BAYPLAN_BENCH_SIZES").unwrap_or_else(|_| "1000,10000".to_owned());
    sizes
        .split(',')
        .map(|size| size.trim().parse().expect("a number"))
        .collect()
}

/// A store, and a redb file that holds each container as one value.
struct Pair {
    _directory: TempDir,
    db: Db,
    /// The same store with a commit log.
    logged: Db,
    blobs: Database,
    size: usize,
}

impl Pair {
    fn new(size: usize) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let db = Db::create(directory.path().join("store.redb")).expect("a store");
        fill(&db, 0..size);
        let builder = Db::builder().commit_log(true);
        let logged = builder
            .create(directory.path().join("logged.redb"))
            .expect("a store");
        fill(&logged, 0..size);
        let mut builder = Database::builder();
        builder.set_cache_size(32 * 1024 * 1024);
        let blobs = builder
            .create(directory.path().join("blobs.redb"))
            .expect("a file");
        for start in (0..size).step_by(500) {
            let txn = blobs.begin_write().expect("a transaction");
            {
                let mut table = txn.open_table(BLOBS).expect("a table");
                for number in start..(start + 500).min(size) {
                    put(&mut table, &id(number), &blob(number));
                }
            }
            txn.commit().expect("a commit");
        }
        Self {
            _directory: directory,
            db,
            logged,
            blobs,
            size,
        }
    }

    fn store(&self) -> bayplan::Namespace {
        self.db.namespace(NAMESPACE).expect("a namespace")
    }

    /// Both stores, by the names of their rows.
    fn both(&self) -> [(&'static str, &Db); 2] {
        [("bayplan", &self.db), ("bayplan-log", &self.logged)]
    }
}

fn store(db: &Db) -> bayplan::Namespace {
    db.namespace(NAMESPACE).expect("a namespace")
}

/// The bytes of a container, its labels and all, in any order.
fn blob(number: usize) -> Vec<u8> {
    let container = container(number);
    let runtime = container.runtime;
    let anys = runtime.options.into_iter().chain(container.spec);
    let anys = anys.chain(container.extensions.into_values());
    let mut blob: Vec<u8> = anys
        .flat_map(|any| [any.type_url.as_bytes(), &any.value].concat())
        .collect();
    let small = [
        container.image,
        runtime.name,
        container.snapshotter,
        container.snapshot_key,
    ];
    let labels = container.labels.into_iter().flat_map(<[String; 2]>::from);
    small
        .into_iter()
        .chain(labels)
        .for_each(|text| blob.extend_from_slice(text.as_bytes()));
    blob
}

fn put(table: &mut redb::Table<'_, &'static [u8], &'static [u8]>, id: &str, blob: &[u8]) {
    table.insert(id.as_bytes(), blob).expect("a put");
}

fn create(criterion: &mut Criterion, pair: &Pair) {
    let mut group = criterion.benchmark_group("create");
    for (name, db) in pair.both() {
        group.bench_function(BenchmarkId::new(name, pair.size), |bencher| {
            let store = store(db);
            bencher.iter_custom(|count| {
                let new: Vec<Container> = (pair.size..pair.size + count as usize)
                    .map(container)
                    .collect();
                let ids: Vec<String> = new.iter().map(|container| container.id.clone()).collect();
                let spent = timed(new, |container| {
                    drop(store.create(container).expect("a create"))
                });
                let removed = db.write(|txn| {
                    let store = txn.namespace(NAMESPACE)?;
                    ids.iter().try_for_each(|id| store.delete(id))
                });
                removed.expect("deletes");
                spent
            });
        });
    }
    group.bench_function(BenchmarkId::new("redb-put", pair.size), |bencher| {
        bencher.iter_custom(|count| {
            let new: Vec<_> = (pair.size..pair.size + count as usize)
                .map(|number| (id(number), blob(number)))
                .collect();
            let spent = timed(&new, |(id, blob)| {
                let txn = pair.blobs.begin_write().expect("a transaction");
                let mut table = txn.open_table(BLOBS).expect("a table");
                put(&mut table, id, blob);
                drop(table);
                txn.commit().expect("a commit");
            });
            let txn = pair.blobs.begin_write().expect("a transaction");
            {
                let mut table = txn.open_table(BLOBS).expect("a table");
                for (id, _) in &new {
                    table.remove(id.as_bytes()).expect("a removal");
                }
            }
            txn.commit().expect("a commit");
            spent
        });
    });
    group.finish();
}

fn timed<T>(items: impl IntoIterator<Item = T>, mut work: impl FnMut(T)) -> Duration {
    let items: Vec<T> = items.into_iter().collect();
    let start = Instant::now();
    for item in items {
        work(item);
    }
    start.elapsed()
}

fn update(criterion: &mut Criterion, pair: &Pair) {
    let mut number = 0;
    let mut group = criterion.benchmark_group("update-label");
    for (name, db) in pair.both() {
        group.bench_function(BenchmarkId::new(name, pair.size), |bencher| {
            let store = store(db);
            let mask = FieldMask::parse(["labels.tier"]).expect("a mask");
            bencher.iter(|| {
                number += 7;
                let change = Container::with_id(id(number % pair.size));
                store
                    .update(change.label("tier", number.to_string()), &mask)
                    .expect("an update")
            });
        });
    }
    group.bench_function(BenchmarkId::new("redb-put", pair.size), |bencher| {
        let next = || {
            number += 7;
            (id(number % pair.size), blob(number % pair.size))
        };
        let replace = |(id, blob): (String, Vec<u8>)| {
            let txn = pair.blobs.begin_write().expect("a transaction");
            let mut table = txn.open_table(BLOBS).expect("a table");
            put(&mut table, &id, &blob);
            drop(table);
            txn.commit().expect("a commit");
        };
        bencher.iter_batched(next, replace, BatchSize::SmallInput);
    });
    group.finish();
}

fn delete(criterion: &mut Criterion, pair: &Pair) {
    let mut group = criterion.benchmark_group("delete");
    for (name, db) in pair.both() {
        group.bench_function(BenchmarkId::new(name, pair.size), |bencher| {
            let store = store(db);
            bencher.iter_custom(|count| {
                let end = pair.size + count as usize;
                fill(db, pair.size..end);
                let ids: Vec<String> = (pair.size..end).map(id).collect();
                timed(&ids, |id| store.delete(id).expect("a delete"))
            });
        });
    }
    group.finish();
}

fn get(criterion: &mut Criterion, pair: &Pair) {
    let store = pair.store();
    let mut number = 0;
    let mut group = criterion.benchmark_group("get");
    group.bench_function(BenchmarkId::new("bayplan", pair.size), |bencher| {
        bencher.iter(|| {
            number += 7;
            store.get(&id(number % pair.size)).expect("a container")
        });
    });
    group.bench_function(BenchmarkId::new("redb-get", pair.size), |bencher| {
        bencher.iter(|| {
            number += 7;
            let txn = pair.blobs.begin_read().expect("a transaction");
            let table = txn.open_table(BLOBS).expect("a table");
            let id = id(number % pair.size);
            let value = ReadableTable::get(&table, id.as_bytes())
                .expect("a look")
                .expect("it");
            value.value().to_vec()
        });
    });
    group.finish();
}

fn list(criterion: &mut Criterion, pair: &Pair) {
    let store = pair.store();
    let mut group = criterion.benchmark_group("list");
    group.sample_size(20);
    let all = Filters::all();
    group.bench_function(BenchmarkId::new("stream", pair.size), |bencher| {
        bencher.iter(|| {
            for container in store.query().iter().expect("a listing") {
                std::hint::black_box(container.expect("a container"));
            }
        });
    });
    group.bench_function(BenchmarkId::new("vec", pair.size), |bencher| {
        bencher.iter(|| store.list(&all).expect("a listing"));
    });
    group.bench_function(BenchmarkId::new("headers", pair.size), |bencher| {
        bencher.iter(|| store.query().headers().expect("a listing"));
    });
    group.bench_function(BenchmarkId::new("ids", pair.size), |bencher| {
        bencher.iter(|| store.query().ids().expect("a listing"));
    });
    group.bench_function(BenchmarkId::new("count", pair.size), |bencher| {
        bencher.iter(|| store.query().count().expect("a count"));
    });
    group.bench_function(BenchmarkId::new("redb-stream", pair.size), |bencher| {
        bencher.iter(|| {
            let txn = pair.blobs.begin_read().expect("a transaction");
            let table = txn.open_table(BLOBS).expect("a table");
            for row in table.range::<&[u8]>(..).expect("a range") {
                std::hint::black_box(row.expect("a row").1.value().to_vec());
            }
        });
    });
    group.finish();
}

fn filter(criterion: &mut Criterion, pair: &Pair) {
    let store = pair.store();
    let mut group = criterion.benchmark_group("filter");
    group.sample_size(20);
    let (key, value) = common::RARE;
    let filters = [
        ("label-1-percent", format!("labels.{:?}=={value}", key)),
        ("label-regex", format!("labels.{:?}~=^led", key)),
        ("image", "image==nothing".to_owned()),
        ("id", format!("id=={}", id(pair.size / 2))),
    ];
    for (name, filter) in filters {
        let filters = Filters::parse([filter]).expect("a filter");
        group.bench_function(BenchmarkId::new(name, pair.size), |bencher| {
            bencher.iter(|| store.list(&filters).expect("a listing"));
        });
    }
    group.finish();
}

fn threads(criterion: &mut Criterion, pair: &Pair) {
    let store = pair.store();
    let mut group = criterion.benchmark_group("create-threads");
    group.sample_size(10);
    for threads in [1, 8, 32] {
        group.throughput(criterion::Throughput::Elements(1));
        group.bench_function(
            BenchmarkId::new(format!("{threads}"), pair.size),
            |bencher| {
                bencher.iter_custom(|count| {
                    let each = (count as usize).div_ceil(threads);
                    let end = pair.size + each * threads;
                    let new: Vec<Vec<Container>> = (0..threads)
                        .map(|thread| {
                            let start = pair.size + thread * each;
                            (start..start + each).map(container).collect()
                        })
                        .collect();
                    let start = Instant::now();
                    std::thread::scope(|scope| {
                        for new in new {
                            let store = &store;
                            scope.spawn(move || {
                                for container in new {
                                    store.create(container).expect("a create");
                                }
                            });
                        }
                    });
                    let spent = start.elapsed();
                    let removed = pair.db.write(|txn| {
                        let store = txn.namespace(NAMESPACE)?;
                        (pair.size..end)
                            .map(id)
                            .try_for_each(|id| store.delete(&id))
                    });
                    removed.expect("deletes");
                    spent.mul_f64(count as f64 / (each * threads) as f64)
                });
            },
        );
    }
    group.finish();
}

fn operations(criterion: &mut Criterion) {
    for size in sizes() {
        let pair = Pair::new(size);
        get(criterion, &pair);
        list(criterion, &pair);
        filter(criterion, &pair);
        create(criterion, &pair);
        update(criterion, &pair);
        delete(criterion, &pair);
        threads(criterion, &pair);
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2));
    targets = operations
}
criterion_main!(benches);
