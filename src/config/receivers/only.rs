//! Which alerts a receiver is notified of: `only = { tenants, severities, alerts, profiles }`. Pure.

use std::collections::HashMap;
use std::sync::Arc;

use toml::Value;

use crate::catalog::Profile;
use crate::config::fault::{Fault, Problem, nearest, shown};
use crate::config::raw::{Notes, Section};
use crate::config::value;

/// The names of all alerts; a test of the receivers compares them with the alerts that there are.
pub(crate) const ALERTS: [&str; 20] = [
    "TokenExpired",
    "TokenRejected",
    "TokenRestricted",
    "TokenWrongAccount",
    "TokenExpiring",
    "TokenExpiryOutdated",
    "TokenUnreadable",
    "UserLockedOut",
    "UserDisabled",
    "UserChanged",
    "PermissionLost",
    "PermissionMissing",
    "SecurityGroupRightLost",
    "CustomersHidden",
    "TenantRenamed",
    "TenantBlocked",
    "TenantUnreachable",
    "SyncroOutage",
    "MonitorThrottled",
    "MonitorImpaired",
];

/// The alerts that a receiver is notified of; what is `None` excludes nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Only {
    /// The names of the tenants.
    pub(crate) tenants: Option<Vec<String>>,
    /// `warning` or `critical`.
    pub(crate) severities: Option<Vec<&'static str>>,
    /// The names of the alerts.
    pub(crate) alerts: Option<Vec<&'static str>>,
    /// The names of the profiles of the integrations that are affected.
    pub(crate) profiles: Option<Vec<String>>,
}

/// What an alert is about, as far as a filter can tell.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Concern<'a> {
    /// The name of the alert.
    pub(crate) alert: &'a str,
    /// How bad it is.
    pub(crate) severity: &'a str,
    /// The name of the tenant; `None` for all tenants together.
    pub(crate) tenant: Option<&'a str>,
    /// Whether it is about a tenant as a whole, or all tenants together.
    pub(crate) is_whole: bool,
    /// The names of the profiles of the integrations that are affected.
    pub(crate) profiles: &'a [&'a str],
}

impl Only {
    /// Whether the receiver is notified of every alert.
    pub(crate) fn is_everything(&self) -> bool {
        *self == Self::default()
    }

    /// Whether the receiver is notified of an alert with this concern. An alert of all tenants together passes the
    /// filters of tenants and of profiles, and one of a whole tenant that names no profile passes that of profiles: it
    /// may affect every integration.
    pub(crate) fn passes(&self, concern: Concern<'_>) -> bool {
        let Concern { alert, severity, tenant, is_whole, profiles } = concern;
        let holds =
            |list: &Option<Vec<&'static str>>, word: &str| list.as_ref().is_none_or(|list| list.contains(&word));
        let of_tenant = |list: &Vec<String>| tenant.is_none_or(|tenant| list.iter().any(|name| name == tenant));
        let of_profile = |list: &Vec<String>| {
            let is_named = list.iter().any(|name| profiles.contains(&name.as_str()));
            is_named || tenant.is_none() || is_whole && profiles.is_empty()
        };
        holds(&self.severities, severity)
            && holds(&self.alerts, alert)
            && self.tenants.as_ref().is_none_or(of_tenant)
            && self.profiles.as_ref().is_none_or(of_profile)
    }
}

impl Only {
    /// Whether the receiver is notified of anything about a token with this profile.
    pub(crate) fn covers(&self, tenant: &str, profile: Option<&str>) -> bool {
        let holds = |list: &Vec<String>, name: Option<&str>| list.iter().any(|listed| Some(listed.as_str()) == name);
        self.tenants.as_ref().is_none_or(|list| holds(list, Some(tenant)))
            && self.profiles.as_ref().is_none_or(|list| holds(list, profile))
    }
}

/// The names in filters, each with the path at which it stands, to be compared with what the configuration has.
#[derive(Debug, Default)]
pub(in crate::config) struct Named {
    tenants: Vec<(String, String)>,
    profiles: Vec<(String, String)>,
}

/// Reads the filter of a receiver, and adds the names in it to `named`.
pub(super) fn only(receiver: &mut Section<'_>, named: &mut Named, notes: &mut Notes<'_>) -> Only {
    let mut section = receiver.section("only", notes);
    let severities = [("warning", "warning"), ("critical", "critical")];
    let only = Only {
        tenants: names(&mut section, "tenants", &mut named.tenants, notes),
        severities: list(&mut section, "severities", notes, |value| value::word(value, &severities)),
        alerts: list(&mut section, "alerts", notes, alert),
        profiles: names(&mut section, "profiles", &mut named.profiles, notes),
    };
    section.finish(notes);
    only
}

