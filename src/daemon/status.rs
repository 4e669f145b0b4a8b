//! The fleet in one sentence, for `systemctl status`. Pure.

use chrono::{DateTime, Utc};

use crate::belief::TokenState;
use crate::state::{Health, Snapshot};

/// The sentence and the countdown to the next check: `watching 42 tokens; 1 expired` and `; next check in 3 s`.
pub(super) fn status(snapshot: &Snapshot, rejected: bool, now: DateTime<Utc>) -> (String, String) {
    let (mut of_state, mut lacking) = ([0_usize; TokenState::ALL.len()], 0_usize);
    for token in snapshot.tokens.iter() {
        let state = token.status.state;
        of_state[state as usize] += 1;
        lacking += usize::from(state == TokenState::Valid && token.health(now) == Health::Broken);
    }
    let all = snapshot.tokens.len();
    let mut parts = vec![format!("watching {all} {}", if all == 1 { "token" } else { "tokens" })];
    for (state, count) in TokenState::ALL.iter().copied().map(|state| (state, of_state[state as usize])) {
        match state {
            _ if count == 0 => {}
            TokenState::Valid => {}
            TokenState::Unknown => parts.push(format!("{count} not seen yet")),
            _ => parts.push(format!("{count} {}", state.as_str().replace('_', " "))),
        }
    }
    if lacking > 0 {
        parts.push(format!("{lacking} without a permission"));
    }
    if rejected {
        parts.push("the last reload was rejected".to_owned());
    }
    let seconds = snapshot.next_check.map(|next| (next - now).num_seconds().max(0));
    let countdown = seconds.map(|seconds| match seconds {
        0 => "; checking now".to_owned(),
        1..120 => format!("; next check in {seconds} s"),
        _ => format!("; next check in {} min", seconds / 60),
    });
    (parts.join("; "), countdown.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::belief::TokenStatus;
    use crate::testing::{at, token, token_snapshot};

    #[test]
    fn the_sentence_says_what_is_wrong_and_when_the_next_check_is() {
        let token = |state| token_snapshot(token("t", &[]), TokenStatus { state, ..TokenStatus::default() });
        let said = |states: &[TokenState], rejected, next: Option<i64>| {
            let tokens = states.iter().copied().map(token).collect();
            let snapshot = Snapshot { tokens, next_check: next.map(at), ..Snapshot::default() };
            let (status, countdown) = status(&snapshot, rejected, at(0));
            format!("{status}{countdown}")
        };
        let (valid, expired, locked_out) = (TokenState::Valid, TokenState::Expired, TokenState::LockedOut);
        assert_eq!(said(&[valid, expired], false, Some(3)), "watching 2 tokens; 1 expired; next check in 3 s");
        assert_eq!(
            said(&[locked_out], true, Some(-1)),
            "watching 1 token; 1 locked out; the last reload was rejected; checking now"
        );
        assert_eq!(said(&[], false, Some(300)), "watching 0 tokens; next check in 5 min");
        assert_eq!(said(&[TokenState::Unknown], false, None), "watching 1 token; 1 not seen yet");
    }
}
