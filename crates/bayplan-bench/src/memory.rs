//! How much memory this process holds.

use anyhow::{Context as _, Result};

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
