//! The commands, one in each file: what it may be told, and what it does.

pub(crate) mod check;
pub(crate) mod completions;
pub(crate) mod create;
pub(crate) mod info;
pub(crate) mod init;
pub(crate) mod label;
pub(crate) mod ls;
pub(crate) mod man;
pub(crate) mod namespaces;
pub(crate) mod rm;
pub(crate) mod update;
