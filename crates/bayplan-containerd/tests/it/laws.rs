//! The laws of a store, over a socket.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use bayplan::{Error, ErrorKind, Namespaces, ReadNamespaces as _, ReadStore as _, Record};
use bayplan::{Result, Rules, Store};
use bayplan_conformance::{self as conformance, Fixture};
use bayplan_containerd::Remote;
use tempfile::TempDir;

use crate::served::Served;

/// A server's containers and namespaces. The protocol carries neither revisions nor records of other kinds, and the server
/// sets all times.
struct OverSocket {
    remote: Remote,
    /// Is dropped after the connection.
    _served: Option<Served>,
}

impl Fixture for OverSocket {
    fn store(&self, namespace: &str) -> Result<Box<dyn Store + '_>> {
        Ok(Box::new(self.remote.namespace(namespace)?))
    }

    fn records(&self, _: &str, kind: &str) -> Result<Box<dyn Store<Record> + '_>> {
        let text = format!("containerd's API carries no records of the kind {kind:?}");
        Err(Error::of_kind(ErrorKind::FailedPrecondition, text))
    }

    fn namespaces(&self) -> &dyn Namespaces {
        &self.remote
    }

    fn rules(&self) -> Rules {
        Rules::Containerd2
    }

    fn can_import(&self) -> bool {
        false
    }

    fn has_revisions(&self) -> bool {
        false
    }

    fn has_records(&self) -> bool {
        false
    }
}

#[test]
fn a_served_store_keeps_all_laws_that_the_protocol_can_carry() {
    let report = conformance::run(|| {
        let served = Served::in_memory();
        OverSocket {
            remote: served.remote(),
            _served: Some(served),
        }
    });
    assert!(report.is_clean(), "{report}");
    assert!(report.tried() > 100, "{report}");
}

/// Debian's containerd, with everything of its own in one directory.
struct Containerd {
    child: Child,
    directory: TempDir,
}

