//! Recognizes the challenge pages of firewalls: what is in front of a host asks who is there, instead of letting the
//! request through, so that the request never reached Syncro. Pure.

/// The headers by which firewalls show themselves: the name, a part of the value in lower case, and the vendor.
const HEADERS: [(&str, &str, &str); 5] = [
    ("cf-mitigated", "challenge", "Cloudflare"),
    ("x-vercel-mitigated", "challenge", "Vercel"),
    ("x-amzn-waf-action", "", "AWS WAF"),
    ("x-sucuri-block", "", "Sucuri"),
    ("x-px-block", "", "HUMAN"),
];

/// The values of `Server`, each with its vendor, of proxies that pass answers on and make pages of their own only to
/// refuse.
const SERVERS: [(&str, &str); 5] = [
    ("cloudflare", "Cloudflare"),
    ("akamaighost", "Akamai"),
    ("sucuri", "Sucuri"),
    ("awselb", "AWS"),
    ("ddos-guard", "DDoS-Guard"),
];

/// The parts of such pages, in lower case, each with its vendor.
const PAGES: [(&str, &str); 12] = [
    ("_incapsula_resource", "Imperva"),
    ("px-captcha", "HUMAN"),
    ("/cdn-cgi/challenge-platform", "Cloudflare"),
    ("cf-chl", "Cloudflare"),
    ("attention required! | cloudflare", "Cloudflare"),
    ("gokuprops", "AWS WAF"),
    ("awswaf", "AWS WAF"),
    ("please consult with your administrator", "a firewall"),
    ("your support id is", "a firewall"),
    ("just a moment...", "a firewall"),
    ("checking your browser", "a firewall"),
    ("verify you are human", "a firewall"),
];

/// A part of such an answer that shows its vendor even where the answer is JSON.
const ANYWHERE: (&str, &str) = ("captcha-delivery.com", "DataDome");

/// The statuses that such pages come with.
const STATUSES: [u16; 8] = [200, 202, 401, 403, 405, 406, 429, 503];
/// How many bytes of a page are searched; the signs are at its beginning.
const BEGINNING: usize = 16 * 1024;

/// The vendor of the firewall that answered with a challenge in the host's place, if one did. `html` says whether the
/// answer is a page.
pub(super) fn challenger<'a>(
    status: u16,
    header: impl Fn(&str) -> Option<&'a str>,
    html: bool,
    body: &[u8],
) -> Option<&'static str> {
    let has = |name: &str, part: &str| header(name).is_some_and(|value| value.to_ascii_lowercase().contains(part));
    if let Some((.., vendor)) = HEADERS.iter().find(|(name, part, _)| has(name, part)) {
        return Some(vendor);
    }
    if !STATUSES.contains(&status) {
        return None;
    }
    let page = String::from_utf8_lossy(&body[..body.len().min(BEGINNING)]).to_ascii_lowercase();
    if status == 403 && page.contains(ANYWHERE.0) {
        return Some(ANYWHERE.1);
    }
    if !html {
        return None;
    }
    let by_page = || PAGES.iter().find(|(sign, _)| page.contains(sign));
    let by_server = || SERVERS.iter().find(|(name, _)| has("server", name));
    by_server().or_else(by_page).map(|(_, vendor)| *vendor)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vendor(status: u16, headers: &[(&str, &'static str)], html: bool, body: &str) -> Option<&'static str> {
        let header = |name: &str| headers.iter().find(|(header, _)| *header == name).map(|(_, value)| *value);
        challenger(status, header, html, body.as_bytes())
    }

    #[test]
    fn a_challenge_page_is_recognized_by_its_signs() {
        let mitigated = [("cf-mitigated", "Challenge")];
        for (status, html, body) in [(403, true, "<html>"), (403, false, ""), (200, false, "{}"), (418, true, "<html>")]
        {
            assert_eq!(vendor(status, &mitigated, html, body), Some("Cloudflare"), "{status}");
        }
        for status in [200, 401, 403, 429, 503] {
            assert_eq!(vendor(status, &[("server", "cloudflare")], true, "<html>"), Some("Cloudflare"), "{status}");
        }
        let cases = [
            (&[("x-amzn-waf-action", "captcha")][..], "", "AWS WAF"),
            (&[("server", "AkamaiGHost")][..], "<h1>Access Denied</h1>", "Akamai"),
            (&[], "<script src=\"https://ct.captcha-delivery.com/c.js\">", "DataDome"),
            (&[], "<iframe src=\"/_Incapsula_Resource?x=1\">", "Imperva"),
            (&[], "The requested URL was rejected. Please consult with your administrator.", "a firewall"),
            (&[], "<title>Just a moment...</title>", "a firewall"),
        ];
        for (headers, body, expected) in cases {
            assert_eq!(vendor(403, headers, true, body), Some(expected), "{body}");
        }
    }

    #[test]
    fn an_answer_of_the_host_itself_is_no_challenge() {
        let behind = [("server", "cloudflare"), ("cf-ray", "8a-FRA")];
        for (status, headers, html, body) in [
            (403, &behind[..], false, "{\"error\":\"captcha\"}"),
            (401, &behind[..], false, "{}"),
            (403, &[][..], true, "<h1>Your address is not allowed</h1>"),
            (401, &[("server", "nginx")][..], true, "<h1>Log in</h1>"),
            (404, &behind[..], true, "<h1>Not found</h1>"),
        ] {
            assert_eq!(vendor(status, headers, html, body), None, "{status} {body}");
        }
    }
}
