//! What some suites need from the machine: a mount, a tool, a namespace.
//!
//! On a developer's machine that lacks it, the suite says so and is skipped. CI must have it: its output is not read,
//! so a skipped suite would go unnoticed.

use std::ffi::OsStr;
use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

/// Says that a suite is skipped, and why.
///
/// # Panics
///
/// In CI, that is, if the variable `CI` is set and not empty.
#[track_caller]
pub(crate) fn skip(suite: &str, why: impl Display) {
    let ci = std::env::var_os("CI");
    assert!(
        may_skip(ci.as_deref()),
        "{suite}: {why}; CI must not skip it"
    );
    crate::seed::tell(format_args!("{suite}: skipped: {why}"));
}

fn may_skip(ci: Option<&OsStr>) -> bool {
    ci.is_none_or(OsStr::is_empty)
}

/// A small disk in memory. It is unmounted when it is dropped.
#[derive(Debug)]
pub(crate) struct Tmpfs(TempDir);

impl Tmpfs {
    /// `None` if the suite is skipped because nothing can be mounted.
    #[track_caller]
    pub(crate) fn mount(suite: &str, size: &str) -> Option<Self> {
        let directory = tempfile::tempdir().unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={size}"), "bayplan-test"])
            .arg(directory.path())
            .stderr(Stdio::null())
            .status();
        if mounted.is_ok_and(|status| status.success()) {
            return Some(Self(directory));
        }
        skip(suite, "a tmpfs cannot be mounted");
        None
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Tmpfs {
    /// Remounts it with other options.
    #[track_caller]
    pub(crate) fn remount(&self, options: &str) {
        let options = format!("remount,{options}");
        mount(&["-o", &options], self.path());
    }
}

/// A file that is mounted over another one, until this is dropped.
#[derive(Debug)]
pub(crate) struct Bound(PathBuf);

impl Bound {
    /// A process that has a [`Tmpfs`] may mount.
    #[track_caller]
    pub(crate) fn at(from: &Path, to: &Path) -> Self {
        mount(&["--bind", from.to_str().unwrap()], to);
        Self(to.to_owned())
    }
}

impl Drop for Bound {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[track_caller]
fn mount(options: &[&str], at: &Path) {
    let mounted = Command::new("mount")
        .args(options)
        .arg(at)
        .output()
        .unwrap();
    assert!(mounted.status.success(), "{mounted:?}");
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.path()).status();
    }
}

#[test]
fn a_suite_is_skipped_only_outside_ci() {
    assert!(may_skip(None));
    assert!(may_skip(Some(OsStr::new(""))));
    assert!(!may_skip(Some(OsStr::new("true"))));
}
