//! The users who made tokens, as JSON: what depends on each.

use std::iter::once_with;
use std::sync::Arc;

use axum::Extension;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State as Extract};
use axum::response::Response;
use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use crate::http_server::Access;
use crate::state::{Health, Snapshot};

use super::super::state::State;
use super::super::users::makers;
use super::handlers::{BUSY, part_of};
use super::queries::Part;
use super::user::User;
use super::views::{Error, text};

/// The users, by tenant and number.
#[derive(Debug, Serialize, ToSchema)]
struct Users<'a> {
    users: Vec<Maker<'a>>,
}

/// A user who made tokens.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = UserWithTokens)]
struct Maker<'a> {
    tenant: &'a str,
    user: User<'a>,
    /// The security group of the user, if it is known.
    #[schema(required)]
    security_group: Option<&'a str>,
    /// Whether no security group restricts the user.
    #[schema(required)]
    global_admin: Option<bool>,
    /// The health of the worst token.
    health: Health,
    /// The tokens that the user made: what depends on this user.
    token_names: Vec<&'a str>,
    /// The integrations that they are for, each once.
    integrations: Vec<&'a str>,
    /// The first declared expiry ahead.
    #[schema(required)]
    expires: Option<DateTime<Utc>>,
}

/// A part of the users.
fn users(snapshot: Arc<Snapshot>, _base: String, part: Part) -> impl Iterator<Item = String> {
    once_with(move || {
        let now = snapshot.last_tick.unwrap_or_default();
        let one = |maker: super::super::users::Maker<'_>| {
            text(&Maker {
                tenant: maker.tenant,
                user: User::of(maker.user),
                security_group: maker.user.group.as_deref(),
                global_admin: maker.user.admin.granted,
                health: maker.worst(),
                token_names: maker.tokens.iter().map(|(_, entry)| entry.token.name.as_str()).collect(),
                integrations: maker.integrations().into_iter().collect(),
                expires: maker.expires_first(now).and_then(|token| token.expires),
            })
        };
        part.of(makers(snapshot.tokens.iter(), now).into_iter()).map(one).collect::<Vec<_>>()
    })
    .flatten()
}

#[utoipa::path(
    get,
    path = "/api/v1/users",
    operation_id = "users",
    tag = "users",
    summary = "The users who made tokens, and what depends on each, or a part of them",
    params(Part),
    responses(
        (status = 200, description = "the users", body = Users),
        (status = 400, description = "a part that cannot be understood", body = Error),
        (status = 503, description = BUSY, body = Error),
    )
)]
pub(super) async fn answer(
    Extract(state): Extract<State>,
    Extension(access): Extension<Arc<Access>>,
    part: Result<Query<Part>, QueryRejection>,
) -> Response {
    part_of("users", users, &state, &access, part).await
}
