//! What has been seen of tenants lately, and whether it is an outage. Pure.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};

use crate::belief::{FEWEST, LONGEST_TURNED_BAD, Outage, TenantContact, TenantObservation, turned_bad, unreachable};

/// Whether there is an outage.
#[derive(Debug, Default)]
pub(super) struct OutageMonitor {
    /// Tenants of which a token that worked is refused in a way that is not believed yet.
    turned: BTreeSet<String>,
    /// Tenants of which no check gives a verdict.
    silent: BTreeSet<String>,
    /// The outage that is going on: many of them turned bad alike, or fell silent together.
    outage: Option<Outage>,
    /// Those that turned bad are not taken for an outage before this moment: one has lasted so long that it was none.
    overruled_until: Option<DateTime<Utc>>,
    /// When most could be checked again; of a tenant that has not been checked since nobody is notified.
    reachable_since: Option<DateTime<Utc>>,
}

/// What changed with one tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TenantChange {
    /// A token that worked is refused, and was not before.
    pub(super) turned: bool,
    /// No check gives a verdict, and one did before.
    pub(super) fell_silent: bool,
}

/// What an outage is judged by, besides what this monitor has seen itself.
pub(super) struct OutageEvidence<O, C> {
    /// What is seen of each tenant.
    pub(super) observations: O,
    /// Which tenants answer; the argument says whether one has fallen silent.
    pub(super) contacts: C,
    /// How many tenants there are.
    pub(super) tenants: usize,
    /// For how long most must have been silent.
    pub(super) patience: TimeDelta,
    /// Whether the alert fires.
    pub(super) fires: bool,
    /// Whether nothing can be seen for a reason of our own.
    pub(super) is_blind: bool,
}

impl OutageMonitor {
    /// After a start or a reload: these tenants turned bad before.
    pub(super) fn set_turned(&mut self, turned: BTreeSet<String>) {
        self.turned = turned;
    }

    /// Takes in what a check shows of a tenant.
    pub(super) fn note(&mut self, name: &str, turned: bool, is_silent: bool) -> TenantChange {
        let fell_silent = is_silent && !self.silent.contains(name);
        let turned = if turned {
            self.turned.insert(name.to_owned())
        } else {
            self.turned.remove(name);
            false
        };
        TenantChange { turned, fell_silent }
    }

    /// Takes in whether no check of a tenant gives a verdict.
    pub(super) fn set_silent(&mut self, name: &str, is_silent: bool) {
        if !is_silent {
            self.silent.remove(name);
        } else if !self.silent.contains(name) {
            self.silent.insert(name.to_owned());
        }
    }

    /// The tenants of which no check gives a verdict.
    pub(super) fn silent(&self) -> impl Iterator<Item = &String> {
        self.silent.iter()
    }

    /// Whether a token of a tenant that worked is refused.
    pub(super) fn has_turned(&self, name: &str) -> bool {
        self.turned.contains(name)
    }

    /// What is going on.
    pub(super) fn outage(&self) -> Option<Outage> {
        self.outage
    }

    /// Whether so many tenants changed that an outage is to be judged at once, unless one is certain already. Tenants that
    /// are all refused as they answer again are another one.
    pub(super) fn is_worth_judging(&self) -> bool {
        let many_turned = self.turned.len() > FEWEST / 2;
        let is_settled = |outage: Outage| outage.is_certain() && (outage.freezes() || !many_turned);
        !self.outage.is_some_and(is_settled) && (many_turned || self.silent.len() > FEWEST / 2)
    }

    /// Judges whether there is an outage now. Returns what was going on before.
    pub(super) fn judge<O, C>(&mut self, evidence: OutageEvidence<O, C>, now: DateTime<Utc>) -> Option<Outage>
    where
        O: FnOnce() -> Vec<TenantObservation>,
        C: FnOnce(&dyn Fn(&str) -> bool) -> Vec<TenantContact>,
    {
        let OutageEvidence { observations, contacts, tenants, patience, fires, is_blind } = evidence;
        let is_overruled = self.overruled_until.is_some_and(|until| until > now);
        let turned = (self.turned.len() > FEWEST / 2 && !is_overruled).then(observations);
        let outage = turned.and_then(|observations| turned_bad(&observations, tenants, now)).or_else(|| {
            let silent = |name: &str| self.silent.contains(name);
            let contacts = if self.silent.len() > FEWEST / 2 { contacts(&silent) } else { Vec::new() };
            unreachable(&contacts, patience, fires, now)
        });
        // While nothing can be seen for a reason of our own, nothing shows that an outage is over.
        let continues = |outage: &Outage| matches!(outage, Outage::Unreachable { .. }) && is_blind;
        let outage = outage.or_else(|| self.outage.filter(continues));
        let before = std::mem::replace(&mut self.outage, outage);
        match (before, outage) {
            (Some(Outage::TurnedBad { since, .. }), None) if now - since >= LONGEST_TURNED_BAD => {
                self.overruled_until = Some(now + LONGEST_TURNED_BAD);
            }
            (Some(Outage::Unreachable { .. }), None | Some(Outage::TurnedBad { .. })) => {
                self.reachable_since = Some(now);
            }
            _ => {}
        }
        before
    }

