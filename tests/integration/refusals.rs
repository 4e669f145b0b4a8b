//! What a receiver refuses, or understands otherwise by its clock, keeps nothing else from it.

use std::fmt::Write as _;

use rusqlite::Connection;
use serde_json::Value;
use simulator::Incident;

use crate::harness::{ACME, Configuration, Token, World, call, text};
use crate::real::until;
use crate::sink::{Answer, Sink};

const HOOK: &str = "syncro_monitor_notifications_set_aside_total{receiver=\"hook\"}";

fn webhook(sink: &Sink, format: &str) -> String {
    let wait = if format == "slack" { "group_wait = \"0s\"\n" } else { "" };
    format!("[[alerts.webhooks]]\nname = \"hook\"\nurl = \"{}\"\nformat = \"{format}\"\n{wait}", sink.url())
}

fn alertmanager(sink: &Sink) -> String {
    format!("[[alerts.alertmanagers]]\nname = \"am\"\nurl = \"{}\"\n", sink.url())
}

pub(crate) fn refused(tenant: &str) -> Incident {
    Incident::TokenRefused { token: format!("value-of-{tenant}") }
}

/// The tenants `acme` and `second`.
pub(crate) fn two_tenants() -> (World, Configuration) {
    let world = World::new(&(ACME.to_owned() + &ACME.replace("acme", "second")));
    (world, Configuration::acme("").tenant("second", "value-of-second", ""))
}

