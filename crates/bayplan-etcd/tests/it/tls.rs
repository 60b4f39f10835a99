//! An etcd that speaks TLS and asks for certificates.

use std::path::Path;
use std::process::Command;

use bayplan::{ErrorKind, ReadStore, Store};
use bayplan_etcd::Etcd;

use crate::server::Server;
use crate::stores::container;

fn openssl(folder: &Path, arguments: &str) {
    let output = Command::new("openssl")
        .args(arguments.split(' '))
        .current_dir(folder)
        .output()
        .expect("openssl");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// Makes an authority, and a certificate of it that serves for both sides.
fn certificates(folder: &Path) {
    let authority =
        "req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -subj /CN=ca -days 2";
    openssl(folder, authority);
    openssl(
        folder,
        "req -newkey rsa:2048 -nodes -keyout own.key -out own.csr -subj /CN=own",
    );
    std::fs::write(folder.join("own.ext"), "subjectAltName=IP:127.0.0.1\n").unwrap();
    let sign = "x509 -req -in own.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out own.pem -days 2 -extfile own.ext";
    openssl(folder, sign);
}

#[test]
fn a_server_with_certificates_is_trusted_by_its_authority_and_asks_for_one() {
    let folder = tempfile::tempdir().unwrap();
    certificates(folder.path());
    let path = |name: &str| folder.path().join(name).display().to_string();
    let read = |name: &str| std::fs::read(folder.path().join(name)).unwrap();
    let server = Server::start_with(&[
        &format!("--cert-file={}", path("own.pem")),
        &format!("--key-file={}", path("own.key")),
        &format!("--trusted-ca-file={}", path("ca.pem")),
        "--client-cert-auth",
    ]);
    let options = server.options().attempts(2).ca_certificate(read("ca.pem"));
    let known = options
        .clone()
        .client_certificate(read("own.pem"), read("own.key"));
    let store = Etcd::open(&known.attempts(8))
        .unwrap()
        .namespace("default")
        .unwrap();
    store.create(container("web")).unwrap();
    assert_eq!(store.query().count().unwrap(), 1);
    // Without a certificate of its own, or without trust in the server's.
    for refused in [options, server.options().attempts(2)] {
        let error = Etcd::open(&refused).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Io, "{error:?}");
    }
}
