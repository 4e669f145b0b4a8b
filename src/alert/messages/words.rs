//! The parts of which a message is made: names, lists and lines, each of bounded length. Pure.

use chrono::{DateTime, TimeDelta, Utc};

use crate::model::{self, disturbs};

/// The most characters of a line, whatever the names in it: it is shown in logs, chats and on pagers.
pub(super) const LONGEST_LINE: usize = 400;
/// The most characters of a name in a message. The fields of a notification have it in full.
const LONGEST_NAME: usize = 36;
/// The most characters of the name of a permission; the longest that Syncro has is not cut.
const LONGEST_PERMISSION: usize = 60;
/// The most characters of a list in a step, which has no other bound.
pub(super) const ROOM_IN_STEP: usize = 110;
/// The most members of a list of which each is long.
pub(super) const FEW: usize = 3;
/// The room for a list in a line, in characters: less of it is tried until the line is short enough.
const ROOMS: [usize; 4] = [140, 90, 60, 36];

/// The length of a text in characters.
fn length(text: &str) -> usize {
    text.chars().count()
}

/// A text on one line, with at most so many characters. Where it is cut, no backtick is left open.
pub(super) fn cut(text: &str, most: usize) -> String {
    let text: String = text.chars().map(|character| if disturbs(character) { ' ' } else { character }).collect();
    model::cut(&text, most).into_owned()
}

/// A text between backticks, with at most so many characters.
pub(super) fn quoted(text: &str, most: usize) -> String {
    format!("`{}`", plain(text, most))
}

/// A text without backticks, with at most so many characters.
pub(super) fn plain(text: &str, most: usize) -> String {
    cut(&text.replace('`', "'"), most)
}

/// A name, to stand in a sentence.
pub(super) fn name(text: &str) -> String {
    quoted(text, LONGEST_NAME)
}

/// The title of an integration, to stand in a sentence.
pub(super) fn title(text: &str) -> String {
    plain(text, LONGEST_NAME)
}

/// The name of a permission or a right, to stand in a sentence.
pub(super) fn permission(text: &str) -> String {
    quoted(text, LONGEST_PERMISSION)
}

/// The members of a list for which there is room, and how many there are besides: `a`, `b` and 74 more. The first is named
/// in any case.
pub(super) fn list(members: &[String], room: usize) -> String {
    let mut text = String::new();
    for (index, member) in members.iter().enumerate() {
        let and = match index {
            0 => "",
            _ if index + 1 == members.len() => " and ",
            _ => ", ",
        };
        if index > 0 && length(&text) + length(and) + length(member) > room {
            return format!("{text} and {} more", members.len() - index);
        }
        text.push_str(and);
        text.push_str(member);
    }
    text
}

/// The first few members of a list, and how many there are besides.
pub(super) fn few(members: &[String]) -> String {
    match members.get(..FEW) {
        Some(first) if members.len() > FEW => format!("{} and {} more", first.join(", "), members.len() - FEW),
        _ => list(members, usize::MAX),
    }
}

/// A list of which a few members are enough, in so much room.
pub(super) fn several(members: &[String], room: usize) -> String {
    let few = few(members);
    if length(&few) <= room { few } else { list(members, room) }
}

/// Each of these texts once, in the order in which they come first.
pub(super) fn each_once(texts: impl Iterator<Item = String>) -> Vec<String> {
    let mut once = Vec::new();
    for text in texts {
        if !once.contains(&text) {
            once.push(text);
        }
    }
    once
}

/// One line of clauses, of which empty ones are left out. `clauses` makes them with so much room for each list.
pub(super) fn line(clauses: impl Fn(usize) -> Vec<String>) -> String {
    let joined = |room: usize| {
        let clauses: Vec<_> = clauses(room).into_iter().filter(|clause| !clause.is_empty()).collect();
        clauses.join("; ")
    };
    let fits = ROOMS.iter().map(|room| joined(*room)).find(|line| length(line) <= LONGEST_LINE);
    fits.unwrap_or_else(|| bounded(&joined(ROOMS[ROOMS.len() - 1])))
}

/// A line that is cut where it is too long.
pub(super) fn bounded(line: &str) -> String {
    cut(line, LONGEST_LINE)
}

/// A line behind what introduces it. Where both are too long, the line loses its last clauses, but not the one that has its
/// date.
pub(super) fn quoting(introduction: &str, line: &str) -> String {
    between(introduction, line, "")
}

/// A line with a clause at its end, which stays where both are too long, as for [`quoting`].
pub(super) fn ending(line: &str, clause: &str) -> String {
    between("", line, &format!("; {clause}"))
}

