//! Alerts reach people: webhooks and Alertmanagers are notified once, whatever they answer meanwhile.

use std::process::Stdio;

use simulator::Incident;

use crate::harness::{ACME, Configuration, Daemon, World, call, program, text};
use crate::sink::{Answer, Sink};

const TOKEN: &str = "value-of-acme";

fn refused() -> Incident {
    Incident::TokenRefused { token: TOKEN.to_owned() }
}

fn works() -> Incident {
    Incident::TokenWorks { token: TOKEN.to_owned() }
}

/// The tenant `acme`, and receivers.
fn with_receivers(receivers: &str) -> Configuration {
    Configuration::acme("profile = \"jumpcloud\"").alerts(receivers)
}

fn webhook(sink: &Sink, more: &str) -> String {
    format!("[[alerts.webhooks]]\nname = \"hook\"\nurl = \"{}/incidents\"\ntimeout = \"500ms\"\n{more}\n", sink.url())
}

fn failing(daemon: &mut Daemon) -> (String, String) {
    let line = daemon.wait("a failing receiver", |line| line["event"] == "receiver_failing" && line["level"] == "WARN");
    (line["reason"].as_str().unwrap().to_owned(), line["message"].as_str().unwrap().to_owned())
}

#[test]
fn an_incident_reaches_a_webhook_signed_and_with_who_is_affected() {
    let (world, sink) = (World::new(ACME), Sink::new());
    let secret = world.write("secret", "It's a Secret to Everybody\n");
    let bearer = world.write("bearer", "for-the-webhook\n");
    let more = format!(
        "secret_file = \"{}\"\nbearer_token_file = \"{}\"\nmethod = \"PUT\"\nheaders = {{ X-Team = \"ops\" }}",
        secret.display(),
        bearer.display()
    );
    let mut daemon = world.run(&with_receivers(&webhook(&sink, &more)));
    daemon.checks("acme", "validity", 1);
    world.happens(refused());
    daemon.alert("TokenRejected", "firing");
    let body = sink.wait_for(1).remove(0);
    assert_eq!(
        (&body["alert"], &body["status"], &body["tenant"]),
        (&"TokenRejected".into(), &"firing".into(), &"acme".into())
    );
    assert_eq!((&body["profiles"][0], &body["severity"]), (&"jumpcloud".into(), &"critical".into()));
    assert!(body["message"].as_str().unwrap().contains("JumpCloud"), "{body}");
    let (status, runbook) = daemon.get(body["runbook"].as_str().unwrap().strip_prefix(&daemon.address).unwrap());
    assert_eq!((status, runbook.contains("<h1>TokenRejected</h1>")), (200, true), "{runbook}");
    let sent = sink.sent().remove(0);
    assert_eq!((sent.method.as_str(), sent.path.as_str(), sent.header("x-team")), ("PUT", "/incidents", "ops"));
    assert_eq!(sent.header("authorization"), "Bearer for-the-webhook");
    let signature = sent.header("x-signature-256");
    assert!(signature.starts_with("sha256=") && signature.len() == 71, "{signature}");
    world.happens(works());
    assert_eq!(sink.wait_for(2)[1]["status"], "resolved");
    daemon.signal("TERM");
    assert!(daemon.ended().success());
    assert_eq!(sink.sent().len(), 2, "each once");
    for hidden in ["for-the-webhook", "Secret to Everybody", TOKEN] {
        assert!(!daemon.raw.iter().any(|line| line.contains(hidden)), "{hidden}");
    }
}

#[test]
fn whatever_a_receiver_answers_nothing_is_lost_and_the_cause_is_said_once() {
    let answers = [
        (
            Answer::Text(400, "{\"error\": \"no such field\"}"),
            "http_4xx",
            "it answered 400: {\"error\": \"no such field\"}",
        ),
        (Answer::Text(401, "who are you?"), "http_4xx", "it answered 401: who are you?"),
        (Answer::Text(429, ""), "throttled", "it answered 429"),
        (Answer::Text(500, ""), "http_5xx", "it answered 500"),
        (Answer::Page(200), "not_receiver", "it answered 200: a web page"),
        (Answer::Text(302, ""), "not_receiver", "it answered 302"),
        (Answer::Hang, "timeout", "no answer in time"),
    ];
    for (answer, reason, detail) in answers {
        let (world, sink) = (World::new(ACME), Sink::new());
        sink.answers(answer.clone());
        let mut daemon = world.run(&with_receivers(&webhook(&sink, "")));
        daemon.checks("acme", "validity", 1);
        world.happens(refused());
        let (why, message) = failing(&mut daemon);
        assert_eq!((why.as_str(), message.contains(detail)), (reason, true), "{answer:?}: {message}");
        let series = format!("syncro_monitor_notice_failures_total{{reason=\"{reason}\",receiver=\"hook\"}}");
        assert!(daemon.metric(&series).unwrap() >= 1.0, "{answer:?}");
        assert!(daemon.metric("syncro_monitor_notices_queued{receiver=\"hook\"}").unwrap() >= 1.0, "{answer:?}");
        world.happens(works());
        daemon.alert("TokenRejected", "resolved");
        sink.answers(Answer::Text(200, "ok"));
        let taken = sink.wait_for(2);
        let statuses: Vec<_> = taken.iter().map(|body| body["status"].as_str().unwrap()).collect();
        assert_eq!(statuses, ["firing", "resolved"], "{answer:?}: in order, each once");
        daemon.wait("the recovery", |line| line["event"] == "receiver_recovered");
        let said = daemon.seen.iter().filter(|line| line["event"] == "receiver_failing" && line["level"] == "WARN");
        assert_eq!(said.count(), 1, "{answer:?}");
    }
}

