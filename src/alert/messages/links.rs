//! The addresses of the pages of the daemon that an alert links to. Pure.

use crate::alert::Alert;
use crate::model::Scope;

/// The address of the page that shows the scope of an alert: the page of a token, the list of a tenant's tokens, or of
/// all tokens.
pub fn page(external_url: &str, scope: &Scope) -> String {
    match scope {
        Scope::Fleet => format!("{external_url}/"),
        Scope::Token(token) => format!("{external_url}{}", token.path()),
        Scope::Tenant(tenant) | Scope::SecurityGroup { tenant, .. } | Scope::User { tenant, .. } => {
            let query = url::form_urlencoded::Serializer::new(String::new()).append_pair("q", tenant).finish();
            format!("{external_url}/?{query}")
        }
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
    fn a_user_and_a_group_have_the_page_of_their_tenant() {
        let tenant = || "a b".to_owned();
        let scopes = [
            Scope::Tenant(tenant()),
            Scope::User { tenant: tenant(), user: 7 },
            Scope::SecurityGroup { tenant: tenant(), group: "Technicians".to_owned() },
        ];
        for scope in scopes {
            assert_eq!(page("http://m", &scope), "http://m/?q=a+b");
        }
        assert_eq!(page("http://m", &Scope::Fleet), "http://m/");
        assert_eq!(page("http://m", &Scope::of_token("acme", "t")), "http://m/tenants/acme/tokens/t");
    }
}
