//! What an answer of a receiver means: whether it has taken what was sent, and if not, whether that is about the
//! receiver or about this one notification; and what it shows of the receiver's clock. Pure.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use crate::model::{cut, disturbs};
use crate::syncro::Reason;

/// How much of a complaint is passed on, in characters.
const LONGEST_COMPLAINT: usize = 160;

/// The answer of a receiver that has taken what was sent.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Taken {
    /// How far the receiver's clock is ahead of ours, at least; `None` if its answer does not show it.
    pub clock: Option<TimeDelta>,
    /// The body of the answer, if that is the point of the request.
    pub body: Vec<u8>,
}

/// Why a receiver has not taken what was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// The reason, as a label has it.
    pub why: DeliveryFailure,
    /// The reason for people: a fragment that reads after "was not notified: ".
    pub detail: String,
    /// How long the receiver asks to be left alone, by its header `Retry-After`; `None` if it does not ask.
    pub retry_after: Option<Duration>,
    /// What is probably wrong: the receiver, or what was sent.
    pub suspect: Suspect,
    /// How far the receiver's clock is ahead of ours, at least; `None` if nothing shows it.
    pub clock: Option<TimeDelta>,
}

/// What may be wrong when something was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Suspect {
    /// The receiver, the way to it, or our credentials: any other notification would be refused in the same way.
    Receiver,
    /// The receiver, most likely; but a server may also stumble over one body, and a filter before it may reject one.
    Either,
    /// The body, by what the answer says, for good. An address that is wrong answers so to everything, though.
    Body,
    /// Neither: some of its recipients have it, and the others may take it later.
    Recipients,
}

/// Why a receiver has not taken what was sent, as a label has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryFailure {
    /// There was no answer, or one of a server in trouble.
    Unavailable(Reason),
    /// The receiver says that the request or our credentials are wrong.
    Refused,
    /// Something answered that is no receiver.
    NotReceiver,
    /// A file with a secret or a certificate cannot be used.
    Secret,
    /// The template fails at this notification.
    Template,
    /// An SMTP server asks to try again later.
    Deferred,
    /// An SMTP server refuses for good.
    Rejected,
}

impl DeliveryFailure {
    /// Every reason that can occur, so that each has its series.
    pub(super) fn all() -> impl Iterator<Item = Self> {
        let of_syncro_alone = [Reason::NotSyncro, Reason::TooLarge];
        let reasons = Reason::ALL.iter().copied().filter(move |reason| !of_syncro_alone.contains(reason));
        reasons.map(Self::Unavailable).chain([
            Self::Refused,
            Self::NotReceiver,
            Self::Secret,
            Self::Template,
            Self::Deferred,
            Self::Rejected,
        ])
    }

    /// The label value.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unavailable(reason) => reason.as_str(),
            Self::Refused => "http_4xx",
            Self::NotReceiver => "not_receiver",
            Self::Secret => "secret",
            Self::Template => "template",
            Self::Deferred => "smtp_4xx",
            Self::Rejected => "smtp_5xx",
        }
    }
}

impl Trouble {
    /// The trouble where nothing but the reason says what is wrong.
    pub(crate) fn new(why: DeliveryFailure, detail: impl Into<String>) -> Self {
        let suspect = match why {
            DeliveryFailure::Unavailable(Reason::Connect | Reason::Dns | Reason::Tls | Reason::Throttled)
            | DeliveryFailure::Secret => Suspect::Receiver,
            DeliveryFailure::Unavailable(_)
            | DeliveryFailure::Refused
            | DeliveryFailure::NotReceiver
            | DeliveryFailure::Deferred
            | DeliveryFailure::Rejected => Suspect::Either,
            DeliveryFailure::Template => Suspect::Body,
        };
        Self { why, detail: detail.into(), retry_after: None, suspect, clock: None }
    }

    /// The trouble with a file of ours that cannot be used.
    pub(super) fn secret(detail: String) -> Self {
        Self::new(DeliveryFailure::Secret, detail)
    }

