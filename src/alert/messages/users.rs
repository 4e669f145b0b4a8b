//! The messages about the user behind tokens. Pure.

use crate::alert::Message;
use crate::belief::Strength;

use super::change::{change, change_back};
use super::missing::Missing;
use super::steps::{lower, open_group, open_user, replace_as, ticks};
use super::subject::Subject;
use super::words::{ROOM_IN_STEP, line};

/// Who makes the new token, where the user of the old one cannot.
const ANOTHER: &str = " as a user who stays and may do the same";

/// The message of `UserLockedOut`.
pub(super) fn locked_out(subject: &Subject<'_>) -> Message {
    let line = line(|room| {
        vec![
            format!(
                "{} may not use Syncro, so the calls of {} probably fail",
                subject.user_named(),
                subject.integrations(room)
            ),
            subject.since(),
            subject.affected(room),
            "evidence: `can_use_app` is false in `/me`".to_owned(),
        ]
    });
    let mut steps = vec![
        format!("{}, and see whether the user is disabled", open_user(subject)),
        "If that was a mistake: enable the user again".to_owned(),
    ];
    steps.extend(replace_as(subject, ANOTHER, "If the user is to stay locked out", &[]));
    subject.message(line, steps)
}

/// The message of `UserDisabled`.
pub(super) fn disabled(subject: &Subject<'_>) -> Message {
    let line = line(|room| {
        vec![
            format!(
                "{} is not in the list of users any more, so probably disabled; its tokens still work, and die when somebody \
                tidies up: then the calls of {} fail",
                subject.user_named(),
                subject.integrations(room)
            ),
            subject.since(),
            subject.affected(room),
            "indicated by: GET /users".to_owned(),
        ]
    });
    let mut steps = vec![
        format!("{}, and see whether the user was disabled", open_user(subject)),
        "If that was a mistake: enable the user again".to_owned(),
    ];
    steps.extend(replace_as(subject, ANOTHER, "If it was intended", &[]));
    Message { strength: Some(Strength::Indicated), ..subject.message(line, steps) }
}

/// The message of `UserChanged`.
pub(super) fn changed(subject: &Subject<'_>) -> Message {
    let members = subject.members();
    let changed = members.iter().find_map(|member| Some((*member, change(member)?)));
    let what = changed.as_ref().map_or("was changed", |(_, what)| what.as_str());
    let (permissions, is_nothing_lost) = (subject.permissions(), subject.lost(0).is_empty());
    let missing = Missing::of(subject);
    let line = line(|room| {
        let (what_is_missing, shown_by) = if is_nothing_lost {
            ("nothing that is watched is missing yet".to_owned(), "evidence: `/me` and `/users`".to_owned())
        } else {
            let needed = missing.needed(room / 2);
            (format!("with it went {}{needed}", subject.lost(room)), missing.evidence())
        };
        vec![
            format!("{} {what}", subject.user_named()),
            what_is_missing,
            subject.since(),
            subject.affected(room),
            shown_by,
        ]
    });
    let mut steps = changed.map(|(member, _)| change_back(subject, member)).unwrap_or_default();
    let what = if is_nothing_lost {
        "and see that it allows what the integrations need".to_owned()
    } else if permissions.is_empty() {
        format!("see what is unticked there, and tick what is needed by {}", subject.integrations(ROOM_IN_STEP))
    } else {
        format!("tick {}, and save", ticks(&permissions))
    };
    steps.push(format!("If it was intended: {}, {what}", lower(&open_group(subject))));
    let message = subject.message(line, steps);
    if is_nothing_lost { message } else { missing.explain(message) }
}
