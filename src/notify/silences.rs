//! An acknowledgement is a silence of an Alertmanager for as long as it lasts. Which of its silences are ours is found there
//! by what they say and never stored, so that nothing is silenced twice or left behind. `silencing` sends the requests.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;
use serde_json::json;
use tokio::time::Instant;

use crate::alert::{Acknowledgement, Firing};
use crate::config::Only;
use crate::state::{Snapshot, passes};

use super::alertmanager::{Clocks, INCIDENT, moment, state};

/// The path of the silences (its API v2).
pub(super) const SILENCES: &str = "/api/v2/silences";
/// The path of one silence.
pub(super) const SILENCE: &str = "/api/v2/silence";
/// The end of the comment of every silence that is ours.
const MARK: &str = " [syncro-token-monitor]";

/// What somebody has taken on, by the id of the alert.
pub(super) type Wanted = BTreeMap<String, Acknowledgement>;

/// The silences of one Alertmanager, as far as they are ours.
#[derive(Debug, Default)]
pub(super) struct Silences {
    /// The alerts that may be silenced there through us.
    pub(super) perhaps: BTreeSet<String>,
    /// What was last tried to be silenced.
    pub(super) tried: Wanted,
    /// When that was last found to be silenced there; `None` if the last attempt failed.
    pub(super) kept_at: Option<Instant>,
    /// Whether the log says that it fails.
    pub(super) is_failing: bool,
}

impl Silences {
    /// What may have been silenced before the program ended.
    pub(super) fn recall(fired: &[Firing]) -> Self {
        let silenced = fired.iter().filter(|firing| firing.acknowledged.is_some());
        Self { perhaps: silenced.map(|firing| firing.id.clone()).collect(), ..Self::default() }
    }

    /// Whether something has been taken on or given back since the last attempt.
    pub(super) fn is_news(&self, snapshot: &Snapshot, only: &Only, now: DateTime<Utc>) -> bool {
        wanted(snapshot, only, now) != self.tried
    }
}

/// What is acknowledged now, of what a receiver is sent.
pub(super) fn wanted(snapshot: &Snapshot, only: &Only, now: DateTime<Utc>) -> Wanted {
    let acknowledged = snapshot.firing().filter(|firing| firing.is_acknowledged(now));
    let sent = acknowledged.filter(|firing| passes(only, &state(firing)));
    sent.filter_map(|firing| Some((firing.id.clone(), firing.acknowledged.clone()?))).collect()
}

/// A silence, as an Alertmanager shows it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Silence {
    pub(super) id: String,
    status: Status,
    matchers: Vec<Matcher>,
    created_by: String,
    comment: String,
    ends_at: DateTime<Utc>,
}

#[derive(Debug, Deserialize)]
struct Status {
    state: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Matcher {
    name: String,
    value: String,
    is_regex: bool,
    is_equal: Option<bool>,
}

impl Silence {
    /// Whether it silences this alert and nothing else, and is ours.
    pub(super) fn is_ours(&self, incident: &str) -> bool {
        let [matcher] = self.matchers.as_slice() else { return false };
        let is_equal = !matcher.is_regex && matcher.is_equal.unwrap_or(true);
        let is_of_alert = matcher.name == INCIDENT && matcher.value == incident && is_equal;
        is_of_alert && self.status.state != "expired" && self.comment.ends_with(MARK)
    }

    /// Whether it says what the acknowledgement does, which ends then by the Alertmanager's clock.
    pub(super) fn says(&self, acknowledgement: &Acknowledgement, end: DateTime<Utc>) -> bool {
        let is_near = (self.ends_at - end).abs() <= Clocks::TOLERANCE + TimeDelta::seconds(1);
        is_near && self.created_by == acknowledgement.by && self.comment == comment(acknowledgement)
    }
}

fn comment(acknowledgement: &Acknowledgement) -> String {
    format!("{}{MARK}", acknowledgement.reason)
}

/// The body of the request that silences an alert; it replaces the silence with this id, if there is one.
pub(super) fn body(
    incident: &str,
    acknowledgement: &Acknowledgement,
    end: DateTime<Utc>,
    replaces: Option<&str>,
) -> String {
    let mut body = json!({
        "matchers": [{ "name": INCIDENT, "value": incident, "isRegex": false, "isEqual": true }],
        "startsAt": moment(acknowledgement.at),
        "endsAt": moment(end),
        "createdBy": acknowledgement.by,
        "comment": comment(acknowledgement),
    });
    if let Some(id) = replaces {
        body["id"] = id.into();
    }
    body.to_string()
}

/// The path at which an Alertmanager shows the silences of an alert.
pub(super) fn search(incident: &str) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.append_pair("filter", &format!("{INCIDENT}=\"{incident}\""));
    format!("{SILENCES}?{}", query.finish())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::at;

    fn shown(comment: &str, state: &str, name: &str) -> Silence {
        let shown = json!({
            "id": "one", "status": { "state": state }, "createdBy": "Pat", "comment": comment,
            "startsAt": at(0), "endsAt": at(60), "updatedAt": at(0),
            "matchers": [{ "name": name, "value": "7f3c9a00", "isRegex": false, "isEqual": true }],
        });
        serde_json::from_value(shown).unwrap()
    }

    #[test]
    fn only_a_silence_of_that_alert_with_our_mark_is_ours() {
        let is_ours = |comment: &str, state, name| shown(comment, state, name).is_ours("7f3c9a00");
        let marked = format!("the vendor is on it{MARK}");
        assert!(is_ours(&marked, "active", INCIDENT));
        assert!(!is_ours("the vendor is on it", "active", INCIDENT), "somebody made it by hand");
        assert!(!is_ours(&marked, "expired", INCIDENT) && !is_ours(&marked, "active", "tenant"));
    }

    #[test]
    fn a_silence_says_who_why_and_until_when() {
        let acknowledgement =
            Acknowledgement { by: "Pat".into(), reason: "the vendor is on it".into(), until: at(60), at: at(0) };
        let silence = shown(&comment(&acknowledgement), "active", INCIDENT);
        assert!(silence.says(&acknowledgement, at(60)) && !silence.says(&acknowledgement, at(600)));
        let sent: serde_json::Value =
            serde_json::from_str(&body("7f3c9a00", &acknowledgement, at(60), Some("one"))).unwrap();
        assert_eq!(
            (&sent["id"], &sent["createdBy"], &sent["endsAt"]),
            (&"one".into(), &"Pat".into(), &json!(moment(at(60))))
        );
        assert_eq!(search("7f3c9a00"), "/api/v2/silences?filter=incident%3D%227f3c9a00%22");
    }
}
