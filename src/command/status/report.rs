//! What is said of the tokens that were chosen, in each form.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use crate::alert::Firing;
use crate::belief::TokenState;
use crate::config::{Config, Schedule};
use crate::state::{PersistedState, PersistedToken, in_milliseconds};

use super::super::finding::Level;
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
    /// What fires for a tenant as a whole, or for all of them, as long as the daemon checks anything; the name is empty for
    /// all.
    of_tenants: Vec<(String, Firing)>,
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
                let PersistedToken { status, firing } = state.tokens.remove(&token.id()).unwrap_or_default();
                let last_verdict = status.validity.last_success;
                let is_stale = last_verdict.is_none_or(|last| stale_from(last) <= now);
                Row {
                    tenant: token.tenant.name.clone(),
                    token_name: token.name.clone(),
                    level: if is_stale { Level::Unknown } else { level(&firing) },
                    state: status.state,
                    expires: token.expires,
                    last_verdict,
                    is_stale,
                    alerts: firing,
                }
            })
            .collect();
        let is_of_chosen = |name: &String| rows.iter().any(|row| row.tenant == *name);
        let of_tenants = state.tenants.into_iter().filter(|(name, _)| is_of_chosen(name));
        let of_tenants =
            of_tenants.flat_map(|(name, firing)| firing.into_iter().map(move |firing| (name.clone(), firing)));
        let of_fleet = state.fleet.into_iter().map(|firing| (String::new(), firing));
        let of_tenants = of_tenants.chain(of_fleet).filter(|_| is_checking).collect();
        Self { rows, of_tenants }
    }

    /// Whether no token fits.
    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// How bad it is as a whole.
    pub(super) fn level(&self) -> Level {
        let tokens = self.rows.iter().map(|row| row.level);
        let tenants = self.of_tenants.iter().map(|(_, firing)| Level::from(firing.severity));
        tokens.chain(tenants).max().unwrap_or(Level::Unknown)
    }

    fn count(&self, level: Level) -> usize {
        self.rows.iter().filter(|row| row.level == level).count()
    }

    /// As one line for Nagios: the level, what is wrong, and the numbers.
    pub(super) fn nagios(&self) -> String {
        let level = self.level();
        let mut wrong: Vec<_> = self.rows.iter().filter(|row| row.level != Level::Ok).collect();
        wrong.sort_by_key(|row| std::cmp::Reverse(row.level));
        let of_tenants = self.of_tenants.iter().map(|(tenant, firing)| match tenant.as_str() {
            "" => firing.alert.as_str().to_owned(),
            tenant => format!("{tenant}: {}", firing.alert.as_str()),
        });
        let said: Vec<_> = of_tenants.chain(wrong.into_iter().map(Row::in_short)).collect();
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
        let alerts =
            self.rows.iter().flat_map(|row| &row.alerts).chain(self.of_tenants.iter().map(|(_, firing)| firing));
        let alerts = alerts.map(|firing| {
            format!("{}: {}: {}\n", firing.severity.as_str(), firing.alert.as_str(), firing.message.text)
        });
        let old: Vec<_> = self.rows.iter().filter(|row| row.is_stale).map(|row| row.in_short() + "\n").collect();
        table(&head, &rows) + &alerts.collect::<String>() + &old.concat()
    }

    /// For programs.
    pub(super) fn json(&self) -> Value {
        let alert = |firing: &Firing| {
            json!({
                "alert": firing.alert.as_str(),
                "severity": firing.severity.as_str(),
                "permission": firing.message.permission,
                "cause": firing.message.cause,
                "since": firing.since,
                "message": firing.message.text,
            })
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
                "alerts": row.alerts.iter().map(alert).collect::<Vec<_>>(),
            })
        };
        let of_tenant = |(tenant, firing): &(String, Firing)| {
            let mut json = alert(firing);
            json["tenant"] = if tenant.is_empty() { Value::Null } else { json!(tenant) };
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
    /// What is wrong, in a few words.
    fn in_short(&self) -> String {
        let Self { tenant, token_name, .. } = self;
        let what = match self.last_verdict {
            None => "nothing is known yet".to_owned(),
            Some(last) if self.is_stale => format!("nothing is known since {}", in_milliseconds(last)),
            Some(_) => {
                let named = self.alerts.iter().map(|firing| match &firing.message.permission {
                    Some(permission) => format!("{} {permission}", firing.alert.as_str()),
                    None => firing.alert.as_str().to_owned(),
                });
                named.collect::<Vec<_>>().join(", ")
            }
        };
        format!("{tenant}/{token_name}: {what}")
    }
}

