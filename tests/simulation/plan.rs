//! What a world is made of, from a seed: who exists, what goes wrong and when. Leaving incidents out changes nothing else,
//! so that a plan that failed can be shrunk.

use std::collections::BTreeSet;

use judge::{Case, Event, Fault, FaultKind, Happening, Ms, Permission, Policy, Scope, State, Token};

const SECOND: Ms = 1000;
const MINUTE: Ms = 60 * SECOND;
const HOUR: Ms = 60 * MINUTE;
const DAY: Ms = 24 * HOUR;
const GROUPS: usize = 3;

/// The permissions of every world: as the monitor's catalogue has them, but not taken from it.
const PERMISSIONS: [Permission; 5] = [
    Permission { name: "Tickets - List/Search", right: Some("ticket.read"), probe: Some("/tickets") },
    Permission { name: "Customers - List/Search", right: Some("customer.read"), probe: Some("/customers") },
    Permission { name: "Assets - List/Search", right: Some("asset.read"), probe: Some("/customer_assets") },
    Permission { name: "Leads - List/Search", right: None, probe: Some("/leads") },
    Permission { name: "Tickets - Edit", right: Some("ticket.write"), probe: None },
];

/// How a world is timed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pace {
    /// Checks every hour, for weeks.
    Hourly,
    /// The same by a cron expression, over a change of clocks.
    Cron,
    /// Checks every five minutes, permissions every hour, for days.
    Default,
    /// Checks every second or two, for an hour or two.
    Quick,
}

/// One world, before it is played.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    pub(crate) pace: Pace,
    /// The wall clock at the start, in seconds since the epoch.
    pub(crate) begin: i64,
    world: Case,
    /// Things that go wrong, each with its end.
    pub(crate) incidents: Vec<Vec<Event>>,
    /// Those that happen; all if none is named.
    pub(crate) kept: Option<BTreeSet<usize>>,
}

impl Plan {
    /// The world of a seed.
    pub(crate) fn of(seed: u64) -> Self {
        let mut rng = fastrand::Rng::with_seed(seed);
        let pace = match rng.u32(0..12) {
            0 => Pace::Cron,
            1..4 => Pace::Default,
            4 | 5 => Pace::Quick,
            _ => Pace::Hourly,
        };
        let (begin, end) = match pace {
            // 2027-03-13 and 2026-10-31 in New York: a day before the clocks change.
            Pace::Cron => (if rng.bool() { 1_804_900_000 } else { 1_793_400_000 }, 3 * DAY),
            Pace::Hourly => (1_800_000_000 + rng.i64(0..30_000_000), rng.i64(10..25) * DAY),
            Pace::Default => (1_800_000_000 + rng.i64(0..30_000_000), rng.i64(2..4) * DAY),
            Pace::Quick => (1_800_000_000, rng.i64(30..90) * MINUTE),
        };
        let world = world(&mut rng, pace, end);
        let mut maker = Maker { rng: &mut rng, world: &world, pace, incidents: Vec::new() };
        maker.make();
        let incidents = maker.incidents;
        Self { seed, pace, begin, world, incidents, kept: None }
    }

    /// The truth that is played.
    pub(crate) fn case(&self) -> Case {
        let kept = |number: &usize| self.kept.as_ref().is_none_or(|kept| kept.contains(number));
        let chosen = self.incidents.iter().enumerate().filter(|(number, _)| kept(number));
        let mut events: Vec<_> = chosen.flat_map(|(_, incident)| incident.clone()).collect();
        // What expires is refused from then on, unless it is one of those whose date is wrong.
        for (number, token) in self.world.tokens.iter().enumerate() {
            if let Some(expires) = token.expires.filter(|expires| number % 3 != 0 && *expires < self.world.end) {
                events.push(Event { at: expires, what: Happening::Token { token: number, state: State::Refused } });
            }
        }
        events.sort_by_key(|event| event.at);
        events.retain(|event| event.at < self.world.end);
        Case { events: without_overlaps(events), ..self.world.clone() }
    }

