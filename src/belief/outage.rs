//! An outage of Syncro, or of the way to it: many tenants that turn bad alike at once, which are not many dead tokens, or
//! that fall silent together. Pure.

use chrono::{DateTime, TimeDelta, Utc};

use super::{Doubt, TokenState, TokenStatus};

/// The least number of tenants in an outage: fewer turn bad alike by chance.
pub(crate) const FEWEST: usize = 4;
/// The longest outage of tenants that turned bad: what lasts for longer is true, and the tokens are bad. Tenants that are
/// silent have no such end.
pub(crate) const LONGEST_TURNED_BAD: TimeDelta = TimeDelta::minutes(10);
/// The number of tenants that say enough about all of a larger fleet.
pub(crate) const SAMPLE: usize = 32;
/// How long the verdict waits for tenants that have not been checked since the first one turned bad.
const PATIENCE: TimeDelta = TimeDelta::minutes(1);

/// Many tenants that turned bad alike, or fell silent together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outage {
    /// The tokens of many tenants worked, and are refused alike now.
    TurnedBad {
        /// The state that all these tokens seem to be in.
        state: TokenState,
        /// When the first of them was seen to be refused.
        since: DateTime<Utc>,
        /// The number of tenants of which a token turned bad.
        tenants: usize,
        /// The number of tenants that have been checked since then, these included.
        of: usize,
        /// Whether enough tenants have been checked for more than a suspicion.
        certain: bool,
    },
    /// Nothing can be learnt about many tenants.
    Unreachable {
        /// Since when the first of them has been silent.
        since: DateTime<Utc>,
        /// The number of tenants that are silent.
        tenants: usize,
        /// The number of tenants of which it is known whether they fell silent then, these included.
        of: usize,
        /// Whether they have been silent for long enough for more than a suspicion.
        certain: bool,
    },
}

impl Outage {
    /// Since when the outage has lasted, as it was first seen.
    pub(crate) fn since(&self) -> DateTime<Utc> {
        match self {
            Self::TurnedBad { since, .. } | Self::Unreachable { since, .. } => *since,
        }
    }

    /// Whether the outage is more than a suspicion.
    pub(crate) fn is_certain(&self) -> bool {
        matches!(self, Self::TurnedBad { certain: true, .. } | Self::Unreachable { certain: true, .. })
    }

    /// Whether bad states of tokens that are observed now are not to be believed.
    pub(crate) fn freezes(&self) -> bool {
        matches!(self, Self::TurnedBad { .. })
    }
}

/// What the statuses of one tenant's tokens that worked show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TenantObservation {
    /// The bad state that a token of the tenant was observed in and that is not confirmed yet, and since when.
    pub turned: Option<(TokenState, DateTime<Utc>)>,
    /// When a token of the tenant was last observed to work.
    pub worked: Option<DateTime<Utc>>,
    /// When a token of the tenant that is known to be bad was last let in by `/me` all the same: its user is locked out, or
    /// it is of another account. What refuses everybody would have refused it.
    pub let_in: Option<DateTime<Utc>>,
    /// Whether nothing can be learnt about the tenant now.
    pub is_silent: bool,
}

/// Whether anything can be learnt about one tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TenantContact {
    /// Since when nothing has been learnt; `None` if something is.
    pub silent: Option<DateTime<Utc>>,
    /// When the tenant last answered a check of one of its tokens in a way that gave a verdict.
    pub answered: Option<DateTime<Utc>>,
}

