//! A rehearsal says what would be sent, to whom and when.

use std::time::Duration;

use super::*;
use crate::alert::Severity;
use crate::config::Config;
use crate::model::{Token, TokenId};
use crate::state::Subscription;
use crate::testing::{at, config, token};

const DAY: i64 = 24 * 3600;

fn sent(config: &Config, days: i64, incidents: Vec<Incident>) -> Vec<(i64, String)> {
    let script = Script { start: at(0), end: at(days * DAY), incidents, fixed_after: TimeDelta::days(1) };
    let truth = Truth::new(config.tokens.iter().map(|token| &**token), &script);
    let all = live(config, &truth, &script, &[Subscription::to_everything("log")]);
    let line = |sent: &Sent| {
        let What::Notification(notification) = &sent.what else { return (0, String::new()) };
        assert_eq!(sent.receivers, ["log".into()]);
        let text = format!("{} {}", notification.key.alert.as_str(), notification.change.as_str());
        ((sent.at - at(0)).num_seconds(), text)
    };
    all.iter().map(line).collect()
}

fn days(sent: &[(i64, String)]) -> Vec<(i64, &str)> {
    sent.iter().map(|(seconds, text)| (seconds / DAY, text.as_str())).collect()
}

#[test]
fn an_expiry_is_announced_comes_and_is_over_with_the_replacement() {
    let config = config(vec![Token { expires: Some(at(40 * DAY)), ..token("t", &["Tickets - List/Search"]) }]);
    let sent = sent(&config, 365, Vec::new());
    let expected = [(10, "TokenExpiring new"), (26, "TokenExpiring escalated")];
    assert_eq!(days(&sent)[..1], expected[..1], "{sent:?}");
    let expired = sent.iter().find(|(_, text)| text == "TokenExpired new").expect("it expires");
    assert!((40 * DAY..40 * DAY + 120).contains(&expired.0), "{sent:?}");
    let over = sent.last().expect("something");
    assert_eq!(over.1, "TokenExpired resolved", "{sent:?}");
    assert!((41 * DAY..41 * DAY + 600).contains(&over.0), "{sent:?}");
}

#[test]
fn what_replaces_a_revoked_token_lives_for_a_year_too() {
    let config = config(vec![Token { expires: Some(at(40 * DAY)), ..token("t", &[]) }]);
    let revoked = [20, 400].map(|day| Incident::Revoked { token: config.tokens[0].id(), at: at(day * DAY) });
    let sent = sent(&config, 1000, revoked.to_vec());
    let ends = |alert: &str| {
        let new = format!("{alert} new");
        sent.iter().filter(|(_, text)| *text == new).map(|(seconds, _)| seconds / DAY).collect::<Vec<_>>()
    };
    assert_eq!(ends("TokenRejected"), [20, 400], "{sent:?}");
    assert_eq!(ends("TokenExpired"), [21 + 365, 401 + 365], "{sent:?}");
}

#[test]
fn the_tests_of_rules_have_each_stage_of_an_alert_and_no_receiver_of_a_part_changes_them() {
    let config = config(vec![Token { expires: Some(at(40 * DAY)), ..token("t", &[]) }]);
    let script = Script { start: at(0), end: at(60 * DAY), incidents: Vec::new(), fixed_after: TimeDelta::days(1) };
    let truth = Truth::new(config.tokens.iter().map(|token| &**token), &script);
    let only =
        crate::config::Only { severities: Some(vec![Severity::Critical.as_str()]), ..crate::config::Only::default() };
    let pager = Subscription { only, ..Subscription::to_everything("pager") };
    let all = live(&config, &truth, &script, &[Subscription::to_everything("log"), pager]);
    let tests = rule_tests("my.rules.yml", &all, |sent| ((sent.at - at(0)).num_days()).to_string());
    assert_eq!(tests["rule_files"], serde_json::json!(["my.rules.yml"]));
    let names: Vec<_> = tests["tests"].as_array().unwrap().iter().map(|test| test["name"].as_str().unwrap()).collect();
    assert_eq!(
        names,
        ["TokenExpiring of acme/t: warning 10, critical 39, over 40", "TokenExpired of acme/t: critical 40, over 41"]
    );
    let values: Vec<_> =
        tests["tests"][0]["input_series"].as_array().unwrap().iter().map(|series| &series["values"]).collect();
    assert_eq!(values, ["_x10 1x9 stale", "_x20 1x9 stale", "0x40"]);
    let expected: Vec<_> =
        tests["tests"][0]["promql_expr_test"].as_array().unwrap().iter().map(|test| &test["exp_samples"]).collect();
    let fires = |severity: &str| serde_json::json!([{ "labels": format!("{{severity=\"{severity}\"}}"), "value": 1 }]);
    assert_eq!(expected, [&serde_json::json!([]), &fires("warning"), &fires("critical"), &serde_json::json!([])]);
}

#[test]
fn a_revoked_token_is_one_alert_when_the_schedule_finds_it_and_an_outage_is_one_for_all() {
    let tokens = (0..20).map(|number| token(&format!("t{number}"), &[])).collect();
    let config = config(tokens);
    let revoked = Incident::Revoked {
        token: TokenId { tenant: "acme".to_owned(), token_name: "t7".to_owned() },
        at: at(40 * DAY),
    };
    let outage = Incident::Outage { at: at(90 * DAY), until: at(90 * DAY + 4 * 3600) };
    let sent = sent(&config, 120, vec![revoked, outage]);
    let rejected = sent.iter().find(|(_, text)| text == "TokenRejected new").expect("it is found");
    let latest = 40 * DAY + 300 + 30 + 10;
    assert!((40 * DAY..latest).contains(&rejected.0), "within its interval and the confirmation: {sent:?}");
    let after: Vec<_> = sent.iter().filter(|(seconds, _)| *seconds >= 90 * DAY).collect();
    assert_eq!(after.len(), 2, "{after:?}");
    assert!(after[0].1.ends_with(" new") && after[1].1.ends_with(" resolved"), "{after:?}");
    let waited = Duration::from_secs((after[0].0 - 90 * DAY).unsigned_abs());
    assert!(waited >= config.alerts.unreachable_after && waited < 2 * config.alerts.unreachable_after, "{waited:?}");
    assert!((90 * DAY + 4 * 3600..90 * DAY + 5 * 3600).contains(&after[1].0), "{after:?}");
}
