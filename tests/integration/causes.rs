//! One cause is one notification to each receiver, and one that it is over: with a real Alertmanager, a mailbox, a chat and
//! a webhook side by side.

use std::collections::BTreeMap;

use serde_json::Value;
use simulator::{Incident, Misbehaviour};

use crate::harness::{Configuration, Daemon, Token, World, now};
use crate::real::{Server, have, until};
use crate::sink::Sink;
use crate::smtp::{Script, Smtp};

/// Three users of one group, the first of whom made five tokens, and a group that may do nothing.
const ACCOUNT: &str = r#"
requests_per_minute = 0
[[tenants]]
subdomain = "acme"
groups = [{ name = "Technicians", permissions = "all" }, { name = "Leavers", permissions = [] }]
users = [{ id = 1, group = "Technicians" }, { id = 2, group = "Technicians" }, { id = 3, group = "Technicians" }]
"#;
/// A busy machine takes seconds to ask all tokens what one has shown.
const UNHURRIED: &str = "5s";
const WANTED: [&str; 3] = ["Tickets - List/Search", "Customers - List/Search", "Vendors - List"];

/// Tokens of the account, one for each of these users.
fn account(users: &[u64]) -> World {
    let token =
        |(number, user): (usize, &u64)| format!("{{ value = \"v{number}\", user = {user}, permissions = \"all\" }}");
    let tokens: Vec<_> = users.iter().enumerate().map(token).collect();
    World::new(&format!("{ACCOUNT}tokens = [{}]\n", tokens.join(", ")))
}

/// The receivers of everything.
struct Receivers {
    /// Whom the Alertmanager pages.
    pager: Sink,
    alertmanager: Server,
    webhook: Sink,
    chat: Sink,
    mailbox: Smtp,
}

/// What each receiver was sent of the alerts of a kind: how often that it fires, and how often that it is over.
type Counts = BTreeMap<&'static str, (usize, usize)>;

impl Receivers {
    fn new(world: &World) -> Self {
        let pager = Sink::new();
        let alertmanager = Server::alertmanager(&world.path(""), &pager.url());
        Self { pager, alertmanager, webhook: Sink::new(), chat: Sink::new(), mailbox: Smtp::new(Script::default()) }
    }

    fn configuration(&self) -> String {
        format!(
            "[[alerts.alertmanagers]]\nurl = \"http://{}\"\n\
             [[alerts.webhooks]]\nname = \"hook\"\nurl = \"{}\"\n\
             [[alerts.webhooks]]\nname = \"chat\"\nurl = \"{}\"\nformat = \"slack\"\ngroup_wait = \"0s\"\n\
             [[alerts.emails]]\nname = \"mail\"\nsmtp = \"smtp://127.0.0.1:{}\"\nfrom = \"monitor@example.com\"\n\
             to = [\"ops@example.com\"]\ngroup_wait = \"0s\"\n",
            self.alertmanager.address,
            self.webhook.url(),
            self.chat.url(),
            self.mailbox.port
        )
    }

    /// What each was sent about the alerts of a kind.
    fn counts(&self, alert: &str) -> Counts {
        let has = |text: &str, status: &str| text.contains(alert) && text.to_lowercase().contains(status);
        let count = |texts: &[String]| {
            let of = |status: &str| texts.iter().filter(|text| has(text, status)).count();
            (of("firing"), of("resolved"))
        };
        let programs = self.webhook.taken();
        let programs = programs.iter().map(|body| format!("{} {}", body["alert"], body["status"])).collect::<Vec<_>>();
        let chat = self.chat.taken().iter().map(Value::to_string).collect::<Vec<_>>();
        let mails = self.mailbox.taken().iter().map(|mail| mail.header("subject")).collect::<Vec<_>>();
        let pages = self.pager.taken();
        let pages = pages.iter().map(|page| format!("{} {}", page["commonLabels"], page["status"])).collect::<Vec<_>>();
        [("webhook", programs), ("chat", chat), ("mailbox", mails), ("Alertmanager", pages)]
            .into_iter()
            .map(|(name, texts)| (name, count(&texts)))
            .collect()
    }

    /// Waits until each was sent that an alert is over, and returns what each was sent about it.
    fn at_the_end(&self, alert: &str) -> Counts {
        until("the end", || Some(self.counts(alert)).filter(|counts| counts.values().all(|(_, ended)| *ended > 0)))
    }
}

