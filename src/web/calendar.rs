//! The declared expiries that are still ahead, as iCalendar. Pure.

use std::iter::once;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use icalendar::{Calendar, Component, Event, EventLike};

use crate::model::Token;
use crate::state::Snapshot;

/// The calendar, a piece for its beginning, for each expiry and for its end; `url` is the address under which people
/// reach the daemon, for the links to its pages.
pub(super) fn calendar(
    snapshot: Arc<Snapshot>,
    url: Option<String>,
    now: DateTime<Utc>,
) -> impl Iterator<Item = String> {
    let empty = Calendar::new().name("Syncro token expiries").done().to_string();
    let (begin, end) = empty.split_at(empty.rfind("END:VCALENDAR").unwrap_or(empty.len()));
    let (begin, end) = (begin.to_owned(), end.to_owned());
    let expiries = (0..snapshot.tokens.len())
        .filter_map(move |index| expiry(&snapshot.tokens[index].token, url.as_deref(), now)?.try_into_string().ok());
    once(begin).chain(expiries).chain(once(end))
}

/// The event of a declared expiry that is still ahead, unless something else renews the token before.
fn expiry(token: &Token, url: Option<&str>, now: DateTime<Utc>) -> Option<Event> {
    let expires = token.expires.filter(|expires| *expires > now && !token.auto_rotated)?;
    let path = token.id().path();
    let used_by = token.profile.as_ref().map_or("whatever uses it", |profile| profile.title.as_str());
    let text = format!(
        "Then {used_by} fails with it. Make a new token before, and put its value where this one is read from."
    );
    let mut event = Event::new();
    // The identifier stays the same when the date is moved, so that calendars move the event.
    event.uid(&format!("{path}@syncro-token-monitor"));
    event.timestamp(now);
    // An event of no length has no end (RFC 5545, 3.6.1): an end that is not later than the start would be an error.
    event.starts(expires);
    event.summary(&format!("Syncro token {} of {} expires", token.name, token.tenant.name));
    event.description(&text);
    if let Some(url) = url {
        event.url(&format!("{url}{path}"));
    }
    Some(event.done())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::belief::TokenStatus;
    use crate::testing::{at, token, token_snapshot};

    #[test]
    fn an_expiry_ahead_is_an_event_and_one_that_has_passed_is_not_declared_or_renewed_by_itself_is_none() {
        let entry = |name: &str, expires: Option<i64>, auto_rotated: bool| {
            let mut token = token(name, &[]);
            (token.expires, token.auto_rotated) = (expires.map(at), auto_rotated);
            token_snapshot(token, TokenStatus::default())
        };
        let tokens = vec![
            entry("soon, or\nso", Some(86_400), false),
            entry("never", None, false),
            entry("gone", Some(-1), false),
            entry("rotated", Some(86_400), true),
        ];
        let snapshot = Snapshot { tokens: tokens.into_iter().collect(), ..Snapshot::default() };
        let text: String = calendar(Arc::new(snapshot), Some("https://monitor.example".to_owned()), at(0)).collect();
        assert!(text.starts_with("BEGIN:VCALENDAR\r\n") && text.ends_with("END:VEVENT\r\nEND:VCALENDAR\r\n"), "{text}");
        assert_eq!(text.matches("BEGIN:VEVENT").count(), 1, "{text}");
        assert!(text.contains("\r\nDTSTART:20270116T080000Z\r\n") && !text.contains("DTEND"), "{text}");
        assert!(text.contains("SUMMARY:Syncro token soon\\, or\\nso of acme expires\r\n"), "{text}");
        let unfolded = text.replace("\r\n ", "");
        assert!(unfolded.contains("URL:https://monitor.example/tenants/acme/tokens/soon%2C%20or%0Aso\r\n"), "{text}");
    }
}
