//! Contract section 4: somebody takes an alert on, by the API, the page or a command; it outlives a kill, and Alertmanagers
//! and people are quiet meanwhile.

use std::fs;

use chrono::DateTime;
use serde_json::{Value, json};
use simulator::Incident;

use crate::harness::{ACME, Configuration, Daemon, World, call, now, text};
use crate::real::{Server, have, until};
use crate::sink::{Answer, Sink};

/// What a form or a program sends.
struct Body<'a> {
    kind: &'a str,
    text: String,
}

fn form(text: &str) -> Body<'static> {
    Body { kind: "application/x-www-form-urlencoded", text: text.to_owned() }
}

fn json_body(value: &Value) -> Body<'static> {
    Body { kind: "application/json", text: value.to_string() }
}

/// The status of an answer, where it leads, and its text.
fn send(daemon: &Daemon, method: &str, path: &str, body: Option<Body<'_>>) -> (u16, String, String) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let stays = reqwest::redirect::Policy::none();
        let client = reqwest::Client::builder().no_proxy().redirect(stays).build().unwrap();
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        let mut request = client.request(method, format!("{}{path}", daemon.address));
        if let Some(Body { kind, text }) = body {
            request = request.header("content-type", kind).body(text);
        }
        let answer = request.send().await.unwrap();
        let location = answer.headers().get("location").map(|value| value.to_str().unwrap().to_owned());
        (answer.status().as_u16(), location.unwrap_or_default(), answer.text().await.unwrap())
    })
}

/// A moment so many seconds from now.
fn ahead(seconds: i64) -> String {
    DateTime::from_timestamp(now() + seconds, 0).unwrap().to_rfc3339()
}

fn wanted(seconds: i64) -> Value {
    json!({ "by": "Pat", "reason": "the vendor is on it", "until": ahead(seconds) })
}

fn refused() -> Incident {
    Incident::TokenRefused { token: "value-of-acme".to_owned() }
}

/// A daemon of whose token everybody was notified, and the id of the alert.
fn broken(world: &World, alerts: &str) -> (Daemon, String) {
    let mut daemon = world.run(&Configuration::acme("").alerts(alerts));
    daemon.checks("acme", "validity", 1);
    world.happens(refused());
    let id = daemon.alert("TokenRejected", "firing")["id"].as_str().unwrap().to_owned();
    (daemon, id)
}

/// Who has taken the alert on, by the API.
fn taken_on(daemon: &Daemon, id: &str) -> Value {
    let (status, text) = daemon.get(&format!("/api/v1/alerts/{id}"));
    assert_eq!(status, 200, "{text}");
    serde_json::from_str::<Value>(&text).unwrap()["acknowledged"].clone()
}

#[test]
fn an_acknowledgement_by_the_api_outlives_a_kill() {
    let world = World::new(ACME);
    let (mut daemon, id) = broken(&world, "remind_every = \"3s\"");
    daemon.alert("TokenRejected", "reminder");
    let path = format!("/api/v1/alerts/{id}/acknowledge");
    let (status, _, text) = send(&daemon, "POST", &path, Some(json_body(&wanted(3600))));
    // It is answered, so nothing may lose it.
    daemon.signal("KILL");
    daemon.ended();
    assert_eq!(status, 200, "{text}");
    let answered: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&answered["id"], &answered["acknowledged"]["by"]), (&id.as_str().into(), &"Pat".into()));
    let mut daemon = Daemon::start(&world.path("config.toml"), &["--log-level", "info,syncro_token_monitor=debug"]);
    until("it is taken on", || taken_on(&daemon, &id).as_object().map(drop));
    let before = daemon.notified().len();
    daemon.checks("acme", "validity", 3);
    assert_eq!(daemon.notified().len(), before, "{:?}", daemon.notified());
    let series = format!(
        "incident=\"{id}\",token_name=\"jumpcloud\",security_group=\"\",user_id=\"\",acknowledged=\"true\"}} 1"
    );
    assert!(daemon.get("/metrics").1.contains(&series), "{}", daemon.get("/metrics").1);
    let (status, _, text) = send(&daemon, "DELETE", &path, None);
    assert_eq!((status, taken_on(&daemon, &id)), (200, Value::Null), "{text}");
    daemon.alert("TokenRejected", "reminder");
}

