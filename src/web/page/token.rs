//! The page of one token: what fires, what it may do and what shows that, its expiry, the last thirty days, what it was last
//! asked. Never a token value, nor anything of an answer but its status. Pure.

use askama::Template;

use crate::belief::{Attempts, Cause, PermissionState};
use crate::state::HistoryLine;
use crate::state::{Snapshot, TokenSnapshot};

use super::alerts::{Card, of_token};
use super::expiry::{Expiry, Mark, marks};
use super::strip::{DAYS, Day, strip};
use super::when::When;
use super::{Badge, Frame, state};

/// What the store says of a token: its history since the beginning of the strip in the order of time, or why there is none.
pub(in super::super) type Past<'a> = Result<&'a [HistoryLine], &'a str>;

/// Changes on the page; all of them are told by `history` and the API.
const MOST_CHANGES: usize = 100;

/// One check: when it was made, and how.
struct Check {
    name: &'static str,
    last_attempt: Option<When>,
    last_success: Option<When>,
    trouble: Option<String>,
}

/// One wanted permission.
struct Permission {
    name: &'static str,
    needed: &'static str,
    class: &'static str,
    sign: &'static str,
    state: &'static str,
    since: Option<When>,
    shown_by: String,
    cause: Option<&'static str>,
}

/// A permission that is held and not needed.
struct Excess {
    name: &'static str,
    shown_by: String,
}

/// One request.
struct Question {
    request: String,
    outcome: String,
    is_answer: bool,
    milliseconds: u128,
    when: When,
}

/// One change.
struct Change {
    when: When,
    what: String,
    before: String,
    after: String,
    shown_by: String,
}

#[derive(Template)]
#[template(path = "token.html")]
struct Page<'a> {
    frame: Frame<'a>,
    tenant: &'a str,
    token_name: &'a str,
    path: String,
    api: String,
    badge: Badge,
    state: String,
    since: Option<When>,
    suppressed_until: Option<When>,
    alerts: Vec<Card>,
    subdomain: Option<&'a str>,
    profile: Option<&'a str>,
    security_group: Option<&'a str>,
    group_problem: Option<&'a str>,
    global_admin: Option<bool>,
    fingerprint: Option<String>,
    unreadable: Option<String>,
    checks: [Check; 2],
    expiry: Option<Expiry>,
    marks: Vec<Mark>,
    permissions: Vec<Permission>,
    audited: Option<(When, Vec<Excess>)>,
    days: Vec<Day>,
    strip_days: u64,
    changes: Vec<Change>,
    no_history: Option<&'a str>,
    questions: Vec<Question>,
}

/// The page of a token of the picture.
pub(in super::super) fn token(
    frame: Frame<'_>,
    snapshot: &Snapshot,
    picture: &TokenSnapshot,
    past: Past<'_>,
) -> askama::Result<String> {
    let TokenSnapshot { token, status: token_status, asked, .. } = picture;
    let now = frame.now;
    let history = past.unwrap_or_default();
    let profile = token.profile.as_ref();
    Page {
        frame,
        tenant: &token.tenant.name,
        token_name: &token.name,
        path: frame.token_path(picture),
        api: format!("{}{}", frame.base, token.id().api_path()),
        badge: picture.health().into(),
        state: state(token_status.state),
        since: token_status.since.map(|at| When::new(at, now)),
        suppressed_until: snapshot.suppressed_until(&token.tenant.name, now).map(|at| When::new(at, now)),
        alerts: of_token(frame, picture),
        subdomain: token.tenant.subdomain.as_deref(),
        profile: profile.map(|profile| profile.title.as_str()),
        security_group: token_status.security_group(),
        group_problem: token_status.group_problem(),
        global_admin: token_status.user.as_ref().and_then(|user| user.admin.granted),
        fingerprint: token_status.fingerprint.as_ref().map(ToString::to_string),
        unreadable: token_status.unreadable.as_ref().map(ToString::to_string),
        checks: [
            check(frame, "Validity", &token_status.validity),
            check(frame, "Permissions", &token_status.permission_checks),
        ],
        expiry: Expiry::of(token, &snapshot.expiry_notice, now),
        marks: marks(token, &snapshot.expiry_notice, now),
        permissions: permissions(frame, picture),
        audited: token_status.audit.as_ref().map(|audit| {
            let excess = audit.excess(token).map(|known| Excess {
                name: known.permission.name(),
                shown_by: known.shown_by(&token.tenant).unwrap_or_default(),
            });
            (When::new(audit.at, now), excess.collect())
        }),
        days: if past.is_ok() { strip(picture, history, now) } else { Vec::new() },
        strip_days: DAYS,
        changes: history.iter().rev().take(MOST_CHANGES).map(|line| change(frame, line)).collect(),
        no_history: past.err(),
        questions: asked
            .iter()
            .map(|asked| Question {
                request: format!("{} {}", asked.method.as_str(), asked.path),
                outcome: match (asked.status, asked.reason) {
                    (Some(status), None) => status.to_string(),
                    (Some(status), Some(reason)) => format!("{status}, {}", reason.as_str()),
                    (None, reason) => reason.map_or("no answer", |reason| reason.as_str()).to_owned(),
                },
                is_answer: asked.reason.is_none(),
                milliseconds: asked.took.as_millis(),
                when: When::new(asked.at, now),
            })
            .collect(),
    }
    .render()
}

