//! Authentication: passwords and bearer tokens, compared in constant time. Guessing is slowed down for each address,
//! and a password that has been verified is not hashed again.

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

/// How many wrong guesses an address has free; after them it has one in each [`GUESS_INTERVAL`].
const FREE_GUESSES: NonZeroU32 = NonZeroU32::new(10).expect("not zero");
const GUESS_INTERVAL: Duration = Duration::from_secs(6);
/// How many addresses are tracked before those whose guesses are long ago are discarded.
const MOST_ADDRESSES: usize = 1024;

/// A keyed digest of a secret, so that the secret itself is not retained.
type Digest = [u8; 32];

/// Decides who is given access.
pub(super) struct Authenticator {
    users: HashMap<String, Arc<PasswordHash>>,
    bearers: Vec<Digest>,
    key: [u8; 64],
    /// The digest of the last password of each user that was verified.
    verified: Mutex<HashMap<String, Digest>>,
    guesses: RateLimiter<IpAddr, HashMapStateStore<IpAddr>, DefaultClock>,
    /// One password is hashed at a time: that takes a core, and with Argon2 a lot of RAM.
    hashing: Semaphore,
}

/// Why a request is not given access.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// There are no credentials, or they are wrong.
    Unauthenticated,
    /// Too many wrong guesses came from that address; the next may come after this time.
    Throttled(Duration),
}

impl std::fmt::Debug for Authenticator {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Authenticator({} users, {} bearer tokens)", self.users.len(), self.bearers.len())
    }
}

impl Default for Authenticator {
    /// An authenticator that gives access to everybody.
    fn default() -> Self {
        let quota =
            Quota::with_period(GUESS_INTERVAL).unwrap_or(Quota::per_minute(FREE_GUESSES)).allow_burst(FREE_GUESSES);
        Self {
            users: HashMap::new(),
            bearers: Vec::new(),
            key: [0; 64],
            verified: Mutex::default(),
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

    /// Verifies the credentials of a request; `peer` is the address of its client, or `None` on a Unix socket.
    pub(super) async fn authenticate(&self, peer: Option<IpAddr>, headers: &HeaderMap) -> Result<(), Refusal> {
        if self.users.is_empty() && self.bearers.is_empty() {
            return Ok(());
        }
        let Some(shown) = headers.get(header::AUTHORIZATION).map(header::HeaderValue::as_bytes) else {
            return Err(Refusal::Unauthenticated);
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
            && self.is_verified(user, password)
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
        Err(Refusal::Unauthenticated)
    }

    fn is_bearer(&self, token: &[u8]) -> bool {
        let digest = self.digest(token);
        // All tokens are compared, so that the time shows nothing about them.
        self.bearers.iter().fold(Choice::from(0), |found, bearer| found | bearer.ct_eq(&digest)).into()
    }

    /// Whether this is the password of that user that was verified last.
    fn is_verified(&self, user: &str, password: &[u8]) -> bool {
        let digest = self.digest(password);
        let verified = self.verified.lock().unwrap_or_else(PoisonError::into_inner);
        verified.get(user).is_some_and(|last| last.ct_eq(&digest).into())
    }

    /// Counts a guess from an address.
    fn may_guess(&self, peer: Option<IpAddr>) -> Result<(), Refusal> {
        if self.guesses.len() > MOST_ADDRESSES {
            self.guesses.retain_recent();
        }
        // Whoever has one IPv6 address usually has all of its /64.
        let peer = match peer {
            Some(IpAddr::V6(address)) => IpAddr::V6(Ipv6Addr::from(u128::from(address) >> 64 << 64)),
            Some(address) => address,
            None => IpAddr::V6(Ipv6Addr::LOCALHOST),
        };
        self.guesses
            .check_key(&peer)
            .map_err(|wait| Refusal::Throttled(wait.wait_time_from(self.guesses.clock().now())))
    }

    /// Whether this is the password of that user; hashes it.
    async fn is_right(&self, user: String, password: Vec<u8>) -> bool {
        // The name of no user takes as long as that of a user, so that the time does not show which names there are.
        let Some(hash) = self.users.get(&user).or_else(|| self.users.values().next()).map(Arc::clone) else {
            return false;
        };
        let digest = self.digest(&password);
        let Ok(_alone) = self.hashing.acquire().await else { return false };
        let is_right = spawn_blocking(move || hash.is_of(&password)).await.unwrap_or(false);
        let is_right = is_right && self.users.contains_key(&user);
        if is_right {
            self.verified.lock().unwrap_or_else(PoisonError::into_inner).insert(user, digest);
        }
        is_right
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An authenticator with the password `secret`, hashed at the lowest cost, and two bearer tokens.
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
    async fn only_configured_users_and_bearer_tokens_are_given_access() {
        let authenticator = authenticator();
        for right in [basic("alice:secret"), headers("Bearer first"), headers("bearer second"), basic("alice:secret")] {
            assert_eq!(authenticator.authenticate(HERE, &right).await, Ok(()), "{right:?}");
        }
        let bad = ["Bearer third", "Bearer ", "Basic !!!", "Basic YWxpY2U=", "Digest x", "Bearer first second", ""];
        let bad = bad.into_iter().map(headers).chain([basic("alice:Secret"), basic("bob:secret"), HeaderMap::new()]);
        for wrong in bad {
            assert_eq!(authenticator.authenticate(HERE, &wrong).await, Err(Refusal::Unauthenticated), "{wrong:?}");
        }
        assert_eq!(
            Authenticator::default().authenticate(HERE, &HeaderMap::new()).await,
            Ok(()),
            "nobody is configured: everybody is given access"
        );
    }

    #[tokio::test]
    async fn guessing_is_slowed_down_for_the_address_that_guesses_and_not_for_verified_credentials() {
        let authenticator = authenticator();
        assert_eq!(authenticator.authenticate(HERE, &basic("alice:secret")).await, Ok(()));
        let mut refusals = Vec::new();
        for _ in 0..=FREE_GUESSES.get() {
            refusals.push(authenticator.authenticate(HERE, &basic("alice:guess")).await.unwrap_err());
        }
        assert!(matches!(refusals.last(), Some(Refusal::Throttled(wait)) if *wait <= GUESS_INTERVAL), "{refusals:?}");
        let other = Some("192.0.2.1".parse().unwrap());
        assert_eq!(authenticator.authenticate(other, &basic("alice:guess")).await, Err(Refusal::Unauthenticated));
        for verified in [basic("alice:secret"), headers("Bearer first")] {
            assert_eq!(authenticator.authenticate(HERE, &verified).await, Ok(()), "{verified:?}");
        }
        assert!(!format!("{authenticator:?}").contains("secret"));
    }
}
