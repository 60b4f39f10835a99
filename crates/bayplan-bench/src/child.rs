//! Work in a new process: this program runs itself.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;

use anyhow::{Result, bail, ensure};

use crate::{contestants, instructions, memory};

/// The first word of a process that lists a store, and answers with the peak of its memory in bytes.
const LIST: &str = "--child-list";

/// The first word of a process that opens a store, creates a container and closes the store, and answers
/// with how long that took, in nanoseconds.
const VERB: &str = "--child-verb";

/// The most memory that a process holds which lists the store of this contestant, in bytes.
pub(crate) fn list_peak_bytes(name: &str, directory: &Path) -> Result<u64> {
    answer(&[LIST.as_ref(), name.as_ref(), directory.as_ref()])
}

/// How long a process takes to open the store, to create this container and to close the store.
pub(crate) fn verb_nanos(name: &str, directory: &Path, number: usize) -> Result<u64> {
    let number = number.to_string();
    answer(&[
        VERB.as_ref(),
        name.as_ref(),
        directory.as_ref(),
        number.as_ref(),
    ])
}

fn answer(words: &[&OsStr]) -> Result<u64> {
    let output = Command::new(std::env::current_exe()?)
        .args(words)
        .output()?;
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "a process of its own failed: {errors}"
    );
    Ok(String::from_utf8_lossy(&output.stdout).trim().parse()?)
}

/// Does what these words ask of a child; false if they are not for one.
pub(crate) fn work(words: &[String]) -> Result<bool> {
    let Some((word, rest)) = words.split_first() else {
        return Ok(false);
    };
    match (word.as_str(), rest) {
        (LIST, [name, directory]) => {
            contestants::peer(name)?.list_with_small_cache(Path::new(directory))?;
            println!("{}", memory::peak_bytes()?);
        }
        (VERB, [name, directory, number]) => {
            let nanos = contestants::peer(name)?.verb(Path::new(directory), number.parse()?)?;
            println!("{nanos}");
        }
        (LIST | VERB, _) => bail!("{word} takes other words"),
        (instructions::CHILD, rest) => instructions::work(rest)?,
        _ => return Ok(false),
    }
    Ok(true)
}
