//! The page of one token: its alerts, its permissions and what shows them, its expiry, the last thirty days, and the
//! last requests that were sent with it. It never shows a token value, nor anything of an answer but its status. Pure.

use askama::Template;

use crate::belief::{Attempts, PermissionState, Proof, TokenState, TokenStatus, User};
use crate::catalog::PermissionId;
use crate::model::{Probes, RotateWhen, TokenSource};
use crate::state::{HistoryLine, Snapshot, TokenSnapshot};
use crate::syncro::Asked;

use super::alerts::{Card, of_token};
use super::expiry::{Expiry, Mark, marks};
use super::permissions::{Change, Permission, permissions};
use super::strip::{DAYS, Day, MOST_LINES, strip};
use super::when::When;
use super::{Badge, Frame, name_of, state};

/// The history of a token since the beginning of the strip, in the order of time, or why it cannot be read.
pub(in super::super) type Past<'a> = Result<&'a [HistoryLine], &'a str>;

/// How many changes are on the page; the command `history` and the API show all of them.
const MOST_CHANGES: usize = 100;

/// The last attempts at one kind of check.
struct Check {
    name: &'static str,
    last_attempt: Option<When>,
    last_success: Option<When>,
    /// Why the last attempt gave no verdict, if it gave none.
    trouble: Option<String>,
}

/// A permission that is granted and not needed.
struct Excess {
    name: &'static str,
    shown_by: String,
}

/// A request that was sent.
struct Request {
    method_and_path: String,
    outcome: String,
    is_answer: bool,
    milliseconds: u128,
    when: When,
}

#[derive(Template)]
#[template(path = "token.html")]
struct Page<'a> {
    frame: Frame<'a>,
    tenant: &'a str,
    token_name: &'a str,
    tenant_href: String,
    path: String,
    api: String,
    badge: Badge,
    state: String,
    since: Option<When>,
    suppressed_until: Option<When>,
    alerts: Vec<Card>,
    subdomain: Option<&'a str>,
    profile: Option<&'a str>,
    contact: Option<&'a str>,
    note: Option<&'a str>,
    customers_visible: Option<u64>,
    user: Option<String>,
    user_href: Option<String>,
    /// Since when the user has not been in the list of users any more.
    unlisted_since: Option<When>,
    security_group: Option<&'a str>,
    group_problem: Option<&'a str>,
    global_admin: Option<bool>,
    /// From where the value is read.
    source: String,
    fingerprint: Option<String>,
    /// Since when the value has been the one that it is, if it was another before.
    value_since: Option<When>,
    unreadable: Option<String>,
    /// How the token that is to follow it compares, and what is to be done about it.
    next: Option<String>,
    /// What is known of the value before a switch.
    former: Option<String>,
    checks: [Check; 2],
    expiry: Option<Expiry>,
    marks: Vec<Mark>,
    permissions: Vec<Permission>,
    /// Those that no request shows.
    unchecked: Vec<Permission>,
    /// Why, where the reason is the same for all of them.
    unchecked_why: Option<String>,
    audited: Option<(When, Vec<Excess>)>,
    days: Vec<Day>,
    strip_days: u64,
    changes: Vec<Change>,
    no_history: Option<&'a str>,
    requests: Vec<Request>,
}

