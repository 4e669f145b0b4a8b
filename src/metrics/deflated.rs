//! A text in compressed pieces that do not refer to each other, so that each is compressed only when it changes: as one gzip
//! file (RFC 1952), and as the text again. Members of their own would do the first, too, but curl and others read only one.

use std::iter::{from_fn, once};
use std::sync::Arc;
use std::{fmt, mem, vec};

use bytes::Bytes;
use flate2::{Compress, Compression, Crc, Decompress, DecompressError, FlushCompress, FlushDecompress};

/// Deflated, without a name or a date, on an unknown system.
const HEAD: &[u8] = &[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
/// The last block, with nothing in it.
const LAST: &[u8] = &[3, 0];
/// In bytes: room for what ends a piece, and for a short one.
const ROOM: usize = 1024;
/// In bytes: what is sent at once. A larger block would be mapped for itself, and the faults of its pages take as long as all else.
const SENT: usize = 64 * 1024;

/// One compressed piece.
#[derive(Debug)]
pub(super) struct Deflated {
    bytes: Box<[u8]>,
    /// The check sum and the length of its text.
    sum: Crc,
}

/// Compresses one piece after the other.
#[derive(Debug)]
pub(super) struct Deflater(Compress);

impl Default for Deflater {
    fn default() -> Self {
        // Series repeat so much that the fastest way leaves a twelfth of them, which is also read the fastest.
        Self(Compress::new(Compression::fast(), false))
    }
}

impl Deflater {
    /// Blocks that say this text, up to the end of a byte, of which none is the last.
    pub(super) fn deflated(&mut self, text: &[u8]) -> Arc<Deflated> {
        self.0.reset();
        // Hardly any text takes more than a quarter of its own room.
        let (mut bytes, mut left) = (Vec::with_capacity(ROOM + text.len() / 4), text);
        loop {
            let before = self.0.total_in();
            // This cannot fail, as compressing has begun and has not ended.
            self.0.compress_vec(left, &mut bytes, FlushCompress::Sync).ok();
            left = &left[usize::try_from(self.0.total_in() - before).unwrap_or_default()..];
            if bytes.len() < bytes.capacity() {
                break;
            }
            bytes.reserve(ROOM + left.len());
        }
        let mut sum = Crc::new();
        sum.update(text);
        Arc::new(Deflated { bytes: bytes.into(), sum })
    }
}

/// The pieces of one text.
pub struct Scrape(Vec<Arc<Deflated>>);

impl fmt::Debug for Scrape {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} pieces", self.0.len())
    }
}

impl Scrape {
    pub(super) fn of(pieces: Vec<Arc<Deflated>>) -> Self {
        Self(pieces)
    }

    /// The text as a gzip file, part by part.
    pub fn gzip(self) -> impl Iterator<Item = Bytes> {
        let mut sum = Crc::new();
        for piece in &self.0 {
            sum.combine(&piece.sum);
        }
        let end = [LAST, &sum.sum().to_le_bytes(), &sum.amount().to_le_bytes()].concat();
        let mut pieces = self.0.into_iter().peekable();
        let parts = from_fn(move || {
            let mut part = Vec::from(&pieces.next()?.bytes[..]);
            while let Some(next) = pieces.next_if(|next| part.len() + next.bytes.len() <= SENT) {
                part.extend_from_slice(&next.bytes);
            }
            Some(Bytes::from(part))
        });
        once(Bytes::from_static(HEAD)).chain(parts).chain(once(end.into()))
    }

    /// The text as it is, part by part, each made when it is asked for.
    pub fn plain(self) -> impl Iterator<Item = Result<Bytes, DecompressError>> {
        let mut inflated =
            Inflated { pieces: self.0.into_iter(), piece: None, read: 0, inflate: Decompress::new(false) };
        from_fn(move || inflated.next().transpose())
    }
}

/// A text that is being read.
struct Inflated {
    pieces: vec::IntoIter<Arc<Deflated>>,
    /// The piece that is being read, and how much of it has been.
    piece: Option<Arc<Deflated>>,
    read: usize,
    inflate: Decompress,
}

