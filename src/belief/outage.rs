//! Many tenants that turn bad alike at once are one outage of Syncro, or of the way to it, not many dead tokens. Pure.

use chrono::{DateTime, TimeDelta, Utc};

use super::{TokenState, TokenStatus};

/// Fewer tenants than this turn bad alike by chance.
pub const FEWEST: usize = 4;
/// What goes on for longer than this is so: the tokens are bad.
pub const LONGEST: TimeDelta = TimeDelta::minutes(10);
/// In a larger fleet so many tenants say enough about all of them.
pub const SAMPLE: usize = 32;
/// Who cannot be looked at for so long is left out of account.
const PATIENCE: TimeDelta = TimeDelta::minutes(1);

/// What is going on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outage {
    /// Tokens that worked are refused alike.
    TurnedBad {
        /// In which way.
        state: TokenState,
        /// Since when, as it was first seen.
        since: DateTime<Utc>,
        /// How many tenants.
        tenants: usize,
        /// Of how many that have been looked at since.
        of: usize,
        /// Whether enough have been.
        certain: bool,
    },
    /// Nothing can be learnt.
    Unreachable {
        /// Since when about the first.
        since: DateTime<Utc>,
        /// How many tenants.
        tenants: usize,
        /// Of how many.
        of: usize,
        /// Whether they have been silent for long enough.
        certain: bool,
    },
}

impl Outage {
    /// Since when.
    pub fn since(&self) -> DateTime<Utc> {
        match self {
            Self::TurnedBad { since, .. } | Self::Unreachable { since, .. } => *since,
        }
    }

    /// Whether it is more than a suspicion.
    pub fn is_certain(&self) -> bool {
        matches!(self, Self::TurnedBad { certain: true, .. } | Self::Unreachable { certain: true, .. })
    }

    /// Whether what is seen of tokens now is not to be believed.
    pub fn freezes(&self) -> bool {
        matches!(self, Self::TurnedBad { .. })
    }
}

/// One tenant, whose tokens worked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TenantObservation {
    /// Since when a token of it is refused in a way that is not believed yet, and in which.
    pub turned: Option<(TokenState, DateTime<Utc>)>,
    /// When a token of it was last seen to work.
    pub worked: Option<DateTime<Utc>>,
    /// Whether nothing can be learnt about it now.
    pub is_silent: bool,
}

/// Whether anything can be learnt about one tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TenantContact {
    /// Since when nothing can be, if so.
    pub silent: Option<DateTime<Utc>>,
    /// When a check of it last gave a verdict.
    pub answered: Option<DateTime<Utc>>,
}

impl TenantObservation {
    /// What the standings of a tenant's tokens show; `None` if none of them worked.
    pub fn of<'a>(standings: impl Iterator<Item = &'a TokenStatus>) -> Option<Self> {
        let mut sight: Option<Self> = None;
        for status in standings.filter(|status| status.state == TokenState::Valid) {
            let sight = sight.get_or_insert(Self { turned: None, worked: None, is_silent: true });
            sight.is_silent &= status.validity.failures > 0;
            match &status.doubt {
                Some(doubt) if is_alike(doubt.state) || outlived(status, doubt.state) => {
                    let state = if is_alike(doubt.state) { doubt.state } else { TokenState::Rejected };
                    let earlier = sight.turned.filter(|(_, first)| *first <= doubt.first);
                    sight.turned = earlier.or(Some((state, doubt.first)));
                }
                Some(_) => {}
                None => sight.worked = sight.worked.max(status.validity.last_success),
            }
        }
        sight
    }
}

/// Whether many may be in this state for one reason that is not theirs. Those who expired, or whose file is gone, have
/// reasons of their own.
fn is_alike(state: TokenState) -> bool {
    match state {
        TokenState::Rejected | TokenState::Blocked | TokenState::LockedOut | TokenState::WrongAccount => true,
        TokenState::Expired | TokenState::Unreadable | TokenState::Valid | TokenState::Unknown => false,
    }
}

/// Whether a token is refused that had worked after its declared expiry: that date is not the reason.
fn outlived(status: &TokenStatus, state: TokenState) -> bool {
    state == TokenState::Expired && status.worked_after_expiry > 0
}

/// Whether over half of the tenants that worked and have been looked at since the first of them turned bad did so alike.
/// That is only suspected until all of them have been looked at, or enough for a sample. Of fewer than [`FEWEST`] tenants
/// it cannot be said.
pub fn turned_bad(tenants_seen: &[TenantObservation], tenants: usize, now: DateTime<Utc>) -> Option<Outage> {
    if tenants < FEWEST {
        return None;
    }
    let states = TokenState::ALL.into_iter().filter(|state| is_alike(*state));
    states.filter_map(|state| turned_to(state, tenants_seen, now)).find(|outage| now - outage.since() < LONGEST)
}

