//! Hashes of passwords as an operator writes them into `[web.auth.users]`: bcrypt or Argon2. Pure.
//!
//! bcrypt is what `hash-password` makes: checking one takes 4 KiB where Argon2 takes 19 MiB, more than the whole
//! daemon.

use std::fmt;
use std::str::FromStr;

use argon2::password_hash::phc;
use argon2::{Argon2, PasswordVerifier};

/// The cost of a new hash: checking takes a quarter of a second on a machine of today, once for each password that is
/// not cached yet.
const COST: u32 = 12;
/// The highest cost that is accepted. bcrypt takes twice as long with each step, and what takes minutes locks everybody
/// out.
const MOST_COST: u32 = 16;
/// The most memory that checking one password may take, in KiB.
const MOST_MEMORY: u32 = 64 * 1024;
/// The most passes over that memory.
const MOST_PASSES: u32 = 10;
/// The longest password, in bytes; bcrypt ignores what is beyond.
pub(crate) const LONGEST_PASSWORD: usize = 71;

/// The hash of a password. Its debug output does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(Kind);

#[derive(Clone, PartialEq, Eq)]
enum Kind {
    Bcrypt(String),
    Argon2(Box<phc::PasswordHash>),
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("PasswordHash(..)")
    }
}

impl PasswordHash {
    /// Reads a hash; `None` if it is none, or one that would take too long or too much memory to check.
    pub fn parse(text: &str) -> Option<Self> {
        if text.starts_with("$2") {
            let parts = bcrypt::HashParts::from_str(text).ok()?;
            return (parts.get_cost() <= MOST_COST).then(|| Self(Kind::Bcrypt(text.to_owned())));
        }
        let hash = phc::PasswordHash::new(text).ok()?;
        let params = argon2::Params::try_from(&hash).ok()?;
        argon2::Algorithm::try_from(hash.algorithm.as_str()).ok()?;
        let bearable = params.m_cost() <= MOST_MEMORY && params.t_cost() <= MOST_PASSES;
        (bearable && hash.hash.is_some() && hash.salt.is_some()).then_some(Self(Kind::Argon2(Box::new(hash))))
    }

    /// Makes a hash of a password.
    ///
    /// # Errors
    /// When it is longer than bcrypt reads, or the system has no randomness.
    pub fn make(password: &str) -> Result<String, String> {
        bcrypt::non_truncating_hash(password, COST).map_err(|error| error.to_string())
    }

    /// What checking a password takes: hashes of one cost take the same time.
    pub(crate) fn cost(&self) -> String {
        match &self.0 {
            Kind::Bcrypt(hash) => {
                let cost = bcrypt::HashParts::from_str(hash).map(|parts| parts.get_cost());
                format!("bcrypt {}", cost.unwrap_or_default())
            }
            Kind::Argon2(hash) => format!("{} {}", hash.algorithm, hash.params),
        }
    }

    /// Whether this is the hash of `password`. It takes a quarter of a second or more, on purpose.
    pub fn is_of(&self, password: &[u8]) -> bool {
        match &self.0 {
            Kind::Bcrypt(hash) => bcrypt::verify(password, hash).unwrap_or(false),
            Kind::Argon2(hash) => Argon2::default().verify_password(password, hash.as_ref()).is_ok(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A hash of `secret`, as `htpasswd -bnBC 5 "" secret` makes it.
    const BCRYPT: &str = "$2y$05$K0KIVI31r9wTCnXKzoI1M.OSRdsXPhj7C1k0eyG8W9gXjn4fwaLnC";

    #[test]
    fn a_password_is_recognized_by_its_hash_and_by_nothing_else() {
        let made = PasswordHash::make("secret").expect("a hash");
        let hash = PasswordHash::parse(&made).expect("well-formed");
        assert!(hash.is_of(b"secret") && !hash.is_of(b"Secret") && !hash.is_of(b""));
        assert!(made.starts_with("$2b$12$") && !format!("{hash:?}").contains(&made[7..]));
        assert!(PasswordHash::make(&"x".repeat(LONGEST_PASSWORD + 1)).is_err());
        assert!(PasswordHash::parse(BCRYPT).is_some());
    }

    #[test]
    fn what_would_take_minutes_or_gigabytes_is_no_hash() {
        let argon2 = |memory: u32, passes: u32| {
            let salt = "c29tZXNhbHRzb21lc2FsdA";
            let text =
                format!("$argon2id$v=19$m={memory},t={passes},p=1${salt}$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
            PasswordHash::parse(&text).is_some()
        };
        assert!(argon2(19_456, 2));
        assert!(!argon2(4_000_000, 2) && !argon2(19_456, 100_000));
        assert!(PasswordHash::parse(&BCRYPT.replace("$05$", "$31$")).is_none());
        for none in ["", "secret", "$2b$12$short", "$argon2id$v=19$m=19456,t=2,p=1", "$6$salt$hash", "$scrypt$x"] {
            assert!(PasswordHash::parse(none).is_none(), "{none}");
        }
    }
}
