//! The bodies are what the services take, by schemas of their public documentation, whatever the notification holds.

use boon::{Compiler, Schemas};
use serde_json::json;

use super::*;
use crate::alert::Acknowledgement;
use crate::config::{EXAMPLES, Template};

pub(super) const SLACK: &str = include_str!("../../../tests/schemas/slack.json");
pub(super) const TEAMS: &str = include_str!("../../../tests/schemas/teams.json");
const PAGERDUTY: &str = include_str!("../../../tests/schemas/pagerduty.json");

/// Notifications that are ordinary, long, strange, and about everything.
fn notifications() -> Vec<Notification> {
    let ordinary = notification("a", Change::New);
    let mut long = notification("a", Change::Reminder);
    let text = "<&> *of* _many_ [words](x) \u{1f534} ".repeat(1000);
    long.key.of = Scope::of_token(&"ten<ant> ".repeat(12), &"töken & ".repeat(100));
    long.affected = (0..200).map(|number| Affected::permission(&format!("{number} {text}"), &text)).collect();
    long.message = Message::new(text.clone(), vec![text.clone(); 100]);
    long.message.profiles = vec![text.clone(); 100];
    (long.message.security_group, long.message.shown_by) = (Some(text.clone()), Some(text.clone()));
    let (by, reason) = (text.clone(), text.clone());
    long.acknowledged = Some(Acknowledgement { by, reason, until: at(60), at: at(0) });
    (long.message.contact, long.message.note) = (Some(text.clone()), Some(text));
    let mut fleet = notification("a", Change::Resolved);
    (fleet.key.of, fleet.severity, fleet.affected) = (Scope::Fleet, Severity::Warning, Vec::new());
    vec![ordinary, long, fleet]
}

fn sent(format: &Format, notification: Notification) -> Outgoing {
    let delivery = Delivery { id: 7, receiver: "x".into(), queued_at: at(60), notification: Arc::new(notification) };
    let hook = Webhook { format: format.clone(), put: false, headers: Vec::new(), secret_file: None };
    super::super::request::request(&ReceiverKind::Webhook(hook), &[delivery], "http://here").unwrap()
}

#[test]
fn every_body_is_valid_by_the_schema_of_its_service() {
    let formats = [
        (Format::Slack, SLACK, 16_000),
        (Format::Teams, TEAMS, 28_000),
        (Format::PagerDuty("key".into()), PAGERDUTY, 512_000),
    ];
    for (format, schema, longest) in formats {
        let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
        compiler.enable_format_assertions();
        compiler.add_resource("schema.json", serde_json::from_str(schema).unwrap()).unwrap();
        let schema = compiler.compile("schema.json", &mut schemas).unwrap();
        for notification in notifications() {
            let outgoing = sent(&format, notification);
            assert!(outgoing.body.len() <= longest, "{format:?}: {} bytes", outgoing.body.len());
            let mut body: Value = serde_json::from_str(&outgoing.body).unwrap();
            if outgoing.routing_key.is_some() {
                body["routing_key"] = "0123456789abcdef0123456789abcdef".into();
            }
            schemas.validate(&body, schema).unwrap_or_else(|error| panic!("{format:?}: {error}\n{body:#}"));
        }
        let bad = json!({ "type": "message", "text": 3, "event_action": "trigger" });
        assert!(schemas.validate(&bad, schema).is_err(), "the schema refuses something");
    }
}

/// A name with everything that a chat could take for more than a name.
pub(super) const HOSTILE: &str =
    "@everyone `@here` [renew](https://evil.example) <!channel> <https://evil.example|Syncro> *x* evil.example";

/// Every text of a body in which a chat reads markup: it does not in the summary for where attachments are not shown.
pub(super) fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![text.clone()],
        Value::Array(members) => members.iter().flat_map(texts).collect(),
        Value::Object(members) => {
            members.iter().filter(|(name, _)| *name != "fallback").flat_map(|(_, value)| texts(value)).collect()
        }
        _ => Vec::new(),
    }
}

