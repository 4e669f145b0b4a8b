//! Alerts reach people by e-mail, whatever the server says meanwhile, and each once.

use std::fmt::Write as _;
use std::process::{Command, Stdio};

use simulator::Incident;

use crate::harness::{ACME, Configuration, Token, World, call, text};
use crate::real::{free_port, have, until};
use crate::refusals::{refused, two_tenants};
use crate::smtp::{Mail, Script, Smtp};

fn receiver(port: u16, more: &str) -> String {
    format!(
        "[[alerts.emails]]\nname = \"mail\"\nsmtp = \"smtp://127.0.0.1:{port}\"\nfrom = \"Monitor <monitor@example.com>\"\n\
         to = [\"ops@example.com\", \"On Call <oncall@example.com>\"]\ntimeout = \"1s\"\ngroup_wait = \"0s\"\n{more}\n"
    )
}

fn works(tenant: &str) -> Incident {
    Incident::TokenWorks { token: format!("value-of-{tenant}") }
}

/// What `test-alert` says with this receiver, and how it ends.
fn test_alert(world: &World, receiver: &str) -> (Option<i32>, String) {
    let path = world.configure(&Configuration::acme("").alerts(receiver));
    let output = call(&["-c", path.to_str().unwrap(), "test-alert"]);
    (output.status.code(), text(&output.stdout) + &text(&output.stderr))
}

#[test]
fn an_incident_is_one_thread_of_two_emails() {
    let (world, smtp) = (World::new(ACME), Smtp::new(Script::default()));
    let lines = "profile = \"jumpcloud\"\ncontact = \"Pat <billing>\"";
    let configuration = Configuration::acme(lines).alerts(&receiver(smtp.port, ""));
    let mut daemon = world.run(&configuration);
    daemon.checks("acme", "validity", 1);
    world.happens(refused("acme"));
    let line = daemon.alert("TokenRejected", "firing");
    let first = smtp.wait_for(1).remove(0);
    assert_eq!(first.from, "monitor@example.com");
    assert_eq!(first.to, ["ops@example.com", "oncall@example.com"]);
    assert!(!first.encrypted && first.header("auto-submitted") == "auto-generated", "{}", first.text);
    assert_eq!(first.header("subject"), "firing critical: TokenRejected acme / jumpcloud");
    assert!(first.header("content-type").starts_with("multipart/alternative"), "{}", first.text);
    let id = first.header("message-id");
    assert!(id.starts_with(&format!("<{}.", line["id"].as_str().unwrap())) && id.ends_with("@example.com>"), "{id}");
    let quoted = first.text.replace("=\r\n", "");
    for part in ["Contact: Pat <billing>", "<td>Pat &#60;billing&#62;</td>", "/runbooks/TokenRejected"] {
        assert!(quoted.contains(part), "{part}: {quoted}");
    }
    world.happens(works("acme"));
    let second = smtp.wait_for(2).remove(1);
    assert_eq!((second.header("references"), second.header("in-reply-to")), (id.clone(), id.clone()));
    assert_ne!(second.header("message-id"), id);
    assert_eq!(second.header("subject"), "resolved critical: TokenRejected acme / jumpcloud");
    daemon.signal("TERM");
    assert!(daemon.ended().success());
    assert_eq!(smtp.taken().len(), 2, "each once");
}

