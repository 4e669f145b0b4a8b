//! What writes series and compresses them, piece by piece, in the same room. Pure.

use std::sync::Arc;

use super::deflated::{Deflated, Deflater};
use super::text::Text;

/// What writes and compresses pieces.
#[derive(Debug, Default)]
pub(super) struct Writer {
    pub(super) text: Text,
    deflater: Deflater,
}

impl Writer {
    /// What has been written since the last piece, as a piece.
    pub(super) fn piece(&mut self) -> Arc<Deflated> {
        let piece = self.deflater.deflated(self.text.as_str().as_bytes());
        self.text.clear();
        piece
    }
}
