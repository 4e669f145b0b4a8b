//! Authentication: passwords and bearer tokens, compared in constant time. Every guess is counted before it is compared,
//! for its address; whoever was let in before passes by a session or by the connection, which no guess can probe.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::http::{HeaderMap, header};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::{Choice, ConstantTimeEq};
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use crate::config::PasswordHash;

use super::guesses::{Guesses, TooMany};
use super::random::{Digest, random};
use super::sessions::Sessions;

/// How many slots the names share at which an address may guess; more would let it guess oftener at made-up names.
const NAME_SLOTS: u8 = 16;
/// The slot of what is no password.
const OTHER_SLOT: u8 = NAME_SLOTS;
/// How many passwords may wait to be hashed; a login waits for a quarter of a second for each.
const MOST_WAITING: usize = 40;

/// When a login may be tried again that found as many waiting.
const BUSY: Duration = Duration::from_secs(10);

/// Decides who is given access.
pub(super) struct Authenticator {
    users: HashMap<String, Arc<PasswordHash>>,
    /// The slot in which guesses at each user's password are counted.
    slots: HashMap<String, u8>,
    /// One hash of each cost that a user has.
    costs: BTreeMap<String, Arc<PasswordHash>>,
    bearers: Vec<Bearer>,
    key: [u8; 64],
    /// The digest of the last password of each user that was verified.
    verified: Mutex<HashMap<String, Digest>>,
    sessions: Sessions,
    guesses: Guesses,
    /// One password is hashed at a time: that takes a core, and with Argon2 a lot of RAM.
    hashing: Semaphore,
    waiting: Semaphore,
}

/// A bearer token: its digest, and whether it is for scraping alone.
type Bearer = (Digest, bool);

/// What was shown on one connection and found right, and whom that admits.
pub(super) type Shown = Mutex<Option<(Digest, Admitted)>>;

/// Who is given access.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Admitted {
    /// Whoever may do everything; everybody, if nobody is configured.
    Known,
    /// Whoever has shown a bearer token that is for scraping alone.
    Scraper,
    /// Whoever has shown a password, with the cookie that a browser shows from now on.
    ByPassword(String),
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
        Self {
            users: HashMap::new(),
            slots: HashMap::new(),
            costs: BTreeMap::new(),
            bearers: Vec::new(),
            key: [0; 64],
            verified: Mutex::default(),
            sessions: Sessions::default(),
            guesses: Guesses::default(),
            hashing: Semaphore::new(1),
            waiting: Semaphore::new(MOST_WAITING),
        }
    }
}

impl Authenticator {
    pub(super) fn new(users: Vec<(String, PasswordHash)>, bearers: &[(Vec<u8>, bool)]) -> Result<Self, String> {
        let mut key = [0; 64];
        random(&mut key)?;
        let users: HashMap<_, _> = users.into_iter().map(|(name, hash)| (name, Arc::new(hash))).collect();
        let costs = users.values().map(|hash| (hash.cost(), Arc::clone(hash))).collect();
        let slots = users.keys().cloned().zip((0..NAME_SLOTS).cycle()).collect();
        let mut authenticator = Self { users, slots, costs, key, ..Self::default() };
        authenticator.bearers = bearers.iter().map(|(token, only)| (authenticator.digest(token), *only)).collect();
        authenticator.sessions = Sessions::new(&authenticator.digest(b"the name of the cookie"));
        Ok(authenticator)
    }

    fn digest(&self, secret: &[u8]) -> Digest {
        let mut mac = Hmac::<Sha256>::new(&self.key.into());
        mac.update(secret);
        mac.finalize().into_bytes().into()
    }

    /// Verifies the credentials of a request; `peer` is the address of its client, or `None` on a Unix socket, and `before`
    /// is what was right on the same connection before.
    pub(super) async fn authenticate(
        &self,
        peer: Option<IpAddr>,
        headers: &HeaderMap,
        before: &Shown,
    ) -> Result<Admitted, Refusal> {
        if self.users.is_empty() && self.bearers.is_empty() || self.sessions.is_shown(headers) {
            return Ok(Admitted::Known);
        }
        let Some(shown) = headers.get(header::AUTHORIZATION).map(header::HeaderValue::as_bytes) else {
            return Err(Refusal::Unauthenticated);
        };
        let digest = self.digest(shown);
        // Whoever shows the same again on a connection knows already that it is right.
        let is_repeated = |before: &&(Digest, Admitted)| before.0.ct_eq(&digest).into();
        let repeated = before.lock().unwrap_or_else(PoisonError::into_inner).as_ref().filter(is_repeated).cloned();
        if let Some((_, admitted)) = repeated {
            return Ok(admitted);
        }
        let admitted = self.guess(peer, shown).await?;
        *before.lock().unwrap_or_else(PoisonError::into_inner) = Some((digest, admitted.clone()));
        Ok(admitted)
    }

