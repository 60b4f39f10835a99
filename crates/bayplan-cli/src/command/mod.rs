//! The commands, one per file, with their arguments.

pub(crate) mod backup;
pub(crate) mod check;
pub(crate) mod compact;
pub(crate) mod completions;
pub(crate) mod create;
pub(crate) mod dump;
pub(crate) mod export;
pub(crate) mod import;
pub(crate) mod info;
pub(crate) mod init;
pub(crate) mod label;
pub(crate) mod load;
pub(crate) mod ls;
pub(crate) mod man;
pub(crate) mod namespaces;
pub(crate) mod restore;
pub(crate) mod rm;
pub(crate) mod salvage;
pub(crate) mod share;
pub(crate) mod stats;
pub(crate) mod update;
pub(crate) mod watch;
