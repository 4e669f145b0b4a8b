//! Classifies the answers of Syncro. Pure; it calls nothing good or bad.
//!
//! Sources: Syncro's API document (`/me`, `/users/{id}`); clients that saw it live (401 for a missing permission,
//! `Retry later` for too many requests).

use std::collections::BTreeMap;

use crate::catalog::Probe;
use crate::model::disturbs;

use super::challenge::challenger;
use super::record::List;
use super::shown::{MOST_RIGHTS, Me, MeObservation, ProbeObservation, Right, UserObservation};
use super::{Failure, Reason, json};

/// The text of Syncro's throttle, which comes with or without the status 429.
const RETRY_LATER: &str = "Retry later";

/// How Syncro's documented refusal of a call without its permission begins (the 401 of `GET /contacts`).
const NO_PERMISSION: &str = "Not authorized. Please ask account admin";

/// An answer of Syncro. Of its body there may be only the beginning.
#[derive(Debug, Clone)]
pub struct Answer {
    pub(super) status: u16,
    content_type: String,
    body: Vec<u8>,
    /// Why the body is not whole, or cannot be read, if that is so.
    broken: Option<Failure>,
    /// The vendor of the firewall that answered in Syncro's place, if one did.
    challenger: Option<&'static str>,
}

impl Answer {
    /// A complete answer with this status, content type and body.
    pub fn new(status: u16, content_type: &str, body: Vec<u8>) -> Self {
        Self { status, content_type: content_type.to_owned(), body, broken: None, challenger: None }
    }

    /// The same answer with the reason why its body is not whole, if it is not.
    pub(super) fn broken(self, broken: Option<Failure>) -> Self {
        Self { broken, ..self }
    }

    /// The HTTP status.
    pub(crate) fn status(&self) -> u16 {
        self.status
    }

    /// Whether the request was let through.
    pub(crate) fn is_let_through(&self) -> bool {
        (200..300).contains(&self.status) && self.failure().is_none()
    }

    /// Why the body is not whole, or cannot be read, if that is so.
    pub fn body_failure(&self) -> Option<&Failure> {
        self.broken.as_ref()
    }

