//! Prometheus' text format for the fleet, written piece by piece so that memory does not grow with the fleet.
//!
//! The `prometheus` crate encodes from a tree of owned strings for each series, which takes some twenty times as long
//! (`benches/fleet.rs`). The daemon's own counters still go through it.

use std::fmt::Write;
use std::sync::Arc;

use bytes::Bytes;
use chrono::{DateTime, Utc};

use crate::snapshot::{Snapshot, TokenPicture};

use super::metrics::{FAMILIES, Family};

/// Tokens written into one piece: large enough to cost nothing, small enough to stay small.
const TOKENS_PER_PIECE: usize = 250;

/// What a token takes of a piece, in bytes: eight states of some hundred each.
const TOKEN: usize = 1024;

/// What a family's name and help take, or the few series of a family that is of the whole fleet, in bytes.
const HEAD: usize = 1024;

/// The exposition of one snapshot, as an iterator over its pieces.
#[derive(Debug)]
pub struct Exposition {
    snapshot: Arc<Snapshot>,
    now: DateTime<Utc>,
    family: usize,
    token: usize,
    /// Tokens by tenant and security group, for what belongs to a group.
    by_group: Vec<usize>,
}

impl Exposition {
    /// Begins with the first family. What depends on the time is so at `now`.
    pub fn new(snapshot: Arc<Snapshot>, now: DateTime<Utc>) -> Self {
        let mut by_group: Vec<usize> = (0..snapshot.tokens.len()).collect();
        by_group.sort_by(|left, right| group(&snapshot.tokens[*left]).cmp(&group(&snapshot.tokens[*right])));
        Self { snapshot, now, family: 0, token: 0, by_group }
    }
}

impl Iterator for Exposition {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        let Family { name, help, write, .. } = FAMILIES.get(self.family)?;
        let tokens = &self.snapshot.tokens;
        let room = HEAD + TOKEN * TOKENS_PER_PIECE.min(tokens.len() - self.token);
        let mut text = Text { written: String::with_capacity(room), about: String::new() };
        if self.token == 0 {
            text.head(name, help);
        }
        let end = match write {
            super::metrics::Write::Token(write) => {
                let end = tokens.len().min(self.token + TOKENS_PER_PIECE);
                for picture in &tokens[self.token..end] {
                    text.about(&[("tenant", &picture.token.tenant.name), ("token_name", &picture.token.name)]);
                    write(&mut text, name, picture);
                }
                end
            }
            super::metrics::Write::Group(write) => {
                let mut end = tokens.len().min(self.token + TOKENS_PER_PIECE);
                let same_group = |left: usize, right: usize| group(&tokens[left]) == group(&tokens[right]);
                // A piece never ends within a group.
                while end < tokens.len() && same_group(self.by_group[end - 1], self.by_group[end]) {
                    end += 1;
                }
                let piece = &self.by_group[self.token..end];
                for members in piece.chunk_by(|left, right| same_group(*left, *right)) {
                    write(&mut text, name, members.iter().map(|index| &tokens[*index]).collect::<Vec<_>>().as_slice());
                }
                end
            }
            super::metrics::Write::Fleet(write) => {
                write(&mut text, name, &self.snapshot, self.now);
                tokens.len()
            }
        };
        if end == tokens.len() {
            (self.family, self.token) = (self.family + 1, 0);
        } else {
            self.token = end;
        }
        Some(text.written.into())
    }
}

/// What belongs to a security group is known by its tenant and its name.
fn group(picture: &TokenPicture) -> (&str, Option<&str>) {
    (&picture.token.tenant.name, picture.standing.security_group())
}

/// Text being written. Writing to a string cannot fail.
#[derive(Debug)]
pub(super) struct Text {
    written: String,
    /// Labels of all series until they are set anew, as they are written.
    about: String,
}

impl Text {
    fn head(&mut self, name: &str, help: &str) {
        // All of them are gauges: what a token is, not what was done.
        writeln!(self.written, "# HELP {name} {help}\n# TYPE {name} gauge").ok();
    }

    /// Sets the labels that the next series begin with.
    fn about(&mut self, labels: &[(&str, &str)]) {
        self.about.clear();
        for (index, label) in labels.iter().enumerate() {
            write_label(&mut self.about, index == 0, label);
        }
    }

    /// Writes one series: the labels it is about, then these.
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
    // Nearly no name needs escaping. Looking at every byte without an early exit is what a CPU does fastest: a quarter
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

/// A sample's value.
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
        let mut text = Text { written: String::new(), about: String::new() };
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