impl Containerd {
    fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        let config = "version = 2\ndisabled_plugins = [\"io.containerd.grpc.v1.cri\"]\n";
        fs::write(at("config"), config).unwrap();
        let mut command = Command::new("containerd");
        for name in ["config", "root", "state", "address"] {
            command.arg(format!("--{name}")).arg(at(name));
        }
        let log = File::create(at("log")).unwrap();
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log);
        let child = child.spawn().unwrap();
        Self { child, directory }
    }

    fn address(&self) -> PathBuf {
        self.directory.path().join("address")
    }

    fn remote(&self) -> Remote {
        let begun = Instant::now();
        loop {
            let connected = Remote::connect(self.address());
            match connected.and_then(|remote| remote.list_namespaces().map(|_| remote)) {
                Ok(remote) => return remote,
                Err(error) => assert!(begun.elapsed() < Duration::from_secs(30), "{error:#}"),
            }
            thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Containerd {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Whether the machine has this version of it. In CI it must.
fn has_containerd() -> bool {
    let version = Command::new("containerd").arg("--version").output();
    let found = version.is_ok_and(|output| {
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        text.contains(VERSION)
    });
    let is_root = fs::metadata("/proc/self").unwrap().uid() == 0;
    let is_ci = std::env::var_os("CI").is_some_and(|ci| !ci.is_empty());
    assert!(
        found && is_root || !is_ci,
        "containerd {VERSION} (Debian: containerd) and root are needed"
    );
    found && is_root
}

/// Leaves nothing of the law before.
fn clear(remote: &Remote) {
    for name in remote.list_namespaces().unwrap() {
        let store = remote.namespace(name.as_str()).unwrap();
        for id in store.query().ids().unwrap() {
            store.delete(&id).unwrap();
        }
        remote.delete_namespace(name.as_str()).unwrap();
    }
}

/// The version whose answers these are.
const VERSION: &str = "1.6.20";

/// The laws that it breaks, by reason.
const BROKEN: [(&str, &[&str]); 8] = [
    (
        "It keeps no sandbox ids (2.x does).",
        &[
            "create_returns_every_field_as_it_was_given",
            "a_full_update_replaces_labels_spec_and_extensions",
            "a_full_update_removes_what_the_input_lacks",
            "the_path_extensions_replaces_all_extensions_and_nothing_else",
            "apply_changes_the_labels_that_it_names",
            "apply_of_all_labels_replaces_them",
            "apply_changes_spec_and_extensions_of_a_container",
            "put_of_a_new_id_creates",
            "put_of_a_taken_id_replaces_labels_and_value",
            "put_replaces_the_extensions",
        ],
    ),
    (
        "Extensions that an update removes stay, or become empty.",
        &[
            "the_path_of_an_extension_that_the_input_lacks_removes_it",
            "a_path_that_removes_what_is_not_there_is_no_error",
            "an_extension_that_was_removed_does_not_come_back",
        ],
    ),
    (
        "An empty key is `Unknown`, or accepted, and is looked at late.",
        &[
            "create_checks_the_container_before_it_looks_for_the_id",
            "a_failed_create_leaves_neither_a_container_nor_a_namespace",
            "a_failed_create_leaves_its_neighbours_alone",
            "update_validates_its_result_and_a_failed_one_changes_nothing",
            "a_label_with_an_empty_key_is_invalid_whatever_its_value",
            "create_namespace_refuses_a_label_with_an_empty_key_and_makes_none",
            "set_label_refuses_an_empty_key_and_makes_no_namespace",
            "set_label_refuses_a_name_that_is_no_identifier",
        ],
    ),
    (
        "It names fields in other words, and cuts keys.",
        &[
            "create_requires_a_runtime_name",
            "create_requires_a_spec",
            "create_requires_a_snapshotter_with_a_snapshot_key",
            "a_full_update_requires_a_spec",
            "a_full_update_refuses_another_runtime_name_and_names_the_field",
            "a_full_update_refuses_another_snapshotter_and_names_the_field",
            "the_path_spec_requires_a_spec",
            "a_containerd2_snapshot_key_requires_a_snapshotter",
            "a_label_has_at_most_4096_bytes_key_and_value_together",
            "a_label_that_is_set_by_its_path_has_the_same_limit",
            "a_label_of_a_namespace_has_the_same_limit",
            "create_namespace_refuses_a_name_that_is_no_identifier",
            "delete_namespace_that_holds_containers_fails_and_tells_what_it_holds",
        ],
    ),
    (
        "Filters know only id, image, runtime.name and labels.",
        &[
            "a_field_alone_asks_whether_it_is_present",
            "every_plain_field_is_found_by_its_name",
            "an_extension_is_present_and_its_value_is_its_type",
        ],
    ),
    (
        "It has none of these limits.",
        &[
            "labels_have_a_limit_to_their_number",
            "the_type_of_a_value_has_its_limit",
            "labels_of_namespaces_have_a_limit_to_their_number",
            "an_extension_name_has_its_limit",
            "a_plain_text_has_its_limit",
            "extensions_have_a_limit_to_their_number",
        ],
    ),
    (
        "Its status does not tell an immutable field from another mistake, and quotes in a path are part of the key.",
        &[
            "put_of_another_runtime_or_snapshotter_is_a_failed_precondition_and_names_the_field",
            "quotes_around_a_key_that_has_none_are_invalid",
        ],
    ),
    (
        "A namespace cannot be called `version`.",
        &["no_name_of_a_namespace_or_a_container_is_reserved"],
    ),
];

#[test]
fn containerd_breaks_only_the_laws_that_it_is_known_to_break() {
    if !has_containerd() {
        return;
    }
    let containerd = Containerd::start();
    let remote = containerd.remote();
    let report = conformance::run(|| {
        clear(&remote);
        OverSocket {
            remote: remote.clone(),
            _served: None,
        }
    });
    let broken = report.breaches().iter().map(|breach| breach.law);
    let known = BROKEN.iter().flat_map(|(_, laws)| laws.iter().copied());
    let (broken, known) = (
        broken.collect::<BTreeSet<_>>(),
        known.collect::<BTreeSet<_>>(),
    );
    assert_eq!(broken, known, "{report}");
}
