//! Cleans up when a signal ends a command.
//!
//! If the file system supports it, a new file has no name until it is complete, and nothing is left
//! whatever ends the program. Elsewhere (most network file systems) it has a hidden name until then. Such
//! files are removed here before the signal ends the program as usual. So are those that are named to [`register`].

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::{process, thread};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;

/// The signals of a user, a closed terminal, and a system shutdown.
const SIGNALS: [i32; 3] = [SIGHUP, SIGINT, SIGTERM];

/// Where Linux shows what this process has open.
const HANDLES: &str = "/proc/self/fd";

/// Files that are recognized by nothing else.
static REGISTERED: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

/// Has a file removed as well, if it still has this name then. A file that got its first name when it was open
/// already is shown without that name.
pub(crate) fn register(path: &Path) {
    let mut registered = REGISTERED.lock().unwrap_or_else(PoisonError::into_inner);
    registered.push(path.to_owned());
}

/// From now on, removes unfinished files before one of the signals ends the program.
pub(crate) fn remove_when_ended() {
    let ignored = ignored(&fs::read_to_string("/proc/self/status").unwrap_or_default());
    // Signals that the parent ignores, as with nohup, stay ignored.
    let awaited = SIGNALS
        .into_iter()
        .filter(|signal| ignored & (1 << (signal - 1)) == 0);
    // If this fails, the signals end the program as usual.
    let Ok(mut signals) = Signals::new(awaited) else {
        return;
    };
    thread::spawn(move || {
        for signal in signals.forever() {
            #[cfg(feature = "browse")]
            crate::command::browse::restore_terminal();
            let registered = REGISTERED.lock().unwrap_or_else(PoisonError::into_inner);
            for path in registered.iter().chain(&unfinished(Path::new(HANDLES))) {
                let _ = fs::remove_file(path);
            }
            let _ = emulate_default_handler(signal);
        }
    });
}

/// The signals that are ignored, one bit for each.
fn ignored(status: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    line.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .unwrap_or(0)
}

/// The open files of this process with the name of an unfinished one. Other files with such names belong to
/// other processes.
fn unfinished(handles: &Path) -> Vec<PathBuf> {
    let Ok(handles) = fs::read_dir(handles) else {
        return Vec::new();
    };
    let targets = handles.filter_map(|handle| fs::read_link(handle.ok()?.path()).ok());
    // As `boltfile` names them.
    let of_export = format!(".{}-", process::id());
    let is_unfinished = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str());
        name.is_some_and(|name| {
            name.starts_with(".bayplan-") && name.ends_with(".new")
                || name.starts_with('.') && name.contains(&of_export) && name.ends_with(".tmp")
        })
    };
    targets.filter(is_unfinished).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_this_process_has_open_and_not_finished_is_removed() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        let own = fs::File::create(path(".bayplan-a.new")).unwrap();
        fs::write(path(".bayplan-b.new"), "of another process").unwrap();
        let finished = fs::File::create(path("meta.redb")).unwrap();
        let expected = fs::canonicalize(path(".bayplan-a.new")).unwrap();
        assert_eq!(unfinished(Path::new(HANDLES)), [expected]);
        drop((own, finished));
        let writer = boltfile::Writer::create(path("meta.db")).unwrap();
        let [written] = &unfinished(Path::new(HANDLES))[..] else {
            panic!("the file of an export is not found");
        };
        fs::remove_file(written).unwrap();
        drop(writer);
        assert!(unfinished(Path::new(HANDLES)).is_empty());
        assert!(unfinished(Path::new("/nowhere")).is_empty());
    }

    #[test]
    fn ignored_signals_are_read_from_the_status() {
        let status = "Name:\tbayplan\nSigIgn:\t0000000000000003\nSigCgt:\t0000000000000000\n";
        assert_eq!(ignored(status), 1 << (SIGHUP - 1) | 1 << (SIGINT - 1));
        assert_eq!(ignored(""), 0);
    }
}
