//! The passwords of receivers and the like: read from files at each use, never printed. Token values are elsewhere.

use std::path::Path;

use secrecy::{ExposeSecret, SecretString};

use crate::system::files::{self, Contents};

/// The largest file that is read, in bytes: longer than any password or key, shorter than what was surely not meant.
const LONGEST: u64 = 64 * 1024;

/// The text of a file that nobody may see: a password, a token, a key or a URL. It is wiped when it is dropped.
#[derive(Debug)]
pub(super) struct Secret(SecretString);

impl Secret {
    /// Reads the secret in the file at `path`; line ends at its end do not count.
    ///
    /// # Errors
    /// Why the file cannot be used, with its path and without its text.
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
///
/// # Errors
/// Why the file cannot be read, with its path.
pub(super) async fn bytes(path: &Path) -> Result<Contents, String> {
    files::read(path, LONGEST).await.map_err(|error| format!("failed to read `{}`: {error}", path.display()))
}
