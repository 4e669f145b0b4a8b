//! The truth as spans of time: when each token was in which state, who had which permission, when nothing could be checked.

use crate::case::{Case, Fault, FaultKind, Happening, Scope, State};
use crate::spans::{Ms, Spans};

/// The truth of one world.
#[derive(Debug)]
pub struct Timeline<'a> {
    case: &'a Case,
    /// When the monitor ran.
    pub(crate) up: Spans,
    /// When the receiver took nothing.
    pub(crate) deaf: Spans,
    /// When commits failed or were so slow that the monitor goes on without them.
    pub(crate) amnesia: Spans,
    /// When the wall clock was set.
    pub(crate) clock_steps: Vec<Ms>,
    /// When Syncro refused every token of over half of the tenants.
    pub(crate) outages: Spans,
    /// When nothing could be learnt of over half of the tenants.
    silences: Spans,
    /// When each token was configured.
    configured: Vec<Spans>,
}

/// A value that changes at moments.
fn spans_of(end: Ms, first: bool, changes: impl Iterator<Item = (Ms, bool)>) -> Spans {
    let (mut spans, mut since) = (Vec::new(), first.then_some(0));
    for (at, value) in changes {
        match (since, value) {
            (None, true) => since = Some(at),
            (Some(from), false) => {
                spans.push((from, at));
                since = None;
            }
            _ => {}
        }
    }
    spans.extend(since.map(|from| (from, end)));
    Spans::of(spans)
}

impl<'a> Timeline<'a> {
    /// The truth of `case`.
    pub fn of(case: &'a Case) -> Self {
        let end = case.end;
        let during = |pick: &dyn Fn(&Happening) -> Option<Ms>| {
            Spans::of(case.events.iter().filter_map(|event| Some((event.at, event.at + pick(&event.what)?))))
        };
        let down = during(&|what| match what {
            Happening::Down { lasts, .. } => Some(*lasts),
            _ => None,
        });
        let deaf = during(&|what| match what {
            Happening::DeafReceiver { lasts } => Some(*lasts),
            _ => None,
        });
        let amnesia = during(&|what| match what {
            Happening::BadDisk { lasts } | Happening::SlowDisk { lasts, .. } => Some(*lasts),
            _ => None,
        });
        let at_event = |pick: &dyn Fn(&Happening) -> bool| {
            case.events.iter().filter(|event| pick(&event.what)).map(|event| event.at).collect::<Vec<_>>()
        };
        let clock_steps = at_event(&|what| matches!(what, Happening::Clock { .. }));
        let mut timeline = Self {
            case,
            up: Spans::one(0, end).without(&down),
            deaf,
            amnesia,
            clock_steps,
            outages: Spans::default(),
            silences: Spans::default(),
            configured: Vec::new(),
        };
        timeline.outages = timeline.most(Self::refused_all);
        timeline.silences = timeline.most(Self::blind);
        timeline.configured = (0..case.tokens.len()).map(|token| timeline.in_configuration(token)).collect();
        timeline
    }

    /// Moments at which over half of at least four tenants are in the spans that `of` names.
    pub(crate) fn most(&self, of: impl Fn(&Self, usize) -> Spans) -> Spans {
        let tenants = self.case.tenants.len();
        if tenants < 4 {
            return Spans::default();
        }
        let each: Vec<Spans> = (0..tenants).map(|tenant| of(self, tenant)).collect();
        let mut edges: Vec<(Ms, i64)> =
            each.iter().flat_map(|spans| spans.iter().flat_map(|(from, to)| [(from, 1), (to, -1)])).collect();
        edges.sort_unstable();
        let half = Ms::try_from(tenants).unwrap_or(Ms::MAX);
        let (mut now, mut since, mut spans) = (0, None, Vec::new());
        for (at, change) in edges {
            now += change;
            match (since, 2 * now > half) {
                (None, true) => since = Some(at),
                (Some(from), false) => {
                    spans.push((from, at));
                    since = None;
                }
                _ => {}
            }
        }
        Spans::of(spans)
    }