    /// Whether the answer says that the body will never be taken.
    pub(super) fn is_for_good(&self) -> bool {
        self.suspect == Suspect::Body
    }
}

/// What an answer means, by its status, the beginning of its body, its `Retry-After`, and the receiver's clock.
///
/// # Errors
/// Why the receiver has not taken what was sent.
pub(super) fn judge(
    status: u16,
    body: &[u8],
    retry_after: Option<Duration>,
    clock: Option<TimeDelta>,
) -> Result<Taken, Trouble> {
    let page = is_page(body);
    let refusal = if (200..300).contains(&status) { refusal(body) } else { None };
    let why = match status {
        200..300 if page => DeliveryFailure::NotReceiver,
        200..300 => match refusal {
            None => return Ok(Taken { clock, ..Taken::default() }),
            Some(why) => why,
        },
        429 => DeliveryFailure::Unavailable(Reason::Throttled),
        500.. => DeliveryFailure::Unavailable(Reason::Http5xx),
        400..500 => DeliveryFailure::Refused,
        _ => DeliveryFailure::NotReceiver,
    };
    let complaint = if page { "a web page".to_owned() } else { complaint(body) };
    let detail = if complaint.is_empty() {
        format!("it answered {status}")
    } else {
        format!("it answered {status}: {complaint}")
    };
    let trouble = Trouble::new(why, detail);
    let is_about_body = is_about_the_body(status) || refusal == Some(DeliveryFailure::Refused);
    let suspect = if is_about_body { Suspect::Body } else { trouble.suspect };
    Err(Trouble { retry_after, suspect, clock, ..trouble })
}

/// Whether a body is a web page: of a proxy, or of a login that stands before the receiver.
fn is_page(body: &[u8]) -> bool {
    body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body).trim_ascii_start().starts_with(b"<")
}

/// Why the notification was not taken although the status says that it was, where the body shows it: Slack and services like
/// it may answer 200 with one of its error words or with `"ok": false`, and the connectors of Teams with a sentence.
fn refusal(body: &[u8]) -> Option<DeliveryFailure> {
    const WORDS: [&str; 12] = [
        "invalid_payload",
        "invalid_blocks",
        "invalid_token",
        "no_text",
        "no_service",
        "no_active_hooks",
        "too_many_attachments",
        "channel_not_found",
        "channel_is_archived",
        "action_prohibited",
        "user_not_found",
        "team_disabled",
    ];
    const SENTENCE: &str = "Webhook message delivery failed";
    let text = std::str::from_utf8(body).ok()?.trim();
    if WORDS.contains(&text) || text.starts_with(SENTENCE) {
        return Some(DeliveryFailure::Refused);
    }
    let answer: serde_json::Map<String, serde_json::Value> = serde_json::from_str(text).ok()?;
    if answer.get("ok").and_then(serde_json::Value::as_bool) != Some(false) {
        return None;
    }
    let error = answer.get("error").and_then(serde_json::Value::as_str).unwrap_or_default();
    let is_throttled = ["ratelimited", "rate_limited"].contains(&error);
    Some(if is_throttled { DeliveryFailure::Unavailable(Reason::Throttled) } else { DeliveryFailure::Refused })
}

/// Whether a status says that this request will never be taken as it is (RFC 9110, section 15.5, 15.6). One about our
/// credentials, a conflict, or a request that is too early or one too many passes, or is fixed without another body.
fn is_about_the_body(status: u16) -> bool {
    match status {
        401 | 402 | 403 | 407 | 408 | 409 | 421 | 423..=426 | 428 | 429 | 511 => false,
        400..=499 | 501 | 505 => true,
        _ => false,
    }
}

/// The text of a refusal, on one short line.
pub(super) fn complaint(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let visible = |character: &char| !disturbs(*character) || character.is_whitespace();
    let text = text.chars().filter(visible).collect::<String>().split_whitespace().collect::<Vec<_>>().join(" ");
    cut(&text, LONGEST_COMPLAINT).into_owned()
}