#[test]
fn one_refused_notification_holds_up_no_other_and_is_kept() {
    for (status, format) in [(400, "json"), (413, "slack")] {
        let ((world, configuration), sink) = (two_tenants(), Sink::new());
        sink.answers(Answer::Refuses(status, "acme"));
        let configuration = configuration.alerts(&webhook(&sink, format));
        let mut daemon = world.run(&configuration);
        daemon.checks("acme", "validity", 1);
        daemon.checks("second", "validity", 1);
        world.happens(refused("acme"));
        daemon.wait("the refusal", |line| line["event"] == "receiver_failing");
        assert_eq!(daemon.metric(HOOK), Some(0.0));
        world.happens(refused("second"));
        let taken = sink.wait_for(1).remove(0).to_string();
        assert!(taken.contains("second"), "{status}: {taken}");
        let line = daemon.wait("that it is set aside", |line| line["event"] == "notification_set_aside");
        assert_eq!((&line["level"], &line["receiver"]), (&"ERROR".into(), &"hook".into()), "{line}");
        assert!(line["message"].as_str().unwrap().contains("TokenRejected/acme/jumpcloud"), "{line}");
        assert_eq!(daemon.metric(HOOK), Some(1.0));
        daemon.signal("TERM");
        assert!(daemon.ended().success());
        let store = Connection::open(world.path("state.db")).unwrap();
        let kept = "SELECT id, tenant, refusal FROM notices WHERE set_aside_at IS NOT NULL AND told_at IS NULL";
        let kept: (i64, String, String) =
            store.query_row(kept, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap();
        assert_eq!(
            kept,
            (line["id"].as_i64().unwrap(), "acme".into(), format!("it answered {status}: invalid_payload"))
        );
        sink.answers(Answer::Text(200, "ok"));
        let sent = sink.sent().len();
        let mut daemon = world.run(&configuration);
        daemon.checks("acme", "validity", 2);
        assert_eq!(sink.sent().len(), sent, "{status}: it is not sent again by itself");
    }
}

#[test]
fn others_learn_of_a_refusal_and_redeliver_sends_it_again() {
    let ((world, configuration), sink, other) = (two_tenants(), Sink::new(), Sink::new());
    sink.answers(Answer::Refuses(422, "acme"));
    let second = webhook(&other, "json").replace("\"hook\"", "\"second\"");
    let configuration = configuration.alerts(&(webhook(&sink, "json") + &second));
    let mut daemon = world.run(&configuration);
    daemon.checks("acme", "validity", 1);
    daemon.checks("second", "validity", 1);
    world.happens(refused("acme"));
    daemon.wait("the refusal", |line| line["event"] == "receiver_failing");
    world.happens(refused("second"));
    let line = daemon.wait("that it is set aside", |line| line["event"] == "notification_set_aside");
    let id = line["id"].as_i64().unwrap().to_string();
    let notice = other.wait_for(3).remove(2);
    assert_eq!((&notice["tenant"], &notice["change"]), (&"acme".into(), &"reminder".into()), "{notice}");
    let message = notice["message"].as_str().unwrap();
    let expected =
        format!("receiver `hook` could not be notified of this alert, since it refuses notification {id} for good");
    assert!(message.starts_with(&expected), "{message}");
    let config = world.path("config.toml");
    let redeliver = |id: &str| {
        let output = call(&["-c", config.to_str().unwrap(), "redeliver", id]);
        (output.status.code(), text(&output.stdout) + &text(&output.stderr))
    };
    let (code, said) = redeliver("9999");
    assert_eq!((code, said.contains("it has no notification 9999")), (Some(1), true), "{said}");
    sink.answers(Answer::Text(200, "ok"));
    let before = sink.taken().len();
    let (code, said) = redeliver(&id);
    assert_eq!((code, said.contains("waits for receiver `hook` again")), (Some(0), true), "{said}");
    let again = sink.wait_for(before + 1).remove(before);
    assert_eq!((&again["tenant"], again["delivery"].to_string()), (&"acme".into(), id.clone()), "{again}");
    assert_eq!(redeliver(&id).0, Some(1), "it was delivered, or is about to be");
    daemon.signal("TERM");
    assert!(daemon.ended().success());
    assert_eq!(sink.taken().len(), before + 1, "each once");
}

#[test]
fn an_address_that_answers_404_loses_nothing() {
    let ((world, configuration), sink) = (two_tenants(), Sink::new());
    sink.answers(Answer::Text(404, "no such page"));
    let mut daemon = world.run(&configuration.alerts(&webhook(&sink, "json")));
    daemon.checks("acme", "validity", 1);
    daemon.checks("second", "validity", 1);
    world.happens(refused("acme"));
    world.happens(refused("second"));
    for tenant in ["acme", "second"] {
        let tried = || sink.sent().iter().filter(|sent| sent.body()["tenant"] == tenant).count();
        until(&format!("{tenant} to be tried twice"), || (tried() >= 2).then_some(()));
    }
    sink.answers(Answer::Text(200, "ok"));
    let taken = sink.wait_for(2);
    let tenants: std::collections::BTreeSet<_> = taken.iter().map(|body| body["tenant"].as_str().unwrap()).collect();
    assert_eq!(tenants.into_iter().collect::<Vec<_>>(), ["acme", "second"]);
    assert_eq!(daemon.metric(HOOK), Some(0.0));
}

#[test]
fn one_alert_that_is_refused_keeps_no_other_from_alertmanager() {
    let ((world, configuration), sink) = (two_tenants(), Sink::new());
    sink.answers(Answer::Refuses(400, "acme"));
    let mut daemon = world.run(&configuration.alerts(&alertmanager(&sink)));
    daemon.checks("acme", "validity", 1);
    daemon.checks("second", "validity", 1);
    world.happens(refused("acme"));
    daemon.wait("the refusal", |line| line["event"] == "receiver_failing");
    world.happens(refused("second"));
    let taken = sink.wait_for(1).remove(0);
    assert_eq!((taken.as_array().unwrap().len(), &taken[0]["labels"]["tenant"]), (1, &"second".into()));
    let line = daemon.wait("that it is set aside", |line| line["event"] == "notification_set_aside");
    assert!(line["message"].as_str().unwrap().contains("acme"), "{line}");
    assert_eq!(daemon.metric(&HOOK.replace("hook", "am")), Some(1.0));
}

#[test]
fn eighty_tokens_of_one_group_fit_into_one_message() {
    const LIST: &str = "Tickets - List/Search";
    let mut scenario = "requests_per_minute = 0\n".to_owned() + ACME;
    let tokens: String = (0..80).fold(String::new(), |mut tokens, number| {
        write!(tokens, "{{ value = \"v{number}\", user = 1, permissions = \"all\" }},").unwrap();
        tokens
    });
    scenario = scenario.replace("tokens = [", &format!("tokens = [{tokens}"));
    let (world, sink) = (World::new(&scenario), Sink::new());
    let mut configuration = Configuration::acme("").alerts(&webhook(&sink, "slack"));
    configuration.requests_per_minute = 60_000;
    // A busy machine takes seconds to ask all tokens what one has shown.
    configuration.confirm_after = "5s";
    configuration.tenants[0].tokens.extend((0..80).map(|number| Token {
        name: format!("integration of customer number {number} with our ticket desk"),
        value: format!("v{number}"),
        lines: format!("permissions = [\"{LIST}\"]\nprofile = \"jumpcloud\""),
    }));
    let mut daemon = world.run(&configuration);
    let series = |line: &&str| line.starts_with("syncro_token_permission_granted{") && line.contains(LIST);
    let is_granted = |line: &&str| series(line) && line.ends_with("} 1");
    let granted = |exposition: &str| exposition.lines().filter(is_granted).count();
    while granted(&daemon.get("/metrics").1) < 80 {
        daemon.checks("acme", "permissions", 1);
    }
    let (tenant, group, permission) = ("acme".to_owned(), "Technicians".to_owned(), LIST.to_owned());
    world.happens(Incident::GroupLoses { tenant, group, permission });
    daemon.alert("PermissionLost", "firing");
    let lost = sink.wait_for(1).remove(0);
    let text = lost["attachments"][0]["text"].as_str().unwrap();
    assert!(text.chars().count() < 3000 && text.contains("affected: 81 tokens, among them "), "{text}");
    assert!(text.starts_with("the security group `Technicians` of tenant `acme` probably lost"), "{text}");
}

/// When an alert ends by what was sent; `None` if that is left to the Alertmanager.
fn end(alert: &Value) -> Option<i64> {
    let end = alert["endsAt"].as_str()?;
    Some(end.parse::<chrono::DateTime<chrono::Utc>>().unwrap().timestamp())
}

#[test]
fn an_alertmanager_with_another_clock_is_notified_of_what_fires_and_ends() {
    for seconds in [1200, -1200] {
        let (world, sink) = (World::new(ACME), Sink::new());
        sink.answers(Answer::Ahead(seconds));
        let mut daemon = world.run(&Configuration::acme("").alerts(&alertmanager(&sink)));
        daemon.checks("acme", "validity", 1);
        world.happens(refused("acme"));
        let second = sink.wait_for(2).remove(1);
        assert_eq!((&second[0]["labels"]["tenant"], end(&second[0])), (&"acme".into(), None), "{seconds}");
        let line = daemon.wait("the clocks", |line| line["event"] == "receiver_clock");
        let expected = if seconds > 0 { "s ahead of ours" } else { "s behind ours" };
        let message = line["message"].as_str().unwrap();
        assert!(message.contains("clock of receiver `am` is 19m ") && message.contains(expected), "{line}");
        let offset = daemon.metric("syncro_monitor_receiver_clock_offset_seconds{receiver=\"am\"}").unwrap();
        assert!((offset - seconds as f64).abs() <= 2.0, "{offset}");
        world.happens(Incident::TokenWorks { token: "value-of-acme".to_owned() });
        daemon.alert("TokenRejected", "resolved");
        let ended = sink.wait_for(3).pop().unwrap();
        assert!(end(&ended[0]).unwrap() <= crate::harness::now() + seconds.min(0) + 1, "{seconds}: {ended}");
    }
}

#[test]
fn the_labels_of_an_alert_stay_as_they_were_while_it_fires() {
    let (world, sink) = (World::new(ACME), Sink::new());
    let with = |lines: &str| Configuration::acme(lines).alerts(&alertmanager(&sink));
    let mut daemon = world.run(&with("profile = \"jumpcloud\""));
    daemon.checks("acme", "validity", 1);
    world.happens(refused("acme"));
    daemon.alert("TokenRejected", "firing");
    let before = sink.wait_for(1).remove(0)[0]["labels"].clone();
    assert_eq!(before["profile"], "jumpcloud");
    daemon.signal("TERM");
    assert!(daemon.ended().success());
    let sent = sink.taken().len();
    // Other labels would be another alert for it, and the one before would be over.
    let mut daemon = world.run(&with(""));
    daemon.checks("acme", "validity", 1);
    let alerts = |sink: &Sink| -> Vec<Value> {
        sink.taken()[sent..].iter().flat_map(|body| body.as_array().unwrap().clone()).collect()
    };
    let after = until("the same alert again", || Some(alerts(&sink)).filter(|alerts| !alerts.is_empty()));
    assert!(after.iter().all(|alert| alert["labels"] == before), "{after:?}");
    world.happens(Incident::TokenWorks { token: "value-of-acme".to_owned() });
    daemon.alert("TokenRejected", "resolved");
    let is_over =
        |alert: &Value| alert["labels"] == before && end(alert).is_some_and(|end| end <= crate::harness::now());
    until("its end", || alerts(&sink).iter().any(is_over).then_some(()));
}