    fn faults(&self) -> impl Iterator<Item = (Ms, &Fault)> {
        self.case.events.iter().filter_map(|event| match &event.what {
            Happening::Fault(fault) => Some((event.at, fault)),
            _ => None,
        })
    }

    /// When Syncro refused every token of a tenant.
    pub(crate) fn refused_all(&self, tenant: usize) -> Spans {
        let faults = self.faults().filter(|(_, fault)| fault.kind == FaultKind::RefusesAll);
        let faults = faults.filter(|(_, fault)| concerns(fault.scope, tenant, None));
        Spans::of(faults.map(|(at, fault)| (at, at + fault.lasts)))
    }

    /// When Syncro had refused every token of a tenant for so long that it is notified of as what it appears to be.
    pub(crate) fn refused_for_long(&self, tenant: usize) -> Spans {
        /// Ten minutes from the first sight, less the time in which it was first seen twice.
        const LONG: Ms = 8 * 60_000;
        let refused = self.refused_all(tenant);
        // Where nothing was asked between two of them, they appear to be one.
        let apparent = self.outages.widened(0, self.case.policy.validity);
        let long = Spans::of(apparent.iter().map(|(from, to)| (from + LONG, to)));
        refused.without(&self.outages).or(&refused.and(&long))
    }

    /// When a tenant's tokens were refused in an outage that could not be seen, since of too few others anything could be
    /// learnt, or would have worked.
    pub(crate) fn refused_unseen(&self, tenant: usize) -> Spans {
        let works = |of: usize| {
            let tokens = (0..self.case.tokens.len()).filter(|token| self.case.tokens[*token].tenant == of);
            tokens.fold(Spans::default(), |all, token| all.or(&self.works(token)))
        };
        let seen = self.most(|timeline, of| timeline.refused_all(of).without(&timeline.blind(of)).and(&works(of)));
        self.refused_all(tenant).without(&seen)
    }

    /// When a tenant's tokens were refused in an outage that may appear to be older than it is: tokens are checked less often
    /// while commits are slow, so that what was refused once before it and is not confirmed yet may be its first sight.
    pub(crate) fn refused_from_before(&self, tenant: usize) -> Spans {
        self.refused_all(tenant).and(&self.amnesia)
    }

    /// When nothing could be learnt from `/me` of a tenant, whether the monitor ran or not.
    pub(crate) fn blind(&self, tenant: usize) -> Spans {
        self.blind_to(tenant, None)
    }

    fn blind_to(&self, tenant: usize, path: Option<usize>) -> Spans {
        let faults = self.faults().filter(|(_, fault)| fault.kind.blinds());
        Spans::of(faults.filter_map(|(at, fault)| {
            // A throttle pauses all requests to the host, whichever of them was answered so, and beyond its end.
            let (scope, after) = match fault.kind {
                FaultKind::Throttled(seconds) => {
                    (Scope::All, i64::try_from(seconds.min(LONGEST_PAUSE)).unwrap_or(0) * 1000)
                }
                _ => (fault.scope, 0),
            };
            concerns(scope, tenant, path).then_some((at, at + fault.lasts + after))
        }))
    }

    /// When a token worked.
    pub(crate) fn works(&self, token: usize) -> Spans {
        self.state(token, |state| state == State::Works)
    }

    /// When a token was in a state that `is` names.
    pub(crate) fn state(&self, token: usize, is: impl Fn(State) -> bool) -> Spans {
        let (mut own, mut locked, mut renamed) = (State::Works, false, false);
        let changes = self.case.events.iter().filter_map(|event| {
            match event.what {
                Happening::Token { token: of, state } if of == token => own = state,
                Happening::LockedOut { token: of, locked: now } if self.case.same_user(of, token) => locked = now,
                Happening::Renamed { tenant, renamed: now } if tenant == self.case.tokens[token].tenant => {
                    renamed = now;
                }
                _ => return None,
            }
            Some((event.at, is(State::of(own, renamed, locked))))
        });
        spans_of(self.case.end, is(State::Works), changes)
    }

    /// The spans in which the user of a token was in each group.
    pub(crate) fn in_group(&self, token: usize, group: usize) -> Spans {
        let changes = self.case.events.iter().filter_map(|event| match event.what {
            Happening::Moved { token: of, group: to } if self.case.same_user(of, token) => {
                Some((event.at, to == group))
            }
            _ => None,
        });
        spans_of(self.case.end, self.case.tokens[token].group == group, changes)
    }

