//! The user behind a token, as the API shows it. Pure.

use serde::Serialize;
use utoipa::ToSchema;

use crate::belief;

/// The user behind a token.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct User<'a> {
    /// The number of the user.
    id: u64,
    /// The name of the user, if names may be shown.
    #[schema(required)]
    name: Option<&'a str>,
    /// Whether the list of the account's users has the user; `null` if it has not been read. One who was in it and is not
    /// any more is perhaps disabled.
    #[schema(required)]
    listed: Option<bool>,
}

impl<'a> User<'a> {
    pub(super) fn of(user: &'a belief::User) -> Self {
        Self { id: user.id, name: user.name.as_deref(), listed: user.listed.granted }
    }
}