fn level(firing: &[Firing]) -> Level {
    firing.iter().map(|firing| Level::from(firing.severity)).max().unwrap_or(Level::Ok)
}

/// From when on a verdict of this moment says nothing about the present.
fn stale_from(validity: &Schedule, last: DateTime<Utc>) -> DateTime<Utc> {
    let next = |then: DateTime<Utc>| match validity {
        Schedule::Every(interval) => then.checked_add_signed(TimeDelta::from_std(*interval).ok()?),
        Schedule::Cron(..) => validity.next_occurrence(then),
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
    use crate::alert::{Alert, Message, Severity};
    use crate::belief::TokenStatus;
    use crate::testing::{at, config, token};

    /// A token of which a check at `last` gave a verdict, and these alerts fire.
    fn known(last: i64, firing: Vec<Firing>) -> PersistedToken {
        let mut status = TokenStatus { state: TokenState::Valid, ..TokenStatus::default() };
        (status.validity.last_success, status.validity.last_attempt) = (Some(at(last)), Some(at(last)));
        PersistedToken { status, firing }
    }

    fn fires(alert: Alert, severity: Severity) -> Firing {
        Firing {
            alert,
            subject: None,
            severity,
            since: at(0),
            notified_at: at(0),
            notices: 0,
            represents_group: false,
            message: Message::new("it | broke", "fix it"),
        }
    }

    fn line(known: Vec<(&str, PersistedToken)>, fleet: Vec<Firing>, now: i64) -> String {
        let tokens: Vec<_> = ["a", "b"].map(|name| token(name, &[])).into();
        let ids: Vec<_> = tokens.iter().map(crate::model::Token::id).collect();
        let id = |name: &str| ids.iter().find(|id| id.token_name == name).unwrap().clone();
        let tokens_known = known.into_iter().map(|(name, known)| (id(name), known)).collect();
        let state = PersistedState { tokens: tokens_known, fleet, ..PersistedState::default() };
        Report::of(&config(tokens), state, None, None, at(now)).nagios()
    }

    /// A token is checked every five minutes by default, so its last word holds for fifteen.
    #[test]
    fn one_line_says_how_bad_it_is_and_what_is_old_is_not_known() {
        let (fine, broken) =
            (|| known(0, Vec::new()), || known(0, vec![fires(Alert::TokenRejected, Severity::Critical)]));
        assert_eq!(
            line(vec![("a", fine()), ("b", fine())], Vec::new(), 899),
            "OK: 2 tokens work | tokens=2 ok=2 warning=0 critical=0 unknown=0\n"
        );
        assert_eq!(
            line(vec![("a", fine()), ("b", broken())], Vec::new(), 899),
            "CRITICAL: acme/b: TokenRejected | tokens=2 ok=1 warning=0 critical=1 unknown=0\n"
        );
        assert_eq!(
            line(vec![("a", fine()), ("b", broken())], vec![fires(Alert::SyncroOutage, Severity::Critical)], 900),
            "UNKNOWN: acme/a: nothing is known since 2027-01-15T08:00:00.000Z; acme/b: nothing is known since \
             2027-01-15T08:00:00.000Z | tokens=2 ok=0 warning=0 critical=0 unknown=2\n",
            "the daemon checks nothing any more"
        );
        assert_eq!(
            line(vec![("a", fine())], Vec::new(), 1),
            "UNKNOWN: acme/b: nothing is known yet | tokens=2 ok=1 warning=0 critical=0 unknown=1\n"
        );
    }

    #[test]
    fn what_fires_for_all_counts_while_the_daemon_checks_though_no_check_gives_a_verdict() {
        let mut silent = known(0, Vec::new());
        silent.status.validity.last_attempt = Some(at(3000));
        let outage = vec![fires(Alert::SyncroOutage, Severity::Critical)];
        assert!(
            line(vec![("a", silent)], outage, 3001).starts_with("CRITICAL: SyncroOutage; acme/a: nothing is known")
        );
    }
}
