//! How pages are written as answers, among them those that say why there is no page.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::http_server::{Access, NotMade};
use crate::system::clock;

use super::page::{self, Frame};

/// A page as an answer; a page that could not be written is answered with 500.
pub(super) fn html(status: StatusCode, page: askama::Result<String>) -> Response {
    let kind = [(header::CONTENT_TYPE, "text/html; charset=utf-8")];
    match page {
        Ok(page) => (status, kind, page).into_response(),
        Err(error) => {
            tracing::error!(event = "page_failed", "failed to write a page: {error}");
            (StatusCode::INTERNAL_SERVER_ERROR, "the page cannot be written\n").into_response()
        }
    }
}

/// A page that says in a sentence what is wrong.
pub(super) fn problem(access: &Access, status: StatusCode, title: &str, problem: &str) -> Response {
    html(status, page::problem(Frame::new(&access.base, clock::now()), title, problem))
}

/// The answer in place of a page that was not made; where that makes sense, it says when to come again.
pub(super) fn not_made(access: &Access, why: NotMade) -> Response {
    let mut response = problem(access, why.status(), "Not now", &format!("Sorry: {why}."));
    if let Some((name, value)) = why.retry_after() {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

/// The answer to a path that names no token.
pub(super) fn no_such_token(access: &Access) -> Response {
    problem(access, StatusCode::NOT_FOUND, "No such token", "No token of that name is configured for that tenant.")
}

/// The answer to a name that no tenant has.
pub(super) fn no_such_tenant(access: &Access) -> Response {
    problem(access, StatusCode::NOT_FOUND, "No such tenant", "No tenant of that name has a token in the configuration.")
}
