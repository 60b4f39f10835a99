//! Every limit of input, in one place, each with its unit in its name.
//!
//! A limit is checked before anything is written. [`Db::check`](crate::Db::check) checks stored values again.

/// Longest container id or namespace name, in bytes (containerd's `identifiers` package).
pub const IDENTIFIER_MAX_BYTES: usize = 76;

/// Longest id of a record of a kind other than containers, in bytes. Image references fit.
pub const RECORD_ID_MAX_BYTES: usize = 512;

/// Largest label: key and value together, in bytes (containerd's `labels` package).
pub const LABEL_MAX_BYTES: usize = 4096;

/// Most labels on one container or namespace. containerd has no such limit.
pub const LABELS_MAX_COUNT: usize = 16_384;

/// Longest extension name, in bytes. containerd has no such limit.
pub const EXTENSION_NAME_MAX_BYTES: usize = 4096;

/// Most extensions on one container. containerd has no such limit.
pub const EXTENSIONS_MAX_COUNT: usize = 4096;

/// All extensions of one container together, names and type URLs included, in bytes. They are one value in
/// the file. containerd has no such limit.
pub const EXTENSIONS_MAX_BYTES: usize = 64 * 1024 * 1024;

/// Longest single text field (`image`, `runtime.name`, `snapshotter`, `snapshot_key`,
/// `sandbox_id`) and longest type URL of an [`Any`](crate::Any), in bytes.
pub const TEXT_MAX_BYTES: usize = 64 * 1024;

/// Largest value of one [`Any`](crate::Any) (the spec, an extension, the runtime's options), in
/// bytes.
pub const ANY_MAX_BYTES: usize = 16 * 1024 * 1024;

/// Largest encoded value in the file, in bytes; the most that the decoder allocates.
pub(crate) const ENCODED_MAX_BYTES: usize = 128 * 1024 * 1024;

const _: () = assert!(ENCODED_MAX_BYTES > LABELS_MAX_COUNT * (LABEL_MAX_BYTES + 16));
const _: () = assert!(ENCODED_MAX_BYTES > EXTENSIONS_MAX_BYTES + EXTENSIONS_MAX_COUNT * 32);
const _: () = assert!(ENCODED_MAX_BYTES > ANY_MAX_BYTES + 8 * TEXT_MAX_BYTES);

/// The longest filter, in bytes.
pub const FILTER_MAX_BYTES: usize = 64 * 1024;

/// The most regular expressions in the filters of one list. It bounds the memory that a hostile list can
/// take: this many times [`PATTERN_COMPILED_MAX_BYTES`] and [`PATTERN_CACHE_MAX_BYTES`].
pub const PATTERNS_MAX_COUNT: usize = 64;

/// The most character classes that need a Unicode table in the regular expressions of one list: classes by
/// property (`\pL`), and every class that ignores case. They are slow to compile.
pub const PATTERN_CLASSES_MAX_COUNT: usize = 256;

/// The most memory that one compiled regular expression may take, in bytes.
pub const PATTERN_COMPILED_MAX_BYTES: usize = 4 * 1024 * 1024;

/// The most memory that matching one regular expression may use as a cache, in bytes per thread.
pub const PATTERN_CACHE_MAX_BYTES: usize = 512 * 1024;

/// How deep groups and repetitions of a regular expression may nest.
pub const PATTERN_DEPTH_MAX: u32 = 100;

/// The highest count in a repetition such as `x{1000}`, nested repetitions multiplied.
pub const PATTERN_REPEAT_MAX: u32 = 1000;

/// Longest text of one field path, in bytes.
pub const FIELD_PATH_MAX_BYTES: usize = 8 * 1024;

/// Longest line of a dump, in bytes, without its line feed. A container that needs a longer one can be
/// backed up but not dumped.
pub const DUMP_LINE_MAX_BYTES: usize = 128 * 1024 * 1024;

const _: () = assert!(IDENTIFIER_MAX_BYTES < LABEL_MAX_BYTES);
const _: () = assert!(EXTENSION_NAME_MAX_BYTES < FIELD_PATH_MAX_BYTES);
const _: () = assert!(LABEL_MAX_BYTES < FIELD_PATH_MAX_BYTES);
const _: () = assert!(ANY_MAX_BYTES > TEXT_MAX_BYTES);
const _: () = assert!(DUMP_LINE_MAX_BYTES > 4 * ANY_MAX_BYTES);
const _: () = assert!(IDENTIFIER_MAX_BYTES < RECORD_ID_MAX_BYTES);
const _: () = assert!(EXTENSIONS_MAX_BYTES > 2 * ANY_MAX_BYTES);
