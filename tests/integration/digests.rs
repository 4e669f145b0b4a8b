//! Digests as receivers are sent them by a real daemon, and by hand.

use crate::harness::{ACME, Configuration, Daemon, World, call, now, text};
use crate::real::until;
use crate::sink::{Answer, Sink};
use crate::smtp::{Script, Smtp};

/// The time of day in UTC so many seconds from now, rounded up to a minute, as the configuration has it.
fn time_in(seconds: i64) -> String {
    let at = chrono::DateTime::from_timestamp((now() + seconds + 59) / 60 * 60, 0).unwrap();
    at.format("%H:%M").to_string()
}

#[test]
fn what_was_due_while_the_daemon_was_down_is_sent_at_its_start() {
    let (world, sink) = (World::new(ACME), Sink::new());
    let with = |digest: &str| {
        let receiver = format!("[[alerts.webhooks]]\nname = \"hook\"\nurl = \"{}\"\n{digest}\n", sink.url());
        Configuration::acme("expires = 2099-01-01").alerts(&receiver)
    };
    // It was due an hour ago, before it was configured.
    let mut daemon = world.run(&with(&format!("digest = \"{}\"", time_in(-3700))));
    daemon.checks("acme", "permissions", 2);
    assert_eq!(sink.taken().len(), 0);
    daemon.signal("TERM");
    assert!(daemon.ended().success());
    // The daemon ran for the last time two hours ago, as far as its store shows.
    let store = rusqlite::Connection::open(world.path("state.db")).unwrap();
    let ago = chrono::DateTime::from_timestamp(now() - 7200, 0).unwrap().format("%Y-%m-%dT%H:%M:%S.000Z").to_string();
    let changed = store.execute("UPDATE recurring SET at = ?1 WHERE name = 'digest hook'", [ago]).unwrap();
    assert_eq!(changed, 1);
    drop(store);
    sink.answers(Answer::Text(503, "busy"));
    let config = world.path("config.toml");
    let mut daemon = Daemon::start(&config, &[]);
    daemon.wait("a digest that is not taken", |line| line["event"] == "digest_failing");
    sink.answers(Answer::Text(200, "ok"));
    daemon.wait("a digest", |line| line["event"] == "digest_sent");
    let taken = sink.taken();
    assert_eq!((taken.len(), &taken[0]["digest"], &taken[0]["tokens"]), (1, &true.into(), &1.into()));
    let keys: Vec<_> = sink.sent().iter().map(|sent| sent.header("idempotency-key").to_owned()).collect();
    assert!(keys[0].starts_with("digest-") && keys.iter().all(|key| *key == keys[0]), "{keys:?}");
    assert_eq!(daemon.metric("syncro_monitor_digests_total{receiver=\"hook\"}"), Some(1.0));
    daemon.signal("TERM");
    assert!(daemon.ended().success());
    let mut daemon = Daemon::start(&config, &["--log-level", "debug"]);
    daemon.checks("acme", "permissions", 2);
    assert_eq!(sink.taken().len(), 1, "once");
}

#[test]
fn a_digest_can_be_seen_at_once() {
    let (world, sink, smtp) = (World::new(ACME), Sink::new(), Smtp::new(Script::default()));
    let receivers = format!(
        "[[alerts.webhooks]]\nname = \"chat\"\nurl = \"{}\"\nformat = \"slack\"\ndigest = \"Mon,Thu 08:00\"\n\
         [[alerts.webhooks]]\nname = \"other\"\nurl = \"{}\"\n\
         [[alerts.emails]]\nname = \"mail\"\nsmtp = \"smtp://127.0.0.1:{}\"\nfrom = \"a@example.com\"\n\
         to = [\"b@example.com\"]\ndigest = \"08:00\"\n",
        sink.url(),
        sink.url(),
        smtp.port
    );
    let configuration = Configuration::acme("").alerts(&receivers);
    let path = world.configure(&configuration);
    let ask = |more: &[&str]| {
        let output = call(&[&["-c", path.to_str().unwrap(), "test-alert", "--digest"], more].concat());
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    };
    let (code, said, _) = ask(&["--print"]);
    assert!(code == Some(0) && said.contains("# chat (slack), digest\nPOST http://"), "{said}");
    assert!(said.contains("Nothing is broken") && !said.contains("other"), "{said}");
    assert_eq!(ask(&["--receiver", "other"]).0, Some(64));
    assert!(sink.sent().is_empty() && smtp.taken().is_empty());
    let (code, said, _) = ask(&[]);
    assert_eq!(code, Some(0), "{said}");
    let mail = smtp.wait_for(1).remove(0);
    assert_eq!(mail.header("subject"), "Token digest: nothing is broken");
    // What the daemon believes is in it.
    let tokens = world.write("acme-jumpcloud", "wrong");
    let mut daemon = world.run(&configuration);
    std::fs::write(tokens, "wrong").unwrap();
    daemon.alert("TokenRejected", "firing");
    let broken = until("the alert in the digest", || {
        let (_, said, _) = ask(&["--print", "--receiver", "chat"]);
        said.contains("critical: TokenRejected: `acme / jumpcloud`: ").then_some(said)
    });
    assert!(broken.contains("1 alert fires, and it is critical"), "{broken}");
    assert_eq!(sink.sent().iter().filter(|sent| sent.text.contains("Token digest")).count(), 1);
}

#[test]
fn who_takes_no_digest_is_a_fault_that_says_who_does() {
    let world = World::new(ACME);
    world.write("plain.txt", "{{ alert }}{% if digest %}{{ broken.first }}{% endif %}");
    let path = world.configure(&Configuration::acme("").alerts(
        "[[alerts.alertmanagers]]\nurl = \"http://127.0.0.1:9093\"\ndigest = \"08:00\"\n\
         [[alerts.webhooks]]\nname = \"pager\"\nformat = \"pagerduty\"\nrouting_key_file = \"k\"\ndigest = \"08:00\"\n\
         [[alerts.webhooks]]\nname = \"own\"\nurl = \"http://127.0.0.1:1\"\nformat = \"template\"\n\
         template_file = \"plain.txt\"\ndigest = \"08:00\"\n\
         [[alerts.webhooks]]\nname = \"never\"\nurl = \"http://127.0.0.1:1\"\ndigest = \"Mondays\"\n",
    ));
    let output = call(&["-c", path.to_str().unwrap(), "validate"]);
    let said = text(&output.stderr);
    for fault in [
        "alerts.alertmanagers[0].digest: unknown key; allowed: a webhook or an e-mail with a digest",
        "alerts.webhooks[0].digest: not for this format; allowed: format = \"slack\", \"teams\", \"template\" or \"json\"",
        "alerts.webhooks[1].digest: the template `",
        "is wrong for a digest: line 1, column ",
        "alerts.webhooks[2].digest: `Mondays` is not such a time; allowed: days and a time such as \"Mon 08:00\"",
    ] {
        assert!(said.contains(fault), "{fault}\n{said}");
    }
}