    /// The same answer, with what its headers and its body show about who made it.
    pub(super) fn with_challenger<'a>(mut self, header: impl Fn(&str) -> Option<&'a str>) -> Self {
        self.challenger = challenger(self.status, header, self.is_html(), &self.body);
        self
    }

    /// Whether Syncro asks to send fewer requests.
    pub(super) fn is_throttled(&self) -> bool {
        self.status == 429 || self.body.trim_ascii() == RETRY_LATER.as_bytes()
    }

    fn is_html(&self) -> bool {
        self.content_type.to_ascii_lowercase().contains("html") || self.start() == Some(b'<')
    }

    /// The first byte of the body that is neither a byte order mark nor white space.
    fn start(&self) -> Option<u8> {
        let body = self.body.strip_prefix("\u{feff}".as_bytes()).unwrap_or(&self.body);
        body.trim_ascii_start().first().copied()
    }

    /// Whether the answer seems to be JSON, by its type or by how it begins.
    fn is_json(&self) -> bool {
        !self.is_html()
            && (self.content_type.to_ascii_lowercase().contains("json") || matches!(self.start(), Some(b'{' | b'[')))
    }

    /// Whether the whole body is there and has nothing in it.
    fn is_empty(&self) -> bool {
        self.body.is_empty() && self.broken.is_none()
    }

    /// The failure that a firewall answered in Syncro's place, if one did.
    pub(super) fn challenge(&self) -> Option<Failure> {
        let vendor = self.challenger?;
        Some(Failure::new(
            Reason::NotSyncro,
            format!("a challenge page of {vendor} with {}, not an answer of the API", self.status),
        ))
    }

    /// Why this is no answer of the API at all, whatever was asked, if it is none.
    pub(super) fn failure(&self) -> Option<Failure> {
        let not_syncro = |detail: String| Some(Failure::new(Reason::NotSyncro, detail));
        match self.status {
            _ if self.challenger.is_some() => self.challenge(),
            500..=599 => Some(Failure::new(Reason::Http5xx, format!("the server answered {}", self.status))),
            300..=399 => not_syncro(format!("redirected with {}, as the API never does", self.status)),
            _ if self.is_html() => not_syncro(format!("a web page with {}, not an answer of the API", self.status)),
            _ => None,
        }
    }

    /// Why a refusal gives no verdict, if it does not: it may have been a page, of which nothing arrived that would
    /// show it.
    fn unclear(&self) -> Option<&Failure> {
        self.broken.as_ref().filter(|_| !self.is_json())
    }

    /// Whether the request was refused.
    pub(crate) fn is_refusal(&self) -> bool {
        self.status == 401 && self.failure().is_none()
    }

    /// Whether a refusal has the sentence that Syncro's API document has for a missing permission (`GET /contacts`).
    pub(crate) fn names_permissions(&self) -> bool {
        let error = |text| json::string(json::member(&json::members(text, |name| name == "error").ok()?, "error")?);
        self.text().ok().and_then(error).is_some_and(|error| error.starts_with(NO_PERMISSION))
    }

    /// The whole body as a text, for an answer whose body matters.
    pub(super) fn text(&self) -> Result<&str, Failure> {
        if let Some(broken) = &self.broken {
            return Err(broken.clone());
        }
        if self.body.trim_ascii().is_empty() {
            return Err(Failure::new(Reason::NotSyncro, "an empty answer"));
        }
        std::str::from_utf8(&self.body).map_err(|_| Failure::new(Reason::Malformed, "the answer is not UTF-8"))
    }

    pub(super) fn unexpected(&self) -> Failure {
        Failure::new(Reason::NotSyncro, format!("an unexpected answer, {}", self.status))
    }

    /// Classifies the answer to `/me`.
    pub fn me(&self) -> MeObservation {
        if let Some(failure) = self.challenge() {
            return MeObservation::Failed(failure);
        }
        match self.status {
            403 => MeObservation::Blocked,
            401 if self.is_html() => MeObservation::Blocked,
            401 if self.names_permissions() => MeObservation::Restricted,
            401 => self.unclear().cloned().map_or(MeObservation::Refused, MeObservation::Failed),
            200 => self
                .failure()
                .map_or_else(|| self.text(), Err)
                .and_then(me)
                .map_or_else(MeObservation::Failed, MeObservation::Works),
            _ => MeObservation::Failed(self.failure().unwrap_or_else(|| self.unexpected())),
        }
    }

    /// Classifies the answer to `/users/{id}`.
    pub fn user(&self) -> UserObservation {
        if self.status != 200 {
            return UserObservation::Failed(self.failure().unwrap_or_else(|| self.unexpected()));
        }
        self.failure()
            .map_or_else(|| self.text(), Err)
            .and_then(group)
            .map_or_else(UserObservation::Failed, UserObservation::Group)
    }

    /// Classifies the answer to a probe of a record that a list has shown to exist. That it is not found then says
    /// nothing: what it belongs to may be switched off.
    pub fn probe_of_record(&self, probe: &Probe) -> ProbeObservation {
        match self.probe(probe) {
            ProbeObservation::Missing => ProbeObservation::OfRecord { granted: false },
            ProbeObservation::Granted(200..=299) | ProbeObservation::LetThrough(200..=299) => {
                ProbeObservation::OfRecord { granted: true }
            }
            ProbeObservation::Granted(status) | ProbeObservation::LetThrough(status) => {
                ProbeObservation::Inconclusive(status)
            }
            other => other,
        }
    }

    /// What the list that the answer has shows besides.
    pub fn list(&self) -> List {
        self.text().ok().filter(|_| self.status == 200).map(List::of).unwrap_or_default()
    }

    /// Classifies the answer to a probe. Its status is the evidence; the body only shows that the answer is Syncro's.
    pub fn probe(&self, probe: &Probe) -> ProbeObservation {
        if let Some(failure) = self.failure() {
            return ProbeObservation::Failed(failure);
        }
        match self.status {
            401 => self.unclear().cloned().map_or(ProbeObservation::Missing, ProbeObservation::Failed),
            200..=299 if !probe.granted.contains(&self.status) => ProbeObservation::LetThrough(self.status),
            status if !probe.granted.contains(&status) => ProbeObservation::Inconclusive(status),
            status if probe.is_any_of() => ProbeObservation::LetThrough(status),
            200..=299 if !self.is_json() && !self.is_empty() => {
                match self.text().and_then(|text| json::members(text, |_| false)) {
                    Ok(_) => ProbeObservation::Granted(self.status),
                    Err(failure) => ProbeObservation::Failed(failure),
                }
            }
            _ => ProbeObservation::Granted(self.status),
        }
    }
}

