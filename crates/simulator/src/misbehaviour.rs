//! Ways in which a server can fail that a monitor must not mistake for a dead token.

use std::convert::Infallible;
use std::io::{Error, Write};
use std::sync::LazyLock;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use flate2::Compression;
use flate2::write::GzEncoder;
use futures_util::{StreamExt, stream};
use serde::{Deserialize, Serialize};

/// One way to fail.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Misbehaviour {
    /// A status with a small JSON body.
    Status(u16),
    /// A status with a web page.
    Page(u16),
    /// `Retry later`, with or without `Retry-After`.
    RetryLater(Option<u64>),
    /// A redirect.
    Redirect(String),
    /// JSON that ends in the middle.
    HalfJson,
    /// A body shorter than announced.
    CutBody,
    /// JSON that is not UTF-8.
    InvalidUtf8,
    /// 600 MB of JSON.
    Huge,
    /// 600 MB of JSON in less than a MB of gzip.
    GzipBomb,
    /// No answer at all.
    Hang,
    /// JSON of something else.
    OtherJson(serde_json::Value),
}

const MEGABYTE: usize = 1024 * 1024;
const HUGE: usize = 600;

/// Members of one gzip stream, 8 MB of spaces each: 600 MB unpacked.
static BOMB: LazyLock<Bytes> = LazyLock::new(|| {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    let member = encoder.write_all(&vec![b' '; 8 * MEGABYTE]).and_then(|()| encoder.finish()).unwrap_or_default();
    member.repeat(HUGE / 8).into()
});

impl Misbehaviour {
    /// The answer.
    pub(super) async fn answer(&self) -> Response {
        const JSON: [(header::HeaderName, &str); 1] = [(header::CONTENT_TYPE, "application/json; charset=utf-8")];
        let status = |code: u16| StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        match self {
            Self::Status(code) => (status(*code), JSON, "{\"error\":\"simulated\"}").into_response(),
            Self::Page(code) => {
                let page = "<!DOCTYPE html><html><title>Be right back</title><p>Maintenance</p></html>";
                (status(*code), [(header::CONTENT_TYPE, "text/html; charset=utf-8")], page).into_response()
            }
            Self::RetryLater(seconds) => retry_later(*seconds),
            Self::Redirect(target) => (StatusCode::FOUND, [(header::LOCATION, target.as_str())]).into_response(),
            Self::HalfJson => (JSON, "{\"user_id\": 7, \"subdom").into_response(),
            Self::CutBody => {
                // The first piece must have left before the cut, or there would be no answer at all.
                let first = stream::iter([Ok(Bytes::from_static(b"{\"user_id\": 7,"))]);
                let cut = stream::once(async {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    Err(Error::other("simulated cut"))
                });
                (JSON, Body::from_stream(first.chain(cut))).into_response()
            }
            Self::InvalidUtf8 => (JSON, b"{\"user_id\": 7, \"user_name\": \"\xff\xfe\"}".to_vec()).into_response(),
            Self::Huge => {
                let piece = Bytes::from(vec![b' '; MEGABYTE]);
                let pieces = (0..HUGE).map(move |_| Ok::<_, Infallible>(piece.clone()));
                (JSON, Body::from_stream(stream::iter(pieces))).into_response()
            }
            Self::GzipBomb => (JSON, [(header::CONTENT_ENCODING, "gzip")], BOMB.clone()).into_response(),
            Self::Hang => std::future::pending().await,
            Self::OtherJson(value) => (JSON, value.to_string()).into_response(),
        }
    }
}

/// What Rack::Attack says, and so, as clients report, Syncro.
pub(super) fn retry_later(seconds: Option<u64>) -> Response {
    let mut response =
        (StatusCode::TOO_MANY_REQUESTS, [(header::CONTENT_TYPE, "text/plain")], "Retry later\n").into_response();
    if let Some(seconds) = seconds {
        response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
    }
    response
}
