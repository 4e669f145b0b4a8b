//! The messages about the declared expiry of a token. Pure.

use crate::alert::{Member, Message};

use super::steps::{declare, open_tokens, replace};
use super::subject::Subject;
use super::words::{line, name, when};

/// Whether the token has been given another value since its expiry began to be near. Then the date is perhaps the old one.
fn is_value_changed(subject: &Subject<'_>, member: &Member<'_>) -> bool {
    member.status.value_since > Some(subject.firing.began_at)
}

/// The message of `TokenExpiring`.
pub(super) fn expiring(subject: &Subject<'_>) -> Message {
    let Some(member) = subject.member() else { return subject.firing.message.clone() };
    let Some(expires) = member.token.expires else { return subject.firing.message.clone() };
    let is_changed = is_value_changed(subject, member);
    let token_name = name(&member.token.name);
    let line = line(|room| {
        vec![
            format!(
                "{} expires {}, on {}; then the calls of {} fail",
                subject.token_named(),
                when(expires - subject.rules.now),
                subject.shown(expires),
                subject.integrations(room)
            ),
            if is_changed {
                "it has another value meanwhile, so this is perhaps the date of the old one".to_owned()
            } else {
                String::new()
            },
            "evidence: `expires` in the configuration".to_owned(),
        ]
    });
    let open = open_tokens(subject.tenant());
    let steps = if is_changed {
        vec![
            format!("{open} and read the expiration date of the new token {token_name}"),
            declare(member.token, "that date"),
        ]
    } else {
        let of_user = subject.user().map_or_else(String::new, |user| format!(" of the user {user}"));
        let mut steps = vec![
            format!("{open} and extend the date of the token {token_name}{of_user}; its value stays the same"),
            declare(member.token, "that date"),
        ];
        steps.extend(replace(subject, "If the date cannot be extended", &[]));
        steps
    };
    subject.message(line, steps)
}

/// The message of `TokenExpiryOutdated`.
pub(super) fn outdated(subject: &Subject<'_>) -> Message {
    let Some(member) = subject.member() else { return subject.firing.message.clone() };
    let expires = member.token.expires.unwrap_or(subject.firing.since);
    let line = line(|room| {
        vec![
            format!(
                "{} still works after its declared expiry of {}: the date in the configuration is wrong",
                subject.token_named(),
                subject.shown(expires)
            ),
            format!("nobody will be warned before {} fails", subject.integrations(room)),
            "evidence: `/me` lets it in".to_owned(),
        ]
    });
    let read = format!("{} and read the expiration date of the token", open_tokens(subject.tenant()));
    subject.message(line, vec![format!("{read} {}", name(&member.token.name)), declare(member.token, "that date")])
}