/// Writes the page of a token, `entry` of the snapshot.
pub(in super::super) fn token(
    frame: Frame<'_>,
    snapshot: &Snapshot,
    entry: &TokenSnapshot,
    past: Past<'_>,
) -> askama::Result<String> {
    let TokenSnapshot { token, status, .. } = entry;
    let now = frame.now;
    let history = past.unwrap_or_default();
    let profile = token.profile.as_ref();
    let (unchecked, permissions): (Vec<_>, Vec<_>) = permissions(frame, entry, snapshot.probes)
        .into_iter()
        .partition(|one| one.state == PermissionState::Unverified);
    let same_why = unchecked.windows(2).all(|pair| pair[0].shown_by == pair[1].shown_by);
    Page {
        frame,
        tenant: &token.tenant.name,
        token_name: &token.name,
        tenant_href: frame.tenant_path(&token.tenant.name),
        path: frame.token_path(entry),
        api: format!("{}{}", frame.base, token.id().api_path()),
        badge: entry.health(now).into(),
        state: state(status.state),
        since: status.since.map(|at| When::new(at, now)),
        suppressed_until: snapshot.suppressed_until(&token.tenant.name, now).map(|at| When::new(at, now)),
        alerts: of_token(frame, snapshot, entry),
        subdomain: token.tenant.subdomain.as_deref(),
        profile: profile.map(|profile| profile.title.as_str()),
        contact: token.contact.as_deref(),
        note: token.note.as_deref(),
        customers_visible: status.customers_visible,
        user: status.user.as_ref().map(|user| match &user.name {
            Some(name) => format!("{name} (number {})", user.id),
            None => name_of(user),
        }),
        user_href: status.user.as_ref().map(|user| frame.user_path(&token.tenant.name, user.id)),
        unlisted_since: status.user.as_ref().and_then(User::unlisted_since).map(|at| When::new(at, now)),
        security_group: status.security_group(),
        group_problem: status.group_problem(),
        global_admin: status.user.as_ref().and_then(|user| user.admin.granted),
        source: source(&token.source),
        fingerprint: status.fingerprint.as_ref().map(ToString::to_string),
        value_since: entry.value_seen_since().map(|at| When::new(at, now)),
        unreadable: status.unreadable.as_ref().map(ToString::to_string),
        next: next(entry, snapshot.probes),
        former: status.former.as_deref().map(former),
        checks: [check(frame, "Validity", &status.validity), check(frame, "Permissions", &status.permission_checks)],
        expiry: Expiry::of(token, &snapshot.expiry_notice, now),
        marks: marks(token, &snapshot.expiry_notice, now),
        unchecked_why: unchecked.first().filter(|_| same_why).map(|one| one.shown_by.clone()),
        permissions,
        unchecked,
        audited: status.audit.as_ref().map(|audit| {
            let excess = audit.excess(token).map(|excess| Excess {
                name: excess.permission.name(),
                shown_by: excess.shown_by(&token.tenant).unwrap_or_default(),
            });
            (When::new(audit.at, now), excess.collect())
        }),
        days: if past.is_ok() { strip(entry, history, MOST_LINES, now) } else { Vec::new() },
        strip_days: DAYS,
        changes: history.iter().rev().take(MOST_CHANGES).map(|line| Change::of(frame, line)).collect(),
        no_history: past.err(),
        requests: entry.asked.iter().map(|asked| request(frame, asked)).collect(),
    }
    .render()
}

/// From where a value is read.
fn source(source: &TokenSource) -> String {
    match source {
        TokenSource::File(path) => format!("the file {}", path.display()),
        TokenSource::Environment(name) => format!("the environment variable {name}"),
        TokenSource::Credential(name) => format!("the credential {name}"),
    }
}

/// How the token that is to follow one compares with it, in a sentence.
fn next(entry: &TokenSnapshot, probes: Probes) -> Option<String> {
    let (next, status, comparison) = entry.next(probes)?;
    let unreadable = status.and_then(|status| status.unreadable.as_ref());
    let not_switched = status.and_then(|status| status.not_switched.as_ref());
    let names = |permissions: &[PermissionId]| {
        permissions.iter().map(|permission| permission.name()).collect::<Vec<_>>().join(", ")
    };
    let how = match comparison.proof {
        Proof::Unknown => unreadable
            .map_or_else(|| "not checked yet, or no check gave a verdict".to_owned(), |why| format!("its value {why}")),
        Proof::Absent => "no usable value there yet".to_owned(),
        Proof::InUse => "in use: it is the value above".to_owned(),
        Proof::Unusable => "does not work on this account".to_owned(),
        Proof::Lacking => format!("lacks {}, which the one in use was shown to have", names(&comparison.lacks)),
        Proof::Unproven => format!("works, but is not shown to have {}", names(&comparison.not_shown)),
        Proof::Proven if next.rotate_when == RotateWhen::Proven => not_switched.map_or_else(
            || "proven, and to be put in place".to_owned(),
            |why| format!("proven, but it could not be put in place: {why}; the command rotate does it as a user who may write there"),
        ),
        Proof::Proven => "proven: the command rotate puts it in place".to_owned(),
    };
    let user = match comparison.is_of_another_user {
        Some(true) if comparison.proof != Proof::InUse => "; another user is behind it",
        _ => "",
    };
    Some(format!("from {}, {how}{user}", source(&next.source)))
}

