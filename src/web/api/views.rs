//! What the answers of the API hold. The same types make the answers and their description in OpenAPI, so neither says
//! what the other does not; a field that may be `null` is there all the same. Pure.

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use crate::belief::{self, Proof, TokenState, TokenStatus};
use crate::catalog::{Method, PermissionId};
use crate::model::TokenId;
use crate::state::{Health, HistoryLine, PermissionView, Snapshot, TokenSnapshot};
use crate::syncro::{self, Fingerprint, Reason};

use super::alert_views::Alert;
use super::user::User;

/// What is believed of one token.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Token<'a> {
    tenant: &'a str,
    #[serde(rename = "token_name")]
    name: &'a str,
    /// The Syncro account.
    #[schema(required)]
    subdomain: Option<&'a str>,
    /// What the integration that uses it needs.
    #[schema(required)]
    profile: Option<&'a str>,
    /// How it is in one word: `broken` if what uses it fails, `attention` if something should be seen to, `unseen` if
    /// nothing is known to be wrong but the last check gave no verdict.
    health: Health,
    state: TokenState,
    /// Since when it is in that state, as it was first seen.
    #[schema(required)]
    since: Option<DateTime<Utc>>,
    /// Why its value cannot be read.
    #[schema(required)]
    unreadable: Option<String>,
    /// The declared expiry.
    #[schema(required)]
    expires: Option<DateTime<Utc>>,
    /// Whether something renews it by itself.
    auto_rotated: bool,
    /// Whom to ask about it, as the configuration says.
    #[schema(required)]
    contact: Option<&'a str>,
    /// The note of the configuration on it.
    #[schema(required)]
    note: Option<&'a str>,
    /// The first 12 hex digits of SHA-256 of the token value.
    #[schema(required, value_type = Option<String>, pattern = "^[0-9a-f]{12}$")]
    fingerprint: Option<&'a Fingerprint>,
    /// The token that is to follow it, where the configuration names one.
    #[schema(required)]
    next: Option<Next<'a>>,
    /// The value that it had before a switch to a next token; `null` if it had none since it is watched.
    #[schema(required)]
    former: Option<Former<'a>>,
    /// The security group of the user who made it.
    #[schema(required)]
    security_group: Option<&'a str>,
    /// How many customers the token sees, as the list of customers last said.
    #[schema(required)]
    customers_visible: Option<u64>,
    /// The user who made the token, once `/me` has named one.
    #[schema(required)]
    user: Option<User<'a>>,
    /// Whether no security group restricts that user.
    #[schema(required)]
    global_admin: Option<bool>,
    checks: Checks,
    /// Every wanted permission.
    permissions: Vec<PermissionView>,
    /// What it may do besides; `null` if that was not asked.
    #[schema(required)]
    excess: Option<Vec<Excess>>,
    /// The alerts that fire and affect it.
    alerts: Vec<Alert<'a>>,
}

/// A token that is to follow another one.
#[derive(Debug, Serialize, ToSchema)]
struct Next<'a> {
    /// How far it is proven that it can take the place of the one in use: `absent` while there is no value, `in_use` once it
    /// has, `unusable` if it does not work on this account, `lacking` and `unproven` if it lacks, or is not shown to have,
    /// something that the one in use was shown to have, `unknown` before a check has given a verdict.
    proof: Proof,
    /// Why its value cannot be read.
    #[schema(required)]
    unreadable: Option<String>,
    /// Why this program could not put the proven value in place, if it has tried.
    #[schema(required)]
    not_switched: Option<&'a str>,
    #[schema(required, value_type = Option<String>, pattern = "^[0-9a-f]{12}$")]
    fingerprint: Option<&'a Fingerprint>,
    /// Its declared expiry.
    #[schema(required)]
    expires: Option<DateTime<Utc>>,
    /// What it lacks of what the one in use was shown to have.
    #[schema(value_type = Vec<String>)]
    lacks: Vec<PermissionId>,
    /// What of that no check has shown.
    #[schema(value_type = Vec<String>)]
    not_shown: Vec<PermissionId>,
    /// Whether another user is behind it; `null` if one of the two users is not known.
    #[schema(required)]
    is_of_another_user: Option<bool>,
    checks: Checks,
}

