//! The table: one line for each operation, size and number of threads.

use crate::op::{Op, Unit};
use crate::results::{Key, Results, Row};
use crate::targets;

/// The contestants that get a column of ratios: the floors and the store to beat.
const COMPARED: [&str; 3] = ["redb-put", "redb-blob", "containerd"];

/// The table in Markdown, wide enough to be read as it is.
pub(crate) fn table(results: &Results) -> String {
    let contestants = results.contestants();
    let compared: Vec<_> = COMPARED
        .into_iter()
        .filter(|name| contestants.contains(name))
        .collect();
    let mut head = vec!["operation".to_owned(), "n".to_owned()];
    head.extend(contestants.iter().map(|name| (*name).to_owned()));
    head.extend(compared.iter().map(|name| format!("bayplan / {name}")));
    head.push("bayplan / best peer".to_owned());
    let mut lines = vec![head];
    for (op, n, threads) in results.lines() {
        let key = |contestant| Key {
            op,
            n,
            threads,
            contestant,
        };
        let mut cells = vec![title(op, threads), size(n)];
        cells.extend(
            contestants
                .iter()
                .map(|name| results.row(key(name)).map_or_else(String::new, cell)),
        );
        cells.extend(compared.iter().map(|name| {
            let own = results.figure(key("bayplan"));
            let ratio = own.zip(results.figure(key(name)));
            ratio.map_or_else(String::new, |(own, other)| short(own / other))
        }));
        let own = results.figure(key("bayplan"));
        let best = own.zip(targets::best_peer(results, key));
        cells.push(best.map_or_else(String::new, |(own, (name, best))| {
            format!("{} {name}", short(own / best))
        }));
        lines.push(cells);
    }
    markdown(&lines)
}

/// What a line is called.
pub(crate) fn title(op: Op, threads: usize) -> String {
    match op.unit() {
        Unit::Throughput if threads == 1 => format!("{}, 1 thread", op.name()),
        Unit::Throughput if op == Op::Processes => format!("{}, {threads}", op.name()),
        Unit::Throughput => format!("{}, {threads} threads", op.name()),
        Unit::BytesEach => format!("{}, per container", op.name()),
        Unit::Time | Unit::Bytes => op.name().to_owned(),
    }
}

fn cell(row: &Row) -> String {
    let figure = row.figure().unwrap_or_default();
    match row.op.unit() {
        Unit::Time => time(figure),
        Unit::Throughput => {
            let p99 = row.p99_us.map(time).unwrap_or_default();
            format!("{}/s, p99 {p99}", size_of(figure))
        }
        Unit::BytesEach => format!("{:.1} KB", figure / 1e3),
        Unit::Bytes => format!("{:.1} MiB", figure / (1024.0 * 1024.0)),
    }
}

/// A time given in microseconds.
pub(crate) fn time(us: f64) -> String {
    match us {
        us if us < 1e3 => format!("{} µs", short(us)),
        us if us < 1e6 => format!("{} ms", short(us / 1e3)),
        us => format!("{} s", short(us / 1e6)),
    }
}

/// The same on an axis, where a tick is a round number.
pub(crate) fn round_time(us: f64) -> String {
    let (figure, unit) = match us {
        us if us < 1e3 => (us, "µs"),
        us if us < 1e6 => (us / 1e3, "ms"),
        us => (us / 1e6, "s"),
    };
    format!("{} {unit}", (figure * 1000.0).round() / 1000.0)
}

/// Three digits that count.
pub(crate) fn short(figure: f64) -> String {
    match figure {
        figure if figure < 0.1 => format!("{figure:.4}"),
        figure if figure < 10.0 => format!("{figure:.2}"),
        figure if figure < 100.0 => format!("{figure:.1}"),
        figure => format!("{figure:.0}"),
    }
}

/// A count, in thousands or millions.
pub(crate) fn size(n: usize) -> String {
    size_of(n as f64)
}

fn size_of(n: f64) -> String {
    match n {
        n if n < 1e3 => format!("{n:.0}"),
        n if n < 1e6 => format!("{}k", trimmed(n / 1e3)),
        n => format!("{}M", trimmed(n / 1e6)),
    }
}

fn trimmed(figure: f64) -> String {
    let text = format!("{figure:.1}");
    text.strip_suffix(".0").unwrap_or(&text).to_owned()
}

/// Lines of cells as a table whose columns are as wide as what is in them; the first line is the
/// head.
pub(crate) fn markdown(lines: &[Vec<String>]) -> String {
    let columns = lines.iter().map(Vec::len).max().unwrap_or_default();
    let width = |column: usize| {
        let cells = lines.iter().filter_map(|line| line.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(1)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for (at, line) in lines.iter().enumerate() {
        for (cell, width) in line.iter().zip(&widths) {
            text.push_str(&format!("| {cell:width$} "));
        }
        text.push_str("|\n");
        if at == 0 {
            for width in &widths {
                text.push_str(&format!("|{}", "-".repeat(width + 2)));
            }
            text.push_str("|\n");
        }
    }
    text
}