    /// Whether what is seen of tokens now is not to be believed.
    pub(super) fn is_frozen(&self) -> bool {
        self.outage.is_some_and(|outage| outage.freezes())
    }

    /// Whether nobody is notified of one tenant alone that no check gives a verdict: it is so with most, perhaps not for
    /// long, or was when the tenant was last checked.
    pub(super) fn is_one_of_many(&self, last_check: Option<DateTime<Utc>>) -> bool {
        matches!(self.outage, Some(Outage::Unreachable { .. }))
            || self.reachable_since.is_some_and(|since| last_check < Some(since))
    }

    /// The clock was set back to `now`.
    pub(super) fn set_back(&mut self, now: DateTime<Utc>) {
        self.overruled_until = None;
        self.reachable_since = self.reachable_since.map(|since| since.min(now));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::belief::TokenState;
    use crate::testing::at;

    fn names(count: usize) -> Vec<String> {
        (0..count).map(|number| format!("tenant-{number}")).collect()
    }

    /// Judges tenants of which these turned bad at 0, and the others worked since.
    fn judge(monitor: &mut OutageMonitor, bad: usize, of: usize, now: i64) -> Option<Outage> {
        let observations = || {
            let turned = |number| (number < bad).then_some((TokenState::Rejected, at(0)));
            let observation = |number| TenantObservation {
                turned: turned(number),
                worked: Some(at(1)),
                let_in: None,
                is_silent: false,
            };
            (0..of).map(observation).collect()
        };
        let contacts = |_: &dyn Fn(&str) -> bool| Vec::new();
        let (patience, fires, is_blind) = (TimeDelta::minutes(15), false, false);
        monitor.judge(OutageEvidence { observations, contacts, tenants: of, patience, fires, is_blind }, at(now))
    }

    #[test]
    fn a_tenant_changes_once() {
        let mut monitor = OutageMonitor::default();
        assert_eq!(monitor.note("a", true, false), TenantChange { turned: true, fell_silent: false });
        assert_eq!(monitor.note("a", true, false), TenantChange { turned: false, fell_silent: false });
        monitor.note("a", false, false);
        assert!(monitor.note("a", true, false).turned && monitor.has_turned("a"));
        assert!(monitor.note("b", false, true).fell_silent);
        monitor.set_silent("b", true);
        assert!(!monitor.note("b", false, true).fell_silent);
    }

    #[test]
    fn an_outage_freezes_until_it_ends_and_a_long_one_overrules_the_next() {
        let mut monitor = OutageMonitor::default();
        let names = names(4);
        for name in &names {
            assert!(monitor.note(name, true, false).turned);
        }
        assert!(monitor.is_worth_judging());
        assert_eq!(judge(&mut monitor, 4, 4, 5), None);
        assert!(monitor.is_frozen() && !monitor.is_worth_judging());
        assert!(judge(&mut monitor, 4, 4, 601).is_some(), "after ten minutes it is the tokens");
        assert!(!monitor.is_frozen());
        assert_eq!(judge(&mut monitor, 4, 4, 602), None);
        assert!(!monitor.is_frozen(), "what has lasted so long is not taken for an outage again at once");
    }

    #[test]
    fn who_was_not_checked_since_an_outage_ended_is_still_one_of_many() {
        let mut monitor = OutageMonitor::default();
        for name in names(4) {
            monitor.set_silent(&name, true);
        }
        let observations = Vec::new;
        let contacts = |silent: &dyn Fn(&str) -> bool| {
            let contact = |name: &String| TenantContact { silent: silent(name).then(|| at(0)), answered: None };
            names(4).iter().map(contact).collect::<Vec<_>>()
        };
        let evidence = || OutageEvidence {
            observations,
            contacts,
            tenants: 4,
            patience: TimeDelta::minutes(15),
            fires: false,
            is_blind: false,
        };
        monitor.judge(evidence(), at(900));
        assert!(monitor.outage().is_some_and(|outage| outage.is_certain()) && monitor.is_one_of_many(Some(at(899))));
        for name in names(4) {
            monitor.set_silent(&name, false);
        }
        monitor.judge(evidence(), at(1000));
        assert!(monitor.outage().is_none() && monitor.is_one_of_many(Some(at(899))));
        assert!(!monitor.is_one_of_many(Some(at(1000))));
    }
}
