//! To which alert each finding belongs: one that lists it already, one whose cause explains it too, or a new one. Pure.
//!
//! An alert is one cause at one onset. What was seen to be granted after an alert began was lost by another click, and
//! is another alert; what becomes known of a cause later moves its findings to the alert of that cause.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};

use super::finding::Finding;
use super::firing::{Affected, Firing};
use super::kind::{Alert, Family};
use super::notification::AlertKey;

#[cfg(test)]
mod tests;

/// What is first seen to be refused so long after an alert began may still be of its round: the checks that it made due at
/// once wait for the budget.
const ROUND: TimeDelta = TimeDelta::minutes(2);

/// To which alert each finding belongs.
#[derive(Debug, Default)]
pub(super) struct Listing {
    /// The findings of each alert that fires, by the same index; a finding is named by its own.
    pub(super) kept: Vec<Vec<usize>>,
    /// Whether something that the alert listed belongs to another one now.
    pub(super) has_moved: Vec<bool>,
    /// Whether an alert lists what nothing can be said of now, so that what goes along with it stays.
    is_held: Vec<bool>,
    /// The findings of each alert that begins.
    pub(super) new: Vec<(AlertKey, Vec<usize>)>,
}

/// An alert that may begin, and its findings, each with the alert that lists it until now.
type Candidates = BTreeMap<AlertKey, Vec<(usize, Option<usize>)>>;

/// Distributes the findings among the alerts that fire and new ones. `is_held` says whether an alert lists a permission of
/// which nothing can be said now, and `begins` whether a new alert of this kind begins now, given whether its cause is not
/// known.
pub(super) fn list(
    findings: &[Finding],
    firing: &[Firing],
    is_held: impl Fn(&Firing) -> bool,
    mut begins: impl FnMut(&AlertKey, bool) -> bool,
) -> Listing {
    let mut listing = Listing {
        kept: vec![Vec::new(); firing.len()],
        has_moved: vec![false; firing.len()],
        is_held: firing.iter().map(is_held).collect(),
        new: Vec::new(),
    };
    let mut candidates = Candidates::new();
    let is_current = |index: &usize| !findings[*index].is_stale || listed_in(&findings[*index], firing).is_some();
    let current = (0..findings.len()).filter(is_current);
    let (rights, others): (Vec<usize>, Vec<usize>) = current.partition(|index| findings[*index].is_right());
    for index in others {
        listing.place(index, findings, firing, &mut candidates);
    }
    merge_missing(findings, &mut candidates);
    for index in rights {
        listing.place_right(index, findings, firing, &mut candidates);
    }
    for (key, members) in candidates {
        let counted: Vec<_> =
            members.iter().filter(|(index, listed)| listed.is_some() || findings[*index].may_begin).collect();
        let found: Vec<_> = counted.iter().map(|(index, _)| &findings[*index]).collect();
        // A right that goes along with what explains it begins nothing by itself.
        let is_vague = found.iter().any(|finding| finding.is_vague);
        if found.iter().any(|finding| finding.may_begin && finding.alert == key.alert) && begins(&key, is_vague) {
            for (_, listed) in &counted {
                listing.moved_from(*listed);
            }
            listing.new.push((key, counted.iter().map(|(index, _)| *index).collect()));
        } else {
            for (index, listed) in members {
                if let Some(listed) = listed {
                    listing.kept[listed].push(index);
                }
            }
        }
    }
    listing
}

impl Listing {
    /// Takes note that something that an alert listed belongs to another one now.
    fn moved_from(&mut self, listed: Option<usize>) {
        if let Some(listed) = listed {
            self.has_moved[listed] = true;
        }
    }

    /// Places what is no right.
    fn place(&mut self, index: usize, findings: &[Finding], firing: &[Firing], candidates: &mut Candidates) {
        let finding = &findings[index];
        let listed = listed_in(finding, firing);
        if let Some(at) = listed.filter(|at| finding.is_vague || fits(&firing[*at], finding)) {
            self.kept[at].push(index);
        } else if let Some(at) = firing.iter().position(|firing| joins(firing, finding)) {
            self.kept[at].push(index);
            self.moved_from(listed);
        } else {
            candidates.entry(key(finding)).or_default().push((index, listed));
        }
    }

    /// Places a right: it goes along with what explains it, and has an alert of its own only where nothing does.
    fn place_right(&mut self, index: usize, findings: &[Finding], firing: &[Firing], candidates: &mut Candidates) {
        let finding = &findings[index];
        let listed = listed_in(finding, firing);
        if let Some(place) = self.explanation(listed, finding, findings, firing, candidates) {
            match place {
                Place::Firing(at) => {
                    self.kept[at].push(index);
                    self.moved_from(listed.filter(|listed| *listed != at));
                }
                Place::New(key) => candidates.entry(key).or_default().push((index, listed)),
            }
        } else if let Some(at) = listed.filter(|at| self.is_held[*at] || stays(&firing[*at], finding)) {
            self.kept[at].push(index);
        } else if listed.is_some() && finding.alert == Alert::SecurityGroupRightLost && !finding.may_begin {
            // What it went along with is over; should it last, the next check says so.
        } else if let Some(at) = firing.iter().position(|firing| joins(firing, finding)) {
            self.kept[at].push(index);
        } else {
            candidates
                .entry(key(finding))
                .or_default()
                .push((index, listed.filter(|at| firing[*at].alert == finding.alert)));
        }
    }