#[test]
fn the_page_of_an_alert_says_what_happened_and_to_whom_it_was_notified_even_once_it_is_over() {
    let (takes, refuses) = (Sink::new(), Sink::new());
    refuses.answers(Answer::Text(400, "no"));
    let receivers = [("hook", &takes), ("pager", &refuses)]
        .map(|(name, sink)| format!("[[alerts.webhooks]]\nname = \"{name}\"\nurl = \"{}\"\n", sink.url()));
    let world = World::new(ACME);
    let (mut daemon, id) = broken(&world, &receivers.concat());
    let path = format!("/alerts/{id}");
    let shown = |daemon: &Daemon, all: &[&str]| {
        until(&all.join(" | "), || {
            let (status, page) = daemon.get(&path);
            assert_eq!(status, 200, "{page}");
            all.iter().all(|text| page.contains(text)).then_some(page)
        })
    };
    let page = shown(&daemon, &["First seen", "Fired, critical", "hook took it, <time"]);
    assert!(page.contains("action=\"/alerts/"), "it can be taken on: {page}");
    send(
        &daemon,
        "POST",
        &format!("{path}/acknowledge"),
        Some(form("by=Pat+%3Cb%3E&reason=the+vendor+is+on+it&until=1d")),
    );
    shown(&daemon, &["Acknowledged by Pat &#60;b&#62; until", "the vendor is on it"]);
    send(&daemon, "POST", &format!("{path}/unacknowledge"), Some(form("")));
    shown(&daemon, &["Acknowledgement taken back"]);
    world.happens(Incident::TokenWorks { token: "value-of-acme".to_owned() });
    daemon.alert("TokenRejected", "resolved");
    let over = ["It ended ", "it was critical", "Fired, critical", "Acknowledged by Pat", "Resolved", "hook took it"];
    let page = shown(&daemon, &over);
    assert!(page.find("Fired, critical") < page.find("Acknowledged by Pat"), "in order: {page}");
    assert!(page.contains("pager has not "), "whoever did not take it is named too: {page}");
    assert!(!page.contains("action=\"/alerts/"), "it can be taken on no more: {page}");
    assert_eq!(daemon.get("/alerts/00000000").0, 404);
    let list = daemon.get("/alerts?tenant=ACME").1;
    assert!(list.contains(&format!("<a href=\"{path}\">TokenRejected</a>")), "what ended leads to its page: {list}");
    assert!(!daemon.get("/alerts?tenant=another").1.contains(&path), "a filter is for what ended too");
}