    /// When the user of a token was a Global Admin.
    pub(crate) fn admin(&self, token: usize) -> Spans {
        let changes = self.case.events.iter().filter_map(|event| match event.what {
            Happening::Admin { token: of, admin } if self.case.same_user(of, token) => Some((event.at, admin)),
            _ => None,
        });
        spans_of(self.case.end, false, changes)
    }

    /// When the user of a token had a permission.
    pub(crate) fn user_has(&self, token: usize, permission: usize) -> Spans {
        let tenant = self.case.tokens[token].tenant;
        let groups = (0..self.case.groups).map(|group| {
            let changes = self.case.events.iter().filter_map(|event| match event.what {
                Happening::Group { tenant: of, group: g, permission: p, has }
                    if of == tenant && g == group && p == permission =>
                {
                    Some((event.at, has))
                }
                _ => None,
            });
            spans_of(self.case.end, true, changes).and(&self.in_group(token, group))
        });
        groups.fold(self.admin(token), |all, one| all.or(&one))
    }

    /// When calls of a token that need a permission went through.
    pub(crate) fn has(&self, token: usize, permission: usize) -> Spans {
        let ticked = self.case.tokens[token].ticks.contains(&permission);
        let changes = self.case.events.iter().filter_map(|event| match event.what {
            Happening::Tick { token: of, permission: p, has } if of == token && p == permission => {
                Some((event.at, has))
            }
            _ => None,
        });
        self.user_has(token, permission).and(&spans_of(self.case.end, ticked, changes))
    }

    fn in_configuration(&self, token: usize) -> Spans {
        let changes = self.case.events.iter().filter_map(|event| match event.what {
            Happening::Reload { without, .. } => Some((event.at, without != Some(token))),
            _ => None,
        });
        spans_of(self.case.end, true, changes)
    }

    /// When a token was in the configuration.
    pub(crate) fn configured(&self, token: usize) -> &Spans {
        &self.configured[token]
    }

    /// When an outage may be notified of, in which all other alerts are suppressed.
    pub(crate) fn suppressed(&self) -> Spans {
        self.outages.or(&self.silences)
    }

    /// When the monitor may have been answered for a token: it ran, the token was configured, Syncro answered for itself, or
    /// did between two pauses.
    pub(crate) fn answered(&self, token: usize) -> Spans {
        let tenant = self.case.tokens[token].tenant;
        let silent = self.faults().filter(|(_, fault)| !matches!(fault.kind, FaultKind::Throttled(_)));
        let silent = silent.filter(|(_, fault)| concerns(fault.scope, tenant, None));
        let silent = Spans::of(silent.map(|(at, fault)| (at, at + fault.lasts)));
        self.up.and(self.configured(token)).without(&silent)
    }

    /// When the monitor could see the state of a token, and notify of it.
    pub(crate) fn sees_state(&self, token: usize) -> Spans {
        let blind = self.blind(self.case.tokens[token].tenant);
        self.answered(token).without(&blind).without(&self.suppressed())
    }

    /// When the monitor could see what a token shows of its user: it worked besides.
    pub(crate) fn sees_user(&self, token: usize) -> Spans {
        self.sees_state(token).and(&self.works(token))
    }

    /// When the monitor could see a permission of a token.
    pub(crate) fn sees_permission(&self, token: usize, permission: usize) -> Spans {
        let tenant = self.case.tokens[token].tenant;
        self.sees_user(token).without(&self.blind_to(tenant, Some(permission)))
    }
}

/// The longest pause that a monitor may grant Syncro, in seconds: minutes, not hours.
const LONGEST_PAUSE: u64 = 300;

fn concerns(scope: Scope, tenant: usize, path: Option<usize>) -> bool {
    match scope {
        Scope::All => true,
        Scope::AllBut(other) => tenant != other,
        Scope::Tenant(one) => tenant == one,
        Scope::Endpoint(one, of) => tenant == one && path == Some(of),
    }
}