#[test]
fn a_receiver_that_is_not_there_or_whose_secret_has_vanished_is_notified_when_it_is_back() {
    let (world, sink) = (World::new(ACME), Sink::new());
    let secret = world.path("secret");
    let mut daemon = world.run(&with_receivers(&webhook(
        &sink,
        &format!("password_file = \"{}\"\nusername = \"ops\"", secret.display()),
    )));
    daemon.checks("acme", "validity", 1);
    world.happens(refused());
    let (reason, message) = failing(&mut daemon);
    assert_eq!(reason, "secret");
    assert!(message.contains("secret`: No such file or directory"), "{message}");
    assert_eq!(sink.sent().len(), 0, "it is not asked without");
    world.write("secret", "password");
    assert_eq!(sink.wait_for(1)[0]["status"], "firing");
    assert_eq!(sink.sent()[0].header("authorization"), "Basic b3BzOnBhc3N3b3Jk");
}

#[test]
fn what_was_not_delivered_before_a_kill_is_delivered_after_the_restart_and_nothing_twice() {
    let (world, sink) = (World::new(ACME), Sink::new());
    sink.answers(Answer::Text(503, ""));
    let configuration = with_receivers(&webhook(&sink, ""));
    let mut daemon = world.run(&configuration);
    daemon.checks("acme", "validity", 1);
    world.happens(refused());
    failing(&mut daemon);
    daemon.signal("KILL");
    daemon.ended();
    sink.answers(Answer::Text(200, "ok"));
    let mut daemon = world.run(&configuration);
    let first = sink.wait_for(1).remove(0);
    assert_eq!((&first["alert"], &first["status"]), (&"TokenRejected".into(), &"firing".into()));
    world.happens(works());
    assert_eq!(sink.wait_for(2)[1]["status"], "resolved");
    daemon.signal("TERM");
    assert!(daemon.ended().success());
    let keys: Vec<_> =
        sink.sent().iter().filter(|sent| sent.taken).map(|sent| sent.header("idempotency-key").to_owned()).collect();
    assert_eq!(keys.len(), 2);
    assert_ne!(keys[0], keys[1]);
}

#[test]
fn each_alertmanager_of_a_cluster_is_notified_of_everything_that_fires_and_its_end() {
    let (world, left, right) = (World::new(ACME), Sink::new(), Sink::new());
    let one = |sink: &Sink| format!("[[alerts.alertmanagers]]\nurl = \"{}/prefix/\"\n", sink.url());
    let mut daemon = world.run(&with_receivers(&(one(&left) + &one(&right))));
    daemon.checks("acme", "validity", 1);
    world.happens(refused());
    for sink in [&left, &right] {
        let body = sink.wait_for(1).remove(0);
        assert_eq!(body[0]["labels"]["alertname"], "TokenRejected", "{body}");
        assert_eq!(sink.sent()[0].path, "/prefix/api/v2/alerts");
    }
    world.happens(works());
    daemon.alert("TokenRejected", "resolved");
    for sink in [&left, &right] {
        let body = sink.wait_for(2).remove(1);
        assert!(body[0]["endsAt"].as_str() <= Some(&now_as_text()), "{body}");
    }
    let series = format!("syncro_monitor_notices_total{{receiver=\"{}\"}}", left.address);
    assert_eq!(daemon.metric(&series), Some(2.0));
}

fn now_as_text() -> String {
    chrono::DateTime::from_timestamp(crate::harness::now() + 1, 0).unwrap().to_rfc3339()
}

