//! What one check of a token outside of the daemon found. It is believed at once, since there is no second check.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Value, json};
use strum::IntoStaticStr;
use tokio::sync::mpsc;

use crate::alert::{Affected, Firing, Member, Rules, Severity, Tenancy, Waiting, tenant_alerts};
use crate::belief::{Excess, Policy, TokenStatus, step};
use crate::check::{Job, Observed, check, check_with};
use crate::config::{self, Config};
use crate::exit::Exit;
use crate::model::{Probes, Token, former_file};
use crate::state::PermissionView;
use crate::syncro::{Client, Failure, Observation, TokenValue};
use crate::system::clock;

/// The number of parts of a check: the token itself, and its permissions.
const PARTS: usize = 2;

/// What was found about one token, judged as the daemon would.
pub(super) struct Finding {
    pub(super) token: Arc<Token>,
    pub(super) status: TokenStatus,
    pub(super) failure: Option<Failure>,
    pub(super) alerts: Vec<Firing>,
    probes: Probes,
}

/// How bad a finding is, in the order of Nagios.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub(super) enum Level {
    Ok,
    Unknown,
    Warning,
    Critical,
}

impl Level {
    pub(super) fn as_str(self) -> &'static str {
        self.into()
    }
}

impl From<Severity> for Level {
    fn from(severity: Severity) -> Self {
        match severity {
            Severity::Warning => Self::Warning,
            Severity::Critical => Self::Critical,
        }
    }
}

impl From<Level> for Exit {
    fn from(level: Level) -> Self {
        match level {
            Level::Ok => Self::Success,
            Level::Warning => Self::Warning,
            Level::Critical => Self::Critical,
            Level::Unknown => Self::Unknown,
        }
    }
}

/// The token as it is to be judged: after a switch, which leaves the former value in a file, it is what the configuration says
/// of the next one.
pub(super) async fn in_use(token: &Arc<Token>) -> Arc<Token> {
    let kept = token.switched_files().map(|(current, _)| former_file(current));
    let (Some(next), Some(true)) = (&token.next, kept.map(|kept| kept.exists())) else { return Arc::clone(token) };
    match (TokenValue::read(&token.source).await, TokenValue::read(&next.source).await) {
        (Ok(value), Ok(beside)) if value.fingerprint() == beside.fingerprint() => Arc::new(next.in_place_of(token)),
        _ => Arc::clone(token),
    }
}

impl Finding {
    pub(super) fn level(&self) -> Level {
        let worst = self.alerts.iter().map(|firing| firing.severity).max();
        match worst {
            Some(severity) => severity.into(),
            None if self.failure.is_some() => Level::Unknown,
            None => Level::Ok,
        }
    }

    /// Checks a token now, and judges it.
    pub(super) async fn checked(
        config: &Config,
        client: &Client,
        token: Arc<Token>,
        probes: Probes,
        audits: bool,
    ) -> Self {
        let (sender, observed) = mpsc::channel(PARTS);
        check(client, Job::once(Arc::clone(&token), probes, audits), &sender).await;
        Self::of(config, probes, token, observed)
    }

    /// Checks a token of this value now, which is not where the token is to have it, and judges it.
    pub(super) async fn checked_with(
        config: &Config,
        client: &Client,
        token: Arc<Token>,
        probes: Probes,
        value: &TokenValue,
    ) -> Self {
        let (sender, observed) = mpsc::channel(PARTS);
        check_with(client, Job::once(Arc::clone(&token), probes, false), value, &sender).await;
        Self::of(config, probes, token, observed)
    }

    /// Judges what a check that has ended observed.
    fn of(config: &Config, probes: Probes, token: Arc<Token>, mut observed: mpsc::Receiver<Observed>) -> Self {
        let observations: Vec<_> =
            std::iter::from_fn(|| observed.try_recv().ok()).map(|observed| observed.observation).collect();
        let mut status = TokenStatus::default();
        // There is only one check, so what it shows is believed.
        let alerts = config::Alerts { confirmations: std::num::NonZeroU32::MIN, ..config.alerts.clone() };
        let news_for = alerts.remind_every;
        let policy = Policy {
            user_names: config.syncro.user_names,
            token: &token,
            confirmation: crate::belief::Confirmation::once(),
            probes,
            news_for,
            frozen: false,
        };
        for observation in &observations {
            // Nothing was believed before, so no change needs to be recorded.
            let _ = step(&mut status, observation, policy);
        }
        status.take_checked_first(&token.tenant.calibrated.checked_first().collect());
        let causes = status.deduced_causes(&[]);
        status.take_causes(causes);
        let alerts = fires(Rules::new(&alerts, clock::now()), &token, &status);
        let failure = observations.iter().find_map(Observation::failure).map(Cow::into_owned);
        Self { token, status, failure, alerts, probes }
    }

    /// The permissions that the token has and does not need, if it was audited.
    pub(super) fn excess(&self) -> impl Iterator<Item = &Excess> {
        self.status.audit.iter().flat_map(|audit| audit.excess(&self.token))
    }

    /// What was found of each wanted permission.
    pub(super) fn permissions(&self) -> Vec<PermissionView> {
        PermissionView::of(&self.token, &self.status, self.probes, clock::now()).collect()
    }
}

/// The alerts that would fire in a daemon that knows of this token alone.
fn fires(rules: Rules<'_>, token: &Token, status: &TokenStatus) -> Vec<Firing> {
    let members = BTreeMap::from([(token.name.as_str(), Member::alone(token, status))]);
    let tenancy = Tenancy { name: &token.tenant.name, members, ..Tenancy::default() };
    let mut firing = Vec::new();
    let _ = tenant_alerts(rules, &tenancy, &mut firing, &mut Waiting::default());
    firing
}

/// What a token lacks by an alert, each thing once: permissions or rights.
pub(super) fn lacking<'a>(
    firing: &'a Firing,
    token_name: Option<&str>,
    of: fn(&'a Affected) -> Option<&'a str>,
) -> BTreeSet<&'a str> {
    let is_meant = |affected: &&Affected| token_name.is_none_or(|name| affected.token_name == name);
    firing.affected.iter().filter(is_meant).filter_map(of).collect()
}

/// An alert as JSON, with what it affects: all of it, or what it affects of one token.
pub(super) fn alert_json(firing: &Firing, token_name: Option<&str>) -> Value {
    let Firing { alert, scope, severity, message, .. } = firing;
    json!({
        "alert": alert.as_str(),
        "scope": scope.kind(),
        "severity": severity.as_str(),
        "token_names": lacking(firing, token_name, |affected| Some(&affected.token_name)),
        "permissions": lacking(firing, token_name, |affected| affected.permission.as_deref()),
        "rights": lacking(firing, token_name, |affected| affected.right.as_deref()),
        "cause": message.cause,
        "strength": message.strength,
        "evidence": message.evidence,
        "message": message.line,
        "steps": message.steps,
    })
}

/// An alert for people: a line, and then its steps.
pub(super) fn alert_text(firing: &Firing) -> String {
    let Firing { alert, severity, message, .. } = firing;
    let steps = message.numbered_steps().fold(String::new(), |text, step| text + "  " + &step + "\n");
    format!("{}: {}: {}\n{steps}", severity.as_str(), alert.as_str(), message.line)
}

/// What was found of one wanted permission, as JSON. Since when it has been so, one check cannot say.
pub(super) fn permission_json(view: &PermissionView) -> Value {
    let mut json = json!(view);
    if let Some(fields) = json.as_object_mut() {
        fields.remove("since");
    }
    json
}
