//! Panics: those that the library catches are silent and counted. None may reach the test.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;
use std::sync::atomic::{AtomicUsize, Ordering};

thread_local! {
    static QUIET: Cell<bool> = const { Cell::new(false) };
}

static SEEN: AtomicUsize = AtomicUsize::new(0);

/// How many panics there were inside [`quietly`], caught by the library or not.
pub(crate) fn panics_inside() -> usize {
    SEEN.load(Ordering::Relaxed)
}

/// Runs `work` without printing panics; an error means that one reached this caller.
pub(crate) fn quietly<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let others = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if QUIET.get() {
                SEEN.fetch_add(1, Ordering::Relaxed);
                if std::env::var_os("BAYPLAN_SHOW_PANICS").is_some() {
                    others(panic);
                }
            } else {
                others(panic);
            }
        }));
    });
    QUIET.set(true);
    let result = catch_unwind(AssertUnwindSafe(work));
    QUIET.set(false);
    result.map_err(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
            .unwrap_or_default()
    })
}
