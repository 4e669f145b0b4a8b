//! What every HTTP client of this program has in common: who it says it is, how patient it is, which proxy it uses.

use std::time::Duration;

use chrono::{DateTime, Utc};
use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest::{ClientBuilder, NoProxy, Proxy, redirect};

/// A client that follows no redirect and gives up after `timeout`.
///
/// # Errors
/// When `HTTPS_PROXY` is no proxy.
pub fn client(timeout: Duration) -> Result<ClientBuilder, String> {
    let builder = reqwest::Client::builder()
        .user_agent(concat!("syncro-token-monitor/", env!("CARGO_PKG_VERSION")))
        .timeout(timeout)
        .connect_timeout(timeout)
        .read_timeout(timeout)
        .redirect(redirect::Policy::none())
        .referer(false)
        // Only https may go through a proxy: what is sent in clear text stays on this machine.
        .no_proxy();
    let proxy = ["HTTPS_PROXY", "https_proxy"].into_iter().find_map(|name| std::env::var(name).ok());
    match proxy.filter(|proxy| !proxy.is_empty()) {
        None => Ok(builder),
        Some(proxy) => {
            let proxy = Proxy::https(proxy).map_err(|error| format!("use HTTPS_PROXY: {}", error.without_url()))?;
            Ok(builder.proxy(proxy.no_proxy(NoProxy::from_env())))
        }
    }
}

/// What is at the bottom of an error, in its own words.
pub fn innermost(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

/// `Retry-After` in either of its forms.
pub fn retry_after(headers: &HeaderMap, now: DateTime<Utc>) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    value.parse().map(Duration::from_secs).ok().or_else(|| {
        let date = DateTime::parse_from_rfc2822(value).ok()?;
        (date.to_utc() - now).to_std().ok()
    })
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderValue;

    use super::*;

    #[test]
    fn retry_after_is_understood_in_seconds_and_as_a_date() {
        let now = DateTime::from_timestamp(1_800_000_000, 0).expect("a moment");
        let cases = [
            (Some("30"), Some(30)),
            (Some("Fri, 15 Jan 2027 08:01:00 GMT"), Some(60)),
            (Some("Fri, 15 Jan 2027 07:00:00 GMT"), None),
            (Some("soon"), None),
            (None, None),
        ];
        for (value, expected) in cases {
            let mut headers = HeaderMap::new();
            if let Some(value) = value {
                headers.insert(RETRY_AFTER, HeaderValue::from_static(value));
            }
            assert_eq!(retry_after(&headers, now), expected.map(Duration::from_secs), "{value:?}");
        }
    }
}
