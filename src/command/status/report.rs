//! What is said of the tokens that were chosen, in each form.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use crate::alert::{Acknowledgement, Affected, Firing};
use crate::belief::TokenState;
use crate::config::{Config, Schedule};
use crate::state::{PersistedState, PersistedToken, in_milliseconds};

use super::super::finding::{Level, alert_json, alert_text, lacking};
use super::super::table::table;

/// A daemon whose last word about a token is older than this many checks whether it works is not believed.
const MOST_CHECKS: usize = 3;
/// Nor one whose last word is older than this and that.
const FRESH: TimeDelta = TimeDelta::minutes(2);
/// How many alerts are named in one line; it says how many more there are.
const MOST_NAMED: usize = 5;

/// Everything that is said.
pub(super) struct Report {
    rows: Vec<Row>,
    /// What fires for a tenant as a whole, or for all of them, as long as the daemon checks anything.
    of_tenants: Vec<Firing>,
}

/// What is said of one token.
struct Row {
    tenant: String,
    token_name: String,
    level: Level,
    state: TokenState,
    expires: Option<DateTime<Utc>>,
    /// When a check last gave a verdict.
    last_verdict: Option<DateTime<Utc>>,
    /// Whether that is so long ago that it says nothing about now.
    is_stale: bool,
    /// What fires and affects it.
    alerts: Vec<Firing>,
}

impl Report {
    /// What `state` says at `now` of the tokens of `config` that fit.
    pub(super) fn of(
        config: &Config,
        mut state: PersistedState,
        tenant: Option<&str>,
        token_name: Option<&str>,
        now: DateTime<Utc>,
    ) -> Self {
        let fits = |wanted: Option<&str>, name: &str| wanted.is_none_or(|wanted| wanted == name);
        let chosen: Vec<_> = config
            .tokens
            .iter()
            .filter(|token| fits(tenant, &token.tenant.name) && fits(token_name, &token.name))
            .collect();
        let stale_from = |last| stale_from(&config.schedule.validity, last);
        let is_checking = state.tokens.values().any(|token| {
            let last = token.status.validity.last_attempt;
            last.is_some_and(|last| stale_from(last) > now)
        });
        let rows: Vec<_> = chosen
            .iter()
            .map(|token| {
                let PersistedToken { status, firing: former } = state.tokens.remove(&token.id()).unwrap_or_default();
                let of_tenant = state.tenants.get(&token.tenant.name).into_iter().flatten();
                let firing: Vec<_> =
                    of_tenant.filter(|firing| firing.concerns(&token.name)).cloned().chain(former).collect();
                let last_verdict = status.validity.last_success;
                let is_stale = last_verdict.is_none_or(|last| stale_from(last) <= now);
                Row {
                    tenant: token.tenant.name.clone(),
                    token_name: token.name.clone(),
                    level: if is_stale { Level::Unknown } else { level(&firing) },
                    state: status.state,
                    expires: status.in_use(token).expires,
                    last_verdict,
                    is_stale,
                    alerts: firing,
                }
            })
            .collect();
        let is_of_chosen = |name: &String| rows.iter().any(|row| row.tenant == *name);
        let of_tenants =
            state.tenants.into_iter().filter(|(name, _)| is_of_chosen(name)).flat_map(|(_, firing)| firing);
        let of_whole = of_tenants.filter(|firing| firing.scope.is_whole()).chain(state.fleet);
        let of_tenants = of_whole.filter(|_| is_checking).collect();
        Self { rows, of_tenants }
    }

    /// Whether no token fits.
    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// How bad it is as a whole.
    pub(super) fn level(&self) -> Level {
        let tokens = self.rows.iter().map(|row| row.level);
        let tenants = self.of_tenants.iter().map(|firing| Level::from(firing.severity));
        tokens.chain(tenants).max().unwrap_or(Level::Unknown)
    }

