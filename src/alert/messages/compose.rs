//! Which text an alert has: about a tenant as it is now, or about what is over. Pure.

use chrono::{DateTime, Utc};

use crate::alert::{Alert, Firing, Message, Rules, Tenancy};

use super::subject::Subject;
use super::words::quoting;
use super::{expiry, lacks, states, tenants, users};

/// The message of an alert about a tenant or its tokens, as it is now.
pub(crate) fn of_tenant(firing: &Firing, tenancy: &Tenancy<'_>, rules: Rules<'_>) -> Message {
    let subject = Subject { firing, tenancy, rules };
    match firing.alert {
        Alert::TokenExpired => states::expired(&subject),
        Alert::TokenRejected => states::rejected(&subject),
        Alert::TokenRestricted => states::restricted(&subject),
        Alert::TokenWrongAccount => states::wrong_account(&subject),
        Alert::TokenUnreadable => states::unreadable(&subject),
        Alert::TokenExpiring => expiry::expiring(&subject),
        Alert::TokenExpiryOutdated => expiry::outdated(&subject),
        Alert::UserLockedOut => users::locked_out(&subject),
        Alert::UserDisabled => users::disabled(&subject),
        Alert::UserChanged => users::changed(&subject),
        Alert::PermissionLost | Alert::PermissionMissing => lacks::permissions(&subject),
        Alert::SecurityGroupRightLost => lacks::rights(&subject),
        Alert::CustomersHidden => lacks::customers(&subject),
        Alert::TenantRenamed => tenants::renamed(&subject),
        Alert::TenantBlocked => tenants::blocked(&subject),
        Alert::TenantUnreachable => tenants::unreachable(&subject),
        // These are about no tenant; what was said of them stays.
        Alert::SyncroOutage | Alert::MonitorThrottled | Alert::MonitorImpaired | Alert::TestAlert => {
            firing.message.clone()
        }
    }
}

/// The message of an alert that is over, or whose place another has taken: it quotes what was, with its own dates, and has
/// no steps. `shown` is how people read a moment.
pub(crate) fn ended(firing: &Firing, why: &str, shown: impl Fn(DateTime<Utc>) -> String) -> Message {
    let was = &firing.message.line;
    // An expiry is said by its own date, and what the first version wrote of the others has none.
    let is_dated = was.contains("since ") || matches!(firing.alert, Alert::TokenExpiring | Alert::TokenExpiryOutdated);
    let since = if is_dated { String::new() } else { format!(", since {}", shown(firing.since)) };
    firing.message.reworded(quoting(&format!("over, {why}; it was{since}: "), was))
}

#[cfg(test)]
mod tests;