#[test]
fn maintenance_suppresses_alerts_and_notifies_afterwards_of_what_is_still_wrong() {
    let (world, sink) = (World::new(&(ACME.to_owned() + &ACME.replace("acme", "other"))), Sink::new());
    let end = chrono::DateTime::from_timestamp(crate::harness::now() + 15, 0).unwrap().to_rfc3339();
    let configuration = Configuration::acme("").alerts(&webhook(&sink, "")).tenant("other", "value-of-other", "");
    let path = world.configure(&configuration);
    let window = format!("\n[[maintenance]]\ntenants = [\"acme\"]\nfrom = 2020-01-01\nto = {end}\n");
    std::fs::write(&path, std::fs::read_to_string(&path).unwrap() + &window).unwrap();
    let mut daemon = Daemon::start(&path, &["--log-level", "info,syncro_token_monitor=debug"]);
    daemon.checks("acme", "validity", 1);
    daemon.checks("other", "validity", 1);
    assert_eq!(daemon.metric("syncro_tenant_maintenance{tenant=\"acme\"}"), Some(1.0));
    assert_eq!(daemon.metric("syncro_tenant_maintenance{tenant=\"other\"}"), Some(0.0));
    world.happens(refused());
    world.happens(Incident::TokenRefused { token: "value-of-other".to_owned() });
    let first = daemon.wait("the first alert", |line| line["event"] == "alert");
    assert_eq!((&first["tenant"], &first["alert"]), (&"other".into(), &"TokenRejected".into()));
    let rejected = "syncro_token_state{tenant=\"acme\",token_name=\"jumpcloud\",state=\"rejected\"}";
    while daemon.metric(rejected) != Some(1.0) {
        // Checks go on.
        daemon.checks("acme", "validity", 1);
    }
    let second = daemon.wait("the second alert", |line| line["event"] == "alert");
    assert_eq!((&second["tenant"], &second["status"]), (&"acme".into(), &"firing".into()));
    let at = |line: &serde_json::Value, key: &str| line[key].as_str().unwrap().to_owned();
    assert!(at(&second, "timestamp").as_str() >= &end[..19], "{second}");
    assert!(at(&second, "since") < end, "since when it is so, not since it is notified: {second}");
}

#[test]
fn test_alert_says_what_each_receiver_answered() {
    let (world, sink) = (World::new(ACME), Sink::new());
    let slack = "[[alerts.webhooks]]\nname = \"slack\"\nurl_file = \"slack-url\"\nformat = \"slack\"\n";
    let dead = "[[alerts.alertmanagers]]\nname = \"dead\"\nurl = \"http://127.0.0.1:1\"\n";
    world.write("slack-url", &format!("{}/services/T0/B0/secret\n", sink.url()));
    let path = world.configure(&with_receivers(&(webhook(&sink, "") + slack + dead)));
    let test = |more: &[&str]| {
        let output = call(&[&["-c", path.to_str().unwrap(), "test-alert"], more].concat());
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    };
    let (code, out, _) = test(&[]);
    assert_eq!(code, Some(1), "{out}");
    for line in ["hook\twebhook\tfiring\tok\n", "hook\twebhook\tresolved\tok\n", "slack\tslack\tfiring\tok\n"] {
        assert!(out.contains(line), "{out}");
    }
    assert!(out.contains("dead\talertmanager\tfiring\tconnect: "), "{out}");
    assert!(!out.contains("secret"), "{out}");
    let sent = sink.sent();
    assert_eq!(sent.len(), 4);
    assert!(
        sent.iter().all(|sent| sent.text.contains("TestAlert") && sent.text.contains("this is a test")),
        "{sent:?}"
    );
    assert_eq!(test(&["--receiver", "hook"]).0, Some(0));
    let (code, _, error) = test(&["--receiver", "hok"]);
    assert_eq!((code, error.contains("known besides the log: dead, hook, slack")), (Some(64), true), "{error}");
}

