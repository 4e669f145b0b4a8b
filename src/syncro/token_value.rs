//! The one type that has a token value in it, and the only ways to make one. The value leaves through
//! [`TokenValue::header`] alone; nothing can print it.

use std::fmt;
use std::path::{Path, PathBuf};

use reqwest::header::HeaderValue;
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::model::TokenSource;
use crate::system::files::{self, Deadline, ReadError};

use super::{Failure, Reason};

/// The longest value, in bytes. Real values are under 100 bytes; a longer one is something else.
const LONGEST: usize = 4096;
/// The longest file, in bytes. It may have white space around the value; so much is read to see whether the value
/// itself is too long.
const LONGEST_FILE: u64 = 2 * LONGEST as u64;

/// A token value. Nothing can print it.
#[derive(Debug)]
pub struct TokenValue(SecretString);

/// The first 12 hexadecimal digits of the SHA-256 of a token value, which show a rotation and give nothing away.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Fingerprint(String);

impl fmt::Display for Fingerprint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// The reason why a token has no usable value; its text is a fragment that reads after "the token value ".
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum Unreadable {
    /// The file, variable or credential is not there.
    #[error("is missing: {0} does not exist")]
    Missing(String),
    /// It is there and cannot be read.
    #[error("cannot be read from {place}: {error}")]
    Failed {
        /// The file, variable or credential, as a text for people.
        place: String,
        /// The error of the operating system.
        error: String,
    },
    /// Nothing is known about it, because this machine is in trouble.
    #[error("could not be read from {place}, because of trouble on this machine: {error}")]
    Machine {
        /// The file or credential, as a text for people.
        place: String,
        /// The trouble, as a text for people.
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
    /// The failure of the check, where this is trouble of the machine and not of the value.
    pub(crate) fn of_monitor(&self) -> Option<Failure> {
        self.is_machine_trouble().then(|| Failure::new(Reason::Monitor, format!("the token value {self}")))
    }

    /// Whether this shows that there is no value.
    pub(crate) fn is_absence(&self) -> bool {
        matches!(self, Self::Missing(_) | Self::Empty(_) | Self::Placeholder(_))
    }

    /// Whether this says nothing about the value, because the machine could not read it.
    pub(crate) fn is_machine_trouble(&self) -> bool {
        matches!(self, Self::Machine { .. })
    }

    fn of(error: &ReadError, place: String) -> Self {
        match error {
            ReadError::Missing(_) => Self::Missing(place),
            ReadError::TooLong(_) => Self::TooLong(place),
            ReadError::Machine(trouble) => Self::Machine { place, error: trouble.to_string() },
            ReadError::Denied(_) | ReadError::NotRegular(_) | ReadError::BadPath(_) => {
                Self::Failed { place, error: error.to_string() }
            }
        }
    }
}

/// The place where the bytes of a value are.
enum Location {
    File(PathBuf),
    Here(Zeroizing<Vec<u8>>),
}

impl TokenValue {
    /// Reads the value afresh, in five seconds at most.
    ///
    /// # Errors
    /// Why there is no usable value. The text names the place, never its contents.
    pub async fn read(source: &TokenSource) -> Result<Self, Unreadable> {
        let place = source.to_string();
        match stored(source, &place)? {
            Location::File(path) => Self::of(files::read(&path, LONGEST_FILE).await, place),
            Location::Here(text) => Self::parse(&text, place),
        }
    }

    /// Reads as [`TokenValue::read`] does, on this thread, which waits.
    ///
    /// # Errors
    /// As for [`TokenValue::read`], or that the deadline has passed.
    pub fn read_blocking(source: &TokenSource, deadline: Deadline) -> Result<Self, Unreadable> {
        let place = source.to_string();
        match stored(source, &place)? {
            Location::File(path) => Self::of(files::read_blocking(&path, LONGEST_FILE, deadline), place),
            Location::Here(text) => Self::parse(&text, place),
        }
    }

    /// Reads the value that somebody gives to a command: from a file or a pipe, or from standard input.
    ///
    /// # Errors
    /// Why the value is not usable, after two minutes at most.
    pub(crate) fn handed_over(path: Option<&Path>) -> Result<Self, Unreadable> {
        match path {
            Some(path) => Self::of(files::read_once(path, LONGEST_FILE), format!("the file `{}`", path.display())),
            None => Self::of(files::read_standard_input(LONGEST_FILE, false), "standard input".to_owned()),
        }
    }

    /// Takes the value that somebody has typed.
    ///
    /// # Errors
    /// Why the value is not usable.
    pub fn typed(text: &str) -> Result<Self, Unreadable> {
        Self::parse(text.as_bytes(), "the terminal".to_owned())
    }

    /// Takes the value in a row of a spreadsheet.
    ///
    /// # Errors
    /// Why the value is not usable.
    pub(crate) fn in_row(text: &str) -> Result<Self, Unreadable> {
        Self::parse(text.as_bytes(), "the row".to_owned())
    }

    /// What a file holds that has this value.
    pub(crate) fn file(&self) -> files::Contents {
        // With room for the end of the line: a longer copy would leave this one behind.
        let value = self.0.expose_secret();
        let mut contents = Zeroizing::new(Vec::with_capacity(value.len() + 1));
        contents.extend_from_slice(value.as_bytes());
        contents.push(b'\n');
        contents
    }

    fn of(read: Result<files::Contents, ReadError>, place: String) -> Result<Self, Unreadable> {
        match read {
            Ok(text) => Self::parse(&text, place),
            Err(error) => Err(Unreadable::of(&error, place)),
        }
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

    /// The fingerprint, by which two values can be distinguished without giving either away.
    pub fn fingerprint(&self) -> Fingerprint {
        let digest = Sha256::digest(self.0.expose_secret().as_bytes());
        let number = digest.iter().take(6).fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
        Fingerprint(format!("{number:012x}"))
    }

    /// The value of the `Authorization` header, marked so that no debug output shows it.
    pub(super) fn header(&self) -> HeaderValue {
        let text = Zeroizing::new(format!("Bearer {}", self.0.expose_secret()));
        let mut header = HeaderValue::from_str(&text).expect("a token value is visible ASCII: `parse` demands it");
        header.set_sensitive(true);
        header
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

fn stored(source: &TokenSource, place: &str) -> Result<Location, Unreadable> {
    match source {
        TokenSource::File(path) => Ok(Location::File(path.clone())),
        TokenSource::Credential(name) => credential_path(name, place).map(Location::File),
        TokenSource::Environment(name) => {
            let value = std::env::var_os(name).ok_or_else(|| Unreadable::Missing(place.to_owned()))?;
            Ok(Location::Here(Zeroizing::new(value.into_encoded_bytes())))
        }
    }
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

    #[tokio::test]
    async fn trouble_of_the_machine_is_no_trouble_of_the_token() {
        let folder = tempfile::tempdir().expect("a folder");
        let source = |name: &str| TokenSource::File(folder.path().join(name));
        std::fs::write(folder.path().join("long"), [b'a'; 3 * LONGEST]).expect("a file");
        let read = async |name: &str| TokenValue::read(&source(name)).await.expect_err("unusable");
        assert!(matches!(read("nowhere").await, Unreadable::Missing(_)));
        assert!(matches!(read("long").await, Unreadable::TooLong(_)));
        assert!(matches!(read(".").await, Unreadable::Failed { .. }), "a folder");
        let of = |number| {
            let error = ReadError::from_system(&std::io::Error::from_raw_os_error(number));
            Unreadable::of(&error, "here".to_owned()).is_machine_trouble()
        };
        assert!(of(libc::EMFILE) && of(libc::EIO) && of(libc::ESTALE));
        assert!(!of(libc::EACCES) && !of(libc::ENOENT));
        let late = TokenValue::read_blocking(&source("hangs"), Deadline::within(std::time::Duration::ZERO));
        assert!(late.is_err_and(|unreadable| unreadable.is_machine_trouble()), "there is no time to read");
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
