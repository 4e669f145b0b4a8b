//! The fleet in the text format of Prometheus. What was written for one scrape is kept, compressed, for the next, which writes
//! only what has changed since. Pure.
//!
//! The `prometheus` crate encodes from a tree of owned strings for each series, which takes some twenty times as long
//! (`benches/scrape.rs`). The daemon's own counters still go through it.

use std::hash::BuildHasher;
use std::sync::{Arc, Mutex, MutexGuard};

use chrono::{DateTime, Utc};
use foldhash::quality::RandomState;

use crate::model::Metric;
use crate::state::Snapshot;

use super::chunk::{self, Chunk};
use super::families::{FLEET_FAMILIES, TOKEN_FAMILIES};
use super::piece::Piece;
use super::scrape::Scrape;
use super::writer::Writer;

/// What is kept of `/metrics` from one scrape to the next.
#[derive(Debug, Default)]
pub struct Exposition(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    hasher: RandomState,
    /// Its room is so large that it would be mapped anew for each scrape.
    writer: Writer,
    /// The tokens, some together.
    chunks: Vec<Chunk>,
    /// What is not about tokens, in its order, by a number of its text: each is written for every scrape, which is soon done.
    others: Vec<(u64, Arc<Piece>)>,
}

impl Exposition {
    /// What a scrape is answered with: the daemon's own counters as `own` has them, then `snapshot`. What depends on the time is
    /// as it is at `now`.
    pub fn scrape(&self, own: &str, snapshot: &Snapshot, now: DateTime<Utc>) -> Scrape {
        self.kept().scrape(own, snapshot, now)
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(|poisoned| {
            // Whoever panicked may have kept the number of a text and not the text.
            let mut kept = poisoned.into_inner();
            *kept = Kept::default();
            self.0.clear_poison();
            kept
        })
    }
}

