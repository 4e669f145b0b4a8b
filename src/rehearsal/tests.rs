//! A rehearsal says what would be sent, to whom and when.

use std::time::Duration;

use super::*;
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
