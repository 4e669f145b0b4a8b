//! Whatever a server or a file does: the others are watched on, it is said once, and no status changes because we
//! a check could not be made.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use simulator::{Incident, Misbehaviour};

use crate::harness::{ACME, Configuration, World, value};

const GOOD: &str = r#"
[[tenants]]
subdomain = "good"
groups = [{ name = "Technicians", permissions = "all" }]
users = [{ id = 1, group = "Technicians" }]
tokens = [{ value = "value-of-good", user = 1, permissions = "all" }]
"#;

fn failures(exposition: &str, reason: &str) -> f64 {
    let series = format!("syncro_check_failures_total{{check=\"validity\",reason=\"{reason}\"}}");
    value(exposition, &series).expect("the series exists from the start")
}

/// A tenant that was ok misbehaves; it stays ok in our eyes, and the other one is watched on.
fn misbehaviour_changes_nothing(how: &Misbehaviour, reason: &str) {
    let world = World::new(&format!("{ACME}{GOOD}"));
    let wants = "permissions = [\"Tickets - List/Search\"]";
    let configuration = Configuration::acme(wants).tenant("good", "value-of-good", wants);
    let mut daemon = world.run(&configuration);
    daemon.checks("acme", "permissions", 1);
    let tenant = Some("acme".to_owned());
    world.happens(Incident::Misbehaves { tenant, path: None, how: how.clone(), seconds: 600 });
    let first = daemon.wait("the failure", |line| line["tenant"] == "acme" && line["reason"] == reason);
    assert_eq!((&first["level"], &first["event"]), (&"WARN".into(), &"check".into()), "{how:?}");
    let again = daemon.checks("acme", "validity", 2);
    assert!(again.iter().all(|line| line["level"] == "DEBUG"), "{how:?}: said once, not {again:?}");
    daemon.checks("good", "validity", 2);
    let (status, exposition) = daemon.get("/metrics");
    assert_eq!(status, 200, "{how:?}");
    assert!(failures(&exposition, reason) >= 3.0, "{how:?}");
    for series in [
        "syncro_token_state{tenant=\"acme\",token_name=\"jumpcloud\",state=\"valid\"}",
        "syncro_token_state{tenant=\"good\",token_name=\"jumpcloud\",state=\"valid\"}",
        "syncro_token_permission_granted{tenant=\"acme\",token_name=\"jumpcloud\",permission=\"Tickets - List/Search\"}",
    ] {
        assert_eq!(value(&exposition, series), Some(1.0), "{how:?}: {series}");
    }
    assert_eq!(daemon.notified(), Vec::<String>::new(), "{how:?}");
    world.happens(Incident::Behaves);
    let again = daemon
        .wait("the recovery", |line| line["event"] == "check" && line["tenant"] == "acme" && line["level"] == "INFO");
    assert!(again["failures"].as_u64().unwrap() >= 3, "{how:?}");
}

macro_rules! misbehaviours {
    ($($name:ident: $how:expr, $reason:literal;)*) => {
        $(#[test]
        fn $name() {
            misbehaviour_changes_nothing(&$how, $reason);
        })*
    };
}

misbehaviours! {
    a_server_error_changes_nothing: Misbehaviour::Status(503), "http_5xx";
    a_maintenance_page_changes_nothing: Misbehaviour::Page(200), "not_syncro";
    a_missing_route_changes_nothing: Misbehaviour::Status(404), "not_syncro";
    half_a_json_changes_nothing: Misbehaviour::HalfJson, "malformed";
    a_body_cut_off_changes_nothing: Misbehaviour::CutBody, "malformed";
    invalid_utf8_changes_nothing: Misbehaviour::InvalidUtf8, "malformed";
    an_answer_of_600_mb_changes_nothing: Misbehaviour::Huge, "too_large";
    gzip_that_unpacks_to_600_mb_changes_nothing: Misbehaviour::GzipBomb, "too_large";
    a_server_that_hangs_changes_nothing: Misbehaviour::Hang, "timeout";
    json_of_something_else_changes_nothing: Misbehaviour::OtherJson(serde_json::json!({"hello": "world"})), "not_syncro";
}

#[test]
fn a_security_group_that_cannot_be_read_is_logged_once_and_the_rest_goes_on() {
    let no_group = Misbehaviour::OtherJson(serde_json::json!({"user": {"id": 1}}));
    for (how, why) in [
        (Misbehaviour::Status(401), "an unexpected answer, 401"),
        (Misbehaviour::Status(404), "an unexpected answer, 404"),
        (no_group, "Syncro names none"),
    ] {
        let world = World::new(ACME);
        let (tenant, path) = (None, Some("/users".to_owned()));
        world.happens(Incident::Misbehaves { tenant, path, how: how.clone(), seconds: 600 });
        let mut daemon = world.run(&Configuration::acme("permissions = [\"Tickets - List/Search\"]"));
        let line = daemon.wait("the reason", |line| line["event"] == "security_group");
        let message = line["message"].as_str().unwrap();
        assert!(line["level"] == "WARN" && message.contains(&format!("could not be read: {why}")), "{how:?}: {line}");
        daemon.checks("acme", "permissions", 2);
        let asked = world.log().iter().filter(|request| request.path == "/users/1").count();
        assert_eq!(asked, 1, "{how:?}: an answer is an answer, at most once an hour");
        let series = "syncro_token_permission_granted{tenant=\"acme\",token_name=\"jumpcloud\",permission=\"Tickets - List/Search\"}";
        assert_eq!(daemon.metric(series), Some(1.0), "{how:?}");
        assert_eq!(daemon.seen.iter().filter(|line| line["event"] == "security_group").count(), 1, "{how:?}");
        assert_eq!(daemon.notified(), Vec::<String>::new(), "{how:?}");
    }
}