impl Kept {
    fn scrape(&mut self, own: &str, snapshot: &Snapshot, now: DateTime<Utc>) -> Scrape {
        let is_shown = |metric: Metric| !snapshot.excluded_metrics.contains(&metric);
        let Self { hasher, writer, .. } = self;
        if !chunk::are_of(&self.chunks, &snapshot.tokens) {
            self.chunks = chunk::divided(&snapshot.tokens);
        }
        let mut tokens = snapshot.tokens.iter();
        for chunk in &mut self.chunks {
            let tokens: Vec<_> = tokens.by_ref().take(chunk.len()).collect();
            chunk.update(&tokens, is_shown, hasher, writer);
        }
        let mut pieces = Vec::new();
        let mut before = std::mem::take(&mut self.others).into_iter();
        let mut other = |writer: &mut Writer| {
            let number = hasher.hash_one(writer.text.as_str());
            let piece = match before.next() {
                Some((same, piece)) if same == number => {
                    writer.text.clear();
                    piece
                }
                _ => writer.piece(),
            };
            self.others.push((number, Arc::clone(&piece)));
            piece
        };
        writer.text.push(own);
        pieces.push(other(writer));
        for (index, family) in TOKEN_FAMILIES.iter().enumerate().filter(|(_, family)| is_shown(family.metric)) {
            writer.text.head(family.metric.as_str(), family.help);
            pieces.push(other(writer));
            pieces.extend(self.chunks.iter().filter_map(|chunk| chunk.piece(index).cloned()));
        }
        for family in FLEET_FAMILIES.iter().filter(|family| is_shown(family.metric)) {
            writer.text.head(family.metric.as_str(), family.help);
            writer.text.begin(family.metric.as_str(), &[]);
            (family.write)(&mut writer.text, snapshot, now);
            pieces.push(other(writer));
        }
        Scrape::of(pieces)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;
    use crate::belief::{Belief, TokenState, TokenStatus, step};
    use crate::model::{Tenant, Token};
    use crate::state::TokenSnapshot;
    use crate::syncro::ProbeObservation;
    use crate::testing::{at, observed, policy, probed, token, token_snapshot, works};

    /// A status of which every family says something.
    fn status(token: &Token) -> TokenStatus {
        let mut status = TokenStatus::default();
        let rights = works(&[("ticket.read", true), ("ticket.write", false)]);
        let _ = step(&mut status, &observed(5, rights), policy(token));
        let _ = step(&mut status, &probed(6, &[("Tickets - Edit", ProbeObservation::Granted(200))]), policy(token));
        status.customers_visible = Some(7);
        status
    }

    /// A token of a tenant with a hundred and fifty of them, or of one with three.
    fn entry(number: usize) -> TokenSnapshot {
        let wanted = token(&format!("t{number}"), &["Tickets - Edit", "Tickets - Create"]);
        let name = format!("tenant-{:02}", number.saturating_sub(150) / 3);
        let tenant = Arc::new(Tenant { name, ..(*wanted.tenant).clone() });
        let token = Token { tenant, expires: Some(at(9)), ..wanted };
        let status = status(&token);
        token_snapshot(token, status)
    }

    fn fleet(tokens: usize) -> Snapshot {
        Snapshot { tokens: (0..tokens).map(entry).collect(), ..Snapshot::default() }
    }

    fn text(exposition: &Exposition, snapshot: &Snapshot) -> String {
        let parts: Vec<_> = exposition.scrape("own 1\n", snapshot, at(20)).plain().map(Result::unwrap).collect();
        String::from_utf8(parts.concat()).unwrap()
    }

    /// What a snapshot says to whoever asks for the first time.
    fn at_first(snapshot: &Snapshot) -> String {
        text(&Exposition::default(), snapshot)
    }

    fn replaced(
        snapshot: &Snapshot,
        index: usize,
        token: Option<Token>,
        change: impl Fn(&mut TokenStatus),
    ) -> Snapshot {
        let mut snapshot = snapshot.clone();
        let mut entry = snapshot.tokens[index].clone();
        entry.token = token.map_or(entry.token, Arc::new);
        change(Arc::make_mut(&mut entry.status));
        snapshot.tokens.replace(index, entry);
        snapshot
    }

    type Change = fn(&mut TokenStatus);

    /// Changes of a status that are seen, and some that are not.
    const CHANGES: [(&str, Change); 14] = [
        ("a state", |status| status.state = TokenState::Expired),
        ("a fingerprint", |status| status.fingerprint = None),
        ("a user", |status| status.user.as_mut().unwrap().id += 1),
        ("no user", |status| status.user = None),
        ("a group", |status| status.user.as_mut().unwrap().group = Some("Others".into())),
        ("a Global Admin", |status| status.user.as_mut().unwrap().admin = Belief::first(true, at(6))),
        ("how many customers", |status| status.customers_visible = Some(8)),
        ("a permission", |status| status.permissions[0].belief = Belief::first(false, at(6))),
        ("no permission", |status| status.permissions.clear()),
        ("a right", |status| status.rights[0].belief = Belief::first(false, at(6))),
        ("no right", |status| status.rights.clear()),
        ("a moment", |status| status.validity.last_success = Some(at(11))),
        ("another moment", |status| status.permission_checks.last_attempt = Some(at(12))),
        ("what no family says", |status| status.worked_after_expiry += 1),
    ];

    #[test]
    fn a_scrape_says_what_is_so_whatever_was_written_before() {
        let (before, exposition) = (fleet(200), Exposition::default());
        let first = text(&exposition, &before);
        assert_eq!(first, at_first(&before));
        for (what, change) in CHANGES {
            for index in [0, 59, 149, 199] {
                let after = replaced(&before, index, None, change);
                let now = text(&exposition, &after);
                assert_eq!(now, at_first(&after), "{what}");
                // The others of a group have the rights still.
                let is_seen = !["no right", "what no family says"].contains(&what);
                assert_eq!(now != first, is_seen, "{what}");
            }
        }
        let token = (*before.tokens[3].token).clone();
        for renamed in [Token { name: "x\"\n".to_owned(), ..token.clone() }, Token { expires: None, ..token }] {
            let after = replaced(&before, 3, Some(renamed), |_| {});
            let now = text(&exposition, &after);
            assert_eq!(now, at_first(&after));
            assert_ne!(now, first);
        }
    }

    #[test]
    fn tokens_come_and_go_and_families_are_left_out_and_back() {
        let exposition = Exposition::default();
        let without = |metrics: &[Metric]| Snapshot { excluded_metrics: metrics.into(), ..fleet(70) };
        let same = fleet(70);
        let excluded = Snapshot { excluded_metrics: [Metric::TokenState, Metric::Alert].into(), ..same.clone() };
        for snapshot in [
            fleet(0),
            fleet(1),
            same.clone(),
            excluded,
            same,
            without(&[Metric::TokenInfo]),
            fleet(200),
            fleet(61),
            fleet(0),
        ] {
            assert_eq!(text(&exposition, &snapshot), at_first(&snapshot));
        }
        assert!(!at_first(&without(&[Metric::TokenState])).contains("syncro_token_state"));
    }

    #[test]
    fn each_series_is_there_once_and_each_family_together() {
        let text = at_first(&fleet(200));
        let series: Vec<_> =
            text.lines().filter(|line| !line.starts_with('#')).map(|line| line.rsplit_once(' ').unwrap().0).collect();
        assert_eq!(series.iter().collect::<BTreeSet<_>>().len(), series.len());
        let mut families: Vec<_> = series.iter().map(|series| series.split('{').next().unwrap()).collect();
        families.dedup();
        assert_eq!(families.iter().collect::<BTreeSet<_>>().len(), families.len(), "{families:?}");
        assert_eq!(families.len(), 13, "our own and 12 of 14: nothing fires and no tenant is listed: {families:?}");
    }

    proptest! {
        #[test]
        fn it_does_after_whatever_changes(
            rounds in proptest::collection::vec(proptest::collection::vec((0_usize..200, 0_usize..CHANGES.len()), 0..5), 1..5),
        ) {
            let (mut snapshot, exposition) = (fleet(200), Exposition::default());
            for round in rounds {
                for (index, change) in round {
                    // What is gone cannot change.
                    let is_possible = |status: &TokenStatus| status.user.is_some() && !status.permissions.is_empty() && !status.rights.is_empty();
                    if is_possible(&snapshot.tokens[index].status) {
                        snapshot = replaced(&snapshot, index, None, CHANGES[change].1);
                    }
                }
                prop_assert_eq!(text(&exposition, &snapshot), at_first(&snapshot));
            }
        }
    }

    #[test]
    fn what_has_not_changed_is_not_written_again() {
        let (before, exposition) = (fleet(200), Exposition::default());
        drop(exposition.scrape("", &before, at(20)));
        let pieces = |exposition: &Exposition| -> Vec<_> {
            let kept = exposition.kept();
            kept.chunks
                .iter()
                .flat_map(|chunk| (0..10).map(|family| Arc::clone(chunk.piece(family).unwrap())))
                .collect()
        };
        let first = pieces(&exposition);
        let after = replaced(&before, 0, None, |status| status.validity.last_success = Some(at(11)));
        drop(exposition.scrape("", &after, at(20)));
        let second = pieces(&exposition);
        let written = first.iter().zip(&second).filter(|(one, other)| !Arc::ptr_eq(one, other)).count();
        assert_eq!((first.len(), second.len(), written), (20, 20, 1));
    }
}
