//! Contract section 6: requests leave from several addresses, each with a budget of its own, and a failing address is no
//! failing Syncro.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use simulator::Incident;

use crate::fleet::{TENANTS, configuration, scenario};
use crate::harness::{ACME, Configuration, World, call, text};
use crate::real::until;

/// From which address each tenant is asked by a `check`, which asks each from one.
fn asked_from(addresses: &[&str]) -> BTreeMap<String, IpAddr> {
    let world = World::new(&scenario(0));
    let path = world.configure(&configuration(addresses));
    let output = call(&["-c", path.to_str().unwrap(), "check"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let mut asked = BTreeMap::new();
    for request in world.log() {
        let from = *asked.entry(request.tenant.clone()).or_insert(request.from);
        assert_eq!(from, request.from, "{} is asked from one address", request.tenant);
    }
    asked
}

fn ip(address: &str) -> IpAddr {
    address.parse().unwrap()
}

#[test]
fn each_tenant_is_asked_from_one_address_and_a_further_one_moves_few() {
    let two = asked_from(&["127.0.0.2", "127.0.0.3"]);
    let three = asked_from(&["127.0.0.4", "127.0.0.3", "127.0.0.2"]);
    assert_eq!(two.len(), TENANTS.len());
    assert_eq!(two.values().copied().collect::<BTreeSet<_>>(), [ip("127.0.0.2"), ip("127.0.0.3")].into());
    let moved: Vec<_> = TENANTS.iter().filter(|tenant| two[**tenant] != three[**tenant]).collect();
    assert!((1..=7).contains(&moved.len()), "{moved:?}");
    assert!(moved.iter().all(|tenant| three[**tenant] == ip("127.0.0.4")), "nothing moves between those that stay");
}

#[test]
fn an_address_that_syncro_throttles_holds_up_no_tenant_of_another() {
    let (crowded, free) = ("127.0.0.2", "127.0.0.3");
    let asked = asked_from(&[crowded, free]);
    let world = World::new(&scenario(40));
    // Somebody else on this machine uses up what Syncro allows the first address.
    let other = reqwest::Client::builder().local_address(ip(crowded)).build().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for _ in 0..40 {
        runtime.block_on(other.get(format!("{}/me", world.base_url("acme"))).send()).unwrap();
    }
    let before = world.log().len();
    let mut configuration = configuration(&[crowded, free]);
    configuration.validity = "10m";
    let mut daemon = world.run(&configuration);
    daemon.wait("it is throttled", |line| line["event"] == "throttled");
    for tenant in TENANTS.iter().filter(|tenant| asked[**tenant] == ip(free)) {
        daemon.checks(tenant, "validity", 1);
    }
    let of_now = world.log().split_off(before);
    assert!(of_now.iter().all(|request| (request.status == 429) == (request.from == ip(crowded))), "{of_now:?}");
    for address in [crowded, free] {
        let series = format!("syncro_api_budget_requests_per_minute{{source_address=\"{address}\"}}");
        assert_eq!(daemon.metric(&series), Some(1200.0));
        assert_eq!(
            daemon.metric(&format!("syncro_api_source_address_failing{{source_address=\"{address}\"}}")),
            Some(0.0)
        );
    }
}

#[test]
fn what_one_address_cannot_reach_is_asked_from_another_at_once() {
    let world = World::new(&scenario(0));
    world.happens(Incident::AddressUnheard { address: ip("127.0.0.2"), unheard: true });
    // Of the last one this machine knows nothing (RFC 5737).
    let mut configuration = configuration(&["127.0.0.2", "127.0.0.3", "192.0.2.1"]);
    configuration.validity = "10m";
    let daemon = world.run(&configuration);
    until("each token is known to work", || {
        let (_, tokens) = daemon.get("/api/v1/tokens");
        (tokens.matches("\"state\":\"valid\"").count() == TENANTS.len()).then_some(())
    });
    let log = world.log();
    assert!(log.iter().any(|request| request.from == ip("127.0.0.2")), "it was tried");
    let answered: BTreeSet<_> =
        log.iter().filter(|request| request.status == 200).map(|request| request.from).collect();
    assert_eq!(answered, [ip("127.0.0.3")].into());
    assert_eq!(daemon.notified(), Vec::<String>::new());
    let warns =
        "syncro.source_addresses: this machine does not have the address 192.0.2.1, so nothing can be sent from it";
    assert!(daemon.seen.iter().any(|line| line["event"] == "config_warning" && line["message"] == warns));
}

#[test]
fn where_this_machine_has_none_of_its_addresses_it_says_so_and_blames_nobody() {
    let world = World::new(ACME);
    let mut configuration = Configuration::acme("");
    configuration.syncro = "source_addresses = [\"192.0.2.1\"]".to_owned();
    let mut daemon = world.run(&configuration);
    let alert = daemon.alert("MonitorImpaired", "firing");
    let message = alert["message"].as_str().unwrap();
    assert!(
        message.contains("no connection from 192.0.2.1: Cannot assign requested address (os error 99)"),
        "{message}"
    );
    assert_eq!(daemon.notified().len(), 1, "{:?}", daemon.notified());
    assert_eq!(world.log().len(), 0);
}

#[test]
fn validate_says_what_leaves_from_each_address_and_what_is_none() {
    let world = World::new(ACME);
    let validated = |addresses: &[&str]| {
        let path = world.configure(&configuration(addresses));
        call(&["-c", path.to_str().unwrap(), "validate"])
    };
    let output = validated(&["127.0.0.2", "127.0.0.3"]);
    let said = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{said}");
    let of_each: Vec<_> = said.lines().filter(|line| line.starts_with("source address 127.0.0.")).collect();
    assert_eq!(of_each.len(), 2, "{said}");
    let tokens: usize = of_each.iter().map(|line| line.rsplit(' ').nth(4).unwrap().parse::<usize>().unwrap()).sum();
    assert_eq!(tokens, TENANTS.len(), "{said}");
    assert!(said.contains(" of 2400 requests a minute ("), "{said}");
    let output = validated(&["127.0.0.2", "::ffff:127.0.0.2", "0.0.0.0", "224.0.0.1", "127.0.0.1:80", "acme"]);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(78), "{said}");
    for (place, problem) in [
        (1, "127.0.0.2 stands there twice"),
        (2, "`0.0.0.0` is not the IP address of a machine"),
        (3, "`224.0.0.1` is not the IP address of a machine"),
        (4, "`127.0.0.1:80` is not the IP address of a machine"),
        (5, "`acme` is not the IP address of a machine"),
    ] {
        assert!(said.contains(&format!("syncro.source_addresses[{place}]: {problem}")), "{said}");
    }
}
