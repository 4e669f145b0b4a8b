//! Passwords and the like of receivers: read from their files at each use, printed nowhere. Token values are not here.

use std::path::Path;
use std::time::Duration;

use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretString};
use tokio::time::timeout;

/// Longer than any password or key, shorter than what was surely not meant.
const LONGEST: usize = 64 * 1024;
/// A file of a few bytes on a disk that works is read in far less.
const LONGEST_READ: Duration = Duration::from_secs(5);

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
pub(super) async fn bytes(path: &Path) -> Result<Zeroizing<Vec<u8>>, String> {
    let failed = |error: &dyn std::fmt::Display| format!("failed to read `{}`: {error}", path.display());
    let bytes = match timeout(LONGEST_READ, tokio::fs::read(path)).await {
        Ok(Ok(bytes)) => Zeroizing::new(bytes),
        Ok(Err(error)) => return Err(failed(&error)),
        Err(_) => return Err(failed(&"it does not answer")),
    };
    if bytes.len() > LONGEST {
        return Err(format!("`{}` is longer than any secret", path.display()));
    }
    Ok(bytes)
}
