//! Figures of several panels, each with a logarithmic axis both ways, as SVG.
//!
//! They are readable on a light and on a dark page: the colours follow what the reader prefers.

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
    /// Which of the colours it has.
    pub(crate) style: usize,
    pub(crate) points: Vec<(f64, f64)>,
}

const WIDTH: f64 = 330.0;
const HEIGHT: f64 = 220.0;
const MARGIN: f64 = 16.0;
const LEFT: f64 = 62.0;
const RIGHT: f64 = 16.0;
const TOP: f64 = 30.0;
const BOTTOM: f64 = 42.0;

/// Of each style: its colour on a light page, on a dark one, its width and its dashes.
const STYLES: [(&str, &str, f64, &str); 8] = [
    ("#d9480f", "#ff922b", 2.8, ""),
    ("#868e96", "#868e96", 1.6, "2 3"),
    ("#343a40", "#ced4da", 1.6, "5 3"),
    ("#1971c2", "#4dabf7", 1.6, ""),
    ("#2f9e44", "#69db7c", 1.6, ""),
    ("#9c36b5", "#da77f2", 1.6, ""),
    ("#0c8599", "#3bc9db", 2.2, "8 3"),
    ("#d9480f", "#ff922b", 1.6, "3 3"),
];

impl Figure {
    /// The whole file.
    pub(crate) fn to_svg(&self) -> String {
        let columns = self.columns.max(1);
        let rows = self.panels.len().div_ceil(columns);
        let width = WIDTH * columns as f64;
        let (legend, head) = self.legend(width);
        let height = head + HEIGHT * rows as f64;
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
             width=\"{width}\" height=\"{height}\" role=\"img\">\n<title>{}</title>\n<style>\n{}\
             </style>\n<rect class=\"page\" width=\"{width}\" height=\"{height}\"/>\n",
            self.title,
            css()
        );
        text(&mut svg, "head", MARGIN, 26.0, &self.title);
        text(&mut svg, "small", MARGIN, 44.0, &self.subtitle);
        svg.push_str(&legend);
        for (at, panel) in self.panels.iter().enumerate() {
            let x = (at % columns) as f64 * WIDTH;
            let y = head + (at / columns) as f64 * HEIGHT;
            svg.push_str(&format!("<g transform=\"translate({x} {y})\">\n"));
            panel.draw(&mut svg);
            svg.push_str("</g>\n");
        }
        svg.push_str("</svg>\n");
        svg
    }

    /// The names of all lines, and where it ends.
    fn legend(&self, width: f64) -> (String, f64) {
        const SAMPLE: f64 = 26.0;
        const LETTER: f64 = 6.6;
        const ROW: f64 = 20.0;
        let lines = self.panels.iter().flat_map(|panel| &panel.lines);
        let mut names: Vec<_> = lines.map(|line| (line.style, line.name.as_str())).collect();
        names.sort_unstable();
        names.dedup();
        let mut svg = String::new();
        let (mut x, mut y) = (MARGIN, 66.0);
        for (style, name) in names {
            let wide = SAMPLE + 26.0 + LETTER * name.chars().count() as f64;
            if x + wide > width {
                (x, y) = (MARGIN, y + ROW);
            }
            let end = x + SAMPLE;
            svg.push_str(&format!(
                "<line class=\"s{style}\" x1=\"{x}\" x2=\"{end}\" y1=\"{y}\" y2=\"{y}\"/>\n"
            ));
            text(&mut svg, "label", end + 6.0, y + 4.0, name);
            x += wide;
        }
        (svg, y + ROW)
    }
}

impl Panel {
    fn draw(&self, svg: &mut String) {
        text(svg, "name", LEFT, TOP - 10.0, &self.title);
        let points = || self.lines.iter().flat_map(|line| &line.points);
        let Some(x_axis) = Axis::over(points().map(|point| point.0), LEFT, WIDTH - RIGHT, false)
        else {
            text(svg, "small", LEFT, HEIGHT / 2.0, "not measured");
            return;
        };
        let bottom = HEIGHT - BOTTOM;
        let Some(y_axis) = Axis::over(points().map(|point| point.1), bottom, TOP, true) else {
            return;
        };
        for tick in y_axis.ticks() {
            let y = y_axis.place(tick);
            svg.push_str(&format!(
                "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{:.1}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>\n",
                WIDTH - RIGHT
            ));
            text(svg, "y", LEFT - 6.0, y + 4.0, &(self.y_text)(tick));
        }
        let mut values: Vec<f64> = points().map(|point| point.0).collect();
        values.sort_by(f64::total_cmp);
        values.dedup();
        for value in values {
            let x = x_axis.place(value);
            text(svg, "x", x, bottom + 15.0, &(self.x_text)(value));
        }
        let middle = f64::midpoint(LEFT, WIDTH - RIGHT);
        text(svg, "x", middle, bottom + 31.0, self.x_title);
        // The first style on top of the others.
        for line in self.lines.iter().rev() {
            line.draw(svg, &x_axis, &y_axis);
        }
    }
}

