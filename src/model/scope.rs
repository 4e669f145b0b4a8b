//! The scope of an alert: whom it is about. Pure.

use serde::{Deserialize, Serialize};
use strum::IntoStaticStr;

use super::TokenId;

/// The scope of an alert: whom it is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, IntoStaticStr)]
#[serde(from = "Names", into = "Names")]
#[strum(serialize_all = "snake_case")]
pub enum Scope {
    /// All tenants together.
    Fleet,
    /// A tenant as a whole, by its name.
    Tenant(String),
    /// One security group of a tenant.
    SecurityGroup {
        /// The name of the tenant.
        tenant: String,
        /// The name of the group.
        group: String,
    },
    /// One user of a tenant.
    User {
        /// The name of the tenant.
        tenant: String,
        /// The number of the user in Syncro.
        user: u64,
    },
    /// One token.
    Token(TokenId),
}

impl Scope {
    /// The scope of these names as they are stored: a name is empty where there is none.
    pub(crate) fn of_names(tenant: String, token_name: String) -> Self {
        match (tenant.is_empty(), token_name.is_empty()) {
            (true, _) => Self::Fleet,
            (false, true) => Self::Tenant(tenant),
            (false, false) => Self::Token(TokenId { tenant, token_name }),
        }
    }

    /// The scope of the token of this name.
    pub(crate) fn of_token(tenant: &str, token_name: &str) -> Self {
        Self::Token(TokenId { tenant: tenant.to_owned(), token_name: token_name.to_owned() })
    }

    /// The kind of the scope, as receivers spell it: `security_group`.
    pub fn kind(&self) -> &'static str {
        self.into()
    }

    /// The name of the tenant, unless the scope is all of them.
    pub fn tenant(&self) -> Option<&str> {
        match self {
            Self::Fleet => None,
            Self::Tenant(tenant) | Self::SecurityGroup { tenant, .. } | Self::User { tenant, .. } => Some(tenant),
            Self::Token(token) => Some(&token.tenant),
        }
    }

    /// The name of the token, if the scope is one token.
    pub fn token_name(&self) -> Option<&str> {
        match self {
            Self::Token(token) => Some(&token.token_name),
            _ => None,
        }
    }

    /// The name of the security group, if the scope is one.
    pub fn security_group(&self) -> Option<&str> {
        match self {
            Self::SecurityGroup { group, .. } => Some(group),
            _ => None,
        }
    }

    /// The number of the user, if the scope is one.
    pub fn user_id(&self) -> Option<u64> {
        match self {
            Self::User { user, .. } => Some(*user),
            _ => None,
        }
    }

    /// Whether the scope is a tenant as a whole, or all of them.
    pub(crate) fn is_whole(&self) -> bool {
        matches!(self, Self::Fleet | Self::Tenant(_))
    }

    /// What the alert is about within its tenant, as people and labels have it: the name of a token or a group, or
    /// `user 17`; none for a tenant or for all of them.
    pub fn subject(&self) -> Option<String> {
        match self {
            Self::Fleet | Self::Tenant(_) => None,
            Self::SecurityGroup { group, .. } => Some(group.clone()),
            Self::User { user, .. } => Some(format!("user {user}")),
            Self::Token(token) => Some(token.token_name.clone()),
        }
    }
}

/// A scope as it is stored: a name is empty where there is no tenant or no token, and the others are left out.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
struct Names {
    tenant: String,
    token_name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    security_group: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<u64>,
}

impl From<Names> for Scope {
    fn from(names: Names) -> Self {
        let tenant = names.tenant;
        match (names.security_group, names.user_id) {
            (Some(group), _) => Self::SecurityGroup { tenant, group },
            (None, Some(user)) => Self::User { tenant, user },
            (None, None) => Self::of_names(tenant, names.token_name),
        }
    }
}

impl From<Scope> for Names {
    fn from(scope: Scope) -> Self {
        let tenant = scope.tenant().unwrap_or_default().to_owned();
        let token_name = scope.token_name().unwrap_or_default().to_owned();
        let (security_group, user_id) = (scope.security_group().map(str::to_owned), scope.user_id());
        Self { tenant, token_name, security_group, user_id }
    }
}

impl From<TokenId> for Scope {
    fn from(token: TokenId) -> Self {
        Self::Token(token)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_comes_back_from_the_store_as_it_was() {
        let tenant = || "acme".to_owned();
        let scopes = [
            Scope::Fleet,
            Scope::Tenant(tenant()),
            Scope::SecurityGroup { tenant: tenant(), group: "Technicians".to_owned() },
            Scope::User { tenant: tenant(), user: 7 },
            Scope::of_token("acme", "billing"),
        ];
        for scope in scopes {
            let stored = serde_json::to_string(&scope).unwrap();
            assert_eq!(serde_json::from_str::<Scope>(&stored).unwrap(), scope, "{stored}");
        }
        let former = r#"{"tenant":"acme","token_name":"billing"}"#;
        assert_eq!(serde_json::from_str::<Scope>(former).unwrap(), Scope::of_token("acme", "billing"));
    }
}
