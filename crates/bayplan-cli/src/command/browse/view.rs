//! Draws what the browser shows.

use bayplan::Share;
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Clear, Paragraph};

use super::app::{App, Focus, Told};
use super::place::Row;
use super::theme::Theme;
use crate::table::age_of;
use crate::text::{self, visible};

/// The width of the list of places.
const PLACES: u16 = 26;

const HELP: &[(&str, &str)] = &[
    ("Up Down  k j", "move"),
    ("PgUp PgDn  g G", "move by pages, to the first, to the last"),
    ("Enter", "open; in JSON: fold or unfold"),
    (
        "Right Left  l h",
        "into and out of; in JSON: unfold and fold",
    ),
    ("e f", "in JSON: unfold all, fold all"),
    ("Esc", "back; in the list: no filter"),
    ("Tab", "from namespaces to the list, and back"),
    ("/", "filter, as of ls; a word is looked for in ids"),
    ("c", "what has changed since the start"),
    (
        "r",
        "read again; it is done by itself when something changes",
    ),
    ("? ", "this help"),
    ("q  Ctrl-C", "end"),
];

pub(super) fn draw(frame: &mut Frame<'_>, app: &mut App<'_>, theme: Theme) {
    let is_list = matches!(app.focus, Focus::Places | Focus::Rows | Focus::Filter);
    let problem = app.filter.problem().filter(|_| is_list);
    let problem: Vec<String> = match problem {
        Some(problem) => problem.lines().map(str::to_owned).collect(),
        None => Vec::new(),
    };
    let below = u16::try_from(problem.len()).unwrap_or(u16::MAX);
    let parts = Layout::vertical([
        Constraint::Length(1),
        Constraint::Fill(1),
        Constraint::Length(below),
        Constraint::Length(1),
        Constraint::Length(1),
    ]);
    let [top, middle, told, line, keys] = parts.areas(frame.area());
    frame.render_widget(Paragraph::new(title(app)).style(theme.bar()), top);
    match app.focus {
        Focus::Changes => changes(frame, app, theme, middle),
        Focus::Detail => detail(frame, app, theme, middle),
        _ if app.detail.is_some() => detail(frame, app, theme, middle),
        _ => {
            let left = PLACES.min(middle.width / 2);
            let parts = [Constraint::Length(left), Constraint::Fill(1)];
            let [left, right] = Layout::horizontal(parts).spacing(1).areas(middle);
            places(frame, app, theme, left);
            rows(frame, app, theme, right);
        }
    }
    let problem: Vec<Line<'_>> = problem.into_iter().map(Line::from).collect();
    frame.render_widget(Paragraph::new(problem).style(theme.problem()), told);
    status(frame, app, theme, line);
    frame.render_widget(Paragraph::new(keys_of(app.focus)).style(theme.key()), keys);
    if app.focus == Focus::Help {
        help(frame, theme);
    }
}

/// The first line: which store this is, and how it is seen.
fn title(app: &App<'_>) -> String {
    let path = visible(&app.source.path().display().to_string());
    let how = match (app.source.is_copy(), app.source.share()) {
        (true, _) => "a copy of its last commit",
        (_, Share::Readers) => "shared with readers",
        (_, Share::Processes) => "shared with processes",
        _ => "the file itself",
    };
    format!(" {path} ({how})")
}

fn places(frame: &mut Frame<'_>, app: &mut App<'_>, theme: Theme, area: Rect) {
    let has_keys = app.focus == Focus::Places;
    let mut lines = vec![Line::styled("NAMESPACES", theme.head())];
    let window = app.place.window(app.places.len(), height_below_head(area));
    for (number, place) in app
        .places
        .iter()
        .enumerate()
        .take(window.end)
        .skip(window.start)
    {
        let name = match &place.kind {
            None => place.namespace.clone(),
            Some(kind) => format!("  {kind}"),
        };
        let count = place
            .count
            .map_or("?".to_owned(), |count| count.to_string());
        let room = usize::from(area.width).saturating_sub(count.len() + 1);
        let text = format!("{} {count}", fit(&visible(&name), room));
        lines.push(match number == app.place.selected() {
            true => Line::styled(text, theme.selected(has_keys)),
            false => Line::raw(text),
        });
    }
    frame.render_widget(Paragraph::new(lines), area);
}