impl TenantObservation {
    /// What the statuses of the tokens of a tenant show; `None` if none of the tokens worked or was let in. A token that was
    /// bad already turns too when it is refused in another way: an outage hides what is wrong with it.
    pub(crate) fn of<'a>(statuses: impl Iterator<Item = &'a TokenStatus>) -> Option<Self> {
        let mut observation: Option<Self> = None;
        let turns_anew = |status: &TokenStatus| {
            let turns = |doubt: &Doubt| is_alike(doubt.state) || outlived(status, doubt.state);
            is_alike(status.state) && status.doubt.as_ref().is_some_and(turns)
        };
        let counts = |status: &&TokenStatus| status.state.is_let_in() || turns_anew(status);
        for status in statuses.filter(counts) {
            let observation =
                observation.get_or_insert(Self { turned: None, worked: None, let_in: None, is_silent: true });
            observation.is_silent &= status.validity.failures > 0;
            match &status.doubt {
                Some(doubt) if is_alike(doubt.state) || outlived(status, doubt.state) => {
                    let state = if is_alike(doubt.state) { doubt.state } else { TokenState::Rejected };
                    let earlier = observation.turned.filter(|(_, first)| *first <= doubt.first);
                    observation.turned = earlier.or(Some((state, doubt.first)));
                }
                Some(_) => {}
                None if status.state == TokenState::Valid => {
                    observation.worked = observation.worked.max(status.validity.last_success);
                }
                None => observation.let_in = observation.let_in.max(status.validity.last_success),
            }
        }
        observation
    }
}

/// Whether many tokens may be in this state for one reason that is not their own. Tokens that expired, or whose file is
/// gone, have reasons of their own.
fn is_alike(state: TokenState) -> bool {
    match state {
        TokenState::Rejected
        | TokenState::Restricted
        | TokenState::Blocked
        | TokenState::LockedOut
        | TokenState::WrongAccount => true,
        TokenState::Expired | TokenState::Unreadable | TokenState::Valid | TokenState::Unknown => false,
    }
}

/// Whether a token is refused that `/me` had let in after its declared expiry: the expiry is not the reason.
fn outlived(status: &TokenStatus, state: TokenState) -> bool {
    state == TokenState::Expired && status.worked_after_expiry > 0
}

/// The outage in which over half of the tenants turned bad alike, if there is one. Only those tenants count that worked
/// and have been checked since the first of them turned bad. The outage is only suspected until all of them have been
/// checked, or enough for a sample. `tenants` is the number of all tenants: of fewer than [`FEWEST`] it cannot be said.
pub(crate) fn turned_bad(observations: &[TenantObservation], tenants: usize, now: DateTime<Utc>) -> Option<Outage> {
    if tenants < FEWEST {
        return None;
    }
    let states = TokenState::ALL.iter().copied().filter(|state| is_alike(*state));
    states
        .filter_map(|state| turned_to(state, observations, now))
        .find(|outage| now - outage.since() < LONGEST_TURNED_BAD)
}

fn turned_to(state: TokenState, observations: &[TenantObservation], now: DateTime<Utc>) -> Option<Outage> {
    let turned = observations.iter().filter_map(|tenant| tenant.turned).filter(|(seen, _)| *seen == state);
    let since = turned.clone().map(|(_, first)| first).min()?;
    let tenants = turned.count();
    let is_other = |tenant: &&TenantObservation| match tenant.turned {
        Some((other, _)) => other != state,
        None => tenant.worked >= Some(since) || !state.is_let_in() && tenant.let_in >= Some(since),
    };
    let of = tenants + observations.iter().filter(is_other).count();
    // A tenant that cannot be checked is not waited for.
    // Of tenants that are known to be bad in this way already, none is waited for.
    let is_bad_already = |tenant: &TenantObservation| tenant.worked.is_none() && tenant.let_in.is_some();
    let is_reachable = |tenant: &&TenantObservation| {
        tenant.turned.is_some() || !(tenant.is_silent || state.is_let_in() && is_bad_already(tenant))
    };
    let reachable = observations.iter().filter(is_reachable).count();
    let certain = of >= reachable.min(SAMPLE) || now - since >= PATIENCE;
    (2 * tenants > of.max(FEWEST)).then_some(Outage::TurnedBad { state, since, tenants, of, certain })
}

