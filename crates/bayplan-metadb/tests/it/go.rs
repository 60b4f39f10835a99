//! The real bbolt, if the machine has Go and its sources.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// Where Debian puts the sources of Go packages.
const GOPATH: &str = "/usr/share/gocode";

/// Says that something is left out.
///
/// # Panics
///
/// In CI, where the variable `CI` is set and not empty: nobody reads there that a suite was left out.
#[track_caller]
pub(crate) fn left_out(suite: &str, why: &str) {
    let is_ci = env::var_os("CI").is_some_and(|ci| !ci.is_empty());
    assert!(!is_ci, "{suite}: {why}; CI must not leave it out");
    eprintln!("{suite}: left out: {why}");
}

fn program() -> Option<&'static Path> {
    static PROGRAM: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    match PROGRAM.get_or_init(build) {
        Ok(program) => Some(program),
        Err(why) => {
            left_out("bbolt", why);
            None
        }
    }
}

fn build() -> Result<PathBuf, String> {
    if !Path::new(GOPATH).join("src/go.etcd.io/bbolt").exists() {
        return Err("its sources are missing (Debian: golang-github-coreos-bbolt-dev)".into());
    }
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join("metadb-bbolt");
    let output = Command::new("go")
        .args(["build", "-o"])
        .arg(&program)
        .arg("main.go")
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/go"))
        .env("GO111MODULE", "off")
        .env("GOPATH", GOPATH)
        .output()
        .map_err(|error| format!("go does not run (Debian: golang-go): {error}"))?;
    let errors = String::from_utf8_lossy(&output.stderr);
    // A program that does not build is a fault, wherever Go is.
    assert!(output.status.success(), "{errors}");
    Ok(program)
}

#[track_caller]
fn run(verb: &str, path: &Path) -> bool {
    let Some(program) = program() else {
        return false;
    };
    let output = Command::new(program).arg(verb).arg(path).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{verb}: {errors}");
    true
}

/// bbolt's own check accepts the file.
#[track_caller]
pub(crate) fn check(path: &Path) {
    run("check", path);
}

/// Has bbolt write to the file without a freelist. `false` if there is no bbolt.
#[track_caller]
pub(crate) fn drop_freelist(path: &Path) -> bool {
    run("nofreelist", path)
}