/// What is known of the value before a switch, in a sentence.
fn former(status: &TokenStatus) -> String {
    let fingerprint = status.fingerprint.as_ref().map(|fingerprint| format!("fingerprint {fingerprint}, "));
    let how = match status.state {
        TokenState::Unknown => "not checked yet",
        TokenState::Valid | TokenState::WrongAccount => "Syncro still lets it in: delete that token in Syncro",
        TokenState::Blocked => "not known whether Syncro lets it in",
        TokenState::Unreadable => "not checked any more: its value is not there",
        TokenState::Expired | TokenState::Rejected | TokenState::Restricted | TokenState::LockedOut => {
            "Syncro refuses it, as it should"
        }
    };
    format!("{}{how}", fingerprint.unwrap_or_default())
}

/// A request that was sent, and what came of it.
fn request(frame: Frame<'_>, asked: &Asked) -> Request {
    Request {
        method_and_path: format!("{} {}", asked.method.as_str(), asked.path),
        outcome: match (asked.status, asked.reason) {
            (Some(status), None) => status.to_string(),
            (Some(status), Some(reason)) => format!("{status}, {}", reason.as_str()),
            (None, reason) => reason.map_or("no answer", |reason| reason.as_str()).to_owned(),
        },
        is_answer: asked.reason.is_none(),
        milliseconds: asked.took.as_millis(),
        when: When::new(asked.at, frame.now),
    }
}

/// The last attempts at a kind of check, under its name.
fn check(frame: Frame<'_>, name: &'static str, attempts: &Attempts) -> Check {
    let when = |at| When::new(at, frame.now);
    let trouble = attempts.reason.zip(attempts.failing_since).map(|(reason, since)| {
        let times =
            if attempts.failures == 1 { "once".to_owned() } else { format!("{} times in a row", attempts.failures) };
        format!("could not check: {}, {times}, first {}", reason.as_str(), when(since).relative)
    });
    Check {
        name,
        last_attempt: attempts.last_attempt.map(when),
        last_success: attempts.last_success.map(when),
        trouble,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing::{at, token as configured, token_snapshot};

    #[test]
    fn what_a_token_may_do_besides_is_shown_and_a_history_that_cannot_be_read_affects_nothing_else() {
        let status: TokenStatus = serde_json::from_value(json!({
            "state": "valid",
            "audit": { "at": at(-60), "held": [{ "permission": "Vendors - List", "answer": 200 }] },
        }))
        .unwrap();
        let entry = token_snapshot(configured("t", &["Tickets - List/Search"]), status);
        let page = |past: Past<'_>| token(Frame::new("", at(0)), &Snapshot::default(), &entry, past).unwrap();
        let unread = page(Err("the disk is <gone>"));
        for shown in ["Vendors - List", "GET /vendors answered 200", "cannot be read: the disk is &#60;gone&#62;"] {
            assert!(unread.contains(shown), "`{shown}` is missing: {unread}");
        }
        assert!(!unread.contains("class=\"strip\""), "thirty days without a sign would be wrong");
        assert!(page(Ok(&[])).contains("class=\"strip\""));
    }
}
