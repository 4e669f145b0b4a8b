//! One cause at one onset is one alert: what one event broke is in one list.
//!
//! Only an event is judged that nothing else came near, and after which everything that it broke could be seen all the time.

use std::collections::BTreeSet;

use super::permissions::{PERMISSION, RIGHT};
use super::{Bench, Found, Kind, MINUTE, RECEIVER_BACK, SLACK};
use crate::case::{Event, FaultKind, Happening, Scope, State};
use crate::spans::Ms;

/// A cause may be known better by and by, and so be in one alert after the other, but not in more than these.
const MOST_IN_A_ROW: usize = 3;

/// An entry that an event made bad.
struct Member<'m> {
    token: usize,
    thing: &'m str,
    alerts: &'m [&'m str],
}

/// One event, or several at the same moment that are one click.
struct Click {
    at: Ms,
    /// In words.
    name: String,
    tenant: usize,
    /// Whether it is one of the events.
    has: Box<dyn Fn(&Event) -> bool>,
}

impl Bench<'_> {
    pub(super) fn splits(&mut self) {
        let mut found: Found = Vec::new();
        let mut seen = BTreeSet::new();
        for event in &self.case.events {
            let at = event.at;
            match event.what {
                Happening::Group { tenant, group, has: false, .. } if seen.insert((at, tenant, group, 0)) => {
                    self.split_group(at, tenant, group, &mut found);
                }
                Happening::Moved { token, .. } => self.split_user(at, token, false, &mut found),
                Happening::Admin { token, admin: false } => self.split_user(at, token, true, &mut found),
                Happening::LockedOut { token, locked: true } => self.split_locked_out(at, token, &mut found),
                Happening::Renamed { tenant, renamed: true } => self.split_renamed(at, tenant, &mut found),
                Happening::Token { token, state: State::Blocked } => {
                    let tenant = self.case.tokens[token].tenant;
                    if seen.insert((at, tenant, 0, 1)) {
                        self.split_blocked(at, tenant, &mut found);
                    }
                }
                _ => {}
            }
        }
        self.find_all(found);
    }

    /// A security group lost one permission or several.
    fn split_group(&self, at: Ms, tenant: usize, group: usize, found: &mut Found) {
        let has = move |event: &Event| {
            event.at == at
                && matches!(event.what, Happening::Group { tenant: of, group: g, has: false, .. } if of == tenant && g == group)
        };
        let name = format!("what group-{group} of {} lost at {} s", self.case.tenants[tenant], at / 1000);
        let click = Click { at, name, tenant, has: Box::new(has) };
        let tokens: Vec<_> =
            self.tokens_in(tenant).filter(|token| self.timeline.in_group(*token, group).contains(at)).collect();
        let admins = tokens.iter().any(|token| self.timeline.admin(*token).contains(at));
        // What only some of those who need it lost has no certain cause where no right shows it.
        let certain = |permission: usize| {
            let mut wanting = tokens.iter().filter(|token| self.case.tokens[**token].wanted.contains(&permission));
            let all_lost = wanting.clone().all(|token| self.breaks(*token, permission, at));
            self.case.permissions[permission].right.is_some() || wanting.nth(1).is_some() && all_lost
        };
        if !admins {
            self.split_permissions(&click, &tokens, certain, found);
        }
    }

    /// A user was moved to another security group, or is no Global Admin any more.
    fn split_user(&self, at: Ms, token: usize, demoted: bool, found: &mut Found) {
        let case = self.case.clone();
        let has = move |event: &Event| {
            event.at == at
                && match event.what {
                    Happening::Admin { token: of, .. } => demoted && case.same_user(of, token),
                    Happening::Moved { token: of, .. } => !demoted && case.same_user(of, token),
                    _ => false,
                }
        };
        let tenant = self.case.tokens[token].tenant;
        let tokens: Vec<_> = self.tokens_in(tenant).filter(|other| self.case.same_user(*other, token)).collect();
        let what = if demoted { "ceased to be a Global Admin" } else { "was moved" };
        let name = format!("what the user of {} lost who {what} at {} s", self.token_name(token), at / 1000);
        let click = Click { at, name, tenant, has: Box::new(has) };
        // A move shows at once only by a right.
        let certain = |permission: usize| demoted || self.case.permissions[permission].right.is_some();
        self.split_permissions(&click, &tokens, certain, found);
    }

    /// Each permission must be in one alert for all tokens, and all that one check of a token finds too.
    fn split_permissions(&self, click: &Click, tokens: &[usize], certain: impl Fn(usize) -> bool, found: &mut Found) {
        let deadline = click.at + self.patience(self.case.policy.permissions) + SLACK;
        let breaks = |token: usize, permission: usize| {
            certain(permission)
                && self.breaks(token, permission, click.at)
                && self.short_of(token, permission).contains(deadline)
        };
        let numbers = 0..self.case.permissions.len();
        if !self.is_alone(click, deadline)
            || !tokens
                .iter()
                .all(|token| numbers.clone().all(|number| self.is_seen(*token, number, click.at, deadline)))
        {
            return;
        }
        for permission in numbers.clone() {
            let known = &self.case.permissions[permission];
            let mut members: Vec<Member<'_>> = Vec::new();
            for token in tokens.iter().copied() {
                if self.case.tokens[token].wanted.contains(&permission) && breaks(token, permission) {
                    members.push(Member { token, thing: known.name, alerts: &PERMISSION });
                }
                let user_has = self.timeline.user_has(token, permission);
                let lost = user_has.contains(click.at - 1) && !user_has.touches(click.at, deadline);
                if let Some(right) = known.right.filter(|_| lost) {
                    members.push(Member { token, thing: right, alerts: &RIGHT });
                }
            }
            self.together(click, deadline, &members, found);
        }
        for token in tokens.iter().copied() {
            let probed = |number: &usize| self.case.permissions[*number].probe.is_some() && breaks(token, *number);
            let wanted = self.case.tokens[token].wanted.iter().copied().filter(probed);
            let members: Vec<_> = wanted
                .map(|number| Member { token, thing: self.case.permissions[number].name, alerts: &PERMISSION })
                .collect();
            self.together(click, deadline, &members, found);
        }
    }

    fn split_locked_out(&self, at: Ms, token: usize, found: &mut Found) {
        let tenant = self.case.tokens[token].tenant;
        let case = self.case.clone();
        let has = move |event: &Event| {
            event.at == at && matches!(event.what, Happening::LockedOut { token: of, .. } if case.same_user(of, token))
        };
        let name = format!("the user of {} who was locked out at {} s", self.token_name(token), at / 1000);
        let click = Click { at, name, tenant, has: Box::new(has) };
        let tokens: Vec<_> = self.tokens_in(tenant).filter(|other| self.case.same_user(*other, token)).collect();
        self.split_state(&click, &tokens, State::LockedOut, &["UserLockedOut"], found);
    }

    fn split_renamed(&self, at: Ms, tenant: usize, found: &mut Found) {
        let has = move |event: &Event| {
            event.at == at && matches!(event.what, Happening::Renamed { tenant: of, .. } if of == tenant)
        };
        let name = format!("{}, which was renamed at {} s", self.case.tenants[tenant], at / 1000);
        let click = Click { at, name, tenant, has: Box::new(has) };
        let tokens: Vec<_> = self.tokens_in(tenant).collect();
        let alerts = ["TenantRenamed", "TokenWrongAccount"];
        self.split_state(&click, &tokens, State::WrongAccount, &alerts, found);
    }

    fn split_blocked(&self, at: Ms, tenant: usize, found: &mut Found) {
        let case = self.case.clone();
        let has = move |event: &Event| {
            event.at == at
                && matches!(event.what, Happening::Token { token, state: State::Blocked } if case.tokens[token].tenant == tenant)
        };
        let blocked: Vec<_> = self
            .tokens_in(tenant)
            .filter(|token| {
                self.timeline.state(*token, |state| state == State::Blocked).iter().any(|(from, _)| from == at)
            })
            .collect();
        let name = format!("tokens of {} which were blocked at {} s", self.case.tenants[tenant], at / 1000);
        let click = Click { at, name, tenant, has: Box::new(has) };
        self.split_state(&click, &blocked, State::Blocked, &["TenantBlocked"], found);
    }

    fn split_state(&self, click: &Click, tokens: &[usize], state: State, alerts: &[&str], found: &mut Found) {
        let policy = self.case.policy;
        let deadline = click.at + self.patience(policy.validity) + SLACK;
        let before = click.at - policy.validity - self.patience(policy.validity);
        let goes_over = |token: &usize| {
            let to = |spans: crate::spans::Spans, at: Ms| spans.span_at(at).map_or(Ms::MIN, |(_, to)| to);
            to(self.timeline.sees_state(*token), before) > deadline
                && to(self.timeline.works(*token), before) == click.at
                && to(self.timeline.state(*token, |known| known == state), click.at) > deadline
        };
        if before >= 0 && self.is_alone(click, deadline) && tokens.iter().all(goes_over) {
            let members: Vec<_> = tokens.iter().map(|token| Member { token: *token, thing: "", alerts }).collect();
            self.together(click, deadline, &members, found);
        }
    }

    /// Whether a token came to be short of a permission at a moment.
    fn breaks(&self, token: usize, permission: usize, at: Ms) -> bool {
        self.short_of(token, permission).iter().any(|(from, _)| from == at)
    }

    /// Whether a token could be seen for long enough before and after a moment, or does not matter for a permission.
    fn is_seen(&self, token: usize, permission: usize, at: Ms, deadline: Ms) -> bool {
        let policy = self.case.policy;
        let before = at - policy.permissions.max(policy.validity) - self.patience(policy.permissions);
        let seen = self.timeline.sees_permission(token, permission);
        before >= 0 && seen.span_at(before).is_some_and(|(_, to)| to > deadline)
    }

    /// Whether nothing else came near an event, of the same tenant or of all.
    fn is_alone(&self, click: &Click, deadline: Ms) -> bool {
        let policy = self.case.policy;
        let from = click.at - policy.permissions.max(policy.validity) - self.patience(policy.permissions);
        let of_token = |token: usize| self.case.tokens[token].tenant == click.tenant;
        let disturbs = |event: &Event| match &event.what {
            Happening::Fault(fault) => {
                let wide = matches!(fault.scope, Scope::All | Scope::AllBut(_))
                    || matches!(fault.kind, FaultKind::RefusesAll | FaultKind::Throttled(_));
                wide && event.at <= deadline && event.at + fault.lasts + 6 * MINUTE > from
            }
            _ if click.at == event.at && (click.has)(event) => false,
            _ if !(from..=deadline).contains(&event.at) => false,
            Happening::Token { token, .. }
            | Happening::Tick { token, .. }
            | Happening::LockedOut { token, .. }
            | Happening::Moved { token, .. }
            | Happening::Admin { token, .. } => of_token(*token),
            Happening::Group { tenant, .. } | Happening::Renamed { tenant, .. } => *tenant == click.tenant,
            _ => true,
        };
        let held_up = self.timeline.deaf.widened(0, RECEIVER_BACK).or(&self.timeline.amnesia.widened(0, MINUTE));
        let away = self.world().without(&self.timeline.up).widened(0, SLACK);
        deadline < self.case.end
            && !self.case.events.iter().any(disturbs)
            && !held_up.or(&away).touches(from, deadline)
            && !self.crowded(from, deadline)
    }

    /// Members that are listed at a deadline must be in one alert, and must not have been in one after the other.
    fn together(&self, click: &Click, deadline: Ms, members: &[Member<'_>], found: &mut Found) {
        let (mut now, mut ever, mut entries) = (BTreeSet::new(), BTreeSet::new(), Vec::new());
        for member in members {
            let name = &self.case.tokens[member.token].name;
            let listings = self.listings.of_entry((self.tenant_of(member.token), name, member.thing)).iter();
            for listing in listings.filter(|listing| member.alerts.contains(&listing.begun().alert.as_str())) {
                if listing.is_on(deadline) {
                    now.insert(listing.begun().name());
                    entries.push(if member.thing.is_empty() {
                        name.clone()
                    } else {
                        format!("{name} / {}", member.thing)
                    });
                }
                if listing.touches(click.at, deadline) && listing.begun().at >= click.at {
                    ever.insert(listing.begun().name());
                }
            }
        }
        let list = |names: BTreeSet<String>| names.into_iter().collect::<Vec<_>>().join(", ");
        let count = (now.len(), ever.len());
        if count.0 > 1 {
            let what = format!("{} ({}) is in {} alerts: {}", click.name, entries.join(", "), count.0, list(now));
            found.push((Kind::Split, deadline, what));
        } else if count.1 > MOST_IN_A_ROW {
            let what = format!("{} was in {} alerts one after the other: {}", click.name, count.1, list(ever));
            found.push((Kind::Split, deadline, what));
        }
    }
}
