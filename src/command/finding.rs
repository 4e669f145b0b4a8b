//! What one check of a token outside of the daemon found. It is believed at once, since there is no second check.

use std::borrow::Cow;
use std::sync::Arc;

use prometheus::Registry;
use serde_json::{Value, json};
use strum::IntoStaticStr;
use tokio::sync::mpsc;

use crate::alert::{Firing, Rules, Severity, token_alerts};
use crate::belief::{Cause, Evidence, Excess, PermissionState, PermissionStatus, Policy, TokenStatus, step};
use crate::catalog::PermissionId;
use crate::check::Observed;
use crate::config::{self, Config};
use crate::model::{Probes, Token};
use crate::syncro::{Budget, Client, Failure, Instruments, Observation};
use crate::system::clock;

/// The number of parts of a check: the token itself, and its permissions.
pub(super) const PARTS: usize = 2;

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

impl Finding {
    pub(super) fn level(&self) -> Level {
        let worst = self.alerts.iter().map(|firing| firing.severity).max();
        match worst {
            Some(Severity::Critical) => Level::Critical,
            Some(Severity::Warning) => Level::Warning,
            None if self.failure.is_some() => Level::Unknown,
            None => Level::Ok,
        }
    }

    /// Judges what a check that has ended observed.
    pub(super) fn of(config: &Config, token: Arc<Token>, mut observed: mpsc::Receiver<Observed>) -> Self {
        let observations: Vec<_> =
            std::iter::from_fn(|| observed.try_recv().ok()).map(|observed| observed.observed).collect();
        let mut status = TokenStatus::default();
        // There is only one check, so what it shows is believed.
        let alerts = config::Alerts { confirmations: std::num::NonZeroU32::MIN, ..config.alerts.clone() };
        let (probes, news_for) = (config.syncro.probes, alerts.remind_every);
        let policy = Policy {
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
        let mut firing = Vec::new();
        let _ = token_alerts(Rules::new(&alerts, clock::now()), &token, &status, &[], &mut firing);
        let failure = observations.iter().find_map(Observation::failure).map(Cow::into_owned);
        Self { token, status, failure, alerts: firing, probes }
    }

    /// The permissions that the token has and does not need, if it was audited.
    pub(super) fn excess(&self) -> impl Iterator<Item = &Excess> {
        self.status.audit.iter().flat_map(|audit| audit.excess(&self.token))
    }

    /// What was found of each wanted permission.
    pub(super) fn permissions(&self) -> Vec<Permission> {
        let wanted = self.token.wanted.iter().map(|wanted| {
            let permission = self.status.of_permission(wanted.permission);
            let state = self.status.permission_state(wanted.permission);
            let seen = permission.filter(|permission| permission.belief.granted.is_some());
            Permission {
                id: wanted.permission,
                required: wanted.required,
                state,
                evidence: seen.map(|permission| permission.evidence),
                answer: seen.and_then(|permission| permission.answer),
                shown_by: self.shown_by(wanted.permission, seen),
                cause: permission.filter(|_| state == PermissionState::Missing).map(|permission| permission.cause),
            }
        });
        wanted.collect()
    }

    /// What shows whether a permission is granted: the request and its answer, or the user's right.
    fn shown_by(&self, permission: PermissionId, seen: Option<&PermissionStatus>) -> String {
        let tenant = &self.token.tenant;
        match (seen.and_then(|status| Some((status, status.shown_by(tenant)?))), self.probes.allowed(permission)) {
            (Some((status, shown_by)), _) if status.state() == PermissionState::Unverified => {
                format!("{shown_by}; nothing shows the token's own tick")
            }
            (Some((_, shown_by)), _) => shown_by,
            (None, Some(probe)) => format!("{} {} gave no verdict", probe.method().as_str(), tenant.path_of(probe)),
            (None, None) => "nothing shows it".to_owned(),
        }
    }
}

/// What was found of one wanted permission.
pub(super) struct Permission {
    pub(super) id: PermissionId,
    pub(super) required: bool,
    pub(super) state: PermissionState,
    pub(super) evidence: Option<Evidence>,
    /// The HTTP status of the answer that shows it, for a probe.
    answer: Option<u16>,
    /// What shows it, as a text for people.
    pub(super) shown_by: String,
    pub(super) cause: Option<Cause>,
}

impl Permission {
    pub(super) fn json(&self) -> Value {
        json!({
            "permission": self.id.name(),
            "required": self.required,
            "state": self.state.as_str(),
            "evidence": self.evidence.map(Evidence::as_str),
            "answer": self.answer,
            "shown_by": self.shown_by,
            "cause": self.cause.map(Cause::as_str),
        })
    }
}

/// A client for checks outside of the daemon, with a budget of its own.
pub(super) fn client(config: &Config) -> Result<Client, String> {
    let instruments = Instruments::new(&Registry::new()).map_err(|error| error.to_string())?;
    let budget = Arc::new(Budget::new(config.syncro.requests_per_minute));
    Client::new(&config.syncro, budget, instruments).map(Client::patient)
}
