//! Contract section 2: the commands, what they print, and how they end.

use serde_json::Value;
use simulator::{Incident, Misbehaviour};

use crate::harness::{ACME, Configuration, Daemon, World, call, program, rest, text};

fn check(world: &World, configuration: &Configuration, arguments: &[&str]) -> (Option<i32>, String) {
    let path = world.configure(configuration);
    let output = call(&[&["-c", path.to_str().unwrap(), "check"], arguments].concat());
    (output.status.code(), text(&output.stdout) + &text(&output.stderr))
}

#[test]
fn check_ends_as_nagios_expects_and_sends_no_alert() {
    let world = World::new(ACME);
    let good = Configuration::acme("permissions = [\"Tickets - List/Search\", \"Tickets - Edit\"]");
    let (code, said) = check(&world, &good, &[]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("1 granted, 0 missing, 1 unverified"), "{said}");

    let (code, said) = check(&world, &Configuration::acme("expires = 2020-01-01"), &[]);
    assert_eq!((code, said.contains("TokenExpiryOutdated")), (Some(1), true), "{said}");

    let mixed = good.clone().tenant("acme2", "no-such-value", "");
    let (code, said) = check(&world, &mixed, &["--output", "json"]);
    assert_eq!(code, Some(3), "another tenant is not there: {said}");
    let (code, _) = check(&world, &mixed, &["--tenant", "acme"]);
    assert_eq!(code, Some(0), "only the one asked for");
    let (code, said) = check(&world, &mixed, &["--tenant", "nobody"]);
    assert_eq!(code, Some(3), "{said}");

    world.happens(Incident::TokenLoses {
        token: "value-of-acme".to_owned(),
        permission: "Tickets - List/Search".to_owned(),
    });
    let (code, said) = check(&world, &good, &["--output", "json"]);
    assert_eq!(code, Some(2), "{said}");
    let found: Value = serde_json::from_str(&said).unwrap();
    let token = &found["tokens"][0];
    assert_eq!((&token["level"], &token["state"]), (&"critical".into(), &"valid".into()));
    assert_eq!(token["permissions"][0]["state"], "missing");
    assert_eq!(token["permissions"][0]["cause"], "undetermined");
    assert_eq!(token["permissions"][0]["shown_by"], "GET /tickets answered 401");
    assert_eq!(token["alerts"][0]["alert"], "PermissionMissing");
    assert_eq!(found["summary"]["critical"], 1);

    world.happens(Incident::Misbehaves { tenant: None, path: None, how: Misbehaviour::Status(500), seconds: 600 });
    let (code, said) = check(&world, &good, &[]);
    assert_eq!((code, said.contains("http_5xx")), (Some(3), true), "{said}");
    let path = world.write("config.toml", "nonsense");
    assert_eq!(call(&["-c", path.to_str().unwrap(), "check"]).status.code(), Some(3));
}

#[test]
fn a_plugin_that_cannot_run_is_unknown_and_no_warning() {
    let world = World::new(ACME);
    let path = world.configure(&Configuration::acme(""));
    let end = |arguments: &[&str], environment: &[(&str, &str)]| {
        let mut command = program();
        command.arg("-c").arg(&path).args(arguments).envs(environment.iter().copied());
        let output = command.stdin(std::process::Stdio::null()).output().unwrap();
        (output.status.code(), text(&output.stderr))
    };
    for arguments in [
        &["check", "--nope"][..],
        &["check", "--tenant"],
        &["check", "--output", "xml"],
        &["--log-level", "a=b=c", "check"],
        &["--log-format", "xml", "check"],
        &["preflight"],
        &["preflight", "--subdomain", "acme", "--profile", "jumpcloud", "--nope"],
    ] {
        let (code, said) = end(arguments, &[]);
        assert_eq!((code, said.is_empty()), (Some(3), false), "{arguments:?}: {said}");
    }
    let nowhere = [("SSL_CERT_FILE", "/nonexistent"), ("SSL_CERT_DIR", "/nonexistent")];
    for environment in [&[("HTTPS_PROXY", "http://")][..], &nowhere] {
        let (code, said) = end(&["check"], environment);
        assert_eq!(code, Some(3), "{environment:?}: {said}");
    }
    assert_eq!(end(&["check", "--help"], &[]).0, Some(0));
    assert_eq!(end(&["check"], &[]).0, Some(0), "and else it runs");
}

