//! How many tokens expire in each of the next weeks, as bars that select them. Pure.

use chrono::{DateTime, TimeDelta, Utc};

use crate::state::TokenSnapshot;

use super::Frame;
use super::filter::FleetQuery;

/// A quarter of a year.
const WEEKS: usize = 13;
/// In the units of the drawing.
const TALLEST: usize = 56;

/// One week of the chart, counted from now on.
#[derive(Debug)]
pub(super) struct Week {
    pub(super) count: usize,
    /// The days on which it begins and ends, such as `30 Nov to 6 Dec`.
    pub(super) days: String,
    /// The day on which it begins.
    pub(super) from: String,
    /// The overview with the tokens that expire in it.
    pub(super) href: String,
    /// In the units of the drawing, whose height is 72 below the counts.
    pub(super) x: usize,
    pub(super) y: usize,
    pub(super) height: usize,
}

/// The next weeks. A token that something renews by itself is not counted.
pub(super) fn weeks<'a>(
    frame: Frame<'_>,
    tokens: impl Iterator<Item = &'a TokenSnapshot>,
    now: DateTime<Utc>,
) -> Vec<Week> {
    let mut counts = [0_usize; WEEKS];
    for entry in tokens.filter(|entry| !entry.token.auto_rotated) {
        let left = entry.token.expires.map(|expires| expires - now).filter(|left| *left >= TimeDelta::zero());
        let week = left.and_then(|left| usize::try_from(left.num_days() / 7).ok());
        if let Some(count) = week.and_then(|week| counts.get_mut(week)) {
            *count += 1;
        }
    }
    let most = counts.into_iter().max().unwrap_or_default().max(1);
    let week = |(index, count): (usize, usize)| {
        let day = |number: i64| (now + TimeDelta::days(number)).format("%-d %b").to_string();
        let first = 7 * i64::try_from(index).unwrap_or_default();
        let next = first + 7;
        // One token is seen beside a hundred, too.
        let height = if count == 0 { 0 } else { (count * TALLEST / most).max(3) };
        Week {
            count,
            days: format!("{} to {}", day(first), day(next)),
            from: day(first),
            href: FleetQuery {
                expiring: format!("{first}-{next}"),
                sort: "expiry".to_owned(),
                ..FleetQuery::default()
            }
            .href(frame),
            x: index * 48,
            y: 16 + TALLEST - height,
            height,
        }
    };
    counts.into_iter().enumerate().map(week).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::belief::TokenStatus;
    use crate::state::Pieces;
    use crate::testing::{at, token, token_snapshot};

    #[test]
    fn each_expiry_ahead_is_in_the_week_that_its_link_selects() {
        let entry = |hours: Option<i64>, auto_rotated| {
            let mut token = token("t", &[]);
            (token.expires, token.auto_rotated) = (hours.map(|hours| at(hours * 3600)), auto_rotated);
            token_snapshot(token, TokenStatus::default())
        };
        let hours = [-1, 0, 7 * 24 - 1, 7 * 24, 91 * 24 - 1, 91 * 24];
        let mut tokens: Vec<_> = hours.map(|hours| entry(Some(hours), false)).into();
        tokens.extend([entry(None, false), entry(Some(1), true)]);
        let tokens: Pieces<_> = tokens.into_iter().collect();
        let frame = Frame::new("/below", at(0));
        let weeks = weeks(frame, tokens.iter(), at(0));
        assert_eq!(weeks.iter().map(|week| week.count).collect::<Vec<_>>(), [2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
        assert_eq!(weeks[1].href, "/below/?expiring=7-14&sort=expiry");
        assert_eq!((weeks[0].height, weeks[1].height, weeks[2].height), (56, 28, 0));
        assert!(weeks.iter().all(|week| week.y + week.height == 72));
        for week in &weeks {
            let (_, query) = week.href.split_once('?').unwrap();
            let pairs = url::form_urlencoded::parse(query.as_bytes());
            let expiring = pairs.into_iter().find(|(key, _)| key == "expiring").unwrap().1.into_owned();
            let query = FleetQuery { expiring, ..FleetQuery::default() };
            let found = super::super::filter::Filter::parse(&query).unwrap().find(&tokens, at(0)).len();
            assert_eq!(found, week.count, "{}", week.days);
        }
    }
}
