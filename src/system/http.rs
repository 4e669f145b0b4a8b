//! What every HTTP client of this program has in common: its user agent, its time-outs, its proxy, and how it reads
//! `Retry-After`.

use std::time::Duration;

use chrono::{DateTime, Utc};
use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};
use reqwest::{ClientBuilder, NoProxy, Proxy, redirect};

/// A client that follows no redirect and gives up after `timeout`.
///
/// # Errors
/// A text that reads after "failed to ", when `HTTPS_PROXY` is not the address of a proxy.
pub(crate) fn client(timeout: Duration) -> Result<ClientBuilder, String> {
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

/// The text of the innermost cause of an error.
pub(crate) fn innermost(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

/// Reads `Retry-After` in every form of RFC 9110: seconds with any number of digits, or a date in one of three
/// notations. A date counts from the server's own `Date`, where it sends one, since one of the two clocks may be wrong.
pub(crate) fn retry_after(headers: &HeaderMap, now: DateTime<Utc>) -> Option<Duration> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    let value = text(RETRY_AFTER)?;
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(Duration::from_secs(value.parse().unwrap_or(u64::MAX)));
    }
    let until = moment(value)?;
    let from = date(headers).unwrap_or(now);
    (until - from).to_std().ok()
}

/// When the server answered, by its own clock.
pub(crate) fn date(headers: &HeaderMap) -> Option<DateTime<Utc>> {
    moment(headers.get(DATE)?.to_str().ok()?.trim())
}

fn moment(value: &str) -> Option<DateTime<Utc>> {
    let by_http = httpdate::parse_http_date(value).map(DateTime::from).ok();
    by_http.or_else(|| DateTime::parse_from_rfc2822(value).ok().map(|date| date.to_utc()))
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderValue;

    use super::*;

    #[test]
    fn a_date_is_read_or_there_is_none() {
        let read = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(DATE, HeaderValue::from_str(text).unwrap());
            date(&headers).map(|date| date.timestamp())
        };
        assert_eq!(read("Fri, 15 Jan 2027 08:00:00 GMT"), Some(1_800_000_000));
        for text in ["", "yesterday", "Fri, 15 Jan 2027", "Fri, 99 Jan 2027 08:00:00 GMT"] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn retry_after_is_understood_in_seconds_and_as_a_date() {
        let now = DateTime::from_timestamp(1_800_000_000, 0).expect("a moment");
        let cases = [
            (Some("30"), Some(30)),
            (Some("Fri, 15 Jan 2027 08:01:00 GMT"), Some(60)),
            (Some("Fri, 15 Jan 2027 07:00:00 GMT"), None),
            (Some("Friday, 15-Jan-27 08:01:00 GMT"), Some(60)),
            (Some("Fri Jan 15 08:01:00 2027"), Some(60)),
            (Some("Fri Jan  1 08:01:00 2027"), None),
            (Some("Fri, 15 Jan 2027 09:01:00 +0100"), Some(60)),
            (Some("0"), Some(0)),
            (Some("999999999999999999999999999999"), Some(u64::MAX)),
            (Some("soon"), None),
            (Some("-30"), None),
            (Some(""), None),
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

    #[test]
    fn a_date_counts_from_the_servers_own_clock() {
        let now = DateTime::from_timestamp(1_800_000_000, 0).expect("a moment");
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, HeaderValue::from_static("Thu, 01 Jan 2026 00:01:30 GMT"));
        assert_eq!(retry_after(&headers, now), None, "past, by our clock");
        headers.insert(DATE, HeaderValue::from_static("Thu, 01 Jan 2026 00:00:00 GMT"));
        assert_eq!(retry_after(&headers, now), Some(Duration::from_secs(90)));
        headers.insert(RETRY_AFTER, HeaderValue::from_static("Fri, 31 Dec 9999 23:59:59 GMT"));
        assert!(retry_after(&headers, now) > Some(Duration::from_hours(24 * 365)));
    }
}
