//! Who may come in: passwords and bearer tokens, compared in constant time. Guessing is slowed down for each address, and
//! a password that was right a moment ago is not hashed again.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::http::{HeaderMap, header};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use governor::clock::{Clock, DefaultClock};
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};
use hmac::{Hmac, KeyInit, Mac};
use rustls::crypto::aws_lc_rs;
use sha2::Sha256;
use subtle::{Choice, ConstantTimeEq};
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use crate::config::PasswordHash;

/// Wrong guesses that an address has free; then one for each [`PENANCE`].
const FREE_GUESSES: NonZeroU32 = NonZeroU32::new(10).expect("not zero");
const PENANCE: Duration = Duration::from_secs(6);
/// Addresses that are remembered before those who guessed long ago are forgotten.
const MOST_GUESSERS: usize = 1024;

/// A keyed digest of something secret, so that the secret itself is not kept.
type Digest = [u8; 32];

/// Who may come in.
pub(super) struct Authenticator {
    users: HashMap<String, Arc<PasswordHash>>,
    bearers: Vec<Digest>,
    key: [u8; 64],
    /// The last right password of each user.
    known: Mutex<HashMap<String, Digest>>,
    guesses: RateLimiter<IpAddr, HashMapStateStore<IpAddr>, DefaultClock>,
    /// One password is hashed at a time: it takes a core, and Argon2 memory.
    hashing: Semaphore,
}

/// Why somebody may not come in.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// Who it is was not said, or wrongly.
    Unknown,
    /// Too many wrong guesses from there; again after so long.
    Throttled(Duration),
}

impl std::fmt::Debug for Authenticator {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Gate({} users, {} bearer tokens)", self.users.len(), self.bearers.len())
    }
}

impl Default for Authenticator {
    /// A gate that is open to everybody.
    fn default() -> Self {
        let quota = Quota::with_period(PENANCE).unwrap_or(Quota::per_minute(FREE_GUESSES)).allow_burst(FREE_GUESSES);
        Self {
            users: HashMap::new(),
            bearers: Vec::new(),
            key: [0; 64],
            known: Mutex::default(),
            guesses: RateLimiter::hashmap(quota),
            hashing: Semaphore::new(1),
        }
    }
}

impl Authenticator {
    pub(super) fn new(users: Vec<(String, PasswordHash)>, bearers: &[Vec<u8>]) -> Result<Self, String> {
        let mut key = [0; 64];
        aws_lc_rs::default_provider()
            .secure_random
            .fill(&mut key)
            .map_err(|_| "no randomness can be had".to_owned())?;
        let users = users.into_iter().map(|(name, hash)| (name, Arc::new(hash))).collect();
        let mut authenticator = Self { users, key, ..Self::default() };
        authenticator.bearers = bearers.iter().map(|token| authenticator.digest(token)).collect();
        Ok(authenticator)
    }

    fn digest(&self, secret: &[u8]) -> Digest {
        let mut mac = Hmac::<Sha256>::new(&self.key.into());
        mac.update(secret);
        mac.finalize().into_bytes().into()
    }

    /// Whether a request from `peer` may pass.
    pub(super) async fn lets_in(&self, peer: Option<IpAddr>, headers: &HeaderMap) -> Result<(), Refusal> {
        if self.users.is_empty() && self.bearers.is_empty() {
            return Ok(());
        }
        let Some(shown) = headers.get(header::AUTHORIZATION).map(header::HeaderValue::as_bytes) else {
            return Err(Refusal::Unknown);
        };
        let (scheme, credentials) = shown.split_at(shown.iter().position(|byte| *byte == b' ').unwrap_or(shown.len()));
        let credentials = credentials.trim_ascii();
        if scheme.eq_ignore_ascii_case(b"bearer") && self.is_bearer(credentials) {
            return Ok(());
        }
        let basic = scheme.eq_ignore_ascii_case(b"basic").then(|| BASE64_STANDARD.decode(credentials).ok()).flatten();
        let pair = basic.as_deref().and_then(|pair| pair.split_at_checked(pair.iter().position(|byte| *byte == b':')?));
        let pair = pair.map(|(user, password)| (String::from_utf8_lossy(user).into_owned(), password[1..].to_owned()));
        if let Some((user, password)) = &pair
            && self.is_known(user, password)
        {
            return Ok(());
        }
        self.may_guess(peer)?;
        if let Some((user, password)) = pair
            && self.is_right(user, password).await
        {
            return Ok(());
        }
        let peer = peer.map_or_else(|| "a local socket".to_owned(), |peer| peer.to_string());
        tracing::warn!(event = "login_failed", peer, "somebody at {peer} was not let in: wrong credentials");
        Err(Refusal::Unknown)
    }

