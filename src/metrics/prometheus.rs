//! Metrics in Prometheus' text format, version 0.0.4.

use std::fmt::Write as _;

use super::{Kind, Metrics, Reading};

/// The value of `Content-Type`.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4";

/// A page in the making. Series of one name have to come one after the other.
#[derive(Debug, Default)]
pub struct Page {
    text: String,
    family: String,
}

impl Page {
    /// Adds one series: its labels with their values, and what it stands at.
    pub fn add(
        &mut self,
        name: &str,
        kind: Kind,
        help: &str,
        labels: &[(&str, &str)],
        reading: &Reading,
    ) {
        if self.family != name {
            name.clone_into(&mut self.family);
            self.line(format_args!("# HELP {name} {}", help.replace('\n', " ")));
            self.line(format_args!("# TYPE {name} {}", kind.name()));
        }
        match reading {
            Reading::Count(value) => {
                self.line(format_args!("{name}{} {value}", braced(labels, None)))
            }
            Reading::Histogram { buckets, sum, count } => {
                for (bound, up_to) in buckets {
                    let labels = braced(labels, Some(&bound.to_string()));
                    self.line(format_args!("{name}_bucket{labels} {up_to}"));
                }
                let all = braced(labels, Some("+Inf"));
                self.line(format_args!("{name}_bucket{all} {count}"));
                let labels = braced(labels, None);
                self.line(format_args!("{name}_sum{labels} {sum}"));
                self.line(format_args!("{name}_count{labels} {count}"));
            }
        }
    }

    /// Adds one number without bound on its digits.
    pub fn add_number(
        &mut self,
        name: &str,
        kind: Kind,
        help: &str,
        labels: &[(&str, &str)],
        value: f64,
    ) {
        if self.family != name {
            name.clone_into(&mut self.family);
            self.line(format_args!("# HELP {name} {help}"));
            self.line(format_args!("# TYPE {name} {}", kind.name()));
        }
        self.line(format_args!("{name}{} {value}", braced(labels, None)));
    }

    /// Adds all rows of the table.
    pub fn add_all(&mut self, metrics: &Metrics) {
        metrics.each(&mut |row, values, reading| {
            let labels: Vec<_> = row.labels.iter().copied().zip(values.iter().copied()).collect();
            self.add(&row.full_name(), row.kind, row.help, &labels, &reading);
        });
    }

    /// The page.
    #[must_use]
    pub fn into_text(self) -> String {
        self.text
    }

    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        // Writing to a string doesn't fail.
        let _ = writeln!(self.text, "{line}");
    }
}

/// `{name="value",…,le="…"}`, or nothing.
fn braced(labels: &[(&str, &str)], bound: Option<&str>) -> String {
    let mut text = String::new();
    for (name, value) in labels.iter().copied().chain(bound.map(|bound| ("le", bound))) {
        text.push(if text.is_empty() { '{' } else { ',' });
        let _ = write!(text, "{name}=\"");
        for c in value.chars() {
            match c {
                '\\' => text.push_str("\\\\"),
                '"' => text.push_str("\\\""),
                '\n' => text.push_str("\\n"),
                other => text.push(other),
            }
        }
        text.push('"');
    }
    if !text.is_empty() {
        text.push('}');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_family_has_one_head_and_values_are_escaped() {
        let mut page = Page::default();
        for rule in ["a \"b\"\\", "c\nd"] {
            page.add("x_total", Kind::Counter, "All.", &[("rule", rule)], &Reading::Count(1));
        }
        page.add("y", Kind::Gauge, "Y.", &[], &Reading::Count(0));
        assert_eq!(
            page.into_text(),
            "# HELP x_total All.\n# TYPE x_total counter\n\
             x_total{rule=\"a \\\"b\\\"\\\\\"} 1\nx_total{rule=\"c\\nd\"} 1\n\
             # HELP y Y.\n# TYPE y gauge\ny 0\n"
        );
    }

    #[test]
    fn a_histogram_is_buckets_sum_and_count() {
        let mut page = Page::default();
        let reading = Reading::Histogram { buckets: vec![(0.5, 1), (1.0, 2)], sum: 3.5, count: 4 };
        page.add("h", Kind::Histogram, "H.", &[], &reading);
        assert!(page.into_text().ends_with(
            "h_bucket{le=\"0.5\"} 1\nh_bucket{le=\"1\"} 2\nh_bucket{le=\"+Inf\"} 4\nh_sum 3.5\n\
             h_count 4\n"
        ));
    }
}
