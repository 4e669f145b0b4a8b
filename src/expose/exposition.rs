//! Prometheus' text format for the fleet, written piece by piece so that memory does not grow with the fleet.
//!
//! The `prometheus` crate encodes from a tree of owned strings for each series; for 200,000 series that tree alone is
//! larger than the whole daemon may be. Its own counters still go through it.

use std::fmt::Write;
use std::sync::Arc;

use bytes::Bytes;
use chrono::{DateTime, Utc};

use crate::snapshot::Snapshot;

use super::metrics::{FAMILIES, Family};

/// Tokens written into one piece: large enough to cost nothing, small enough to stay small.
const TOKENS_PER_PIECE: usize = 250;

/// The exposition of one snapshot, as an iterator over its pieces.
#[derive(Debug)]
pub struct Exposition {
    snapshot: Arc<Snapshot>,
    family: usize,
    token: usize,
    /// Tokens by tenant and security group, for what belongs to a group.
    by_group: Vec<usize>,
}

impl Exposition {
    /// Begins with the first family.
    pub fn new(snapshot: Arc<Snapshot>) -> Self {
        let mut by_group: Vec<usize> = (0..snapshot.tokens.len()).collect();
        by_group.sort_by_cached_key(|index| {
            let picture = &snapshot.tokens[*index];
            (picture.token.tenant.name.clone(), picture.standing.user.as_ref().and_then(|user| user.group.clone()))
        });
        Self { snapshot, family: 0, token: 0, by_group }
    }
}

impl Iterator for Exposition {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        let Family { name, help, write, .. } = FAMILIES.get(self.family)?;
        let mut text = Text(String::with_capacity(64 * 1024));
        if self.token == 0 {
            text.head(name, help);
        }
        let tokens = &self.snapshot.tokens;
        let end = match write {
            super::metrics::Write::Token(write) => {
                let end = tokens.len().min(self.token + TOKENS_PER_PIECE);
                tokens[self.token..end].iter().for_each(|picture| write(&mut text, name, picture));
                end
            }
            super::metrics::Write::Group(write) => {
                let mut end = tokens.len().min(self.token + TOKENS_PER_PIECE);
                // A piece never ends within a group.
                while end < tokens.len() && same_group(&self.snapshot, self.by_group[end - 1], self.by_group[end]) {
                    end += 1;
                }
                let piece = &self.by_group[self.token..end];
                for group in piece.chunk_by(|left, right| same_group(&self.snapshot, *left, *right)) {
                    write(&mut text, name, group.iter().map(|index| &tokens[*index]).collect::<Vec<_>>().as_slice());
                }
                end
            }
            super::metrics::Write::Fleet(write) => {
                write(&mut text, name, &self.snapshot);
                tokens.len()
            }
        };
        if end == tokens.len() {
            (self.family, self.token) = (self.family + 1, 0);
        } else {
            self.token = end;
        }
        Some(text.0.into())
    }
}

fn same_group(snapshot: &Snapshot, left: usize, right: usize) -> bool {
    let (left, right) = (&snapshot.tokens[left], &snapshot.tokens[right]);
    let group =
        |picture: &'_ crate::snapshot::TokenPicture| picture.standing.user.as_ref().and_then(|user| user.group.clone());
    left.token.tenant.name == right.token.tenant.name && group(left) == group(right)
}

/// Text being written. Writing to a string cannot fail.
#[derive(Debug)]
pub(super) struct Text(String);

impl Text {
    fn head(&mut self, name: &str, help: &str) {
        // All of them are gauges: what a token is, not what was done.
        writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} gauge").ok();
    }

    /// Writes one series.
    pub(super) fn series(&mut self, name: &str, labels: &[(&str, &str)], value: impl Value) {
        self.0.push_str(name);
        for (index, (label, value)) in labels.iter().enumerate() {
            self.0.push(if index == 0 { '{' } else { ',' });
            self.0.push_str(label);
            self.0.push_str("=\"");
            self.escaped(value);
            self.0.push('"');
        }
        self.0.push_str(if labels.is_empty() { " " } else { "} " });
        value.write(&mut self.0);
        self.0.push('\n');
    }

    fn escaped(&mut self, value: &str) {
        let mut rest = value;
        while let Some(index) = rest.find(['\\', '"', '\n']) {
            self.0.push_str(&rest[..index]);
            self.0.push_str(match rest.as_bytes()[index] {
                b'\\' => "\\\\",
                b'"' => "\\\"",
                _ => "\\n",
            });
            rest = &rest[index + 1..];
        }
        self.0.push_str(rest);
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
        let mut text = Text(String::new());
        text.series(
            "a",
            &[("b", "x\"y\\z\nü")],
            Some(DateTime::from_timestamp_millis(1_800_000_000_250).expect("a moment")),
        );
        text.series("a", &[], None::<DateTime<Utc>>);
        assert_eq!(text.0, "a{b=\"x\\\"y\\\\z\\nü\"} 1800000000.250\na 0\n");
    }
}
