//! Ends a mirror in an orderly way when a signal asks for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;

/// The signals of a user, and of what runs services.
const SIGNALS: [i32; 2] = [SIGINT, SIGTERM];

/// How long an orderly end may take, such as when etcd does not answer.
const END_MAX: Duration = Duration::from_secs(5);

/// Returns what becomes true when a signal asks the program to end. A second signal ends it at once, and so does the
/// first after some seconds.
pub(crate) fn asked_for() -> Arc<AtomicBool> {
    let is_asked = Arc::new(AtomicBool::new(false));
    // If this fails, the signals end the program as usual, and the lease runs out.
    let Ok(mut signals) = Signals::new(SIGNALS) else {
        return is_asked;
    };
    let asked = Arc::clone(&is_asked);
    thread::spawn(move || {
        for signal in signals.forever() {
            if asked.swap(true, Ordering::Relaxed) {
                let _ = emulate_default_handler(signal);
            }
            thread::spawn(move || {
                thread::sleep(END_MAX);
                let _ = emulate_default_handler(signal);
            });
        }
    });
    is_asked
}
