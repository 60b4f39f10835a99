//! Writes the code that is generated from containerd's `.proto` files, and their descriptors for gRPC reflection, into
//! `../src/proto`. `cargo run --manifest-path crates/bayplan-containerd/generate/Cargo.toml`.

use std::error::Error;
use std::fs;
use std::path::Path;

use prost::Message;

const API: &str = "github.com/containerd/containerd/api";

const FILES: [&str; 9] = [
    "services/containers/v1/containers.proto",
    "services/events/v1/events.proto",
    "services/introspection/v1/introspection.proto",
    "services/leases/v1/leases.proto",
    "services/namespaces/v1/namespace.proto",
    "services/version/v1/version.proto",
    "events/container.proto",
    "events/namespace.proto",
    "types/event.proto",
];

fn main() -> Result<(), Box<dyn Error>> {
    let home = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let protos = home.join("proto");
    let files = FILES.map(|file| protos.join(API).join(file));
    let descriptors = protox::compile(files, [&protos])?;
    let out = home.join("src/proto");
    fs::create_dir_all(&out)?;
    fs::write(out.join("descriptors.bin"), descriptors.encode_to_vec())?;
    // Events are told by their names.
    let mut config = tonic_prost_build::Config::new();
    config.enable_type_names();
    tonic_prost_build::configure()
        .build_client(false)
        .build_transport(false)
        .out_dir(&out)
        .include_file("mod.rs")
        .compile_fds_with_config(descriptors, config)?;
    Ok(())
}
