//! Unpacks a body by its `Content-Encoding` (RFC 9110, 8.4), up to a limit. Pure.

use std::io::{ErrorKind, Read};

use flate2::bufread::GzDecoder;

use super::{Failure, Reason};

/// The first bytes of every member of a gzip stream (RFC 1952, 2.3.1).
const GZIP: [u8; 2] = [0x1f, 0x8b];
/// The most layers that are unpacked. More of them come only by mistake.
const MOST_LAYERS: usize = 2;

/// The body without its codings, cut at `limit` bytes, and the reason why it is not the whole body, if it is not. Of a
/// body that breaks off or is damaged, the part before that is returned.
pub(super) fn unpacked<'a>(
    codings: impl Iterator<Item = &'a str>,
    packed: Vec<u8>,
    limit: usize,
) -> (Vec<u8>, Option<Failure>) {
    let names = codings.flat_map(|value| value.split(',')).map(str::trim);
    let layers: Vec<_> = names.filter(|name| !name.is_empty() && !name.eq_ignore_ascii_case("identity")).collect();
    let is_gzip = |name: &&str| ["gzip", "x-gzip"].iter().any(|spelling| name.eq_ignore_ascii_case(spelling));
    if layers.len() > MOST_LAYERS || !layers.iter().all(is_gzip) {
        // The name of the coding is the server's own text, so it is not repeated in the log.
        return (
            Vec::new(),
            Some(Failure::new(Reason::Malformed, "the answer is packed in a way that was not asked for")),
        );
    }
    let (mut body, mut failure) = (packed, None);
    for _ in layers {
        let (layer, broken) = gunzip(&body, limit);
        (body, failure) = (layer, broken.or(failure));
    }
    (body, failure)
}

/// Unpacks every member, one after the other. Bytes after the last member are ignored, and what is not packed at all,
/// as some proxies send it, is taken as it is.
fn gunzip(packed: &[u8], limit: usize) -> (Vec<u8>, Option<Failure>) {
    if !packed.starts_with(&GZIP) {
        return (packed.to_vec(), None);
    }
    let (mut rest, mut body) = (packed, Vec::new());
    while rest.starts_with(&GZIP) {
        let mut member = GzDecoder::new(rest);
        let room = u64::try_from(limit - body.len()).unwrap_or(u64::MAX);
        let read = member.by_ref().take(room + 1).read_to_end(&mut body);
        if body.len() > limit {
            body.truncate(limit);
            return (body, Some(Failure::too_large()));
        }
        if let Err(error) = read {
            let cut = error.kind() == ErrorKind::UnexpectedEof;
            let detail = if cut { "the answer ends in the middle" } else { "the answer cannot be unpacked" };
            return (body, Some(Failure::new(Reason::Malformed, detail)));
        }
        rest = member.into_inner();
    }
    (body, None)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;
    use proptest::prelude::*;

    use super::*;

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    fn read(codings: &[&str], packed: Vec<u8>) -> (Vec<u8>, Option<Reason>) {
        let (body, failure) = unpacked(codings.iter().copied(), packed, 100);
        (body, failure.map(|failure| failure.reason))
    }

    #[test]
    fn every_spelling_of_gzip_is_unpacked() {
        let members = [gzip(b"one "), gzip(b"two")].concat();
        let cases: [(&[&str], Vec<u8>); 11] = [
            (&["gzip"], gzip(b"one two")),
            (&["GZIP"], gzip(b"one two")),
            (&["X-GZip"], gzip(b"one two")),
            (&[" identity , gzip"], gzip(b"one two")),
            (&["identity", "gzip"], gzip(b"one two")),
            (&["gzip, gzip"], gzip(&gzip(b"one two"))),
            (&["gzip"], members.clone()),
            (&["gzip"], [members, b"\0\0\0".to_vec()].concat()),
            (&["gzip"], b"one two".to_vec()),
            (&["Identity"], b"one two".to_vec()),
            (&[""], b"one two".to_vec()),
        ];
        for (codings, packed) in cases {
            assert_eq!(read(codings, packed), (b"one two".to_vec(), None), "{codings:?}");
        }
        assert_eq!(read(&["gzip"], Vec::new()), (Vec::new(), None));
    }

    #[test]
    fn what_cannot_be_unpacked_has_its_reason_and_is_bounded() {
        let long = gzip(&[b' '; 101]);
        assert_eq!(read(&["gzip"], long), (vec![b' '; 100], Some(Reason::TooLarge)));
        let bomb = gzip(&[b' '; 60]).repeat(1000);
        assert_eq!(read(&["gzip"], bomb).1, Some(Reason::TooLarge));
        assert_eq!(read(&["gzip"], gzip(&[b' '; 100])), (vec![b' '; 100], None), "the limit itself is allowed");
        let mut cut = gzip(b"one two");
        cut.truncate(cut.len() - 3);
        assert_eq!(read(&["gzip"], cut), (b"one two".to_vec(), Some(Reason::Malformed)));
        let mut damaged = gzip(b"one two");
        damaged[12] ^= 0xff;
        assert_eq!(read(&["gzip"], damaged).1, Some(Reason::Malformed));
        for coding in ["br", "deflate", "zstd, gzip", "gzip, gzip, gzip"] {
            assert_eq!(read(&[coding], gzip(b"x")), (Vec::new(), Some(Reason::Malformed)), "{coding}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_unpacked_without_a_panic(tail: Vec<u8>, coding in "[a-z, -]{0,20}") {
            let packed = [GZIP.to_vec(), tail].concat();
            let (body, _) = unpacked([coding.as_str(), "gzip"].into_iter(), packed, 100);
            prop_assert!(body.len() <= 100);
        }
    }
}