fn names(
    section: &mut Section<'_>,
    key: &'static str,
    found: &mut Vec<(String, String)>,
    notes: &mut Notes<'_>,
) -> Option<Vec<String>> {
    let names = list(section, key, notes, value::name)?;
    let path = section.path(key);
    found.extend(names.iter().enumerate().map(|(index, name)| (format!("{path}[{index}]"), name.clone())));
    Some(names)
}

/// Reads a list; an empty one would let nothing pass.
fn list<T>(
    section: &mut Section<'_>,
    key: &'static str,
    notes: &mut Notes<'_>,
    parse: impl FnMut(&Value) -> Result<T, Problem>,
) -> Option<Vec<T>> {
    let is_empty = section.is_empty_list(key);
    let list = section.read_list(key, "a list with at least one member", notes, parse);
    if is_empty {
        let problem =
            Problem::new("an empty list lets nothing pass", "a list with at least one member, or no such key");
        notes.fault(&section.path(key), problem);
    }
    list
}

fn alert(value: &Value) -> Result<&'static str, Problem> {
    let allowed = "the name of an alert, such as \"TokenExpired\"";
    let word = value::text(value, allowed)?;
    ALERTS.into_iter().find(|alert| *alert == word).ok_or_else(|| {
        let near = nearest(word, ALERTS).map(|near| format!("did you mean `{near}`?"));
        Problem::new(format!("{} is no alert", shown(word)), near.unwrap_or_else(|| allowed.to_owned()))
    })
}

/// The faults about names in filters that no tenant and no profile has: whoever is to be notified of them never would be.
pub(in crate::config) fn unknown_names(
    file: &str,
    named: &Named,
    tenants: &HashMap<String, String>,
    profiles: &[Arc<Profile>],
) -> Vec<Fault> {
    let profiles: Vec<_> = profiles.iter().map(|profile| profile.name.as_str()).collect();
    let unknown = |(path, name): &(String, String), known: &[&str], what: &str| {
        let near = nearest(name, known.iter().copied());
        let allowed = near.map_or_else(|| format!("names of {what}s"), |near| format!("did you mean `{near}`?"));
        let problem = format!("{} is not a configured {what}", shown(name));
        let fault = Fault { file: file.to_owned(), path: path.clone(), problem, allowed };
        (!known.contains(&name.as_str())).then_some(fault)
    };
    let tenants: Vec<_> = tenants.keys().map(String::as_str).collect();
    let of_tenants = named.tenants.iter().filter_map(|named| unknown(named, &tenants, "tenant"));
    let of_profiles = named.profiles.iter().filter_map(|named| unknown(named, &profiles, "profile"));
    of_tenants.chain(of_profiles).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: Concern<'_> = Concern {
        alert: "TokenExpired",
        severity: "critical",
        tenant: Some("acme"),
        is_whole: false,
        profiles: &["jumpcloud"],
    };

    #[test]
    fn a_filter_lets_pass_what_every_list_names() {
        let names = |name: &str| Some(vec![name.to_owned()]);
        let only = Only {
            tenants: names("acme"),
            severities: Some(vec!["critical"]),
            alerts: Some(vec!["TokenExpired", "SyncroOutage"]),
            profiles: names("jumpcloud"),
        };
        assert!(Only::default().passes(TOKEN) && only.passes(TOKEN));
        let others = [
            Concern { alert: "TokenExpiring", ..TOKEN },
            Concern { severity: "warning", ..TOKEN },
            Concern { tenant: Some("other"), ..TOKEN },
            Concern { profiles: &["portal"], ..TOKEN },
            Concern { profiles: &[], ..TOKEN },
        ];
        for concern in others {
            assert!(!only.passes(concern), "{concern:?}");
        }
        assert!(only.passes(Concern { profiles: &["portal", "jumpcloud"], ..TOKEN }), "one of several");
        assert!(only.passes(Concern { profiles: &[], is_whole: true, ..TOKEN }), "a whole tenant");
        let fleet = Concern { alert: "SyncroOutage", tenant: None, is_whole: true, profiles: &[], ..TOKEN };
        assert!(only.passes(fleet), "all tenants together");
        assert!(!only.passes(Concern { severity: "warning", ..fleet }), "not by its severity");
    }
}