    fn is_bearer(&self, token: &[u8]) -> bool {
        let digest = self.digest(token);
        // All of them are compared, so that the time tells nothing.
        self.bearers.iter().fold(Choice::from(0), |found, known| found | known.ct_eq(&digest)).into()
    }

    fn is_known(&self, user: &str, password: &[u8]) -> bool {
        let digest = self.digest(password);
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(user).is_some_and(|known| known.ct_eq(&digest).into())
    }

    fn may_guess(&self, peer: Option<IpAddr>) -> Result<(), Refusal> {
        if self.guesses.len() > MOST_GUESSERS {
            self.guesses.retain_recent();
        }
        // Whoever has one address of IPv6 usually has all of its /64.
        let peer = match peer {
            Some(IpAddr::V6(address)) => IpAddr::V6(Ipv6Addr::from(u128::from(address) >> 64 << 64)),
            Some(address) => address,
            None => IpAddr::V6(Ipv6Addr::LOCALHOST),
        };
        self.guesses
            .check_key(&peer)
            .map_err(|wait| Refusal::Throttled(wait.wait_time_from(self.guesses.clock().now())))
    }

    async fn is_right(&self, user: String, password: Vec<u8>) -> bool {
        // A name that nobody has takes as long as one that somebody has.
        let Some(hash) = self.users.get(&user).or_else(|| self.users.values().next()).map(Arc::clone) else {
            return false;
        };
        let digest = self.digest(&password);
        let Ok(_alone) = self.hashing.acquire().await else { return false };
        let is_right = spawn_blocking(move || hash.is_of(&password)).await.unwrap_or(false);
        let is_right = is_right && self.users.contains_key(&user);
        if is_right {
            self.known.lock().unwrap_or_else(PoisonError::into_inner).insert(user, digest);
        }
        is_right
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of `secret`, at the lowest cost.
    fn authenticator() -> Authenticator {
        let hash = bcrypt::non_truncating_hash("secret", 4).unwrap();
        let users = vec![("alice".to_owned(), PasswordHash::parse(&hash).unwrap())];
        Authenticator::new(users, &[b"first".to_vec(), b"second".to_vec()]).unwrap()
    }

    fn headers(authorization: &str) -> HeaderMap {
        HeaderMap::from_iter([(header::AUTHORIZATION, authorization.parse().unwrap())])
    }

    fn basic(pair: &str) -> HeaderMap {
        headers(&format!("Basic {}", BASE64_STANDARD.encode(pair)))
    }

    const HERE: Option<IpAddr> = Some(IpAddr::V4(std::net::Ipv4Addr::LOCALHOST));

    #[tokio::test]
    async fn only_who_is_named_comes_in() {
        let authenticator = authenticator();
        for right in [basic("alice:secret"), headers("Bearer first"), headers("bearer second"), basic("alice:secret")] {
            assert_eq!(authenticator.lets_in(HERE, &right).await, Ok(()), "{right:?}");
        }
        let bad = ["Bearer third", "Bearer ", "Basic !!!", "Basic YWxpY2U=", "Digest x", "Bearer first second", ""];
        let bad = bad.into_iter().map(headers).chain([basic("alice:Secret"), basic("bob:secret"), HeaderMap::new()]);
        for wrong in bad {
            assert_eq!(authenticator.lets_in(HERE, &wrong).await, Err(Refusal::Unknown), "{wrong:?}");
        }
        assert_eq!(Authenticator::default().lets_in(HERE, &HeaderMap::new()).await, Ok(()), "nobody is named: all may");
    }

    #[tokio::test]
    async fn guessing_is_slowed_down_for_who_guesses_and_for_nobody_who_is_known() {
        let authenticator = authenticator();
        assert_eq!(authenticator.lets_in(HERE, &basic("alice:secret")).await, Ok(()));
        let mut refusals = Vec::new();
        for _ in 0..=FREE_GUESSES.get() {
            refusals.push(authenticator.lets_in(HERE, &basic("alice:guess")).await.unwrap_err());
        }
        assert!(matches!(refusals.last(), Some(Refusal::Throttled(wait)) if *wait <= PENANCE), "{refusals:?}");
        let other = Some("192.0.2.1".parse().unwrap());
        assert_eq!(authenticator.lets_in(other, &basic("alice:guess")).await, Err(Refusal::Unknown));
        for known in [basic("alice:secret"), headers("Bearer first")] {
            assert_eq!(authenticator.lets_in(HERE, &known).await, Ok(()), "{known:?}");
        }
        assert!(!format!("{authenticator:?}").contains("secret"));
    }
}
