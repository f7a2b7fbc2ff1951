//! A line chart over the time of the run, as SVG. Its colours are those of the page around it.

use std::fmt::{self, Display, Formatter};

/// The size of the drawing, and what its axes take of it.
const WIDTH: f64 = 560.0;
const HEIGHT: f64 = 240.0;
const LEFT: f64 = 64.0;
const RIGHT: f64 = 12.0;
const TOP: f64 = 12.0;
const BOTTOM: f64 = 40.0;
/// Points that are further apart are not connected: in between, nothing was measured.
const GAP_S: f64 = 2.5;

/// What is drawn.
pub(super) struct Chart {
    pub(super) title: &'static str,
    /// What the values are, with their unit.
    pub(super) values: &'static str,
    /// What is to be known of them.
    pub(super) note: &'static str,
    pub(super) lines: Vec<Line>,
}

/// Values of one kind, by seconds since the beginning.
pub(super) struct Line {
    pub(super) name: String,
    pub(super) points: Vec<(f64, f64)>,
}

impl Chart {
    /// Whether there is nothing to draw.
    pub(super) fn is_empty(&self) -> bool {
        self.lines.iter().all(|line| line.points.is_empty())
    }

    fn greatest(&self, of: impl Fn(&(f64, f64)) -> f64) -> f64 {
        let points = self.lines.iter().flat_map(|line| &line.points);
        points.map(of).fold(0.0, f64::max)
    }
}

/// A scale from 0 on, with marks at round numbers.
struct Scale {
    end: f64,
    step: f64,
}

impl Scale {
    fn to(greatest: f64, marks: f64) -> Self {
        // A scale needs an end, also where there is nothing but zeros.
        let greatest = if greatest > 0.0 { greatest } else { 1.0 };
        let rough = greatest / marks;
        let magnitude = 10_f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 5.0]
            .map(|factor| factor * magnitude)
            .into_iter()
            .find(|step| *step >= rough)
            .unwrap_or(10.0 * magnitude);
        Self {
            end: (greatest / step).ceil() * step,
            step,
        }
    }

    fn marks(&self) -> impl Iterator<Item = f64> {
        let count = (self.end / self.step).round() as u32;
        (0..=count).map(|n| f64::from(n) * self.step)
    }
}

/// Text as it may stand in the page.
pub(super) struct Escaped<T>(pub(super) T);

impl<T: Display> Display for Escaped<T> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for character in self.0.to_string().chars() {
            match character {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                other => write!(f, "{other}")?,
            }
        }
        Ok(())
    }
}

/// A number with its thousands apart, and no more digits than it needs.
pub(super) struct Number(pub(super) f64);

impl Display for Number {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let digits = match self.0.abs() {
            value if value >= 100.0 || value == value.trunc() => 0,
            value if value >= 1.0 => 1,
            _ => 3,
        };
        let text = format!("{:.digits$}", self.0);
        let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
        for (place, digit) in whole.chars().enumerate() {
            if place > 0 && (whole.len() - place).is_multiple_of(3) {
                f.write_str(",")?;
            }
            write!(f, "{digit}")?;
        }
        let fraction = fraction.trim_end_matches('0');
        if !fraction.is_empty() {
            write!(f, ".{fraction}")?;
        }
        Ok(())
    }
}

impl Display for Chart {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let (title, values) = (self.title, self.values);
        writeln!(
            f,
            "<figure>\n<figcaption><h2>{title}</h2><ul class=\"legend\">"
        )?;
        for (number, line) in self.lines.iter().enumerate() {
            let name = Escaped(&line.name);
            writeln!(f, "<li><i class=\"s{}\"></i>{name}</li>", number % 6)?;
        }
        writeln!(f, "</ul></figcaption>")?;
        writeln!(
            f,
            "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{title}: {values} over time\">"
        )?;
        let across = Scale::to(self.greatest(|point| point.0), 8.0);
        let up = Scale::to(self.greatest(|point| point.1), 4.0);
        let x = |seconds: f64| LEFT + seconds / across.end * (WIDTH - LEFT - RIGHT);
        let floor = HEIGHT - BOTTOM;
        let y = |value: f64| floor - value / up.end * (floor - TOP);
        for mark in up.marks() {
            let (at, label) = (y(mark), Number(mark));
            let (right, text) = (WIDTH - RIGHT, LEFT - 8.0);
            writeln!(
                f,
                "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{right}\" y1=\"{at:.1}\" y2=\"{at:.1}\"/>\
                 <text class=\"up\" x=\"{text}\" y=\"{at:.1}\">{label}</text>"
            )?;
        }
        for mark in across.marks() {
            let (at, label, text) = (x(mark), Number(mark), floor + 16.0);
            writeln!(
                f,
                "<text class=\"across\" x=\"{at:.1}\" y=\"{text}\">{label}</text>"
            )?;
        }
        let (middle, lowest) = (LEFT + (WIDTH - LEFT - RIGHT) / 2.0, HEIGHT - 4.0);
        let centre = TOP + (floor - TOP) / 2.0;
        writeln!(
            f,
            "<text class=\"across axis\" x=\"{middle}\" y=\"{lowest}\">time since the first start was due, s</text>\n\
             <text class=\"across axis\" transform=\"translate(12 {centre}) rotate(-90)\">{values}</text>"
        )?;
        for (number, line) in self.lines.iter().enumerate() {
            write!(f, "<path class=\"s{}\" d=\"", number % 6)?;
            let mut before = f64::NEG_INFINITY;
            for (seconds, value) in &line.points {
                let (x, y) = (x(*seconds), y(*value));
                if seconds - before > GAP_S {
                    // A point without neighbours is a dot.
                    write!(f, "M{x:.1} {y:.1}h0")?;
                } else {
                    write!(f, "L{x:.1} {y:.1}")?;
                }
                before = *seconds;
            }
            writeln!(f, "\"><title>{}</title></path>", Escaped(&line.name))?;
        }
        writeln!(f, "</svg>\n<p class=\"note\">{}</p>\n</figure>", self.note)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scale_ends_behind_the_greatest_value_and_has_marks_at_round_numbers() {
        for (greatest, expected) in [
            (0.0, vec![0.0, 0.5, 1.0]),
            (3.9, vec![0.0, 1.0, 2.0, 3.0, 4.0]),
            (200.0, vec![0.0, 50.0, 100.0, 150.0, 200.0]),
            (1_234.0, vec![0.0, 500.0, 1000.0, 1500.0]),
        ] {
            let scale = Scale::to(greatest, 4.0);
            assert_eq!(scale.marks().collect::<Vec<_>>(), expected);
        }
    }

    #[test]
    fn numbers_are_easy_to_read() {
        let texts = [0.0, 0.25, 12.34, 150.0, 1234.5, 1_000_000.0].map(|n| Number(n).to_string());
        assert_eq!(texts, ["0", "0.25", "12.3", "150", "1,234", "1,000,000"]);
    }

    #[test]
    fn a_line_is_drawn_through_its_points_and_interrupted_where_nothing_was_measured() {
        let line = Line {
            name: "a <b>".to_owned(),
            points: vec![(0.0, 0.0), (1.0, 4.0), (8.0, 2.0)],
        };
        let chart = Chart {
            title: "T",
            values: "V",
            note: "N",
            lines: vec![line],
        };
        let svg = chart.to_string();
        assert!(
            svg.contains("d=\"M64.0 200.0h0L124.5 12.0M548.0 106.0h0\""),
            "{svg}"
        );
        assert!(svg.contains("a &lt;b&gt;") && !svg.contains("<b>"), "{svg}");
    }
}
