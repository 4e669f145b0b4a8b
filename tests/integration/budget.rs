//! One request budget for the daemon and the commands beside it.

use std::process::Stdio;

use simulator::Logged;

use crate::harness::{ACME, Configuration, Token, World, call, program, text};
use crate::real::until;

/// The budget, in requests a minute: so much that a test of seconds shows whether it is exceeded.
const BUDGET: u32 = 1200;
/// What may leave at once.
const BURST: u64 = 10;
/// Tokens that a command checks, each with eleven requests, and others that the daemon alone checks.
const CHECKED: usize = 5;
const OTHERS: usize = 25;
/// How late a request may arrive on a busy machine, in milliseconds.
const LATE: u64 = 500;

fn tokens(count: usize, lines: &str) -> Vec<Token> {
    let token = |number| Token {
        name: format!("token-{number}"),
        value: "value-of-acme".to_owned(),
        lines: format!("expires = 2099-01-01\n{lines}"),
    };
    (0..count).map(token).collect()
}

/// A window of at least two seconds with more requests than the budget allows: its length in milliseconds, and their
/// number.
fn exceeded(log: &[Logged]) -> Option<(u64, u64)> {
    let mut at: Vec<u64> = log.iter().map(|request| request.at).collect();
    at.sort_unstable();
    let window = |first: usize, last: usize| (at[last] - at[first], (last - first + 1) as u64);
    let mut windows = (0..at.len())
        .flat_map(|first| (first..at.len()).map(move |last| (first, last)))
        .map(|(first, last)| window(first, last));
    windows.find(|(long, count)| *long >= 2000 && *count > BURST + (long + LATE) * u64::from(BUDGET) / 60_000)
}

#[test]
fn a_daemon_and_a_check_at_once_stay_within_the_budget() {
    let world = World::new(&format!("requests_per_minute = 0\n{ACME}"));
    let mut configuration = Configuration::acme("");
    configuration.requests_per_minute = BUDGET;
    configuration.permissions = "1h";
    configuration.tenants[0].tokens = tokens(CHECKED, "profile = \"jumpcloud\"");
    configuration = configuration.tenant("others", "value-of-acme", "");
    configuration.tenants[1].tokens = tokens(OTHERS, "");
    configuration.tenants[1].base_url = Some(world.base_url("acme"));
    let mut daemon = world.run(&configuration);
    daemon.checks("acme", "permissions", CHECKED);
    let path = world.path("config.toml");
    let check = ["-c", path.to_str().unwrap(), "check", "--tenant", "acme"];
    // What a check took that was killed halfway is part of the budget too.
    let before = world.log().len();
    let mut killed = program().args(check).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let asks_for_more = |log: &[Logged]| log.iter().any(|request| request.path.starts_with("/tickets"));
    until("the check sends requests", || asks_for_more(&world.log()[before..]).then_some(()));
    killed.kill().unwrap();
    killed.wait().unwrap();
    let start = world.log().len();
    let output = call(&check);
    let log = world.log();
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert_eq!(exceeded(&log), None);
    let says = "shares the budget of the running daemon: 1200 requests a minute together; its 55 requests may take 3s, \
                or up to 15s while the daemon needs all of it\n";
    assert_eq!(said, says);
    // Validity goes on: `/me` is all that the daemon asks for.
    let of_daemon = log[start..].iter().filter(|request| request.path == "/me").count() - CHECKED;
    assert!(of_daemon * 2 > log.len() - start, "{of_daemon} of {}", log.len() - start);
    assert!(daemon.seen.iter().all(|line| line["event"] != "budget_not_shared"));
}

#[test]
fn a_check_that_cannot_share_says_so_and_sends_few_or_nothing() {
    for (budget, exit, says, sent) in [
        (90, 0, "sends at most 9 requests a minute of its own", 2),
        (170, 3, "leave no room for others, so nothing is sent", 0),
    ] {
        let world = World::new(ACME);
        let path = world.configure(&Configuration { requests_per_minute: budget, ..Configuration::acme("") });
        let check = || call(&["-c", path.to_str().unwrap(), "check"]);
        std::fs::create_dir(world.path("state.db-budget")).unwrap();
        let output = check();
        assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), String::new()), "no daemon has a store");
        let before = world.log().len();
        world.write("state.db", "");
        let output = check();
        let said = text(&output.stderr);
        assert!(said.contains(says) && said.contains("state.db-budget"), "{said}");
        assert_eq!((output.status.code(), world.log().len() - before), (Some(exit), sent), "{said}");
    }
}

#[test]
fn a_check_without_a_daemon_says_nothing_and_sends_at_once() {
    let world = World::new(ACME);
    let rarely = Configuration { validity: "1h", permissions: "1h", ..Configuration::acme("") };
    let path = world.configure(&Configuration { requests_per_minute: 6, ..rarely });
    // Where a daemon has run there is a store, and with it a budget that commands share.
    for is_there in [false, true] {
        if is_there {
            world.write("state.db", "");
        }
        let output = call(&["-c", path.to_str().unwrap(), "check"]);
        assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), String::new()));
        assert_eq!(world.path("state.db-budget").exists(), is_there);
    }
    assert_eq!(world.log().len(), 4);
}