/// A daemon that watches all tokens of the account, once each has been checked.
fn watch(world: &World, receivers: &Receivers, count: usize, lines: &str) -> Daemon {
    let alerts = format!("remind_every = \"1h\"\n{}", receivers.configuration());
    let mut configuration = Configuration::acme("").alerts(&alerts);
    configuration.requests_per_minute = 60_000;
    (configuration.validity, configuration.permissions) = ("3s", "6s");
    configuration.confirm_after = UNHURRIED;
    let wanted = WANTED.map(|permission| format!("\"{permission}\"")).join(", ");
    let token = |number| Token {
        name: format!("token-{number}"),
        value: format!("v{number}"),
        lines: format!("permissions = [{wanted}]\n{lines}"),
    };
    configuration.tenants[0].tokens = (0..count).map(token).collect();
    let mut daemon = world.run(&configuration);
    daemon.checks("acme", "permissions", count);
    daemon
}

/// What breaks something, and what makes it whole again.
struct Case {
    alert: &'static str,
    users: Vec<u64>,
    breaks: Vec<Incident>,
    ends: Vec<Incident>,
}

fn each_is_one_notification_and_one_end(case: Case) {
    if !have(&["prometheus-alertmanager"]) {
        return;
    }
    let world = account(&case.users);
    let receivers = Receivers::new(&world);
    let mut daemon = watch(&world, &receivers, case.users.len(), "");
    case.breaks.into_iter().for_each(|incident| world.happens(incident));
    let line = daemon.alert(case.alert, "firing");
    let affected = line["token_names"].as_array().map(Vec::len);
    daemon.checks("acme", "validity", 2 * case.users.len());
    case.ends.into_iter().for_each(|incident| world.happens(incident));
    daemon.alert(case.alert, "resolved");
    let counts = receivers.at_the_end(case.alert);
    let pages = receivers.pager.taken();
    assert!(counts.values().all(|counts| *counts == (1, 1)), "{}: {counts:?}, {line}, {pages:?}", case.alert);
    assert_eq!(daemon.notified(), [format!("{} firing", case.alert), format!("{} resolved", case.alert)]);
    assert_eq!(affected, Some(case.users.len()), "it names all: {line}");
    daemon.signal("TERM");
    assert!(daemon.ended().success());
    assert_eq!((receivers.mailbox.taken().len(), receivers.chat.taken().len()), (2, 2), "and nothing besides");
}

#[test]
fn a_user_who_is_moved_to_another_group_is_one_notification_and_one_end() {
    let moved = |group: &str| Incident::UserMoved { tenant: "acme".to_owned(), user: 1, group: group.to_owned() };
    each_is_one_notification_and_one_end(Case {
        alert: "UserChanged",
        users: vec![1, 1],
        breaks: vec![moved("Leavers")],
        ends: vec![moved("Technicians")],
    });
}

#[test]
fn a_group_that_is_emptied_is_one_notification_and_one_end() {
    let (tenant, group) = ("acme".to_owned(), "Technicians".to_owned());
    let loses = |permission: &str| Incident::GroupLoses {
        tenant: tenant.clone(),
        group: group.clone(),
        permission: permission.to_owned(),
    };
    let gains = |permission: &str| Incident::GroupGains {
        tenant: tenant.clone(),
        group: group.clone(),
        permission: permission.to_owned(),
    };
    each_is_one_notification_and_one_end(Case {
        alert: "PermissionLost",
        users: vec![1, 2, 3],
        breaks: WANTED.map(loses).into(),
        ends: WANTED.map(gains).into(),
    });
}

#[test]
fn a_user_with_five_tokens_who_is_locked_out_is_one_notification_and_one_end() {
    let locked = |locked_out| Incident::UserLockedOut { tenant: "acme".to_owned(), user: 1, locked_out };
    each_is_one_notification_and_one_end(Case {
        alert: "UserLockedOut",
        users: vec![1; 5],
        breaks: vec![locked(true)],
        ends: vec![locked(false)],
    });
}

#[test]
fn forty_tokens_that_are_blocked_are_one_notification_and_one_end() {
    let blocked = Incident::Misbehaves { tenant: None, path: None, how: Misbehaviour::Status(403), seconds: 600 };
    each_is_one_notification_and_one_end(Case {
        alert: "TenantBlocked",
        users: (0..40).map(|number| number % 3 + 1).collect(),
        breaks: vec![blocked],
        ends: vec![Incident::Behaves],
    });
}

