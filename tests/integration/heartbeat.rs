//! The heartbeat as whoever expects it sees it.

use crate::harness::{ACME, Configuration, World, call, text};
use crate::real::until;
use crate::sink::{Answer, Sink};

const SECRET: &str = "/ping/5d1c0f4e-heartbeat-secret";

#[test]
fn a_heartbeat_is_a_get_of_a_url_that_is_never_shown() {
    let (world, sink) = (World::new(ACME), Sink::new());
    world.write("heartbeat-url", &format!("{}{SECRET}\n", sink.url()));
    let heartbeat = "[alerts.heartbeat]\nurl_file = \"heartbeat-url\"\nevery = \"1s\"\n";
    let mut daemon = world.run(&Configuration::acme("").alerts(heartbeat));
    let first = until("a heartbeat", || sink.sent().into_iter().next());
    assert_eq!((first.method.as_str(), first.path.as_str(), first.text.as_str()), ("GET", SECRET, ""));
    assert_eq!(daemon.metric("syncro_monitor_heartbeat_withheld"), Some(0.0));
    sink.answers(Answer::Text(404, "{\"path\": \"/ping/5d1c0f4e-heartbeat-secret\"}"));
    let failing = daemon.wait("a heartbeat that fails", |line| line["event"] == "heartbeat_failing");
    assert_eq!((failing["level"].as_str(), failing["reason"].as_str()), (Some("WARN"), Some("http_4xx")));
    sink.answers(Answer::Text(200, "OK"));
    daemon.wait("a heartbeat that is taken again", |line| line["event"] == "heartbeat_recovered");
    assert!(daemon.metric("syncro_monitor_heartbeats_total") >= Some(2.0));
    assert!(daemon.metric("syncro_monitor_heartbeat_failures_total{reason=\"http_4xx\"}") >= Some(1.0));
    // A server that leads elsewhere does not learn more, nor does where it leads to.
    sink.answers(Answer::Text(302, "elsewhere"));
    daemon.wait("a redirect that is not followed", |line| line["event"] == "heartbeat_failing");
    assert!(daemon.raw.iter().all(|line| !line.contains("heartbeat-secret")), "{}", daemon.raw.join("\n"));
    assert!(sink.sent().iter().all(|sent| sent.path == SECRET));
}

#[test]
fn a_file_that_holds_no_url_is_a_fault_that_does_not_show_it() {
    let world = World::new(ACME);
    let path = world.configure(
        &Configuration::acme("").alerts("[alerts.heartbeat]\nurl_file = \"heartbeat-url\"\nevery = \"2d\"\n"),
    );
    let said = || {
        let output = call(&["-c", path.to_str().unwrap(), "validate"]);
        assert_eq!(output.status.code(), Some(78));
        text(&output.stderr)
    };
    let missing = said();
    assert!(missing.contains("alerts.heartbeat.url_file: failed to read `"), "{missing}");
    assert!(missing.contains("alerts.heartbeat.every: `2d` is out of bounds"), "{missing}");
    world.write("heartbeat-url", "hc-ping.com/5d1c0f4e");
    let wrong = said();
    assert!(wrong.contains("heartbeat-url` holds no web URL; allowed: ") && !wrong.contains("5d1c0f4e"), "{wrong}");
}
