//! Which coding of an answer the client takes: RFC 9110, section 12.5.3.

use axum::http::{HeaderMap, header};

/// Whether the client says that it takes gzip.
pub(super) fn accepts_gzip(headers: &HeaderMap) -> bool {
    let codings = headers.get_all(header::ACCEPT_ENCODING).into_iter().filter_map(|value| value.to_str().ok());
    let codings = codings.flat_map(|codings| codings.split(','));
    // What is named itself outweighs `*`.
    let (mut named, mut any) = (None, None);
    for coding in codings {
        let (name, weight) = coding.split_once(';').unwrap_or((coding, ""));
        let weight = weight.trim().strip_prefix("q=").map_or(Ok(1.0), str::parse::<f32>);
        let is_taken = weight.is_ok_and(|weight| weight > 0.0);
        match name.trim() {
            name if name.eq_ignore_ascii_case("gzip") || name.eq_ignore_ascii_case("x-gzip") => named = Some(is_taken),
            "*" => any = Some(is_taken),
            _ => {}
        }
    }
    named.or(any).unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gzip_is_taken_where_it_is_named_and_not_refused() {
        let accepts = |values: &[&'static str]| {
            let pairs = values.iter().map(|value| (header::ACCEPT_ENCODING, value.parse().unwrap()));
            accepts_gzip(&pairs.collect())
        };
        let taken: [&[&str]; 7] = [
            &["gzip"],
            &["deflate, GZIP"],
            &["x-gzip"],
            &["*"],
            &["gzip;q=0.5"],
            &["br", "gzip"],
            &["identity; q=0, * ; q=1"],
        ];
        let refused: [&[&str]; 7] =
            [&[], &[""], &["identity"], &["gzip;q=0"], &["gzip;q=0, *"], &["*;q=0"], &["gzip;q=much"]];
        for values in taken {
            assert!(accepts(values), "{values:?}");
        }
        for values in refused {
            assert!(!accepts(values), "{values:?}");
        }
    }
}
