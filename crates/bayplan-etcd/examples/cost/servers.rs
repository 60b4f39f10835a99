//! Servers of etcd on loopback, each with its data in a temporary folder. They end with this value.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::Result;

/// Servers that are one etcd together.
pub(crate) struct Servers {
    children: Vec<Child>,
    pub(crate) endpoints: Vec<String>,
    pub(crate) folder: TempDir,
}

impl Servers {
    /// Starts this many.
    pub(crate) fn start(count: usize) -> Result<Self> {
        let folder = TempDir::with_prefix("bayplan-etcd-cost-")?;
        let mut ports = Vec::new();
        for _ in 0..count {
            ports.push((free_port()?, free_port()?));
        }
        let names: Vec<String> = ports
            .iter()
            .map(|(_, peer)| format!("m{peer}=http://127.0.0.1:{peer}"))
            .collect();
        let mut servers = Self {
            children: Vec::new(),
            endpoints: Vec::new(),
            folder,
        };
        for (client, peer) in ports {
            let (client, name) = (format!("127.0.0.1:{client}"), format!("m{peer}"));
            let peer = format!("http://127.0.0.1:{peer}");
            let child = Command::new("etcd")
                .arg(format!("--name={name}"))
                .arg(format!(
                    "--data-dir={}",
                    servers.folder.path().join(&name).display()
                ))
                .arg(format!("--listen-client-urls=http://{client}"))
                .arg(format!("--advertise-client-urls=http://{client}"))
                .arg(format!("--listen-peer-urls={peer}"))
                .arg(format!("--initial-advertise-peer-urls={peer}"))
                .arg(format!("--initial-cluster={}", names.join(",")))
                .args(["--logger=zap", "--log-level=error"])
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()?;
            servers.children.push(child);
            servers.endpoints.push(client);
        }
        Ok(servers)
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        for child in &mut self.children {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
