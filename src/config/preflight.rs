//! A token that is not configured yet, judged by the same rules as one that is. Pure.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use toml::Value;

use super::fault::Problem;
use super::fleet::{own_address, wanted};
use super::{Config, profiles, value};
use crate::model::{Calibrated, Tenant, Token, TokenSource, Zone};

/// The token that somebody wants to give to an integration. An account that is configured is asked where and how the
/// configuration says; `base_url` takes precedence over that.
///
/// # Errors
/// A text that names the faulty argument, what is wrong with it, and what is allowed.
pub(crate) fn candidate(
    config: &Config,
    subdomain: &str,
    profile: &str,
    base_url: Option<&str>,
) -> Result<Token, String> {
    let text = |given: &str| Value::String(given.to_owned());
    let say =
        |argument: &str, Problem { problem, allowed }: Problem| format!("{argument}: {problem}; allowed: {allowed}");
    let subdomain = value::subdomain(&text(subdomain)).map_err(|problem| say("--subdomain", problem))?;
    let base_url = base_url.map(|url| value::base_url(&text(url))).transpose();
    let base_url = base_url.map_err(|problem| say("--base-url", problem))?;
    let profile = profiles::find(&config.profiles, &text(profile)).map_err(|problem| say("--profile", problem))?;
    let mut tenants = config.tokens.iter().map(|token| &token.tenant);
    let configured = tenants.find(|tenant| tenant.subdomain.as_deref() == Some(subdomain.as_str()));
    let own = || own_address(&subdomain);
    let base_url = base_url.or_else(|| configured.map(|tenant| tenant.base_url.clone())).unwrap_or_else(own);
    let probe_records = configured.map_or_else(BTreeMap::new, |tenant| tenant.probe_records.clone());
    let calibrated = configured.map_or_else(Calibrated::default, |tenant| tenant.calibrated.clone());
    let zone = Zone::utc();
    let tenant =
        Tenant { name: subdomain.clone(), subdomain: Some(subdomain), base_url, probe_records, calibrated, zone };
    Ok(Token {
        tenant: Arc::new(tenant),
        name: profile.name.clone(),
        // The caller has the value already, so no source is read.
        source: TokenSource::File(PathBuf::new()),
        next: None,
        expires: None,
        auto_rotated: false,
        ignored: Vec::new(),
        contact: None,
        note: None,
        wanted: wanted(Some(&profile), &[]),
        profile: Some(profile),
    })
}
