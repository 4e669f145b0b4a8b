//! The canary as its receiver sees it.

use crate::harness::{ACME, Configuration, Daemon, World};
use crate::real::until;
use crate::sink::{Answer, Sink};

#[test]
fn a_canary_fires_is_read_back_and_resolves() {
    let (world, sink) = (World::new(ACME), Sink::new());
    sink.answers(Answer::Remembers);
    let alertmanager = format!(
        "[[alerts.alertmanagers]]\nname = \"am\"\nurl = \"{}\"\nonly = {{ severities = [\"critical\"] }}\n\
         [alerts.canary]\nreceiver = \"am\"\nevery = \"15m\"\n",
        sink.url()
    );
    let mut daemon = world.run(&Configuration::acme("").alerts(&alertmanager));
    daemon.wait("a canary", |line| line["event"] == "canary_arrived");
    let fired = sink.taken().remove(0);
    assert_eq!(fired[0]["labels"]["alertname"], "TestAlert");
    assert!(daemon.metric("syncro_monitor_canary_delay_seconds") < Some(10.0));
    assert_eq!(daemon.metric("syncro_monitor_canary_failures_total"), Some(0.0));
    let ends = |body: &serde_json::Value| body[0]["endsAt"].as_str().unwrap_or_default().to_owned();
    until("its end", || sink.taken().get(1).filter(|body| ends(body) < ends(&fired)).map(|_| ()));
    daemon.signal("TERM");
    assert!(daemon.ended().success());
    // The next one is due a quarter of an hour after the last, whatever happens in between.
    let mut daemon = Daemon::start(&world.path("config.toml"), &["--log-level", "debug"]);
    daemon.checks("acme", "permissions", 4);
    let tests = sink.taken().iter().filter(|body| body.to_string().contains("(canary ")).count();
    assert_eq!(tests, 2, "it fired and ended once");
}
