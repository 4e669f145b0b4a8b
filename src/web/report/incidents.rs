//! When what uses a token failed, from the history and from what is believed now: from when a check first saw it until when
//! one first saw that it worked again. Pure.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use crate::belief::{Evidence, PermissionState, TokenState, TransitionKind};
use crate::state::{HistoryLine, TokenSnapshot};

/// A time during which a token did not work, or lacked what its integration requires, as checks saw it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(in super::super) struct Incident {
    /// What was wrong: states of the token, and permissions that it lacked.
    pub(in super::super) what: Vec<String>,
    /// When it was first seen; `null` if that was before the period.
    #[schema(required)]
    pub(in super::super) from: Option<DateTime<Utc>>,
    /// When it was first seen to be over; `null` while it lasts.
    #[schema(required)]
    pub(in super::super) until: Option<DateTime<Utc>>,
}

impl Incident {
    /// How long it took, if both ends are known.
    pub(in super::super) fn took(&self) -> Option<TimeDelta> {
        Some(self.until? - self.from?)
    }

    fn add(&mut self, word: String) {
        if !self.what.contains(&word) {
            self.what.push(word);
        }
    }
}

/// What a word of the history says of whether what uses the token fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Says {
    Fails,
    Works,
    /// What was so before goes on.
    Nothing,
}

/// The incidents of a token, the first one first; `changes` has its history of the period, the newest first.
pub(super) fn incidents(entry: &TokenSnapshot, changes: &[HistoryLine], now: DateTime<Utc>) -> Vec<Incident> {
    let of_kind = |kind: TransitionKind| changes.iter().rev().filter(move |line| line.kind == kind);
    let status = &entry.status;
    let of_state: Vec<_> = of_kind(TransitionKind::State).collect();
    let current = Some(status.state.as_str()).zip(status.since);
    let mut all = failures(&of_state, current, said_of_state, |word, _| word.replace('_', " "));
    let mut of_permissions: BTreeMap<&str, Vec<&HistoryLine>> = BTreeMap::new();
    for line in of_kind(TransitionKind::Permission) {
        of_permissions.entry(line.subject.as_deref().unwrap_or_default()).or_default().push(line);
    }
    let required = entry.token.wanted.iter().filter(|wanted| wanted.required);
    for wanted in required.filter(|wanted| entry.token.ignores(wanted.permission, now).is_none()) {
        let name = wanted.permission.name();
        let lines = of_permissions.remove(name).unwrap_or_default();
        let permission = status.of_permission(wanted.permission);
        let current = permission.map(|permission| {
            let is_shown = permission.evidence == Evidence::Probe || permission.belief.lost;
            let state = if is_shown { permission.state() } else { PermissionState::Unverified };
            (state.as_str(), permission.belief.since)
        });
        all.extend(failures(&lines, current, said_of_permission, |word, line| {
            let is_indicated = line.is_some_and(|line| line.evidence == Some(Evidence::Right));
            format!("{name} {}{word}", if is_indicated { "probably " } else { "" })
        }));
    }
    merged(all)
}

fn said_of_state(word: &str) -> Says {
    match word.parse() {
        Ok(TokenState::Valid) => Says::Works,
        Ok(TokenState::Unknown) | Err(_) => Says::Nothing,
        Ok(_) => Says::Fails,
    }
}

/// The history has what was lost and came back; where only a right of the user showed the loss, nothing shows that what came
/// back works.
fn said_of_permission(word: &str) -> Says {
    match word.parse() {
        Ok(PermissionState::Missing) => Says::Fails,
        Ok(PermissionState::Granted | PermissionState::Unverified) => Says::Works,
        Err(_) => Says::Nothing,
    }
}

/// The times during which one thing failed, by the changes of it in the order of time and what is so now.
fn failures(
    lines: &[&HistoryLine],
    current: Option<(&str, DateTime<Utc>)>,
    says: impl Fn(&str) -> Says,
    what: impl Fn(&str, Option<&HistoryLine>) -> String,
) -> Vec<Incident> {
    let began = |from: Option<DateTime<Utc>>, word: String| Incident { what: vec![word], from, until: None };
    let (mut all, mut lasting) = (Vec::new(), None);
    match lines.first() {
        // What is so now has been so for longer than the period.
        None => {
            lasting = current
                .filter(|(word, _)| says(word) == Says::Fails)
                .map(|(word, at)| began(Some(at), what(word, None)));
        }
        Some(first) if says(&first.before) == Says::Fails => lasting = Some(began(None, what(&first.before, None))),
        Some(_) => {}
    }
    for line in lines {
        match says(&line.after) {
            Says::Fails => {
                let word = what(&line.after, Some(line));
                lasting.get_or_insert_with(|| began(Some(line.since), word.clone())).add(word);
            }
            Says::Works => {
                all.extend(lasting.take().map(|incident| Incident { until: Some(line.since), ..incident }));
            }
            Says::Nothing => {}
        }
    }
    all.extend(lasting);
    all
}