#[test]
fn a_first_start_with_many_faults_is_one_email() {
    const TOKENS: usize = 30;
    let tokens: String = (0..TOKENS).fold(String::new(), |mut tokens, number| {
        write!(tokens, "{{ value = \"v{number}\", user = 1, permissions = [] }},").unwrap();
        tokens
    });
    let scenario = "requests_per_minute = 0\n".to_owned() + &ACME.replace("tokens = [", &format!("tokens = [{tokens}"));
    let (world, smtp) = (World::new(&scenario), Smtp::new(Script::default()));
    let mut configuration = Configuration::acme("").alerts(&receiver(smtp.port, "").replace("\"0s\"", "\"3s\""));
    configuration.requests_per_minute = 60_000;
    configuration.tenants[0].tokens.extend((0..TOKENS).map(|number| Token {
        name: format!("t{number}"),
        value: format!("v{number}"),
        lines: "permissions = [\"Tickets - List/Search\"]".to_owned(),
    }));
    for number in 0..TOKENS {
        world.happens(Incident::TokenRefused { token: format!("v{number}") });
    }
    let mut daemon = world.run(&configuration);
    for _ in 0..TOKENS {
        daemon.alert("TokenRejected", "firing");
    }
    let mail = smtp.wait_for(1).remove(0);
    let subject = format!("{TOKENS} alerts: {TOKENS} critical (TokenRejected)");
    assert_eq!(mail.header("subject"), subject, "{}", mail.text);
    daemon.signal("TERM");
    assert!(daemon.ended().success());
    assert_eq!(
        smtp.taken().len(),
        1,
        "{:?}",
        smtp.taken().iter().map(|mail| mail.header("subject")).collect::<Vec<_>>()
    );
}

#[test]
fn what_a_server_says_is_what_test_alert_says() {
    let world = World::new(ACME);
    let (authority, server, _) = crate::tls::certificates();
    world.write("ca.pem", &authority);
    world.write("other.pem", &crate::tls::certificates().0);
    world.write("password", "secret\n");
    let always = usize::MAX;
    let cases = [
        ("it takes all", Script::default(), "", "firing\tok"),
        (
            "a sender that is refused",
            Script { answers: vec![("MAIL", "550 5.7.1 not from you", always)], ..Script::default() },
            "",
            "smtp_5xx: it answered the sender with 550 5.7.1 not from you",
        ),
        (
            "greylisting",
            Script { answers: vec![("RCPT", "451 4.7.1 later", always)], ..Script::default() },
            "",
            "smtp_4xx: it does not take `ops@example.com` yet: 451 4.7.1 later",
        ),
        (
            "recipients that are unknown",
            Script { answers: vec![("RCPT", "550 5.1.1 nobody", always)], ..Script::default() },
            "",
            "smtp_5xx: it does not take `ops@example.com`: 550 5.1.1 nobody",
        ),
        ("silence after the data", Script { stalls: true, ..Script::default() }, "", "timeout: no answer in time"),
        (
            "a login",
            Script { login: Some("AG9wcwBzZWNyZXQ="), ..Script::default() },
            "username = \"ops\"\npassword_file = \"password\"",
            "firing\tok",
        ),
        (
            "a wrong login",
            Script { login: Some("AG9wcwBvdGhlcg=="), ..Script::default() },
            "username = \"ops\"\npassword_file = \"password\"",
            "smtp_5xx: it answered the login with 535 5.7.8 wrong credentials",
        ),
        (
            "a certificate of anybody on this machine",
            Script { starttls: Some(server.clone()), ..Script::default() },
            "",
            "firing\tok",
        ),
        (
            "a certificate that is not trusted",
            Script { starttls: Some(server.clone()), ..Script::default() },
            "ca_file = \"other.pem\"",
            "firing\ttls: ",
        ),
        (
            "no SMTP",
            Script { answers: vec![("EHLO", "HTTP/1.1 400", always)], ..Script::default() },
            "",
            "not_receiver: ",
        ),
    ];
    for (case, script, more, expected) in cases {
        let smtp = Smtp::new(script);
        let (code, said) = test_alert(&world, &receiver(smtp.port, more));
        assert!(said.contains(expected), "{case}: {said}");
        let is_taken = expected.ends_with("ok");
        assert_eq!((code, smtp.taken().len()), if is_taken { (Some(0), 2) } else { (Some(1), 0) }, "{case}: {said}");
        assert!(smtp.taken().iter().all(|mail| mail.encrypted == case.contains("certificate")), "{case}");
        assert!(!said.contains("secret\n"), "{case}");
    }
    let smtp = Smtp::new(Script { starttls: Some(server), ..Script::default() });
    let localhost = receiver(smtp.port, "ca_file = \"ca.pem\"").replace("127.0.0.1", "localhost");
    assert_eq!(test_alert(&world, &localhost).0, Some(0));
    assert!(smtp.taken().iter().all(|mail| mail.encrypted), "STARTTLS wherever it is offered");
}

