//! The permissions that an alert lists, as far as they are missing now: which side lacks them, and what shows it. Pure.

use crate::alert::{Member, Message};
use crate::belief::{Cause, Evidence, Ground, PermissionState, PermissionStatus, Rule, Strength};
use crate::model::Token;

use super::subject::{Subject, integrations};
use super::words::plain;

/// The most characters of the evidence in a line.
const LONGEST_EVIDENCE: usize = 80;

/// A permission that a token lacks.
#[derive(Debug, Clone, Copy)]
struct Lacking<'a> {
    member: &'a Member<'a>,
    status: &'a PermissionStatus,
    is_required: bool,
}

/// The permissions that an alert lists, as far as they are missing now.
#[derive(Debug)]
pub(super) struct Missing<'a> {
    all: Vec<Lacking<'a>>,
    /// The integrations that need them.
    needing: Vec<&'a Token>,
    /// The integrations for which they are only recommended.
    others: Vec<&'a Token>,
}

impl<'a> Missing<'a> {
    /// What the alert lists, as far as it is missing now.
    pub(super) fn of(subject: &Subject<'a>) -> Self {
        let of = |token_name: &str, permission: &str| {
            let member = subject.tenancy.member(token_name)?;
            let status = member.status.permissions.iter().find(|status| status.permission.name() == permission);
            let status = status.filter(|status| status.state() == PermissionState::Missing)?;
            let wanted = member.token.wanted.iter().find(|wanted| wanted.permission == status.permission);
            Some(Lacking { member, status, is_required: wanted.is_some_and(|wanted| wanted.required) })
        };
        let listed = subject.firing.affected.iter();
        let all: Vec<_> =
            listed.filter_map(|affected| of(&affected.token_name, affected.permission.as_deref()?)).collect();
        let tokens = |is_required: bool| {
            all.iter().filter(|one| one.is_required == is_required).map(|one| one.member.token).collect()
        };
        let (needing, others) = (tokens(true), tokens(false));
        Self { all, needing, others }
    }

    /// Whether none is missing any more.
    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// The tokens that lack them, one for each permission.
    pub(super) fn members(&self) -> impl Iterator<Item = &'a Member<'a>> {
        self.all.iter().map(|one| one.member)
    }

    /// The side that lacks them, if it is the same for all of them.
    pub(super) fn cause(&self) -> Cause {
        let mut causes = self.all.iter().map(|one| one.status.cause);
        let first = causes.next().unwrap_or(Cause::Undetermined);
        if causes.all(|cause| cause == first) { first } else { Cause::Undetermined }
    }

    /// What the cause rests on: the weakest, where it is known for all of them.
    fn ground(&self) -> Option<Ground> {
        let grounds: Option<Vec<_>> = self.all.iter().map(|one| one.status.ground).collect();
        grounds?.into_iter().min_by_key(|ground| ground.strength)
    }

    /// Whether the cause is shown, rather than indicated or not known.
    pub(super) fn is_cause_shown(&self) -> bool {
        self.ground().is_some_and(|ground| ground.strength == Strength::Shown)
    }

    /// The weakest evidence that they are missing.
    fn strength(&self) -> Option<Strength> {
        self.all.iter().filter_map(|one| one.status.strength()).min()
    }

    /// Whether it is shown of all of them that they are missing.
    pub(super) fn is_shown(&self) -> bool {
        self.strength() == Some(Strength::Shown)
    }

    /// How the cause is known, where the evidence of the permission does not say it already.
    fn known_by(&self) -> Option<&'static str> {
        let is_right = self.all.first().is_some_and(|one| one.status.evidence == Evidence::Right);
        Some(match self.ground()?.rule {
            Rule::Right if is_right => return None,
            Rule::GlobalAdmin => "that its user is a Global Admin",
            Rule::SameUser => "that another token of its user gets through",
            Rule::SameGroup => "that a token of another user of the group gets through",
            Rule::Right => "the rights of its user in `/me`",
            Rule::LostTogether => "that all tokens that had it lost it together",
        })
    }

    /// The evidence as a clause.
    pub(super) fn evidence(&self) -> String {
        let shown_by = self.all.first().and_then(|one| one.status.shown_by(&one.member.token.tenant));
        // What else an alert can list are rights.
        let shown_by = shown_by.unwrap_or_else(|| "the rights of the user in /me".to_owned());
        let known_by = self.known_by().map_or_else(String::new, |known_by| format!(", and {known_by}"));
        format!("evidence: {}{known_by}", plain(&shown_by, LONGEST_EVIDENCE))
    }

    /// Which integrations need them, or for which they are only recommended, as the end of a sentence.
    pub(super) fn needed(&self, room: usize) -> String {
        let named = |tokens: &[&'a Token]| integrations(tokens.iter().copied(), room);
        match (self.needing.as_slice(), self.others.as_slice()) {
            ([], []) => String::new(),
            ([], others) => format!(", recommended for {}", named(others)),
            (needing, _) => format!(", needed by {}", named(needing)),
        }
    }

    /// The message with the evidence of what is missing.
    pub(super) fn explain(&self, message: Message) -> Message {
        let Some(first) = self.all.first() else { return Message { strength: Some(Strength::Indicated), ..message } };
        let cause = self.cause();
        let of_cause = self.ground().filter(|_| cause != Cause::Undetermined).map(|ground| ground.strength);
        Message {
            cause: Some(cause),
            strength: of_cause.or_else(|| self.strength()),
            evidence: Some(first.status.evidence),
            shown_by: first.status.shown_by(&first.member.token.tenant),
            ..message
        }
    }
}
