//! Writes the code that is generated from containerd's `.proto` files, and their descriptors for gRPC reflection, into
//! `../src/proto`. `cargo run --manifest-path crates/bayplan-containerd/generate/Cargo.toml`.

use std::error::Error;
use std::fs;
use std::path::Path;

use prost::Message;
use prost_types::FileDescriptorSet;

const API: &str = "github.com/containerd/containerd/api";

const FILES: [&str; 10] = [
    "services/containers/v1/containers.proto",
    "services/events/v1/events.proto",
    "services/introspection/v1/introspection.proto",
    "services/leases/v1/leases.proto",
    "services/namespaces/v1/namespace.proto",
    "services/sandbox/v1/sandbox.proto",
    "services/version/v1/version.proto",
    "events/container.proto",
    "events/namespace.proto",
    "types/event.proto",
];

fn main() -> Result<(), Box<dyn Error>> {
    let home = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let protos = home.join("proto");
    let files = FILES.map(|file| protos.join(API).join(file));
    let mut descriptors = protox::compile(files, [&protos])?;
    only_the_store(&mut descriptors);
    let out = home.join("src/proto");
    fs::create_dir_all(&out)?;
    fs::write(out.join("descriptors.bin"), descriptors.encode_to_vec())?;
    // Events are told by their names.
    let mut config = tonic_prost_build::Config::new();
    config.enable_type_names();
    // Its bytes are stored: the same sandbox always has the same.
    config.btree_map([".containerd.types.Sandbox"]);
    tonic_prost_build::configure()
        .build_client(false)
        .build_transport(false)
        .out_dir(&out)
        .include_file("mod.rs")
        .compile_fds_with_config(descriptors, config)?;
    Ok(())
}

/// Leaves out of `sandbox.proto` what runs sandboxes. It follows the store, so the comments, which are found by number, stay
/// where they are.
fn only_the_store(descriptors: &mut FileDescriptorSet) {
    const UNUSED: [&str; 3] = ["mount.proto", "metrics.proto", "platform.proto"];
    let is_unused = |file: &str| UNUSED.iter().any(|unused| file.ends_with(unused));
    let all = descriptors.file.iter_mut();
    for file in all.filter(|file| file.name().ends_with("services/sandbox/v1/sandbox.proto")) {
        file.service.retain(|service| service.name() == "Store");
        file.message_type
            .retain(|message| message.name().starts_with("Store"));
        file.dependency.retain(|name| !is_unused(name));
    }
    let used = descriptors
        .file
        .iter()
        .flat_map(|file| file.dependency.clone());
    let used: Vec<String> = used.collect();
    descriptors
        .file
        .retain(|file| !is_unused(file.name()) || used.iter().any(|name| name == file.name()));
}