fn turned_to(state: TokenState, tenants_seen: &[TenantObservation], now: DateTime<Utc>) -> Option<Outage> {
    let turned = tenants_seen.iter().filter_map(|sight| sight.turned).filter(|(seen, _)| *seen == state);
    let since = turned.clone().map(|(_, first)| first).min()?;
    let tenants = turned.count();
    let well = tenants_seen.iter().filter(|sight| sight.turned.is_none() && sight.worked >= Some(since)).count();
    let of = tenants + well;
    // Who cannot be looked at is not waited for.
    let reachable = tenants_seen.iter().filter(|sight| !sight.is_silent || sight.turned.is_some()).count();
    let certain = of >= reachable.min(SAMPLE) || now - since >= PATIENCE;
    (2 * tenants > of.max(FEWEST)).then_some(Outage::TurnedBad { state, since, tenants, of, certain })
}

/// Whether over half of the tenants that were well until then, and have been looked at since, fell silent together, within
/// `patience`. That is only suspected until so many have been silent for `patience`, unless it `fires` already. Who had
/// been silent for long before says nothing about the others, but is known: it counts among the fewest of whom that can
/// be said.
pub fn unreachable(contacts: &[TenantContact], patience: TimeDelta, fires: bool, now: DateTime<Utc>) -> Option<Outage> {
    let mut starts: Vec<_> = contacts.iter().filter_map(|contact| contact.silent).collect();
    starts.sort_unstable();
    let answering = contacts.iter().filter(|contact| contact.silent.is_none());
    let mut answered: Vec<_> = answering.filter_map(|contact| contact.answered).collect();
    answered.sort_unstable();
    let fell_silent = |index: usize| {
        let since = starts[index];
        let tenants = starts.partition_point(|start| *start <= since + patience) - index;
        let of = tenants + answered.len() - answered.partition_point(|at| *at < since);
        // So many before the one with whom they are most; all before the first were silent already.
        let half = of.max(FEWEST) / 2;
        let are_most = tenants > half && of + index >= FEWEST;
        are_most.then(|| {
            let certain = fires || starts[index + half] + patience <= now;
            Outage::Unreachable { since, tenants, of, certain }
        })
    };
    let begun = starts.partition_point(|start| *start + patience <= now);
    let certain = (0..begun).filter_map(fell_silent).find(Outage::is_certain);
    certain.or_else(|| (0..starts.len()).find_map(fell_silent))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::belief::{Policy, step};
    use crate::syncro::MeObservation;
    use crate::testing::{at, observed, token, works};

    fn bad(first: i64) -> TenantObservation {
        TenantObservation { turned: Some((TokenState::Rejected, at(first))), worked: None, is_silent: false }
    }

    fn well(worked: i64) -> TenantObservation {
        TenantObservation { turned: None, worked: Some(at(worked)), is_silent: false }
    }

    #[test]
    fn over_half_of_at_least_four_tenants_alike_are_an_outage_for_ten_minutes() {
        let blocked = TenantObservation { turned: Some((TokenState::Blocked, at(5))), ..bad(5) };
        let cases = [
            ("three of three", vec![bad(1), bad(2), bad(3)], 5, None),
            ("three of four", vec![bad(1), bad(2), bad(3), well(2)], 5, Some(true)),
            ("three of four, one not looked at since", vec![bad(1), bad(2), bad(3), well(0)], 5, Some(false)),
            ("nor for a minute", vec![bad(1), bad(2), bad(3), well(0)], 61, Some(true)),
            ("two of four", vec![bad(1), bad(2), well(2), well(3)], 5, None),
            ("two of two looked at since", vec![bad(1), bad(2), well(0), well(0)], 5, None),
            ("three of six", vec![bad(1), bad(2), bad(3), well(2), well(2), well(2)], 5, None),
            ("four of seven", vec![bad(1), bad(2), bad(3), bad(4), well(2), well(2), well(2)], 5, Some(true)),
            ("thirty-one of a hundred", [vec![bad(1); 31], vec![well(0); 69]].concat(), 5, Some(false)),
            ("a sample of a hundred", [vec![bad(1); 32], vec![well(0); 68]].concat(), 5, Some(true)),
            ("a sample, half of it well", [vec![bad(1); 16], vec![well(2); 16], vec![well(0); 68]].concat(), 5, None),
            ("not alike", vec![bad(1), bad(2), blocked, blocked], 5, None),
            ("for ten minutes", vec![bad(1), bad(2), bad(3), bad(4)], 600, Some(true)),
            ("for longer", vec![bad(1), bad(2), bad(3), bad(4)], 601, None),
        ];
        for (case, tenants_seen, now, expected) in cases {
            let outage = turned_bad(&tenants_seen, tenants_seen.len(), at(now));
            assert_eq!(outage.map(|outage| outage.is_certain()), expected, "{case}");
        }
        let outage =
            |tenants_seen: &[TenantObservation]| turned_bad(tenants_seen, 4, at(5)).map(|outage| outage.is_certain());
        assert_eq!(outage(&[bad(1), bad(2), bad(3)]), Some(true), "the fourth did not work before");
        assert_eq!(outage(&[bad(1), bad(2)]), None, "nor did the third");
    }

    #[test]
    fn tenants_that_fall_silent_together_are_an_outage_when_most_have_been_for_long_enough() {
        let patience = TimeDelta::minutes(15);
        let outage = |silent: &[i64], answered: &[i64], fires, now| {
            let silent = silent.iter().map(|since| TenantContact { silent: Some(at(*since)), answered: None });
            let well = answered.iter().map(|last| TenantContact { silent: None, answered: Some(at(*last)) });
            unreachable(&silent.chain(well).collect::<Vec<_>>(), patience, fires, at(now))
                .map(|outage| (outage.since(), outage.is_certain()))
        };
        let judged = |silent: &[i64], answered: &[i64], now| outage(silent, answered, false, now);
        assert_eq!(judged(&[0, 250, 290], &[10, 10], 1190), Some((at(0), true)));
        assert_eq!(judged(&[0, 250, 290], &[10, 10], 1189), Some((at(0), false)), "not long enough");
        assert_eq!(outage(&[0, 250, 290], &[10, 10], true, 1189), Some((at(0), true)), "it fires already");
        assert_eq!(judged(&[0, 250], &[10, 10], 2000), None, "half");
        assert_eq!(judged(&[0, 250, 290], &[], 2000), None, "few tenants");
        assert_eq!(judged(&[0, 250, 290], &[-5, -5], 2000), None, "few that were looked at since");
        assert_eq!(judged(&[], &[10, 10, 10, 10], 2000), None);
        let blip = judged(&[-90_000, 895, 896, 897], &[], 900);
        assert_eq!(blip, Some((at(895), false)), "one long dead, and a blip");
        let blip = judged(&[0, 800, 801, 802], &[], 1000);
        assert_eq!(blip, Some((at(0), false)), "one dead for long enough, and a blip");
        assert_eq!(judged(&[-90_000, 0, 1, 2, 3], &[], 902), Some((at(0), true)), "one long dead, and an outage");
        assert_eq!(judged(&[-90_000, 0, 1, 2], &[], 902), Some((at(0), true)), "one of four long dead, and the others");
        assert_eq!(judged(&[-90_000, -90_000, 0, 1], &[], 2000), None, "two of four long dead, and two others");
    }

    #[test]
    fn who_cannot_be_looked_at_is_not_waited_for() {
        let page = TenantObservation { is_silent: true, ..well(0) };
        let outage = turned_bad(&[bad(1), bad(2), bad(3), well(0)], 4, at(5));
        assert_eq!(outage.map(|outage| outage.is_certain()), Some(false), "one is still to be looked at");
        let outage = turned_bad(&[bad(1), bad(2), bad(3), page], 4, at(5));
        assert_eq!(outage.map(|outage| outage.is_certain()), Some(true), "it cannot be");
        let outage = turned_bad(&[bad(1), bad(2), bad(3), bad(4), page], 5, at(5));
        assert_eq!(outage.map(|outage| outage.is_certain()), Some(true));
    }

    #[test]
    fn a_tenant_turns_bad_when_a_token_that_worked_is_refused_and_that_is_not_believed_yet() {
        let token = token("t", &[]);
        let mut status = TokenStatus::default();
        let mut sight = |seconds, observation, frozen| {
            let policy = Policy {
                token: &token,
                confirmation: crate::testing::confirmed(2),
                probes: crate::model::Probes::ReadOnly,
                news_for: std::time::Duration::from_hours(24),
                frozen,
            };
            let _ = step(&mut status, &observed(seconds, observation), policy);
            (TenantObservation::of([&status].into_iter()), status.state)
        };
        assert_eq!(sight(0, works(&[]), false).0, Some(well(0)));
        for seconds in [10, 20, 30] {
            let (seen, state) = sight(seconds, MeObservation::Refused, true);
            assert_eq!((seen, state), (Some(bad(10)), TokenState::Valid), "frozen");
        }
        let believed = sight(40, MeObservation::Refused, false);
        assert_eq!(believed, (None, TokenState::Rejected), "confirmed enough when it is no longer frozen");
    }
}
