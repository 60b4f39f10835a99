//! Servers of etcd for the tests, on loopback, with data in memory where the machine has a place for that.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, Instant};

use bayplan_etcd::{Etcd, Options};
use tempfile::TempDir;

/// How long a server may take to answer for the first time.
const START_MAX: Duration = Duration::from_secs(30);

/// Laws of limits write records of several MiB.
const REQUEST_MAX_BYTES: &str = "67108864";

/// One process of etcd. It ends with this value, and when this process ends in any way.
pub(crate) struct Server {
    child: Child,
    /// The shell around etcd kills it once this is closed.
    stdin: Option<ChildStdin>,
    pid: u32,
    endpoint: String,
    port: u16,
    arguments: Vec<String>,
    folder: PathBuf,
    /// Removes the data at the end.
    _temp: Option<TempDir>,
}

/// A folder for data that is not synced to a disk, if possible.
fn temp() -> TempDir {
    let memory = Path::new("/dev/shm");
    match memory.is_dir() {
        true => TempDir::with_prefix_in("bayplan-etcd-", memory),
        false => TempDir::with_prefix("bayplan-etcd-"),
    }
    .unwrap()
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

impl Server {
    /// Starts one server that is an etcd of its own.
    pub(crate) fn start() -> Self {
        Self::start_with(&[])
    }

    /// Starts one server with further arguments.
    pub(crate) fn start_with(more: &[&str]) -> Self {
        let (client, peer) = (free_port(), free_port());
        let temp = temp();
        let cluster = format!("it=http://127.0.0.1:{peer}");
        let mut arguments = arguments("it", client, peer, &cluster);
        if more
            .iter()
            .any(|argument| argument.starts_with("--cert-file"))
        {
            let (plain, secure) = (
                format!("http://127.0.0.1:{client}"),
                format!("https://127.0.0.1:{client}"),
            );
            arguments
                .iter_mut()
                .for_each(|argument| *argument = argument.replace(&plain, &secure));
        }
        arguments.extend(more.iter().map(|argument| (*argument).to_owned()));
        let folder = temp.path().to_owned();
        let mut server = Self::spawn(client, arguments, folder, Some(temp));
        server.wait();
        server
    }

    fn spawn(port: u16, arguments: Vec<String>, folder: PathBuf, temp: Option<TempDir>) -> Self {
        let script = r#"etcd "$@" >"$BAYPLAN_LOG" 2>&1 & pid=$!; echo $pid; read -r _; kill -9 $pid; wait $pid"#;
        let mut child = Command::new("sh")
            .args(["-c", script, "etcd"])
            .args(&arguments)
            .arg(format!("--data-dir={}", folder.display()))
            .env("BAYPLAN_LOG", folder.with_extension("log"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("a shell");
        let stdin = child.stdin.take();
        let mut pid = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut pid)
            .unwrap();
        let is_tls = arguments
            .iter()
            .any(|argument| argument.starts_with("--cert-file"));
        let scheme = if is_tls { "https" } else { "http" };
        Self {
            child,
            stdin,
            pid: pid.trim().parse().unwrap(),
            endpoint: format!("{scheme}://127.0.0.1:{port}"),
            port,
            arguments,
            folder,
            _temp: temp,
        }
    }

    /// Waits until it accepts connections.
    pub(crate) fn wait(&mut self) {
        let begun = Instant::now();
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            let log = || std::fs::read_to_string(self.folder.with_extension("log"));
            assert!(
                begun.elapsed() < START_MAX,
                "etcd does not start: {:?}",
                log()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    pub(crate) fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Kills it. Its data stays.
    pub(crate) fn kill(&mut self) {
        self.stdin = None;
        self.child.wait().unwrap();
    }

    /// Starts it again on the same data and ports.
    pub(crate) fn restart(&mut self) {
        self.kill();
        let (arguments, folder) = (self.arguments.clone(), self.folder.clone());
        let temp = self._temp.take();
        *self = Self::spawn(self.port, arguments, folder, temp);
        self.wait();
    }

    /// Stops or continues the process: `STOP`, `CONT`.
    pub(crate) fn signal(&self, name: &str) {
        let kill = Command::new("kill")
            .args(["-s", name, &self.pid.to_string()])
            .status();
        assert!(kill.unwrap().success());
    }

    pub(crate) fn options(&self) -> Options {
        Options::new([self.endpoint.clone()])
    }

    /// Runs a request of etcd's own client.
    fn raw<T>(&self, request: impl AsyncFnOnce(&mut etcd_client::Client) -> T) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let mut client = etcd_client::Client::connect([&self.endpoint], None)
                .await
                .unwrap();
            request(&mut client).await
        })
    }

    /// Puts a value under a key, as it is.
    pub(crate) fn put(&self, key: &str, value: &[u8]) {
        self.raw(async |client| client.put(key, value, None).await.unwrap());
    }

    /// Returns the value under a key.
    pub(crate) fn get(&self, key: &str) -> Vec<u8> {
        let found = self.raw(async |client| client.get(key, None).await.unwrap());
        found.kvs()[0].value().to_vec()
    }

    /// Deletes a key.
    pub(crate) fn delete(&self, key: &str) {
        self.raw(async |client| client.delete(key, None).await.unwrap());
    }

    /// How often a key was written since it was created.
    pub(crate) fn version(&self, key: &str) -> i64 {
        let found = self.raw(async |client| client.get(key, None).await.unwrap());
        found.kvs()[0].version()
    }

    /// Runs `etcdctl` on it, and returns what it prints.
    pub(crate) fn etcdctl(&self, arguments: &[&str]) -> String {
        let output = Command::new("etcdctl")
            .env("ETCDCTL_API", "3")
            .arg(format!("--endpoints={}", self.endpoint))
            .args(arguments)
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut stdin) = self.stdin.take() {
            let _ = stdin.write_all(b"\n");
        }
        let _ = self.child.wait();
        let _ = std::fs::remove_file(self.folder.with_extension("log"));
    }
}