fn me(text: &str) -> Result<Me, Failure> {
    const NEEDED: [&str; 6] = ["user_id", "user_name", "subdomain", "admin", "can_use_app", "permissions"];
    let members = json::members(text, |name| NEEDED.contains(&name))?;
    let field = |name: &str| json::member(&members, name);
    let user_id = field("user_id")
        .and_then(json::number)
        .ok_or_else(|| Failure::new(Reason::NotSyncro, "JSON without a `user_id`, so not Syncro's `/me`"))?;
    Ok(Me {
        user_id,
        user_name: field("user_name").and_then(json::string).and_then(|name| person(&name)),
        subdomain: field("subdomain").and_then(json::string).map(|name| label(&name)),
        admin: field("admin").and_then(json::boolean),
        can_use_app: field("can_use_app").and_then(json::boolean),
        rights: field("permissions").map(rights).unwrap_or_default(),
    })
}

/// Reads the security group in `{"user": {"group": "Technicians"}}`.
fn group(text: &str) -> Result<Option<String>, Failure> {
    let answer = json::members(text, |name| name == "user")?;
    let user = json::member(&answer, "user").map(|user| json::members(user, |name| name == "group")).transpose()?;
    let group = user.as_ref().and_then(|user| json::string(json::member(user, "group")?));
    Ok(group.as_deref().map(str::trim).filter(|group| !group.is_empty()).map(label))
}

/// Reads `{"ticket": {"write": true}}` as `ticket.write`. What is neither `true` nor `false` is ignored, and so is what
/// cannot be a label.
fn rights(groups: &str) -> Vec<(Right, bool)> {
    const LONGEST: usize = 64;
    let is_label = |name: &str| name.len() <= LONGEST && name.bytes().all(|byte| byte.is_ascii_graphic());
    let mut rights: BTreeMap<String, bool> = BTreeMap::new();
    let groups: BTreeMap<_, _> = json::members(groups, is_label).unwrap_or_default().into_iter().collect();
    for (group, members) in groups {
        let members: BTreeMap<_, _> = json::members(members, is_label).unwrap_or_default().into_iter().collect();
        let granted = members.into_iter().filter_map(|(name, granted)| Some((name, json::boolean(granted)?)));
        for (name, granted) in granted.filter(|(name, _)| group.len() + name.len() < LONGEST) {
            // `{"a.b": {"c": ..}}` and `{"a": {"b.c": ..}}` are one name; the stricter value counts.
            let right = rights.entry(format!("{group}.{name}")).or_insert(granted);
            *right &= granted;
        }
    }
    rights.into_iter().take(MOST_RIGHTS).map(|(name, granted)| (Right::new(&name), granted)).collect()
}

/// The name of a person. An e-mail address in its place is neither kept nor shown.
fn person(name: &str) -> Option<String> {
    let name = label(name.trim());
    Some(name).filter(|name| !name.is_empty() && !name.contains('@'))
}

