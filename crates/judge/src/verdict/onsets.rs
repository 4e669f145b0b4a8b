//! A later onset is another alert, so that neither an acknowledgement nor an alert that fires swallows it.

use super::facts::was_known_good;
use super::{Bench, Found, Kind, SUSPICION};
use crate::ledger::{Change, Received};
use crate::listings::Listing;
use crate::spans::Ms;

impl Bench<'_> {
    pub(super) fn onsets(&mut self) {
        let mut found: Found = Vec::new();
        for token in 0..self.case.tokens.len() {
            for permission in self.case.tokens[token].wanted.iter().copied() {
                self.joined_later(token, permission, &mut found);
            }
        }
        self.find_all(found);
    }

    /// What was lost after the round of an alert is not added to it.
    fn joined_later(&self, token: usize, permission: usize, found: &mut Found) {
        let patience = self.patience(self.case.policy.permissions);
        let thing = self.case.permissions[permission].name;
        let listings = self.listings.of_entry((self.tenant_of(token), &self.case.tokens[token].name, thing));
        let added = listings.iter().map(Listing::begun).filter(|begun| begun.change != Change::New);
        for received in added {
            let (bad, seen) = (self.short_of(token, permission), self.timeline.sees_permission(token, permission));
            let onset = bad.iter().map(|(from, _)| from).take_while(|from| *from <= received.at).last();
            let (Some(new), Some(onset)) = (self.beginning_of(received), onset) else { continue };
            let elsewhere = |other: &Listing<'_>| other.begun().id != received.id && other.touches(onset, received.at);
            let late = onset > self.put_off(new + patience + SUSPICION);
            if late
                && was_known_good(&bad, &seen, onset, patience)
                && !listings.iter().any(elsewhere)
                && seen.contains(onset)
                && !self.is_removed(token, onset, received.at)
                && !self.may_have_lost(new, received.at)
            {
                let (name, alert) = (self.token_name(token), received.name());
                let (onset, new) = (onset / 1000, new / 1000);
                let what =
                    format!("{name} / {thing} was lost at {onset} s and added to {alert}, which began at {new} s");
                found.push((Kind::Split, received.at, what));
            }
        }
    }

    fn beginning_of(&self, received: &Received) -> Option<Ms> {
        let first = self.received.iter().find(|any| any.id == received.id && any.change == Change::New);
        first.map(|first| first.at)
    }
}
