//! Whoever guesses at a password or a bearer token is slowed down, and nobody else is: nothing is compared for too many guesses,
//! and whoever was let in before goes on.

use std::io::{Read, Write};
use std::net::TcpStream;

use reqwest::Method;

use crate::harness::{ACME, Configuration, Daemon, World};
use crate::locks::{Caller, basic, locked};

const RIGHT: &str = "Bearer bearer-of-prometheus";

fn caller() -> Caller {
    // Each request on a connection of its own.
    Caller::new(|builder| builder.pool_max_idle_per_host(0))
}

/// Guesses until it has to wait; returns how many guesses were compared.
fn exhaust(url: &str, guess: impl Fn(usize) -> String) -> usize {
    let caller = caller();
    let answers: Vec<_> = (0..40).map(|number| caller.status(url, &guess(number))).collect();
    let compared = answers.iter().filter(|status| **status == 401).count();
    assert!(answers.iter().all(|status| [401, 429].contains(status)), "{answers:?}");
    compared
}

#[test]
fn a_password_that_was_right_before_is_not_compared_for_whoever_guesses() {
    let world = World::new(ACME);
    let mut daemon = world.run(&locked(&world, ""));
    let (caller, url) = (caller(), format!("{}/", daemon.address));
    let alice = basic("alice", "correct horse");
    let welcome = caller.call(&Method::GET, &url, &[("authorization", &alice)]).unwrap();
    assert_eq!(welcome.status(), 200);
    let cookie = welcome.headers()["set-cookie"].to_str().unwrap().to_owned();
    for attribute in ["; Path=/", "; HttpOnly", "; SameSite=Strict", "; Max-Age="] {
        assert!(cookie.contains(attribute), "{cookie}");
    }
    assert!(!cookie.contains("Secure"), "a browser would not send it back over http: {cookie}");
    let compared = exhaust(&url, |number| basic("alice", &format!("guess-{number}")));
    assert!((10..=12).contains(&compared), "{compared}");
    let refused = caller.call(&Method::GET, &url, &[("authorization", &alice)]).unwrap();
    assert_eq!(refused.status(), 429, "an answer would be a guess for free");
    assert!(refused.headers()["retry-after"].to_str().unwrap().parse::<u64>().unwrap() <= 7);
    let session = cookie.split(';').next().unwrap();
    let again = caller.call(&Method::GET, &url, &[("authorization", &alice), ("cookie", session)]).unwrap();
    assert_eq!((again.status().as_u16(), again.headers().contains_key("set-cookie")), (200, false));
    let line = daemon.wait("a line", |line| line["event"] == "login_throttled");
    assert_eq!(line["peer"], "127.0.0.1");
    daemon.signal("TERM");
    assert!(daemon.ended().success());
    let throttled = daemon.seen.iter().filter(|line| line["event"] == "login_throttled").count();
    assert_eq!(throttled, 1, "once a minute");
}

