//! A small world whose truth is easily seen, and notifications as a receiver takes them.

use judge::{Case, Change, Entry, Event, Finding, Happening, Kind, Ms, Permission, Policy, Received, Severity, Token};

pub(crate) const MINUTE: Ms = 60_000;
pub(crate) const HOUR: Ms = 60 * MINUTE;
pub(crate) const TICKETS: &str = "Tickets - List/Search";
pub(crate) const LEADS: &str = "Leads - List/Search";
pub(crate) const EDIT: &str = "Tickets - Edit";

/// The tokens of `acme`: `a` and `b` of one user, `c` of another in the same group, `d` of a third in another group. Each needs
/// tickets and leads; `a` and `b` edit tickets besides.
pub(crate) fn case(events: Vec<(Ms, Happening)>) -> Case {
    let permission = |name, right, probe| Permission { name, right, probe };
    let token = |name: &str, user, group, wanted: &[usize]| Token {
        tenant: 0,
        user,
        name: name.to_owned(),
        group,
        wanted: wanted.to_vec(),
        ticks: vec![0, 1, 2],
        expires: None,
    };
    Case {
        tokens: vec![
            token("a", 0, 0, &[0, 1, 2]),
            token("b", 0, 0, &[0, 1, 2]),
            token("c", 1, 0, &[0, 1]),
            token("d", 2, 1, &[0, 1]),
        ],
        tenants: vec!["acme".to_owned()],
        groups: 2,
        permissions: vec![
            permission(TICKETS, Some("ticket.read"), Some("/tickets")),
            permission(LEADS, None, Some("/leads")),
            permission(EDIT, Some("ticket.write"), None),
        ],
        policy: Policy {
            validity: HOUR,
            permissions: HOUR,
            confirmations: 2,
            confirm_after: 30_000,
            remind_every: 24 * HOUR,
            unreachable_after: 15 * MINUTE,
        },
        events: events.into_iter().map(|(at, what)| Event { at, what }).collect(),
        end: 90 * HOUR,
    }
}

/// `group-0` loses a permission at the tenth hour, and has it again at the sixtieth.
pub(crate) fn group_loses(permission: usize) -> Vec<(Ms, Happening)> {
    let change = |has| Happening::Group { tenant: 0, group: 0, permission, has };
    vec![(10 * HOUR, change(false)), (60 * HOUR, change(true))]
}

/// A notification; further fields are set by whoever needs them.
pub(crate) fn sent(at: Ms, id: &str, change: Change, alert: &str, affected: &[&str]) -> Received {
    let scope = match alert {
        "UserLockedOut" | "UserChanged" => "user",
        "TenantRenamed" | "TenantBlocked" => "tenant",
        "PermissionLost" | "PermissionMissing" | "SecurityGroupRightLost" => "security_group",
        _ => "token",
    };
    let (entries, more) = Entry::list(affected.iter().copied());
    Received {
        at,
        delivery: at,
        id: id.to_owned(),
        alert: alert.to_owned(),
        change,
        severity: Severity::Critical,
        tenant: "acme".to_owned(),
        scope: scope.to_owned(),
        security_group: if scope == "security_group" { "group-0".to_owned() } else { String::new() },
        user_id: None,
        token_name: entries.first().filter(|_| scope == "token").map_or(String::new(), |entry| entry.token.clone()),
        entries,
        more,
        rights: Vec::new(),
        cause: String::new(),
    }
}

/// The same about a token alone, whose cause nobody knows.
pub(crate) fn undetermined(mut received: Received) -> Received {
    "token".clone_into(&mut received.scope);
    received.security_group = String::new();
    received.token_name = received.entries[0].token.clone();
    received
}

/// An alert from one moment to another, and its reminders in between.
pub(crate) fn fires(from: Ms, to: Ms, id: &str, alert: &str, affected: &[&str]) -> Vec<Received> {
    let mut all = vec![sent(from, id, Change::New, alert, affected)];
    let reminders = (1..).map(|day| from + day * 24 * HOUR).take_while(|at| *at < to);
    all.extend(reminders.map(|at| sent(at, id, Change::Reminder, alert, affected)));
    all.push(sent(to, id, Change::Resolved, alert, affected));
    all
}

/// What is found, by kind and in words.
pub(crate) fn findings(case: &Case, mut received: Vec<Received>) -> Vec<Finding> {
    received.sort_by_key(|received| received.at);
    judge::judge(case, &received, &[]).findings
}

/// Nothing may be found.
#[track_caller]
pub(crate) fn accepts(case: &Case, received: Vec<Received>) {
    let found = findings(case, received);
    assert!(found.is_empty(), "{}", shown(&found));
}

/// Something of this kind must be found whose text has all of these parts, and nothing of another kind.
#[track_caller]
pub(crate) fn objects(kind: Kind, parts: &[&str], case: &Case, received: Vec<Received>) {
    let found = findings(case, received);
    let fits = |finding: &Finding| finding.kind == kind && parts.iter().all(|part| finding.what.contains(part));
    assert!(found.iter().any(fits), "no {kind:?} with {parts:?}: {}", shown(&found));
    assert!(found.iter().all(|finding| finding.kind == kind), "others than {kind:?}: {}", shown(&found));
}

fn shown(found: &[Finding]) -> String {
    found.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}