/// The value that a token had before a switch.
#[derive(Debug, Serialize, ToSchema)]
struct Former<'a> {
    /// Whether Syncro still lets it in.
    state: TokenState,
    #[schema(required, value_type = Option<String>, pattern = "^[0-9a-f]{12}$")]
    fingerprint: Option<&'a Fingerprint>,
}

/// The last checks of both kinds.
#[derive(Debug, Default, Serialize, ToSchema)]
struct Checks {
    validity: Attempts,
    permissions: Attempts,
}

/// The last checks of one kind.
#[derive(Debug, Default, Serialize, ToSchema)]
struct Attempts {
    #[schema(required)]
    last_attempt: Option<DateTime<Utc>>,
    /// The last attempt that gave a verdict.
    #[schema(required)]
    last_success: Option<DateTime<Utc>>,
    /// Attempts without a verdict since then.
    failures: u32,
    /// Why the last attempt gave no verdict.
    #[schema(required)]
    reason: Option<Reason>,
}

/// A permission that is granted and not wanted.
#[derive(Debug, Serialize, ToSchema)]
struct Excess {
    #[schema(value_type = String)]
    permission: PermissionId,
    /// The HTTP status of the answer that shows it.
    answer: u16,
    /// The request and its answer.
    #[schema(required)]
    shown_by: Option<String>,
}

/// One token, with the rights of its user and the last requests with it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct TokenDetail<'a> {
    #[serde(flatten)]
    token: Token<'a>,
    /// The rights of its user, as `/me` shows them.
    rights: Vec<Right<'a>>,
    /// When its expiry notices come, the first one first.
    notices: Vec<DateTime<Utc>>,
    /// The last requests with it since the start, each once.
    asked: Vec<Asked<'a>>,
    /// Why the security group could not be read the last time.
    #[schema(required)]
    security_group_problem: Option<&'a str>,
}

/// A right of the user behind a token.
#[derive(Debug, Serialize, ToSchema)]
struct Right<'a> {
    #[serde(rename = "right")]
    name: &'a str,
    held: bool,
    since: DateTime<Utc>,
}

/// A request that was sent.
#[derive(Debug, Serialize, ToSchema)]
struct Asked<'a> {
    method: Method,
    /// Below the account's base URL.
    path: &'a str,
    at: DateTime<Utc>,
    /// The HTTP status of the answer, if there was one.
    #[schema(required)]
    status: Option<u16>,
    /// Why it gave no verdict.
    #[schema(required)]
    reason: Option<Reason>,
    /// From sending to the end of the answer.
    #[schema(minimum = 0.0)]
    seconds: f64,
}

/// Every token.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Tokens<'a> {
    tokens: Vec<Token<'a>>,
}

/// What changed, the newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Transitions {
    transitions: Vec<HistoryLine>,
}

/// A check of a token that was requested.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Requested {
    tenant: String,
    token_name: String,
    check: Check,
}

/// What becomes of a check that was requested.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Check {
    /// It is made as soon as the budget lets it.
    Due,
}

/// What is wrong.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Error<'a> {
    /// For people.
    pub(super) error: &'a str,
}