fn check(frame: Frame<'_>, name: &'static str, attempts: &Attempts) -> Check {
    let when = |at| When::new(at, frame.now);
    let trouble = attempts.reason.zip(attempts.failing_since).map(|(reason, since)| {
        let times =
            if attempts.failures == 1 { "once".to_owned() } else { format!("{} times in a row", attempts.failures) };
        format!("could not look: {}, {times}, first {}", reason.as_str(), when(since).words)
    });
    Check {
        name,
        last_attempt: attempts.last_attempt.map(when),
        last_success: attempts.last_success.map(when),
        trouble,
    }
}

fn permissions(frame: Frame<'_>, picture: &TokenSnapshot) -> Vec<Permission> {
    let one = |wanted: &crate::model::Wanted| {
        let known = picture.status.of_permission(wanted.permission);
        let shown = known.filter(|known| known.belief.granted.is_some());
        let (class, sign, word) = match picture.status.permission_state(wanted.permission) {
            PermissionState::Granted => ("well", "✓", "held"),
            PermissionState::Missing if wanted.required => ("broken", "✖", "missing"),
            PermissionState::Missing => ("attention", "▲", "missing"),
            PermissionState::Unverified => ("unseen", "?", "unverified"),
        };
        let cause = shown.filter(|known| known.state() == PermissionState::Missing).map(|known| match known.cause {
            Cause::SecurityGroup => "the security group",
            Cause::Token => "the token's own ticks",
            Cause::Undetermined => "the security group or the token",
        });
        Permission {
            name: wanted.permission.name(),
            needed: if wanted.required { "required" } else { "recommended" },
            class,
            sign,
            state: word,
            since: shown.map(|known| When::new(known.belief.since, frame.now)),
            shown_by: shown.and_then(|known| known.shown_by(&picture.token.tenant)).unwrap_or_default(),
            cause,
        }
    };
    // What is missing comes first, then what is held.
    let order =
        |one: &Permission| ["broken", "attention", "well", "unseen"].iter().position(|class| *class == one.class);
    let mut all: Vec<_> = picture.token.wanted.iter().map(one).collect();
    all.sort_by_key(order);
    all
}

fn change(frame: Frame<'_>, line: &HistoryLine) -> Change {
    let at = chrono::DateTime::parse_from_rfc3339(&line.at).map_or(frame.now, |at| at.to_utc());
    let kind = line.kind.replace('_', " ");
    Change {
        when: When::new(at, frame.now),
        what: line.subject.as_ref().map_or_else(|| kind.clone(), |subject| format!("{kind} {subject}")),
        before: line.before.replace('_', " "),
        after: line.after.replace('_', " "),
        shown_by: line.shown_by.clone().unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::*;
    use crate::belief::TokenStatus;
    use crate::testing::{at, token as configured};

    #[test]
    fn what_it_may_do_besides_is_shown_and_a_history_that_cannot_be_read_spoils_nothing_else() {
        let token_status: TokenStatus = serde_json::from_value(json!({
            "state": "valid",
            "audit": { "at": at(-60), "held": [{ "permission": "Vendors - List", "answer": 200 }] },
        }))
        .unwrap();
        let (token_, token_status) = (Arc::new(configured("t", &["Tickets - List/Search"])), Arc::new(token_status));
        let picture =
            TokenSnapshot { token: token_, status: token_status, firing: Arc::default(), asked: Arc::default() };
        let page = |past: Past<'_>| token(Frame::new("", at(0)), &Snapshot::default(), &picture, past).unwrap();
        let unread = page(Err("the disk is <gone>"));
        for shown in ["Vendors - List", "GET /vendors answered 200", "cannot be read: the disk is &#60;gone&#62;"] {
            assert!(unread.contains(shown), "`{shown}` is missing: {unread}");
        }
        assert!(!unread.contains("class=\"strip\""), "thirty days of nothing would be a lie");
        assert!(page(Ok(&[])).contains("class=\"strip\""));
    }
}
