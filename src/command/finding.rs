//! What one check of a token outside of the daemon found. It is believed at once, since there is no second check.

use std::borrow::Cow;
use std::sync::Arc;

use prometheus::Registry;
use serde_json::{Value, json};
use strum::IntoStaticStr;
use tokio::sync::mpsc;

use crate::alert::{Firing, Rules, Severity, token_alerts};
use crate::belief::{Excess, Policy, TokenStatus, step};
use crate::check::Observed;
use crate::config::{self, Config};
use crate::exit::Exit;
use crate::model::{Probes, Token};
use crate::state::PermissionView;
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

impl Finding {
    pub(super) fn level(&self) -> Level {
        let worst = self.alerts.iter().map(|firing| firing.severity).max();
        match worst {
            Some(severity) => severity.into(),
            None if self.failure.is_some() => Level::Unknown,
            None => Level::Ok,
        }
    }

    /// Judges what a check that has ended observed.
    pub(super) fn of(
        config: &Config,
        probes: Probes,
        token: Arc<Token>,
        mut observed: mpsc::Receiver<Observed>,
    ) -> Self {
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
    pub(super) fn permissions(&self) -> Vec<PermissionView> {
        PermissionView::of(&self.token, &self.status, self.probes).collect()
    }
}

/// What was found of one wanted permission, as JSON. Since when it has been so, one check cannot say.
pub(super) fn permission_json(view: &PermissionView) -> Value {
    let mut json = json!(view);
    if let Some(fields) = json.as_object_mut() {
        fields.remove("since");
    }
    json
}

/// A client for checks outside of the daemon, with a budget of its own.
pub(super) fn client(config: &Config) -> Result<Client, String> {
    let instruments = Instruments::new(&Registry::new()).map_err(|error| error.to_string())?;
    let budget = Arc::new(Budget::new(config.syncro.requests_per_minute));
    Client::new(&config.syncro, budget, instruments).map(Client::patient)
}