/// A name from an answer, cut to 100 characters, since it becomes a label.
fn label(name: &str) -> String {
    const LONGEST: usize = 100;
    name.chars().filter(|character| !disturbs(*character)).take(LONGEST).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::catalog::catalog;

    fn answer(status: u16, content_type: &str, body: &str) -> Answer {
        Answer::new(status, content_type, body.as_bytes().to_vec())
    }

    fn probe(name: &str) -> &'static Probe {
        catalog().permission(name).and_then(|id| id.get().probe.as_ref()).expect("has a probe")
    }

    fn failed_with(reason: Reason) -> impl Fn(&MeObservation) -> bool {
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
            (
                "refused with the sentence for a missing permission",
                answer(
                    401,
                    json,
                    r#"{"error":"Not authorized. Please ask account admin to update your group permissions."}"#,
                ),
                Box::new(|seen| *seen == MeObservation::Restricted),
            ),
            (
                "refused with half of it",
                answer(401, json, r#"{"error":"Not auth"#),
                Box::new(|seen| *seen == MeObservation::Refused),
            ),
            ("forbidden", answer(403, json, "{}"), Box::new(|seen| *seen == MeObservation::Blocked)),
            ("a page with 401", answer(401, "text/html", "<html>"), Box::new(|seen| *seen == MeObservation::Blocked)),
            ("redirect", answer(302, "", ""), Box::new(failed_with(Reason::NotSyncro))),
            ("not found", answer(404, json, "{}"), Box::new(failed_with(Reason::NotSyncro))),
            ("a page", answer(200, "text/html", "<html>"), Box::new(failed_with(Reason::NotSyncro))),
            (
                "a page that claims to be JSON",
                answer(200, json, " <!DOCTYPE html>"),
                Box::new(failed_with(Reason::NotSyncro)),
            ),
            ("not JSON", answer(200, json, "Disabled"), Box::new(failed_with(Reason::NotSyncro))),
            ("without user_id", answer(200, json, "{}"), Box::new(failed_with(Reason::NotSyncro))),
            ("null", answer(200, json, "null"), Box::new(failed_with(Reason::NotSyncro))),
            ("empty", answer(200, json, ""), Box::new(failed_with(Reason::NotSyncro))),
            ("half", answer(200, json, &me[..30]), Box::new(failed_with(Reason::Malformed))),
            ("server error", answer(503, "text/html", "<html>"), Box::new(failed_with(Reason::Http5xx))),
            ("teapot", answer(418, json, "{}"), Box::new(failed_with(Reason::NotSyncro))),
        ];
        for (name, answer, expected) in cases {
            assert!(expected(&answer.me()), "{name}: {:?}", answer.me());
        }
        let garbled = Answer::new(200, json, b"{\"user_id\":7,\"x\":\"\xff\"}".to_vec());
        assert!(failed_with(Reason::Malformed)(&garbled.me()));
    }

    #[test]
    fn an_unknown_permission_or_key_in_me_is_data_not_an_error() {
        let permissions = r#"{"ticket":{"write":true,"level":3},"moon":{"land":false},"odd":1}"#;
        let body = &format!(r#"{{"user_id":"7","new_key":{{"a":[1]}},"permissions":{permissions}}}"#);
        let MeObservation::Works(me) = answer(200, "application/json", body).me() else { panic!("works") };
        assert_eq!(me.rights, [(Right::new("moon.land"), false), (Right::new("ticket.write"), true)]);
        assert_eq!((me.admin, me.can_use_app, me.subdomain), (None, None, None));
    }

    #[test]
    fn a_user_is_named_but_never_by_an_e_mail_address() {
        let name = |name: &str| {
            let body =
                serde_json::json!({"user_id": 7, "user_name": name, "user_email": "pat@example.com"}).to_string();
            let MeObservation::Works(me) = answer(200, "application/json", &body).me() else { panic!("works") };
            me.user_name
        };
        assert_eq!(name(" Pat Doe "), Some("Pat Doe".to_owned()));
        assert_eq!(name("pat@example.com"), None);
        assert_eq!(name(" "), None);
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
    fn what_can_be_no_label_is_no_right() {
        let body = |group: &str, right: &str| {
            serde_json::json!({"user_id": 7, "permissions": {group: {right: true, "ok": false}}}).to_string()
        };
        let rights = |group: &str, right: &str| {
            let seen = answer(200, "application/json", &body(group, right)).me();
            let MeObservation::Works(me) = seen else { panic!("works") };
            me.rights.len()
        };
        let (whole, half) = ("x".repeat(64), "x".repeat(32));
        assert_eq!([rights("a", "b"), rights(&half, &half[1..]), rights(&half, &half)], [2, 2, 1]);
        assert_eq!([rights("a b", "c"), rights("a", "b c"), rights("ä", "b"), rights(&whole, "b")], [0, 1, 0, 0]);
    }

    #[test]
    fn only_an_answer_of_the_api_lets_through_or_refuses() {
        let json = "application/json";
        let (let_through, refused) = (|answer: Answer| answer.is_let_through(), |answer: Answer| answer.is_refusal());
        assert!(let_through(answer(200, json, "{}")) && let_through(answer(299, json, "{}")));
        assert!(!let_through(answer(404, json, "{}")) && !let_through(answer(200, "text/html", "<html>")));
        assert!(refused(answer(401, json, "{}")) && !refused(answer(403, json, "{}")));
        assert!(!refused(answer(401, "text/html", "<html>")));
        let failure = Failure::new(Reason::TooLarge, "too long");
        assert_eq!(answer(200, json, "{").body_failure(), None);
        assert_eq!(answer(200, json, "{").broken(Some(failure.clone())).body_failure(), Some(&failure));
        let listed = |status| answer(status, json, r#"{"tickets":[{"id":3}]}"#).list().records.len();
        assert_eq!((listed(200), listed(404)), (1, 0));
    }

    #[test]
    fn throttling_is_recognized_by_status_or_by_text() {
        assert!(answer(429, "application/json", "{}").is_throttled());
        assert!(answer(200, "text/plain", "Retry later\n").is_throttled());
        assert!(!answer(200, "text/plain", "Retry later, please").is_throttled());
    }

    #[test]
    fn a_probe_shows_granted_missing_or_nothing() {
        let json = "application/json";
        let list = probe("Tickets - List/Search");
        let record = probe("Tickets - Create");
        let appointments = probe("Appointments - View All");
        let delete = catalog().permission("Tickets - Delete").and_then(|id| id.get().write_probe.as_ref()).unwrap();
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
            ("nothing at all", record, answer(200, "", ""), ProbeObservation::Granted(200)),
            ("odd success", delete, answer(200, json, "{}"), ProbeObservation::LetThrough(200)),
            ("one of two", probe("Tickets - View Details"), answer(404, json, "{}"), ProbeObservation::LetThrough(404)),
            ("no such list", list, answer(404, json, "{}"), ProbeObservation::Inconclusive(404)),
            ("half a list", list, answer(200, json, "{\"tickets\":["), ProbeObservation::Granted(200)),
            ("not even JSON", list, answer(200, json, "Disabled"), ProbeObservation::Granted(200)),
            ("a list without a type", list, answer(200, "", " [1,"), ProbeObservation::Granted(200)),
            ("an odd list", list, answer(200, "", "{\"x\":1e999,\"y\":\"\\ud83d\"}"), ProbeObservation::Granted(200)),
            ("a number", record, answer(200, "text/plain", "7"), ProbeObservation::Granted(200)),
            ("refused", list, answer(401, json, "{\"error\":\"Not authorized.\"}"), ProbeObservation::Missing),
            ("forbidden", list, answer(403, json, "{}"), ProbeObservation::Inconclusive(403)),
            ("no appointments", appointments, answer(401, json, "{}"), ProbeObservation::Missing),
        ];
        for (name, probe, answer, expected) in cases {
            assert_eq!(answer.probe(probe), expected, "{name}");
        }
        for (name, answer, reason) in [
            ("a page", answer(200, "text/html", "<html>"), Reason::NotSyncro),
            ("a page with 401", answer(401, "text/html", "<html>"), Reason::NotSyncro),
            ("a page with 404", answer(404, "text/html", "<html>"), Reason::NotSyncro),
            ("a page that claims to be JSON", answer(200, json, "\u{feff} <html>"), Reason::NotSyncro),
            ("plain text", answer(200, "text/plain", "Disabled"), Reason::NotSyncro),
            ("redirect", answer(302, json, "{}"), Reason::NotSyncro),
            ("server error", answer(500, json, "{}"), Reason::Http5xx),
        ] {
            assert!(
                matches!(answer.probe(record), ProbeObservation::Failed(failure) if failure.reason == reason),
                "{name}: {:?}",
                answer.probe(record)
            );
        }
    }

    #[test]
    fn a_body_that_breaks_off_changes_nothing_about_the_status() {
        let broken = |status, content_type, body: &str| {
            answer(status, content_type, body).broken(Some(Failure::new(Reason::TooLarge, "too long")))
        };
        let (json, list) = ("application/json", probe("Tickets - List/Search"));
        let failed = ProbeObservation::Failed(Failure::new(Reason::TooLarge, "too long"));
        for (answer, expected) in [
            (broken(200, json, ""), ProbeObservation::Granted(200)),
            (broken(200, "", "{\"tickets\":["), ProbeObservation::Granted(200)),
            (broken(401, json, ""), ProbeObservation::Missing),
            (broken(404, "", ""), ProbeObservation::Inconclusive(404)),
            // Nothing shows that this is no page.
            (broken(200, "", ""), failed.clone()),
            (broken(401, "", ""), failed),
        ] {
            assert_eq!(answer.probe(list), expected, "{answer:?}");
        }
        let page = broken(200, "text/html", "").probe(list);
        assert!(matches!(page, ProbeObservation::Failed(failure) if failure.reason == Reason::NotSyncro));
        assert_eq!(broken(401, json, "{").me(), MeObservation::Refused);
        assert!(failed_with(Reason::TooLarge)(&broken(401, "", "").me()), "perhaps a page");
        assert!(
            failed_with(Reason::TooLarge)(&broken(200, json, "{\"user_id\":7").me()),
            "there the body is the evidence"
        );
        assert!(matches!(broken(200, json, "{").user(), UserObservation::Failed(_)));
    }

    #[test]
    fn a_challenge_page_is_no_verdict_and_a_refusal_stays_one() {
        let cloudflare = |name: &str| (name == "server").then_some("cloudflare");
        let page = |status| answer(status, "text/html", "<title>Just a moment...</title>").with_challenger(cloudflare);
        for status in [200, 401, 403, 429, 503] {
            let seen = page(status).me();
            let named = matches!(&seen, MeObservation::Failed(failure)
                if failure.reason == Reason::NotSyncro && failure.detail.contains("a challenge page of Cloudflare"));
            assert!(named, "{status}: {seen:?}");
            assert!(matches!(page(status).user(), UserObservation::Failed(_)), "{status}");
            let probed = page(status).probe(probe("Tickets - List/Search"));
            assert!(
                matches!(probed, ProbeObservation::Failed(failure) if failure.detail.contains("Cloudflare")),
                "{status}"
            );
        }
        let json = |status| answer(status, "application/json", "{\"error\":\"x\"}").with_challenger(cloudflare);
        assert_eq!((json(401).me(), json(403).me()), (MeObservation::Refused, MeObservation::Blocked));
        let own =
            |status| answer(status, "text/html", "<h1>Your address is not allowed</h1>").with_challenger(|_| None);
        assert_eq!((own(401).me(), own(403).me()), (MeObservation::Blocked, MeObservation::Blocked));
    }

    #[test]
    fn what_is_odd_in_a_field_that_nobody_needs_costs_nothing() {
        let odd = [
            r#""\ud83d""#,
            r#""\udc00""#,
            "1e999",
            &"9".repeat(400),
            &format!("{}{}", "[".repeat(500), "]".repeat(500)),
        ];
        for odd in odd {
            let body = format!(
                "\u{feff}{{\"x\":{odd},\"user_id\":\"7\",\"user_id\":7,\"admin\":{odd},\
                 \"permissions\":{{\"x\":{odd},\"ticket\":{{\"y\":{odd},\"read\":false,\"read\":true}}}}}}"
            );
            let MeObservation::Works(me) = answer(200, "application/json", &body).me() else { panic!("works: {odd}") };
            assert_eq!((me.user_id, me.admin), (7, None));
            assert_eq!(me.rights, [(Right::new("ticket.read"), true)], "of two the last counts");
            let body = format!("{{\"x\":{odd},\"user\":{{\"full_name\":{odd},\"group\":\"Admins\"}}}}");
            let group = UserObservation::Group(Some("Admins".to_owned()));
            assert_eq!(answer(200, "application/json", &body).user(), group, "{odd}");
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
            let answer = Answer::new(status, &content_type, body);
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
