//! Whether a token is ready for its integration, as far as one check shows it: the verdict of `preflight` and its words.

use serde_json::{Value, json};
use strum::IntoStaticStr;

use crate::alert::{Firing, Message};
use crate::belief::{PermissionState, Strength, TokenState, WhyUnverified};
use crate::model::Token;
use crate::state::PermissionView;

use super::finding::{Finding, permission_json};
use super::table::table;

/// Whether a token is ready; the greatest of several counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub(super) enum Verdict {
    /// An answer shows every required permission, or whoever asked accepts that one shows less.
    Ready,
    /// Something required is not shown, or nothing could be learnt.
    Undetermined,
    /// The token does not work, or something required is missing.
    NotReady,
}

/// What was found about the readiness of one token.
pub(super) struct Readiness<'a> {
    finding: &'a Finding,
    permissions: Vec<PermissionView>,
    pub(super) verdict: Verdict,
}

impl<'a> Readiness<'a> {
    /// Judges a finding. A right of the user is not enough: it says nothing about what the token has ticked.
    pub(super) fn of(finding: &'a Finding, accept_unverified: bool) -> Self {
        let permissions = finding.permissions();
        let is_state = |state| permissions.iter().any(|view| view.required && view.state == state);
        let verdict = match finding.status.state {
            TokenState::Valid if is_state(PermissionState::Missing) => Verdict::NotReady,
            TokenState::Valid if is_state(PermissionState::Unverified) && !accept_unverified => Verdict::Undetermined,
            TokenState::Valid => Verdict::Ready,
            TokenState::Unknown => Verdict::Undetermined,
            _ => Verdict::NotReady,
        };
        Self { finding, permissions, verdict }
    }

    fn required(&self, chosen: impl Fn(&PermissionView) -> bool) -> Vec<&PermissionView> {
        self.permissions.iter().filter(|view| view.required && chosen(view)).collect()
    }

    /// The findings for people: the verdict, what matters for it, and then everything.
    pub(super) fn text(&self) -> String {
        let Token { tenant, name, profile, .. } = self.finding.token.as_ref();
        let status = &self.finding.status;
        let title = profile.as_ref().map_or(name.as_str(), |profile| profile.title.as_str());
        let user = status.user.as_ref().and_then(|user| user.admin.granted).map(|admin| {
            let group = status.security_group().map_or_else(|| "unknown".to_owned(), |group| format!("`{group}`"));
            format!("its user: security group {group}, Global Admin: {}", if admin { "yes" } else { "no" })
        });
        let row = |view: &PermissionView| {
            let needed = if view.required { "required" } else { "recommended" };
            vec![
                view.permission.name().to_owned(),
                needed.to_owned(),
                view.state.as_str().to_owned(),
                view.evidence_text(),
            ]
        };
        let rows: Vec<_> = self.permissions.iter().map(row).collect();
        let mut lines = vec![self.conclusion()];
        lines.push(format!("token for {title} on the account `{}`: {}", tenant.name, status.state.as_str()));
        lines.extend(user);
        if self.verdict == Verdict::Undetermined && status.state == TokenState::Valid {
            lines.extend(self.required(|view| view.state == PermissionState::Unverified).into_iter().map(how_to_see));
            lines.push("- or accept what is not shown: `--accept-unverified`".to_owned());
        }
        lines.extend(self.others().map(|firing| in_lines(&firing.message)));
        lines.extend(self.not_checked().map(|problem| format!("- {problem}")));
        lines.extend(self.of_permissions().map(|firing| in_lines(&firing.message)));
        lines.push(table(&["PERMISSION", "NEEDED", "STATE", "EVIDENCE"], &rows).trim_end().to_owned());
        lines.join("\n") + "\n"
    }

