//! The token that is to follow another one, and where the value goes that it replaces. Pure.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::{Token, TokenSource};

/// What is appended to the name of a token file for the value that it had before.
const FORMER: &str = ".old";

/// The token that is to follow another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NextToken {
    /// The place from which its value is read.
    pub source: TokenSource,
    /// Its declared expiry.
    pub expires: Option<DateTime<Utc>>,
    /// When its value takes the place of the other one.
    pub rotate_when: RotateWhen,
}

/// When the value of the next token takes the place of the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RotateWhen {
    /// When somebody says so, by the command `rotate`.
    #[default]
    Asked,
    /// As soon as it is proven.
    Proven,
}

impl NextToken {
    /// The token as it is watched once its value is in use.
    #[must_use]
    pub fn in_place_of(&self, token: &Token) -> Token {
        Token { expires: self.expires, ..token.clone() }
    }

    /// The token as it is checked before its value is in use.
    #[must_use]
    pub fn apart_from(&self, token: &Token) -> Arc<Token> {
        Arc::new(Token { source: self.source.clone(), ..self.in_place_of(token) })
    }
}

impl Token {
    /// The two files of a switch, of the value in use and of the next one, if both values are in files.
    pub fn switched_files(&self) -> Option<(&Path, &Path)> {
        Some((self.source.file()?, self.next.as_ref()?.source.file()?))
    }

    /// The token as it was before a switch, if that leaves its value in a file.
    #[must_use]
    pub fn former(&self) -> Option<Arc<Self>> {
        let (current, _) = self.switched_files()?;
        Some(Arc::new(Self { source: TokenSource::File(former_file(current)), ..self.clone() }))
    }
}

/// The file that keeps the value that a token file had before a switch.
pub fn former_file(current: &Path) -> PathBuf {
    let mut name = OsString::from(current);
    name.push(FORMER);
    PathBuf::from(name)
}