impl Inflated {
    /// The next part, none at the end.
    fn next(&mut self) -> Result<Option<Bytes>, DecompressError> {
        let mut text = Vec::with_capacity(SENT);
        while text.len() < text.capacity() {
            let Some(piece) = self.piece.take().or_else(|| self.pieces.next()) else { break };
            let before = self.inflate.total_in();
            self.inflate.decompress_vec(&piece.bytes[self.read..], &mut text, FlushDecompress::None)?;
            self.read += usize::try_from(self.inflate.total_in() - before).unwrap_or(usize::MAX);
            if text.len() == text.capacity() {
                // Even where all of it has been read, there may be more to write.
                self.piece = Some(piece);
            } else {
                mem::take(&mut self.read);
            }
        }
        Ok((!text.is_empty()).then(|| text.into()))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use flate2::read::GzDecoder;
    use proptest::prelude::*;

    use super::*;

    fn scrape(pieces: &[Arc<Deflated>]) -> Scrape {
        Scrape::of(pieces.to_vec())
    }

    fn plain(pieces: &[Arc<Deflated>]) -> Vec<u8> {
        scrape(pieces).plain().map(Result::unwrap).collect::<Vec<_>>().concat()
    }

    /// What a reader makes of it that takes one member only.
    fn unpacked(pieces: &[Arc<Deflated>]) -> Vec<u8> {
        let mut text = Vec::new();
        let file = scrape(pieces).gzip().collect::<Vec<_>>().concat();
        GzDecoder::new(file.as_slice()).read_to_end(&mut text).unwrap();
        text
    }

    #[test]
    fn pieces_are_one_text_in_whatever_order() {
        let mut deflater = Deflater::default();
        let [a, none, b] = ["a 1\n", "", "a 1\na 2\n"].map(|text| deflater.deflated(text.as_bytes()));
        for (pieces, expected) in [
            (vec![], ""),
            (vec![&none], ""),
            (vec![&a, &none, &b], "a 1\na 1\na 2\n"),
            (vec![&b, &a, &b], "a 1\na 2\na 1\na 1\na 2\n"),
        ] {
            let pieces: Vec<_> = pieces.into_iter().cloned().collect();
            assert_eq!(String::from_utf8(plain(&pieces)).unwrap(), expected);
            assert_eq!(String::from_utf8(unpacked(&pieces)).unwrap(), expected);
        }
    }

    #[test]
    fn what_is_not_whole_is_no_text() {
        let mut deflater = Deflater::default();
        let whole = deflater.deflated(b"a 1\n");
        let broken = Arc::new(Deflated { bytes: vec![0xff; 8].into(), sum: Crc::new() });
        assert!(scrape(&[whole, broken]).plain().any(|part| part.is_err()));
    }

    proptest! {
        #[test]
        fn whatever_the_text_it_comes_back(
            parts in proptest::collection::vec((proptest::collection::vec(any::<u8>(), 0..70_000), 0_usize..4), 0..4),
        ) {
            // Long repetitions write more than they take to say, so that a part may end within one.
            let texts: Vec<_> = parts.iter().map(|(text, times)| text.repeat(*times)).collect();
            let mut deflater = Deflater::default();
            let pieces: Vec<_> = texts.iter().map(|text| deflater.deflated(text)).collect();
            prop_assert!(plain(&pieces) == texts.concat());
            prop_assert!(unpacked(&pieces) == texts.concat());
        }

        #[test]
        fn so_does_what_repeats_itself(lengths in proptest::collection::vec(0_usize..300_000, 0..4)) {
            let texts: Vec<_> = lengths.iter().map(|length| b"abc".iter().copied().cycle().take(*length).collect::<Vec<_>>()).collect();
            let mut deflater = Deflater::default();
            let pieces: Vec<_> = texts.iter().map(|text| deflater.deflated(text)).collect();
            prop_assert!(plain(&pieces) == texts.concat());
            prop_assert!(unpacked(&pieces) == texts.concat());
        }
    }
}