#[test]
fn a_first_start_of_two_hundred_tokens_with_thirty_faults_is_one_message() {
    const TENANTS: usize = 10;
    const TOKENS: usize = 20;
    let value = |tenant: usize, token: usize| format!("v{tenant}-{token}");
    // The first of each tenant is refused, the second has expired, and the third may not do what it should.
    let account = |tenant: usize| {
        let permissions = |token: usize| if token == 2 { "[]" } else { "\"all\"" };
        let token = |token: usize| {
            format!("{{ value = \"{}\", user = 1, permissions = {} }}", value(tenant, token), permissions(token))
        };
        let tokens = (0..TOKENS).map(token).collect::<Vec<_>>().join(", ");
        format!(
            "[[tenants]]\nsubdomain = \"t{tenant}\"\ngroups = [{{ name = \"Technicians\", permissions = \"all\" }}]\n\
             users = [{{ id = 1, group = \"Technicians\" }}]\ntokens = [{tokens}]\n"
        )
    };
    let world = World::new(&format!("requests_per_minute = 0\n{}", (0..TENANTS).map(account).collect::<String>()));
    let (chat, mailbox) = (Sink::new(), Smtp::new(Script::default()));
    let mut configuration = Configuration::default().alerts(&format!(
        "[[alerts.webhooks]]\nname = \"chat\"\nurl = \"{}\"\nformat = \"slack\"\n\
         [[alerts.emails]]\nname = \"mail\"\nsmtp = \"smtp://127.0.0.1:{}\"\nfrom = \"monitor@example.com\"\n\
         to = [\"ops@example.com\"]\n",
        chat.url(),
        mailbox.port
    ));
    configuration.requests_per_minute = 60_000;
    (configuration.validity, configuration.permissions) = ("5s", "10s");
    for tenant in 0..TENANTS {
        configuration = configuration.tenant(&format!("t{tenant}"), "unused", "");
        let token = |token: usize| {
            let expired = if token == 1 { "\nexpires = 2026-01-01" } else { "" };
            let lines = format!("permissions = [\"Tickets - List/Search\"]{expired}");
            Token { name: format!("token-{token}"), value: value(tenant, token), lines }
        };
        configuration.tenants[tenant].tokens = (0..TOKENS).map(token).collect();
        for token in [0, 1] {
            world.happens(Incident::TokenRefused { token: value(tenant, token) });
        }
    }
    let mut daemon = world.run(&configuration);
    while daemon.notified().len() < 3 * TENANTS {
        daemon.wait("an alert", |line| line["event"] == "alert");
    }
    let said = until("the message", || chat.taken().first().cloned()).to_string();
    assert!(said.contains("30 alerts: 30 critical"), "{said}");
    let mail = mailbox.wait_for(1).remove(0);
    assert!(mail.header("subject").starts_with("30 alerts: 30 critical"), "{}", mail.header("subject"));
    daemon.signal("TERM");
    assert!(daemon.ended().success());
    assert_eq!((chat.taken().len(), mailbox.taken().len()), (1, 1), "and nothing besides");
}

#[test]
fn a_token_that_expires_beside_its_notice_is_one_notification_and_one_end() {
    if !have(&["prometheus-alertmanager"]) {
        return;
    }
    let world = account(&[1]);
    let receivers = Receivers::new(&world);
    let expires = chrono::DateTime::from_timestamp(now() + 8, 0).unwrap().to_rfc3339();
    let mut daemon = watch(&world, &receivers, 1, &format!("expires = {expires}"));
    if daemon.notified().is_empty() {
        daemon.alert("TokenExpiring", "firing");
    }
    assert_eq!(daemon.notified(), ["TokenExpiring firing"]);
    world.happens(Incident::TokenRefused { token: "v0".to_owned() });
    daemon.alert("TokenExpired", "firing");
    world.happens(Incident::TokenWorks { token: "v0".to_owned() });
    daemon.alert("TokenExpired", "resolved");
    let counts = receivers.at_the_end("TokenExpired");
    assert!(counts.values().all(|counts| *counts == (1, 1)), "{counts:?}");
    daemon.signal("TERM");
    assert!(daemon.ended().success());
    let subjects: Vec<_> = receivers.mailbox.taken().iter().map(|mail| mail.header("subject")).collect();
    let of_notice: Vec<_> = subjects.iter().filter(|subject| subject.contains("TokenExpiring")).collect();
    assert!(matches!(of_notice.as_slice(), [one] if one.starts_with("firing")), "its place was taken: {subjects:?}");
}
