//! Where and of what a run was made.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use anyhow::Result;

use crate::results::quantile;
use crate::table;

/// The lines that stand above a table.
pub(crate) fn describe(directory: &Path) -> Vec<String> {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let sync = sync_us(directory).map_or_else(|_| "unknown".to_owned(), table::time);
    vec![
        format!("{}, {cores} cores, {} of memory", cpu(), memory()),
        format!(
            "Linux {}, {}, append of 8 KiB and fdatasync {sync}",
            kernel.trim(),
            filesystem(directory)
        ),
        format!(
            "{}, commit {}",
            chrono::Utc::now().date_naive(),
            commit().unwrap_or_else(|| "unknown".to_owned())
        ),
        versions(),
    ]
}

fn cpu() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info
        .lines()
        .find_map(|line| line.strip_prefix("model name"));
    let model = model.and_then(|line| line.split_once(':'));
    model.map_or_else(|| "unknown CPU".to_owned(), |(_, name)| name.trim().into())
}

fn memory() -> String {
    let info = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let total = info.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    let kibibytes: f64 = total
        .and_then(|line| line.split_whitespace().next()?.parse().ok())
        .unwrap_or_default();
    format!("{:.0} GiB", kibibytes / 1024.0 / 1024.0)
}

/// The type of the filesystem that the directory is on.
fn filesystem(directory: &Path) -> String {
    let mounts = fs::read_to_string("/proc/mounts").unwrap_or_default();
    let directory = directory.canonicalize().unwrap_or_default();
    let mounted = mounts.lines().filter_map(|line| {
        let mut words = line.split(' ').skip(1);
        let place = words.next()?;
        directory
            .starts_with(place)
            .then_some((place.len(), words.next()?))
    });
    let (_, name) = mounted.max().unwrap_or((0, "unknown filesystem"));
    name.to_owned()
}

/// The median time of the least that a durable write takes.
fn sync_us(directory: &Path) -> Result<f64> {
    const TIMES: usize = 100;
    let path = directory.join("sync-probe");
    let mut file = File::create(&path)?;
    let mut nanos = Vec::with_capacity(TIMES);
    for _ in 0..TIMES {
        let start = Instant::now();
        file.write_all(&[7; 8192])?;
        file.sync_data()?;
        nanos.push(start.elapsed().as_nanos() as u64);
    }
    fs::remove_file(path)?;
    Ok(quantile(&nanos, 0.5) / 1e3)
}

fn commit() -> Option<String> {
    let output = Command::new("git")
        .args(["-C", env!("CARGO_MANIFEST_DIR")])
        .args(["describe", "--always", "--dirty", "--exclude=*"])
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    (output.status.success()).then(|| text.trim().to_owned())
}

/// The versions of the contestants' libraries in the lock file.
fn versions() -> String {
    const LOCK: &str = include_str!("../Cargo.lock");
    let names = ["bayplan", "redb", "rusqlite", "heed", "fjall"];
    let version = |name: &str| {
        let (_, rest) = LOCK.split_once(&format!("name = \"{name}\"\nversion = \""))?;
        let (version, _) = rest.split_once('"')?;
        Some(format!("{name} {version}"))
    };
    let versions: Vec<_> = names.into_iter().filter_map(version).collect();
    versions.join(", ")
}
