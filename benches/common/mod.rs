//! The payload that all benchmarks share: a container as a Kubernetes node has it, about 7.1 KB.

#![allow(dead_code, reason = "each benchmark uses a part of it")]
#![allow(
    clippy::expect_used,
    reason = "a benchmark that cannot work has nothing to tell"
)]

use bayplan::{Any, Container, Db, Runtime};

/// The namespace of the benchmarks.
pub(crate) const NAMESPACE: &str = "k8s.io";

/// Bytes of a spec's value.
pub(crate) const SPEC_BYTES: usize = 6 * 1024;

/// One container of a hundred has this label.
pub(crate) const RARE: (&str, &str) = ("io.kubernetes.pod.uid", "rare");

/// An id of 64 hexadecimal digits, spread over the whole range.
pub(crate) fn id(number: usize) -> String {
    let seed = (number as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let words = [
        seed,
        seed.rotate_left(17),
        seed.rotate_left(31),
        seed.rotate_left(47),
    ];
    words.iter().map(|word| format!("{word:016x}")).collect()
}

/// The container of this number.
pub(crate) fn container(number: usize) -> Container {
    let uid = if number.is_multiple_of(100) {
        RARE.1.to_owned()
    } else {
        format!("uid-{number:032}")
    };
    let runtime = Runtime::new("io.containerd.runc.v2")
        .options(Any::new("containerd.runc.v1.Options", vec![7; 100]));
    let spec_type = "types.containerd.io/opencontainers/runtime-spec/1/Spec";
    Container::new(id(number), runtime, Any::new(spec_type, spec(number)))
        .image("registry.k8s.io/kube-apiserver:v1.34.2")
        .snapshot("overlayfs", id(number))
        .label("io.cri-containerd.kind", "container")
        .label("io.kubernetes.container.name", "kube-apiserver")
        .label(
            "io.kubernetes.pod.name",
            format!("kube-apiserver-node-{:04}", number % 5000),
        )
        .label("io.kubernetes.pod.namespace", "kube-system")
        .label(RARE.0, uid)
        .label("app.kubernetes.io/managed-by", "kubelet")
        .extension(
            "io.cri-containerd.container.metadata",
            Any::new("metadata", vec![9; 300]),
        )
}

/// Bytes that do not repeat, so that nothing gains by compressing them.
fn spec(number: usize) -> Vec<u8> {
    let mut state = number as u64 + 1;
    (0..SPEC_BYTES)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()[0]
        })
        .collect()
}

/// Fills a store with the containers of these numbers.
pub(crate) fn fill(db: &Db, numbers: std::ops::Range<usize>) {
    let mut numbers = numbers.peekable();
    while numbers.peek().is_some() {
        db.write(|txn| -> bayplan::Result<()> {
            let store = txn.namespace(NAMESPACE)?;
            for number in numbers.by_ref().take(500) {
                store.create(container(number))?;
            }
            Ok(())
        })
        .expect("the store takes the containers");
    }
}