fn between(introduction: &str, line: &str, end: &str) -> String {
    let mut clauses = clauses(line);
    loop {
        let whole = format!("{introduction}{}{end}", clauses.join("; "));
        let last = clauses.iter().rposition(|clause| !clause.starts_with("since ")).filter(|index| *index > 0);
        match last {
            Some(last) if length(&whole) > LONGEST_LINE => clauses.remove(last),
            _ => return bounded(&whole),
        };
    }
}

/// The clauses of a line. What stands between backticks is a name, and is in one piece.
fn clauses(line: &str) -> Vec<&str> {
    let (mut clauses, mut begin) = (Vec::new(), 0);
    for (at, _) in line.match_indices("; ") {
        if line[..at].matches('`').count().is_multiple_of(2) {
            clauses.push(&line[begin..at]);
            begin = at + "; ".len();
        }
    }
    clauses.push(&line[begin..]);
    clauses
}

/// How many there are of something: `1 token`, `3 tokens`.
pub(super) fn count(number: usize, one: &str) -> String {
    if number == 1 { format!("1 {one}") } else { format!("{number} {one}s") }
}

/// A moment in coordinated universal time, for what is about no single tenant.
pub(super) fn utc(moment: DateTime<Utc>) -> String {
    moment.format("%Y-%m-%d %H:%M UTC").to_string()
}

/// When a moment is that lies so far ahead, in the largest unit of which there are at least two.
pub(super) fn when(left: TimeDelta) -> String {
    match (left.num_days(), left.num_hours(), left.num_minutes(), left.num_seconds()) {
        (days @ 2.., ..) => format!("in {days} days"),
        (_, hours @ 2.., ..) => format!("in {hours} hours"),
        (_, _, minutes @ 2.., _) => format!("in {minutes} minutes"),
        (.., seconds @ 2..) => format!("in {seconds} seconds"),
        // The alert fires until the check that is due then has been confirmed.
        _ => "now".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_names_what_fits_and_counts_the_rest() {
        let names: Vec<_> = (0..79).map(|number| format!("`t{number}`")).collect();
        assert_eq!(list(&names[..1], 4), "`t0`");
        assert_eq!(list(&names[..2], 40), "`t0` and `t1`");
        assert_eq!(list(&names, 28), "`t0`, `t1`, `t2`, `t3`, `t4` and 74 more");
        assert_eq!(list(&names, 0), "`t0` and 78 more");
        assert_eq!(list(&[], 40), "");
    }

    #[test]
    fn a_list_of_what_is_long_names_three() {
        let names: Vec<_> = (0..82).map(|number| format!("`t{number}`")).collect();
        assert_eq!(few(&names), "`t0`, `t1`, `t2` and 79 more");
        assert_eq!(few(&names[..3]), "`t0`, `t1` and `t2`");
    }

    #[test]
    fn a_quoted_line_loses_clauses_but_not_its_date() {
        let line = format!("`a; b` broke; since noon; affected: {}; evidence: x", "y".repeat(390));
        assert_eq!(quoting("it was: ", &line), "it was: `a; b` broke; since noon");
        assert_eq!(quoting("it was: ", "a; since noon; evidence: x"), "it was: a; since noon; evidence: x");
    }

    #[test]
    fn a_line_has_less_in_its_lists_rather_than_lose_its_end() {
        let names: Vec<_> = (0..500).map(|number| format!("`token-{number}`")).collect();
        let made =
            line(|room| vec!["x".repeat(200), String::new(), list(&names, room), "evidence: the end".to_owned()]);
        assert!(length(&made) <= LONGEST_LINE && made.ends_with("; evidence: the end"), "{made}");
    }

    #[test]
    fn a_line_that_is_cut_leaves_no_name_open_and_is_one_line() {
        let made = line(|_| vec![format!("a\nb `{}`", "ß".repeat(900))]);
        assert_eq!(length(&made), LONGEST_LINE);
        assert!(made.starts_with("a b `ß") && made.ends_with("ß…`"), "{made}");
        assert_eq!(name("a`b"), "`a'b`");
    }

    #[test]
    fn an_expiry_is_said_in_a_unit_that_fits_and_is_now_at_last() {
        let cases = [
            (TimeDelta::days(2), "in 2 days"),
            (TimeDelta::hours(47), "in 47 hours"),
            (TimeDelta::minutes(119), "in 119 minutes"),
            (TimeDelta::seconds(119), "in 119 seconds"),
            (TimeDelta::zero(), "now"),
            (TimeDelta::seconds(-30), "now"),
        ];
        for (left, expected) in cases {
            assert_eq!(when(left), expected);
        }
    }
}