#[test]
fn test_alert_prints_what_it_would_send_and_sends_the_same() {
    const KEY: &str = "0123456789abcdef0123456789abcdef";
    let (world, sink) = (World::new(ACME), Sink::new());
    world.write("key", KEY);
    world.write("url", &format!("{}/secret-path", sink.url()));
    world.write("t.txt", "{{ severity }} {{ alert }}{% if note %}: {{ note }}{% endif %}");
    let teams = "[[alerts.webhooks]]\nname = \"teams\"\nformat = \"teams\"\nurl_file = \"url\"\n";
    let pagerduty = format!(
        "[[alerts.webhooks]]\nname = \"pager\"\nformat = \"pagerduty\"\nurl = \"{}\"\nrouting_key_file = \"key\"\n",
        sink.url()
    );
    let template =
        webhook(&sink, "format = \"template\"\ntemplate_file = \"t.txt\"\nheaders = { Content-Type = \"text/plain\" }");
    let path = world.configure(&with_receivers(&(teams.to_owned() + &pagerduty + &template)));
    let test = |more: &[&str]| {
        let output = call(&[&["-c", path.to_str().unwrap(), "test-alert"], more].concat());
        (output.status.code(), text(&output.stdout) + &text(&output.stderr))
    };
    let (code, printed) = test(&["--print"]);
    assert_eq!((code, sink.sent().len()), (Some(0), 0), "{printed}");
    for part in [
        "# teams (teams), firing\nPOST the address in `",
        "AdaptiveCard",
        "# pager (pagerduty), resolved\n",
        "with the routing_key in `",
        "\"event_action\":\"trigger\"",
        "Content-Type: text/plain\n\nwarning TestAlert\n",
    ] {
        assert!(printed.contains(part), "{part}: {printed}");
    }
    assert!(!printed.contains(KEY) && !printed.contains("secret-path"), "{printed}");
    assert_eq!(test(&[]).0, Some(0));
    let sent = sink.sent();
    let [teams, _, pager, resolve, template, _] = sent.as_slice() else { panic!("{sent:?}") };
    assert_eq!((teams.path.as_str(), &teams.body()["type"]), ("/secret-path", &"message".into()));
    assert_eq!((&pager.body()["routing_key"], &pager.body()["event_action"]), (&KEY.into(), &"trigger".into()));
    assert_eq!(resolve.body()["dedup_key"], pager.body()["dedup_key"]);
    assert_eq!((template.text.as_str(), template.header("content-type")), ("warning TestAlert", "text/plain"));
    sink.answers(Answer::Text(200, "{\"ok\":false,\"error\":\"invalid_blocks\"}"));
    let (code, said) = test(&["--receiver", "teams"]);
    let answer = "http_4xx: it answered 200: {\"ok\":false,\"error\":\"invalid_blocks\"}";
    assert_eq!((code, said.contains(answer)), (Some(1), true), "{said}");
}

#[test]
fn a_certificate_that_is_not_trusted_is_named_and_one_that_is_needed_is_shown() {
    let world = World::new(ACME);
    let (authority, server, client) = crate::tls::certificates();
    world.write("ca.pem", &authority);
    world.write("client.pem", &client.0);
    world.write("client.key", &client.1);
    let taken = crate::tls::https_sink(&authority, &server);
    let hook = |more: &str| {
        format!("[[alerts.webhooks]]\nname = \"hook\"\nurl = \"https://localhost:{}\"\n{more}", taken.port)
    };
    let test = |more: &str| {
        let path = world.configure(&with_receivers(&hook(more)));
        let mut command = program();
        command.args(["-c", path.to_str().unwrap(), "test-alert"]).stdin(Stdio::null());
        let output = command.output().unwrap();
        (output.status.code(), text(&output.stdout) + &text(&output.stderr))
    };
    let (code, said) = test("");
    assert_eq!((code, said.contains("firing\ttls: ")), (Some(1), true), "{said}");
    let (code, said) = test("ca_file = \"ca.pem\"\n");
    assert_eq!(code, Some(1), "the server wants to see who we are: {said}");
    let (code, said) = test("ca_file = \"ca.pem\"\ncertificate_file = \"client.pem\"\nkey_file = \"client.key\"\n");
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(taken.count(), 2);
    world.write("client.key", "no key");
    let (code, said) = test("ca_file = \"ca.pem\"\ncertificate_file = \"client.pem\"\nkey_file = \"client.key\"\n");
    assert_eq!((code, said.contains("firing\tsecret: ")), (Some(1), true), "{said}");
}

#[test]
fn whom_to_ask_and_what_to_remember_come_with_every_alert() {
    let (world, json, slack) = (World::new(ACME), Sink::new(), Sink::new());
    let receivers = webhook(&json, "")
        + &webhook(&slack, "format = \"slack\"\ngroup_wait = \"0s\"").replace("\"hook\"", "\"chat\"");
    let lines = "profile = \"jumpcloud\"\ncontact = \"Pat <billing>\"\nnote = \"renew with the vendor\"";
    let mut daemon = world.run(&Configuration::acme(lines).alerts(&receivers));
    daemon.checks("acme", "validity", 1);
    world.happens(refused());
    let line = daemon.alert("TokenRejected", "firing");
    assert_eq!((&line["contact"], &line["note"]), (&"Pat <billing>".into(), &"renew with the vendor".into()), "{line}");
    let body = json.wait_for(1).remove(0);
    assert_eq!((&body["contact"], &body["note"]), (&line["contact"], &line["note"]), "{body}");
    let text = slack.wait_for(1)[0]["attachments"][0]["text"].as_str().unwrap().to_owned();
    assert!(text.contains("\nContact: Pat &lt;billing&gt;\nNote: renew with the vendor\n"), "{text}");
    let page = daemon.get("/tenants/acme/tokens/jumpcloud").1;
    assert!(page.contains("Contact: Pat &#60;billing&#62;") && page.contains("<dt>Note</dt>"), "{page}");
    let token: serde_json::Value = serde_json::from_str(&daemon.get("/api/v1/tokens/acme/jumpcloud").1).unwrap();
    assert_eq!(token["contact"], line["contact"], "{token}");
}
