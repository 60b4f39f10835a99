//! Clients that are slow, or gone, beside others.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use bayplan::{Any, Container, ReadStore as _, Runtime, Store as _};

use crate::served::Served;

const WAIT_MAX: Duration = Duration::from_secs(5);

fn container(id: &str) -> Container {
    let spec = Any::new("spec", vec![b'x'; 100_000]);
    Container::new(id, Runtime::new("runc"), spec)
}

#[test]
fn slow_and_vanished_clients_harm_nobody() {
    let served = Served::in_memory();
    let containers = served.remote().namespace("n").unwrap();
    for number in 0..50 {
        containers
            .create(container(&format!("c{number:02}")))
            .unwrap();
    }
    // Listings that nobody reads, as many as a connection may have.
    let slow = served.remote().namespace("n").unwrap();
    let mut unread: Vec<_> = (0..100).map(|_| slow.query().iter().unwrap()).collect();
    // Clients that say nothing, half of a greeting, or nonsense.
    let mut silent = Vec::new();
    for said in [
        &b""[..],
        b"PRI * HTTP/2.0\r\n",
        b"GET / HTTP/1.0\r\n\r\n",
        &[0xff; 100],
    ] {
        let mut client = UnixStream::connect(served.path()).unwrap();
        client.write_all(said).unwrap();
        silent.push(client);
    }
    // Clients that go in the middle of an answer.
    for _ in 0..20 {
        let gone = served.remote().namespace("n").unwrap();
        let mut listing = gone.query().iter().unwrap();
        assert!(listing.next().unwrap().is_ok());
    }
    let begun = Instant::now();
    let quick = served.remote().namespace("n").unwrap();
    for number in 0..50 {
        let id = format!("d{number:02}");
        quick.create(container(&id)).unwrap();
        assert_eq!(quick.get(&id).unwrap().id, id);
    }
    assert!(begun.elapsed() < WAIT_MAX, "{:?}", begun.elapsed());
    // The slow one gets what was there when it asked.
    assert!(slow.query().iter().is_err());
    assert_eq!(slow.get("c00").unwrap().id, "c00");
    let last = unread.pop().unwrap();
    let found = last.map(|container| container.unwrap().id);
    assert_eq!(found.filter(|id| id.starts_with('c')).count(), 50);
    drop(unread);
    for mut client in silent {
        client.set_nonblocking(true).unwrap();
        let mut heard = Vec::new();
        // What it hears is of no matter, but nobody waits for it.
        let _ = client.read_to_end(&mut heard);
    }
}
