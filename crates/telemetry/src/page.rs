//! The form of numbers: OpenMetrics 1.0 text, which Prometheus and all that read its text understand.

use std::fmt::Write as _;

/// What `Content-Type:` says of it.
pub(crate) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What kind of number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// It only grows, from the start of the process on.
    Counter,
    /// It goes up and down.
    Gauge,
    /// How often something took how long.
    Histogram,
    /// A text, as labels of a 1.
    Info,
}

impl Form {
    /// As OpenMetrics calls it.
    pub fn code(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
            Self::Info => "info",
        }
    }

    /// What its samples are called beyond the family's name.
    pub fn suffix(self) -> &'static str {
        match self {
            Self::Counter => "_total",
            Self::Gauge | Self::Histogram => "",
            Self::Info => "_info",
        }
    }
}

/// A family of numbers: one name, with each value of its labels.
#[derive(Debug)]
pub struct Family {
    /// Without what its form adds.
    pub name: &'static str,
    /// What kind of number.
    pub form: Form,
    /// Its labels; the values of each are a closed list, or the names of listeners and lists in the configuration.
    pub labels: &'static [&'static str],
    /// What it counts.
    pub help: &'static str,
}

/// A page that is being written.
#[derive(Debug, Default)]
pub(crate) struct Page {
    text: String,
}

impl Page {
    /// Begins a family; its samples follow.
    pub(crate) fn family(&mut self, family: &'static Family) -> Samples<'_> {
        let (name, form) = (family.name, family.form.code());
        let _ = writeln!(self.text, "# TYPE {name} {form}");
        for unit in ["seconds", "bytes"].into_iter().filter(|unit| name.ends_with(&format!("_{unit}"))) {
            let _ = writeln!(self.text, "# UNIT {name} {unit}");
        }
        let _ = writeln!(self.text, "# HELP {name} {}", family.help);
        Samples { text: &mut self.text, family }
    }

    /// The whole page.
    pub(crate) fn end(mut self) -> String {
        self.text.push_str("# EOF\n");
        self.text
    }
}

/// Takes the samples of one family.
pub(crate) struct Samples<'p> {
    text: &'p mut String,
    family: &'static Family,
}

impl Samples<'_> {
    /// One sample, with a value for each label of the family.
    pub(crate) fn is(&mut self, values: &[&str], number: impl std::fmt::Display) -> &mut Self {
        let labels: Vec<_> = self.family.labels.iter().copied().zip(values.iter().copied()).collect();
        self.line(self.family.form.suffix(), &labels, &number);
        self
    }

    /// The samples of a histogram: how often up to each bound, in seconds, and the sum of all.
    pub(crate) fn times(&mut self, times: &keep::tally::Times) {
        let up_to = times.up_to();
        for (at, count) in up_to.iter().enumerate() {
            let bound = keep::tally::STEPS_MICROS.get(at).map_or_else(|| "+Inf".to_owned(), |micros| seconds(*micros));
            self.line("_bucket", &[("le", &bound)], count);
        }
        self.line("_count", &[], up_to.last().unwrap_or(&0));
        self.line("_sum", &[], &seconds(times.micros()));
    }

    fn line(&mut self, suffix: &str, labels: &[(&str, &str)], number: &dyn std::fmt::Display) {
        let _ = write!(self.text, "{}{suffix}", self.family.name);
        for (at, (name, value)) in labels.iter().enumerate() {
            let _ = write!(self.text, "{}{name}=\"{}\"", if at == 0 { '{' } else { ',' }, escaped(value));
        }
        let _ = writeln!(self.text, "{} {number}", if labels.is_empty() { "" } else { "}" });
    }
}

/// Microseconds as seconds, with the point that OpenMetrics wants.
pub(crate) fn seconds(micros: u64) -> String {
    let (whole, rest) = (micros / 1_000_000, micros % 1_000_000);
    let text = format!("{whole}.{rest:06}");
    let text = text.trim_end_matches('0');
    if text.ends_with('.') { format!("{text}0") } else { text.to_owned() }
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    static COUNTER: Family =
        Family { name: "x_wait_seconds", form: Form::Counter, labels: &["a", "b"], help: "A wait." };

    #[test]
    fn a_page_is_open_metrics() {
        let mut page = Page::default();
        page.family(&COUNTER).is(&["1", "q\"\\\n"], seconds(1_500_000)).is(&["2", ""], 3);
        assert_eq!(
            page.end(),
            "# TYPE x_wait_seconds counter\n# UNIT x_wait_seconds seconds\n# HELP x_wait_seconds A wait.\n\
             x_wait_seconds_total{a=\"1\",b=\"q\\\"\\\\\\n\"} 1.5\nx_wait_seconds_total{a=\"2\",b=\"\"} 3\n# EOF\n"
        );
    }

    #[test]
    fn seconds_are_exact() {
        for (micros, text) in [(0, "0.0"), (1, "0.000001"), (1_000, "0.001"), (5_000_000, "5.0"), (250_000, "0.25")] {
            assert_eq!(seconds(micros), text);
        }
    }
}
