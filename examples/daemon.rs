//! A daemon in tokio: it answers requests, and its garbage collector follows what changes and removes images that nothing
//! holds any more.
//!
//! `cargo run --release --features tokio --example daemon [DIRECTORY]`; without a directory, a temporary one. Run it twice on
//! one directory: the collector goes on where it was.
//!
//! The collector keeps the position up to which it has worked, in the store itself. What happened while the daemon was
//! down, or crashed between a deletion and the collection, is seen at the next start.

#![allow(clippy::print_stdout, reason = "it is a program")]

use std::error::Error;
use std::path::Path;
use std::time::Duration;
use std::{env, fs};

use bayplan::{
    Any, AsyncDb, AsyncNamespace, Container, Db, Detail, Event, Position, Record, Resource,
    Runtime, Subject,
};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const IMAGES: &str = "images";
/// The record with the position of the collector.
const COLLECTOR: (&str, &str) = ("followers", "collector");

#[tokio::main]
async fn main() -> Result<()> {
    let temporary;
    let directory = match env::args().nth(1) {
        Some(directory) => directory.into(),
        None => {
            temporary = tempfile::tempdir()?;
            temporary.path().to_owned()
        }
    };
    fs::create_dir_all(&directory)?;
    let db = open(&directory).await?;
    let host = db.namespace("host")?;

    let collector = tokio::spawn(collect(db.clone()));
    serve(&host).await?;

    // The collector follows: it is done soon.
    for _ in 0..100 {
        if host.records(IMAGES)?.query().ids().await? == ["redis:8"] {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let left = host.records(IMAGES)?.query().ids().await?;
    println!("images that are left: {left:?}");
    drop(host);
    // What it has processed is in the store.
    collector.abort();
    let _ = collector.await;
    db.close().await?;
    match left == ["redis:8"] {
        true => Ok(()),
        false => Err("the collector did not do its work".into()),
    }
}

async fn open(directory: &Path) -> Result<AsyncDb> {
    let path = directory.join("meta.redb");
    let db = AsyncDb::open_by(move || Db::builder().create_if_missing(true).open(path)).await?;
    Ok(db)
}

/// What clients ask for: containers of two images, of which one is used no more in the end.
async fn serve(host: &AsyncNamespace) -> Result<()> {
    let images = host.records(IMAGES)?;
    for name in ["nginx:1.29", "redis:8"] {
        images
            .put(Record::new(name, Any::new("example.com/Image", b"{}")))
            .await?;
    }
    // Requests come at the same time. Their commits share syncs of the disk.
    let mut requests = tokio::task::JoinSet::new();
    for number in 0..20 {
        let host = host.clone();
        requests.spawn(async move {
            let image = match number % 2 {
                0 => "nginx:1.29",
                _ => "redis:8",
            };
            let spec = Any::new("spec", b"{}");
            let container = Container::new(format!("c{number}"), Runtime::new("runc"), spec);
            host.put(container.image(image)).await
        });
    }
    while let Some(put) = requests.join_next().await {
        put??;
    }
    println!("20 containers are there");
    for number in (0..20).step_by(2) {
        host.delete(&format!("c{number}")).await?;
    }
    println!("those of nginx:1.29 are deleted");
    Ok(())
}

/// Removes each image when the last container that holds it is deleted.
async fn collect(db: AsyncDb) -> bayplan::Result<()> {
    let host = db.namespace("host")?;
    let mut from = position(&host).await?;
    println!("the collector begins at {from}");
    loop {
        let mut changes = db.subscribe(from, Detail::Id).await?;
        while let Some(change) = changes.next().await {
            let change = match change {
                Ok(change) => change,
                // Deletions were forgotten: look at everything again.
                Err(error) if error.is_lagged() => {
                    from = Position::START;
                    break;
                }
                Err(error) => return Err(error),
            };
            if let Subject::Container {
                event: Event::Deleted,
                ..
            } = change.subject
            {
                remove_unused(&db).await?;
                remember(&host, change.position).await?;
            }
        }
    }
}

/// Removes the images that nothing holds, in one transaction: nobody can create a container of one between the look and the
/// removal.
async fn remove_unused(db: &AsyncDb) -> bayplan::Result<()> {
    let removed = db
        .write(|txn| {
            let host = txn.namespace("host")?;
            let images = host.records(IMAGES)?;
            let mut removed = Vec::new();
            for name in images.query().ids()? {
                let image = Resource::Image { name: name.clone() };
                if host.holders_of(&image)?.next().transpose()?.is_none() {
                    images.delete(&name)?;
                    removed.push(name);
                }
            }
            Ok::<_, bayplan::Error>(removed)
        })
        .await?;
    for name in removed {
        println!("nothing holds {name}: it is removed");
    }
    Ok(())
}

/// Where the collector was.
async fn position(host: &AsyncNamespace) -> bayplan::Result<Position> {
    let (kind, id) = COLLECTOR;
    let kept = host.records(kind)?.find(id).await?;
    let text = kept.map(|record| String::from_utf8_lossy(&record.value.value).into_owned());
    text.map_or(Ok(Position::START), |text| text.parse())
}

async fn remember(host: &AsyncNamespace, position: Position) -> bayplan::Result<()> {
    let (kind, id) = COLLECTOR;
    let value = Any::new("example.com/Position", position.to_string().into_bytes());
    host.records(kind)?.put(Record::new(id, value)).await?;
    Ok(())
}