#[test]
fn a_redirect_to_another_host_is_not_followed() {
    let world = World::new(ACME);
    let (other, address) = world.another(GOOD);
    let target = format!("http://{address}/good/api/v1/me");
    world.happens(Incident::Misbehaves { tenant: None, path: None, how: Misbehaviour::Redirect(target), seconds: 600 });
    let mut daemon = world.run(&Configuration::acme(""));
    daemon.wait("not_syncro", |line| line["reason"] == "not_syncro");
    daemon.checks("acme", "validity", 2);
    assert_eq!(other.log(), [], "the token must not reach another host");
    assert_eq!(daemon.notified(), Vec::<String>::new());
}

#[test]
fn a_host_that_is_not_there_is_named_by_what_is_wrong_and_the_others_go_on() {
    let world = World::new(ACME);
    let (_, plain) = world.another(GOOD);
    let closed = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap()
    };
    let hosts = [
        ("dns", "https://no-such-host.invalid/api/v1".to_owned()),
        ("connect", format!("http://{closed}/api/v1")),
        ("tls", format!("https://{plain}/api/v1")),
    ];
    let mut configuration = Configuration::acme("");
    for (name, base_url) in &hosts {
        configuration = configuration.tenant(name, "any-value", "");
        configuration.tenants.last_mut().unwrap().base_url = Some(base_url.clone());
    }
    let mut daemon = world.run(&configuration);
    let mut left: Vec<_> = hosts.iter().map(|(reason, _)| *reason).collect();
    while !left.is_empty() {
        let line = daemon.wait("a failure", |line| line["event"] == "check" && line["level"] == "WARN");
        assert_eq!(line["tenant"], line["reason"], "{line}");
        left.retain(|reason| line["reason"] != *reason);
    }
    daemon.checks("acme", "validity", 2);
    let (_, exposition) = daemon.get("/metrics");
    for (name, _) in &hosts {
        let unknown = format!("syncro_token_state{{tenant=\"{name}\",token_name=\"jumpcloud\",state=\"unknown\"}}");
        assert_eq!(value(&exposition, &unknown), Some(1.0), "{name}");
    }
    assert_eq!(daemon.notified(), Vec::<String>::new());
}

#[test]
fn an_unusable_token_value_is_a_fault_of_that_token_alone() {
    let world = World::new(ACME);
    let mut configuration = Configuration::acme("");
    let cases = [
        ("newline", "first\nsecond", "white space"),
        ("empty", "", "empty"),
        ("placeholder", "${SYNCRO_TOKEN}", "placeholder"),
    ];
    for (name, value, _) in cases {
        configuration = configuration.tenant(name, value, "");
    }
    let mut daemon = world.run(&configuration);
    for _ in cases {
        let line = daemon.alert("TokenUnreadable", "firing");
        let (_, _, expected) = cases.into_iter().find(|(name, ..)| line["tenant"] == *name).unwrap();
        assert!(line["message"].as_str().unwrap().contains(expected), "{line}");
    }
    daemon.checks("acme", "validity", 2);
    assert!(world.log().iter().all(|request| request.tenant == "acme"), "nothing is asked with an unusable value");
}

#[test]
fn an_unknown_permission_or_key_in_me_is_data() {
    let world = World::new(ACME);
    let me = serde_json::json!({
        "user_id": 1, "subdomain": "acme", "admin": false, "can_use_app": true, "moon_phase": [1, {"full": true}],
        "permissions": {"ticket": {"read": true, "teleport": false}, "moon": {"land": true}, "odd": 7},
    });
    let how = Misbehaviour::OtherJson(me);
    world.happens(Incident::Misbehaves { tenant: None, path: Some("/me".to_owned()), how, seconds: 600 });
    let mut daemon = world.run(&Configuration::acme("permissions = [\"Tickets - List/Search\"]"));
    daemon.checks("acme", "permissions", 1);
    let right = |right: &str| {
        format!("syncro_security_group_right{{tenant=\"acme\",security_group=\"Technicians\",right=\"{right}\"}}")
    };
    let (_, exposition) = daemon.get("/metrics");
    assert_eq!(value(&exposition, &right("moon.land")), Some(1.0));
    assert_eq!(value(&exposition, &right("ticket.teleport")), Some(0.0));
    assert_eq!(daemon.notified(), Vec::<String>::new());
}

/// A TLS server with a certificate that nobody vouches for; says whether anything came through.
fn self_signed(runtime: &tokio::runtime::Runtime) -> (std::net::SocketAddr, Arc<AtomicBool>) {
    let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = tokio_rustls::rustls::pki_types::PrivateKeyDer::try_from(certified.signing_key.serialize_der()).unwrap();
    let config = tokio_rustls::rustls::ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![certified.cert.der().clone()], key)
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
    let (address, reached) = (listener.local_addr().unwrap(), Arc::new(AtomicBool::new(false)));
    let seen = Arc::clone(&reached);
    runtime.spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            if acceptor.accept(stream).await.is_ok() {
                seen.store(true, Ordering::SeqCst);
            }
        }
    });
    (address, reached)
}

#[test]
fn a_certificate_that_nobody_vouches_for_gets_no_token() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (address, reached) = self_signed(&runtime);
    let world = World::new(ACME);
    let mut configuration = Configuration::acme("");
    configuration.tenants[0].base_url = Some(format!("https://localhost:{}/api/v1", address.port()));
    let mut daemon = world.run(&configuration);
    let line = daemon.wait("a failure", |line| line["event"] == "check" && line["level"] == "WARN");
    assert_eq!(line["reason"], "tls", "{line}");
    assert!(!reached.load(Ordering::SeqCst), "no request may pass");
    assert_eq!(daemon.notified(), Vec::<String>::new());
}