fn arguments(name: &str, client: u16, peer: u16, cluster: &str) -> Vec<String> {
    [
        ("name", name.to_owned()),
        ("listen-client-urls", format!("http://127.0.0.1:{client}")),
        (
            "advertise-client-urls",
            format!("http://127.0.0.1:{client}"),
        ),
        ("listen-peer-urls", format!("http://127.0.0.1:{peer}")),
        (
            "initial-advertise-peer-urls",
            format!("http://127.0.0.1:{peer}"),
        ),
        ("initial-cluster", cluster.to_owned()),
        ("max-request-bytes", REQUEST_MAX_BYTES.to_owned()),
        ("logger", "zap".to_owned()),
        ("log-level", "warn".to_owned()),
    ]
    .map(|(name, value)| format!("--{name}={value}"))
    .into()
}

/// An etcd of three servers.
pub(crate) struct Cluster(pub(crate) Vec<Server>);

impl Cluster {
    pub(crate) fn start() -> Self {
        let members = [(); 3].map(|()| (free_port(), free_port()));
        let urls = members.iter().enumerate();
        let urls: Vec<String> = urls
            .map(|(index, (_, peer))| format!("m{index}=http://127.0.0.1:{peer}"))
            .collect();
        let cluster = urls.join(",");
        let spawn = |(index, (client, peer)): (usize, (u16, u16))| {
            let arguments = arguments(&format!("m{index}"), client, peer, &cluster);
            let temp = temp();
            Server::spawn(client, arguments, temp.path().to_owned(), Some(temp))
        };
        let mut servers: Vec<Server> = members.into_iter().enumerate().map(spawn).collect();
        servers.iter_mut().for_each(Server::wait);
        Self(servers)
    }

    pub(crate) fn options(&self) -> Options {
        Options::new(self.0.iter().map(|server| server.endpoint.clone()))
    }

    /// The index of the server that leads.
    pub(crate) fn leader(&self) -> Option<usize> {
        self.0.iter().position(|server| {
            let status = Command::new("etcdctl")
                .env("ETCDCTL_API", "3")
                .args(["--endpoints", &server.endpoint, "--command-timeout=2s"])
                .args(["endpoint", "status", "-w", "fields"])
                .output()
                .unwrap();
            let text = String::from_utf8_lossy(&status.stdout).into_owned();
            let field = |name: &str| {
                let line = text.lines().find(|line| line.starts_with(name));
                line.and_then(|line| line.rsplit(' ').next().map(str::to_owned))
            };
            let leader = field("\"Leader\"");
            leader.is_some() && leader == field("\"MemberID\"")
        })
    }
}

/// A server that all tests share which do not disturb it.
pub(crate) fn shared() -> Arc<Server> {
    static SHARED: Mutex<Weak<Server>> = Mutex::new(Weak::new());
    let mut shared = SHARED
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    shared.upgrade().unwrap_or_else(|| {
        let server = Arc::new(Server::start());
        *shared = Arc::downgrade(&server);
        server
    })
}

/// A prefix that nothing has used.
pub(crate) fn fresh_prefix() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    format!(
        "/{}/{}/",
        std::process::id(),
        NEXT.fetch_add(1, Ordering::Relaxed)
    )
}

/// A fresh store on the shared server.
pub(crate) fn fresh() -> (Arc<Server>, Etcd) {
    let server = shared();
    let etcd = Etcd::open(&server.options().prefix(fresh_prefix())).unwrap();
    (server, etcd)
}
