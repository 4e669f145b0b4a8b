//! A text in pieces, each of which was compressed when it changed: as one gzip file (RFC 1952), and as the text again. Members
//! of their own would do the first, too, but curl and others read only one. Pure.

use std::iter::{from_fn, once};
use std::sync::{Arc, mpsc};
use std::{fmt, mem};

use bytes::Bytes;
use flate2::Crc;
use lz4_flex::block::DecompressError;

use super::piece::Piece;

/// Deflated, without a name or a date, on an unknown system.
const HEAD: &[u8] = &[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
/// The last block, with nothing in it.
const LAST: &[u8] = &[3, 0];
/// In bytes: the check sum and the length of the text.
const SUM: usize = 8;
/// In bytes: what is sent at once, unless one piece is longer. The reader is woken for each part; a reader who takes nothing
/// holds one of them, or two.
const SENT: usize = 128 * 1024;

/// The pieces of one text.
pub struct Scrape(Vec<Arc<Piece>>);

impl fmt::Debug for Scrape {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} pieces", self.0.len())
    }
}

impl Scrape {
    pub(super) fn of(pieces: Vec<Arc<Piece>>) -> Self {
        Self(pieces)
    }

    /// The length of the text in bytes.
    pub fn plain_length(&self) -> usize {
        self.0.iter().map(|piece| piece.length()).sum()
    }

    /// The length of the gzip file in bytes.
    pub fn gzip_length(&self) -> usize {
        HEAD.len() + self.0.iter().map(|piece| piece.deflated.len()).sum::<usize>() + LAST.len() + SUM
    }

    /// The text as a gzip file, part by part.
    pub fn gzip(self) -> impl Iterator<Item = Bytes> {
        let mut sum = Crc::new();
        for piece in &self.0 {
            sum.combine(&piece.sum);
        }
        let end = [LAST, &sum.sum().to_le_bytes(), &sum.amount().to_le_bytes()].concat();
        let mut parts = parts(self.0, |piece| piece.deflated.len());
        let parts = from_fn(move || {
            let (pieces, length) = parts.next()?;
            let mut part = Vec::with_capacity(length);
            for piece in pieces {
                part.extend_from_slice(&piece.deflated);
            }
            Some(Bytes::from(part))
        });
        once(Bytes::from_static(HEAD)).chain(parts).chain(once(end.into()))
    }

    /// The text as it is, part by part, each made when it is asked for.
    pub fn plain(self) -> impl Iterator<Item = Result<Bytes, DecompressError>> {
        let mut parts = parts(self.0, Piece::length);
        let (back, sent) = mpsc::channel();
        from_fn(move || {
            let (pieces, length) = parts.next()?;
            let memory = sent.try_recv().ok().filter(|memory: &Vec<u8>| length <= memory.len());
            let mut memory = memory.unwrap_or_else(|| vec![0; length.max(SENT)]);
            let mut room = memory.as_mut_slice();
            for piece in pieces {
                // There is room for all of them.
                let text = room.split_off_mut(..piece.length())?;
                if let Err(error) = piece.unpack(text) {
                    return Some(Err(error));
                }
            }
            Some(Ok(Bytes::from_owner(Part { memory, length, back: back.clone() })))
        })
    }
}

/// A part of the text. Its memory serves for another one once it has been sent: what goes back to the system is wiped, and
/// comes page by page, which takes as long as to write the text.
struct Part {
    memory: Vec<u8>,
    length: usize,
    back: mpsc::Sender<Vec<u8>>,
}

impl AsRef<[u8]> for Part {
    fn as_ref(&self) -> &[u8] {
        &self.memory[..self.length]
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        // After the last part nobody waits for it.
        self.back.send(mem::take(&mut self.memory)).ok();
    }
}

/// The pieces that are sent together, and how long they are together.
fn parts(pieces: Vec<Arc<Piece>>, length: fn(&Piece) -> usize) -> impl Iterator<Item = (Vec<Arc<Piece>>, usize)> {
    let mut pieces = pieces.into_iter().peekable();
    from_fn(move || {
        let first = pieces.next()?;
        let mut together = length(&first);
        let mut part = vec![first];
        while let Some(next) = pieces.next_if(|next| together + length(next) <= SENT) {
            together += length(&next);
            part.push(next);
        }
        Some((part, together))
    })
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use flate2::read::GzDecoder;
    use proptest::prelude::*;

    use super::super::piece::Packer;
    use super::*;

    fn scrape(pieces: &[Arc<Piece>]) -> Scrape {
        Scrape::of(pieces.to_vec())
    }

    fn plain(pieces: &[Arc<Piece>]) -> Vec<u8> {
        let text = scrape(pieces).plain().map(Result::unwrap).collect::<Vec<_>>().concat();
        assert_eq!(text.len(), scrape(pieces).plain_length());
        text
    }

    /// What a reader makes of it that takes one member only.
    fn unpacked(pieces: &[Arc<Piece>]) -> Vec<u8> {
        let mut text = Vec::new();
        let file = scrape(pieces).gzip().collect::<Vec<_>>().concat();
        assert_eq!(file.len(), scrape(pieces).gzip_length());
        GzDecoder::new(file.as_slice()).read_to_end(&mut text).unwrap();
        text
    }

    #[test]
    fn pieces_are_one_text_in_whatever_order() {
        let mut packer = Packer::default();
        let [a, none, b] = ["a 1\n", "", "a 1\na 2\n"].map(|text| packer.packed(text.as_bytes()));
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
        let mut packer = Packer::default();
        let whole = packer.packed(b"a 1\n");
        let mut broken = Arc::into_inner(packer.packed(b"a 1\n")).unwrap();
        broken.lz4 = broken.lz4[1..].into();
        assert!(scrape(&[whole, Arc::new(broken)]).plain().any(|part| part.is_err()));
    }

    proptest! {
        #[test]
        fn whatever_the_text_it_comes_back(
            parts in proptest::collection::vec((proptest::collection::vec(any::<u8>(), 0..70_000), 0_usize..4), 0..4),
        ) {
            let texts: Vec<_> = parts.iter().map(|(text, times)| text.repeat(*times)).collect();
            let mut packer = Packer::default();
            let pieces: Vec<_> = texts.iter().map(|text| packer.packed(text)).collect();
            prop_assert!(plain(&pieces) == texts.concat());
            prop_assert!(unpacked(&pieces) == texts.concat());
        }

        #[test]
        fn so_does_what_repeats_itself(lengths in proptest::collection::vec(0_usize..300_000, 0..4)) {
            let texts: Vec<_> = lengths.iter().map(|length| b"abc".iter().copied().cycle().take(*length).collect::<Vec<_>>()).collect();
            let mut packer = Packer::default();
            let pieces: Vec<_> = texts.iter().map(|text| packer.packed(text)).collect();
            prop_assert!(plain(&pieces) == texts.concat());
            prop_assert!(unpacked(&pieces) == texts.concat());
        }
    }
}