impl<'a> Token<'a> {
    /// What is shown of every token; the paths of runbooks begin with `base`.
    pub(super) fn of(snapshot: &'a Snapshot, entry: &'a TokenSnapshot, base: &str) -> Self {
        let TokenSnapshot { token, status, .. } = entry;
        let at = snapshot.last_tick.unwrap_or_default();
        let excess = status.audit.as_ref().map(|audit| {
            let excess = audit.excess(token).map(|excess| Excess {
                permission: excess.permission,
                answer: excess.answer,
                shown_by: excess.shown_by(&token.tenant),
            });
            excess.collect()
        });
        Self {
            tenant: &token.tenant.name,
            name: &token.name,
            subdomain: token.tenant.subdomain.as_deref(),
            profile: token.profile_name(),
            health: entry.health(at),
            state: status.state,
            since: status.since,
            unreadable: status.unreadable.as_ref().map(ToString::to_string),
            expires: token.expires,
            auto_rotated: token.auto_rotated,
            contact: token.contact.as_deref(),
            note: token.note.as_deref(),
            fingerprint: status.fingerprint.as_ref(),
            next: entry.next(snapshot.probes).map(|(next, status, comparison)| Next {
                proof: comparison.proof,
                unreadable: status.and_then(|status| status.unreadable.as_ref().map(ToString::to_string)),
                not_switched: status.and_then(|status| status.not_switched.as_deref()),
                fingerprint: status.and_then(|status| status.fingerprint.as_ref()),
                expires: next.expires,
                lacks: comparison.lacks,
                not_shown: comparison.not_shown,
                is_of_another_user: comparison.is_of_another_user,
                checks: status.map(Checks::of).unwrap_or_default(),
            }),
            former: status
                .former
                .as_ref()
                .map(|former| Former { state: former.state, fingerprint: former.fingerprint.as_ref() }),
            security_group: status.security_group(),
            customers_visible: status.customers_visible,
            user: status.user.as_ref().map(User::of),
            global_admin: status.user.as_ref().and_then(|user| user.admin.granted),
            checks: Checks::of(status),
            permissions: PermissionView::of(token, status, snapshot.probes, at).collect(),
            excess,
            alerts: snapshot.firing_of(entry).map(|firing| Alert::of(firing, base)).collect(),
        }
    }
}

impl Checks {
    fn of(status: &TokenStatus) -> Self {
        Self { validity: Attempts::of(&status.validity), permissions: Attempts::of(&status.permission_checks) }
    }
}

impl Attempts {
    fn of(attempts: &belief::Attempts) -> Self {
        let belief::Attempts { last_attempt, last_success, failures, reason, .. } = *attempts;
        Self { last_attempt, last_success, failures, reason }
    }
}

impl<'a> TokenDetail<'a> {
    /// What is shown of a token in the answer about it alone.
    pub(super) fn of(snapshot: &'a Snapshot, entry: &'a TokenSnapshot, base: &str) -> Self {
        let rights = entry.status.rights.iter().filter_map(|right| {
            Some(Right { name: right.right.as_str(), held: right.belief.granted?, since: right.belief.since })
        });
        Self {
            token: Token::of(snapshot, entry, base),
            rights: rights.collect(),
            notices: entry.token.expiry_notices(&snapshot.expiry_notice).map(|(_, at)| at).collect(),
            asked: entry.asked.iter().map(Asked::of).collect(),
            security_group_problem: entry.status.group_problem(),
        }
    }
}

impl<'a> Asked<'a> {
    fn of(asked: &'a syncro::Asked) -> Self {
        let syncro::Asked { method, ref path, at, status, reason, took } = *asked;
        Self { method, path, at, status, reason, seconds: took.as_secs_f64() }
    }
}

impl Requested {
    /// A check of this token is due.
    pub(super) fn due(TokenId { tenant, token_name }: TokenId) -> Self {
        Self { tenant, token_name, check: Check::Due }
    }
}

/// A value as JSON.
pub(super) fn text(value: &impl Serialize) -> String {
    // What the views hold can always be written.
    serde_json::to_string(value).unwrap_or_else(|error| format!("{{\"error\":\"{error}\"}}"))
}

/// A value as a line of JSON.
pub(super) fn line(value: &impl Serialize) -> String {
    text(value) + "\n"
}
