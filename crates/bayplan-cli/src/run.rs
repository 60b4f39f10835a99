//! From arguments to an exit code, without a process.

use std::ffi::OsString;
use std::io::{Read, Write};

use clap::Parser;
use clap::error::ErrorKind;

use crate::cli::{Cli, Command, ContainerCommand, Global, ToolCommand};
use crate::command::{
    backup, check, compact, completions, create, diff, dump, edit, export, hash, import, info,
    init, label, load, ls, man, namespaces, records, restore, rm, salvage, share, stats, update,
    watch, why,
};
use crate::failure::{Exit, Result, printed, say};
use crate::spool::Spool;
use crate::style::Style;
use crate::{fits, unfinished};

/// The streams of a command.
pub(crate) struct Io<'a> {
    pub(crate) input: &'a mut dyn Read,
    pub(crate) out: &'a mut dyn Write,
    pub(crate) err: &'a mut dyn Write,
    pub(crate) terminals: Terminals,
    /// Whether the reader of the output can let this process wait.
    pub(crate) may_wait: bool,
}

/// Which of them are terminals, and what the output takes.
#[derive(Clone, Copy)]
pub(crate) struct Terminals {
    pub(crate) out: bool,
    pub(crate) err: bool,
    pub(crate) style: Style,
}

/// Runs the command of these arguments, and reports its failure.
pub(crate) fn run(args: impl IntoIterator<Item = OsString>, io: &mut Io<'_>) -> Exit {
    let done = match Cli::try_parse_from(args) {
        Ok(cli) => command(cli, io),
        Err(error) => usage(&error, io),
    };
    // Output from before a failure is wanted as well.
    let flushed = io.out.flush().map_err(Into::into);
    match done.and_then(|exit| printed(flushed, exit)) {
        Ok(exit) => exit,
        Err(failure) => {
            failure.report(io.err);
            failure.exit()
        }
    }
}

fn command(cli: Cli, io: &mut Io<'_>) -> Result<Exit> {
    fits::check(&cli)?;
    // A server has its own way to end.
    #[cfg(feature = "serve")]
    let is_server = matches!(cli.command, Command::Tool(ToolCommand::Serve(_)));
    #[cfg(not(feature = "serve"))]
    let is_server = false;
    if !is_server {
        unfinished::remove_when_ended();
    }
    let global = &cli.global;
    let is_check = matches!(cli.command, Command::Check(_));
    let exit = match cli.command {
        Command::Init(args) => init::run(args, global),
        Command::Container(command) | Command::Containers(command) => {
            container(command, global, io)
        }
        Command::Namespaces(args) => namespaces::run(args, global, io),
        Command::Records(args) => records::run(args, global, io),
        Command::Check(args) => check::run(args, global, io),
        Command::Tool(command) => tool(command, global, io),
        Command::Completions(args) => completions::run(args, io),
        Command::Man(args) => man::run(args, io),
    };
    if let Some(note) = global.copied.get() {
        say(io.err, note);
    }
    // It reports damage itself.
    if global.damage.get().is_none() || is_check {
        return exit;
    }
    let text = "pages of the file are damaged, so something may be missing here: `bayplan check` \
                tells more";
    say(io.err, text);
    match exit {
        Ok(exit) => Ok(exit.max(Exit::Damaged)),
        Err(failure) => printed(Err(failure), Exit::Damaged),
    }
}

fn container(command: ContainerCommand, global: &Global, io: &mut Io<'_>) -> Result<Exit> {
    match command {
        ContainerCommand::Create(args) => create::run(args, global, io),
        ContainerCommand::Ls(args) => ls::run(args, global, io),
        ContainerCommand::Info(args) => info::run(args, global, io),
        ContainerCommand::Label(args) => label::run(args, global, io),
        ContainerCommand::Update(args) => update::run(args, global, io),
        ContainerCommand::Edit(args) => edit::run(args, global, io),
        ContainerCommand::Rm(args) => rm::run(args, global, io),
        ContainerCommand::Watch(args) => watch::run(args, global, io),
        ContainerCommand::Why(args) => why::run(args, global, io),
        #[cfg(feature = "browse")]
        ContainerCommand::Browse(args) => crate::command::browse::run(args, global, io),
    }
}

fn tool(command: ToolCommand, global: &Global, io: &mut Io<'_>) -> Result<Exit> {
    match command {
        ToolCommand::Stats(args) => stats::run(args, global, io),
        ToolCommand::Share(args) => share::run(args, global, io),
        ToolCommand::Compact(args) => compact::run(args, global, io),
        ToolCommand::Backup(args) => backup::run(args, global, io),
        ToolCommand::Restore(args) => restore::run(args, global, io),
        ToolCommand::Dump(args) => dump::run(args, global, io),
        ToolCommand::Load(args) => load::run(args, global, io),
        ToolCommand::Diff(args) => diff::run(args, global, io),
        ToolCommand::Hash(args) => hash::run(args, global, io),
        ToolCommand::Import(args) => import::run(args, global, io),
        ToolCommand::Export(args) => export::run(args, global, io),
        ToolCommand::Salvage(args) => salvage::run(args, global, io),
        #[cfg(feature = "serve")]
        ToolCommand::Serve(args) => crate::command::serve::run(args, global, io),
    }
}

/// Runs a command that may print much, and prints it when the command is done with the store.
pub(crate) fn kept_back(
    io: &mut Io<'_>,
    command: impl FnOnce(&mut Io<'_>) -> Result<Exit>,
) -> Result<Exit> {
    if !io.may_wait {
        return command(io);
    }
    let mut out = Spool::new();
    let mut err = Vec::new();
    let done = command(&mut Io {
        input: &mut *io.input,
        out: &mut out,
        err: &mut err,
        terminals: io.terminals,
        may_wait: false,
    });
    let copied = out.copy_to(io.out).and_then(|()| Ok(io.out.flush()?));
    let _ = io.err.write_all(&err);
    done.and_then(|exit| printed(copied, exit))
}

/// Prints help, or what is wrong with the arguments.
fn usage(error: &clap::Error, io: &mut Io<'_>) -> Result<Exit> {
    let text = error.render().to_string();
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            match io.terminals.style.is_on() {
                true => write!(io.out, "{}", error.render().ansi())?,
                false => write!(io.out, "{text}")?,
            }
            Ok(Exit::Done)
        }
        _ => {
            let text = match text.strip_prefix("error: ") {
                Some(rest) => format!("bayplan: {rest}"),
                None => text,
            };
            let _ = write!(io.err, "{text}");
            Ok(Exit::Failed)
        }
    }
}
