//! What an answer of Syncro says, in our words. Pure; calls nothing good or bad.
//!
//! Sources: Syncro's API document (`/me`, `/users/{id}`); clients that saw it live (401 for a missing permission,
//! `Retry later` for too many requests).

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::catalog::Probe;

use super::{Failure, Reason};

/// What Syncro's throttle says, with or without the status 429.
const RETRY_LATER: &str = "Retry later";

/// More rights than this are not taken in: they become metrics.
pub const MOST_RIGHTS: usize = 200;

/// A complete answer.
#[derive(Debug, Clone)]
pub struct Answer {
    pub(super) status: u16,
    pub(super) content_type: String,
    pub(super) body: Vec<u8>,
}

/// One entry of `/me.permissions`: `ticket.write`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "String")]
pub struct Right(Cow<'static, str>);

impl From<String> for Right {
    fn from(name: String) -> Self {
        Self::new(&name)
    }
}

impl Right {
    /// The right's name. One that Syncro's API document names takes no memory.
    pub fn new(name: &str) -> Self {
        /// From the example of `GET /me`, and `chat` as clients saw it.
        const KNOWN: [&str; 24] = [
            "asset.read",
            "asset.write",
            "asset.delete",
            "customer.read",
            "customer.write",
            "customer.delete",
            "ticket.read",
            "ticket.write",
            "ticket.delete",
            "invoice.read",
            "invoice.write",
            "invoice.delete",
            "payment.read",
            "payment.write",
            "payment.delete",
            "worksheet.add",
            "worksheet.manage",
            "worksheet.delete",
            "script.execute",
            "chat.show_all",
            "chat.from_unassigned",
            "chat.from_others",
            "chat.to_others",
            "chat.start_chat",
        ];
        let known = KNOWN.into_iter().find(|known| *known == name);
        Self(known.map_or_else(|| Cow::Owned(name.to_owned()), Cow::Borrowed))
    }

    /// As in `/me`, joined with a dot.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Who is behind a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Me {
    /// The user's number.
    pub user_id: u64,
    /// The account that answered.
    pub subdomain: Option<String>,
    /// Whether the user is a Global Admin.
    pub admin: Option<bool>,
    /// Whether the user may use Syncro at all.
    pub can_use_app: Option<bool>,
    /// What the *user* may do, coarsely; sorted. Unknown names are kept.
    pub rights: Vec<(Right, bool)>,
}

/// What `/me` answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MeObservation {
    /// The token works.
    Works(Me),
    /// 401 from the API.
    Refused,
    /// 403, or 401 with a page: perhaps the IP allow-list.
    Blocked,
    /// We could not look.
    Failed(Failure),
}

/// What `/users/{id}` answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UserObservation {
    /// The user's security group, if it has one.
    Group(Option<String>),
    /// We could not look.
    Failed(Failure),
}

/// What a probe's answer says about the permissions it shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProbeObservation {
    /// Held, as an answer with this status shows.
    Granted(u16),
    /// Refused.
    Missing,
    /// An answer that says neither, and would again if asked again.
    Inconclusive(u16),
    /// We could not look.
    Failed(Failure),
}

impl Answer {
    /// A complete answer with this status, content type and body.
    pub fn new(status: u16, content_type: &str, body: Vec<u8>) -> Self {
        Self { status, content_type: content_type.to_owned(), body }
    }

    /// Whether Syncro asks to send fewer requests.
    pub(super) fn is_throttled(&self) -> bool {
        self.status == 429 || self.body.trim_ascii() == RETRY_LATER.as_bytes()
    }

    fn is_html(&self) -> bool {
        self.content_type.to_ascii_lowercase().contains("html") || self.body.trim_ascii_start().starts_with(b"<")
    }

    /// What keeps this answer from being one of the API at all, whatever was asked.
    fn failure(&self) -> Option<Failure> {
        let not_syncro = |detail: String| Some(Failure::new(Reason::NotSyncro, detail));
        match self.status {
            500..=599 => Some(Failure::new(Reason::Http5xx, format!("the server answered {}", self.status))),
            300..=399 => not_syncro(format!("redirected with {}, as the API never does", self.status)),
            _ if self.is_html() => not_syncro(format!("a web page with {}, not an answer of the API", self.status)),
            _ => None,
        }
    }

