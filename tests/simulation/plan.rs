//! What a world is made of, from a seed: who exists, what goes wrong and when. Leaving incidents out changes nothing else,
//! so that a plan that failed can be shrunk.

use std::collections::BTreeSet;

use judge::{Case, Event, Happening, Ms, Permission, Policy, State, Token};

use crate::incidents::Maker;

pub(crate) const SECOND: Ms = 1000;
pub(crate) const MINUTE: Ms = 60 * SECOND;
pub(crate) const HOUR: Ms = 60 * MINUTE;
pub(crate) const DAY: Ms = 24 * HOUR;
pub(crate) const GROUPS: usize = 3;

/// The permissions of every world: as the monitor's catalogue has them, but not taken from it.
pub(crate) const PERMISSIONS: [Permission; 5] = [
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
        let incidents = Maker::new(&mut rng, &world, pace).make();
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

/// Who made the tokens: often each has a user of its own, sometimes two or three share one.
#[derive(Default)]
struct Users {
    /// The tenant of each, the group, and how many tokens it has.
    known: Vec<(usize, usize, usize)>,
}

impl Users {
    /// The user of one more token of a tenant, and the user's group.
    fn draw(&mut self, rng: &mut fastrand::Rng, tenant: usize) -> (usize, usize) {
        const MOST_TOKENS: usize = 3;
        let shares = rng.u32(0..3) == 0;
        let new = (tenant, rng.usize(0..GROUPS), 1);
        let fits = |(of, _, tokens): &(usize, usize, usize)| *of == tenant && *tokens < MOST_TOKENS;
        let other = self.known.iter().position(fits).filter(|_| shares);
        let user = other.unwrap_or(self.known.len());
        match other {
            Some(user) => self.known[user].2 += 1,
            None => self.known.push(new),
        }
        (user, self.known[user].1)
    }
}

fn world(rng: &mut fastrand::Rng, pace: Pace, end: Ms) -> Case {
    let tenants = rng.usize(1..9);
    let count = rng.usize(6..26).max(tenants);
    let mut users = Users::default();
    let tokens = (0..count)
        .map(|number| {
            let wanted: Vec<_> = (0..PERMISSIONS.len()).filter(|_| rng.u32(0..3) > 0).collect();
            let ticks = (0..PERMISSIONS.len()).filter(|_| rng.u32(0..12) > 0).collect();
            let expires = (rng.u32(0..4) == 0).then(|| rng.i64(0..end + 40 * DAY) / SECOND * SECOND);
            let tenant = if number < tenants { number } else { rng.usize(0..tenants) };
            let (user, group) = users.draw(rng, tenant);
            Token { tenant, user, name: format!("tok-{number}"), group, wanted, ticks, expires }
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
