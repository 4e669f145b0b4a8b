//! The last thirty days of a token, a sign for each: how bad it was at worst, from the history and what is believed now. Pure.

use chrono::{DateTime, Days, NaiveDate, NaiveTime, Utc};

use crate::belief::{PermissionState, TokenState, TransitionKind};
use crate::state::HistoryLine;
use crate::state::{Health, TokenSnapshot};

use super::Badge;

/// Days on the strip, today included.
pub(super) const DAYS: u64 = 30;

/// One day, in UTC.
#[derive(Debug)]
pub(super) struct Day {
    pub(super) date: NaiveDate,
    /// How it was at worst; `None` if nothing is known of it.
    pub(super) badge: Option<Badge>,
    /// Changes on that day.
    pub(super) changes: usize,
}

/// When the strip begins.
pub(in super::super) fn start(now: DateTime<Utc>) -> DateTime<Utc> {
    let first = now.date_naive().checked_sub_days(Days::new(DAYS - 1)).unwrap_or_default();
    first.and_time(NaiveTime::MIN).and_utc()
}

/// A time during which a token was so.
type Span = (DateTime<Utc>, DateTime<Utc>, Health);

/// The days, the oldest first, from the history since [`start`] in the order of time.
pub(super) fn strip(picture: &TokenSnapshot, history: &[HistoryLine], now: DateTime<Utc>) -> Vec<Day> {
    let spans = spans(picture, history, now);
    let dates: Vec<_> = history.iter().filter_map(|line| Some(moment(&line.since)?.date_naive())).collect();
    let first = start(now).date_naive();
    first
        .iter_days()
        .take(DAYS as usize)
        .map(|date| {
            let begin = date.and_time(NaiveTime::MIN).and_utc();
            let end = date.succ_opt().unwrap_or(date).and_time(NaiveTime::MIN).and_utc();
            let during = spans.iter().filter(|(from, to, _)| *from < end && *to > begin).map(|(_, _, health)| *health);
            let changes = dates.iter().filter(|changed| **changed == date).count();
            Day { date, badge: during.min().map(Badge::from), changes }
        })
        .collect()
}

fn spans(picture: &TokenSnapshot, history: &[HistoryLine], now: DateTime<Utc>) -> Vec<Span> {
    let of_kind = |kind: TransitionKind| history.iter().filter(move |line| line.kind == kind.as_str());
    let mut spans = Vec::new();
    let states: Vec<_> = of_kind(TransitionKind::State).collect();
    let known = |state: TokenState| match state {
        TokenState::Unknown => None,
        TokenState::Valid => Some(Health::Well),
        _ => Some(Health::Broken),
    };
    let of_word = |word: &str| TokenState::ALL.into_iter().find(|state| state.as_str() == word).and_then(known);
    let token_status = &picture.status;
    let current = (known(token_status.state), token_status.since.unwrap_or(now));
    add(&mut spans, &states, current, of_word, now);
    for wanted in &picture.token.wanted {
        let lacking = if wanted.required { Health::Broken } else { Health::Attention };
        let name = wanted.permission.name();
        let lines: Vec<_> =
            of_kind(TransitionKind::Permission).filter(|line| line.subject.as_deref() == Some(name)).collect();
        let missing = |word: &str| (word == PermissionState::Missing.as_str()).then_some(lacking);
        let now_known = token_status.of_permission(wanted.permission);
        let is_missing = now_known.filter(|known| known.state() == PermissionState::Missing);
        let current = (is_missing.map(|_| lacking), now_known.map_or(now, |known| known.belief.since));
        add(&mut spans, &lines, current, missing, now);
    }
    spans
}

/// Adds what lasted between the changes of one thing; without a change it is as it is now since long ago.
fn add(
    spans: &mut Vec<Span>,
    lines: &[&HistoryLine],
    (current, since): (Option<Health>, DateTime<Utc>),
    health: impl Fn(&str) -> Option<Health>,
    now: DateTime<Utc>,
) {
    let Some(first) = lines.first() else {
        spans.extend(current.map(|health| (since, now, health)));
        return;
    };
    let mut from = start(now);
    let mut so = health(&first.before);
    for line in lines {
        let Some(at) = moment(&line.since) else { continue };
        spans.extend(so.map(|health| (from, at, health)));
        (from, so) = (at, health(&line.after));
    }
    spans.extend(so.map(|health| (from, now, health)));
}

fn moment(text: &str) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc3339(text).ok().map(|moment| moment.to_utc())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::belief::TokenStatus;
    use crate::testing::{at, token};

    const DAY: i64 = 86_400;
    const LIST: &str = "Tickets - List/Search";

    fn line(kind: &str, subject: Option<&str>, days_ago: i64, before: &str, after: &str) -> HistoryLine {
        let since = at(-days_ago * DAY).to_rfc3339();
        let (tenant, token_name, at) = (String::new(), String::new(), since.clone());
        let [kind, before, after] = [kind, before, after].map(str::to_owned);
        let subject = subject.map(str::to_owned);
        HistoryLine { at, tenant, token_name, kind, subject, before, after, since, evidence: None, shown_by: None }
    }

    fn signs(state: TokenState, since_days_ago: i64, history: &[HistoryLine]) -> String {
        let status = TokenStatus { state, since: Some(at(-since_days_ago * DAY)), ..TokenStatus::default() };
        let (token, status) = (Arc::new(token("t", &[LIST])), Arc::new(status));
        let picture = TokenSnapshot { token, status, firing: Arc::default(), asked: Arc::default() };
        strip(&picture, history, at(0)).iter().map(|day| day.badge.map_or("·", |badge| badge.sign)).collect()
    }

    #[test]
    fn each_day_shows_the_worst_of_it_and_none_of_which_nothing_is_known() {
        let all = "✓".repeat(30);
        assert_eq!(signs(TokenState::Valid, 400, &[]), all);
        assert_eq!(signs(TokenState::Unknown, 0, &[]), "·".repeat(30));
        assert_eq!(signs(TokenState::Valid, 2, &[]), format!("{}✓✓✓", "·".repeat(27)));
        let expired = [line("state", None, 9, "valid", "expired"), line("state", None, 7, "expired", "valid")];
        assert_eq!(signs(TokenState::Valid, 7, &expired), format!("{}✖✖✖{}", "✓".repeat(20), "✓".repeat(7)));
        let lost = [
            line("permission", Some(LIST), 4, "granted", "missing"),
            line("permission", Some(LIST), 3, "missing", "granted"),
        ];
        assert_eq!(signs(TokenState::Valid, 400, &lost), format!("{}✖✖{}", "✓".repeat(25), "✓".repeat(3)));
        let added = [line("state", None, 1, "unknown", "rejected")];
        assert_eq!(signs(TokenState::Rejected, 1, &added), format!("{}✖✖", "·".repeat(28)));
    }
}