    /// The lines of `[schedule]`.
    pub(crate) fn schedule(&self) -> String {
        let Policy { validity, permissions, .. } = self.world.policy;
        match self.pace {
            Pace::Cron => {
                "validity = \"0 0 * * * *\"\npermissions = \"0 0 * * * *\"\ntime_zone = \"America/New_York\"".into()
            }
            _ => format!("validity = \"{validity}ms\"\npermissions = \"{permissions}ms\""),
        }
    }

    /// Years of tokens that are watched.
    pub(crate) fn token_years(&self) -> f64 {
        self.world.tokens.len() as f64 * self.world.end as f64 / (365 * DAY) as f64
    }
}

/// While the monitor is away it cannot be stopped or reloaded again.
fn without_overlaps(events: Vec<Event>) -> Vec<Event> {
    let mut away_until = 0;
    let mut kept = Vec::with_capacity(events.len());
    for event in events {
        match event.what {
            Happening::Down { .. } | Happening::Reload { .. } if event.at < away_until + 5 * SECOND => continue,
            Happening::Down { lasts, .. } => away_until = event.at + lasts,
            _ => {}
        }
        kept.push(event);
    }
    kept
}

fn world(rng: &mut fastrand::Rng, pace: Pace, end: Ms) -> Case {
    let tenants = rng.usize(1..9);
    let count = rng.usize(6..26).max(tenants);
    let tokens = (0..count)
        .map(|number| {
            let wanted: Vec<_> = (0..PERMISSIONS.len()).filter(|_| rng.u32(0..3) > 0).collect();
            let ticks = (0..PERMISSIONS.len()).filter(|_| rng.u32(0..12) > 0).collect();
            let expires = (rng.u32(0..4) == 0).then(|| rng.i64(0..end + 40 * DAY) / SECOND * SECOND);
            let tenant = if number < tenants { number } else { rng.usize(0..tenants) };
            Token { tenant, name: format!("tok-{number}"), group: rng.usize(0..GROUPS), wanted, ticks, expires }
        })
        .collect();
    let (validity, permissions) = match pace {
        Pace::Hourly => (HOUR, HOUR * rng.i64(1..3)),
        Pace::Cron => (HOUR, HOUR),
        Pace::Default => (5 * MINUTE, HOUR),
        Pace::Quick => (rng.i64(1..3) * SECOND, rng.i64(2..10) * SECOND),
    };
    let quick = pace == Pace::Quick;
    let policy = Policy {
        validity,
        permissions,
        confirmations: [1, 2, 2, 2, 2, 3][rng.usize(0..6)],
        confirm_after: if quick { rng.i64(1..3) * SECOND } else { 30 * SECOND },
        remind_every: if quick { 20 * MINUTE } else { DAY },
        unreachable_after: if quick { 30 * SECOND } else { 15 * MINUTE },
    };
    let names = (0..tenants).map(|number| format!("tenant-{number}")).collect();
    let permissions = PERMISSIONS.to_vec();
    Case { tokens, tenants: names, groups: GROUPS, permissions, policy, events: Vec::new(), end }
}

/// Makes things go wrong.
struct Maker<'a> {
    rng: &'a mut fastrand::Rng,
    world: &'a Case,
    pace: Pace,
    incidents: Vec<Vec<Event>>,
}

impl Maker<'_> {
    fn make(&mut self) {
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
            0..5 => {
                let states = [State::Refused, State::LockedOut, State::Blocked, State::WrongAccount, State::Unreadable];
                let state = states[if self.rng.bool() { 0 } else { self.rng.usize(0..5) }];
                both(Happening::Token { token, state }, Happening::Token { token, state: State::Works })
            }
            5..9 => {
                let group = self.world.tokens[token].group;
                let change = |has| Happening::Group { tenant, group, permission, has };
                both(change(false), change(true))
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
