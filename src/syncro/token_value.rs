//! The one type that holds a token value, and the only places where it comes from. It leaves through
//! [`TokenValue::header`] alone; nothing can print it.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use reqwest::header::HeaderValue;
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::config::TokenSource;
use crate::system::trouble::is_storage_trouble;

use super::{Failure, Reason};

/// Real values are under 100 bytes; a file longer than this holds something else.
const LONGEST: usize = 4096;

/// A token value.
#[derive(Debug)]
pub struct TokenValue(SecretString);

/// The first 12 hexadecimal digits of the SHA-256 of a token value: shows a rotation and gives nothing away.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Fingerprint(String);

impl fmt::Display for Fingerprint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Why a token has no usable value: a fragment that reads after "the token value ".
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum Unreadable {
    /// The file, variable or credential is not there.
    #[error("is missing: {0} does not exist")]
    Missing(String),
    /// It is there and cannot be read.
    #[error("cannot be read from {place}: {error}")]
    Failed {
        /// The file, variable or credential.
        place: String,
        /// What the operating system says.
        error: String,
    },
    /// Our own machine could not read it, which says nothing about it.
    #[error("could not be read from {place}, as this machine is in trouble: {error}")]
    Machine {
        /// The file or credential.
        place: String,
        /// What the operating system says.
        error: String,
    },
    /// There is nothing in it.
    #[error("is empty in {0}")]
    Empty(String),
    /// There is white space or a control character inside it.
    #[error("in {0} has white space or other characters inside that no token has")]
    BadCharacter(String),
    /// It is a template that nobody filled in.
    #[error("in {0} is a placeholder such as ${{VAR}} that was never filled in")]
    Placeholder(String),
    /// It is longer than any token.
    #[error("in {0} is longer than any token")]
    TooLong(String),
}

impl Unreadable {
    /// Why we could not look, where that is our own machine's trouble and not the value's.
    pub fn of_monitor(&self) -> Option<Failure> {
        match self {
            Self::Machine { .. } => Some(Failure::new(Reason::Monitor, format!("the token value {self}"))),
            Self::Missing(_)
            | Self::Failed { .. }
            | Self::Empty(_)
            | Self::BadCharacter(_)
            | Self::Placeholder(_)
            | Self::TooLong(_) => None,
        }
    }
}

impl TokenValue {
    /// Reads the value afresh.
    ///
    /// # Errors
    /// Why there is no usable value. The text names the place, never what stands there.
    pub fn read(source: &TokenSource) -> Result<Self, Unreadable> {
        let place = place(source);
        let text = match source {
            TokenSource::File(path) => read_file(path, &place)?,
            TokenSource::Credential(name) => read_file(&credential_path(name, &place)?, &place)?,
            TokenSource::Environment(name) => {
                let value = std::env::var_os(name).ok_or_else(|| Unreadable::Missing(place.clone()))?;
                Zeroizing::new(value.into_encoded_bytes())
            }
        };
        Self::parse(&text, place)
    }

    /// Takes the value that somebody hands over, as on standard input.
    ///
    /// # Errors
    /// Why it is not usable.
    pub fn given(reader: impl Read) -> Result<Self, Unreadable> {
        let place = "standard input".to_owned();
        let mut text = Zeroizing::new(Vec::with_capacity(2 * LONGEST));
        let failed = |error: io::Error| Unreadable::Failed { place: place.clone(), error: error.to_string() };
        read_some(reader, &mut text).map_err(failed)?;
        Self::parse(&text, place)
    }

    #[cfg(test)]
    pub(crate) fn for_test(value: &str) -> Self {
        Self(value.into())
    }

    fn parse(text: &[u8], place: String) -> Result<Self, Unreadable> {
        let value = text.trim_ascii();
        if value.is_empty() {
            Err(Unreadable::Empty(place))
        } else if value.len() > LONGEST {
            Err(Unreadable::TooLong(place))
        } else if value.starts_with(b"${") && value.ends_with(b"}") {
            Err(Unreadable::Placeholder(place))
        } else {
            match std::str::from_utf8(value) {
                Ok(value) if value.bytes().all(|byte| byte.is_ascii_graphic()) => Ok(Self(value.into())),
                _ => Err(Unreadable::BadCharacter(place)),
            }
        }
    }

