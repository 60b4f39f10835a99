//! The payload that all benchmarks share: containers as a Kubernetes node has them, made of a number.

#![allow(dead_code, reason = "each benchmark uses a part of it")]
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a benchmark that cannot work has nothing to tell"
)]

pub(crate) mod dice;
mod pod;
mod spec;

use bayplan::{Any, Container, Db, Runtime};

use self::dice::Dice;
use self::pod::Pod;

/// The namespace of the benchmarks.
pub(crate) const NAMESPACE: &str = "k8s.io";

/// One container of a hundred has this label.
pub(crate) const RARE: (&str, &str) = ("app.kubernetes.io/name", "ledger");

/// Protobuf of the options of runc's shim: `SystemdCgroup` is true.
const RUNC_OPTIONS: [u8; 2] = [0x48, 1];

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

/// The container of this number. All that it holds is text.
pub(crate) fn container(number: usize) -> Container {
    let mut dice = Dice::new(number);
    let pod = Pod::new(number, &mut dice);
    let runtime = Runtime::new("io.containerd.runc.v2").options(Any::new(
        "containerd.runc.v1.Options",
        RUNC_OPTIONS.to_vec(),
    ));
    let spec_type = "types.containerd.io/opencontainers/runtime-spec/1/Spec";
    let metadata_type = "github.com/containerd/cri/pkg/store/container/Metadata";
    let id = id(number);
    let spec = spec::spec(&pod, &id, &mut dice);
    let metadata = pod.metadata(&id);
    Container::new(&*id, runtime, Any::new(spec_type, spec))
        .image(pod.image())
        .snapshot("overlayfs", id)
        .label("io.cri-containerd.kind", "container")
        .label("io.kubernetes.container.name", pod.container)
        .label("io.kubernetes.pod.name", &*pod.name)
        .label("io.kubernetes.pod.namespace", pod.namespace)
        .label("io.kubernetes.pod.uid", &*pod.uid)
        .label(RARE.0, pod.app)
        .extension(
            "io.cri-containerd.container.metadata",
            Any::new(metadata_type, metadata),
        )
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
