//! A piece of a text, compressed twice: as LZ4, of which the text is made in half the time, and as blocks of a gzip file. Pure.

use std::sync::Arc;

use flate2::{Compress, Compression, Crc, FlushCompress};
use lz4_flex::block::{self, DecompressError};

/// In bytes: room for what ends a piece, and for a short one.
const ROOM: usize = 1024;

/// One compressed piece.
#[derive(Debug)]
pub(super) struct Piece {
    pub(super) lz4: Box<[u8]>,
    /// Blocks of a gzip file, up to the end of a byte, of which none is the last, and which refer to nothing before them.
    pub(super) deflated: Box<[u8]>,
    /// The check sum and the length of the text.
    pub(super) sum: Crc,
}

impl Piece {
    /// The length of the text in bytes.
    pub(super) fn length(&self) -> usize {
        self.sum.amount() as usize
    }

    /// Writes the text where there is room of its length.
    pub(super) fn unpack(&self, text: &mut [u8]) -> Result<(), DecompressError> {
        block::decompress_into(&self.lz4, text).map(drop)
    }
}

/// Compresses one piece after the other.
#[derive(Debug)]
pub(super) struct Packer(Compress);

impl Default for Packer {
    fn default() -> Self {
        // Series repeat so much that the fastest way leaves a fifteenth of them.
        Self(Compress::new(Compression::fast(), false))
    }
}

impl Packer {
    /// This text as a piece.
    pub(super) fn packed(&mut self, text: &[u8]) -> Arc<Piece> {
        let mut sum = Crc::new();
        sum.update(text);
        Arc::new(Piece { lz4: block::compress(text).into(), deflated: self.deflated(text), sum })
    }

    fn deflated(&mut self, text: &[u8]) -> Box<[u8]> {
        self.0.reset();
        // Hardly any text takes more than a quarter of its own room.
        let (mut bytes, mut left) = (Vec::with_capacity(ROOM + text.len() / 4), text);
        loop {
            let before = self.0.total_in();
            // This cannot fail, as compressing has begun and has not ended. If it did, a reader would see it by the check sum.
            self.0.compress_vec(left, &mut bytes, FlushCompress::Sync).ok();
            left = &left[usize::try_from(self.0.total_in() - before).unwrap_or_default()..];
            if bytes.len() < bytes.capacity() {
                return bytes.into();
            }
            bytes.reserve(ROOM + left.len());
        }
    }
}