impl Line {
    fn draw(&self, svg: &mut String, x_axis: &Axis, y_axis: &Axis) {
        let style = self.style;
        let places = self
            .points
            .iter()
            .map(|(x, y)| (x_axis.place(*x), y_axis.place(*y)));
        let path: Vec<String> = places
            .clone()
            .map(|(x, y)| format!("{x:.1},{y:.1}"))
            .collect();
        svg.push_str(&format!(
            "<polyline class=\"s{style}\" points=\"{}\"/>\n",
            path.join(" ")
        ));
        for (x, y) in places {
            svg.push_str(&format!(
                "<circle class=\"d{style}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\"/>\n"
            ));
        }
    }
}

/// A logarithmic axis.
struct Axis {
    /// The logarithms of its ends.
    low: f64,
    high: f64,
    /// The places of its ends.
    from: f64,
    to: f64,
}

impl Axis {
    /// An axis over these values; with `room`, it ends some way beyond them.
    fn over(values: impl Iterator<Item = f64>, from: f64, to: f64, room: bool) -> Option<Self> {
        let logarithms = values.filter(|value| *value > 0.0).map(f64::log10);
        let (low, high) = logarithms.fold((f64::MAX, f64::MIN), |(low, high), value| {
            (low.min(value), high.max(value))
        });
        if low > high {
            return None;
        }
        let room = if room {
            0.1 + (high - low) * 0.05
        } else {
            0.06 * (high - low)
        };
        let (low, high) = (low - room, high + room);
        Some(Self {
            low,
            high,
            from,
            to,
        })
    }

    fn place(&self, value: f64) -> f64 {
        let span = self.high - self.low;
        let part = if span > 0.0 {
            (value.max(f64::MIN_POSITIVE).log10() - self.low) / span
        } else {
            0.5
        };
        self.from + part * (self.to - self.from)
    }

    /// Powers of ten; where they are few, two and five times these too.
    fn ticks(&self) -> Vec<f64> {
        let steps: &[f64] = match self.high - self.low {
            span if span > 2.5 => &[1.0],
            span if span > 1.3 => &[1.0, 3.0],
            _ => &[1.0, 2.0, 5.0],
        };
        let decades = (self.low.floor() as i32)..=(self.high.ceil() as i32);
        decades
            .flat_map(|decade| steps.iter().map(move |step| step * 10f64.powi(decade)))
            .filter(|tick| (self.low..=self.high).contains(&tick.log10()))
            .collect()
    }
}

fn css() -> String {
    let mut css = String::from(
        "text { font: 12px system-ui, sans-serif; fill: #212529; }\n\
         .head { font-size: 17px; font-weight: 600; }\n\
         .name { font-weight: 600; }\n\
         .small, .x, .y { font-size: 11px; fill: #495057; }\n\
         .x { text-anchor: middle; }\n\
         .y { text-anchor: end; }\n\
         .page { fill: #ffffff; }\n\
         .grid { stroke: #dee2e6; stroke-width: 1; }\n",
    );
    for (at, (light, _, width, dashes)) in STYLES.iter().enumerate() {
        css.push_str(&format!(
            ".s{at} {{ fill: none; stroke: {light}; stroke-width: {width}; \
                 stroke-dasharray: {}; }}\n.d{at} {{ fill: {light}; }}\n",
            if dashes.is_empty() { "none" } else { dashes }
        ));
    }
    css.push_str(
        "@media (prefers-color-scheme: dark) {\n\
         text { fill: #e9ecef; }\n\
         .small, .x, .y { fill: #adb5bd; }\n\
         .page { fill: #0d1117; }\n\
         .grid { stroke: #343a40; }\n",
    );
    for (at, (_, dark, ..)) in STYLES.iter().enumerate() {
        css.push_str(&format!(
            ".s{at} {{ stroke: {dark}; }}\n.d{at} {{ fill: {dark}; }}\n"
        ));
    }
    css.push_str("}\n");
    css
}

fn text(svg: &mut String, class: &str, x: f64, y: f64, text: &str) {
    let text = text.replace('&', "&amp;").replace('<', "&lt;");
    svg.push_str(&format!(
        "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\">{text}</text>\n"
    ));
}