fn rows(frame: &mut Frame<'_>, app: &mut App<'_>, theme: Theme, area: Rect) {
    let has_keys = matches!(app.focus, Focus::Rows | Focus::Filter);
    let of_kind = app.here().is_some_and(|here| here.kind.is_some());
    let what = if of_kind { "TYPE" } else { "IMAGE" };
    let window = app.row.window(app.rows.len(), height_below_head(area));
    let shown = || {
        app.rows
            .iter()
            .enumerate()
            .take(window.end)
            .skip(window.start)
    };
    // Ids get what they need, up to half; labels what is left.
    let width = usize::from(area.width);
    let widest = |cell: fn(&Row) -> &str| {
        let widths = shown().map(|(_, row)| visible(cell(row)).chars().count());
        widths.max().unwrap_or(0)
    };
    let id = widest(|row| row.id.as_str()).clamp(9, (width / 2).max(9));
    let image = widest(|row| row.what.as_str()).clamp(5, (width / 3).max(5));
    let line = |mark: &str, cells: [&str; 4]| {
        let [first, second, third, fourth] = cells.map(visible);
        let text = format!(
            "{mark} {} {third:>5} {} {fourth}",
            fit(&first, id),
            fit_end(&second, image)
        );
        fit(&text, width)
    };
    let head = line(
        " ",
        [
            if of_kind { "ID" } else { "CONTAINER" },
            what,
            "AGE",
            "LABELS",
        ],
    );
    let mut lines = vec![Line::styled(head, theme.head())];
    for (number, row) in shown() {
        let mark = app.mark(row);
        let sign = match mark {
            Some("created") => "+",
            Some(_) => "~",
            None if row.damage.is_some() => "!",
            None => " ",
        };
        let text = match &row.damage {
            Some(damage) => line(sign, [&row.id, damage, "", ""]),
            None => {
                let labels = text::labels(&row.labels);
                line(sign, [&row.id, &row.what, &age_of(row.created_at), &labels])
            }
        };
        let style = match (number == app.row.selected(), mark) {
            (true, _) => theme.selected(has_keys),
            (false, Some(event)) => theme.event(event),
            (false, None) if row.damage.is_some() => theme.problem(),
            (false, None) => ratatui::style::Style::new(),
        };
        lines.push(Line::styled(text, style));
    }
    if app.rows.is_empty() {
        lines.push(Line::raw(match app.here() {
            None => "  the store is empty".to_owned(),
            Some(_) if !app.filter.text().is_empty() => "  nothing matches".to_owned(),
            Some(here) => format!("  no {}", here.noun()),
        }));
    }
    frame.render_widget(Paragraph::new(lines), area);
}

fn detail(frame: &mut Frame<'_>, app: &mut App<'_>, theme: Theme, area: Rect) {
    let has_keys = app.focus == Focus::Detail;
    let here = app
        .here()
        .map(|here| format!("{}/{}", here.namespace, here.noun()));
    let Some(detail) = &mut app.detail else {
        return;
    };
    let name = visible(&format!("{}/{}", here.unwrap_or_default(), detail.id));
    let mut lines = vec![Line::styled(name, theme.head())];
    let visible = detail.tree.visible();
    let window = detail.cursor.window(visible.len(), height_below_head(area));
    for (at, number) in visible
        .iter()
        .enumerate()
        .take(window.end)
        .skip(window.start)
    {
        let sign = if detail.tree.is_folded(*number) {
            "+ "
        } else {
            "  "
        };
        let text = format!("{sign}{}", detail.tree.text(*number));
        let text = fit(&text, usize::from(area.width));
        lines.push(match at == detail.cursor.selected() {
            true => Line::styled(text, theme.selected(has_keys)),
            false => Line::raw(text),
        });
    }
    frame.render_widget(Paragraph::new(lines), area);
}

fn changes(frame: &mut Frame<'_>, app: &mut App<'_>, theme: Theme, area: Rect) {
    let mut lines = vec![Line::styled("CHANGES, the latest last", theme.head())];
    let window = app
        .change
        .window(app.changes.len(), height_below_head(area));
    for (number, told) in app
        .changes
        .iter()
        .enumerate()
        .take(window.end)
        .skip(window.start)
    {
        let style = match number == app.change.selected() {
            true => theme.selected(true),
            false => theme.event(told.event),
        };
        lines.push(Line::styled(
            fit(&line_of(told), usize::from(area.width)),
            style,
        ));
    }
    if app.changes.is_empty() {
        lines.push(Line::raw("  none since the start"));
    }
    frame.render_widget(Paragraph::new(lines), area);
}