#[test]
fn what_cannot_be_taken_on_is_refused_with_what_is_allowed() {
    let world = World::new(ACME);
    let (mut daemon, id) = broken(&world, "");
    let path = format!("/api/v1/alerts/{id}/acknowledge");
    let post = |body: Value| {
        let (status, _, text) = send(&daemon, "POST", &path, Some(json_body(&body)));
        (status, serde_json::from_str::<Value>(&text).unwrap()["error"].as_str().unwrap().to_owned())
    };
    let with = |key: &str, value: Value| {
        let mut body = wanted(3600);
        body[key] = value;
        post(body)
    };
    let refusals = [
        (with("by", "".into()), "by: it is empty"),
        (with("by", "x".repeat(101).into()), "100 at most"),
        (with("reason", "a\nb".into()), "line break"),
        (with("until", ahead(-60).into()), "is not in the future"),
        (with("until", ahead(91 * 86_400).into()), "more than 90 days away"),
        (with("until", "tomorrow".into()), "until"),
        (with("forever", true.into()), "forever"),
        (post(json!({ "by": "Pat", "reason": "x" })), "until"),
    ];
    for ((status, why), expected) in refusals {
        assert!(status == 422 && why.contains(expected), "{status} {why}: {expected}");
    }
    let sent = |body| send(&daemon, "POST", &path, body).0;
    assert_eq!(sent(Some(Body { kind: "application/json", text: "{".to_owned() })), 400);
    assert_eq!(sent(Some(Body { kind: "text/plain", text: wanted(60).to_string() })), 415);
    let mut long = wanted(60);
    long["reason"] = "x".repeat(20_000).into();
    assert_eq!(sent(Some(json_body(&long))), 413);
    let unknown = "/api/v1/alerts/00000000/acknowledge";
    assert_eq!(send(&daemon, "POST", unknown, Some(json_body(&wanted(60)))).0, 404);
    assert_eq!(send(&daemon, "DELETE", unknown, None).0, 404);
    assert_eq!(taken_on(&daemon, &id), Value::Null);
    world.happens(Incident::TokenWorks { token: "value-of-acme".to_owned() });
    daemon.alert("TokenRejected", "resolved");
    let (status, _, text) = send(&daemon, "POST", &path, Some(json_body(&wanted(60))));
    assert!(status == 410 && text.contains("has just ended"), "{status} {text}");
}

#[test]
fn people_take_an_alert_on_and_back_by_forms() {
    let world = World::new(ACME);
    let (daemon, id) = broken(&world, "");
    let (_, page) = daemon.get("/");
    assert!(page.contains(&format!("action=\"/alerts/{id}/acknowledge\"")), "{page}");
    let take = |text: &str| send(&daemon, "POST", &format!("/alerts/{id}/acknowledge"), Some(form(text)));
    let (status, location, _) = take("by=Pat+%3Cb%3E&reason=the+vendor+is+on+it&until=1d");
    assert_eq!((status, location.as_str()), (303, format!("/alerts/{id}").as_str()));
    for path in ["/", "/tenants/acme/tokens/jumpcloud"] {
        let (_, page) = daemon.get(path);
        assert!(page.contains("Acknowledged by Pat &#60;b&#62; until "), "{path}: {page}");
        assert!(page.contains(&format!("action=\"/alerts/{id}/unacknowledge\"")), "{path}: {page}");
    }
    let (status, _, page) = take("by=&reason=x&until=1d");
    assert!(status == 422 && page.contains("by: it is empty"), "{status} {page}");
    assert_eq!(send(&daemon, "POST", "/alerts/00000000/acknowledge", Some(form("by=a&reason=b&until=1d"))).0, 404);
    assert_eq!(send(&daemon, "POST", &format!("/alerts/{id}/unacknowledge"), Some(form(""))).0, 303);
    assert_eq!(taken_on(&daemon, &id), Value::Null);
}

#[test]
fn commands_take_an_alert_on_whether_the_daemon_runs_or_not() {
    let world = World::new(ACME);
    let (mut daemon, id) = broken(&world, "");
    let config = world.path("config.toml");
    let config = config.to_str().unwrap();
    let take = |until: &str, id: &str| {
        call(&["-c", config, "acknowledge", id, "--until", until, "--by", "Pat", "--reason", "the vendor is on it"])
    };
    let done = take("3d", &id);
    assert!(done.status.success(), "{}", text(&done.stderr));
    let said = text(&done.stdout);
    let expected = format!("alert {id} (TokenRejected of acme / jumpcloud) is acknowledged by Pat until ");
    assert!(said.starts_with(&expected), "{said}");
    assert_eq!(taken_on(&daemon, &id)["by"], "Pat");
    for (until, id, expected) in [("3d", "00000000", "no alert of that id fires"), ("100d", &*id, "90 days away")] {
        let refused = take(until, id);
        assert_eq!(refused.status.code(), Some(1));
        assert!(text(&refused.stderr).contains(expected), "{}", text(&refused.stderr));
    }
    assert_eq!(take("soon", &id).status.code(), Some(64));
    daemon.signal("TERM");
    daemon.ended();
    let later = call(&["-c", config, "unacknowledge", &id]);
    let said = text(&later.stdout);
    assert!(later.status.success() && said.starts_with("the daemon does not run; once it does, the ack"), "{said}");
    let daemon = Daemon::start(&world.path("config.toml"), &[]);
    until("it is given back", || taken_on(&daemon, &id).is_null().then_some(()));
}

