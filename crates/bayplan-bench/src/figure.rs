//! Figures of several panels, each with logarithmic axes, drawn by plotters as SVG.

use std::ops::Range;

use anyhow::Result;
use plotters::coord::Shift;
use plotters::element::DashedPathElement;
use plotters::prelude::*;

/// A figure: a title, what is said below it, and panels beside and below each other.
pub(crate) struct Figure {
    pub(crate) title: String,
    pub(crate) subtitle: String,
    pub(crate) columns: usize,
    pub(crate) panels: Vec<Panel>,
}

/// One pair of axes.
pub(crate) struct Panel {
    pub(crate) title: String,
    pub(crate) x_title: &'static str,
    /// Writes a value of the x axis.
    pub(crate) x_text: fn(f64) -> String,
    /// Writes a value of the y axis, with its unit.
    pub(crate) y_text: fn(f64) -> String,
    pub(crate) lines: Vec<Line>,
}

/// One line of a panel.
pub(crate) struct Line {
    pub(crate) name: String,
    pub(crate) style: Style,
    pub(crate) points: Vec<(f64, f64)>,
}

/// How a line looks, the same in all figures.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Style {
    pub(crate) color: RGBColor,
    pub(crate) width: u32,
    /// The lengths of a dash and of the gap after it, if the line is dashed.
    pub(crate) dash: Option<(u32, u32)>,
}

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

const PANEL_WIDTH: u32 = 330;
const PANEL_HEIGHT: u32 = 240;
const MARGIN: i32 = 16;
const LEGEND_TOP: i32 = 66;
const LEGEND_ROW: i32 = 20;
const FONT: &str = "sans-serif";
const INK: RGBColor = RGBColor(0x21, 0x25, 0x29);
const FAINT: RGBColor = RGBColor(0x49, 0x50, 0x57);
const GRID: RGBColor = RGBColor(0xde, 0xe2, 0xe6);

impl Figure {
    /// The whole file.
    pub(crate) fn to_svg(&self) -> Result<String> {
        let columns = self.columns.max(1);
        let rows = self.panels.len().div_ceil(columns).max(1);
        let width = PANEL_WIDTH * u32::try_from(columns)?;
        let entries = self.legend(i32::try_from(width)?);
        let last = entries.last().map_or(LEGEND_TOP, |entry| entry.y);
        let head = last + LEGEND_ROW;
        let height = u32::try_from(head)? + PANEL_HEIGHT * u32::try_from(rows)?;
        let mut svg = String::new();
        {
            let page = SVGBackend::with_string(&mut svg, (width, height)).into_drawing_area();
            page.fill(&WHITE)?;
            let (top, body) = page.split_vertically(head);
            let title = (FONT, 21, FontStyle::Bold, &INK).into_text_style(&top);
            top.draw(&Text::new(self.title.as_str(), (MARGIN, 10), title))?;
            top.draw(&text(&self.subtitle, (MARGIN, 36), 14, &FAINT))?;
            for entry in entries {
                entry.draw(&top)?;
            }
            for (panel, area) in self.panels.iter().zip(body.split_evenly((rows, columns))) {
                panel.draw(&area)?;
            }
            page.present()?;
        }
        Ok(svg)
    }

    /// The names of all lines, each once, in rows that fit the page.
    fn legend(&self, width: i32) -> Vec<Entry<'_>> {
        const LETTER: f64 = 7.4;
        let mut entries: Vec<Entry<'_>> = Vec::new();
        let (mut x, mut y) = (MARGIN, LEGEND_TOP);
        for line in self.panels.iter().flat_map(|panel| &panel.lines) {
            if entries.iter().any(|entry| entry.line.name == line.name) {
                continue;
            }
            let letters = line.name.chars().count() as f64;
            let wide = Entry::SAMPLE + 26 + (LETTER * letters) as i32;
            if x + wide > width {
                (x, y) = (MARGIN, y + LEGEND_ROW);
            }
            entries.push(Entry { line, x, y });
            x += wide;
        }
        entries
    }
}

/// One name of the legend, and its place.
struct Entry<'a> {
    line: &'a Line,
    x: i32,
    y: i32,
}

