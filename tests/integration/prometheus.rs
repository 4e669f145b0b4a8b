//! The files for Prometheus and Alertmanager are held to account by those programs themselves, and an incident travels all
//! the way through them.

use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::Value;
use simulator::Incident;
use syncro_token_monitor::alert::Alert;

use crate::harness::{ACME, Configuration, Daemon, World, call, request, text};
use crate::real::{Server, have, project, until};
use crate::sink::Sink;

fn passes(program: &str, arguments: &[&str]) {
    let folder = project("config/prometheus");
    let output = Command::new(program).args(arguments).current_dir(folder).output().unwrap();
    let said = text(&output.stdout) + &text(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {said}");
}

#[test]
fn rules_and_examples_are_what_promtool_and_amtool_accept() {
    if !have(&["promtool", "amtool"]) {
        return;
    }
    passes("promtool", &["check", "rules", "syncro-token-monitor.rules.yml"]);
    passes("promtool", &["test", "rules", "syncro-token-monitor.tests.yml"]);
    passes("promtool", &["check", "config", "prometheus.yml"]);
    passes("amtool", &["check-config", "../alertmanager/alertmanager.yml"]);
}

/// Every alerting rule has cases, words and a page to read on.
#[test]
fn every_rule_says_what_to_do_and_is_tested_to_fire_to_keep_silent_and_to_resolve() {
    let read = |name: &str| std::fs::read_to_string(project(&format!("config/prometheus/{name}"))).unwrap();
    let (rules, tests) = (read("syncro-token-monitor.rules.yml"), read("syncro-token-monitor.tests.yml"));
    let document = std::fs::read_to_string(project("docs/alerts.md")).unwrap();
    let mut alerts = 0;
    for rule in rules.split("- alert: ").skip(1) {
        alerts += 1;
        let name = rule.lines().next().unwrap();
        for part in ["summary: ", "description: ", "runbook_url: "] {
            assert!(rule.contains(part), "{name} has no {part}");
        }
        let states_labels = rule.contains("severity: ") && rule.contains("service: ");
        assert!(states_labels || rule.contains("cause\n"), "{name} has no severity or no service");
        let runbook = rule.split("runbook_url: \"").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
        let section = runbook.rsplit(['/', '#']).next().unwrap();
        let headings = document.lines().filter_map(|line| line.strip_prefix("### "));
        assert!(
            headings.into_iter().any(|heading| heading.eq_ignore_ascii_case(section)),
            "{name}: no section {section}"
        );
        let here = format!("alertname: {name}\n");
        let checks = tests.split(here.as_str()).skip(1);
        let fires: Vec<bool> = checks.map(|rest| rest.trim_start().starts_with("exp_alerts:\n")).collect();
        let first = fires.iter().position(|fires| *fires);
        let silent_before = first.is_some_and(|first| fires[..first].contains(&false));
        let resolves = first.is_some_and(|first| fires[first..].contains(&false));
        assert!(silent_before && resolves, "{name}: {fires:?}");
    }
    assert!(alerts >= 30, "{alerts}");
}

/// Prometheus gives an alert the name of its rule, so each cause has one; it fires for this cause and for no other.
#[test]
fn every_cause_of_the_daemon_has_one_rule_under_its_own_name() {
    let rules = std::fs::read_to_string(project("config/prometheus/syncro-token-monitor.rules.yml")).unwrap();
    let group = rules.split("  - name: ").find(|group| group.starts_with("syncro-causes\n")).unwrap();
    let rule = |rule: &str| rule.lines().take(2).map(|line| line.trim().to_owned()).collect::<Vec<_>>();
    let found: Vec<_> = group.split("- alert: ").skip(1).map(rule).collect();
    let expected = Alert::ALL.iter().map(|(alert, _)| {
        let name = alert.as_str();
        vec![name.to_owned(), format!("expr: incident:syncro_alert:unacknowledged{{alert=\"{name}\"}} == 1")]
    });
    assert_eq!(found, expected.collect::<Vec<_>>());
}

#[test]
fn the_exposition_is_clean_to_promtool() {
    if !have(&["promtool"]) {
        return;
    }
    let (world, sink) = (World::new(ACME), Sink::new());
    let receivers = format!("[[alerts.webhooks]]\nname = \"hook\"\nurl = \"{}\"\n", sink.url());
    let mut configuration = Configuration::acme("expires = 2099-01-01\npermissions = [\"Tickets - List/Search\"]");
    configuration.syncro = "audit_excess = true".to_owned();
    configuration.permissions = "1m";
    let mut daemon = world.run(&configuration.alerts(&receivers));
    daemon.checks("acme", "permissions", 1);
    let (_, exposition) = daemon.get("/metrics");
    let mut child = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(exposition.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = text(&output.stdout) + &text(&output.stderr);
    assert!(output.status.success() && said.trim().is_empty(), "{said}");
}

/// The pages that a webhook of Alertmanager got, as `status alertname`.
fn pages(pager: &Sink) -> Vec<String> {
    let word = |page: &Value| {
        let alertname = page["groupLabels"]["alertname"].as_str().unwrap_or_default().to_owned();
        format!("{} {alertname}", page["status"].as_str().unwrap())
    };
    pager.taken().iter().map(word).collect()
}

#[test]
fn an_incident_travels_from_syncro_to_the_pager_and_is_read_back_from_both() {
    if !have(&["prometheus", "prometheus-alertmanager"]) {
        return;
    }
    let (world, pager, hook) = (World::new(ACME), Sink::new(), Sink::new());
    let alertmanager = Server::alertmanager(&world.path(""), &pager.url());
    let receivers = format!(
        "[[alerts.alertmanagers]]\nurl = \"http://{}\"\n[[alerts.webhooks]]\nname = \"hook\"\nurl = \"{}\"\n",
        alertmanager.address,
        hook.url()
    );
    let mut daemon = world.run(&Configuration::acme("").alerts(&receivers));
    let prometheus = Server::prometheus(&world.path(""), &daemon.address, &[&alertmanager]);
    let one = |query: &str| until(query, || prometheus.query(query).first().map(|sample| sample["value"][1].clone()));
    one("syncro_token_state{state=\"valid\"} == 1");
    world.happens(Incident::TokenRefused { token: "value-of-acme".to_owned() });
    let notified = daemon.alert("TokenRejected", "firing");
    let active = until("the alert in Alertmanager", || alertmanager.alerts().into_iter().next());
    let labels = &active["labels"];
    assert_eq!((&labels["alertname"], &labels["tenant"]), (&"TokenRejected".into(), &"acme".into()), "{active}");
    assert_eq!((&active["status"]["state"], &active["startsAt"]), (&"active".into(), &notified["since"]), "{active}");
    assert_eq!(active["annotations"]["description"], notified["message"]);
    let runbook = active["annotations"]["runbook_url"].as_str().unwrap();
    assert_eq!(request("GET", runbook).0, 200, "{runbook}");
    assert_eq!(request("GET", active["generatorURL"].as_str().unwrap()).0, 200, "{active}");
    until("the page", || pages(&pager).contains(&"firing TokenRejected".to_owned()).then_some(()));
    assert_eq!(hook.wait_for(1)[0]["alert"], "TokenRejected");
    assert_eq!(one("syncro_token_state{state=\"rejected\"} == 1"), "1");
    assert_eq!(one("syncro_alerts_firing{alert=\"TokenRejected\"} == 1"), "1");
    assert_eq!(one("state:syncro_tokens:count{state=\"rejected\"} == 1"), "1", "recording rules");
    let rules = prometheus.query("ALERTS{alertname=\"TokenRejected\"}");
    assert!(rules.is_empty(), "rules keep silent while the daemon notifies by itself: {rules:?}");
    world.happens(Incident::TokenWorks { token: "value-of-acme".to_owned() });
    daemon.alert("TokenRejected", "resolved");
    until("no alert in Alertmanager", || alertmanager.alerts().is_empty().then_some(()));
    until("the all-clear", || pages(&pager).contains(&"resolved TokenRejected".to_owned()).then_some(()));
    assert_eq!(hook.wait_for(2)[1]["status"], "resolved");
    one("syncro_token_state{state=\"valid\"} == 1");
    assert_eq!(pages(&pager), ["firing TokenRejected", "resolved TokenRejected"], "one page, one all-clear");
}

#[test]
fn without_a_receiver_of_its_own_the_rules_page_and_once() {
    if !have(&["prometheus", "prometheus-alertmanager"]) {
        return;
    }
    let (world, pager) = (World::new(ACME), Sink::new());
    let alertmanager = Server::alertmanager(&world.path(""), &pager.url());
    let mut daemon = world.run(&Configuration::acme(""));
    let prometheus = Server::prometheus(&world.path(""), &daemon.address, &[&alertmanager]);
    daemon.checks("acme", "validity", 1);
    world.happens(Incident::TokenRefused { token: "value-of-acme".to_owned() });
    daemon.alert("TokenRejected", "firing");
    let firing = "ALERTS{alertname=\"TokenRejected\",alertstate=\"firing\",tenant=\"acme\"}";
    until(firing, || prometheus.query(firing).into_iter().next());
    until("the page", || pages(&pager).contains(&"firing TokenRejected".to_owned()).then_some(()));
    world.happens(Incident::TokenWorks { token: "value-of-acme".to_owned() });
    until("the all-clear", || pages(&pager).contains(&"resolved TokenRejected".to_owned()).then_some(()));
    assert_eq!(pages(&pager), ["firing TokenRejected", "resolved TokenRejected"]);
}

#[test]
fn a_restart_of_the_daemon_is_no_second_page_of_the_rules() {
    if !have(&["prometheus", "prometheus-alertmanager"]) {
        return;
    }
    let (world, pager) = (World::new(ACME), Sink::new());
    let alertmanager = Server::alertmanager(&world.path(""), &pager.url());
    let mut configuration = Configuration::acme("");
    let mut daemon = world.run(&configuration);
    let prometheus = Server::prometheus(&world.path(""), &daemon.address, &[&alertmanager]);
    let one = |query: &str| until(query, || prometheus.query(query).into_iter().next());
    daemon.checks("acme", "validity", 1);
    world.happens(Incident::TokenRefused { token: "value-of-acme".to_owned() });
    daemon.alert("TokenRejected", "firing");
    until("the page", || pages(&pager).contains(&"firing TokenRejected".to_owned()).then_some(()));
    configuration.web = format!("listen = \"{}\"", daemon.address.trim_start_matches("http://"));
    daemon.signal("TERM");
    daemon.ended();
    one("up == 0");
    one("ALERTS{alertname=\"TokenRejected\",alertstate=\"firing\"} and on (job) up == 0");
    let mut daemon = world.run(&configuration);
    one("up == 1");
    daemon.checks("acme", "validity", 2);
    world.happens(Incident::TokenWorks { token: "value-of-acme".to_owned() });
    until("the all-clear", || pages(&pager).contains(&"resolved TokenRejected".to_owned()).then_some(()));
    assert_eq!(pages(&pager), ["firing TokenRejected", "resolved TokenRejected"]);
}

#[test]
fn a_test_alert_is_paged_although_it_is_over_soon() {
    if !have(&["prometheus-alertmanager"]) {
        return;
    }
    let (world, pager) = (World::new(ACME), Sink::new());
    let alertmanager = Server::alertmanager(&world.path(""), &pager.url());
    let receivers = format!("[[alerts.alertmanagers]]\nurl = \"http://{}\"\n", alertmanager.address);
    let path = world.configure(&Configuration::acme("").alerts(&receivers));
    let output = call(&["-c", path.to_str().unwrap(), "test-alert"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stdout));
    let active = until("the test in Alertmanager", || alertmanager.alerts().into_iter().next());
    let over = |moment: &Value| moment.as_str().unwrap().parse::<chrono::DateTime<chrono::Utc>>().unwrap().timestamp();
    let left = over(&active["endsAt"]) - crate::harness::now();
    assert!((60..=130).contains(&left), "longer than a usual group_wait, and then over by itself: {active}");
    until("the page", || pages(&pager).contains(&"firing TestAlert".to_owned()).then_some(()));
}

fn dashboards() -> [Value; 2] {
    ["syncro-token-monitor", "syncro-token-monitor-itself"].map(|name| {
        let text = std::fs::read_to_string(project(&format!("config/grafana/{name}.json"))).unwrap();
        serde_json::from_str(&text).unwrap()
    })
}

/// A query as it is asked with everything chosen.
fn asked(query: &Value) -> String {
    let query = query.as_str().unwrap().replace("$tenant", ".*").replace("$__rate_interval", "1m");
    assert!(!query.contains('$'), "{query}: an unknown variable");
    query
}

/// Every query of a panel of the dashboards.
fn queries() -> Vec<(String, String)> {
    let mut queries = Vec::new();
    for dashboard in dashboards() {
        for panel in dashboard["panels"].as_array().unwrap() {
            for target in panel["targets"].as_array().into_iter().flatten() {
                queries.push((panel["title"].as_str().unwrap().to_owned(), asked(&target["expr"])));
            }
        }
    }
    queries
}

/// Every query of an annotation of the dashboards.
fn annotations() -> Vec<String> {
    let [tokens, itself] = dashboards().map(|dashboard| dashboard["annotations"]["list"].as_array().unwrap().clone());
    tokens.into_iter().chain(itself).map(|annotation| asked(&annotation["expr"])).collect()
}

#[test]
fn every_panel_about_tokens_obeys_the_tenant_that_is_chosen_and_links_lead_to_pages() {
    let [tokens, _] = dashboards();
    for panel in tokens["panels"].as_array().unwrap() {
        for target in panel["targets"].as_array().into_iter().flatten() {
            let query = target["expr"].as_str().unwrap();
            assert!(query.contains("tenant=~\"$tenant"), "{}: {query}", panel["title"]);
        }
    }
    let text = tokens.to_string();
    let mut links: Vec<_> =
        text.split("\"url\":\"${monitor}").skip(1).map(|link| link.split('"').next().unwrap()).collect();
    links.sort_unstable();
    links.dedup();
    assert!(links.len() >= 4, "{links:?}");
    let world = World::new(ACME);
    let mut daemon = world.run(&Configuration::acme(""));
    daemon.checks("acme", "validity", 1);
    for link in links {
        let link = ["__data.fields", "__field.labels"].iter().fold(link.to_owned(), |link, source| {
            link.replace(&format!("${{{source}.Tenant:percentencode}}"), "acme")
                .replace(&format!("${{{source}.tenant:percentencode}}"), "acme")
                .replace(&format!("${{{source}.Token:percentencode}}"), "jumpcloud")
                .replace(&format!("${{{source}.token_name:percentencode}}"), "jumpcloud")
                .replace(&format!("${{{source}.Alert}}"), "TokenExpired")
        });
        // The page of an alert is there once one has fired.
        if !link.starts_with("/alerts/") {
            assert_eq!(daemon.get(&link).0, 200, "{link}");
        }
    }
}

#[test]
fn no_panel_of_the_dashboard_is_empty_on_the_demo_fleet() {
    let queries = queries();
    assert!(queries.len() >= 15, "{queries:?}");
    if !have(&["prometheus"]) {
        return;
    }
    let world = World::new(ACME);
    let demo = Daemon::demo();
    let prometheus = Server::prometheus(&world.path(""), &demo.address, &[]);
    for (panel, query) in queries {
        until(&format!("{panel}: {query}"), || {
            let samples = prometheus.query(&query);
            samples.iter().any(|sample| sample["value"][1] != "NaN").then_some(())
        });
    }
    // Whether anything changed just now is another matter; the query is understood.
    for query in annotations() {
        prometheus.query(&query);
    }
}
