//! The fleet in the text format of Prometheus, piece by piece so that memory does not grow with the fleet. Pure.
//!
//! The `prometheus` crate encodes from a tree of owned strings for each series, which takes some twenty times as long
//! (`benches/scrape.rs`). The daemon's own counters still go through it.

use std::hash::BuildHasher;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use foldhash::quality::RandomState;

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
    fleet: Arc<Fleet>,
    family: usize,
    token: usize,
}

/// What all pieces are about.
#[derive(Debug)]
struct Fleet {
    snapshot: Arc<Snapshot>,
    now: DateTime<Utc>,
    starts: Starts,
    /// The indices of the tokens in the order of tenant and security group, for what belongs to a group.
    by_group: Vec<usize>,
}

/// A piece of what a scrape is answered with.
#[derive(Debug)]
pub enum Piece {
    /// One that is written already.
    Written(Bytes),
    /// One that is written when it is asked for.
    Fleet(FleetPiece),
}

/// A piece of an exposition: some tokens of a family.
#[derive(Debug)]
pub struct FleetPiece {
    fleet: Arc<Fleet>,
    family: &'static Family,
    tokens: Range<usize>,
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
        let mut exposition = Self { fleet: Arc::new(Fleet { snapshot, now, starts, by_group }), family: 0, token: 0 };
        exposition.pass_over_excluded();
        exposition
    }

    /// Goes on to the next family that is not left out, unless this one is not.
    fn pass_over_excluded(&mut self) {
        let excluded = &self.fleet.snapshot.excluded_metrics;
        while FAMILIES.get(self.family).is_some_and(|family| excluded.contains(&family.metric)) {
            self.family += 1;
        }
    }
}

impl Iterator for Exposition {
    type Item = Piece;

    fn next(&mut self) -> Option<Piece> {
        let family = FAMILIES.get(self.family)?;
        let count = self.fleet.snapshot.tokens.len();
        let end = match family.write {
            Write::Token(series, _) => count.min(self.token + SERIES_PER_PIECE / series),
            Write::Group(_) => self.fleet.end_of_group(count.min(self.token + TOKENS_PER_PIECE)),
            Write::Fleet(_) => count,
        };
        let piece = FleetPiece { fleet: Arc::clone(&self.fleet), family, tokens: self.token..end };
        if end == count {
            (self.family, self.token) = (self.family + 1, 0);
            self.pass_over_excluded();
        } else {
            self.token = end;
        }
        Some(Piece::Fleet(piece))
    }
}

impl Piece {
    /// The text.
    pub fn text(&self) -> Bytes {
        match self {
            Self::Written(text) => text.clone(),
            Self::Fleet(piece) => piece.text(),
        }
    }

    /// A number in place of the text: another one where the text is, but for one in 2^64.
    pub(super) fn hash(&self, hasher: &RandomState) -> u64 {
        match self {
            Self::Written(text) => hasher.hash_one(text),
            Self::Fleet(piece) => piece.hash(hasher),
        }
    }
}

impl FleetPiece {
    fn text(&self) -> Bytes {
        let series = match self.family.write {
            Write::Token(series, _) => series,
            Write::Group(_) => SERIES_PER_PIECE / TOKENS_PER_PIECE,
            Write::Fleet(_) => 0,
        };
        let mut text = Text::with_capacity(HEAD + SERIES * series * self.tokens.len());
        self.write(&mut text);
        text.written().into()
    }

    fn hash(&self, hasher: &RandomState) -> u64 {
        let mut text = Text::hashed(hasher.build_hasher());
        self.write(&mut text);
        text.hash()
    }

    fn write(&self, text: &mut Text) {
        let (fleet, name) = (&self.fleet, self.family.metric.as_str());
        let tokens = &fleet.snapshot.tokens;
        if self.tokens.start == 0 {
            text.head(name, self.family.help);
        }
        match self.family.write {
            Write::Token(_, write) => {
                for index in self.tokens.clone() {
                    text.begin(name, fleet.starts.at(index));
                    write(text, &tokens[index]);
                }
            }
            Write::Group(write) => {
                text.begin(name, "");
                let piece = &fleet.by_group[self.tokens.clone()];
                for members in piece.chunk_by(|left, right| fleet.is_same_group(*left, *right)) {
                    write(text, members.iter().map(|index| &tokens[*index]).collect::<Vec<_>>().as_slice());
                }
            }
            Write::Fleet(write) => {
                text.begin(name, "");
                write(text, &fleet.snapshot, fleet.now);
            }
        }
    }
}