fn line_of(told: &Told) -> String {
    let names = [Some(&told.namespace), told.kind.as_ref(), told.id.as_ref()];
    let names: Vec<String> = names
        .into_iter()
        .flatten()
        .map(|name| visible(name))
        .collect();
    format!(
        "{} {:<8} {}",
        told.at.format("%H:%M:%S"),
        told.event,
        names.join("/")
    )
}

/// The line above the keys: the filter, what went wrong, or where this is.
fn status(frame: &mut Frame<'_>, app: &App<'_>, theme: Theme, area: Rect) {
    if app.focus == Focus::Filter {
        let text = format!("/{}", visible(app.filter.text()));
        let end = area
            .x
            .saturating_add(u16::try_from(Line::raw(text.as_str()).width()).unwrap_or(u16::MAX));
        frame.set_cursor_position((end.min(area.right().saturating_sub(1)), area.y));
        frame.render_widget(Paragraph::new(text), area);
        return;
    }
    if let Some(problem) = &app.problem {
        frame.render_widget(
            Paragraph::new(visible(problem)).style(theme.problem()),
            area,
        );
        return;
    }
    let mut spans = Vec::new();
    if let Some(here) = app.here() {
        let count = app.rows.len();
        let place = visible(&here.namespace);
        spans.push(Span::raw(format!(
            "{count} {} in {place}",
            visible(here.noun())
        )));
    }
    if !app.filter.text().is_empty() {
        spans.push(Span::raw(format!(
            " that match {}",
            visible(app.filter.text())
        )));
    }
    if let Some(last) = app.changes.back() {
        spans.push(Span::raw("; last change: "));
        spans.push(Span::styled(line_of(last), theme.event(last.event)));
    }
    frame.render_widget(Paragraph::new(Line::from(spans)), area);
}

/// The last line.
fn keys_of(focus: Focus) -> &'static str {
    match focus {
        Focus::Places => "Enter list  Tab list  / filter  c changes  ? help  q end",
        Focus::Rows => "Enter open  Tab namespaces  / filter  c changes  ? help  q end",
        Focus::Filter => "Enter keep  Esc no filter  Ctrl-U clear",
        Focus::Detail => "Enter fold  e unfold all  f fold all  Esc back  ? help  q end",
        Focus::Changes => "Esc back  ? help  q end",
        Focus::Help => "any key: back",
    }
}

fn help(frame: &mut Frame<'_>, theme: Theme) {
    let lines: Vec<Line<'_>> = HELP
        .iter()
        .map(|(keys, what)| {
            Line::from(vec![
                Span::styled(format!(" {keys:<16}"), theme.key()),
                Span::raw(*what),
            ])
        })
        .collect();
    let height = u16::try_from(lines.len())
        .unwrap_or(u16::MAX)
        .saturating_add(2);
    let area = frame.area();
    let area = area.centered(Constraint::Length(76), Constraint::Length(height));
    frame.render_widget(Clear, area);
    let block = Block::bordered().title(" Keys: nothing here writes to the store ");
    frame.render_widget(Paragraph::new(lines).block(block), area);
}

fn height_below_head(area: Rect) -> usize {
    usize::from(area.height.saturating_sub(1))
}

/// The text in exactly this width: filled up, or cut, with a sign that it is.
fn fit(text: &str, width: usize) -> String {
    let length = text.chars().count();
    if length <= width {
        return format!("{text:<width$}");
    }
    let mut cut: String = text.chars().take(width.saturating_sub(1)).collect();
    if width > 0 {
        cut.push('~');
    }
    cut
}

/// The same, but the end is kept: that of an image tells more than its registry.
fn fit_end(text: &str, width: usize) -> String {
    let excess = text.chars().count().saturating_sub(width);
    match excess {
        0 => format!("{text:<width$}"),
        _ if width == 0 => String::new(),
        excess => format!("~{}", text.chars().skip(excess + 1).collect::<String>()),
    }
}

#[cfg(test)]
mod tests {
    use super::{fit, fit_end};

    #[test]
    fn a_text_fits_exactly() {
        assert_eq!(fit("web", 5), "web  ");
        assert_eq!(fit("web-front", 5), "web-~");
        assert_eq!(fit("web", 0), "");
        assert_eq!(fit_end("web", 5), "web  ");
        assert_eq!(fit_end("docker.io/nginx:1", 8), "~nginx:1");
        assert_eq!(fit_end("web", 0), "");
        assert_eq!(fit("\u{fc}ber", 4), "\u{fc}ber");
    }
}