    /// Every alert that counts, once: those of tenants as a whole, then those of tokens whose last word is believed, the worst
    /// first.
    fn alerts(&self) -> Vec<&Firing> {
        let of_tokens = self.rows.iter().filter(|row| !row.is_stale).flat_map(|row| &row.alerts);
        let mut alerts: Vec<&Firing> = Vec::new();
        for firing in self.of_tenants.iter().chain(of_tokens) {
            // What a program of the first version wrote has no id.
            if firing.id.is_empty() || alerts.iter().all(|other| other.id != firing.id) {
                alerts.push(firing);
            }
        }
        alerts.sort_by_key(|firing| (!firing.scope.is_whole(), std::cmp::Reverse(firing.severity)));
        alerts
    }

    fn count(&self, level: Level) -> usize {
        self.rows.iter().filter(|row| row.level == level).count()
    }

    /// As one line for Nagios: the level, what is wrong, and the numbers.
    pub(super) fn nagios(&self) -> String {
        let level = self.level();
        let old = self.rows.iter().filter(|row| row.is_stale).map(Row::in_short);
        let said: Vec<_> = self.alerts().into_iter().map(in_short).chain(old).collect();
        let (tokens, named) = (self.rows.len(), said.iter().take(MOST_NAMED).map(String::as_str));
        let named = named.collect::<Vec<_>>().join("; ");
        let what = match said.len().saturating_sub(MOST_NAMED) {
            0 if said.is_empty() => format!("{tokens} {}", if tokens == 1 { "token works" } else { "tokens work" }),
            0 => named,
            more => format!("{named}; and {more} more"),
        };
        let [ok, warning, critical, unknown] =
            [Level::Ok, Level::Warning, Level::Critical, Level::Unknown].map(|level| self.count(level));
        format!(
            "{}: {} | tokens={tokens} ok={ok} warning={warning} critical={critical} unknown={unknown}\n",
            level.as_str().to_uppercase(),
            plain(&what)
        )
    }

    /// As a table for people, and a line for each alert.
    pub(super) fn text(&self) -> String {
        let day =
            |at: Option<DateTime<Utc>>| at.map_or_else(|| "-".to_owned(), |at| at.format("%Y-%m-%d %H:%M").to_string());
        let row = |row: &Row| {
            let state =
                if row.is_stale { format!("{} (old)", row.state.as_str()) } else { row.state.as_str().to_owned() };
            vec![
                row.level.as_str().to_owned(),
                row.tenant.clone(),
                row.token_name.clone(),
                state,
                day(row.expires),
                day(row.last_verdict),
            ]
        };
        let rows: Vec<_> = self.rows.iter().map(row).collect();
        let head = ["LEVEL", "TENANT", "TOKEN", "STATE", "EXPIRES (UTC)", "LAST VERDICT (UTC)"];
        let alert = |firing: &Firing| {
            let taken_on = taken_on(firing).map(|who| format!(", {who}")).unwrap_or_default();
            format!("{}  alert {}{taken_on}\n", alert_text(firing), firing.id)
        };
        let alerts: String = self.alerts().into_iter().map(alert).collect();
        let old: String = self.rows.iter().filter(|row| row.is_stale).map(|row| row.in_short() + "\n").collect();
        table(&head, &rows) + &alerts + &old
    }

    /// For programs.
    pub(super) fn json(&self) -> Value {
        let alert = |firing: &Firing, token_name: Option<&str>| {
            let mut json = alert_json(firing, token_name);
            json["id"] = json!(firing.id);
            json["since"] = json!(firing.since);
            json["acknowledged"] = json!(firing.acknowledged);
            json
        };
        let token = |row: &Row| {
            json!({
                "tenant": row.tenant,
                "token_name": row.token_name,
                "level": row.level.as_str(),
                "state": row.state.as_str(),
                "stale": row.is_stale,
                "expires": row.expires,
                "last_verdict": row.last_verdict,
                "alerts": row.alerts.iter().map(|firing| alert(firing, Some(&row.token_name))).collect::<Vec<_>>(),
            })
        };
        let of_tenant = |firing: &Firing| {
            let mut json = alert(firing, None);
            json["tenant"] = json!(firing.scope.tenant());
            json
        };
        json!({
            "level": self.level().as_str(),
            "tokens": self.rows.iter().map(token).collect::<Vec<_>>(),
            "alerts": self.of_tenants.iter().map(of_tenant).collect::<Vec<_>>(),
            "summary": {
                "ok": self.count(Level::Ok),
                "warning": self.count(Level::Warning),
                "critical": self.count(Level::Critical),
                "unknown": self.count(Level::Unknown),
            },
        })
    }
}

