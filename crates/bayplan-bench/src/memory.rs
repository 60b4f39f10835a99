//! How much memory a process holds.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

/// The word by which this program knows that it is the child of itself.
pub(crate) const CHILD: &str = "--child-list";

/// The peak of a new process that lists the store of this contestant.
pub(crate) fn peak_of_child(name: &str, directory: &Path) -> Result<u64> {
    let output = Command::new(std::env::current_exe()?)
        .arg(CHILD)
        .arg(name)
        .arg(directory)
        .output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    ensure!(
        output.status.success(),
        "the listing process of {name} failed: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(text.trim().parse()?)
}

/// The most bytes that this process has held.
pub(crate) fn peak_bytes() -> Result<u64> {
    status("VmHWM:")
}

/// Lets the peak be what this process holds now.
pub(crate) fn forget_peak() -> Result<()> {
    const PEAK: &str = "5";
    Ok(std::fs::write("/proc/self/clear_refs", PEAK)?)
}

fn status(field: &str) -> Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix(field));
    let kibibytes: u64 = line
        .and_then(|line| line.split_whitespace().next())
        .with_context(|| format!("no {field} in the status of the process"))?
        .parse()?;
    Ok(kibibytes * 1024)
}
