//! `/metrics` for whoever takes gzip: one gzip file (RFC 1952) of pieces that do not refer to each other, so that one whose
//! text did not change since an earlier scrape is neither written nor compressed again. Members of their own would do the same, but curl and
//! others read only the first.

use std::iter::once;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use flate2::{Compress, Compression, Crc, FlushCompress};
use foldhash::quality::RandomState;

use super::exposition::Piece;

/// Deflated, without a name or a date, on an unknown system.
const HEAD: &[u8] = &[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
/// The last block, with nothing in it.
const LAST: &[u8] = &[3, 0];
/// A piece that hardly shrinks takes this much more than it has: a head for each 64 KiB that are stored as they are.
const ROOM: usize = 1024;

/// The pieces of the last scrape that was compressed. What they say is kept as a number only, which takes no room.
#[derive(Debug, Default)]
pub struct Compressed {
    hasher: RandomState,
    kept: Mutex<Vec<Deflated>>,
}

/// One compressed piece.
#[derive(Debug, Default, Clone)]
struct Deflated {
    /// The hash of its text.
    hash: u64,
    /// The check sum and the length of its text.
    sum: Arc<Crc>,
    bytes: Bytes,
}

impl Compressed {
    /// Compresses the pieces of a text, each when it is asked for.
    pub fn file(self: Arc<Self>, pieces: impl Iterator<Item = Piece>) -> impl Iterator<Item = Bytes> {
        let mut sum = Crc::new();
        let part = move |(index, piece): (usize, Option<Piece>)| match piece {
            Some(piece) => {
                let deflated = self.deflated(index, &piece);
                sum.combine(&deflated.sum);
                deflated.bytes
            }
            None => [LAST, &sum.sum().to_le_bytes(), &sum.amount().to_le_bytes()].concat().into(),
        };
        let parts = pieces.map(Some).chain(once(None)).enumerate().map(part);
        once(Bytes::from_static(HEAD)).chain(parts)
    }

    /// A compressed piece: that of an earlier scrape, if the text at this place is still the same.
    fn deflated(&self, index: usize, piece: &Piece) -> Deflated {
        let hash = piece.hash(&self.hasher);
        let kept = || self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        // One that nobody has compressed yet has no bytes, not even for an empty text.
        if let Some(deflated) = kept().get(index).filter(|kept| kept.hash == hash && !kept.bytes.is_empty()) {
            return deflated.clone();
        }
        // Others are not held up meanwhile.
        let (text, mut crc) = (piece.text(), Crc::new());
        crc.update(&text);
        let new = Deflated { hash, sum: Arc::new(crc), bytes: deflated(&text) };
        let mut kept = kept();
        if kept.len() <= index {
            kept.resize(index + 1, Deflated::default());
        }
        kept[index] = new.clone();
        new
    }
}

/// Blocks that say this text, up to the end of a byte, of which none is the last.
fn deflated(text: &[u8]) -> Bytes {
    // Series repeat so much that the fastest way leaves a twentieth of them.
    let mut compress = Compress::new(Compression::fast(), false);
    let mut bytes = Vec::with_capacity(text.len() + ROOM);
    // Compressing cannot fail, and there is room for all of it.
    compress.compress_vec(text, &mut bytes, FlushCompress::Sync).ok();
    bytes.shrink_to_fit();
    bytes.into()
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use flate2::read::GzDecoder;
    use proptest::prelude::*;

    use super::*;

    /// What a reader makes of it that takes one member only.
    fn read(pieces: &[Bytes]) -> String {
        let mut text = String::new();
        GzDecoder::new(pieces.concat().as_slice()).read_to_string(&mut text).unwrap();
        text
    }

    #[test]
    fn pieces_are_one_text_and_what_did_not_change_is_kept() {
        let compressed = Arc::new(Compressed::default());
        let scrape = |texts: &[&'static str]| {
            let pieces = texts.iter().map(|text| Piece::Written(Bytes::from_static(text.as_bytes())));
            Arc::clone(&compressed).file(pieces).collect::<Vec<_>>()
        };
        let first = scrape(&["a 1\n", "", "b 2\n"]);
        assert_eq!(read(&first), "a 1\nb 2\n");
        let second = scrape(&["a 1\n", "", "b 3\n", "c 4\n"]);
        assert_eq!(read(&second), "a 1\nb 3\nc 4\n");
        let is_same = |index: usize| first[index].as_ptr() == second[index].as_ptr();
        assert!(is_same(1) && is_same(2) && !is_same(3), "the first is the head");
        assert_eq!(read(&scrape(&["c 4\n"])), "c 4\n", "at another place it is another piece");
        assert_eq!(read(&scrape(&[])), "");
    }

    proptest! {
        #[test]
        fn whatever_the_text_it_comes_back(pieces in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..200_000), 0..4)) {
            let whole = pieces.concat();
            let file: Vec<_> = Arc::<Compressed>::default().file(pieces.into_iter().map(|piece| Piece::Written(piece.into()))).collect();
            let mut back = Vec::new();
            GzDecoder::new(file.concat().as_slice()).read_to_end(&mut back).unwrap();
            prop_assert_eq!(back, whole);
        }
    }
}