#[test]
fn validate_prints_the_plan_and_never_touches_the_network() {
    let world = World::new(ACME);
    let path = world.configure(&Configuration::acme("profile = \"jumpcloud\"").tenant("x", "", ""));
    let text_ = std::fs::read_to_string(&path).unwrap().replace("\"4s\"", "\"1h\"");
    std::fs::write(&path, text_).unwrap();
    let output = call(&["-c", path.to_str().unwrap(), "validate"]);
    let said = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{said}{}", text(&output.stderr));
    for part in
        ["tokens: 2", "60.2 of 170 requests a minute", "13 requests", "warning: token `jumpcloud` of tenant `x`"]
    {
        assert!(said.contains(part), "{part} in {said}");
    }
    assert_eq!(world.log(), []);
}

#[test]
fn catalog_shows_each_permission_how_it_is_observed_and_who_needs_it() {
    let output = call(&["catalog", "permissions", "--output", "json"]);
    assert_eq!(output.status.code(), Some(0));
    let permissions: Value = serde_json::from_slice(&output.stdout).unwrap();
    let create =
        permissions.as_array().unwrap().iter().find(|known| known["permission"] == "Tickets - Create").unwrap();
    assert_eq!(create["probe"]["path"], "/new_ticket_forms/0");
    assert_eq!(create["probe"]["certainty"], "inferred");
    assert!(create["needed_by"].as_array().unwrap().contains(&"jumpcloud".into()));
    let table = text(&call(&["catalog", "permissions"]).stdout);
    assert_eq!(table.lines().count(), 106);
    assert!(table.contains("Tickets - Merge\tnothing shows it"), "{table}");
    let profiles: Value = serde_json::from_slice(&call(&["catalog", "profiles", "--output", "json"]).stdout).unwrap();
    let jumpcloud = profiles.as_array().unwrap().iter().find(|known| known["profile"] == "jumpcloud").unwrap();
    assert_eq!(jumpcloud["required"].as_array().unwrap().len(), 5);
    assert!(jumpcloud["source"].as_str().unwrap().starts_with("https://jumpcloud.com/"));
}

#[test]
fn catalog_lists_the_profiles_of_the_configuration_too_and_is_not_stopped_by_its_faults() {
    let world = World::new(ACME);
    let own = "[profiles.portal]\ntitle = \"Our portal\"\nrequired = [\"Leads - List/Search\"]\n";
    let path = world.write("config.toml", own);
    let table = |subject| call(&["-c", path.to_str().unwrap(), "catalog", subject]);
    let profiles = text(&table("profiles").stdout);
    assert!(profiles.contains("portal\tOur portal\tLeads - List/Search\t\tcertain\tthe configuration\n"), "{profiles}");
    let permissions = text(&table("permissions").stdout);
    let leads = permissions.lines().find(|line| line.starts_with("Leads - List/Search\t")).unwrap();
    assert!(leads.ends_with("portal"), "{leads}");
    world.write("config.toml", &format!("{own}colour = \"red\"\n"));
    let output = table("profiles");
    assert_eq!((output.status.code(), text(&output.stdout).contains("JumpCloud")), (Some(0), true));
    assert!(text(&output.stderr).contains("`validate` names them"), "{}", text(&output.stderr));
}