    /// What tells two values apart without giving either away.
    pub fn fingerprint(&self) -> Fingerprint {
        let digest = Sha256::digest(self.0.expose_secret().as_bytes());
        let number = digest.iter().take(6).fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
        Fingerprint(format!("{number:012x}"))
    }

    /// The Authorization header, marked so that no debug output shows it.
    pub(super) fn header(&self) -> HeaderValue {
        let text = Zeroizing::new(format!("Bearer {}", self.0.expose_secret()));
        let mut header = HeaderValue::from_str(&text).expect("a token value is visible ASCII: `parse` demands it");
        header.set_sensitive(true);
        header
    }
}

/// The file behind a source, if readers other than its owner and group may read it.
pub fn readable_by_others(source: &TokenSource) -> Option<PathBuf> {
    const OTHERS_MAY_READ: u32 = 0o004;
    let TokenSource::File(path) = source else { return None };
    let mode = fs::metadata(path).ok()?.permissions().mode();
    (mode & OTHERS_MAY_READ != 0).then(|| path.clone())
}

pub(super) fn place(source: &TokenSource) -> String {
    match source {
        TokenSource::File(path) => format!("the file `{}`", path.display()),
        TokenSource::Environment(name) => format!("the environment variable `{name}`"),
        TokenSource::Credential(name) => format!("the credential `{name}`"),
    }
}

fn credential_path(name: &str, place: &str) -> Result<PathBuf, Unreadable> {
    let folder = std::env::var_os("CREDENTIALS_DIRECTORY").ok_or_else(|| Unreadable::Failed {
        place: place.to_owned(),
        error: "the program was not started by systemd with LoadCredential= (CREDENTIALS_DIRECTORY is not set)"
            .to_owned(),
    })?;
    Ok(Path::new(&folder).join(name))
}

fn read_file(path: &Path, place: &str) -> Result<Zeroizing<Vec<u8>>, Unreadable> {
    let failed = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => Unreadable::Missing(place.to_owned()),
        _ if is_storage_trouble(&error) => Unreadable::Machine { place: place.to_owned(), error: error.to_string() },
        _ => Unreadable::Failed { place: place.to_owned(), error: error.to_string() },
    };
    // Opening a pipe would wait for its writer, perhaps for ever.
    if !fs::metadata(path).map_err(failed)?.is_file() {
        return Err(Unreadable::Failed { place: place.to_owned(), error: "not a regular file".to_owned() });
    }
    let mut text = Zeroizing::new(Vec::with_capacity(2 * LONGEST));
    read_some(File::open(path).map_err(failed)?, &mut text).map_err(failed)?;
    Ok(text)
}

/// Reads as much as is needed to see that it is too long. The buffer has room for it, so no copy is left behind.
fn read_some(reader: impl Read, text: &mut Vec<u8>) -> io::Result<usize> {
    reader.take(u64::try_from(2 * LONGEST).unwrap_or(u64::MAX)).read_to_end(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<TokenValue, Unreadable> {
        TokenValue::parse(text.as_bytes(), "here".to_owned())
    }

    #[test]
    fn a_value_is_one_word_of_visible_ascii() {
        assert!(parse("T1234-abcd\n").is_ok(), "a line break at the end is usual in files");
        let place = || "here".to_owned();
        let cases = [
            ("", Unreadable::Empty(place())),
            (" \n\t", Unreadable::Empty(place())),
            ("abc\ndef", Unreadable::BadCharacter(place())),
            ("abc def", Unreadable::BadCharacter(place())),
            ("abc\u{e9}", Unreadable::BadCharacter(place())),
            ("${SYNCRO_TOKEN}", Unreadable::Placeholder(place())),
            (&"x".repeat(LONGEST + 1), Unreadable::TooLong(place())),
        ];
        for (text, expected) in cases {
            assert_eq!(parse(text).map(|_| ()), Err(expected), "{text:?}");
        }
    }

    #[test]
    fn neither_debug_nor_the_header_shows_the_value() {
        let value = parse("canary-value").expect("usable");
        assert!(!format!("{value:?} {:?}", value.header()).contains("canary"));
        assert_eq!(value.header().as_bytes(), b"Bearer canary-value");
    }

    #[test]
    fn the_fingerprint_is_twelve_digits_of_sha_256() {
        // printf abc | sha256sum
        assert_eq!(parse("abc").expect("usable").fingerprint().to_string(), "ba7816bf8f01");
    }
}
