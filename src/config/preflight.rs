//! A token that is not configured yet, judged by the same rules as one that is. Pure.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use toml::Value;

use super::fault::{Problem, nearest, shown};
use super::fleet::wanted;
use super::{Config, Tenant, Token, TokenSource, value};

/// The token that somebody wants to hand to an integration. An account that is configured is asked where and how the
/// configuration says; `base_url` goes before that.
///
/// # Errors
/// What is wrong with one of the arguments, and what is allowed.
pub fn candidate(config: &Config, subdomain: &str, profile: &str, base_url: Option<&str>) -> Result<Token, String> {
    let text = |given: &str| Value::String(given.to_owned());
    let say =
        |argument: &str, Problem { problem, allowed }: Problem| format!("{argument}: {problem}; allowed: {allowed}");
    let subdomain = value::subdomain(&text(subdomain)).map_err(|problem| say("--subdomain", problem))?;
    let base_url = base_url.map(|url| value::base_url(&text(url))).transpose();
    let base_url = base_url.map_err(|problem| say("--base-url", problem))?;
    let names = || config.profiles.iter().map(|known| known.name.as_str());
    let known = config.profiles.iter().find(|known| known.name == profile).ok_or_else(|| {
        let allowed = nearest(profile, names())
            .map_or_else(|| names().collect::<Vec<_>>().join(", "), |near| format!("did you mean `{near}`?"));
        say("--profile", Problem::new(format!("{} is not a known profile", shown(profile)), allowed))
    })?;
    let configured = config.tokens.iter().map(|token| &token.tenant);
    let configured = configured.into_iter().find(|tenant| tenant.subdomain.as_deref() == Some(subdomain.as_str()));
    let own = || format!("https://{subdomain}.syncromsp.com/api/v1");
    let base_url = base_url.or_else(|| configured.map(|tenant| tenant.base_url.clone())).unwrap_or_else(own);
    let probe_records = configured.map_or_else(BTreeMap::new, |tenant| tenant.probe_records.clone());
    let tenant = Tenant { name: subdomain.clone(), subdomain: Some(subdomain), base_url, probe_records };
    Ok(Token {
        tenant: Arc::new(tenant),
        name: profile.to_owned(),
        // Its value is handed over, not read.
        source: TokenSource::File(PathBuf::new()),
        expires: None,
        profile: Some(Arc::clone(known)),
        wanted: wanted(Some(known), &[]),
    })
}