#[test]
fn help_and_version_end_with_0_and_a_wrong_command_line_with_64() {
    assert_eq!(call(&["--help"]).status.code(), Some(0));
    let version = call(&["--version"]);
    assert_eq!(version.status.code(), Some(0));
    let said = text(&version.stdout);
    for line in ["syncro-token-monitor 0.", "\nrevision: ", "\nbuild: ", "\ntime zones: "] {
        assert!(said.contains(line), "`{line:?}` is missing: {said}");
    }
    for wrong in
        [&["fly"][..], &["run", "--now"], &["history", "--output", "xml"], &[], &["validate", "--log-level", "a=b=c"]]
    {
        assert_eq!(call(wrong).status.code(), Some(64), "{wrong:?}");
    }
}

#[test]
fn simulate_serves_a_scenario_and_reports_what_it_was_asked() {
    let world = World::new(ACME);
    let scenario = world.write("scenario.toml", ACME);
    let mut command = program();
    command.args(["--log-format", "json", "simulate", "--listen", "127.0.0.1:0", "--scenario"]).arg(scenario);
    let mut child = command.stderr(std::process::Stdio::piped()).spawn().unwrap();
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(child.stderr.take().unwrap()));
    let line: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
    let base_url = line["base_url"].as_str().unwrap();
    assert_eq!(crate::harness::request("GET", &format!("{base_url}/me")).0, 401);
    let log = base_url.replace("/acme/api/v1", "/simulator/requests");
    let log: Value = serde_json::from_str(&crate::harness::request("GET", &log).1).unwrap();
    assert_eq!((&log[0]["path"], &log[0]["status"], &log[0]["tenant"]), (&"/me".into(), &401.into(), &"acme".into()));
    child.kill().unwrap();
    child.wait().unwrap();

    let broken = world.write("broken.toml", "tenants = 3");
    let mut command = program();
    let mut child =
        command.args(["simulate", "--scenario"]).arg(broken).stderr(std::process::Stdio::piped()).spawn().unwrap();
    assert!(rest(child.stderr.take().unwrap()).contains("understand the scenario"));
    assert_eq!(child.wait().unwrap().code(), Some(1));
}

#[test]
fn the_demo_shows_incidents_their_alerts_and_their_resolution_and_serves_metrics() {
    let mut daemon = Daemon::demo();
    let expected = ["PermissionLost", "TokenExpired", "TokenExpiring", "PermissionLost", "TokenRejected"];
    let count = |daemon: &Daemon, status: &str| {
        daemon
            .seen
            .iter()
            .filter(|line| line["event"] == "alert" && line["change"] != "reminder" && line["status"] == status)
            .count()
    };
    for status in ["firing", "resolved"] {
        while count(&daemon, status) < expected.len() {
            daemon.wait(status, |line| line["event"] == "alert");
        }
    }
    let mut notified: Vec<_> = daemon.notified().into_iter().filter(|notified| notified.ends_with("firing")).collect();
    notified.sort();
    let mut expected = expected.map(|alert| format!("{alert} firing"));
    expected.sort();
    assert_eq!(notified, expected);
    let (status, exposition) = daemon.get("/metrics");
    assert_eq!(status, 200);
    let firing = exposition.lines().filter(|line| line.starts_with("syncro_alerts_firing"));
    assert!(firing.into_iter().all(|line| line.ends_with(" 0")), "all is fixed");
    daemon.signal("INT");
    assert_eq!(daemon.ended().code(), Some(0));
}

#[test]
fn packagers_get_completions_and_a_manual_page_that_name_every_command() {
    let commands =
        ["run", "check", "preflight", "calibrate", "validate", "catalog", "history", "test-alert", "simulate", "demo"];
    let bash = call(&["completions", "bash"]);
    let man = call(&["man"]);
    for (output, start) in [(bash, "_syncro__token__monitor()"), (man, ".ie")] {
        let out = text(&output.stdout);
        assert_eq!((output.status.code(), out.starts_with(start)), (Some(0), true), "{out}");
        for command in commands {
            let named = out.contains(command) || out.contains(&command.replace('-', "\\-"));
            assert!(named, "{command} is not in {out}");
        }
    }
    assert_eq!(call(&["completions", "tcsh"]).status.code(), Some(64));
}
