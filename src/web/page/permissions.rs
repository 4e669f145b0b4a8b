//! What a token may do and what shows it, and what changed, as the pages show them. Pure.

use crate::belief::{Cause, PermissionState};
use crate::model::Probes;
use crate::state::{HistoryLine, PermissionView, TokenSnapshot};

use super::Frame;
use super::when::When;

/// One wanted permission.
pub(super) struct Permission {
    pub(super) name: &'static str,
    pub(super) is_required: bool,
    pub(super) class: &'static str,
    pub(super) sign: &'static str,
    pub(super) state: PermissionState,
    pub(super) since: Option<When>,
    pub(super) shown_by: String,
    pub(super) cause: Option<&'static str>,
    /// Why it is meant to be missing, where the configuration says so.
    pub(super) ignored: Option<String>,
}

/// One change in the history.
pub(super) struct Change {
    pub(super) when: When,
    pub(super) what: String,
    pub(super) before: String,
    pub(super) after: String,
    pub(super) shown_by: String,
}

impl Permission {
    fn of(frame: Frame<'_>, view: &PermissionView) -> Self {
        let (class, sign) = match view.state {
            PermissionState::Granted => ("well", "✓"),
            PermissionState::Missing if view.ignored.is_some() => ("unseen", "–"),
            PermissionState::Missing if view.required => ("broken", "✖"),
            PermissionState::Missing => ("attention", "▲"),
            PermissionState::Unverified => ("unseen", "?"),
        };
        let cause = view.cause.map(|cause| match cause {
            Cause::SecurityGroup => "the security group",
            Cause::User => "the user, whose security group is another one now, or who is no Global Admin any more",
            Cause::Token => "the token's own ticks",
            Cause::Undetermined => "the security group or the token",
        });
        let ignored = view.ignored.as_ref().map(|ignored| {
            let until = ignored.until.map(|until| format!(", until {}", When::new(until, frame.now).exact));
            format!("meant to be so: {}{}", ignored.reason, until.unwrap_or_default())
        });
        Self {
            name: view.permission.name(),
            is_required: view.required,
            class,
            sign,
            state: view.state,
            since: view.since.map(|since| When::new(since, frame.now)),
            shown_by: view.evidence_text(),
            cause,
            ignored,
        }
    }
}

/// The wanted permissions of a token: the missing ones first, then the granted ones, then the unverified ones.
pub(super) fn permissions(frame: Frame<'_>, entry: &TokenSnapshot, probes: Probes) -> Vec<Permission> {
    let views = PermissionView::of(&entry.token, &entry.status, probes, frame.now);
    let mut all: Vec<_> = views.map(|view| Permission::of(frame, &view)).collect();
    all.sort_by_key(|one| ["broken", "attention", "well", "unseen"].iter().position(|class| *class == one.class));
    all
}

impl Change {
    /// A line of the history.
    pub(super) fn of(frame: Frame<'_>, line: &HistoryLine) -> Self {
        let kind = line.kind.as_str().replace('_', " ");
        Self {
            when: When::new(line.at, frame.now),
            what: line.subject.as_ref().map_or_else(|| kind.clone(), |subject| format!("{kind} {subject}")),
            before: line.before.replace('_', " "),
            after: line.after.replace('_', " "),
            shown_by: line.shown_by.clone().unwrap_or_default(),
        }
    }
}