impl Entry<'_> {
    /// The length of the stroke before the name.
    const SAMPLE: i32 = 28;

    fn draw(&self, area: &Area<'_>) -> Result<()> {
        let end = self.x + Self::SAMPLE;
        let style = self.line.style;
        let stroke = [(self.x, self.y), (end, self.y)];
        match style.dash {
            None => area.draw(&PathElement::new(stroke, style.shape()))?,
            Some((dash, gap)) => {
                let element = DashedPathElement::new(stroke, dash, gap, style.shape());
                area.draw(&element)?;
            }
        }
        let place = (end + 6, self.y - 8);
        area.draw(&text(&self.line.name, place, 15, &INK))?;
        Ok(())
    }
}

impl Panel {
    fn draw(&self, area: &Area<'_>) -> Result<()> {
        let points = || self.lines.iter().flat_map(|line| &line.points);
        let (Some(x_range), Some(y_range)) = (
            range(points().map(|point| point.0)),
            range(points().map(|point| point.1)),
        ) else {
            let title = format!("{}: not measured", self.title);
            area.draw(&text(&title, (MARGIN, MARGIN), 16, &INK))?;
            return Ok(());
        };
        let mut x_ticks: Vec<f64> = points().map(|point| point.0).collect();
        x_ticks.sort_by(f64::total_cmp);
        x_ticks.dedup();
        let y_ticks = ticks(&y_range);
        let mut chart = ChartBuilder::on(area)
            .caption(&self.title, (FONT, 16, FontStyle::Bold, &INK))
            .margin_right(MARGIN)
            .margin_top(12)
            .x_label_area_size(42)
            .y_label_area_size(66)
            .build_cartesian_2d(
                x_range.log_scale().with_key_points(x_ticks),
                y_range.log_scale().with_key_points(y_ticks),
            )?;
        chart
            .configure_mesh()
            .disable_x_mesh()
            .bold_line_style(GRID)
            .axis_style(GRID)
            .label_style((FONT, 14, &FAINT))
            .x_label_formatter(&|x| (self.x_text)(*x))
            .y_label_formatter(&|y| (self.y_text)(*y))
            .x_desc(self.x_title)
            .axis_desc_style((FONT, 14, &FAINT))
            .draw()?;
        // The first is on top of the others.
        for line in self.lines.iter().rev() {
            let shape = line.style.shape();
            let points = line.points.iter().copied();
            match line.style.dash {
                None => chart.draw_series(LineSeries::new(points.clone(), shape))?,
                Some((dash, gap)) => {
                    chart.draw_series(DashedLineSeries::new(points.clone(), dash, gap, shape))?
                }
            };
            let dots = points.map(|point| Circle::new(point, 3, line.style.color.filled()));
            chart.draw_series(dots)?;
        }
        Ok(())
    }
}

impl Style {
    fn shape(self) -> ShapeStyle {
        self.color.stroke_width(self.width)
    }
}

fn text<'a>(
    words: &'a str,
    place: (i32, i32),
    size: i32,
    color: &'a RGBColor,
) -> Text<'a, (i32, i32), &'a str> {
    Text::new(words, place, (FONT, size).into_font().color(color))
}

/// From the least to the greatest, with room beyond them.
fn range(values: impl Iterator<Item = f64>) -> Option<Range<f64>> {
    const ROOM: f64 = 1.25;
    let (low, high) = values
        .filter(|value| *value > 0.0)
        .fold((f64::MAX, 0.0_f64), |(low, high), value| {
            (low.min(value), high.max(value))
        });
    (low <= high).then(|| low / ROOM..high * ROOM)
}

/// Powers of ten; where they are few, some times these too.
fn ticks(range: &Range<f64>) -> Vec<f64> {
    let steps: &[f64] = match (range.end / range.start).log10() {
        decades if decades > 2.5 => &[1.0],
        decades if decades > 1.3 => &[1.0, 3.0],
        decades if decades > 0.7 => &[1.0, 2.0, 5.0],
        _ => &[1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0],
    };
    let decades = (range.start.log10().floor() as i32)..=(range.end.log10().ceil() as i32);
    decades
        .flat_map(|decade| steps.iter().map(move |step| step * 10f64.powi(decade)))
        .filter(|tick| range.contains(tick))
        .collect()
}