impl Fleet {
    /// The end of the group before `end`, in the order of groups.
    fn end_of_group(&self, mut end: usize) -> usize {
        while end > 0 && end < self.by_group.len() && self.is_same_group(self.by_group[end - 1], self.by_group[end]) {
            end += 1;
        }
        end
    }

    fn is_same_group(&self, left: usize, right: usize) -> bool {
        let tokens = &self.snapshot.tokens;
        group(&tokens[left]) == group(&tokens[right])
    }
}

/// The tenant and the name of a token's security group, which identify the group.
fn group(token: &TokenSnapshot) -> (&str, Option<&str>) {
    (&token.token.tenant.name, token.status.security_group())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::belief::{Belief, TokenState, TokenStatus, step};
    use crate::model::Token;
    use crate::syncro::ProbeObservation;
    use crate::testing::{at, observed, policy, probed, token, token_snapshot, works};

    fn pieces(tokens: &[(Token, TokenStatus)], now: i64) -> Vec<Piece> {
        let of = |(token, status): &(Token, TokenStatus)| token_snapshot(token.clone(), status.clone());
        let snapshot = Snapshot { tokens: tokens.iter().map(of).collect(), ..Snapshot::default() };
        Exposition::new(Arc::new(snapshot), at(now)).collect()
    }

    type Change = fn(&mut Token, &mut TokenStatus);

    /// A status of which every family says something.
    fn status(token: &Token) -> TokenStatus {
        let mut status = TokenStatus::default();
        let rights = works(&[("ticket.read", true), ("ticket.write", false)]);
        let _ = step(&mut status, &observed(5, rights), policy(token));
        let _ = step(&mut status, &probed(6, &[("Tickets - Edit", ProbeObservation::Granted(200))]), policy(token));
        status.customers_visible = Some(7);
        status
    }

    /// Were a number the same where the text is another one, a scrape would say what was.
    #[test]
    fn the_number_of_a_piece_is_another_one_where_its_text_is_and_the_same_where_it_is_not() {
        let wanted = token("t", &["Tickets - Edit", "Tickets - Create"]);
        let token = Token { expires: Some(at(9)), ..wanted };
        let status = status(&token);
        let changes: [(&str, Change); 14] = [
            ("nothing", |_, _| {}),
            ("a name", |token, _| token.name.push('x')),
            ("the place of a border between two labels", |token, _| token.name = "t\",x=\"".to_owned()),
            ("an expiry", |token, _| token.expires = Some(at(10))),
            ("no expiry", |token, _| token.expires = None),
            ("a state", |_, status| status.state = TokenState::Expired),
            ("a fingerprint", |_, status| status.fingerprint = None),
            ("a user", |_, status| status.user.as_mut().unwrap().id += 1),
            ("no user", |_, status| status.user = None),
            ("how many customers", |_, status| status.customers_visible = Some(8)),
            ("a permission", |_, status| status.permissions[0].belief = Belief::first(false, at(6))),
            ("no permission", |_, status| status.permissions.clear()),
            ("a right", |_, status| status.rights[0].belief = Belief::first(false, at(6))),
            ("a moment", |_, status| status.validity.last_success = Some(at(11))),
        ];
        let hasher = RandomState::default();
        let before = pieces(&[(token.clone(), status.clone()), (token.clone(), status.clone())], 0);
        for (what, change) in changes {
            let (mut token_then, mut status_then) = (token.clone(), status.clone());
            change(&mut token_then, &mut status_then);
            let after = pieces(&[(token.clone(), status.clone()), (token_then, status_then)], 0);
            assert_eq!(before.len(), after.len());
            let mut differ = 0;
            for (before, after) in before.iter().zip(&after) {
                let is_same_text = before.text() == after.text();
                assert_eq!(before.hash(&hasher) == after.hash(&hasher), is_same_text, "{what}: {after:?}");
                differ += usize::from(!is_same_text);
            }
            assert_eq!(differ > 0, what != "nothing", "{what}");
        }
        let all: Vec<_> = before.iter().map(|piece| piece.hash(&hasher)).collect();
        let distinct: std::collections::BTreeSet<_> = all.iter().collect();
        assert_eq!(distinct.len(), all.len(), "each family has others");
    }
}