impl Row {
    /// Why nothing is said of it, in a few words.
    fn in_short(&self) -> String {
        let Self { tenant, token_name, .. } = self;
        let what = match self.last_verdict {
            None => "nothing is known yet".to_owned(),
            Some(last) => format!("nothing is known since {}", in_milliseconds(last)),
        };
        format!("{tenant}/{token_name}: {what}")
    }
}

/// An alert in a few words: `acme/Technicians: PermissionLost Tickets - Edit, Tickets - Create`.
fn in_short(firing: &Firing) -> String {
    let names = [firing.scope.tenant().map(str::to_owned), firing.scope.subject()].into_iter().flatten();
    let about = names.collect::<Vec<_>>().join("/");
    let things: Vec<_> = lacking(firing, None, Affected::thing).into_iter().collect();
    let what = format!("{} {}", firing.alert.as_str(), things.join(", "));
    let what = what.trim_end();
    let taken_on = firing.acknowledged.as_ref().map(|taken_on| format!(" (acknowledged by {})", taken_on.by));
    let what = format!("{what}{}", taken_on.unwrap_or_default());
    if about.is_empty() { what } else { format!("{about}: {what}") }
}

/// Who has taken an alert on, until when and why.
fn taken_on(firing: &Firing) -> Option<String> {
    let Acknowledgement { by, reason, until, .. } = firing.acknowledged.as_ref()?;
    Some(format!("acknowledged by {by} until {}: {reason}", until.format("%Y-%m-%d %H:%M UTC")))
}

fn level(firing: &[Firing]) -> Level {
    firing.iter().map(|firing| Level::from(firing.severity)).max().unwrap_or(Level::Ok)
}

/// From when on a verdict of this moment says nothing about the present.
fn stale_from(validity: &Schedule, last: DateTime<Utc>) -> DateTime<Utc> {
    let next = |then: DateTime<Utc>| match validity {
        Schedule::Every(interval) => then.checked_add_signed(TimeDelta::from_std(*interval).ok()?),
        Schedule::Cron { .. } => validity.next_occurrence(then),
    };
    let checks = (0..MOST_CHECKS).try_fold(last, |then, _| next(then));
    let fresh = last.checked_add_signed(FRESH);
    checks.zip(fresh).map_or(DateTime::<Utc>::MAX_UTC, |(checks, fresh)| checks.max(fresh))
}