#[test]
fn a_name_addresses_nobody_and_leads_nowhere_in_chats_with_a_markup() {
    let hostile = || {
        let mut hostile = notification("a", Change::Reminder);
        hostile.key.of = Scope::of_token(HOSTILE, HOSTILE);
        let (by, reason) = (HOSTILE.to_owned(), HOSTILE.to_owned());
        hostile.acknowledged = Some(Acknowledgement { by, reason, until: at(60), at: at(0) });
        hostile.message =
            Message::new(format!("token `{}`", HOSTILE.replace('`', "'")), vec![HOSTILE.replace('`', "'")]);
        (hostile.message.contact, hostile.message.note) = (Some(HOSTILE.to_owned()), Some(HOSTILE.to_owned()));
        hostile
    };
    let hook = Webhook { format: Format::Slack, put: false, headers: Vec::new(), secret_file: None };
    let delivery = |id| Delivery { id, receiver: "x".into(), queued_at: at(60), notification: Arc::new(hostile()) };
    for deliveries in [vec![delivery(1)], vec![delivery(1), delivery(2)]] {
        let kind = ReceiverKind::Webhook(hook.clone());
        let body = super::super::request::request(&kind, &deliveries, "http://here").unwrap().body;
        for text in texts(&serde_json::from_str(&body).unwrap()) {
            harmless(&text);
        }
    }
}

/// Nothing in a text for a chat with a markup is more than text, but our own links and the alert in bold.
pub(super) fn harmless(text: &str) {
    assert!(!["@everyone", "@here", "]("].iter().any(|markup| text.contains(markup)), "{text}");
    assert!(text.split('<').skip(1).all(|link| link.starts_with("http://here/")), "{text}");
    // Names are between backticks, in which nothing is markup; what people wrote is not, and is shown as they wrote it.
    assert!(text.lines().all(|line| line.matches('`').count() % 2 == 0), "{text}");
}

#[test]
fn pagerduty_has_one_incident_for_an_alert() {
    let format = Format::PagerDuty("key".into());
    let body = |change| serde_json::from_str::<Value>(&sent(&format, notification("a", change)).body).unwrap();
    let (begins, ends) = (body(Change::New), body(Change::Resolved));
    assert_eq!((&begins["event_action"], &ends["event_action"]), (&"trigger".into(), &"resolve".into()));
    assert_eq!(begins["dedup_key"], ends["dedup_key"]);
    assert_eq!(begins["dedup_key"], begins["payload"]["custom_details"]["id"]);
    assert_eq!(begins["payload"]["custom_details"]["steps"], json!(["Open it", "Save"]));
    assert_eq!(begins["payload"]["summary"], "token `a` & <more>");
    assert_eq!((&begins["payload"]["severity"], &begins["payload"]["group"]), (&"critical".into(), &"acme".into()));
}

#[test]
fn teams_shows_names_as_they_are() {
    let body = serde_json::from_str::<Value>(&sent(&Format::Teams, notification("a_b_c", Change::New)).body).unwrap();
    let card = &body["attachments"][0]["content"];
    let text = |at: usize| card["body"][at]["inlines"][0]["text"].as_str().unwrap().to_owned();
    assert!(text(0).ends_with("firing critical: TokenRejected acme / a_b_c"), "{body}");
    assert_eq!([text(1), text(2), text(3)], ["token `a_b_c` & <more>", "1. Open it", "2. Save"]);
    assert_eq!(card["actions"][0]["url"], "http://here/runbooks/TokenRejected");
}