    /// Which alert explains that a right was lost: one about the same group or user before one about its token alone, and
    /// the one that lists it before others.
    fn explanation(
        &self,
        listed: Option<usize>,
        right: &Finding,
        findings: &[Finding],
        firing: &[Firing],
        candidates: &Candidates,
    ) -> Option<Place> {
        let explains = |index: usize, by: Explanation| explanation(&findings[index], right) == Some(by);
        // What several tokens of a group lost together is in one alert, whatever else one of them lost.
        let is_shared = |other: &Finding| {
            let is_same = |of: fn(&Affected) -> Option<&str>| {
                other.affected.as_ref().and_then(of) == right.affected.as_ref().and_then(of)
            };
            other.scope == right.scope && is_same(|one| one.right.as_deref()) && !is_same(|one| Some(&one.token_name))
        };
        let ways = [Explanation::SameScope, Explanation::SameToken];
        let ways = if findings.iter().any(is_shared) { &ways[..1] } else { &ways[..] };
        ways.iter().copied().find_map(|by| {
            let explained = |at: &usize| {
                self.kept[*at].iter().any(|index| explains(*index, by))
                    && (listed == Some(*at) || is_of_round(&firing[*at], right))
            };
            let at = listed.filter(explained).or_else(|| (0..firing.len()).find(explained));
            let new = || candidates.iter().find(|(_, members)| members.iter().any(|(index, _)| explains(*index, by)));
            at.map(Place::Firing).or_else(|| new().map(|(key, _)| Place::New(key.clone())))
        })
    }
}

/// An alert to which a finding belongs.
enum Place {
    /// One that fires, by its index.
    Firing(usize),
    /// One that may begin.
    New(AlertKey),
}

/// How the loss of a right is explained by a permission that is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Explanation {
    /// The user or the security group lost both.
    SameScope,
    /// The token that lost the one has a user who lost the other.
    SameToken,
}

fn key(finding: &Finding) -> AlertKey {
    AlertKey { alert: finding.alert, of: finding.scope.clone() }
}

/// The alert that lists a finding.
fn listed_in(finding: &Finding, firing: &[Firing]) -> Option<usize> {
    let lists = |firing: &Firing| {
        let is_same = finding.affected.is_some() || firing.scope == finding.scope;
        is_same && firing.alert.family() == finding.alert.family() && firing.lists(finding.affected.as_ref())
    };
    firing.iter().position(lists)
}

/// Whether an alert is of the kind and the cause of a finding.
fn fits(firing: &Firing, finding: &Finding) -> bool {
    let explains_missing = firing.alert == Alert::PermissionLost && finding.alert == Alert::PermissionMissing;
    firing.scope == finding.scope && (firing.alert == finding.alert || explains_missing)
}

/// Whether a right stays in the alert that lists it: also while the group is not known that the alert is about.
fn stays(firing: &Firing, right: &Finding) -> bool {
    fits(firing, right) || right.is_vague && firing.alert == right.alert
}

/// Whether an alert that does not list a finding explains it.
fn joins(firing: &Firing, finding: &Finding) -> bool {
    if !finding.may_begin || !fits(firing, finding) {
        return false;
    }
    let Some(affected) = &finding.affected else { return true };
    if firing.alert.family() != Family::Access {
        return true;
    }
    let lists_same = |affected: &Affected| {
        let same = |other: &Affected| affected.thing().is_some() && other.thing() == affected.thing();
        firing.affected.iter().any(same)
    };
    is_of_round(firing, finding) || lists_same(affected) && finding.granted_at <= firing.began_at
}

/// Whether a finding may be of the onset of an alert: it was not seen to be otherwise after the alert began, and was first
/// seen in its round.
fn is_of_round(firing: &Firing, finding: &Finding) -> bool {
    let is_missing_anew = finding.alert == Alert::PermissionMissing && firing.alert != finding.alert;
    let until: DateTime<Utc> = firing.began_at + ROUND;
    finding.granted_at <= firing.began_at && finding.since <= until && !is_missing_anew
}

/// How a permission that is missing explains that a right was lost, if it does.
fn explanation(finding: &Finding, right: &Finding) -> Option<Explanation> {
    let is_lost = matches!(finding.alert, Alert::PermissionLost | Alert::UserChanged) && !finding.is_right();
    let token = |finding: &Finding| finding.affected.as_ref().map(|affected| affected.token_name.clone());
    // What only the token lacks explains nothing of its user.
    let is_of_token = finding.scope.token_name().is_some() && !finding.is_vague;
    if !is_lost || is_of_token {
        None
    } else if finding.scope == right.scope {
        Some(Explanation::SameScope)
    } else {
        (token(finding) == token(right)).then_some(Explanation::SameToken)
    }
}

/// What was missing at the first check belongs to the alert that begins for the loss of the same.
fn merge_missing(findings: &[Finding], candidates: &mut Candidates) {
    let of_missing: Vec<_> = candidates.keys().filter(|key| key.alert == Alert::PermissionMissing).cloned().collect();
    for missing in of_missing {
        let lost = AlertKey { alert: Alert::PermissionLost, of: missing.of.clone() };
        let Some(losing) = candidates.get(&lost) else { continue };
        let thing = |index: usize| findings[index].affected.as_ref().and_then(Affected::thing);
        let things: Vec<_> = losing.iter().map(|(index, _)| thing(*index)).collect();
        let Some(members) = candidates.remove(&missing) else { continue };
        let (same, others): (Vec<_>, Vec<_>) =
            members.into_iter().partition(|(index, _)| things.contains(&thing(*index)));
        candidates.entry(lost).or_default().extend(same);
        if !others.is_empty() {
            candidates.insert(missing, others);
        }
    }
}