/// One request on a connection that stays open; its status.
fn on(stream: &mut TcpStream, authorization: &str) -> u16 {
    let request = format!("GET /-/nothing HTTP/1.1\r\nHost: localhost\r\nAuthorization: {authorization}\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"</html>") && !head.ends_with(b"guesses\n") && !head.ends_with(b"you?\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    String::from_utf8_lossy(&head)["HTTP/1.1 ".len()..].split(' ').next().unwrap().parse().unwrap()
}

#[test]
fn a_scraper_goes_on_on_its_connection_while_somebody_guesses_at_its_address() {
    let world = World::new(ACME);
    let daemon = world.run(&locked(&world, ""));
    let mut scraper = TcpStream::connect(daemon.address.trim_start_matches("http://")).unwrap();
    assert_eq!(on(&mut scraper, RIGHT), 404, "it is let in");
    let url = format!("{}/metrics", daemon.address);
    let compared = exhaust(&url, |number| format!("Bearer guess-{number}"));
    assert!((10..=12).contains(&compared), "{compared}");
    assert_eq!(caller().status(&url, RIGHT), 429, "an answer would be a guess for free");
    assert_eq!(on(&mut scraper, RIGHT), 404);
    assert_eq!(on(&mut scraper, "Bearer another"), 429, "it has shown nothing else");
}

/// The status of a request that has these lines after its first one.
fn status(daemon: &Daemon, path: &str, lines: &str) -> u16 {
    let mut stream = TcpStream::connect(daemon.address.trim_start_matches("http://")).unwrap();
    stream.write_all(format!("GET {path} HTTP/1.1\r\n{lines}Connection: close\r\n\r\n").as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer["HTTP/1.1 ".len()..].split(' ').next().unwrap().parse().unwrap()
}

#[test]
fn a_name_that_is_not_its_own_is_not_answered() {
    let world = World::new(ACME);
    let web =
        "listen = \"127.0.0.1:0\"\nexternal_url = \"https://monitor.example/syncro\"\nhosts = [\"second.example\"]";
    let daemon = world.run(&Configuration { web: web.to_owned(), ..Configuration::acme("") });
    let ours = ["localhost", "127.0.0.1:1", "[::1]", "192.0.2.1:9760", "monitor.example", "SECOND.example:443"];
    for host in ours {
        assert_eq!(status(&daemon, "/metrics", &format!("Host: {host}\r\n")), 200, "{host}");
    }
    for host in ["evil.example", "localhost.evil.example", "monitor.example.evil"] {
        let lines = format!("Host: {host}\r\n");
        for path in ["/", "/metrics", "/api/v1/tokens", "/calendar.ics", "/static/style.css", "/nowhere"] {
            assert_eq!(status(&daemon, path, &lines), 421, "{host}{path}");
        }
        assert_eq!(status(&daemon, "/-/healthy", &lines), 200, "health is for everybody");
    }
    for lines in ["", "Host: localhost\r\nHost: localhost\r\n", "Host: evil@localhost\r\n", "Host: \r\n"] {
        assert_eq!(status(&daemon, "/metrics", lines), 400, "{lines:?}");
        assert_eq!(status(&daemon, "/-/ready", lines), 200, "{lines:?}");
    }
    assert_eq!(status(&daemon, "http://evil.example/metrics", "Host: localhost\r\n"), 421);
}

#[test]
fn a_token_for_scraping_reads_the_metrics_and_changes_nothing() {
    let world = World::new(ACME);
    let mut configuration = locked(&world, "");
    world.write("scraper", "bearer-of-a-scraper\n");
    configuration.web = configuration
        .web
        .replace("[\"prometheus-token\"]", "[\"prometheus-token\", { file = \"scraper\", only = \"scrape\" }]");
    let daemon = world.run(&configuration);
    let caller = caller();
    let asks = |method: Method, path: &str, token: &str| {
        let answer = caller.call(&method, &format!("{}{path}", daemon.address), &[("authorization", token)]);
        answer.unwrap().status().as_u16()
    };
    let scraper = "Bearer bearer-of-a-scraper";
    assert_eq!(asks(Method::GET, "/metrics", scraper), 200);
    for path in ["/", "/api/v1/tokens", "/api/v1/alerts", "/calendar.ics", "/tenants/acme/tokens/jumpcloud"] {
        assert_eq!((asks(Method::GET, path, scraper), asks(Method::GET, path, RIGHT)), (403, 200), "{path}");
    }
    for path in ["/-/reload", "/api/v1/tokens/acme/jumpcloud/check"] {
        assert_eq!(asks(Method::POST, path, scraper), 403, "{path}");
        assert!(asks(Method::POST, path, RIGHT) < 300, "{path}");
    }
    assert_eq!(asks(Method::POST, "/metrics", scraper), 403);
}

#[test]
fn whoever_asks_for_checks_again_and_again_leaves_four_fifths_of_the_budget() {
    let world = World::new(ACME);
    let mut configuration = Configuration::acme("profile = \"jumpcloud\"");
    (configuration.validity, configuration.permissions) = ("1h", "1h");
    configuration.requests_per_minute = 100;
    let mut daemon = world.run(&configuration);
    daemon.checks("acme", "permissions", 1);
    let scheduled = world.log().len();
    let (caller, url) = (caller(), format!("{}/api/v1/tokens/acme/jumpcloud/check", daemon.address));
    let answers: Vec<_> = (0..50).map(|_| caller.call(&Method::POST, &url, &[]).unwrap()).collect();
    let taken = answers.iter().filter(|answer| answer.status() == 202).count();
    let refused: Vec<_> = answers.iter().filter(|answer| answer.status() == 429).collect();
    assert!((1..=3).contains(&taken) && refused.len() == 50 - taken, "{taken}");
    assert!(refused.iter().all(|answer| answer.headers().contains_key("retry-after")));
    daemon.checks("acme", "permissions", 1);
    let asked_for = world.log().len() - scheduled;
    assert!(asked_for <= 20, "{asked_for} of 100");
    let reloads: Vec<_> = (0..40).map(|_| daemon.post("/-/reload").0).collect();
    assert_eq!(
        reloads.iter().filter(|status| **status == 200).count()
            + reloads.iter().filter(|status| **status == 429).count(),
        40
    );
    assert_eq!(reloads.last(), Some(&429), "{reloads:?}");
}
