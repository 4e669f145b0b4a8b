//! Series in the text format of Prometheus: labels, escapes, values. Pure.

use std::fmt::Write;

use chrono::{DateTime, Utc};

/// A text that is being written. Writing to a string cannot fail.
#[derive(Debug)]
pub(super) struct Text {
    written: String,
    /// The labels of all series until they are set anew, as they are written.
    about: String,
}

impl Text {
    /// An empty text with room for so many bytes.
    pub(super) fn with_capacity(bytes: usize) -> Self {
        Self { written: String::with_capacity(bytes), about: String::new() }
    }

    /// The text that was written.
    pub(super) fn written(self) -> String {
        self.written
    }

    /// Writes the help and the type of a family.
    pub(super) fn head(&mut self, name: &str, help: &str) {
        // All families are gauges: what a token is, not what was done.
        writeln!(self.written, "# HELP {name} {help}\n# TYPE {name} gauge").ok();
    }

    /// Sets the labels that the next series begin with.
    pub(super) fn about(&mut self, labels: &[(&str, &str)]) {
        self.about.clear();
        for (index, label) in labels.iter().enumerate() {
            write_label(&mut self.about, index == 0, label);
        }
    }

    /// Writes one series: with the labels that were set by [`Self::about`], then with these.
    pub(super) fn series(&mut self, name: &str, labels: &[(&str, &str)], value: impl Value) {
        self.written.push_str(name);
        self.written.push_str(&self.about);
        for (index, label) in labels.iter().enumerate() {
            write_label(&mut self.written, index == 0 && self.about.is_empty(), label);
        }
        let labelled = !labels.is_empty() || !self.about.is_empty();
        self.written.push_str(if labelled { "} " } else { " " });
        value.write(&mut self.written);
        self.written.push('\n');
    }
}

fn write_label(text: &mut String, first: bool, (name, value): &(&str, &str)) {
    text.push(if first { '{' } else { ',' });
    text.push_str(name);
    text.push_str("=\"");
    escape(text, value);
    text.push('"');
}

fn escape(text: &mut String, value: &str) {
    // Nearly no name needs escaping. A pass over every byte without an early exit is what a CPU does fastest: a quarter
    // of a scrape's time against `str::contains`.
    let special = |byte: u8| u8::from(byte == b'\\') | u8::from(byte == b'"') | u8::from(byte == b'\n');
    if value.bytes().fold(0, |found, byte| found | special(byte)) == 0 {
        return text.push_str(value);
    }
    for character in value.chars() {
        match character {
            '\\' => text.push_str("\\\\"),
            '"' => text.push_str("\\\""),
            '\n' => text.push_str("\\n"),
            other => text.push(other),
        }
    }
}

/// A value of a sample.
pub(super) trait Value {
    fn write(self, text: &mut String);
}

impl Value for bool {
    fn write(self, text: &mut String) {
        text.push(if self { '1' } else { '0' });
    }
}

impl Value for usize {
    fn write(self, text: &mut String) {
        write!(text, "{self}").ok();
    }
}

impl Value for u64 {
    fn write(self, text: &mut String) {
        write!(text, "{self}").ok();
    }
}

/// Seconds since the epoch; 0 for what has not happened.
impl Value for Option<DateTime<Utc>> {
    fn write(self, text: &mut String) {
        let Some(moment) = self else { return text.push('0') };
        write!(text, "{}", moment.timestamp()).ok();
        let milliseconds = moment.timestamp_subsec_millis();
        if milliseconds > 0 {
            write!(text, ".{milliseconds:03}").ok();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn label_values_are_escaped_and_times_are_seconds() {
        let mut text = Text::with_capacity(0);
        let at = DateTime::from_timestamp_millis(1_800_000_000_250).expect("a moment");
        text.series("a", &[("b", "x\"y\\z\nü")], Some(at));
        text.series("a", &[], None::<DateTime<Utc>>);
        text.about(&[("t", "1"), ("u", "2")]);
        text.series("a", &[], true);
        text.series("a", &[("b", "3")], 7_usize);
        let expected =
            "a{b=\"x\\\"y\\\\z\\nü\"} 1800000000.250\na 0\na{t=\"1\",u=\"2\"} 1\na{t=\"1\",u=\"2\",b=\"3\"} 7\n";
        assert_eq!(text.written, expected);
    }
}