    fn json(&self) -> Result<Value, Failure> {
        if self.body.trim_ascii().is_empty() {
            return Err(Failure::new(Reason::NotSyncro, "an empty answer"));
        }
        let text =
            std::str::from_utf8(&self.body).map_err(|_| Failure::new(Reason::Malformed, "the answer is not UTF-8"))?;
        serde_json::from_str(text).map_err(|error| {
            if error.is_eof() {
                Failure::new(Reason::Malformed, "the answer ends in the middle")
            } else {
                Failure::new(Reason::NotSyncro, "the answer is not JSON")
            }
        })
    }

    fn unexpected(&self) -> Failure {
        Failure::new(Reason::NotSyncro, format!("an unexpected answer, {}", self.status))
    }

    /// Reads the answer to `/me`.
    pub fn me(&self) -> MeObservation {
        match self.status {
            403 => MeObservation::Blocked,
            401 if self.is_html() => MeObservation::Blocked,
            401 => MeObservation::Refused,
            200 => self
                .failure()
                .map_or_else(|| self.json(), Err)
                .and_then(|value| who(&value))
                .map_or_else(MeObservation::Failed, MeObservation::Works),
            _ => MeObservation::Failed(self.failure().unwrap_or_else(|| self.unexpected())),
        }
    }

    /// Reads the answer to `/users/{id}`.
    pub fn user(&self) -> UserObservation {
        if self.status != 200 {
            return UserObservation::Failed(self.failure().unwrap_or_else(|| self.unexpected()));
        }
        match self.failure().map_or_else(|| self.json(), Err) {
            Ok(value) => {
                let group = value.pointer("/user/group").and_then(Value::as_str);
                UserObservation::Group(group.map(str::trim).filter(|group| !group.is_empty()).map(label))
            }
            Err(failure) => UserObservation::Failed(failure),
        }
    }

    /// Reads the answer to a probe.
    pub fn probe(&self, probe: &Probe) -> ProbeObservation {
        if let Some(failure) = self.failure() {
            return ProbeObservation::Failed(failure);
        }
        match self.status {
            401 => ProbeObservation::Missing,
            status if !probe.granted.contains(&status) => ProbeObservation::Inconclusive(status),
            200..=299 if !self.body.is_empty() => match self.json() {
                Ok(_) => ProbeObservation::Granted(self.status),
                Err(failure) => ProbeObservation::Failed(failure),
            },
            _ => ProbeObservation::Granted(self.status),
        }
    }
}

fn who(value: &Value) -> Result<Me, Failure> {
    let field = |name: &str| value.get(name);
    let user_id = field("user_id")
        .and_then(|id| id.as_u64().or_else(|| id.as_str()?.parse().ok()))
        .ok_or_else(|| Failure::new(Reason::NotSyncro, "JSON without a `user_id`, so not Syncro's `/me`"))?;
    Ok(Me {
        user_id,
        subdomain: field("subdomain").and_then(Value::as_str).map(label),
        admin: field("admin").and_then(Value::as_bool),
        can_use_app: field("can_use_app").and_then(Value::as_bool),
        rights: field("permissions").and_then(Value::as_object).map(rights).unwrap_or_default(),
    })
}

/// `{"ticket": {"write": true}}` as `ticket.write`. What is not a yes or no is passed over, so is what cannot be a label.
fn rights(groups: &Map<String, Value>) -> Vec<(Right, bool)> {
    let mut rights: Vec<(Right, bool)> = groups
        .iter()
        .filter_map(|(group, members)| Some((group, members.as_object()?)))
        .flat_map(|(group, members)| {
            members.iter().filter_map(move |(name, held)| Some((format!("{group}.{name}"), held.as_bool()?)))
        })
        .filter(|(name, _)| name.len() <= 64 && name.bytes().all(|byte| byte.is_ascii_graphic()))
        .map(|(name, held)| (Right::new(&name), held))
        .collect();
    rights.sort();
    // `{"a.b": {"c": ..}}` and `{"a": {"b.c": ..}}` are one name; the stricter value, which sorts first, stays.
    rights.dedup_by(|later, first| later.0 == first.0);
    rights.truncate(MOST_RIGHTS);
    rights
}

