//! The description of the API as OpenAPI 3.1, made from the types and the functions that answer.

use std::sync::LazyLock;

use axum::http::StatusCode;
use axum::response::Response;
use utoipa::openapi::OpenApi as Document;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::{Modify, OpenApi};

use super::{acknowledge, handlers, report, users, views};

/// The document, as it is served.
static DESCRIPTION: LazyLock<String> = LazyLock::new(|| views::line(&Description::openapi()));

#[derive(OpenApi)]
#[openapi(
    info(
        title = "syncro-token-monitor",
        version = "1",
        description = "What is believed of the API tokens that are watched. Moments are RFC 3339 in UTC. Fields may be \
                       added; none is renamed or removed within v1. No answer holds a token value or an e-mail address."
    ),
    paths(
        handlers::tokens,
        handlers::one_token,
        handlers::check,
        handlers::transitions,
        handlers::alerts,
        handlers::one_alert,
        users::answer,
        report::answer,
        acknowledge::acknowledge,
        acknowledge::unacknowledge,
        openapi,
    ),
    modifiers(&Authentication),
    security((), ("basic" = []), ("bearer" = []))
)]
struct Description;

/// How a client says who it is, where the configuration wants to know.
struct Authentication;

impl Modify for Authentication {
    fn modify(&self, document: &mut Document) {
        let scheme = |scheme, description: &str| {
            let mut http = Http::new(scheme);
            http.description = Some(description.to_owned());
            SecurityScheme::Http(http)
        };
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("basic", scheme(HttpAuthScheme::Basic, "A user of `[web.auth]`."));
        components.add_security_scheme(
            "bearer",
            scheme(HttpAuthScheme::Bearer, "A token of `bearer_token_files` in `[web.auth]`."),
        );
    }
}

#[utoipa::path(
    get,
    path = "/api/v1/openapi.json",
    tag = "description",
    summary = "This document",
    responses((status = 200, description = "this document", body = Object))
)]
pub(super) async fn openapi() -> Response {
    handlers::json(StatusCode::OK, DESCRIPTION.as_str())
}
