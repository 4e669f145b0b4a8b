//! Series in the text format of Prometheus: labels, escapes, values; or a number in place of the text, which is another one
//! where the text is. Pure.

use std::fmt::Write;
use std::hash::{Hash, Hasher};

use chrono::{DateTime, Utc};
use foldhash::quality::FoldHasher;

/// A text that is being written. Writing to a string cannot fail.
pub(super) struct Text {
    written: Written,
    /// What all series begin with until it is set anew: the name of the metric, and labels.
    start: String,
    /// Whether there are labels in it.
    is_labelled: bool,
}

/// What has been written.
enum Written {
    Text(String),
    /// The number of the text, which takes a small part of the time.
    Hash(FoldHasher<'static>),
}

impl Text {
    /// An empty text with room for so many bytes.
    pub(super) fn with_capacity(bytes: usize) -> Self {
        Self { written: Written::Text(String::with_capacity(bytes)), start: String::new(), is_labelled: false }
    }

    /// An empty text of which only the number is wanted.
    pub(super) fn hashed(hasher: FoldHasher<'static>) -> Self {
        Self { written: Written::Hash(hasher), start: String::new(), is_labelled: false }
    }

    /// The text that was written.
    pub(super) fn written(self) -> String {
        match self.written {
            Written::Text(text) => text,
            Written::Hash(_) => String::new(),
        }
    }

    /// The number of the text.
    pub(super) fn hash(&self) -> u64 {
        match &self.written {
            Written::Text(_) => 0,
            Written::Hash(hasher) => hasher.finish(),
        }
    }

    /// Writes the help and the type of a family.
    pub(super) fn head(&mut self, name: &str, help: &str) {
        match &mut self.written {
            // All families are gauges: what a token is, not what was done.
            Written::Text(text) => writeln!(text, "# HELP {name} {help}\n# TYPE {name} gauge").unwrap_or_default(),
            Written::Hash(hasher) => name.hash(hasher),
        }
    }

    /// Sets the name of the next series, and the labels that they begin with, as they were written before.
    pub(super) fn begin(&mut self, name: &str, labels: &str) {
        match &mut self.written {
            Written::Text(_) => {
                self.start.clear();
                self.start.push_str(name);
                self.start.push_str(labels);
                self.is_labelled = !labels.is_empty();
            }
            Written::Hash(hasher) => (name, labels).hash(hasher),
        }
    }

    /// Writes one series, which begins as was set by [`Self::begin`] and has these labels besides.
    pub(super) fn series(&mut self, labels: &[(&str, &str)], value: impl Value) {
        match &mut self.written {
            Written::Text(text) => {
                text.push_str(&self.start);
                for (index, label) in labels.iter().enumerate() {
                    write_label(text, index == 0 && !self.is_labelled, label);
                }
                text.push_str(if labels.is_empty() && !self.is_labelled { " " } else { "} " });
                value.write(text);
                text.push('\n');
            }
            Written::Hash(hasher) => (labels, value).hash(hasher),
        }
    }
}

/// The labels with which the series of each token begin, written once for all families.
#[derive(Debug, Default)]
pub(super) struct Starts {
    written: String,
    ends: Vec<usize>,
}

impl Starts {
    /// Adds those of the next token.
    pub(super) fn add(&mut self, labels: &[(&str, &str)]) {
        for (index, label) in labels.iter().enumerate() {
            write_label(&mut self.written, index == 0, label);
        }
        self.ends.push(self.written.len());
    }

    /// Those of a token by its place.
    pub(super) fn at(&self, index: usize) -> &str {
        let begin = index.checked_sub(1).and_then(|before| self.ends.get(before)).copied().unwrap_or_default();
        let end = self.ends.get(index).copied().unwrap_or(begin);
        &self.written[begin..end]
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

/// A value of a sample. Where its text is another one, so is its hash.
pub(super) trait Value: Hash {
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
        text.begin("a", "");
        text.series(&[("b", "x\"y\\z\nü")], Some(at));
        text.series(&[], None::<DateTime<Utc>>);
        let mut starts = Starts::default();
        starts.add(&[("t", "0")]);
        starts.add(&[("t", "1"), ("u", "2")]);
        text.begin("a", starts.at(1));
        text.series(&[], true);
        text.series(&[("b", "3")], 7_usize);
        text.begin("c", starts.at(0));
        text.series(&[], false);
        let expected = "a{b=\"x\\\"y\\\\z\\nü\"} 1800000000.250\na 0\na{t=\"1\",u=\"2\"} 1\n\
             a{t=\"1\",u=\"2\",b=\"3\"} 7\nc{t=\"0\"} 0\n";
        assert_eq!(text.written(), expected);
    }
}
