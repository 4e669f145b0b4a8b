//! The messages about what tokens may not do: permissions and rights that are missing, customers that they do not see. Pure.

use crate::alert::{Alert, Message};
use crate::belief::{Cause, Evidence, Strength, TokenStatus};
use crate::model::Scope;

use super::change::{change, change_back};
use super::missing::Missing;
use super::steps::{lower, open_group, replace, ticks};
use super::subject::Subject;
use super::words::{line, list, name, permission};

/// The message of `PermissionLost` and of `PermissionMissing`.
pub(super) fn permissions(subject: &Subject<'_>) -> Message {
    let missing = Missing::of(subject);
    // What was said stays until it is known what of it is still so.
    if missing.is_empty() {
        return subject.firing.message.clone();
    }
    let names: Vec<_> = subject.things().into_iter().map(permission).collect();
    let evidence = missing.evidence();
    let line = line(|room| {
        let what = format!("{} {}{}", who(subject, &missing), list(&names, room), missing.needed(room / 2));
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
    match missing.cause() {
        Cause::SecurityGroup => String::new(),
        Cause::User => {
            let change = missing.members().find_map(change);
            change.map_or_else(String::new, |change| format!("the user {change}"))
        }
        Cause::Token if is_shown => "the user may do it, so the token itself lacks it".to_owned(),
        Cause::Token => "probably the token itself lacks it, not its user".to_owned(),
        Cause::Undetermined => {
            let group = match subject.group() {
                Some(group) => format!("the security group {}", name(group)),
                None => "the security group of its user".to_owned(),
            };
            format!("either {group} lacks it, or the token")
        }
    }
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
    const TICKED: &str = "If it is ticked there already, the token lacks it";
    let things = subject.things();
    let is_sure = missing.is_cause_shown();
    let in_group = format!("{}, tick {}, and save", open_group(subject), ticks(&things));
    match missing.cause() {
        Cause::SecurityGroup if is_sure => vec![in_group],
        Cause::SecurityGroup | Cause::Undetermined => {
            let mut steps = vec![in_group];
            steps.extend(replace(subject, TICKED, &things));
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
                steps.push(format!(
                    "{}, and see whether {} is ticked; tick it if not",
                    open_group(subject),
                    ticks(&things)
                ));
            }
            steps.extend(replace(subject, if is_sure { "" } else { TICKED }, &things));
            steps
        }
    }
}

/// The message of `SecurityGroupRightLost`.
pub(super) fn rights(subject: &Subject<'_>) -> Message {
    let rights: Vec<_> = subject.things().into_iter().map(permission).collect();
    let line = line(|room| {
        vec![
            format!("{} probably lost what gives the right {}", group_named(subject), list(&rights, room)),
            format!("the calls of {} that need it may fail", subject.integrations(room / 2)),
            subject.since(),
            subject.affected(room),
            "evidence: the rights of the user in `/me`".to_owned(),
        ]
    });
    let member = subject.member();
    let mut steps = vec![format!("{} and see what was unticked", open_group(subject))];
    steps.extend(member.map(|member| change_back(subject, member)).unwrap_or_default());
    steps.push("If it was intended and nothing needs it, nothing need be done".to_owned());
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
