//! The report for customers and auditors, by the command, the page and the API.

use std::path::Path;

use serde_json::Value;
use simulator::Incident;

use crate::harness::{ACME, Configuration, World, program, text};

/// Asks the command for the report; the exit code, and what was printed.
fn report(path: &Path, more: &[&str]) -> (Option<i32>, String) {
    let output = program().args(["--config", path.to_str().unwrap(), "report"]).args(more).output().unwrap();
    (output.status.code(), text(&output.stdout))
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn a_report_says_how_each_token_is_what_shows_it_and_when_it_failed() {
    let world = World::new(ACME);
    let lines = "permissions = [\"Tickets - List/Search\"]\ncontact = \"=Pat, <b>billing\"\nnote = \"ask the vendor\"";
    let mut daemon = world.run(&Configuration::acme(lines));
    daemon.checks("acme", "permissions", 1);
    world.happens(Incident::TokenRefused { token: "value-of-acme".to_owned() });
    daemon.alert("TokenRejected", "firing");
    world.happens(Incident::TokenWorks { token: "value-of-acme".to_owned() });
    daemon.alert("TokenRejected", "resolved");
    world.happens(Incident::TokenLoses {
        token: "value-of-acme".to_owned(),
        permission: "Tickets - List/Search".to_owned(),
    });
    daemon.alert("PermissionLost", "firing");
    let path = world.path("config.toml");

    let (code, text) = report(&path, &["--output", "json"]);
    let (printed, served) = (json(&text), json(&daemon.get("/api/v1/report").1));
    assert_eq!(code, Some(0));
    for report in [&printed, &served] {
        let totals = &report["totals"];
        assert_eq!((&totals["tokens"], &totals["incidents"], &totals["lasting"]), (&1.into(), &2.into(), &1.into()));
        assert!(totals["mean_time_to_fix_seconds"].is_i64(), "{totals}");
        let token = &report["tokens"][0];
        let what = |index: usize| token["incidents"][index]["what"].as_array().unwrap()[0].as_str().unwrap();
        assert_eq!((what(0), what(1)), ("rejected", "Tickets - List/Search missing"), "{token}");
        assert!(token["incidents"][0]["until"].is_string() && token["incidents"][1]["until"].is_null(), "{token}");
        assert_eq!(token["permissions"][0]["shown_by"], "GET /tickets answered 401");
        assert_eq!((&token["contact"], &token["health"]), (&"=Pat, <b>billing".into(), &"broken".into()));
        let kinds: Vec<_> = token["changes"].as_array().unwrap().iter().map(|change| &change["kind"]).collect();
        assert_eq!(kinds, ["permission", "state", "state"]);
        assert!(report["since"].as_str() < report["until"].as_str());
    }
    assert_eq!(printed["tokens"][0]["permissions"], served["tokens"][0]["permissions"]);

    for text in [report(&path, &["--output", "csv"]).1, daemon.get("/report?output=csv").1] {
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        let rows: Vec<std::collections::BTreeMap<String, String>> = reader.deserialize().map(Result::unwrap).collect();
        assert_eq!((rows.len(), rows[0]["contact"].as_str()), (1, "'=Pat, <b>billing"), "no spreadsheet calculates it");
        assert_eq!((rows[0]["incidents"].as_str(), rows[0]["missing"].as_str()), ("2", "Tickets - List/Search"));
        assert!(rows[0]["permissions"].ends_with("missing (GET /tickets answered 401)"), "{:?}", rows[0]);
    }

    let (code, alone) = report(&path, &[]);
    let (status, page) = daemon.get("/report?tenant=acme&since=7d");
    assert_eq!((code, status), (Some(0), 200));
    for shown in [
        "acme / jumpcloud",
        "GET /tickets answered 401",
        "=Pat, &#60;b&#62;billing",
        "Checks saw 2 times",
        "1 of these lasts",
        "Watched only since",
        "and it lasts",
    ] {
        assert!(alone.contains(shown) && page.contains(shown), "`{shown}` is missing:\n{page}");
    }
    assert!(!alone.contains("ask the vendor") && !page.contains("ask the vendor"), "a note is for operators");
    assert!(alone.contains("<style>") && !alone.contains("href="), "what is printed needs no daemon");
    assert!(page.contains("href=\"/static/style.css\"") && !page.contains("<style>"));
}

#[test]
fn a_report_is_of_one_tenant_and_one_period_and_says_why_it_cannot_be_made() {
    let world = World::new(ACME);
    let path = world.configure(&Configuration::acme(""));
    assert_eq!(report(&path, &[]).0, Some(1), "there is no store");
    let mut daemon = world.run(&Configuration::acme(""));
    daemon.checks("acme", "validity", 1);
    let (code, text) = report(&path, &["--tenant", "acme", "--since", "2026-11-01", "--output", "json"]);
    let of_acme = json(&text);
    assert_eq!(
        (code, &of_acme["tenant"], &of_acme["since"]),
        (Some(0), &"acme".into(), &"2026-11-01T00:00:00Z".into())
    );
    assert_eq!(of_acme["tokens"].as_array().unwrap().len(), 1);
    let (code, text) = report(&path, &["--tenant", "nobody"]);
    assert_eq!((code, text.as_str()), (Some(64), ""));
    assert_eq!(report(&path, &["--since", "2999-01-01"]).0, Some(64));
    let cases = [
        ("/api/v1/report?tenant=nobody", 404),
        ("/api/v1/report?since=yesterday", 400),
        ("/api/v1/report?colour=red", 400),
        ("/report?since=yesterday", 400),
        ("/report?output=xml", 400),
        ("/report?since=2999-01-01", 400),
        ("/report?tenant=nobody", 404),
        ("/report?tenant=nobody&output=csv", 404),
    ];
    for (path, expected) in cases {
        let (status, answer) = daemon.get(path);
        assert_eq!(status, expected, "{path}: {answer}");
    }
}
