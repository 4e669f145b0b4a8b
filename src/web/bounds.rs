//! How long an address may be: the words of a client are searched for in every token, so their number is limited.

use std::sync::Arc;

use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::http_server::Access;

use super::answers::problem;
use super::api;

/// In bytes, as it is in the address: the longest filter of the first page takes no more, every character
/// percent-encoded.
const LONGEST_QUERY: usize = 4096;
/// In bytes: two names of 100 characters take 2,400, every character percent-encoded.
const LONGEST_PATH: usize = 4096;

/// Refuses an address that is longer than that of anything the daemon serves.
pub(super) async fn bounded(request: Request, next: Next) -> Response {
    let uri = request.uri();
    let (status, why) = if uri.query().is_some_and(|query| query.len() > LONGEST_QUERY) {
        (StatusCode::BAD_REQUEST, "The query is longer than anything that can be asked here: 4,096 bytes at most.")
    } else if uri.path().len() > LONGEST_PATH {
        (StatusCode::URI_TOO_LONG, "The path is longer than that of any page: 4,096 bytes at most.")
    } else {
        return next.run(request).await;
    };
    if uri.path().starts_with("/api/") {
        return api::error(status, why);
    }
    match request.extensions().get::<Arc<Access>>() {
        Some(access) => problem(access, status, "Not understood", why),
        None => (status, why).into_response(),
    }
}
