//! What the body of an answer shows of a permission, where its status alone does not. Pure.

use serde_json::Value;

use crate::catalog::{BodyEvidence, Probe};

use super::classify::Answer;
use super::record::{LONGEST_LIST, number};
use super::{Failure, ProbeObservation, Reason};

impl Answer {
    /// Classifies the answer to a probe that shows the permission in its body; `user` is the number of the token's user.
    /// What the body leaves open is open.
    pub(crate) fn probe_in_body(&self, probe: &Probe, evidence: BodyEvidence, user: u64) -> ProbeObservation {
        let seen = self.probe(probe);
        let ProbeObservation::Granted(status) = seen else { return seen };
        match self.json() {
            Err(failure) => ProbeObservation::Failed(failure),
            Ok(body) => match is_granted(&body, evidence, user) {
                Some(true) => ProbeObservation::Granted(status),
                Some(false) => ProbeObservation::Denied(status),
                None if probe.asks_of_another_user() => ProbeObservation::Inconclusive(status),
                None => ProbeObservation::LetThrough(status),
            },
        }
    }

    /// The body as JSON.
    ///
    /// # Errors
    /// When it is not there, not JSON, or longer than anything that was asked for.
    fn json(&self) -> Result<Value, Failure> {
        let text = self.text()?;
        if text.len() > LONGEST_LIST {
            return Err(Failure::new(Reason::TooLarge, "the answer is longer than any that was asked for"));
        }
        serde_json::from_str(text).map_err(|_| Failure::new(Reason::NotSyncro, "the answer is not JSON"))
    }
}

/// Whether a body shows that the permission is granted; `None` if it leaves that open.
fn is_granted(body: &Value, evidence: BodyEvidence, user: u64) -> Option<bool> {
    match evidence {
        BodyEvidence::CanManage => body.get("can_manage")?.as_bool(),
        BodyEvidence::EntryOfAnotherUser => {
            let lists = body.as_object()?.values().filter_map(Value::as_array);
            let entries = lists.flatten().map(|entry| entry.get("appointment").unwrap_or(entry));
            let of_others = |entry: &Value| entry.get("user_id").and_then(number).is_some_and(|id| id != user);
            entries.into_iter().any(of_others).then_some(true)
        }
        BodyEvidence::AnswerOfAnotherUser => Some(number(body.get("user_id")?)? != user),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::permission;

    fn seen(name: &str, status: u16, body: &str) -> ProbeObservation {
        let probe = permission(name).get().probe.as_ref().expect("has a probe");
        let answer = Answer::new(status, "application/json", body.as_bytes().to_vec());
        answer.probe_in_body(probe, probe.shown_in_body.expect("in its body"), 7)
    }

    #[test]
    fn a_body_shows_a_permission_denies_it_or_leaves_it_open() {
        const CANNED: &str = "Ticket Canned Responses - Manage";
        const APPOINTMENTS: &str = "Appointments - View All (see-own never restricted)";
        const TIMELOGS: &str = "Timelogs - Manage";
        let (granted, denied) = (ProbeObservation::Granted(200), ProbeObservation::Denied(200));
        let (open, silent) = (ProbeObservation::LetThrough(200), ProbeObservation::Inconclusive(200));
        let cases = [
            (CANNED, r#"{"subjects":[],"can_manage":true}"#, &granted),
            (CANNED, r#"{"subjects":[],"can_manage":false}"#, &denied),
            (CANNED, r#"{"subjects":[]}"#, &open),
            (CANNED, r#"{"can_manage":"yes"}"#, &open),
            (
                APPOINTMENTS,
                r#"{"appointments":[{"appointment":{"user_id":7}},{"appointment":{"user_id":8}}]}"#,
                &granted,
            ),
            (APPOINTMENTS, r#"{"appointments":[{"user_id":"8"}]}"#, &granted),
            (APPOINTMENTS, r#"{"appointments":[{"appointment":{"user_id":7}}]}"#, &open),
            (APPOINTMENTS, r#"{"appointments":[{"appointment":{"user_id":null}}]}"#, &open),
            (APPOINTMENTS, r#"{"appointments":[]}"#, &open),
            (TIMELOGS, r#"{"id":1,"user_id":8}"#, &granted),
            (TIMELOGS, r#"{"id":1,"user_id":7}"#, &denied),
            (TIMELOGS, r#"{"id":1,"user_id":null}"#, &silent),
            (TIMELOGS, "null", &silent),
            (TIMELOGS, "[1]", &silent),
        ];
        for (name, body, expected) in cases {
            assert_eq!(seen(name, 200, body), *expected, "{name}: {body}");
        }
        assert_eq!(seen(CANNED, 401, "{}"), ProbeObservation::Missing);
        let reason = |body: &str| seen(CANNED, 200, body).failure().map(|failure| failure.reason);
        assert_eq!(reason("{\"can_man"), Some(Reason::NotSyncro));
        assert_eq!(reason(&format!("{{\"a\":\"{}\"}}", "x".repeat(LONGEST_LIST))), Some(Reason::TooLarge));
    }
}
