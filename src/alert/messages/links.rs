//! The addresses of the pages of the daemon that an alert links to. Pure.

use crate::alert::Alert;
use crate::model::{Scope, tenant_path, user_path};

/// The address of the page that shows the scope of an alert: the page of a token, of a user, of a tenant, or of all
/// tokens.
pub fn page(external_url: &str, scope: &Scope) -> String {
    match scope {
        Scope::Fleet => format!("{external_url}/"),
        Scope::Token(token) => format!("{external_url}{}", token.path()),
        Scope::User { tenant, user } => format!("{external_url}{}", user_path(tenant, *user)),
        Scope::Tenant(tenant) | Scope::SecurityGroup { tenant, .. } => format!("{external_url}{}", tenant_path(tenant)),
    }
}

/// The address of the runbook of an alert, a page that the daemon serves.
pub fn runbook(external_url: &str, alert: Alert) -> String {
    format!("{external_url}/runbooks/{}", alert.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_has_the_page_of_its_tenant_and_a_user_one_of_their_own() {
        let tenant = || "a b".to_owned();
        let scopes =
            [Scope::Tenant(tenant()), Scope::SecurityGroup { tenant: tenant(), group: "Technicians".to_owned() }];
        for scope in scopes {
            assert_eq!(page("http://m", &scope), "http://m/tenants/a%20b");
        }
        let user = Scope::User { tenant: tenant(), user: 7 };
        assert_eq!(page("http://m", &user), "http://m/tenants/a%20b/users/7");
        assert_eq!(page("http://m", &Scope::Fleet), "http://m/");
        assert_eq!(page("http://m", &Scope::of_token("acme", "t")), "http://m/tenants/acme/tokens/t");
    }
}
