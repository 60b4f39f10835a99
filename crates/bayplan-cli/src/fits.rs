//! The global options that each command accepts.
//!
//! An option that has no meaning for a command is refused, since the user expected an effect.

use crate::cli::{Cli, Command, ContainerCommand, ToolCommand};
use crate::failure::{Failure, Result};

/// Refuses options that the command cannot honour.
pub(crate) fn check(cli: &Cli) -> Result<()> {
    let misfits = [
        cli.global
            .namespace
            .as_ref()
            .and_then(|_| against_namespace(&cli.command)),
        cli.global.rules.and_then(|_| against_rules(&cli.command)),
    ];
    match misfits.into_iter().flatten().next() {
        Some(misfit) => Err(Failure::new(misfit.why).because(misfit.advice)),
        None => Ok(()),
    }
}

/// Why an option is refused, and what to do instead.
struct Misfit {
    why: &'static str,
    advice: &'static str,
}

const TWO_NAMESPACES: Misfit = Misfit {
    why: "-n names one namespace, and -A means all",
    advice: "leave one of them out",
};

const WHOLE_STORE: Misfit = Misfit {
    why: "-n cannot be used here: the command is about the whole store",
    advice: "leave it out; `bayplan dump -n NAME` writes one namespace",
};

fn against_namespace(command: &Command) -> Option<Misfit> {
    let misfit = match command {
        Command::Container(ContainerCommand::Ls(args))
        | Command::Containers(ContainerCommand::Ls(args))
            if args.all_namespaces =>
        {
            TWO_NAMESPACES
        }
        Command::Container(ContainerCommand::Watch(args))
        | Command::Containers(ContainerCommand::Watch(args))
            if args.all_namespaces =>
        {
            TWO_NAMESPACES
        }
        Command::Container(ContainerCommand::Why(args))
        | Command::Containers(ContainerCommand::Why(args))
            if args.all_namespaces =>
        {
            TWO_NAMESPACES
        }
        Command::Container(_)
        | Command::Containers(_)
        | Command::Records(_)
        | Command::Tool(ToolCommand::Diff(_) | ToolCommand::Dump(_) | ToolCommand::Hash(_)) => {
            return None;
        }
        Command::Namespaces(_) => Misfit {
            why: "-n cannot be used here: `namespaces` is about all of them",
            advice: "leave it out, and name the namespace behind the command",
        },
        Command::Init(_)
        | Command::Check(_)
        | Command::Tool(
            ToolCommand::Stats(_)
            | ToolCommand::Share(_)
            | ToolCommand::Compact(_)
            | ToolCommand::Backup(_)
            | ToolCommand::Restore(_)
            | ToolCommand::Load(_)
            | ToolCommand::Import(_)
            | ToolCommand::Export(_)
            | ToolCommand::Salvage(_),
        ) => WHOLE_STORE,
        #[cfg(feature = "serve")]
        Command::Tool(ToolCommand::Serve(_)) => WHOLE_STORE,
        Command::Completions(_) | Command::Man(_) => Misfit {
            why: "-n cannot be used here: the command opens no store",
            advice: "leave it out",
        },
    };
    Some(misfit)
}

fn against_rules(command: &Command) -> Option<Misfit> {
    let misfit = match command {
        // An import makes a store as init does. Salvage needs rules if the file has lost its own.
        Command::Init(_)
        | Command::Container(
            ContainerCommand::Update(_) | ContainerCommand::Edit(_) | ContainerCommand::Label(_),
        )
        | Command::Containers(
            ContainerCommand::Update(_) | ContainerCommand::Edit(_) | ContainerCommand::Label(_),
        )
        | Command::Tool(ToolCommand::Import(_) | ToolCommand::Salvage(_)) => return None,
        #[cfg(feature = "serve")]
        Command::Tool(ToolCommand::Serve(_)) => return None,
        Command::Tool(ToolCommand::Load(_)) => Misfit {
            why: "--rules cannot be used here: the new store has the rules of the one that was \
                  dumped",
            advice: "to change them, edit `rules` in the first line of the dump, and remove \
                     `crc32` from the last",
        },
        Command::Tool(ToolCommand::Restore(_)) => Misfit {
            why: "--rules cannot be used here: the new store has the rules of the backup",
            advice: "to change them, dump the backup, edit `rules` in the first line, remove \
                     `crc32` from the last, and load that",
        },
        Command::Container(_)
        | Command::Containers(_)
        | Command::Namespaces(_)
        | Command::Records(_)
        | Command::Check(_)
        | Command::Tool(_)
        | Command::Completions(_)
        | Command::Man(_) => Misfit {
            why: "--rules cannot be used here: they say what an update may change",
            advice: "leave it out; `init`, `import`, `update`, `edit`, `label` and `salvage` take it",
        },
    };
    Some(misfit)
}
