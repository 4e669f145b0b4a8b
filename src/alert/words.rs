//! The words of an alert: what broke, since when, who is hurt, and where to click to mend it.
//!
//! The clicks are those of JumpCloud's guide "Prepare Syncro PSA for integration with JumpCloud"; menu names as Syncro
//! shows them.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::config::{Token, TokenId};
use crate::standing::{Cause, Evidence, Outage, PermissionStanding, Standing};

use super::Alert;
use super::monitor::{Impaired, Throttled};

const NEW_TOKEN: &str = "More > Admin > API > API Tokens > New Token > Custom Permissions";
const GROUP: &str = "More > Admin > Syncro Administration > Security Groups";
const USER: &str = "More > Admin > Syncro Administration > Users > the user > Details > Security Permissions";

/// What an alert says besides its key.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Words {
    /// One or two sentences that can be read alone.
    pub message: String,
    /// Who is short of a permission.
    pub cause: Option<Cause>,
    /// What shows it.
    pub evidence: Option<Evidence>,
    /// The same in words: the request and its answer, or the user's right.
    #[serde(default)]
    pub shown_by: Option<String>,
    /// The permission that is spoken of.
    pub permission: Option<String>,
    /// The right that is spoken of.
    pub right: Option<String>,
    /// The security group of the token's user, where known.
    pub security_group: Option<String>,
    /// The profile of the integration that is hurt.
    pub profile: Option<String>,
}

impl Words {
    /// The message in two parts: what happened and whom it hurts, and what to do about it. Names, in which anything may
    /// stand, are between backticks.
    pub fn parts(&self) -> (&str, &str) {
        let mut is_name = false;
        let end = self.message.char_indices().find(|(at, character)| {
            is_name ^= *character == '`';
            *character == '.' && !is_name && self.message[at + 1..].starts_with(' ')
        });
        end.map_or((&self.message, ""), |(at, _)| (&self.message[..at], &self.message[at + 2..]))
    }
}

/// Where to look closer: the page of a token, the tokens of a tenant, or all of them.
pub fn page(external_url: &str, of: &TokenId) -> String {
    match (of.tenant.as_str(), of.token_name.as_str()) {
        ("", _) => format!("{external_url}/"),
        (tenant, "") => {
            let query = url::form_urlencoded::Serializer::new(String::new()).append_pair("q", tenant).finish();
            format!("{external_url}/?{query}")
        }
        _ => format!("{external_url}{}", of.path()),
    }
}

/// Where to read on: a page of the daemon.
pub fn runbook(external_url: &str, alert: Alert) -> String {
    format!("{external_url}/runbooks/{}", alert.as_str())
}

/// Names a token in a sentence.
fn named(token: &Token) -> String {
    format!("token `{}` of tenant `{}`", token.name, token.tenant.name)
}

/// Who uses the token, as the end of a sentence.
fn hurt(token: &Token) -> String {
    token
        .profile
        .as_ref()
        .map_or_else(|| "whatever uses it fails".to_owned(), |profile| format!("{} fails with it", profile.title))
}

fn day(moment: DateTime<Utc>) -> String {
    moment.format("%Y-%m-%d %H:%M UTC").to_string()
}

/// The words common to all alerts about a token.
fn words(token: &Token, standing: &Standing, message: String) -> Words {
    let security_group = standing.current_group().map(str::to_owned);
    Words { message, security_group, profile: token.profile_name().map(str::to_owned), ..Words::default() }
}

/// Alerts that follow from a token's state.
pub(super) fn state(alert: Alert, token: &Token, standing: &Standing) -> Words {
    let (name, hurt) = (named(token), hurt(token));
    let replace = format!("{NEW_TOKEN}, then put the value where this token is read from");
    let message = match alert {
        Alert::TokenExpired => {
            // A date that was moved ahead since is not the one at which it expired.
            let date = token.expires.filter(|expires| Some(*expires) <= standing.validity.last_attempt);
            let expired = date.map_or_else(String::new, |date| format!(" (declared expiry {})", day(date)));
            format!(
                "{name} expired{expired}; {hurt}. Make a new one: {replace}, and set its expiry in the configuration"
            )
        }
        Alert::TokenRejected => format!(
            "{name} is refused: revoked, deleted or mistyped, or its user is gone; {hurt}. Look whether it is still listed under More > Admin > API > API Tokens; if not, make a new one: {replace}"
        ),
        Alert::TokenWrongAccount => format!(
            "{name} works, but on another Syncro account than `{}`; {hurt}. Put the right value where this token is read from",
            token.tenant.subdomain.as_deref().unwrap_or_default()
        ),
        Alert::TokenUserLockedOut => {
            format!(
                "the user of {name} may not use Syncro any more; {hurt}. Mend the user: {USER}, or make a token of another user: {replace}"
            )
        }
        Alert::TokenBlocked => format!(
            "{name} is refused before it is looked at, perhaps by the IP allow-list; {hurt} if its address is refused too. Look at Admin > Employees > IP Allow List, which has a switch of its own for APIs"
        ),
        _ => {
            let why = standing.unreadable.as_ref().map_or_else(|| "cannot be read".to_owned(), ToString::to_string);
            format!(
                "the token value of {name} {why}, so it is not watched. Put the value there; it is read again at the next check"
            )
        }
    };
    words(token, standing, message)
}