#[test]
fn one_email_that_is_refused_is_set_aside_and_blocks_no_other() {
    let (world, configuration) = two_tenants();
    let smtp = Smtp::new(Script { refuses: Some(("acme", "554 5.6.0 spam")), ..Script::default() });
    let mut daemon = world.run(&configuration.alerts(&receiver(smtp.port, "")));
    daemon.checks("acme", "validity", 1);
    daemon.checks("second", "validity", 1);
    world.happens(refused("acme"));
    daemon.wait("the refusal", |line| line["event"] == "receiver_failing");
    world.happens(refused("second"));
    let taken = smtp.wait_for(1).remove(0);
    assert!(taken.header("subject").contains("second"), "{}", taken.text);
    let line = daemon.wait("that it is set aside", |line| line["event"] == "notification_set_aside");
    let message = line["message"].as_str().unwrap();
    assert!(message.contains("it answered the data with 554 5.6.0 spam"), "{line}");
}

#[test]
fn greylisting_and_a_stall_delay_an_email_and_lose_nothing() {
    let deferred = Script { answers: vec![("RCPT", "451 4.7.1 later", 4)], ..Script::default() };
    for script in [deferred, Script { stalls: true, ..Script::default() }] {
        let (world, smtp) = (World::new(ACME), Smtp::new(script));
        let mut daemon = world.run(&Configuration::acme("").alerts(&receiver(smtp.port, "")));
        daemon.checks("acme", "validity", 1);
        world.happens(refused("acme"));
        daemon.wait("the trouble", |line| line["event"] == "receiver_failing");
        smtp.behaves(Script::default());
        let taken = smtp.wait_for(1);
        daemon.wait("the recovery", |line| line["event"] == "receiver_recovered");
        assert_eq!((taken.len(), taken[0].to.len()), (1, 2));
    }
}

#[test]
fn a_recipient_that_is_put_off_gets_the_email_later_and_alone() {
    let script = Script { answers: vec![("RCPT TO:<ops@", "452 4.2.2 full", 2)], ..Script::default() };
    let (world, smtp) = (World::new(ACME), Smtp::new(script));
    let mut daemon = world.run(&Configuration::acme("").alerts(&receiver(smtp.port, "")));
    daemon.checks("acme", "validity", 1);
    world.happens(refused("acme"));
    let taken = smtp.wait_for(2);
    let recipients: Vec<_> = taken.iter().map(|mail| mail.to.join(",")).collect();
    assert_eq!(recipients, ["oncall@example.com", "ops@example.com"]);
    assert_eq!(taken[0].header("message-id"), taken[1].header("message-id"));
}

#[test]
fn a_real_server_takes_an_email() {
    if !have(&["aiosmtpd"]) {
        return;
    }
    let world = World::new(ACME);
    let port = free_port();
    let folder = world.path("mail");
    let mut server = Command::new("aiosmtpd")
        .args(["-n", "-l", &format!("127.0.0.1:{port}"), "-c", "aiosmtpd.handlers.Mailbox"])
        .arg(&folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    until("the server", || std::net::TcpStream::connect(("127.0.0.1", port)).ok());
    let (code, said) = test_alert(&world, &receiver(port, ""));
    server.kill().unwrap();
    server.wait().unwrap();
    assert_eq!(code, Some(0), "{said}");
    let files = std::fs::read_dir(folder.join("new")).unwrap();
    let mails: Vec<_> = files
        .map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap().replace('\n', "\r\n"))
        .map(|text| Mail { from: String::new(), to: Vec::new(), text, encrypted: false })
        .collect();
    let subjects: Vec<_> = mails.iter().map(|mail| mail.header("subject")).collect();
    assert_eq!(mails.len(), 2, "{subjects:?}");
    assert!(subjects.contains(&"firing warning: TestAlert test".to_owned()), "{subjects:?}");
    assert!(mails.iter().all(|mail| mail.header("from").contains("monitor@example.com")));
}
