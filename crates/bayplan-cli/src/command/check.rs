//! `bayplan check`

use bayplan::Damage;

use crate::cli::Global;
use crate::failure::{Exit, Result};
use crate::run::Io;
use crate::summary;
use crate::text::visible;

/// Check everything that is stored
///
/// Verifies the checksums of every value and of every page, and every rule, even while another process
/// writes to the file. The file is not changed. If anything is damaged, the exit code is 2, and each damage
/// has a line after the summary.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  bayplan check
  bayplan check > /dev/null || echo 'restore a backup'")]
pub(crate) struct Args {}

pub(crate) fn run(_: Args, global: &Global, io: &mut Io<'_>) -> Result<Exit> {
    let db = global.open_to_read()?;
    let info = db.info();
    let report = db.check()?;
    let is_of_file = |damage: &Damage| damage.namespace.is_empty();
    let is_told = report.damages.iter().any(is_of_file);
    let is_damaged = global.damage.get().is_some();
    let pages = match report.pages_verified {
        true => "whole",
        false if is_told || is_damaged => "damaged, something may be missing that cannot be named",
        false => "not verified, the file is written all the time",
    };
    let path = global.path()?;
    let rules = serde_json::to_value(info.rules).unwrap_or_default();
    let mut rows = vec![
        ("file", path.display().to_string()),
        ("store", info.id.to_string()),
        ("created", info.created_at.to_string()),
        ("format", info.format_version.to_string()),
        ("rules", rules.as_str().unwrap_or_default().to_owned()),
        ("namespaces", report.namespaces_count.to_string()),
        ("containers", report.containers_count.to_string()),
    ];
    rows.extend(summary::records(report.records_count));
    if let Some(commits) = report.log_commits {
        let commits = format!("{commits} commits that are not in the file yet");
        rows.push(("log", commits));
    }
    rows.push(("damaged", report.damages.len().to_string()));
    rows.push(("pages", pages.to_string()));
    summary::write(&rows, io.out)?;
    if let Some(damage) = global.damage.get().filter(|_| !is_told) {
        writeln!(io.out, "{}", visible(damage))?;
    }
    for damage in &report.damages {
        writeln!(io.out, "{}", visible(&line(damage)))?;
    }
    Ok(match report.is_healthy() && !is_damaged {
        true => Exit::Done,
        false => Exit::Damaged,
    })
}

fn line(damage: &Damage) -> String {
    let mut line = match (&damage.kind, &damage.id) {
        (Some(kind), Some(id)) => format!("{}/{kind}/{id}", damage.namespace),
        (None, Some(id)) => format!("{}/{id}", damage.namespace),
        _ if damage.namespace.is_empty() => "file".to_owned(),
        _ => damage.namespace.clone(),
    };
    line.push_str(&format!(": {:#}", damage.error));
    line
}