/// `TokenExpiring`.
pub(super) fn expiring(token: &Token, standing: &Standing, expires: DateTime<Utc>, now: DateTime<Utc>) -> Words {
    let message = format!(
        "{} expires {}, on {}; then {}. Make a new one: {NEW_TOKEN}, then put the value where this token is read from and its expiry into the configuration",
        named(token),
        when(expires - now),
        day(expires),
        hurt(token)
    );
    words(token, standing, message)
}

/// When something is that lies so far ahead.
fn when(left: TimeDelta) -> String {
    match (left.num_days(), left.num_hours(), left.num_minutes(), left.num_seconds()) {
        (days @ 2.., ..) => format!("in {days} days"),
        (_, hours @ 2.., ..) => format!("in {hours} hours"),
        (_, _, minutes @ 2.., _) => format!("in {minutes} minutes"),
        (.., seconds @ 2..) => format!("in {seconds} seconds"),
        // The alert goes on until the check that is due then has been believed.
        _ => "now".to_owned(),
    }
}

/// `TokenExpiryOutdated`.
pub(super) fn outdated(token: &Token, standing: &Standing, expires: DateTime<Utc>) -> Words {
    let message = format!(
        "{} still works after its declared expiry of {}: the date in the configuration is wrong. Look up its expiry under More > Admin > API > API Tokens and correct `expires`",
        named(token),
        day(expires)
    );
    words(token, standing, message)
}

/// `PermissionLost` and `PermissionMissing`.
pub(super) fn permission(
    alert: Alert,
    token: &Token,
    standing: &Standing,
    known: &PermissionStanding,
    required: bool,
) -> Words {
    let (permission, cause, evidence) = (known.permission.name(), known.cause, known.evidence);
    let group = standing.current_group();
    let name = named(token);
    let happened = match (alert, evidence) {
        (Alert::PermissionLost, Evidence::Probe) => format!("{name} lost `{permission}`"),
        (Alert::PermissionLost, Evidence::Right) => format!("{name} lost `{permission}`, as its user's rights show"),
        (_, Evidence::Probe) => format!("{name} lacks `{permission}`"),
        (_, Evidence::Right) => format!("{name} probably lacks `{permission}`, as its user's rights show"),
    };
    let hurt = if required { hurt(token) } else { "it is recommended for the integration that uses it".to_owned() };
    let in_group = match group {
        Some(group) => format!("{GROUP} > `{group}` > tick `{permission}` > Save"),
        None => format!("{GROUP} > the group of its user > tick `{permission}` > Save"),
    };
    let in_token = format!("{NEW_TOKEN} with `{permission}`");
    let mend = match cause {
        Cause::SecurityGroup => format!("The security group is too narrow: {in_group}"),
        Cause::Token => format!("The user may do it, so the token is too narrow: {in_token}"),
        Cause::Undetermined => format!("Either the security group is too narrow: {in_group}; or the token: {in_token}"),
    };
    Words {
        permission: Some(permission.to_owned()),
        cause: Some(cause),
        evidence: Some(evidence),
        shown_by: known.shown_by(&token.tenant),
        ..words(token, standing, format!("{happened}; {hurt}. {mend}"))
    }
}

/// So many others of a security group are named; the status page has them all. A chat takes no more than some thousand
/// characters.
const MOST_NAMED: usize = 5;

/// The same, with the peers in the security group that need it too.
pub(super) fn of_group<'a>(words: &Words, hurt: impl Iterator<Item = &'a Token>) -> Words {
    let named = |token: &Token| match &token.profile {
        Some(profile) => format!("`{}` ({})", token.name, profile.title),
        None => format!("`{}`", token.name),
    };
    let mut hurt = hurt.peekable();
    if hurt.peek().is_none() {
        return words.clone();
    }
    let named: Vec<_> = hurt.by_ref().take(MOST_NAMED).map(named).collect();
    let more = match hurt.count() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let (what, mend) = words.parts();
    let too = format!("; others of the same security group need it too: {}{more}", named.join(", "));
    Words { message: format!("{what}{too}. {mend}"), ..words.clone() }
}

/// `SecurityGroupRightLost`.
pub(super) fn right(token: &Token, standing: &Standing, right: &str) -> Words {
    let group = standing.current_group();
    let group = group.map_or_else(|| "the group of its user".to_owned(), |group| format!("`{group}`"));
    let message = format!(
        "the user of {} lost the right `{right}`; what needs it may fail. Look what was unticked: {GROUP} > {group}",
        named(token)
    );
    Words { right: Some(right.to_owned()), ..words(token, standing, message) }
}

/// `SecurityGroupChanged`.
pub(super) fn group(token: &Token, standing: &Standing, from: &str) -> Words {
    let group = standing.security_group().unwrap_or_default();
    let message = format!(
        "the user of {} is in the security group `{group}` now, before it was `{from}`; what the token may do may have changed. To change it back: {USER} > Security/Calendar Group > `{from}` > Save",
        named(token)
    );
    words(token, standing, message)
}