/// A text in which nothing can be taken for the end of the line or the beginning of Nagios' numbers.
pub(super) fn plain(text: &str) -> String {
    text.replace(['\r', '\n'], " ").replace('|', "/")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::{Alert, Severity};
    use crate::belief::TokenStatus;
    use crate::model::Scope;
    use crate::testing::{at, config, firing, token};

    /// A token of which a check at `last` gave a verdict.
    fn known(last: i64) -> PersistedToken {
        let mut status = TokenStatus { state: TokenState::Valid, ..TokenStatus::default() };
        (status.validity.last_success, status.validity.last_attempt) = (Some(at(last)), Some(at(last)));
        PersistedToken { status, firing: Vec::new() }
    }

    fn outage() -> Vec<Firing> {
        vec![firing(Alert::SyncroOutage, Scope::Fleet, Severity::Critical, Vec::new())]
    }

    /// What is said of the tokens `a` and `b`, where this fires for their tenant and for the fleet.
    fn report(known: Vec<(&str, PersistedToken)>, tenant: Vec<Firing>, fleet: Vec<Firing>, now: i64) -> Report {
        let tokens: Vec<_> = ["a", "b"].map(|name| token(name, &[])).into();
        let ids: Vec<_> = tokens.iter().map(crate::model::Token::id).collect();
        let id = |name: &str| ids.iter().find(|id| id.token_name == name).unwrap().clone();
        let tokens_known = known.into_iter().map(|(name, known)| (id(name), known)).collect();
        let tenants = [("acme".to_owned(), tenant)].into();
        let state = PersistedState { tokens: tokens_known, tenants, fleet, ..PersistedState::default() };
        Report::of(&config(tokens), state, None, None, at(now))
    }

    fn line(known: Vec<(&str, PersistedToken)>, tenant: Vec<Firing>, fleet: Vec<Firing>, now: i64) -> String {
        report(known, tenant, fleet, now).nagios()
    }

    /// A token is checked every five minutes by default, so its last word holds for fifteen.
    #[test]
    fn one_line_says_how_bad_it_is_and_what_is_old_is_not_known() {
        let both = || vec![("a", known(0)), ("b", known(0))];
        let rejected = || {
            let affected = vec![Affected::token("b")];
            vec![firing(Alert::TokenRejected, Scope::of_token("acme", "b"), Severity::Critical, affected)]
        };
        assert_eq!(
            line(both(), Vec::new(), Vec::new(), 899),
            "OK: 2 tokens work | tokens=2 ok=2 warning=0 critical=0 unknown=0\n"
        );
        assert_eq!(
            line(both(), rejected(), Vec::new(), 899),
            "CRITICAL: acme/b: TokenRejected | tokens=2 ok=1 warning=0 critical=1 unknown=0\n"
        );
        assert_eq!(
            line(both(), rejected(), outage(), 900),
            "UNKNOWN: acme/a: nothing is known since 2027-01-15T08:00:00.000Z; acme/b: nothing is known since \
             2027-01-15T08:00:00.000Z | tokens=2 ok=0 warning=0 critical=0 unknown=2\n",
            "the daemon checks nothing any more"
        );
        assert_eq!(
            line(vec![("a", known(0))], Vec::new(), Vec::new(), 1),
            "UNKNOWN: acme/b: nothing is known yet | tokens=2 ok=1 warning=0 critical=0 unknown=1\n"
        );
    }

    #[test]
    fn an_alert_of_several_tokens_is_said_once_and_counts_for_each() {
        let scope = Scope::SecurityGroup { tenant: "acme".to_owned(), group: "Tech | nicians".to_owned() };
        let affected = ["a", "b"].map(|name| Affected::permission(name, "Tickets - Edit")).into();
        let lost = vec![firing(Alert::PermissionLost, scope, Severity::Critical, affected)];
        let report = report(vec![("a", known(0)), ("b", known(0))], lost, Vec::new(), 1);
        assert_eq!(
            report.nagios(),
            "CRITICAL: acme/Tech / nicians: PermissionLost Tickets - Edit | tokens=2 ok=0 warning=0 critical=2 unknown=0\n"
        );
        let text = report.text();
        assert_eq!(text.matches("critical: PermissionLost: PermissionLost is so\n  1. Open it\n").count(), 1, "{text}");
        let json = report.json();
        assert_eq!(json["tokens"][1]["alerts"][0]["token_names"], json!(["b"]));
        assert_eq!((&json["tokens"][0]["alerts"][0]["scope"], &json["alerts"]), (&json!("security_group"), &json!([])));
    }

    #[test]
    fn what_fires_for_all_counts_while_the_daemon_checks_though_no_check_gives_a_verdict() {
        let mut silent = known(0);
        silent.status.validity.last_attempt = Some(at(3000));
        let said = line(vec![("a", silent)], Vec::new(), outage(), 3001);
        assert!(said.starts_with("CRITICAL: SyncroOutage; acme/a: nothing is known"), "{said}");
    }
}