/// A name from an answer, bounded, since it becomes a label.
fn label(name: &str) -> String {
    const LONGEST: usize = 100;
    name.chars().filter(|character| !character.is_control()).take(LONGEST).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::catalog::catalog;

    fn answer(status: u16, content_type: &str, body: &str) -> Answer {
        Answer { status, content_type: content_type.to_owned(), body: body.as_bytes().to_vec() }
    }

    fn probe(name: &str) -> &'static Probe {
        catalog().permission(name).and_then(|id| id.get().probe.as_ref()).expect("has a probe")
    }

    fn failed(reason: Reason) -> impl Fn(&MeObservation) -> bool {
        move |seen| matches!(seen, MeObservation::Failed(failure) if failure.reason == reason)
    }

    type Expected = Box<dyn Fn(&MeObservation) -> bool>;

    #[test]
    fn each_answer_to_me_is_named_as_the_contract_says() {
        let json = "application/json; charset=utf-8";
        let me = r#"{"user_id":7,"subdomain":"acme","admin":false,"can_use_app":true,"permissions":{}}"#;
        let cases: Vec<(&str, Answer, Expected)> = vec![
            (
                "good",
                answer(200, json, me),
                Box::new(|seen| matches!(seen, MeObservation::Works(me) if me.user_id == 7)),
            ),
            ("refused", answer(401, json, r#"{"error":"x"}"#), Box::new(|seen| *seen == MeObservation::Refused)),
            ("refused without a body", answer(401, "", ""), Box::new(|seen| *seen == MeObservation::Refused)),
            ("forbidden", answer(403, json, "{}"), Box::new(|seen| *seen == MeObservation::Blocked)),
            ("a page with 401", answer(401, "text/html", "<html>"), Box::new(|seen| *seen == MeObservation::Blocked)),
            ("redirect", answer(302, "", ""), Box::new(failed(Reason::NotSyncro))),
            ("not found", answer(404, json, "{}"), Box::new(failed(Reason::NotSyncro))),
            ("a page", answer(200, "text/html", "<html>"), Box::new(failed(Reason::NotSyncro))),
            (
                "a page that claims to be JSON",
                answer(200, json, " <!DOCTYPE html>"),
                Box::new(failed(Reason::NotSyncro)),
            ),
            ("not JSON", answer(200, json, "Disabled"), Box::new(failed(Reason::NotSyncro))),
            ("without user_id", answer(200, json, "{}"), Box::new(failed(Reason::NotSyncro))),
            ("null", answer(200, json, "null"), Box::new(failed(Reason::NotSyncro))),
            ("empty", answer(200, json, ""), Box::new(failed(Reason::NotSyncro))),
            ("half", answer(200, json, &me[..30]), Box::new(failed(Reason::Malformed))),
            ("server error", answer(503, "text/html", "<html>"), Box::new(failed(Reason::Http5xx))),
            ("teapot", answer(418, json, "{}"), Box::new(failed(Reason::NotSyncro))),
        ];
        for (name, answer, expected) in cases {
            assert!(expected(&answer.me()), "{name}: {:?}", answer.me());
        }
        let garbled =
            Answer { status: 200, content_type: json.to_owned(), body: b"{\"user_id\":7,\"x\":\"\xff\"}".to_vec() };
        assert!(failed(Reason::Malformed)(&garbled.me()));
    }

    #[test]
    fn an_unknown_permission_or_key_in_me_is_data_not_an_error() {
        let body = r#"{"user_id":"7","new_key":{"a":[1]},"permissions":{"ticket":{"write":true,"level":3},"moon":{"land":false},"odd":1}}"#;
        let MeObservation::Works(me) = answer(200, "application/json", body).me() else { panic!("works") };
        assert_eq!(me.rights, [(Right::new("moon.land"), false), (Right::new("ticket.write"), true)]);
        assert_eq!((me.admin, me.can_use_app, me.subdomain), (None, None, None));
    }

    #[test]
    fn two_spellings_of_one_right_are_one_right_and_too_many_are_cut() {
        let body = r#"{"user_id":7,"permissions":{"a.b":{"c":true},"a":{"b.c":false}}}"#;
        let MeObservation::Works(me) = answer(200, "application/json", body).me() else { panic!("works") };
        assert_eq!(me.rights, [(Right::new("a.b.c"), false)]);
        let many: serde_json::Map<_, _> = (0..500).map(|number| (number.to_string(), true.into())).collect();
        let body = serde_json::json!({"user_id": 7, "permissions": {"x": many}}).to_string();
        let MeObservation::Works(me) = answer(200, "application/json", &body).me() else { panic!("works") };
        assert_eq!(me.rights.len(), MOST_RIGHTS);
    }

    #[test]
    fn too_many_requests_are_known_by_status_or_by_text() {
        assert!(answer(429, "application/json", "{}").is_throttled());
        assert!(answer(200, "text/plain", "Retry later\n").is_throttled());
        assert!(!answer(200, "text/plain", "Retry later, please").is_throttled());
    }

    #[test]
    fn a_probe_is_granted_missing_or_says_nothing() {
        let json = "application/json";
        let list = probe("Tickets - List/Search");
        let record = probe("Tickets - Create");
        let appointments = probe("Appointments - View All");
        let cases = [
            ("a list", list, answer(200, json, "{\"tickets\":[]}"), ProbeObservation::Granted(200)),
            ("null", record, answer(200, json, "null"), ProbeObservation::Granted(200)),
            (
                "no such record",
                record,
                answer(404, json, "{\"message\":\"Not found\"}"),
                ProbeObservation::Granted(404),
            ),
            ("no such record, no body", record, answer(404, "", ""), ProbeObservation::Granted(404)),
            ("no such list", list, answer(404, json, "{}"), ProbeObservation::Inconclusive(404)),
            ("refused", list, answer(401, json, "{\"error\":\"Not authorized.\"}"), ProbeObservation::Missing),
            ("forbidden", list, answer(403, json, "{}"), ProbeObservation::Inconclusive(403)),
            ("own entries only", appointments, answer(200, json, "{}"), ProbeObservation::Inconclusive(200)),
            ("no appointments", appointments, answer(401, json, "{}"), ProbeObservation::Missing),
        ];
        for (name, probe, answer, expected) in cases {
            assert_eq!(answer.probe(probe), expected, "{name}");
        }
        for (name, answer, reason) in [
            ("a page", answer(200, "text/html", "<html>"), Reason::NotSyncro),
            ("a page with 401", answer(401, "text/html", "<html>"), Reason::NotSyncro),
            ("a page with 404", answer(404, "text/html", "<html>"), Reason::NotSyncro),
            ("half", answer(200, json, "{\"tickets\":["), Reason::Malformed),
            ("server error", answer(500, json, "{}"), Reason::Http5xx),
        ] {
            assert!(
                matches!(answer.probe(record), ProbeObservation::Failed(failure) if failure.reason == reason)
                    || name == "half" && matches!(answer.probe(list), ProbeObservation::Failed(_)),
                "{name}: {:?}",
                answer.probe(record)
            );
        }
    }

    #[test]
    fn the_security_group_is_one_name() {
        let group = |body: &str| answer(200, "application/json", body).user();
        assert_eq!(group(r#"{"user":{"group":" Admins "}}"#), UserObservation::Group(Some("Admins".to_owned())));
        for body in [r#"{"user":{"group":null}}"#, r#"{"user":{}}"#, "{}"] {
            assert_eq!(group(body), UserObservation::Group(None), "{body}");
        }
        assert!(matches!(answer(404, "application/json", "{}").user(), UserObservation::Failed(_)));
    }

    proptest! {
        #[test]
        fn any_answer_is_read_without_a_panic(status in 100..600_u16, html: bool, body: Vec<u8>) {
            let content_type = if html { "text/html" } else { "application/json" }.to_owned();
            let answer = Answer { status, content_type, body };
            let refused = answer.me() == MeObservation::Refused;
            prop_assert_eq!(refused, status == 401 && !answer.is_html());
            answer.user();
            for (_, permission) in catalog().permissions() {
                if let Some(probe) = &permission.probe {
                    let missing = answer.probe(probe) == ProbeObservation::Missing;
                    prop_assert_eq!(missing, status == 401 && !answer.is_html());
                }
            }
        }
    }
}