    /// Compares what somebody shows, after it was counted.
    async fn guess(&self, peer: Option<IpAddr>, shown: &[u8]) -> Result<Admitted, Refusal> {
        let (scheme, credentials) = shown.split_at(shown.iter().position(|byte| *byte == b' ').unwrap_or(shown.len()));
        let credentials = credentials.trim_ascii();
        let basic = scheme.eq_ignore_ascii_case(b"basic").then(|| BASE64_STANDARD.decode(credentials).ok()).flatten();
        let pair = basic.as_deref().and_then(|pair| pair.split_at_checked(pair.iter().position(|byte| *byte == b':')?));
        let pair = pair.map(|(user, password)| (String::from_utf8_lossy(user).into_owned(), password[1..].to_owned()));
        let slot = pair.as_ref().map_or(OTHER_SLOT, |(user, _)| self.slot(user));
        let who = || peer.map_or_else(|| "a local socket".to_owned(), |peer| peer.to_string());
        let guess = self.guesses.count(peer, slot).map_err(|TooMany { wait, is_news }| {
            if is_news {
                let (peer, seconds) = (who(), wait.as_secs() + 1);
                tracing::warn!(
                    event = "login_throttled",
                    peer,
                    seconds,
                    "{peer} guesses too often: nothing that it shows is compared for {seconds} s"
                );
            }
            Refusal::Throttled(wait)
        })?;
        let admitted = match pair {
            Some((user, password)) if self.is_right(&user, &password).await? => {
                Some(self.sessions.of(&user).map_or(Admitted::Known, Admitted::ByPassword))
            }
            None if scheme.eq_ignore_ascii_case(b"bearer") => self.of_bearer(credentials),
            _ => None,
        };
        if let Some(admitted) = admitted {
            guess.was_right();
            return Ok(admitted);
        }
        let peer = who();
        tracing::warn!(event = "login_failed", peer, "somebody at {peer} was not let in: wrong credentials");
        Err(Refusal::Unauthenticated)
    }

    /// The slot of a name. Users have one each as long as there are enough, and any other name has one of the same, so that
    /// nobody learns which names there are.
    fn slot(&self, name: &str) -> u8 {
        let own = self.slots.get(name).copied();
        // The digest is keyed, so nobody can choose names for a slot.
        own.unwrap_or_else(|| self.digest(name.as_bytes())[0] % NAME_SLOTS)
    }

    /// Whom a bearer token admits.
    fn of_bearer(&self, token: &[u8]) -> Option<Admitted> {
        let digest = self.digest(token);
        // All tokens are compared, so that the time shows nothing about them.
        let is_one_of = |is_scrape_only: bool| {
            let bearers = self.bearers.iter().filter(|(_, only)| *only == is_scrape_only);
            bool::from(bearers.fold(Choice::from(0), |found, (bearer, _)| found | bearer.ct_eq(&digest)))
        };
        let (is_known, is_scraper) = (is_one_of(false), is_one_of(true));
        if is_known { Some(Admitted::Known) } else { is_scraper.then_some(Admitted::Scraper) }
    }

