//! Every limit of the store, in one place, each with its unit as the last word of its name.
//!
//! A limit is checked before anything is written, and again when bytes are read back.

/// Longest container id or namespace name, in bytes (containerd's `identifiers` package).
pub const IDENTIFIER_MAX_BYTES: usize = 76;

/// Largest label: key and value together, in bytes (containerd's `labels` package).
pub const LABEL_MAX_BYTES: usize = 4096;

/// Most labels on one container or namespace. containerd has no such limit.
pub const LABELS_MAX_COUNT: usize = 16_384;

/// Longest extension name, in bytes. containerd has no such limit.
pub const EXTENSION_NAME_MAX_BYTES: usize = 4096;

/// Most extensions on one container. containerd has no such limit.
pub const EXTENSIONS_MAX_COUNT: usize = 4096;

/// Longest single text field (`image`, `runtime.name`, `snapshotter`, `snapshot_key`,
/// `sandbox_id`) and longest type URL of an [`Any`](crate::Any), in bytes.
pub const TEXT_MAX_BYTES: usize = 64 * 1024;

/// Largest value of one [`Any`](crate::Any) (the spec, an extension, the runtime's options), in
/// bytes.
pub const ANY_MAX_BYTES: usize = 16 * 1024 * 1024;

/// Largest encoded value in the file, in bytes; what the decoder is allowed to allocate for.
pub(crate) const ENCODED_MAX_BYTES: usize = ANY_MAX_BYTES + 8 * TEXT_MAX_BYTES;

/// Longest text of one filter, in bytes.
pub const FILTER_MAX_BYTES: usize = 64 * 1024;

/// Longest text of one field path, in bytes.
pub const FIELD_PATH_MAX_BYTES: usize = 8 * 1024;

const _: () = assert!(IDENTIFIER_MAX_BYTES < LABEL_MAX_BYTES);
const _: () = assert!(EXTENSION_NAME_MAX_BYTES < FIELD_PATH_MAX_BYTES);
const _: () = assert!(LABEL_MAX_BYTES < FIELD_PATH_MAX_BYTES);
const _: () = assert!(ANY_MAX_BYTES > TEXT_MAX_BYTES);
