//! `bayplan browse`
//!
//! `source` reads the store, `app` is what is shown and what keys do to it, `view` draws it.

mod app;
mod cursor;
mod filter;
mod place;
mod source;
mod theme;
mod tree;
mod view;

use std::fs::File;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use ratatui::crossterm::cursor::Show;
use ratatui::crossterm::event::{self, Event, KeyEventKind};
use ratatui::crossterm::execute;
use ratatui::crossterm::terminal::{self, LeaveAlternateScreen};

use self::app::App;
use self::source::Source;
use self::theme::Theme;
use crate::cli::Global;
use crate::failure::{Exit, Failure, Result};
use crate::run::Io;

/// How long to wait for a key before looking for changes.
const PAUSE: Duration = Duration::from_millis(100);

/// How often the screen is drawn if nothing happens: ages rise.
const AGING: Duration = Duration::from_secs(1);

/// Look around in a store on the terminal
///
/// Shows the namespaces, their containers and records, and each one with its specification, as JSON that can be folded.
/// What changes is shown as it happens. Nothing is ever written, and a store that one process has to itself is not
/// kept open: copies of its last commits are shown, so that its host never waits. ? shows the keys.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  bayplan browse
  bayplan browse -n k8s.io --db /var/lib/runtime/meta.redb
  NO_COLOR=1 bayplan browse")]
pub(crate) struct Args {}

pub(crate) fn run(_: Args, global: &Global, io: &mut Io<'_>) -> Result<Exit> {
    if !io.terminals.out {
        return Err(Failure::new("standard output is no terminal")
            .because("to print a list: `bayplan ls -A`; one container: `bayplan info ID`"));
    }
    let source = Source::open(global)?;
    let namespace = global.namespace()?;
    let mut app = App::new(source, Some(&namespace))?;
    if global.named_namespace()?.is_some() && app.here().is_none_or(|it| it.namespace != namespace)
    {
        app.problem = Some(format!("there is no namespace {namespace:?}"));
    }
    let theme = Theme::new(io.terminals.style.is_on());
    let shown = show(&mut app, theme);
    if IS_TAKEN.swap(false, Ordering::SeqCst) {
        ratatui::restore();
    }
    shown.map_err(|error| Failure::new(format!("the terminal cannot be used: {error}")))?;
    Ok(match app.is_damaged {
        true => Exit::Damaged,
        false => Exit::Done,
    })
}

fn show(app: &mut App<'_>, theme: Theme) -> io::Result<()> {
    let mut terminal = ratatui::try_init()?;
    IS_TAKEN.store(true, Ordering::SeqCst);
    let mut drawn: Option<Instant> = None;
    while !app.is_ended {
        if drawn.is_none_or(|drawn| drawn.elapsed() >= AGING) {
            terminal.draw(|frame| view::draw(frame, app, theme))?;
            drawn = Some(Instant::now());
        }
        if event::poll(PAUSE)? {
            drawn = None;
            // All that is there, before anything is drawn: a key that is held down must not queue up.
            loop {
                match event::read()? {
                    Event::Key(key) if key.kind != KeyEventKind::Release => app.press(key),
                    _ => {}
                }
                if app.is_ended || !event::poll(Duration::ZERO)? {
                    break;
                }
            }
        }
        if app.tick() {
            drawn = None;
        }
    }
    Ok(())
}

/// Whether the terminal shows the browser.
static IS_TAKEN: AtomicBool = AtomicBool::new(false);

/// Gives the terminal back when a signal ends the program. Standard output belongs to another thread then.
pub(crate) fn restore_terminal() {
    if IS_TAKEN.swap(false, Ordering::SeqCst) {
        let _ = terminal::disable_raw_mode();
        if let Ok(mut terminal) = File::options().write(true).open("/dev/tty") {
            let _ = execute!(terminal, LeaveAlternateScreen, Show);
        }
    }
}
