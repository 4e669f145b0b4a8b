//! The fleet in the text format of Prometheus, written piece by piece so that memory does not grow with the fleet.
//! Pure.
//!
//! The `prometheus` crate encodes from a tree of owned strings for each series, which takes some twenty times as long
//! (`benches/fleet.rs`). The daemon's own counters still go through it.

use std::sync::Arc;

use bytes::Bytes;
use chrono::{DateTime, Utc};

use crate::state::{Snapshot, TokenSnapshot};

use super::families::{FAMILIES, Family, Write};
use super::text::{Starts, Text};

/// How many series are written into one piece: enough that pieces cost nothing, and so few that a piece stays below 128 KiB.
/// A larger block is mapped for itself, and the faults of its pages would take as long as the text does.
const SERIES_PER_PIECE: usize = 540;

/// How many tokens the security groups in one piece have at least.
const TOKENS_PER_PIECE: usize = 60;

/// How much of a piece one series takes, in bytes.
const SERIES: usize = 115;

/// How much the name and the help of a family take, or the few series of a family about the whole fleet, in bytes.
const HEAD: usize = 1024;

/// The exposition of one snapshot, as an iterator over its pieces.
#[derive(Debug)]
pub struct Exposition {
    snapshot: Arc<Snapshot>,
    now: DateTime<Utc>,
    family: usize,
    token: usize,
    starts: Starts,
    /// The indices of the tokens in the order of tenant and security group, for what belongs to a group.
    by_group: Vec<usize>,
}

impl Exposition {
    /// The exposition of `snapshot`, from the first family on. What depends on the time is as it is at `now`.
    pub fn new(snapshot: Arc<Snapshot>, now: DateTime<Utc>) -> Self {
        let mut by_group: Vec<usize> = (0..snapshot.tokens.len()).collect();
        by_group.sort_by(|left, right| group(&snapshot.tokens[*left]).cmp(&group(&snapshot.tokens[*right])));
        let mut starts = Starts::default();
        for TokenSnapshot { token, .. } in snapshot.tokens.iter() {
            starts.add(&[("tenant", &token.tenant.name), ("token_name", &token.name)]);
        }
        let mut exposition = Self { snapshot, now, family: 0, token: 0, starts, by_group };
        exposition.pass_over_excluded();
        exposition
    }

    /// Goes on to the next family that is not left out, unless this one is not.
    fn pass_over_excluded(&mut self) {
        let excluded = &self.snapshot.excluded_metrics;
        while FAMILIES.get(self.family).is_some_and(|family| excluded.contains(&family.metric)) {
            self.family += 1;
        }
    }
}

impl Iterator for Exposition {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        let Family { metric, help, write } = FAMILIES.get(self.family)?;
        let name = metric.as_str();
        let tokens = &self.snapshot.tokens;
        let (of_piece, series) = match write {
            Write::Token(series, _) => (SERIES_PER_PIECE / series, *series),
            Write::Group(_) => (TOKENS_PER_PIECE, SERIES_PER_PIECE / TOKENS_PER_PIECE),
            Write::Fleet(_) => (0, 0),
        };
        let mut end = tokens.len().min(self.token + of_piece);
        let room = HEAD + SERIES * series * (end - self.token);
        let mut text = Text::with_capacity(room);
        if self.token == 0 {
            text.head(name, help);
        }
        match write {
            Write::Token(_, write) => {
                for index in self.token..end {
                    text.begin(name, self.starts.at(index));
                    write(&mut text, &tokens[index]);
                }
            }
            Write::Group(write) => {
                let same_group = |left: usize, right: usize| group(&tokens[left]) == group(&tokens[right]);
                // A piece never ends within a group.
                while end < tokens.len() && same_group(self.by_group[end - 1], self.by_group[end]) {
                    end += 1;
                }
                text.begin(name, "");
                let piece = &self.by_group[self.token..end];
                for members in piece.chunk_by(|left, right| same_group(*left, *right)) {
                    write(&mut text, members.iter().map(|index| &tokens[*index]).collect::<Vec<_>>().as_slice());
                }
            }
            Write::Fleet(write) => {
                text.begin(name, "");
                write(&mut text, &self.snapshot, self.now);
                end = tokens.len();
            }
        }
        if end == tokens.len() {
            (self.family, self.token) = (self.family + 1, 0);
            self.pass_over_excluded();
        } else {
            self.token = end;
        }
        Some(text.written().into())
    }
}

/// The tenant and the name of a token's security group, which identify the group.
fn group(token: &TokenSnapshot) -> (&str, Option<&str>) {
    (&token.token.tenant.name, token.status.security_group())
}