/// How far a clock is ahead of ours that showed `date`, in whole seconds, between two moments of ours; negative if it
/// is behind. The time on the way and what is below a second are no difference; `None` if nobody could live with it.
pub(super) fn offset(date: DateTime<Utc>, sent: DateTime<Utc>, received: DateTime<Utc>) -> Option<TimeDelta> {
    const LARGEST: TimeDelta = TimeDelta::days(366 * 100);
    let (least, most) = (date - received, date + TimeDelta::seconds(1) - sent);
    let offset = if least > TimeDelta::zero() { least } else { most.min(TimeDelta::zero()) };
    (offset.abs() <= LARGEST).then(|| TimeDelta::seconds(offset.num_seconds()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::at;

    #[test]
    fn a_status_says_whether_the_body_or_the_receiver_is_wrong() {
        let suspects = |statuses: &[u16]| {
            let suspect = |status: &u16| judge(*status, b"", None, None).unwrap_err().suspect;
            statuses.iter().map(suspect).collect::<Vec<_>>()
        };
        let body = [400, 404, 405, 406, 410, 411, 413, 414, 415, 422, 431, 451, 499, 501, 505];
        assert_eq!(suspects(&body), [Suspect::Body; 15]);
        let either =
            [302, 401, 402, 403, 407, 408, 409, 421, 423, 424, 425, 426, 428, 500, 502, 503, 504, 507, 511, 599];
        assert_eq!(suspects(&either), [Suspect::Either; 20]);
        assert_eq!(suspects(&[429]), [Suspect::Receiver]);
        assert_eq!(judge(204, b"", None, None), Ok(Taken::default()));
        assert_eq!(judge(200, b" <html>", None, None).unwrap_err().why, DeliveryFailure::NotReceiver);
        assert_eq!(Trouble::new(DeliveryFailure::Unavailable(Reason::Connect), "").suspect, Suspect::Receiver);
        assert_eq!(Trouble::new(DeliveryFailure::Unavailable(Reason::Timeout), "").suspect, Suspect::Either);
    }

    #[test]
    fn an_error_that_is_answered_with_200_is_no_delivery() {
        let outcome = |body: &str| judge(200, body.as_bytes(), None, None).map_err(|trouble| trouble.suspect);
        let refused = [
            "invalid_payload",
            " no_text\n",
            r#"{"ok":false,"error":"invalid_blocks"}"#,
            "Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error 413",
        ];
        for body in refused {
            assert_eq!(outcome(body), Err(Suspect::Body), "{body}");
        }
        assert_eq!(outcome("\u{feff}<!doctype html>"), Err(Suspect::Either));
        assert_eq!(outcome(r#"{"ok":false,"error":"ratelimited"}"#), Err(Suspect::Receiver));
        for body in ["ok", "", "1", "{\"ok\":true}", "{\"status\":\"success\"}", "an invalid_payload is not this"] {
            assert_eq!(outcome(body), Ok(Taken::default()), "{body}");
        }
    }

    #[test]
    fn a_complaint_is_one_short_line() {
        assert_eq!(complaint(b"  bad\n\tlabel \x07 "), "bad label");
        assert_eq!(complaint(&[b'a'; 500]).chars().count(), LONGEST_COMPLAINT);
        let said = judge(400, b"no\nsuch field", None, None).unwrap_err().detail;
        assert_eq!(said, "it answered 400: no such field");
    }

    #[test]
    fn a_clock_differs_only_as_far_as_its_date_shows() {
        let shown = at(0);
        let between = |sent, received| offset(shown, at(sent), at(received)).unwrap().num_seconds();
        assert_eq!(between(0, 1), 0);
        assert_eq!(between(-20, 30), 0, "a slow answer shows nothing");
        assert_eq!(between(-1205, -1200), 1200, "it is ahead of ours");
        assert_eq!(between(1200, 1205), -1199, "it is behind ours");
        let far = "9999-12-31T23:59:59Z".parse().unwrap();
        assert_eq!(offset(far, at(0), at(0)), None);
    }
}
