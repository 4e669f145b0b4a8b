//! Passwords and the like of receivers: read from their files at each use, printed nowhere. Token values are not here.

use std::path::Path;

use secrecy::{ExposeSecret, SecretString};

use crate::system::files::{self, Contents};

/// Longer than any password or key, shorter than what was surely not meant.
const LONGEST: u64 = 64 * 1024;

/// A secret.
#[derive(Debug)]
pub(super) struct Secret(SecretString);

impl Secret {
    /// Reads it; a line feed at its end does not count.
    ///
    /// # Errors
    /// Why it cannot be used, with its path and without its text.
    pub(super) async fn read(path: &Path) -> Result<Self, String> {
        let bytes = bytes(path).await?;
        let text = std::str::from_utf8(&bytes).map_err(|_| format!("`{}` is not text", path.display()))?;
        let text = text.trim_end_matches(['\r', '\n']);
        if text.is_empty() {
            return Err(format!("`{}` is empty", path.display()));
        }
        Ok(Self(text.into()))
    }

    pub(super) fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

/// The bytes of a file that is a secret, or may lie beside one.
pub(super) async fn bytes(path: &Path) -> Result<Contents, String> {
    files::read(path, LONGEST).await.map_err(|error| format!("failed to read `{}`: {error}", path.display()))
}
