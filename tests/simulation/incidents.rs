//! What goes wrong in a world, and when: incidents, each with its end.

use judge::{Case, Event, Fault, FaultKind, Happening, Ms, Scope, State};

use crate::plan::{DAY, GROUPS, HOUR, MINUTE, PERMISSIONS, Pace, SECOND};

/// Makes things go wrong.
pub(crate) struct Maker<'a> {
    rng: &'a mut fastrand::Rng,
    world: &'a Case,
    pace: Pace,
    incidents: Vec<Vec<Event>>,
}

impl<'a> Maker<'a> {
    pub(crate) fn new(rng: &'a mut fastrand::Rng, world: &'a Case, pace: Pace) -> Self {
        Self { rng, world, pace, incidents: Vec::new() }
    }

    /// Everything that goes wrong, each with its end.
    pub(crate) fn make(mut self) -> Vec<Vec<Event>> {
        let count = match self.pace {
            Pace::Hourly => self.rng.usize(5..60),
            Pace::Cron => self.rng.usize(20..60),
            Pace::Default => self.rng.usize(5..40),
            Pace::Quick => self.rng.usize(5..50),
        };
        let clocks = self.rng.u32(0..6) == 0 && self.pace != Pace::Cron;
        for _ in 0..count {
            let at = self.rng.i64(0..self.world.end);
            self.incident(at);
        }
        if clocks {
            for _ in 0..self.rng.usize(1..4) {
                let at = self.rng.i64(0..self.world.end);
                let far = [20 * SECOND, HOUR, 26 * HOUR, 365 * DAY, 3 * 365 * DAY][self.rng.usize(0..5)];
                let offset = if self.rng.bool() { far } else { -far };
                let back = self.rng.bool().then(|| Event { at: at + 5 * HOUR, what: Happening::Clock { offset: 0 } });
                let first = Event { at, what: Happening::Clock { offset } };
                self.incidents.push(std::iter::once(first).chain(back).collect());
            }
        }
        self.incidents
    }

    /// From a flap that no confirmation sees to something that lasts.
    fn lasts(&mut self) -> Ms {
        match self.rng.u32(0..6) {
            0 => self.rng.i64(20..2000),
            1 => self.rng.i64(2..120) * SECOND,
            2 => self.rng.i64(1..30) * MINUTE,
            _ => self.rng.i64(1..40) * 15 * MINUTE,
        }
    }

    fn incident(&mut self, at: Ms) {
        let lasts = self.lasts();
        let token = self.rng.usize(0..self.world.tokens.len());
        let tenant = self.world.tokens[token].tenant;
        let permission = self.rng.usize(0..PERMISSIONS.len());
        let both =
            |first: Happening, last: Happening| vec![Event { at, what: first }, Event { at: at + lasts, what: last }];
        let once = |what: Happening| vec![Event { at, what }];
        let incident = match self.rng.u32(0..23) {
            0..5 => self.unusable(token, at, at + lasts),
            5..9 => {
                // One click may take several away.
                let group = self.world.tokens[token].group;
                let second = self.rng.usize(0..PERMISSIONS.len());
                let several = self.rng.u32(0..3) == 0 && second != permission;
                let lost = [Some(permission), Some(second).filter(|_| several)];
                let change = |at, has| {
                    let events = lost.into_iter().flatten();
                    events
                        .map(move |permission| Event { at, what: Happening::Group { tenant, group, permission, has } })
                };
                change(at, false).chain(change(at + lasts, true)).collect()
            }
            9..11 => {
                let ticked = self.world.tokens[token].ticks.contains(&permission);
                let change = |has| Happening::Tick { token, permission, has };
                both(change(!ticked), change(ticked))
            }
            11 => {
                let home = self.world.tokens[token].group;
                let other = (home + 1) % GROUPS;
                both(Happening::Moved { token, group: other }, Happening::Moved { token, group: home })
            }
            12 => both(Happening::Admin { token, admin: true }, Happening::Admin { token, admin: false }),
            13..18 => once(Happening::Fault(self.fault(tenant, permission, lasts))),
            18 => once(Happening::Down { lasts: lasts.min(8 * HOUR), killed: true }),
            19 => once(Happening::Down { lasts: lasts.min(8 * HOUR), killed: false }),
            20 => {
                let reload = |order, without| Happening::Reload { order, without };
                let without = self.rng.bool().then_some(token).filter(|_| self.world.tokens.len() > 1);
                both(reload(self.rng.u64(..), without), reload(self.rng.u64(..), None))
            }
            21 => once(Happening::DeafReceiver { lasts }),
            _ if self.rng.bool() => once(Happening::BadDisk { lasts: lasts.min(2 * HOUR) }),
            _ => once(Happening::SlowDisk { lasts: lasts.min(2 * HOUR), takes: self.rng.i64(100..30_000) }),
        };
        self.incidents.push(incident);
    }

    /// What keeps tokens from working: one, all of a user, or all of a tenant.
    fn unusable(&mut self, token: usize, at: Ms, to: Ms) -> Vec<Event> {
        let tenant = self.world.tokens[token].tenant;
        let own = |token, state| {
            let change = |at, state| Event { at, what: Happening::Token { token, state } };
            [change(at, state), change(to, State::Works)]
        };
        let all = self.rng.bool();
        let kind = if self.rng.bool() { 0 } else { self.rng.usize(0..6) };
        let both = |first, last| vec![Event { at, what: first }, Event { at: to, what: last }];
        match kind {
            1 => both(Happening::LockedOut { token, locked: true }, Happening::LockedOut { token, locked: false }),
            2 => both(Happening::Renamed { tenant, renamed: true }, Happening::Renamed { tenant, renamed: false }),
            3 if all => {
                let tokens = (0..self.world.tokens.len()).filter(|token| self.world.tokens[*token].tenant == tenant);
                tokens.flat_map(|token| own(token, State::Blocked)).collect()
            }
            3 => own(token, State::Blocked).to_vec(),
            4 => own(token, State::WrongAccount).to_vec(),
            5 => own(token, State::Unreadable).to_vec(),
            _ => own(token, State::Refused).to_vec(),
        }
    }

    fn fault(&mut self, tenant: usize, permission: usize, lasts: Ms) -> Fault {
        let kind = match self.rng.u32(0..16) {
            0..4 => FaultKind::Status([500, 502, 503, 504][self.rng.usize(0..4)]),
            4 => FaultKind::Page,
            5 => FaultKind::Silence,
            6 => FaultKind::Refused,
            7..9 => FaultKind::Throttled([5, 30, 90, 3600, 1_000_000][self.rng.usize(0..5)]),
            // What is believed when first observed cannot wait for others to be checked.
            9 | 10 if self.world.policy.confirmations > 1 => FaultKind::RefusesAll,
            9..12 => FaultKind::OurMachine,
            _ => {
                let probed = if PERMISSIONS[permission].probe.is_some() { permission } else { 0 };
                return Fault {
                    scope: Scope::Endpoint(tenant, probed),
                    kind: FaultKind::Status(500),
                    lasts: lasts * 4,
                };
            }
        };
        let scope = match (kind, self.rng.u32(0..4)) {
            (FaultKind::OurMachine | FaultKind::RefusesAll, 0) if kind == FaultKind::RefusesAll => {
                Scope::AllBut(tenant)
            }
            (FaultKind::OurMachine | FaultKind::RefusesAll, _) | (_, 0) => Scope::All,
            (_, 1) => Scope::AllBut(tenant),
            _ => Scope::Tenant(tenant),
        };
        Fault { scope, kind, lasts }
    }
}