    /// Whether this is the password of that user; hashes it, unless it is the one that was verified last.
    async fn is_right(&self, user: &str, password: &[u8]) -> Result<bool, Refusal> {
        let digest = self.digest(password);
        let is_last =
            |verified: &HashMap<String, Digest>| verified.get(user).is_some_and(|last| bool::from(last.ct_eq(&digest)));
        if is_last(&self.verified.lock().unwrap_or_else(PoisonError::into_inner)) {
            return Ok(true);
        }
        let _waiting = self.waiting.try_acquire().map_err(|_| Refusal::Throttled(BUSY))?;
        let own = self.users.get(user).map(Arc::clone);
        // Each guess takes the time of a hash of every cost, whoever it is about, so that the time shows neither which names
        // there are nor which hash is whose.
        let own_cost = own.as_ref().map(|hash| hash.cost());
        let others = self.costs.iter().filter(|(cost, _)| Some(*cost) != own_cost.as_ref());
        let others: Vec<_> = others.map(|(_, hash)| Arc::clone(hash)).collect();
        let Ok(_alone) = self.hashing.acquire().await else { return Ok(false) };
        let password = password.to_owned();
        let hashed = spawn_blocking(move || {
            for other in others {
                std::hint::black_box(other.is_of(&password));
            }
            own.is_some_and(|own| own.is_of(&password))
        });
        let is_right = hashed.await.unwrap_or(false);
        if is_right {
            self.verified.lock().unwrap_or_else(PoisonError::into_inner).insert(user.to_owned(), digest);
        }
        Ok(is_right)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http_server::guesses::{FREE, INTERVAL};

    /// An authenticator with two users, whose hashes differ in cost, and two bearer tokens, one of them for scraping.
    fn authenticator() -> Authenticator {
        let user = |name: &str, password: &str, cost| {
            let hash = bcrypt::non_truncating_hash(password, cost).unwrap();
            (name.to_owned(), PasswordHash::parse(&hash).unwrap())
        };
        let users = vec![user("alice", "secret", 4), user("bob", "hidden", 5)];
        Authenticator::new(users, &[(b"first".to_vec(), false), (b"second".to_vec(), true)]).unwrap()
    }

    fn headers(authorization: &str) -> HeaderMap {
        HeaderMap::from_iter([(header::AUTHORIZATION, authorization.parse().unwrap())])
    }

    fn basic(pair: &str) -> HeaderMap {
        headers(&format!("Basic {}", BASE64_STANDARD.encode(pair)))
    }

    const HERE: Option<IpAddr> = Some(IpAddr::V4(std::net::Ipv4Addr::LOCALHOST));

    /// What becomes of a request on a connection of its own.
    async fn shows(authenticator: &Authenticator, headers: &HeaderMap) -> Result<Admitted, Refusal> {
        authenticator.authenticate(HERE, headers, &Shown::default()).await
    }

    /// Uses up the guesses at a user's password.
    async fn exhaust(authenticator: &Authenticator, user: &str) {
        for number in 0..FREE {
            let outcome = shows(authenticator, &basic(&format!("{user}:guess-{number}"))).await;
            assert_eq!(outcome, Err(Refusal::Unauthenticated));
        }
        let outcome = shows(authenticator, &basic(&format!("{user}:guess"))).await;
        assert!(matches!(outcome, Err(Refusal::Throttled(wait)) if wait <= INTERVAL), "{outcome:?}");
    }

    #[tokio::test]
    async fn only_configured_users_and_bearer_tokens_are_given_access() {
        let authenticator = authenticator();
        for right in [basic("alice:secret"), basic("bob:hidden"), basic("alice:secret")] {
            let admitted = shows(&authenticator, &right).await;
            assert!(matches!(admitted, Ok(Admitted::ByPassword(_))), "{right:?}: {admitted:?}");
        }
        assert_eq!(shows(&authenticator, &headers("Bearer first")).await, Ok(Admitted::Known));
        assert_eq!(shows(&authenticator, &headers("bearer second")).await, Ok(Admitted::Scraper));
        let bad = ["Bearer third", "Bearer ", "Basic !!!", "Basic YWxpY2U=", "Digest x", "Bearer first second", ""];
        let bad = bad.into_iter().map(headers).chain([basic("alice:Secret"), basic("carol:secret"), HeaderMap::new()]);
        for wrong in bad.chain([basic("bob:secret")]) {
            assert_eq!(shows(&authenticator, &wrong).await, Err(Refusal::Unauthenticated), "{wrong:?}");
        }
        let nobody = Authenticator::default();
        assert_eq!(shows(&nobody, &HeaderMap::new()).await, Ok(Admitted::Known), "nobody is configured: everybody is");
    }

    #[tokio::test]
    async fn nothing_is_compared_for_whoever_guesses_too_often_not_even_what_is_right() {
        let authenticator = authenticator();
        assert!(shows(&authenticator, &basic("alice:secret")).await.is_ok());
        exhaust(&authenticator, "alice").await;
        let right = shows(&authenticator, &basic("alice:secret")).await;
        assert!(matches!(right, Err(Refusal::Throttled(_))), "an answer would be a guess for free: {right:?}");
        assert!(shows(&authenticator, &basic("bob:hidden")).await.is_ok(), "another name behind the same proxy");
        let elsewhere = Some("192.0.2.1".parse().unwrap());
        assert!(authenticator.authenticate(elsewhere, &basic("alice:secret"), &Shown::default()).await.is_ok());
        for _ in 0..FREE {
            assert_eq!(shows(&authenticator, &headers("Bearer guess")).await, Err(Refusal::Unauthenticated));
        }
        assert!(matches!(shows(&authenticator, &headers("Bearer first")).await, Err(Refusal::Throttled(_))));
        assert!(!format!("{authenticator:?}").contains("secret"));
    }

    #[tokio::test]
    async fn whoever_was_let_in_goes_on_while_somebody_guesses() {
        let authenticator = authenticator();
        let connection = Shown::default();
        let scrape = headers("Bearer first");
        assert!(authenticator.authenticate(HERE, &scrape, &connection).await.is_ok());
        let Ok(Admitted::ByPassword(cookie)) = shows(&authenticator, &basic("alice:secret")).await else { panic!() };
        exhaust(&authenticator, "alice").await;
        for _ in 0..=FREE {
            let _ = shows(&authenticator, &headers("Bearer guess")).await;
        }
        let mut with_cookie = basic("alice:secret");
        with_cookie.insert(header::COOKIE, cookie.split(';').next().unwrap().parse().unwrap());
        assert_eq!(shows(&authenticator, &with_cookie).await, Ok(Admitted::Known));
        assert!(authenticator.authenticate(HERE, &scrape, &connection).await.is_ok(), "the same connection");
        let other = authenticator.authenticate(HERE, &headers("Bearer second"), &connection).await;
        assert!(matches!(other, Err(Refusal::Throttled(_))), "which has shown nothing else: {other:?}");
    }

    #[test]
    fn a_guess_takes_a_hash_of_every_cost_whoever_it_is_about() {
        let authenticator = authenticator();
        let costs: Vec<_> = authenticator.costs.keys().map(String::as_str).collect();
        assert_eq!(costs, ["bcrypt 4", "bcrypt 5"]);
    }
}