#[test]
fn a_template_may_name_what_a_notification_has_and_no_more() {
    let of = |index: usize| {
        let delivery = Delivery {
            id: 7,
            receiver: "x".into(),
            queued_at: at(60),
            notification: Arc::new(notifications().remove(index)),
        };
        serde_json::to_value(Fields::of(&delivery, "http://here")).unwrap()
    };
    for (example, real) in EXAMPLES.iter().zip([of(0), of(2)]) {
        let example: Value = serde_json::from_str(example).unwrap();
        let (example, real) = (example.as_object().unwrap(), real.as_object().unwrap());
        assert_eq!(example.keys().collect::<Vec<_>>(), real.keys().collect::<Vec<_>>());
        for (name, value) in real.iter().filter(|(_, value)| !value.is_null()) {
            let kind = |value: &Value| (value.is_string(), value.is_number(), value.is_array());
            assert_eq!(kind(&example[name]), kind(value), "{name}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_template_cannot_render_is_set_aside_alone() {
    let fake = Fake::new();
    let source = "{\"s\": {{ status }}, \"n\": {{ 1 // (message | length - 22) }}}";
    let template = Template::new(std::path::Path::new("t.json"), source).unwrap();
    let mut bench = Bench::new(&fake, vec![webhook("hook", Format::Template(template))], &[]);
    let refused = bench.deliver("hook", "worse", Change::New).await;
    let taken = bench.deliver("hook", "good", Change::New).await;
    sleep(Duration::from_mins(5)).await;
    let settled = bench.settled();
    assert_eq!(settled[0], Settled::Delivered(taken));
    let Settled::SetAside(crate::state::Refusal { id, answer, .. }) = &settled[1] else { panic!("{settled:?}") };
    assert!(*id == refused && answer.starts_with("the template `t.json` failed at it: line 1, column "), "{answer}");
    assert_eq!(fake.taken("hook"), [json!({ "s": "firing", "n": -1 })]);
}

/// Deliveries of the notifications above again and again, each about an alert of its own.
fn many(count: usize) -> Vec<Delivery> {
    let delivery = |(id, mut notification): (i64, Notification)| {
        notification.id = id.to_string();
        Delivery { id, receiver: "x".into(), queued_at: at(60), notification: Arc::new(notification) }
    };
    let endless = std::iter::repeat_with(notifications).flatten();
    (1..).zip(endless.take(count)).map(delivery).collect()
}

#[test]
fn a_message_about_many_alerts_is_valid_too() {
    for (format, schema, longest) in [(Format::Slack, SLACK, 16_000), (Format::Teams, TEAMS, 28_000)] {
        let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
        compiler.add_resource("schema.json", serde_json::from_str(schema).unwrap()).unwrap();
        let schema = compiler.compile("schema.json", &mut schemas).unwrap();
        let hook = Webhook { format: format.clone(), put: false, headers: Vec::new(), secret_file: None };
        for count in [2, 3, 500] {
            let kind = ReceiverKind::Webhook(hook.clone());
            let body = super::super::request::request(&kind, &many(count), "http://here").unwrap().body;
            assert!(body.len() <= longest, "{format:?}: {} bytes", body.len());
            let value: Value = serde_json::from_str(&body).unwrap();
            schemas.validate(&value, schema).unwrap_or_else(|error| panic!("{format:?}: {error}\n{value:#}"));
            assert_eq!(body.contains("… and "), count == 500, "{body}");
        }
    }
}

#[test]
fn an_email_about_many_alerts_is_bounded_and_in_their_threads() {
    let mailbox = |text: &str| text.parse::<lettre::message::Mailbox>().unwrap();
    let settings = crate::config::Email {
        from: mailbox("Monitor <monitor@example.com>"),
        to: vec![mailbox("ops@example.com")],
        encryption: crate::config::Encryption::IfOffered,
    };
    let kind = ReceiverKind::Email(settings);
    let body = |deliveries: &[Delivery]| super::super::request::request(&kind, deliveries, "http://here").unwrap().body;
    let two = body(&many(2)).replace("\r\n ", " ");
    let header = |name: &str| two.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default().to_owned();
    let ids: Vec<_> = many(2).iter().map(|delivery| delivery.notification.id.clone()).collect();
    assert!(header("Message-ID: ").starts_with(&format!("<{}.", ids[0])), "{two}");
    assert!(header("References: ").starts_with(&format!("<{}.", ids[1])), "{two}");
    assert_eq!(header("Subject: "), "2 alerts: 2 critical (TokenRejected)");
    let all = body(&many(500));
    assert!(all.is_ascii() && all.contains("And 470 more") && all.len() < 2_000_000, "{} bytes", all.len());
    assert!(all.lines().all(|line| line.len() <= 998), "lines as RFC 5322 allows them");
}
