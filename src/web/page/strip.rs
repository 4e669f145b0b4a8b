//! The last thirty days of a token, with a sign for each: its worst health on that day, from the history and from what
//! is believed now. Pure.

use chrono::{DateTime, Days, NaiveDate, NaiveTime, Utc};

use crate::belief::{PermissionState, TokenState, TransitionKind};
use crate::state::{Health, HistoryLine, TokenSnapshot};

use super::Badge;

/// How many days the strip has, today included.
pub(super) const DAYS: u64 = 30;

/// One day of the strip, in UTC.
#[derive(Debug)]
pub(super) struct Day {
    pub(super) date: NaiveDate,
    /// The worst health on that day; `None` if nothing is known of it.
    pub(super) badge: Option<Badge>,
    /// How many changes there were on that day.
    pub(super) changes: usize,
}

/// How many lines of the history the strip is made of at most: the newest. Of the days before them nothing is shown then.
pub(in super::super) const MOST_LINES: u32 = 1000;

/// The moment at which the strip begins.
pub(in super::super) fn start(now: DateTime<Utc>) -> DateTime<Utc> {
    let first = now.date_naive().checked_sub_days(Days::new(DAYS - 1)).unwrap_or_default();
    first.and_time(NaiveTime::MIN).and_utc()
}

/// Days in a row that are alike, as a piece of a drawing that is [`DAYS`] wide.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Run {
    /// The class of the health; `none` where nothing is known.
    pub(super) class: &'static str,
    pub(super) from: usize,
    pub(super) days: usize,
}

/// The strip as a small drawing, and in words for who does not see it.
#[derive(Debug)]
pub(super) struct Strip {
    pub(super) runs: Vec<Run>,
    pub(super) words: String,
}

impl Strip {
    pub(super) fn of(days: &[Day]) -> Self {
        let class = |day: &Day| day.badge.map_or("none", |badge| badge.class);
        let mut from = 0;
        let runs = days.chunk_by(|left, right| class(left) == class(right)).map(|run| {
            let run = Run { class: run.first().map_or("none", class), from, days: run.len() };
            from += run.days;
            run
        });
        let count = |word: &str| days.iter().filter(|day| day.badge.is_some_and(|badge| badge.word == word)).count();
        let unknown = days.iter().filter(|day| day.badge.is_none()).count();
        let counted = Health::ALL.iter().map(|health| Badge::from(*health).word).map(|word| (word, count(word)));
        let words = counted.chain([("nothing known", unknown)]).filter(|(_, days)| *days > 0);
        let words = words.map(|(word, days)| format!("{word} on {days}")).collect::<Vec<_>>().join(", ");
        Self { runs: runs.collect::<Vec<_>>(), words: format!("{} days: {words}", days.len()) }
    }
}

/// A time, from and to, during which a token had a health.
type Span = (DateTime<Utc>, DateTime<Utc>, Health);

/// The days of a token, the oldest first; `history` has its lines since [`start`] in the order of time.
/// If it has `most` of them, it has only the newest.
pub(super) fn strip(entry: &TokenSnapshot, history: &[HistoryLine], most: u32, now: DateTime<Utc>) -> Vec<Day> {
    let spans = spans(entry, history, most, now);
    let dates: Vec<_> = history.iter().map(|line| line.since.date_naive()).collect();
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

/// The times during which the token had a health, by its state and by each wanted permission.
fn spans(entry: &TokenSnapshot, history: &[HistoryLine], most: u32, now: DateTime<Utc>) -> Vec<Span> {
    let of_kind = |kind: TransitionKind| history.iter().filter(move |line| line.kind == kind);
    let mut spans = Vec::new();
    let status = &entry.status;
    // What was so before the first change of the strip has been known since the first check, and not before.
    let firsts = [status.known_since, status.since, history.iter().map(|line| line.since).min()];
    let is_cut = history.len() >= most as usize;
    let first = if is_cut { firsts[2] } else { firsts.into_iter().flatten().min() };
    let known_since = first.unwrap_or(now).max(start(now));
    let state_changes: Vec<_> = of_kind(TransitionKind::State).collect();
    let of_state = |state: TokenState| match state {
        TokenState::Unknown => None,
        TokenState::Valid => Some(Health::Ok),
        _ => Some(Health::Broken),
    };
    let of_word = |word: &str| word.parse().ok().and_then(of_state);
    let current = (of_state(status.state), status.since.unwrap_or(now));
    add(&mut spans, &state_changes, current, of_word, (known_since, now));
    for wanted in entry.token.wanted.iter().filter(|wanted| entry.token.ignores(wanted.permission, now).is_none()) {
        let lacking = if wanted.required { Health::Broken } else { Health::Attention };
        let name = wanted.permission.name();
        let lines: Vec<_> =
            of_kind(TransitionKind::Permission).filter(|line| line.subject.as_deref() == Some(name)).collect();
        let missing = |word: &str| (word.parse() == Ok(PermissionState::Missing)).then_some(lacking);
        let permission = status.of_permission(wanted.permission);
        let is_missing = permission.filter(|permission| permission.state() == PermissionState::Missing);
        let current = (is_missing.map(|_| lacking), permission.map_or(now, |permission| permission.belief.since));
        add(&mut spans, &lines, current, missing, (known_since, now));
    }
    spans
}

/// Adds the times between the changes of one state or permission; without a change its health has been the current one
/// since `since`.
fn add(
    spans: &mut Vec<Span>,
    lines: &[&HistoryLine],
    (current, since): (Option<Health>, DateTime<Utc>),
    health: impl Fn(&str) -> Option<Health>,
    (known_since, now): (DateTime<Utc>, DateTime<Utc>),
) {
    let Some(first) = lines.first() else {
        spans.extend(current.map(|health| (since, now, health)));
        return;
    };
    let mut from = known_since;
    let mut current = health(&first.before);
    for line in lines {
        spans.extend(current.map(|health| (from, line.since, health)));
        (from, current) = (line.since, health(&line.after));
    }
    spans.extend(current.map(|health| (from, now, health)));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::belief::TokenStatus;
    use crate::testing::{at, history_line, token, token_snapshot};

    const DAY: i64 = 86_400;
    const LIST: &str = "Tickets - List/Search";

    fn line(kind: &str, subject: Option<&str>, days_ago: i64, before: &str, after: &str) -> HistoryLine {
        history_line(kind, subject, -days_ago * DAY, before, after)
    }

    fn signs(state: TokenState, since_days_ago: i64, history: &[HistoryLine]) -> String {
        known(400, state, since_days_ago, history)
    }

    /// The signs for a token that was first checked so many days ago.
    fn known(days_ago: i64, state: TokenState, since_days_ago: i64, history: &[HistoryLine]) -> String {
        let (known_since, since) = (Some(at(-days_ago * DAY)), Some(at(-since_days_ago * DAY)));
        let status = TokenStatus { known_since, state, since, ..TokenStatus::default() };
        let entry = token_snapshot(token("t", &[LIST]), status);
        strip(&entry, history, MOST_LINES, at(0)).iter().map(|day| day.badge.map_or("·", |badge| badge.sign)).collect()
    }

    #[test]
    fn each_day_shows_its_worst_health_and_a_day_of_which_nothing_is_known_shows_none() {
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
        assert_eq!(known(12, TokenState::Valid, 7, &expired), format!("{}✓✓✓✖✖✖{}", "·".repeat(17), "✓".repeat(7)));
        let added = [line("state", None, 1, "unknown", "rejected")];
        assert_eq!(signs(TokenState::Rejected, 1, &added), format!("{}✖✖", "·".repeat(28)));
    }
}
