//! Sessions: whoever has shown a password is given a cookie that is shown from then on. It holds what nobody can guess, so
//! that it need not be counted, and people go on while somebody else guesses at their address.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use axum::http::{HeaderMap, header};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use subtle::{Choice, ConstantTimeEq};
use tokio::time::Instant;

use super::random::{Digest, random};

/// How long a session lasts.
const LASTS: Duration = Duration::from_hours(12);

/// The session of each user who has shown a password: there is one for each, however often it is shown.
#[derive(Default)]
pub(super) struct Sessions {
    /// The name of the cookie. Browsers keep one for all ports of a host, so each start of a daemon has its own.
    cookie: String,
    by_user: Mutex<HashMap<String, Session>>,
}

struct Session {
    /// What the cookie holds.
    id: String,
    ends_at: Instant,
}

impl Sessions {
    /// No sessions, under a name that `digest` makes.
    pub(super) fn new(digest: &Digest) -> Self {
        let name = digest.iter().take(4).fold(String::from("session_"), |name, byte| format!("{name}{byte:02x}"));
        Self { cookie: name, by_user: Mutex::default() }
    }

    /// The cookie of a user who has shown a password, without its attributes; `None` if the system has no randomness.
    pub(super) fn of(&self, user: &str) -> Option<String> {
        let now = Instant::now();
        let mut all = self.by_user.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, session| session.ends_at > now);
        if !all.contains_key(user) {
            let mut id = [0; 32];
            random(&mut id).ok()?;
            let session = Session { id: BASE64_URL_SAFE_NO_PAD.encode(id), ends_at: now + LASTS };
            all.insert(user.to_owned(), session);
        }
        let session = all.get(user)?;
        let seconds = (session.ends_at - now).as_secs();
        Some(format!("{}={}; Max-Age={seconds}", self.cookie, session.id))
    }

    /// Whether a request shows a session.
    pub(super) fn is_shown(&self, headers: &HeaderMap) -> bool {
        let now = Instant::now();
        let shown = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
        let shown = shown.flat_map(|cookies| cookies.split(';')).filter_map(|cookie| cookie.trim().split_once('='));
        let ids: Vec<_> = shown.filter(|(name, _)| *name == self.cookie).map(|(_, id)| id).collect();
        let all = self.by_user.lock().unwrap_or_else(PoisonError::into_inner);
        let lasting = || all.values().filter(|session| session.ends_at > now);
        let is_one = |id: &str| {
            lasting().fold(Choice::from(0), |found, session| found | session.id.as_bytes().ct_eq(id.as_bytes()))
        };
        ids.into_iter().any(|id| is_one(id).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_session_is_known_by_its_cookie_until_it_ends() {
        let sessions = Sessions::new(&[7; 32]);
        let cookie = sessions.of("alice").unwrap();
        assert_eq!(sessions.of("alice").as_ref(), Some(&cookie), "one for each user");
        let pair = cookie.split(';').next().unwrap();
        let shows = |cookies: &str| HeaderMap::from_iter([(header::COOKIE, cookies.parse().unwrap())]);
        assert!(sessions.is_shown(&shows(pair)) && sessions.is_shown(&shows(&format!("a=b; {pair}; c=d"))));
        let (name, _) = pair.split_once('=').unwrap();
        for wrong in [format!("{name}="), format!("{name}=x"), format!("x{pair}"), format!("{pair}x"), String::new()] {
            assert!(!sessions.is_shown(&shows(&wrong)), "{wrong}");
        }
        assert!(!Sessions::new(&[7; 32]).is_shown(&shows(pair)));
        tokio::time::advance(LASTS).await;
        assert!(!sessions.is_shown(&shows(pair)));
        assert_ne!(sessions.of("alice").unwrap().split(';').next(), Some(pair), "what ended does not come back");
    }
}
