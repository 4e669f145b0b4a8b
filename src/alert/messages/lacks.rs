//! The messages about what tokens may not do: permissions and rights that are missing, customers that they do not see. Pure.

use crate::alert::{Alert, Message};
use crate::belief::{Cause, Evidence, Strength, TokenStatus};
use crate::model::Scope;

use super::change::{change, change_back};
use super::missing::Missing;
use super::steps::{lower, open_group, replace, ticks};
use super::subject::Subject;
use super::words::{line, name};

/// The message of `PermissionLost` and of `PermissionMissing`.
pub(super) fn permissions(subject: &Subject<'_>) -> Message {
    let missing = Missing::of(subject);
    // What was said stays until it is known what of it is still so.
    if missing.is_empty() {
        return subject.firing.message.clone();
    }
    let evidence = missing.evidence();
    let line = line(|room| {
        let what = format!("{} {}{}", who(subject, &missing), subject.lost(room), missing.needed(room / 2));
        vec![what, side(subject, &missing), subject.since(), subject.affected(room), evidence.clone()]
    });
    missing.explain(subject.message(line, steps(subject, &missing)))
}

/// Who lost or lacks something, to begin the line: the security group `Technicians` of tenant `acme` probably lost.
fn who(subject: &Subject<'_>, missing: &Missing<'_>) -> String {
    let verb = if subject.firing.alert == Alert::PermissionLost { "lost" } else { "lacks" };
    let is_shown = missing.is_shown();
    let probably = |is_sure: bool| if is_sure { "" } else { "probably " };
    match missing.cause() {
        Cause::SecurityGroup => {
            let is_sure = is_shown && missing.is_cause_shown();
            format!("{} {}{verb}", group_named(subject), probably(is_sure))
        }
        Cause::User => format!("{} {}{verb}", subject.user_named(), probably(is_shown)),
        Cause::Token | Cause::Undetermined => {
            let (who, verb) = match (subject.firing.scope.token_name(), verb) {
                (Some(_), verb) => (subject.token_named(), verb),
                (None, "lacks") => (format!("tokens of {}", subject.tenant_named()), "lack"),
                (None, verb) => (format!("tokens of {}", subject.tenant_named()), verb),
            };
            format!("{who} {}{verb}", probably(is_shown))
        }
    }
}

/// Which side lacks it, as a clause; empty where the beginning of the line says so.
fn side(subject: &Subject<'_>, missing: &Missing<'_>) -> String {
    let is_shown = missing.is_cause_shown();
    let it = it(&subject.permissions());
    match missing.cause() {
        Cause::SecurityGroup => String::new(),
        Cause::User => {
            let change = missing.members().find_map(change);
            change.map_or_else(String::new, |change| format!("the user {change}"))
        }
        Cause::Token if is_shown => format!("the user has {it}, so the token itself lacks {it}"),
        Cause::Token => format!("probably the token itself lacks {it}, not its user"),
        Cause::Undetermined => {
            let group = match subject.group() {
                Some(group) => format!("the security group {}", name(group)),
                None => "the security group of its user".to_owned(),
            };
            format!("either {group} lacks {it}, or the token")
        }
    }
}

/// What stands for these permissions in a sentence that has named them.
fn it(permissions: &[&str]) -> &'static str {
    if permissions.len() == 1 { "it" } else { "them" }
}

/// The security group, to begin a sentence.
fn group_named(subject: &Subject<'_>) -> String {
    match &subject.firing.scope {
        Scope::SecurityGroup { group, .. } => {
            format!("the security group {} of {}", name(group), subject.tenant_named())
        }
        _ => format!("the security group of {}", subject.user_named()),
    }
}

/// The steps that grant what is missing.
fn steps(subject: &Subject<'_>, missing: &Missing<'_>) -> Vec<String> {
    let permissions = subject.permissions();
    let (is_one, ticked) = (permissions.len() == 1, ticks(&permissions));
    let is_ticked = if is_one { "If it is ticked there already" } else { "If they are ticked there already" };
    let is_sure = missing.is_cause_shown();
    let in_group = format!("{}, tick {ticked}, and save", open_group(subject));
    match missing.cause() {
        Cause::SecurityGroup if is_sure => vec![in_group],
        Cause::SecurityGroup | Cause::Undetermined => {
            let mut steps = vec![in_group];
            steps.extend(replace(subject, is_ticked, &permissions));
            steps
        }
        Cause::User => {
            let mut steps = missing.members().next().map(|member| change_back(subject, member)).unwrap_or_default();
            steps.push(format!("If it was intended: {}", lower(&in_group)));
            steps
        }
        Cause::Token => {
            let mut steps = Vec::new();
            if !is_sure {
                let (is, it) = if is_one { ("is", "it if it is not") } else { ("are", "what is not") };
                steps.push(format!("{}, and see whether {ticked} {is} ticked; tick {it}", open_group(subject)));
            }
            steps.extend(replace(subject, if is_sure { "" } else { is_ticked }, &permissions));
            steps
        }
    }
}

/// The message of `SecurityGroupRightLost`.
pub(super) fn rights(subject: &Subject<'_>) -> Message {
    let line = line(|room| {
        vec![
            format!("{} probably lost what gives {}", group_named(subject), subject.lost(room)),
            format!("the calls of {} that need it may fail", subject.integrations(room / 2)),
            subject.since(),
            subject.affected(room),
            "evidence: the rights of the user in `/me`".to_owned(),
        ]
    });
    let member = subject.member();
    let mut steps = vec![format!("{}, and see what was unticked", open_group(subject))];
    steps.push("If that was not intended: tick it again, and save".to_owned());
    steps.extend(member.map(|member| change_back(subject, member)).unwrap_or_default());
    steps.push("If it was intended, and nothing needs it: nothing need be done".to_owned());
    let shown_by = member.and_then(|member| {
        let right = subject.firing.affected.first()?.right.as_ref()?;
        let is_observed = member.status.rights.iter().any(|status| status.right.as_str() == right);
        is_observed.then(|| format!("its user lacks the right {right}"))
    });
    let message = subject.message(line, steps);
    Message { strength: Some(Strength::Indicated), evidence: Some(Evidence::Right), shown_by, ..message }
}

/// The message of `CustomersHidden`.
pub(super) fn customers(subject: &Subject<'_>) -> Message {
    let status = subject.member().map(|member| member.status);
    let now = status.and_then(|status| status.customers_visible);
    let sees = match (now, status.and_then(TokenStatus::customers_highest)) {
        (Some(now), Some(highest)) => format!("sees {now} customers now and saw {highest} within 30 days"),
        _ => "sees far fewer customers than before".to_owned(),
    };
    let line = line(|room| {
        vec![
            format!("{} {sees}", subject.token_named()),
            format!("{} probably misses the others", subject.integrations(room)),
            subject.since(),
            "evidence: `meta.total_entries` of GET /customers".to_owned(),
        ]
    });
    let steps = vec![
        format!(
            "{}, and see whether its Access Type is Select Customers; set All Customers, and save",
            open_group(subject)
        ),
        "See in Syncro whether the customers were deleted or merged; then nothing need be done".to_owned(),
    ];
    Message { strength: Some(Strength::Shown), ..subject.message(line, steps) }
}
