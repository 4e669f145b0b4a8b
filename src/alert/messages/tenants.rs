//! The messages about a tenant as a whole. Pure.

use chrono::TimeDelta;

use crate::alert::{Message, Severity};
use crate::belief::Strength;

use super::steps::{ALLOW_LIST, address_of_account, go_to, set_subdomain};
use super::subject::Subject;
use super::words::{ROOM_IN_STEP, cut, line, name, when};

/// The message of `TenantRenamed`.
pub(super) fn renamed(subject: &Subject<'_>) -> Message {
    let members = subject.members();
    let elsewhere = members.iter().find_map(|member| member.status.elsewhere.as_ref());
    let Some(elsewhere) = elsewhere else { return subject.firing.message.clone() };
    let theirs = elsewhere.subdomain.as_str();
    let ours = subject.tenant().and_then(|tenant| tenant.subdomain.as_deref()).unwrap_or_default();
    let line = line(|room| {
        vec![
            format!(
                "{} was probably renamed: all its tokens name the subdomain {} and not {}, with the users they had",
                subject.tenant_named(),
                name(theirs),
                name(ours)
            ),
            format!("the calls of {} may fail", subject.integrations(room)),
            subject.since(),
            subject.affected(room),
            "evidence: the subdomain in `/me`".to_owned(),
        ]
    });
    let set = set_subdomain(subject, theirs);
    let steps = vec![
        format!("Open {} and see whether it is the account that is meant", address_of_account(theirs)),
        format!("If it is: {set}"),
        format!("Give the new subdomain to {} too", subject.integrations(ROOM_IN_STEP)),
    ];
    Message { strength: Some(Strength::Indicated), ..subject.message(line, steps) }
}

/// The message of `TenantBlocked`.
pub(super) fn blocked(subject: &Subject<'_>) -> Message {
    let line = line(|room| {
        vec![
            format!(
                "requests of this machine to {} are refused before a token is read, perhaps by the IP allow-list: it is its \
                address, not the tokens",
                subject.tenant_named()
            ),
            format!("the calls of {} fail only if their address is refused too", subject.integrations(room)),
            subject.since(),
            subject.affected(room),
            "evidence: 403, or 401 with a web page, at `/me`".to_owned(),
        ]
    });
    let steps = vec![
        format!(
            "{}, and add the public address of this machine; the list has a switch of its own for APIs",
            go_to(subject.tenant(), ALLOW_LIST)
        ),
        "If it is not refused there: see whether a proxy or a firewall on the way answers in place of Syncro"
            .to_owned(),
    ];
    subject.message(line, steps)
}

/// The message of `TenantUnreachable`.
pub(super) fn unreachable(subject: &Subject<'_>) -> Message {
    let reason = subject.tenancy.silent.map(|(_, reason)| format!(" ({})", cut(reason, 60))).unwrap_or_default();
    let is_long = subject.firing.severity == Severity::Critical;
    let since = subject.tenancy.silent.map_or(subject.firing.since, |(since, _)| since);
    let line = line(|_| {
        let perhaps = if is_long {
            let lasted = when(subject.rules.now - since).replace("in ", "for ");
            format!("other tenants answer, and this one has not {lasted}: perhaps the account was closed or renamed")
        } else {
            String::new()
        };
        vec![
            format!("no check of any token of {} gives a verdict{reason}", subject.tenant_named()),
            subject.since(),
            perhaps,
            "nothing is known to be wrong with its tokens".to_owned(),
        ]
    });
    let address = subject.tenant().and_then(|tenant| tenant.address_of(""));
    let address = address.unwrap_or_else(|| "the address of the account".to_owned());
    let mut steps = vec![
        format!("Open {address} in a browser and see whether the account is still there"),
        "See whether this machine reaches it: name resolution, proxy, firewall".to_owned(),
    ];
    if is_long || subject.rules.now - since >= TimeDelta::days(1) {
        let tenant = name(subject.tenancy.name);
        steps.push(format!(
            "If the account was renamed, set `subdomain` of the tenant {tenant} in the configuration, and reload; if it was \
            closed, take the tenant out"
        ));
    }
    subject.message(line, steps)
}
