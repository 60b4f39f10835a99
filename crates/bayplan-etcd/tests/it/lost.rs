//! Answers to commits that are lost on the way: a proxy swallows the answer to a request that has certain bytes.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use bayplan::{ReadStore, Store, Update};
use bayplan_etcd::{Etcd, Options};

use crate::server::Server;
use crate::stores::container;

/// What is in the requests whose answers are lost.
const LOST: &[u8] = b"lost-answer";

const HEAD: &str = "/bayplan/store/r/default\0containers\0web";

/// Passes everything on to a server, but swallows the answers to the first `left` requests with [`LOST`] in them. Before
/// it closes such a connection, it sends a message, and waits for one.
struct Proxy {
    port: u16,
    swallowed: Arc<AtomicUsize>,
    is_done: mpsc::Receiver<()>,
    go_on: mpsc::Sender<()>,
}

impl Proxy {
    fn start(server: &Server, left: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let target = server.endpoint().trim_start_matches("http://").to_owned();
        let swallowed = Arc::new(AtomicUsize::new(0));
        let (done, is_done) = mpsc::channel();
        let (go_on, may_go_on) = mpsc::channel();
        let may_go_on = Arc::new(std::sync::Mutex::new(may_go_on));
        let count = Arc::clone(&swallowed);
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let (Ok(client), Ok(server)) = (client, TcpStream::connect(&target)) else {
                    return;
                };
                let (count, done, may_go_on) =
                    (Arc::clone(&count), done.clone(), Arc::clone(&may_go_on));
                std::thread::spawn(move || {
                    let is_lost = || count.fetch_add(1, Ordering::SeqCst) < left;
                    if pass(&client, &server, is_lost) {
                        // etcd has the request, and time to do it.
                        std::thread::sleep(Duration::from_millis(300));
                        let _ = done.send(());
                        let _ = may_go_on.lock().unwrap().recv();
                    }
                    let _ = client.shutdown(Shutdown::Both);
                    let _ = server.shutdown(Shutdown::Both);
                });
            }
        });
        Self {
            port,
            swallowed,
            is_done,
            go_on,
        }
    }

    fn options(&self) -> Options {
        Options::new([format!("127.0.0.1:{}", self.port)])
    }
}

/// Passes on until the connection ends, or an answer is to be lost.
fn pass(client: &TcpStream, server: &TcpStream, is_lost: impl Fn() -> bool) -> bool {
    let is_swallowing = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let back = {
        let (mut from, mut to) = (server.try_clone().unwrap(), client.try_clone().unwrap());
        let is_swallowing = Arc::clone(&is_swallowing);
        move || {
            let mut buffer = vec![0; 64 * 1024];
            while let Ok(count @ 1..) = from.read(&mut buffer) {
                if !is_swallowing.load(Ordering::SeqCst) && to.write_all(&buffer[..count]).is_err()
                {
                    break;
                }
            }
            let _ = to.shutdown(Shutdown::Both);
        }
    };
    std::thread::spawn(back);
    let (mut from, mut to) = (client, server);
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        let has_it = buffer[..count]
            .windows(LOST.len())
            .any(|bytes| bytes == LOST)
            && is_lost();
        is_swallowing.fetch_or(has_it, Ordering::SeqCst);
        if to.write_all(&buffer[..count]).is_err() {
            return false;
        }
        if has_it {
            return true;
        }
    }
    false
}

#[test]
fn a_commit_whose_answer_is_lost_is_recognized_and_not_repeated() {
    let server = Server::start();
    let direct = Etcd::open(&server.options())
        .unwrap()
        .namespace("default")
        .unwrap();
    direct.create(container("web")).unwrap();
    let proxy = Proxy::start(&server, 1);
    let store = Etcd::open(&proxy.options())
        .unwrap()
        .namespace("default")
        .unwrap();
    let versions = server.version(HEAD);
    proxy.go_on.send(()).unwrap();
    let update = Update::new("web").set_label("lost-answer", "1");
    let done = store.apply(update).unwrap();
    assert_eq!(direct.get("web").unwrap(), done);
    assert_eq!(server.version(HEAD), versions + 1, "it was written once");
    assert!(
        proxy.swallowed.load(Ordering::SeqCst) > 1,
        "it was sent again"
    );

    let proxy = Proxy::start(&server, 1);
    let store = Etcd::open(&proxy.options())
        .unwrap()
        .namespace("default")
        .unwrap();
    proxy.go_on.send(()).unwrap();
    let done = store
        .create(container("new").label("lost-answer", "1"))
        .unwrap();
    assert_eq!(direct.get("new").unwrap(), done);
}

#[test]
fn a_commit_whose_answer_is_lost_and_that_others_have_overwritten_is_uncertain() {
    let server = Server::start();
    let direct = Etcd::open(&server.options())
        .unwrap()
        .namespace("default")
        .unwrap();
    direct.create(container("web")).unwrap();
    let proxy = Proxy::start(&server, 1);
    let store = Etcd::open(&proxy.options())
        .unwrap()
        .namespace("default")
        .unwrap();
    let (Proxy { is_done, go_on, .. }, others) = (proxy, &direct);
    let error = std::thread::scope(|scope| {
        scope.spawn(move || {
            is_done.recv().unwrap();
            others
                .apply(Update::new("web").set_label("other", "1"))
                .unwrap();
            go_on.send(()).unwrap();
        });
        store
            .apply(Update::new("web").set_label("lost-answer", "1"))
            .unwrap_err()
    });
    assert!(error.is_commit_uncertain(), "{error:?}");
    let web = direct.get("web").unwrap();
    assert_eq!(web.labels.len(), 2, "both were written, each once");
    assert_eq!(server.version(HEAD), 3);
}
