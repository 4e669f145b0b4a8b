//! What writes series and compresses them, piece by piece, in the same room. Pure.

use std::sync::Arc;

use super::piece::{Packer, Piece};
use super::text::Text;

/// What writes and compresses pieces.
#[derive(Debug, Default)]
pub(super) struct Writer {
    pub(super) text: Text,
    packer: Packer,
}

impl Writer {
    /// What has been written since the last piece, as a piece.
    pub(super) fn piece(&mut self) -> Arc<Piece> {
        let piece = self.packer.packed(self.text.as_str().as_bytes());
        self.text.clear();
        piece
    }
}