/// `GlobalAdminLost`.
pub(super) fn admin(token: &Token, standing: &Standing) -> Words {
    let message = format!(
        "the user of {} is no longer a Global Admin, so its security group restricts the token now. To change it back: {USER} > Global Admin > Save",
        named(token)
    );
    words(token, standing, message)
}

/// `TenantUnreachable`.
pub(super) fn unreachable(tenant: &str, since: DateTime<Utc>, reason: &str) -> Words {
    let message = format!(
        "nothing could be learnt about any token of tenant `{tenant}` since {} ({reason}); nothing is known to be wrong with them. Look whether its Syncro answers from this machine",
        day(since)
    );
    Words { message, ..Words::default() }
}

/// `SyncroOutage`.
pub(super) fn outage(outage: &Outage) -> Words {
    const SEE: &str = "Look whether Syncro has an outage, and whether this machine reaches it as usual";
    let since = day(outage.since());
    let message = match outage {
        Outage::TurnedBad { state, tenants, of, .. } => format!(
            "the tokens of {tenants} of {of} tenants that were looked at since {since} look {} all at once, so it is probably not the tokens. {SEE}. No alert about a token is told until this has passed, or until ten minutes of looking say that it is the tokens",
            state.as_str().replace('_', " ")
        ),
        Outage::Unreachable { tenants, of, .. } => format!(
            "nothing can be learnt about {tenants} of {of} tenants, about the first since {since}; nothing is known to be wrong with their tokens. {SEE}"
        ),
    };
    Words { message, ..Words::default() }
}

/// `MonitorThrottled`.
pub(super) fn throttled(known: &Throttled) -> Words {
    let Throttled { since, host } = known;
    let message = format!(
        "requests to `{host}` have been paused since {}, because it asks to send fewer: tokens are not being checked, and nothing is known to be wrong with them. Look what else sends requests to Syncro from this address; the monitor's own share is `syncro.requests_per_minute`",
        day(*since)
    );
    Words { message, ..Words::default() }
}

/// `MonitorImpaired`.
pub(super) fn impaired(known: &Impaired) -> Words {
    let Impaired { since, tokens, detail } = known;
    let detail = if detail.is_empty() { String::new() } else { format!(" ({detail})") };
    let tokens = if *tokens == 1 { "1 token".to_owned() } else { format!("{tokens} tokens") };
    let message = format!(
        "trouble of this machine keeps checks of {tokens} from saying anything since {}{detail}; nothing is known to be wrong with the tokens. Look at the file descriptors, memory, threads and disks of this machine",
        day(*since)
    );
    Words { message, ..Words::default() }
}

/// The words of an alert that is over.
pub(super) fn resolved(words: &Words, why: &str) -> Words {
    let (before, _) = words.parts();
    Words { message: format!("over, {why}: {before}"), ..words.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_stop_in_a_name_ends_no_sentence() {
        let parts = |message: &str| {
            let words = Words { message: message.to_owned(), ..Words::default() };
            let (what, mend) = words.parts();
            (what.to_owned(), mend.to_owned(), resolved(&words, "seen again").message)
        };
        let (what, mend, over) =
            parts("token `a` of tenant `Acme Inc. Ltd` expired; it fails. Make a new one: More. Then");
        assert_eq!(what, "token `a` of tenant `Acme Inc. Ltd` expired; it fails");
        assert_eq!(mend, "Make a new one: More. Then");
        assert_eq!(over, format!("over, seen again: {what}"));
        assert_eq!(parts("one sentence").0, "one sentence");
        assert_eq!(parts("a backtick ` alone. Ends").1, "");
    }

    #[test]
    fn of_many_tokens_that_are_affected_a_few_are_named() {
        let others: Vec<Token> = (0..80).map(|number| crate::testing::token(&format!("t{number}"), &[])).collect();
        let words = Words { message: "`a` lost it. Tick it".to_owned(), ..Words::default() };
        let of = |count: usize| of_group(&words, others[..count].iter()).message;
        assert_eq!(of(0), words.message);
        let few = "`a` lost it; others of the same security group need it too: `t0`, `t1`, `t2`, `t3`, `t4`";
        assert_eq!(of(5), format!("{few}. Tick it"));
        assert_eq!(of(79), format!("{few} and 74 more. Tick it"));
    }

    #[test]
    fn an_expiry_is_said_in_a_unit_that_fits_and_is_now_once_it_has_come() {
        let cases = [
            (TimeDelta::days(2), "in 2 days"),
            (TimeDelta::hours(47), "in 47 hours"),
            (TimeDelta::minutes(119), "in 119 minutes"),
            (TimeDelta::seconds(119), "in 119 seconds"),
            (TimeDelta::zero(), "now"),
            (TimeDelta::seconds(-30), "now"),
        ];
        for (left, expected) in cases {
            assert_eq!(when(left), expected);
        }
    }
}