    /// The verdict in a line, with what it rests on.
    fn conclusion(&self) -> String {
        let named = |chosen: Vec<&PermissionView>| {
            chosen.iter().map(|view| view.permission.name()).collect::<Vec<_>>().join(", ")
        };
        let missing = named(self.required(|view| view.state == PermissionState::Missing));
        let unverified = named(self.required(|view| view.state == PermissionState::Unverified));
        let indicated = named(
            self.required(|view| view.state == PermissionState::Granted && view.strength == Some(Strength::Indicated)),
        );
        let unverified = if unverified.is_empty() { unverified } else { format!("; not shown: {unverified}") };
        match (self.verdict, self.finding.status.state) {
            (Verdict::Ready, _) if !indicated.is_empty() => {
                format!("ready{unverified}; only suggested, by what a record that does not exist answered: {indicated}")
            }
            (Verdict::Ready, _) if self.required(|_| true).is_empty() => {
                "ready: the token works, and the profile requires nothing".to_owned()
            }
            (Verdict::Ready, _) => format!("ready{unverified}"),
            (Verdict::NotReady, TokenState::Valid) => format!("not ready: missing {missing}{unverified}"),
            (Verdict::NotReady, state) => format!("not ready: the token is {}", state.as_str()),
            (Verdict::Undetermined, TokenState::Unknown) => {
                let why = self.finding.failure.as_ref().map(|failure| format!(" ({failure})")).unwrap_or_default();
                format!("not known whether it is ready: the token could not be checked{why}")
            }
            (Verdict::Undetermined, _) => format!("not known whether it is ready{unverified}"),
        }
    }

    /// The alerts about missing permissions.
    fn of_permissions(&self) -> impl Iterator<Item = &Firing> {
        self.finding.alerts.iter().filter(|firing| is_of_permissions(firing))
    }

    /// The alerts about anything else.
    fn others(&self) -> impl Iterator<Item = &Firing> {
        self.finding.alerts.iter().filter(|firing| !is_of_permissions(firing))
    }

    /// Why not everything could be checked, where some of it could.
    fn not_checked(&self) -> impl Iterator<Item = String> {
        let failure = self.finding.failure.iter().filter(|_| self.finding.status.state != TokenState::Unknown);
        failure.map(|failure| format!("not everything could be checked: {failure}"))
    }

    /// What is to be done about a missing permission, if an alert is about it.
    fn fix(&self, view: &PermissionView) -> Option<String> {
        let is_listed = |firing: &&Firing| {
            firing.affected.iter().any(|affected| affected.permission.as_deref() == Some(view.permission.name()))
        };
        self.of_permissions().find(is_listed).map(|firing| firing.message.text())
    }

    /// The findings for programs.
    pub(super) fn json(&self) -> Value {
        let permission = |view: &PermissionView| {
            let mut json = permission_json(view);
            json["fix"] = self.fix(view).into();
            json
        };
        let status = &self.finding.status;
        json!({
            "tenant": self.finding.token.tenant.name,
            "token_name": self.finding.token.name,
            "subdomain": self.finding.token.tenant.subdomain,
            "profile": self.finding.token.profile_name(),
            "verdict": <&str>::from(self.verdict),
            "state": status.state.as_str(),
            "security_group": status.security_group(),
            "global_admin": status.user.as_ref().and_then(|user| user.admin.granted),
            "permissions": self.permissions.iter().map(permission).collect::<Vec<_>>(),
            "problems": self.others().map(|firing| firing.message.text()).chain(self.not_checked()).collect::<Vec<_>>(),
            "failure": self.finding.failure.as_ref().map(ToString::to_string),
        })
    }
}

fn is_of_permissions(firing: &Firing) -> bool {
    firing.affected.iter().any(|affected| affected.permission.is_some())
}

/// A message as one point of a list, with its steps below.
fn in_lines(message: &Message) -> String {
    let steps = message.numbered_steps().fold(String::new(), |text, step| text + "\n  " + &step);
    format!("- {}{steps}", message.line)
}

/// How somebody can see a permission that no request has shown.
fn how_to_see(view: &PermissionView) -> String {
    let name = view.permission.name();
    let by_eye = "see in Syncro whether the token has it ticked";
    let how = match view.why_unverified {
        Some(WhyUnverified::OnlyAWriteShowsIt) => format!("add `--probes write-safe`, or {by_eye}"),
        Some(WhyUnverified::NotCheckedYet | WhyUnverified::NoVerdict | WhyUnverified::TokenDoesNotWork) => {
            "try again".to_owned()
        }
        _ => by_eye.to_owned(),
    };
    format!("- `{name}` is not shown ({}): {how}", view.evidence_text())
}