/// The same times, where those that overlap are one incident.
fn merged(mut all: Vec<Incident>) -> Vec<Incident> {
    all.sort_by_key(|incident| incident.from);
    let mut merged: Vec<Incident> = Vec::new();
    for incident in all {
        match merged.last_mut() {
            Some(last) if last.until.is_none_or(|until| incident.from.is_none_or(|from| from <= until)) => {
                last.until = last.until.zip(incident.until).map(|(one, other)| one.max(other));
                incident.what.into_iter().for_each(|word| last.add(word));
            }
            _ => merged.push(incident),
        }
    }
    merged
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::belief::TokenStatus;
    use crate::testing::{at, history_line, token, token_snapshot};

    const LIST: &str = "Tickets - List/Search";

    /// The incidents of a token whose state is this one since the moment 900, by its changes in the order of time:
    /// `what@from..until`.
    fn said(state: TokenState, changes: &[HistoryLine]) -> Vec<String> {
        let status = TokenStatus { state, since: Some(at(900)), ..TokenStatus::default() };
        let newest_first: Vec<_> = changes.iter().rev().cloned().collect();
        let second = |moment: Option<DateTime<Utc>>| {
            moment.map_or_else(String::new, |moment| (moment - at(0)).num_seconds().to_string())
        };
        let said = |incident: &Incident| {
            format!("{}@{}..{}", incident.what.join("+"), second(incident.from), second(incident.until))
        };
        incidents(&token_snapshot(token("t", &[LIST]), status), &newest_first, at(1000)).iter().map(said).collect()
    }

    fn state(seconds: i64, before: &str, after: &str) -> HistoryLine {
        history_line("state", None, seconds, before, after)
    }

    fn list(seconds: i64, before: &str, after: &str) -> HistoryLine {
        HistoryLine {
            evidence: Some(Evidence::Probe),
            ..history_line("permission", Some(LIST), seconds, before, after)
        }
    }

    #[test]
    fn an_incident_lasts_from_when_it_was_seen_until_what_failed_is_seen_to_work() {
        assert_eq!(said(TokenState::Valid, &[]), [""; 0]);
        assert_eq!(said(TokenState::Rejected, &[]), ["rejected@900.."]);
        assert_eq!(said(TokenState::Valid, &[state(9, "unknown", "valid")]), [""; 0], "nothing was known before");
        assert_eq!(
            said(TokenState::Valid, &[state(9, "expired", "valid")]),
            ["expired@..9"],
            "it began before the period"
        );
        let turns = [
            state(9, "valid", "rejected"),
            state(10, "rejected", "wrong_account"),
            state(20, "wrong_account", "valid"),
        ];
        assert_eq!(said(TokenState::Valid, &turns), ["rejected+wrong account@9..20"]);
        let forgotten =
            [state(9, "valid", "rejected"), state(15, "rejected", "unknown"), state(20, "unknown", "valid")];
        assert_eq!(said(TokenState::Valid, &forgotten), ["rejected@9..20"], "what is not known is not over");
        let lost = [list(5, "granted", "missing"), list(7, "missing", "granted")];
        assert_eq!(said(TokenState::Valid, &lost), [format!("{LIST} missing@5..7")]);
    }

    #[test]
    fn what_overlaps_is_one_incident_and_what_a_right_indicates_is_said_to_be_probable() {
        let both = [
            list(5, "granted", "missing"),
            state(9, "valid", "rejected"),
            state(20, "rejected", "valid"),
            list(30, "missing", "granted"),
        ];
        assert_eq!(said(TokenState::Valid, &both), [format!("{LIST} missing+rejected@5..30")]);
        let apart = [list(5, "granted", "missing"), list(6, "missing", "granted"), state(9, "valid", "expired")];
        assert_eq!(said(TokenState::Expired, &apart), [format!("{LIST} missing@5..6"), "expired@9..".to_owned()]);
        let indicated = |line: HistoryLine| HistoryLine { evidence: Some(Evidence::Right), ..line };
        let right = [list(5, "unverified", "missing"), list(8, "missing", "unverified")].map(indicated);
        assert_eq!(said(TokenState::Valid, &right), [format!("{LIST} probably missing@5..8")]);
    }
}
