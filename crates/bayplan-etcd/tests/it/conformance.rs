//! The laws of stores, on one server, and on a cluster whose leader is killed meanwhile.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bayplan::{Namespaces, Record, Result, Rules, Store};
use bayplan_conformance::{Fixture, laws, run};
use bayplan_etcd::{Etcd, Options};

use crate::server::{Cluster, fresh_prefix, shared};

struct OfEtcd(Etcd);

impl OfEtcd {
    fn new(options: Options, rules: Rules, keep_empty_labels: bool) -> Self {
        let options = options.prefix(fresh_prefix()).rules(rules);
        Self(Etcd::open(&options.keep_empty_labels(keep_empty_labels)).unwrap())
    }
}

impl Fixture for OfEtcd {
    fn store(&self, namespace: &str) -> Result<Box<dyn Store + '_>> {
        Ok(Box::new(self.0.namespace(namespace)?))
    }

    fn records(&self, namespace: &str, kind: &str) -> Result<Box<dyn Store<Record> + '_>> {
        Ok(Box::new(self.0.namespace(namespace)?.records(kind)?))
    }

    fn namespaces(&self) -> &dyn Namespaces {
        &self.0
    }

    fn rules(&self) -> Rules {
        self.0.info().rules
    }

    fn keep_empty_labels(&self) -> bool {
        self.0.info().keep_empty_labels
    }
}

const KINDS: [(Rules, bool); 4] = [
    (Rules::Strict, false),
    (Rules::Strict, true),
    (Rules::Containerd2, false),
    (Rules::Containerd2, true),
];

/// Each set of rules once: a cluster takes its time.
const CLUSTER_KINDS: [(Rules, bool); 2] = [(Rules::Strict, false), (Rules::Containerd2, false)];

#[track_caller]
fn keeps_all_laws(options: impl Fn() -> Options, kinds: &[(Rules, bool)]) {
    for (rules, keep) in kinds.iter().copied() {
        let report = run(|| OfEtcd::new(options(), rules, keep));
        assert!(report.is_clean(), "{rules:?}, {keep}: {report}");
        let fixture = OfEtcd::new(options(), rules, keep);
        assert_eq!(
            report.tried(),
            laws().filter(|law| law.binds(&fixture)).count()
        );
    }
}

#[test]
fn a_store_on_one_server_keeps_all_laws() {
    let server = shared();
    keeps_all_laws(|| server.options(), &KINDS);
}

#[test]
fn a_store_on_a_cluster_keeps_all_laws_while_its_leaders_are_killed() {
    let mut cluster = Cluster::start();
    let options = cluster.options().attempts(20);
    let is_done = AtomicBool::new(false);
    let killed = std::thread::scope(|scope| {
        let killer = scope.spawn(|| {
            let mut killed = 0;
            while !is_done.load(Ordering::Relaxed) {
                std::thread::sleep(Duration::from_secs(2));
                if let Some(leader) = cluster.leader() {
                    cluster.0[leader].kill();
                    killed += 1;
                    std::thread::sleep(Duration::from_secs(3));
                    cluster.0[leader].restart();
                }
            }
            killed
        });
        let laws = scope.spawn(|| keeps_all_laws(|| options.clone(), &CLUSTER_KINDS));
        let result = laws.join();
        is_done.store(true, Ordering::Relaxed);
        let killed = killer.join().unwrap();
        if let Err(panic) = result {
            std::panic::resume_unwind(panic);
        }
        killed
    });
    assert!(killed > 0, "the laws were done before a leader was killed");
}
