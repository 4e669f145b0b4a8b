//! What is wrong with the declared expiry of a token: it is near, or it has passed and the token works. Pure.

use crate::alert::finding::{Finding, Member, Tenancy};
use crate::alert::firing::Affected;
use crate::alert::kind::{Alert, Severity};
use crate::alert::rules::{Rules, delta};
use crate::model::Scope;

/// That the declared expiry is near. It begins while the expiry is still ahead, and lasts until the date is moved.
pub(super) fn expiring(tenancy: &Tenancy<'_>, member: &Member<'_>, rules: Rules<'_>) -> Option<Finding> {
    let token = member.token;
    let expires = token.expires.filter(|_| !token.auto_rotated)?;
    let moments = rules.alerts.expiry_notice.iter().map(|before| expires.checked_sub_signed(delta(*before)));
    let passed = moments.filter(|from| from.is_none_or(|from| from <= rules.now));
    let (notices, last_at) = (passed.clone().count(), passed.flatten().max().unwrap_or_default());
    if notices == 0 {
        return None;
    }
    let is_last = notices == rules.alerts.expiry_notice.len();
    let severity = if is_last { Severity::Critical } else { Severity::Warning };
    let first = rules.alerts.expiry_notice.first()?;
    let since = expires.checked_sub_signed(delta(*first)).unwrap_or(rules.now);
    let scope = Scope::of_token(tenancy.name, &token.name);
    let finding = Finding::new(Alert::TokenExpiring, scope, severity, since).affecting(Affected::token(&token.name));
    // A token that did not work for a while is not spoken of again before the next notice.
    let given = member.status.noticed.filter(|(of, _)| *of == expires).map_or(0, |(_, notices)| notices);
    Some(Finding { notices: (notices, last_at), may_begin: expires > rules.now && notices > given, ..finding })
}

/// That the token works after its declared expiry.
pub(super) fn outdated(tenancy: &Tenancy<'_>, member: &Member<'_>, rules: Rules<'_>) -> Option<Finding> {
    let token = member.token;
    let expires = token.expires.filter(|expires| *expires <= rules.now && !token.auto_rotated)?;
    let is_confirmed = member.status.worked_after_expiry >= rules.alerts.confirmations.get();
    let scope = Scope::of_token(tenancy.name, &token.name);
    let finding = Finding::new(Alert::TokenExpiryOutdated, scope, Severity::Warning, expires);
    is_confirmed.then(|| finding.affecting(Affected::token(&token.name)))
}
