//! Which requests are refused: those that name another host, those without valid credentials, and those that pages of other
//! sites make a browser send.

use std::net::IpAddr;

use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use hyper::Request;
use hyper::body::Incoming;

use super::access::Access;
use super::authenticator::{Admitted, Refusal, Shown};
use super::hosts::HostFault;

/// The paths that are answered to everybody: the health of the daemon, and nothing else.
const HEALTH: [&str; 2] = ["/-/healthy", "/-/ready"];

/// The path that whoever may only scrape is answered.
const METRICS: &str = "/metrics";

/// Whether a request may be answered, and the cookie that its answer brings; otherwise its refusal. `peer` is the address of
/// its client, and `before` what was shown on the same connection.
///
/// # Errors
/// The refusal.
pub(super) async fn admit(
    access: &Access,
    peer: Option<IpAddr>,
    before: &Shown,
    request: &Request<Incoming>,
) -> Result<Option<HeaderValue>, Response> {
    if HEALTH.contains(&request.uri().path()) {
        return Ok(None);
    }
    match access.hosts.fault(request.uri(), request.headers()) {
        None => {}
        Some(HostFault::Malformed) => {
            return Err((StatusCode::BAD_REQUEST, "a request names one host, in its header Host\n").into_response());
        }
        Some(HostFault::Foreign) => {
            let text = "this is not reached by that name; `external_url` or `hosts` in [web] says by which it is\n";
            return Err((StatusCode::MISDIRECTED_REQUEST, text).into_response());
        }
    }
    let is_safe = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    let cookie = match access.authenticator.authenticate(peer, request.headers(), before).await {
        Ok(Admitted::Known) => None,
        Ok(Admitted::ByPassword(cookie)) => access.cookie(&cookie),
        Ok(Admitted::Scraper) if is_safe && request.uri().path() == METRICS => None,
        Ok(Admitted::Scraper) => {
            return Err((StatusCode::FORBIDDEN, "this token is for /metrics and nothing else\n").into_response());
        }
        Err(Refusal::Unauthenticated) => {
            let challenge = [(header::WWW_AUTHENTICATE, "Basic realm=\"syncro-token-monitor\", charset=\"UTF-8\"")];
            return Err((StatusCode::UNAUTHORIZED, challenge, "who are you?\n").into_response());
        }
        Err(Refusal::Throttled(wait)) => {
            let wait = [(header::RETRY_AFTER, (wait.as_secs() + 1).to_string())];
            return Err((StatusCode::TOO_MANY_REQUESTS, wait, "too many wrong guesses\n").into_response());
        }
    };
    if is_safe && is_drawn_in_elsewhere(request.headers()) {
        let text = "a page of another site may link to this, and draw nothing in\n";
        return Err((StatusCode::FORBIDDEN, text).into_response());
    }
    if !is_safe && comes_from_elsewhere(request.headers(), access.origin.as_deref()) {
        let text = "a page of another site may change nothing here\n";
        return Err((StatusCode::FORBIDDEN, text).into_response());
    }
    Ok(cookie)
}

/// Whether a browser says that a page of another site draws this in, as an image or by a script, where no person
/// follows a link: such a page could make every visitor's browser ask for whatever takes long.
fn is_drawn_in_elsewhere(headers: &HeaderMap) -> bool {
    let is = |name: &str, word: &str| headers.get(name).is_some_and(|value| value == word);
    is("sec-fetch-site", "cross-site") && !is("sec-fetch-mode", "navigate")
}

/// Whether a browser says that a page of another site sent this; `external_origin` is the origin under which people
/// reach the daemon. A client that is no browser sends none of these headers, and no page can make it send a request
/// either.
fn comes_from_elsewhere(headers: &HeaderMap, external_origin: Option<&str>) -> bool {
    let text = |name| headers.get(name).map(|value: &HeaderValue| value.to_str().unwrap_or("?"));
    let origin = text(header::ORIGIN);
    if origin.is_some() && origin == external_origin {
        return false;
    }
    match (text(HeaderName::from_static("sec-fetch-site")), origin) {
        (Some(site), _) => !matches!(site, "same-origin" | "none"),
        (None, Some(origin)) => origin.split_once("://").map(|(_, host)| host) != text(header::HOST),
        (None, None) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_site_may_link_here_and_draw_nothing_in() {
        let cases: [(&[(&str, &str)], bool); 5] = [
            (&[], false),
            (&[("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate")], false),
            (&[("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "no-cors")], true),
            (&[("sec-fetch-site", "cross-site")], true),
            (&[("sec-fetch-site", "same-origin"), ("sec-fetch-mode", "cors")], false),
        ];
        for (given, expected) in cases {
            let pair = |(name, value): &(&'static str, &'static str)| {
                (HeaderName::from_static(name), HeaderValue::from_static(value))
            };
            assert_eq!(is_drawn_in_elsewhere(&given.iter().map(pair).collect()), expected, "{given:?}");
        }
    }

    #[test]
    fn a_request_from_a_page_of_another_site_is_recognised_by_its_headers() {
        let cases: [(&[(&str, &str)], bool); 9] = [
            (&[], false),
            (&[("sec-fetch-site", "same-origin"), ("origin", "http://monitor:9760")], false),
            (&[("sec-fetch-site", "none")], false),
            (&[("sec-fetch-site", "cross-site")], true),
            (&[("sec-fetch-site", "same-site")], true),
            (&[("sec-fetch-site", "cross-site"), ("origin", "https://ops.example")], false),
            (&[("origin", "http://monitor:9760")], false),
            (&[("origin", "http://evil.example")], true),
            (&[("origin", "null")], true),
        ];
        for (given, expected) in cases {
            let mut headers = HeaderMap::from_iter([(header::HOST, HeaderValue::from_static("monitor:9760"))]);
            for (name, value) in given {
                headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
            }
            assert_eq!(comes_from_elsewhere(&headers, Some("https://ops.example")), expected, "{given:?}");
        }
    }
}
