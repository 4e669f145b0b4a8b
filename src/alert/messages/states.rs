//! The messages about a token that does not work. Pure.

use crate::alert::Message;
use crate::model::TokenSource;

use super::steps::{
    address_of_account, open_tokens, open_user, open_user_permissions, place, replace, replace_gone, set_subdomain,
};
use super::subject::Subject;
use super::words::{ROOM_IN_STEP, cut, line, name};

/// The most characters of the reason why a value cannot be read.
const LONGEST_REASON: usize = 130;

/// That the calls of the integration fail, as the end of a sentence.
fn fails(subject: &Subject<'_>, room: usize) -> String {
    format!("the calls of {} fail", subject.integrations(room))
}

/// The message of `TokenExpired`.
pub(super) fn expired(subject: &Subject<'_>) -> Message {
    let member = subject.member();
    // A date that was moved ahead since then is not the one at which the token expired.
    let date = member.and_then(|member| {
        member.token.expires.filter(|expires| Some(*expires) <= member.status.validity.last_attempt)
    });
    let declared = date.map_or_else(String::new, |date| format!(" (declared expiry {})", subject.shown(date)));
    let line = line(|room| {
        vec![
            format!("{} expired{declared}; {}", subject.token_named(), fails(subject, room)),
            subject.since(),
            "evidence: `/me` refuses it, and its declared expiry has come".to_owned(),
        ]
    });
    subject.message(line, replace(subject, "", &[]))
}

/// The message of `TokenRejected`.
pub(super) fn rejected(subject: &Subject<'_>) -> Message {
    let member = subject.member();
    let has_expiry = member.is_some_and(|member| member.token.expires.is_some());
    let expired = if has_expiry { "" } else { "expired, " };
    let line = line(|room| {
        vec![
            format!(
                "{} is refused: {expired}revoked, deleted or mistyped, or its user is gone; {}",
                subject.token_named(),
                fails(subject, room)
            ),
            subject.since(),
            "evidence: `/me` refuses it".to_owned(),
        ]
    });
    let mut steps = vec![format!("{} and see whether the token is still listed", open_tokens(subject.tenant()))];
    steps.push(format!("{}, and see whether the user is still there and active", open_user(subject)));
    if let Some(member) = member {
        steps.push(format!("See whether the value was copied completely into {}", place(&member.token.source)));
    }
    steps.extend(replace_gone(subject));
    subject.message(line, steps)
}

/// The message of `TokenRestricted`.
pub(super) fn restricted(subject: &Subject<'_>) -> Message {
    let line = line(|room| {
        vec![
            format!(
                "Syncro answers {} as it does for a missing permission, even at `/me`, which needs none: what that means is \
                not known; {}",
                subject.token_named(),
                fails(subject, room)
            ),
            subject.since(),
            "evidence: 401 with Syncro's sentence for a missing permission".to_owned(),
        ]
    });
    let mut steps = vec![
        format!("{} and see whether the token is still listed", open_tokens(subject.tenant())),
        format!("{}, and see whether the user is active and may do anything", open_user_permissions(subject)),
    ];
    steps.extend(replace(subject, "If neither helps", &[]));
    subject.message(line, steps)
}

/// The message of `TokenUnreadable`.
pub(super) fn unreadable(subject: &Subject<'_>) -> Message {
    let member = subject.member();
    let why = member.and_then(|member| member.status.unreadable.as_ref());
    let why = why.map_or_else(|| "cannot be read".to_owned(), ToString::to_string);
    let line = line(|room| {
        vec![
            format!("the token value of {} {}", subject.token_named(), cut(&why, LONGEST_REASON)),
            format!("the token is not watched, and it is not known whether {} works", subject.integrations(room)),
            subject.since(),
        ]
    });
    let mut steps = Vec::new();
    if let Some(member) = member {
        let place = place(&member.token.source);
        steps.push(format!(
            "Put the token value into {place}, where the monitor may read it; nothing else may be in it"
        ));
        steps.push(match member.token.source {
            TokenSource::File(_) => "Wait for the next check: the file is read again at each".to_owned(),
            _ => "Restart the monitor, which is given it only at its start".to_owned(),
        });
    }
    subject.message(line, steps)
}

/// The message of `TokenWrongAccount`: the account may have been renamed, or the value may be another token's. Whether the
/// value and its user are those of before says which.
pub(super) fn wrong_account(subject: &Subject<'_>) -> Message {
    let elsewhere = subject.member().and_then(|member| member.status.elsewhere.as_ref());
    let theirs = elsewhere.map(|elsewhere| elsewhere.subdomain.as_str());
    let is_same = elsewhere.and_then(|elsewhere| elsewhere.is_same_token);
    let ours = subject.tenant().and_then(|tenant| tenant.subdomain.as_deref()).unwrap_or_default();
    let on =
        theirs.map_or_else(|| "another Syncro account".to_owned(), |theirs| format!("the account {}", name(theirs)));
    let guess = match is_same {
        Some(true) => "its value and its user are the same as before, so the account was probably renamed",
        Some(false) => "its value or its user is another one, so it is probably the value of another token",
        None => "either it is the value of another token, or the configured `subdomain` is wrong",
    };
    let line = line(|room| {
        vec![
            format!("{} works, but on {on} and not on {}", subject.token_named(), name(ours)),
            guess.to_owned(),
            format!("the calls of {} probably fail", subject.integrations(room)),
            subject.since(),
            "evidence: the subdomain in `/me`".to_owned(),
        ]
    });
    subject.message(line, steps_of_wrong_account(subject, theirs, is_same))
}

fn steps_of_wrong_account(subject: &Subject<'_>, theirs: Option<&str>, is_same: Option<bool>) -> Vec<String> {
    let source = subject.member().map(|member| place(&member.token.source));
    let place = source.unwrap_or_else(|| "the place from which the token is read".to_owned());
    let Some(theirs) = theirs else {
        return vec![format!("Put the value of a token of the right account into {place}")];
    };
    let mut steps =
        vec![format!("Open {} and see whether it is the account that is meant", address_of_account(theirs))];
    let renamed = set_subdomain(subject, theirs);
    let other = format!("put the value of a token of the right account into {place}");
    if is_same == Some(true) {
        steps.push(format!("If it is: {renamed}"));
        steps.push(format!("Give the new subdomain to {} too", subject.integrations(ROOM_IN_STEP)));
    } else {
        steps.push(format!("If it is not: {other}"));
        steps.push(format!("If it is: {renamed}"));
    }
    steps
}
