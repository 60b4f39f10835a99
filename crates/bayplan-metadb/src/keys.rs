//! containerd's schema: which keys there are, and what they have.
//!
//! Buckets end in `/`. Keys in angle brackets stand for any number of keys.
//!
//! ```text
//! v1/
//!   version                 varint (zig-zag): the version of the schema
//!   <namespace>/
//!     labels/<key>          text
//!     containers/<id>/
//!       createdat           time, see `time`
//!       extensions/<name>   Any, see `any`
//!       image               text
//!       labels/<key>        text
//!       runtime/
//!         name              text
//!         options           Any
//!       sandboxid           text
//!       snapshotKey         text
//!       snapshotter         text
//!       spec                Any
//!       updatedat           time
//!     images/<name>/        counted only, like the following
//!     content/blob/<digest>/
//!     content/ingests/<reference>/
//!     snapshots/<snapshotter>/<key>/
//!     leases/<id>/
//!     sandboxes/<id>/
//! <namespace>/sandboxes/<id>/   where containerd 1.7 kept sandboxes, counted only
//! ```
//!
//! Any of these keys may be missing. containerd writes `extensions`, `labels`, `options` and `sandboxid` only if there
//! is something in them, and the other keys of a container always.
//!
//! Versions 1 to 4 and files without a version have the same layout of namespaces, labels and containers.

/// The bucket of everything.
pub(crate) const ROOT: &[u8] = b"v1";
/// The version of the schema. No namespace can have this name.
pub(crate) const VERSION: &[u8] = b"version";
/// The latest version that is read.
pub(crate) const VERSION_MAX: i64 = 4;
/// The version that is written: containerd 1.4 to 1.7 have it, and later versions migrate it.
pub(crate) const VERSION_WRITTEN: i64 = 3;

const _: () = assert!(VERSION_WRITTEN <= VERSION_MAX);

// In a namespace.
pub(crate) const CONTAINERS: &[u8] = b"containers";
pub(crate) const CONTENT: &[u8] = b"content";
pub(crate) const SNAPSHOTS: &[u8] = b"snapshots";

// In a namespace and in a container.
pub(crate) const LABELS: &[u8] = b"labels";

// In a container.
pub(crate) const CREATED_AT: &[u8] = b"createdat";
pub(crate) const EXTENSIONS: &[u8] = b"extensions";
pub(crate) const IMAGE: &[u8] = b"image";
pub(crate) const RUNTIME: &[u8] = b"runtime";
pub(crate) const SANDBOX_ID: &[u8] = b"sandboxid";
pub(crate) const SNAPSHOT_KEY: &[u8] = b"snapshotKey";
pub(crate) const SNAPSHOTTER: &[u8] = b"snapshotter";
pub(crate) const SPEC: &[u8] = b"spec";
pub(crate) const UPDATED_AT: &[u8] = b"updatedat";

// In `runtime`.
pub(crate) const NAME: &[u8] = b"name";
pub(crate) const OPTIONS: &[u8] = b"options";