/// The outage in which over half of the tenants fell silent together, within `patience`, if there is one. Only those
/// tenants count that answered until then and have been checked since. The outage is only suspected until so many have
/// been silent for `patience`, unless its alert `fires` already. A tenant that had been silent for long before says
/// nothing about the others, but it counts towards [`FEWEST`], the least number of tenants of which an outage can be
/// said. Most of all tenants are enough, whatever the others do.
pub(crate) fn unreachable(
    contacts: &[TenantContact],
    patience: TimeDelta,
    fires: bool,
    now: DateTime<Utc>,
) -> Option<Outage> {
    let mut starts: Vec<_> = contacts.iter().filter_map(|contact| contact.silent).collect();
    starts.sort_unstable();
    let answering = contacts.iter().filter(|contact| contact.silent.is_none());
    let mut answered: Vec<_> = answering.filter_map(|contact| contact.answered).collect();
    answered.sort_unstable();
    let fell_silent = |index: usize| {
        let since = starts[index];
        let tenants = starts.partition_point(|start| *start <= since + patience) - index;
        let of = tenants + answered.len() - answered.partition_point(|at| *at < since);
        // `half` of them come before the one with which they are the majority; the first `index` were silent before.
        let half = of.max(FEWEST) / 2;
        let is_known = of + index >= FEWEST || contacts.len() >= FEWEST && 2 * tenants > contacts.len();
        let are_most = tenants > half && is_known;
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
    use crate::model::Token;
    use crate::syncro::{Me, MeObservation};
    use crate::testing::{at, me, observed, policy, token, works};

    fn bad(first: i64) -> TenantObservation {
        let turned = Some((TokenState::Rejected, at(first)));
        TenantObservation { turned, worked: None, let_in: None, is_silent: false }
    }

    fn working(worked: i64) -> TenantObservation {
        TenantObservation { turned: None, worked: Some(at(worked)), let_in: None, is_silent: false }
    }

    #[test]
    fn over_half_of_at_least_four_tenants_alike_are_an_outage_for_ten_minutes() {
        let let_in = |at: i64| TenantObservation { worked: None, let_in: working(at).worked, ..working(at) };
        let blocked = TenantObservation { turned: Some((TokenState::Blocked, at(5))), ..bad(5) };
        let cases = [
            ("three of three", vec![bad(1), bad(2), bad(3)], 5, None),
            ("three of four", vec![bad(1), bad(2), bad(3), working(2)], 5, Some(true)),
            ("three of four, one not checked since", vec![bad(1), bad(2), bad(3), working(0)], 5, Some(false)),
            ("nor for a minute", vec![bad(1), bad(2), bad(3), working(0)], 61, Some(true)),
            ("two of four", vec![bad(1), bad(2), working(2), working(3)], 5, None),
            ("two of two checked since", vec![bad(1), bad(2), working(0), working(0)], 5, None),
            ("three of six", vec![bad(1), bad(2), bad(3), working(2), working(2), working(2)], 5, None),
            ("four of seven", vec![bad(1), bad(2), bad(3), bad(4), working(2), working(2), working(2)], 5, Some(true)),
            ("thirty-one of a hundred", [vec![bad(1); 31], vec![working(0); 69]].concat(), 5, Some(false)),
            ("a sample of a hundred", [vec![bad(1); 32], vec![working(0); 68]].concat(), 5, Some(true)),
            (
                "a sample, half of it working",
                [vec![bad(1); 16], vec![working(2); 16], vec![working(0); 68]].concat(),
                5,
                None,
            ),
            ("three of six, one locked out", vec![bad(1), bad(2), bad(3), working(2), working(2), let_in(2)], 5, None),
            (
                "three of five, one locked out before",
                vec![bad(1), bad(2), bad(3), working(2), let_in(0)],
                5,
                Some(false),
            ),
            ("not alike", vec![bad(1), bad(2), blocked, blocked], 5, None),
            ("half of them not", vec![bad(1), bad(2), bad(3), blocked, working(2), working(2)], 5, None),
            ("for ten minutes", vec![bad(1), bad(2), bad(3), bad(4)], 600, Some(true)),
            ("for longer", vec![bad(1), bad(2), bad(3), bad(4)], 601, None),
        ];
        for (case, observations, now, expected) in cases {
            let outage = turned_bad(&observations, observations.len(), at(now));
            assert_eq!(outage.map(|outage| outage.is_certain()), expected, "{case}");
        }
        let outage =
            |observations: &[TenantObservation]| turned_bad(observations, 4, at(5)).map(|outage| outage.is_certain());
        assert_eq!(outage(&[bad(1), bad(2), bad(3)]), Some(true), "the fourth did not work before");
        assert_eq!(outage(&[bad(1), bad(2)]), None, "nor did the third");
    }

    #[test]
    fn tenants_that_fall_silent_together_are_an_outage_when_most_have_been_for_long_enough() {
        let patience = TimeDelta::minutes(15);
        let outage = |silent: &[i64], answered: &[i64], fires, now| {
            let silent = silent.iter().map(|since| TenantContact { silent: Some(at(*since)), answered: None });
            let answering = answered.iter().map(|last| TenantContact { silent: None, answered: Some(at(*last)) });
            unreachable(&silent.chain(answering).collect::<Vec<_>>(), patience, fires, at(now))
                .map(|outage| (outage.since(), outage.is_certain()))
        };
        let judged = |silent: &[i64], answered: &[i64], now| outage(silent, answered, false, now);
        assert_eq!(judged(&[0, 250, 290], &[10, 10], 1190), Some((at(0), true)));
        assert_eq!(judged(&[0, 250, 290], &[10, 10], 1189), Some((at(0), false)), "not long enough");
        assert_eq!(outage(&[0, 250, 290], &[10, 10], true, 1189), Some((at(0), true)), "it fires already");
        assert_eq!(judged(&[0, 250], &[10, 10], 2000), None, "half");
        assert_eq!(judged(&[0, 250, 290], &[], 2000), None, "few tenants");
        assert_eq!(judged(&[0, 250, 290], &[-5, -5, -5], 2000), None, "few that were checked since");
        assert_eq!(judged(&[0, 250, 290], &[-5, -5], 2000), Some((at(0), true)), "most of all");
        assert_eq!(judged(&[], &[10, 10, 10, 10], 2000), None);
        let four = [0, 1, 2, 3];
        assert_eq!(judged(&four, &[10; 4], 2000), None, "half");
        assert_eq!(judged(&[0; 4], &[0; 4], 2000), None, "half, the others checked just then");
        assert_eq!(judged(&four, &[-5; 4], 2000), Some((at(0), true)), "the others were not checked since");
        assert_eq!(
            judged(&[0, 1, 2], &[10, -5, -5, -5], 2000),
            Some((at(0), true)),
            "most of those of which it is known"
        );
        let blip = judged(&[-90_000, 895, 896, 897], &[], 900);
        assert_eq!(blip, Some((at(895), false)), "one long dead, and a blip");
        let blip = judged(&[0, 800, 801, 802], &[], 1000);
        assert_eq!(blip, Some((at(0), false)), "one dead for long enough, and a blip");
        assert_eq!(judged(&[-90_000, 0, 1, 2, 3], &[], 902), Some((at(0), true)), "one long dead, and an outage");
        assert_eq!(judged(&[-90_000, 0, 1, 2], &[], 902), Some((at(0), true)), "one of four long dead, and the others");
        assert_eq!(judged(&[-90_000, -90_000, 0, 1], &[], 2000), None, "two of four long dead, and two others");
    }

    #[test]
    fn a_tenant_that_cannot_be_checked_is_not_waited_for() {
        let silent = TenantObservation { is_silent: true, ..working(0) };
        let outage = turned_bad(&[bad(1), bad(2), bad(3), working(0)], 4, at(5));
        assert_eq!(outage.map(|outage| outage.is_certain()), Some(false), "one is still to be checked");
        let outage = turned_bad(&[bad(1), bad(2), bad(3), silent], 4, at(5));
        assert_eq!(outage.map(|outage| outage.is_certain()), Some(true), "it cannot be");
        let outage = turned_bad(&[bad(1), bad(2), bad(3), bad(4), silent], 5, at(5));
        assert_eq!(outage.map(|outage| outage.is_certain()), Some(true));
    }

    #[test]
    fn what_is_known_of_a_tenant_comes_of_all_its_tokens() {
        let status = |state, doubted: Option<(TokenState, i64)>, last: i64, failures| {
            let doubt = doubted.map(|(state, first)| Doubt { state, times: 1, first: at(first), last: at(first) });
            let mut status = TokenStatus { state, doubt, ..TokenStatus::default() };
            (status.validity.last_success, status.validity.failures) = (Some(at(last)), failures);
            status
        };
        let of = |statuses: &[TokenStatus]| TenantObservation::of(statuses.iter());
        let turned = |statuses: &[TokenStatus]| of(statuses).and_then(|tenant| tenant.turned);
        let (valid, rejected, blocked) = (TokenState::Valid, TokenState::Rejected, TokenState::Blocked);
        let (early, late) = (status(valid, Some((blocked, 10)), 0, 0), status(valid, Some((rejected, 20)), 0, 0));
        assert_eq!(turned(&[early.clone(), late.clone()]), Some((blocked, at(10))), "the first of them");
        assert_eq!(turned(&[late, early]), Some((blocked, at(10))), "whatever their order");
        assert_eq!(
            turned(&[status(rejected, Some((blocked, 10)), 0, 0)]),
            Some((blocked, at(10))),
            "bad in another way"
        );
        assert_eq!(of(&[status(rejected, None, 0, 0)]), None, "nothing was lost");
        assert_eq!(of(&[status(TokenState::Expired, Some((blocked, 10)), 0, 0)]), None, "nothing was lost");
        let locked_out = of(&[status(TokenState::LockedOut, None, 5, 0)]).unwrap();
        assert_eq!((locked_out.worked, locked_out.let_in), (None, Some(at(5))));
        let silent =
            |failures: [u32; 2]| of(&failures.map(|failures| status(valid, None, 0, failures))).unwrap().is_silent;
        assert_eq!([silent([1, 2]), silent([0, 1]), silent([1, 0])], [true, false, false]);
    }

    #[test]
    fn only_an_outage_that_answers_wrongly_is_disbelieved() {
        let (since, tenants, of, certain) = (at(0), 3, 4, true);
        assert!(Outage::TurnedBad { state: TokenState::Rejected, since, tenants, of, certain }.freezes());
        assert!(!Outage::Unreachable { since, tenants, of, certain }.freezes());
    }

    #[test]
    fn a_tenant_turns_bad_when_a_token_that_worked_is_refused_and_that_is_not_confirmed_yet() {
        let token = token("t", &[]);
        let mut status = TokenStatus::default();
        let mut observe = |seconds, me, frozen| {
            let _ = step(&mut status, &observed(seconds, me), Policy { frozen, ..policy(&token) });
            (TenantObservation::of([&status].into_iter()), status.state)
        };
        assert_eq!(observe(0, works(&[]), false).0, Some(working(0)));
        for seconds in [10, 20, 30] {
            let (tenant, state) = observe(seconds, MeObservation::Refused, true);
            assert_eq!((tenant, state), (Some(bad(10)), TokenState::Valid), "frozen");
        }
        let believed = observe(40, MeObservation::Refused, false);
        assert_eq!(believed, (None, TokenState::Rejected), "confirmed enough when it is no longer frozen");
    }

    #[test]
    fn a_token_that_was_let_in_after_its_expiry_turns_bad_when_it_is_refused_whatever_was_wrong_with_it() {
        let token = Token { expires: Some(at(5)), ..token("t", &[]) };
        let locked = || MeObservation::Works(Me { can_use_app: Some(false), ..me(&[]) });
        let turned = |until: i64| {
            let mut status = TokenStatus::default();
            for seconds in [0, 1, until] {
                let _ = step(&mut status, &observed(seconds, locked()), policy(&token));
                let _ = step(&mut status, &observed(seconds, locked()), policy(&token));
                if seconds == until {
                    let _ = step(&mut status, &observed(seconds + 10, MeObservation::Refused), policy(&token));
                }
            }
            TenantObservation::of([&status].into_iter()).and_then(|observation| observation.turned)
        };
        assert_eq!(
            turned(6),
            Some((TokenState::Rejected, at(16))),
            "it worked after its expiry, which is not the reason"
        );
        assert_eq!(turned(2), None, "it expired");
    }
}