#[test]
fn an_acknowledgement_is_a_silence_of_an_alertmanager_until_it_is_taken_back() {
    let (world, sink) = (World::new(ACME), Sink::new());
    let receiver = format!("[[alerts.alertmanagers]]\nname = \"am\"\nurl = \"{}\"", sink.url());
    let (mut daemon, id) = broken(&world, &receiver);
    let path = format!("/api/v1/alerts/{id}/acknowledge");
    // An Alertmanager that refuses everything delays nothing.
    sink.answers(Answer::Text(503, "not now"));
    let until_then = ahead(3600);
    let body = json!({ "by": "Pat", "reason": "the vendor is on it", "until": until_then });
    assert_eq!(send(&daemon, "POST", &path, Some(json_body(&body))).0, 200);
    sink.answers(Answer::Text(200, "{}"));
    let silence = until("a silence", || sink.silences().pop());
    assert_eq!(silence["matchers"], json!([{ "name": "incident", "value": id, "isRegex": false, "isEqual": true }]));
    assert_eq!(silence["createdBy"], "Pat");
    assert!(silence["comment"].as_str().unwrap().starts_with("the vendor is on it"), "{silence}");
    let end = silence["endsAt"].as_str().unwrap().parse::<DateTime<chrono::Utc>>().unwrap();
    assert_eq!(end, until_then.parse::<DateTime<chrono::Utc>>().unwrap());
    // After a restart it is found again, and not made a second time.
    daemon.signal("TERM");
    daemon.ended();
    let sent = sink.sent().len();
    let daemon = Daemon::start(&world.path("config.toml"), &[]);
    until("something is sent", || (sink.sent().len() > sent).then_some(()));
    assert_eq!(send(&daemon, "DELETE", &path, None).0, 200);
    until("it is taken back", || sink.silences().is_empty().then_some(()));
    let made = sink.sent().iter().filter(|sent| sent.method == "POST" && sent.path == "/api/v2/silences").count();
    assert!(made >= 1 && sink.sent().iter().filter(|sent| sent.taken && sent.path == "/api/v2/silences").count() == 1);
}

#[test]
fn a_real_alertmanager_silences_what_is_acknowledged() {
    if !have(&["prometheus-alertmanager"]) {
        return;
    }
    let (world, pager) = (World::new(ACME), Sink::new());
    let folder = world.path("real");
    fs::create_dir_all(&folder).unwrap();
    let server = Server::alertmanager(&folder, &pager.url());
    let receiver = format!("[[alerts.alertmanagers]]\nname = \"am\"\nurl = \"http://{}\"", server.address);
    let (daemon, id) = broken(&world, &receiver);
    let path = format!("/api/v1/alerts/{id}/acknowledge");
    let state = || {
        let alerts: Value = serde_json::from_str(&server.get("/api/v2/alerts").1).unwrap();
        Some(alerts[0]["status"]["state"].as_str()?.to_owned())
    };
    until("it is active", || state().filter(|state| state == "active"));
    for seconds in [3600, 7200] {
        assert_eq!(send(&daemon, "POST", &path, Some(json_body(&wanted(seconds)))).0, 200);
        until("it is silenced", || state().filter(|state| state == "suppressed"));
    }
    assert_eq!(send(&daemon, "DELETE", &path, None).0, 200);
    until("it is active again", || state().filter(|state| state == "active"));
}
