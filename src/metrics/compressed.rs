//! `/metrics` for whoever takes gzip: each piece is a member of its own, and one whose text did not change since an earlier
//! scrape is not compressed again. Readers of gzip take members that follow each other as one text (RFC 1952, section 2.2).

use std::hash::{BuildHasher, RandomState};
use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;

/// The members of the last scrape that was compressed. What they say is kept as a number only, which takes no room.
#[derive(Debug, Default)]
pub struct Members {
    hasher: RandomState,
    kept: Mutex<Vec<Member>>,
}

/// One compressed piece.
#[derive(Debug, Clone, Default)]
struct Member {
    /// The length and the hash of its text.
    of: (usize, u64),
    bytes: Bytes,
}

impl Members {
    /// Compresses the pieces of a text, each when it is asked for.
    pub fn compress(self: Arc<Self>, pieces: impl Iterator<Item = Bytes>) -> impl Iterator<Item = Bytes> {
        pieces.enumerate().map(move |(index, piece)| self.member(index, &piece))
    }

    /// The member that holds a piece: that of an earlier scrape, if the text at this place is still the same.
    fn member(&self, index: usize, piece: &Bytes) -> Bytes {
        let of = (piece.len(), self.hasher.hash_one(piece));
        let kept = || self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(member) = kept().get(index).filter(|member| member.of == of) {
            return member.bytes.clone();
        }
        // Others are not held up meanwhile.
        let bytes = compressed(piece);
        let mut kept = kept();
        if kept.len() <= index {
            kept.resize(index + 1, Member::default());
        }
        kept[index] = Member { of, bytes: bytes.clone() };
        bytes
    }
}

fn compressed(text: &[u8]) -> Bytes {
    // Series repeat so much that the fastest way leaves a tenth of them.
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    // Writing to memory cannot fail.
    encoder.write_all(text).and_then(|()| encoder.finish()).unwrap_or_default().into()
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use flate2::read::MultiGzDecoder;

    use super::*;

    fn pieces(texts: &[&'static str]) -> Vec<Bytes> {
        texts.iter().map(|text| Bytes::from_static(text.as_bytes())).collect()
    }

    fn read(members: &[Bytes]) -> String {
        let mut text = String::new();
        MultiGzDecoder::new(members.concat().as_slice()).read_to_string(&mut text).unwrap();
        text
    }

    #[test]
    fn members_that_follow_each_other_are_one_text_and_what_did_not_change_is_kept() {
        let members = Arc::new(Members::default());
        let scrape =
            |texts: &[&'static str]| Arc::clone(&members).compress(pieces(texts).into_iter()).collect::<Vec<_>>();
        let first = scrape(&["a 1\n", "", "b 2\n"]);
        assert_eq!(read(&first), "a 1\nb 2\n");
        let second = scrape(&["a 1\n", "", "b 3\n", "c 4\n"]);
        assert_eq!(read(&second), "a 1\nb 3\nc 4\n");
        let is_same = |index: usize| first[index].as_ptr() == second[index].as_ptr();
        assert!(is_same(0) && is_same(1) && !is_same(2));
        let fewer = scrape(&["c 4\n"]);
        assert_eq!(read(&fewer), "c 4\n", "at another place it is another piece");
    }
}
