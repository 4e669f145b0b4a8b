//! What is believed of every token, as JSON: the picture that the page and the metrics show, written piece by piece so that
//! memory does not grow with the fleet. Never a token value, a user's name or an e-mail address.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::{Value, json};

use crate::alert::Firing;
use crate::snapshot::{Snapshot, TokenPicture};
use crate::standing::{Attempts, PermissionStanding, PermissionState};

/// Tokens written into one piece.
const TOKENS_PER_PIECE: usize = 100;

/// `{"tokens": [...]}` of one snapshot, as an iterator over its pieces.
#[derive(Debug)]
pub(super) struct Tokens {
    snapshot: Arc<Snapshot>,
    next: usize,
    ended: bool,
}

impl Tokens {
    pub(super) fn new(snapshot: Arc<Snapshot>) -> Self {
        Self { snapshot, next: 0, ended: false }
    }
}

impl Iterator for Tokens {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        if self.ended {
            return None;
        }
        let tokens = &self.snapshot.tokens;
        let end = tokens.len().min(self.next + TOKENS_PER_PIECE);
        let mut piece = if self.next == 0 { "{\"tokens\":[".to_owned() } else { String::new() };
        for (index, picture) in tokens.iter().enumerate().take(end).skip(self.next) {
            if index > 0 {
                piece.push(',');
            }
            piece.push_str(&token(picture).to_string());
        }
        self.next = end;
        if end == tokens.len() {
            piece.push_str("]}\n");
            self.ended = true;
        }
        Some(piece.into())
    }
}

fn token(picture: &TokenPicture) -> Value {
    let TokenPicture { token, standing, firing } = picture;
    let attempts = |attempts: &Attempts| {
        json!({
            "last_attempt": attempts.last_attempt,
            "last_success": attempts.last_success,
            "failures": attempts.failures,
            "reason": attempts.reason,
        })
    };
    let excess = standing.audit.as_ref().map(|audit| {
        let excess = audit.excess(token).map(|known| {
            let (permission, shown_by) = (known.permission.name(), known.shown_by(&token.tenant));
            json!({ "permission": permission, "answer": known.answer, "shown_by": shown_by })
        });
        excess.collect::<Vec<_>>()
    });
    json!({
        "tenant": token.tenant.name,
        "token_name": token.name,
        "subdomain": token.tenant.subdomain,
        "profile": token.profile_name(),
        "state": standing.state.as_str(),
        "since": standing.since,
        "unreadable": standing.unreadable.as_ref().map(ToString::to_string),
        "expires": token.expires,
        "auto_rotated": token.auto_rotated,
        "fingerprint": standing.fingerprint,
        "security_group": standing.security_group(),
        "global_admin": standing.user.as_ref().and_then(|user| user.admin.held),
        "checks": {
            "validity": attempts(&standing.validity),
            "permissions": attempts(&standing.permission_checks),
        },
        "permissions": permissions(picture),
        "excess": excess,
        "alerts": firing.iter().map(alert).collect::<Vec<_>>(),
    })
}

fn permissions(picture: &TokenPicture) -> Vec<Value> {
    let wanted = picture.token.wanted.iter().map(|wanted| {
        let known = picture.standing.of_permission(wanted.permission);
        let state = known.map_or(PermissionState::Unverified, PermissionStanding::state);
        let seen = known.filter(|known| known.belief.held.is_some());
        json!({
            "permission": wanted.permission,
            "required": wanted.required,
            "state": state.as_str(),
            "since": seen.map(|known| known.belief.since),
            "evidence": seen.map(|known| known.evidence),
            "answer": seen.and_then(|known| known.answer),
            "shown_by": seen.and_then(|known| known.shown_by(&picture.token.tenant)),
            "cause": known.filter(|_| state == PermissionState::Missing).map(|known| known.cause),
        })
    });
    wanted.collect()
}

fn alert(firing: &Firing) -> Value {
    json!({
        "alert": firing.alert.as_str(),
        "severity": firing.severity,
        "since": firing.since,
        "permission": firing.words.permission,
        "right": firing.words.right,
        "cause": firing.words.cause,
        "evidence": firing.words.evidence,
        "message": firing.words.message,
    })
}
