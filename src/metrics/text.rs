//! Series in the text format of Prometheus: labels, escapes, values. Pure.

use std::fmt::Write;

use super::sink::{Sink, Value};

/// A text that is being written. Writing to a string cannot fail.
#[derive(Debug, Default)]
pub(super) struct Text {
    written: String,
    /// What all series begin with until it is set anew: the name of the metric, and labels.
    start: String,
    /// Whether there are labels in it.
    is_labelled: bool,
}

impl Text {
    /// The text so far.
    pub(super) fn as_str(&self) -> &str {
        &self.written
    }

    /// Begins again with an empty text; its room stays.
    pub(super) fn clear(&mut self) {
        self.written.clear();
    }

    /// Writes what is in the format already.
    pub(super) fn push(&mut self, text: &str) {
        self.written.push_str(text);
    }

    /// Writes the help and the type of a family.
    pub(super) fn head(&mut self, name: &str, help: &str) {
        // All families are gauges: what a token is, not what was done.
        writeln!(self.written, "# HELP {name} {help}\n# TYPE {name} gauge").unwrap_or_default();
    }

    /// Sets the name of the next series, and the labels that they begin with.
    pub(super) fn begin(&mut self, name: &str, labels: &[(&str, &str)]) {
        self.start.clear();
        self.start.push_str(name);
        for (index, label) in labels.iter().enumerate() {
            write_label(&mut self.start, index == 0, label);
        }
        self.is_labelled = !labels.is_empty();
    }
}

impl Sink for Text {
    fn put(&mut self, labels: &[(&str, &str)], value: Value) {
        self.written.push_str(&self.start);
        for (index, label) in labels.iter().enumerate() {
            write_label(&mut self.written, index == 0 && !self.is_labelled, label);
        }
        self.written.push_str(if labels.is_empty() && !self.is_labelled { " " } else { "} " });
        write_value(&mut self.written, value);
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

fn write_value(text: &mut String, value: Value) {
    match value {
        Value::Count(count) => write!(text, "{count}").unwrap_or_default(),
        Value::Moment(None) => text.push('0'),
        Value::Moment(Some(moment)) => {
            write!(text, "{}", moment.timestamp()).unwrap_or_default();
            let milliseconds = moment.timestamp_subsec_millis();
            if milliseconds > 0 {
                write!(text, ".{milliseconds:03}").unwrap_or_default();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Utc};

    use super::*;

    #[test]
    fn label_values_are_escaped_and_times_are_seconds() {
        let mut text = Text::default();
        let at = DateTime::from_timestamp_millis(1_800_000_000_250).expect("a moment");
        text.begin("a", &[]);
        put(&mut text, &[("b", "x\"y\\z\nü")], Some(at));
        put(&mut text, &[], None::<DateTime<Utc>>);
        text.begin("a", &[("t", "1"), ("u", "2\n")]);
        put(&mut text, &[], true);
        put(&mut text, &[("b", "3")], 7_usize);
        text.begin("c", &[("t", "0")]);
        put(&mut text, &[], false);
        let expected = "a{b=\"x\\\"y\\\\z\\nü\"} 1800000000.250\na 0\na{t=\"1\",u=\"2\\n\"} 1\n\
             a{t=\"1\",u=\"2\\n\",b=\"3\"} 7\nc{t=\"0\"} 0\n";
        assert_eq!(text.as_str(), expected);
        text.clear();
        put(&mut text, &[], true);
        assert_eq!(text.as_str(), "c{t=\"0\"} 1\n");
    }

    fn put(sink: &mut dyn Sink, labels: &[(&str, &str)], value: impl Into<Value>) {
        sink.series(labels, value);
    }
}
