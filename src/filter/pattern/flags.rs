//! Flags: `(?i)`, `(?s-m:..)`.

use crate::filter::error::Fault;
use crate::filter::scan::Scan;

/// The flags of `(?ims)`. Greediness (`U`) is read and ignored.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Flags {
    /// `i`: without regard to letter case.
    pub(super) fold: bool,
    /// `m`: `^` and `$` match at lines.
    pub(super) lines: bool,
    /// `s`: `.` matches the line break.
    pub(super) dot_all: bool,
}

impl Flags {
    /// Reads the changes after a `(?`, which stands at `at`: the new flags, and the `:` or `)` that
    /// ends them.
    pub(super) fn read(self, scan: &mut Scan<'_>, at: usize) -> Result<(Flags, char), Fault> {
        let mut flags = self;
        let mut on = true;
        let mut minus_alone = false;
        loop {
            let place = scan.at();
            match scan.bump() {
                Some('i') => flags.fold = on,
                Some('m') => flags.lines = on,
                Some('s') => flags.dot_all = on,
                Some('U') => {}
                Some('-') if on => {
                    on = false;
                    minus_alone = true;
                    continue;
                }
                Some(end @ (':' | ')')) if !minus_alone => return Ok((flags, end)),
                Some('=' | '!') => return Err(look_around(at)),
                None => {
                    let message = "regular expression: the group `(?` is never closed";
                    return Err(Fault::new(at, message));
                }
                Some(_) => {
                    let message = "regular expression: after `(?` come flags of `imsU`, a `-` \
                                   before those to switch off, then `:` or `)`";
                    return Err(Fault::new(place, message));
                }
            }
            minus_alone = false;
        }
    }
}

/// The fault of `(?=`, `(?!`, `(?<=` and `(?<!`.
pub(super) fn look_around(at: usize) -> Fault {
    Fault::new(
        at,
        "regular expression: looking ahead and behind is not available",
    )
}
