//! What nobody can guess, and digests that are keyed with it.

use rustls::crypto::aws_lc_rs;

/// A keyed digest of a secret, so that the secret itself is not retained.
pub(super) type Digest = [u8; 32];

/// Fills a buffer with what nobody can guess.
///
/// # Errors
/// When the system has no randomness.
pub(super) fn random(buffer: &mut [u8]) -> Result<(), String> {
    let random = aws_lc_rs::default_provider().secure_random;
    random.fill(buffer).map_err(|_| "no randomness can be had".to_owned())
}
