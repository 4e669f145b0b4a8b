//! What every text promises: short enough for a log, nothing that the evidence does not show, and steps that lead somewhere.

mod every_message;

use std::path::PathBuf;
use std::sync::Arc;

use serde_json::{Value, json};

use super::*;
use crate::alert::messages::words::LONGEST_LINE;
use crate::alert::messages::{impaired, outage, throttled};
use crate::alert::{Affected, Impaired, Member, Severity, Throttled};
use crate::belief::{Cause, Outage, Strength, TokenState, TokenStatus};
use crate::catalog::catalog;
use crate::config::Alerts;
use crate::model::{Scope, Tenant, Token, TokenSource};
use crate::testing::{at, config, token};

const EDIT: &str = "Tickets - Edit";
const OF_TENANTS: [Alert; 16] = [
    Alert::TokenExpired,
    Alert::TokenRejected,
    Alert::TokenRestricted,
    Alert::TokenWrongAccount,
    Alert::TokenExpiring,
    Alert::TokenExpiryOutdated,
    Alert::TokenUnreadable,
    Alert::UserLockedOut,
    Alert::UserDisabled,
    Alert::UserChanged,
    Alert::PermissionLost,
    Alert::PermissionMissing,
    Alert::SecurityGroupRightLost,
    Alert::CustomersHidden,
    Alert::TenantRenamed,
    Alert::TenantBlocked,
];

/// The tokens of one tenant, and what is believed of them.
struct World {
    tokens: Vec<Token>,
    statuses: Vec<TokenStatus>,
    alerts: Alerts,
}

impl World {
    /// Tokens of these names, of which the same is believed.
    fn new(names: &[&str], status: Value) -> Self {
        let of = |name: &&str| {
            let source = TokenSource::File(PathBuf::from(format!("/etc/tokens/{name}")));
            Token { source, profile: catalog().profile("jumpcloud").cloned(), ..token(name, &[EDIT]) }
        };
        let tokens = names.iter().map(of).collect();
        let status: TokenStatus = serde_json::from_value(status).unwrap();
        let statuses = names.iter().map(|_| status.clone()).collect();
        Self { tokens, statuses, alerts: config(Vec::new()).alerts }
    }

    fn tenancy(&self) -> Tenancy<'_> {
        let member = |(token, status)| Member::alone(token, status);
        let members = self.tokens.iter().zip(&self.statuses).map(member);
        let members = members.map(|member| (member.token.name.as_str(), member)).collect();
        Tenancy { name: &self.tokens[0].tenant.name, members, ..Tenancy::default() }
    }

    fn says(&self, alert: Alert, scope: Scope, mut affected: Vec<Affected>) -> Message {
        affected.sort_unstable();
        let firing = Firing::new(alert, scope, Severity::Critical, at(0), at(60), affected, &[]);
        of_tenant(&firing, &self.tenancy(), Rules::new(&self.alerts, at(86_400)))
    }

    /// What an alert about the first token says.
    fn says_of_token(&self, alert: Alert) -> Message {
        let name = &self.tokens[0].name;
        self.says(alert, Scope::of_token("acme", name), vec![Affected::token(name)])
    }

    /// What is said of a permission that the first token lost.
    fn says_lost(&self, scope: Scope) -> Message {
        self.says(Alert::PermissionLost, scope, vec![Affected::permission(&self.tokens[0].name, EDIT)])
    }
}

fn belief(granted: bool) -> Value {
    json!({"held": granted, "since": at(0), "lost": !granted, "doubts": 0, "doubted_at": at(0)})
}

fn missing(permission: &str, cause: &str, ground: &Value) -> Value {
    json!({"permission": permission, "belief": belief(false), "evidence": "probe", "answer": 401, "cause": cause,
           "ground": ground, "unseen": false})
}

/// What is believed of a token of the user Pat that lost one permission.
fn lost(cause: &str, ground: &Value) -> Value {
    json!({"state": "valid", "permissions": [missing(EDIT, cause, ground)],
           "user": {"id": 17, "name": "Pat", "admin": belief(true), "group": "Technicians"}})
}

fn group() -> Scope {
    Scope::SecurityGroup { tenant: "acme".to_owned(), group: "Technicians".to_owned() }
}

fn user() -> Scope {
    Scope::User { tenant: "acme".to_owned(), user: 17 }
}

/// A status in which everything is wrong, with the longest names.
fn extreme(permissions: &[&str], cause: &str) -> Value {
    let long = |text: &str| text.repeat(150);
    let permissions: Vec<_> = permissions.iter().map(|name| missing(name, cause, &Value::Null)).collect();
    json!({"state": "valid", "permissions": permissions, "customers_visible": 12, "value_since": at(61),
           "unreadable": {"Missing": long("the file `/x` ")}, "elsewhere": {"subdomain": long("b`"), "is_same_token": true},
           "user": {"id": 17, "name": long("ü`"), "admin": belief(false), "group": long("g\n"),
                    "group_change": {"from": long("f "), "at": at(0)}}})
}

#[test]
fn every_line_is_short_whatever_the_names_and_the_lists() {
    let permissions: Vec<_> = catalog().permissions().map(|(permission, _)| permission.name()).take(20).collect();
    let names: Vec<_> = (0..30).map(|number| format!("{}{number}", "n".repeat(200))).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    for cause in ["security_group", "user", "token", "undetermined"] {
        let mut world = World::new(&names, extreme(&permissions, cause));
        let tenant =
            Tenant { name: "t`".repeat(200), subdomain: Some("s".repeat(200)), ..(*world.tokens[0].tenant).clone() };
        let tenant = Arc::new(tenant);
        for token in &mut world.tokens {
            (token.tenant, token.expires) = (Arc::clone(&tenant), Some(at(86_400 * 9)));
        }
        let of = |name: &&str| {
            permissions.iter().map(|permission| Affected::permission(name, permission)).collect::<Vec<_>>()
        };
        let affected: Vec<_> = names.iter().flat_map(of).collect();
        let whole = || tenant.name.clone();
        let scopes = [
            Scope::Tenant(whole()),
            Scope::of_token(&tenant.name, names[0]),
            Scope::User { tenant: whole(), user: 17 },
            Scope::SecurityGroup { tenant: whole(), group: "g".repeat(300) },
        ];
        for (alert, scope) in OF_TENANTS.iter().flat_map(|alert| scopes.iter().map(move |scope| (*alert, scope))) {
            let Message { line, steps, .. } = world.says(alert, scope.clone(), affected.clone());
            let about = format!("{} {scope:?} {cause}: {line}", alert.as_str());
            assert!((60..=LONGEST_LINE).contains(&line.chars().count()), "{about}");
            assert!(!line.contains('\n') && line.matches('`').count() % 2 == 0, "{about}");
            assert!((1..=6).contains(&steps.len()), "{about}: {steps:?}");
            assert!(steps.iter().all(|step| step.chars().count() < 1200), "{about}: {steps:?}");
        }
    }
}

#[test]
fn the_lines_about_the_fleet_are_short_too() {
    let silent = Outage::Unreachable { since: at(0), tenants: 99_999, of: 100_000, certain: true };
    let state = TokenState::WrongAccount;
    let bad = Outage::TurnedBad { state, since: at(0), tenants: 99_999, of: 100_000, certain: true };
    let messages = [
        outage(&silent),
        outage(&bad),
        throttled(&Throttled { since: at(0), host: "h`".repeat(300), source_address: Some([203, 0, 113, 4].into()) }),
        impaired(&Impaired { since: at(0), tokens: 1, detail: "d\n".repeat(3000) }),
    ];
    for Message { line, steps, .. } in messages {
        assert!(line.chars().count() <= LONGEST_LINE && !line.contains('\n') && steps.len() >= 2, "{line}");
    }
    assert!(outage(&silent).steps[0].contains("https://www.syncrostatus.com"));
}

#[test]
fn a_line_says_what_for_whom_since_when_who_and_by_which_evidence() {
    let ground = json!({"strength": "indicated", "rule": "lost_together"});
    let world = World::new(&["backup", "jumpcloud"], lost("security_group", &ground));
    let affected = ["backup", "jumpcloud"].map(|name| Affected::permission(name, EDIT));
    let message = world.says(Alert::PermissionLost, group(), affected.to_vec());
    let expected = "the security group `Technicians` of tenant `acme` probably lost `Tickets - Edit`, needed by JumpCloud \
                    (Multi-Tenant Portal); since 2027-01-15 08:00 UTC; affected: `backup` and `jumpcloud`; evidence: ";
    assert!(message.line.starts_with(expected), "{}", message.line);
    assert!(
        message.line.ends_with(" answered 401, and that all tokens that had it lost it together"),
        "{}",
        message.line
    );
    assert_eq!((message.cause, message.strength), (Some(Cause::SecurityGroup), Some(Strength::Indicated)));
    assert_eq!((message.security_group.as_deref(), message.user_id), (Some("Technicians"), None));
    assert_eq!(message.profiles, ["jumpcloud"]);
    let first = "Open https://acme.syncromsp.com and go to More > Admin > Syncro Administration > Security Groups > \
                 `Technicians`, tick `Tickets - Edit`, and save";
    assert_eq!(message.steps[0], first);
    let message = world.says(Alert::PermissionLost, user(), affected.to_vec());
    let expected = "the security group of the user `Pat` of tenant `acme` probably lost ";
    assert!(message.line.starts_with(expected), "{}", message.line);
}

#[test]
fn where_the_cause_is_not_known_both_places_are_named() {
    let message = World::new(&["t"], lost("undetermined", &Value::Null)).says_lost(Scope::of_token("acme", "t"));
    assert!(
        message.line.contains("either the security group `Technicians` lacks it, or the token"),
        "{}",
        message.line
    );
    assert!(message.steps[0].contains("Security Groups > `Technicians`"), "{:?}", message.steps);
    assert!(
        message.steps[1].contains("https://acme.syncromsp.com/api_tokens/new#new-api-token"),
        "{:?}",
        message.steps
    );
    assert_eq!((message.cause, message.strength), (Some(Cause::Undetermined), Some(Strength::Shown)));
}

#[test]
fn probably_is_said_only_of_what_is_not_shown() {
    let of = |strength: &str, rule: &str| {
        let ground = json!({"strength": strength, "rule": rule});
        World::new(&["t"], lost("token", &ground)).says_lost(Scope::of_token("acme", "t"))
    };
    let shown = of("shown", "global_admin");
    assert!(!shown.line.contains("probably") && shown.line.contains("so the token itself lacks it"), "{}", shown.line);
    assert!(
        shown.steps[0].starts_with("Make a new token at https://acme.syncromsp.com/api_tokens/new"),
        "{:?}",
        shown.steps
    );
    let indicated = of("indicated", "same_group");
    assert!(indicated.line.contains("probably the token itself lacks it"), "{}", indicated.line);
    assert!(indicated.steps[0].contains("Security Groups"), "{:?}", indicated.steps);
}

#[test]
fn tokens_that_lack_it_for_different_causes_accuse_nobody() {
    let mut world = World::new(&["a", "b"], lost("security_group", &Value::Null));
    world.statuses[1] = serde_json::from_value(lost("token", &Value::Null)).unwrap();
    let affected = ["a", "b"].map(|name| Affected::permission(name, EDIT));
    let message = world.says(Alert::PermissionLost, group(), affected.to_vec());
    assert_eq!(message.cause, Some(Cause::Undetermined));
    assert!(message.line.starts_with("tokens of tenant `acme` lost "), "{}", message.line);
}

#[test]
fn a_token_is_said_to_have_expired_only_if_that_may_be() {
    let mut world = World::new(&["t"], json!({"state": "rejected", "validity": {"last_attempt": at(100)}}));
    assert!(world.says_of_token(Alert::TokenRejected).line.contains("refused: expired, revoked, deleted or mistyped"));
    assert!(!world.says_of_token(Alert::TokenRestricted).line.contains("expired"));
    world.tokens[0].expires = Some(at(50));
    let expired = world.says_of_token(Alert::TokenExpired).line;
    assert!(expired.contains("expired (declared expiry 2027-01-15 08:00 UTC)"), "{expired}");
    world.tokens[0].expires = Some(at(86_400 * 400));
    assert!(!world.says_of_token(Alert::TokenRejected).line.contains("expired"));
    let moved = world.says_of_token(Alert::TokenExpired).line;
    assert!(!moved.contains("declared expiry 2"), "the date is ahead: {moved}");
}

#[test]
fn the_date_is_extended_first_and_asked_for_where_the_value_is_new() {
    let mut world = World::new(&["t"], json!({"state": "valid"}));
    world.tokens[0].expires = Some(at(86_400 * 9));
    let message = world.says_of_token(Alert::TokenExpiring);
    let expected = "token `t` of tenant `acme` expires in 8 days, on 2027-01-24 08:00 UTC; then the calls of JumpCloud \
                    (Multi-Tenant Portal) fail; ";
    assert!(message.line.starts_with(expected), "{}", message.line);
    let first = "Open https://acme.syncromsp.com/api_tokens (More > Admin > API > API Tokens) and extend the date of the token `t`";
    assert!(message.steps[0].starts_with(first), "{:?}", message.steps);
    assert!(message.steps[1].starts_with("Set `expires` of the token `t` of the tenant `acme` in the configuration"));
    world.statuses[0].value_since = Some(at(59));
    let before = world.says_of_token(Alert::TokenExpiring);
    assert!(!before.line.contains("another value"), "the alert began after it: {}", before.line);
    world.statuses[0].value_since = Some(at(61));
    let message = world.says_of_token(Alert::TokenExpiring);
    assert!(message.line.contains("it has another value meanwhile"), "{}", message.line);
    assert_eq!(message.steps.len(), 2, "{:?}", message.steps);
    assert!(message.steps[1].starts_with("Set `expires`"), "{:?}", message.steps);
}

#[test]
fn the_steps_name_the_place_of_the_value_and_its_key() {
    let mut world = World::new(&["t"], json!({"state": "expired"}));
    let sources = [
        (TokenSource::File(PathBuf::from("/etc/tokens/t")), "the file `/etc/tokens/t` (`token_file`)"),
        (TokenSource::Environment("ACME".to_owned()), "the environment variable `ACME` (`token_env`)"),
        (TokenSource::Credential("acme".to_owned()), "the systemd credential `acme` (`token_credential`)"),
    ];
    for (source, expected) in sources {
        let is_file = matches!(source, TokenSource::File(_));
        world.tokens[0].source = source;
        for alert in [Alert::TokenExpired, Alert::TokenRejected, Alert::TokenUnreadable, Alert::TokenWrongAccount] {
            let steps = world.says_of_token(alert).steps.join("\n");
            assert!(steps.contains(expected), "{steps}");
        }
        let steps = world.says_of_token(Alert::TokenExpired).steps.join("\n");
        assert_eq!(steps.to_lowercase().contains("restart the monitor"), !is_file, "{steps}");
    }
}

#[test]
fn a_user_is_named_or_has_a_number() {
    let mut world = World::new(&["t", "u"], lost("undetermined", &Value::Null));
    let affected = || vec![Affected::token("t"), Affected::token("u")];
    let message = world.says(Alert::UserLockedOut, user(), affected());
    assert!(message.line.starts_with("the user `Pat` of tenant `acme` may not use Syncro"), "{}", message.line);
    assert!(message.line.contains("affected: `t` and `u`") && message.user_id == Some(17), "{}", message.line);
    for status in &mut world.statuses {
        status.user.as_mut().unwrap().name = None;
    }
    let message = world.says(Alert::UserDisabled, user(), affected());
    assert!(message.line.starts_with("the user 17 of tenant `acme` is not in the list of users"), "{}", message.line);
    assert!(message.line.contains("still work") && message.strength == Some(Strength::Indicated), "{}", message.line);
    assert!(message.steps[0].contains("Users > the user 17"), "{:?}", message.steps);
}

#[test]
fn a_user_who_was_moved_is_said_to_be_with_what_went_with_it() {
    let mut status = lost("undetermined", &Value::Null);
    status["user"]["group_change"] = json!({"from": "Managers", "at": at(0)});
    let world = World::new(&["t"], status);
    let message = world.says(Alert::UserChanged, user(), vec![Affected::token("t")]);
    let expected = "the user `Pat` of tenant `acme` is in the security group `Technicians` now and was in `Managers` before; \
                    nothing that is watched is missing yet; since ";
    assert!(message.line.starts_with(expected), "{}", message.line);
    assert_eq!(message.cause, None);
    let affected = vec![Affected::token("t"), Affected::permission("t", EDIT), Affected::right("t", "ticket.write")];
    let message = world.says(Alert::UserChanged, user(), affected);
    assert!(
        message.line.contains("with it went `Tickets - Edit` and the right `ticket.write`, needed by "),
        "{}",
        message.line
    );
    assert!(message.steps[0].contains("Security/Calendar Group > `Managers` > Save"), "{:?}", message.steps);
}

#[test]
fn a_message_has_the_contacts_and_notes_of_its_tokens() {
    let mut world = World::new(&["a", "b", "c"], json!({"state": "blocked"}));
    for (index, contact) in [(0, "Pat"), (1, "Sam"), (2, "Pat")] {
        world.tokens[index].contact = Some(contact.to_owned());
    }
    world.tokens[1].note = Some("renew with the vendor".to_owned());
    let affected = ["a", "b", "c"].map(Affected::token).to_vec();
    let message = world.says(Alert::TenantBlocked, Scope::Tenant("acme".to_owned()), affected);
    assert_eq!(message.contact.as_deref(), Some("a: Pat; b: Sam; c: Pat"));
    assert_eq!(message.note.as_deref(), Some("b: renew with the vendor"));
    assert!(message.line.contains("it is its address, not the tokens"), "{}", message.line);
    for token in &mut world.tokens {
        token.contact = Some("Pat".to_owned());
    }
    let affected = ["a", "b", "c"].map(Affected::token).to_vec();
    let message = world.says(Alert::TenantBlocked, Scope::Tenant("acme".to_owned()), affected);
    assert_eq!(message.contact.as_deref(), Some("Pat"), "the same for all");
}

#[test]
fn a_long_silence_may_mean_that_the_account_is_gone() {
    let world = World::new(&["t"], json!({}));
    let silent = |severity, seconds| {
        let scope = Scope::Tenant("acme".to_owned());
        let firing = Firing::new(Alert::TenantUnreachable, scope, severity, at(0), at(0), Vec::new(), &[]);
        let tenancy = Tenancy { silent: Some((at(0), "dns")), ..world.tenancy() };
        of_tenant(&firing, &tenancy, Rules::new(&world.alerts, at(seconds)))
    };
    let short = silent(Severity::Warning, 3600);
    let expected = "no check of any token of tenant `acme` gives a verdict (dns); since 2027-01-15 08:00 UTC; nothing is known \
                    to be wrong with its tokens";
    assert_eq!((short.line.as_str(), short.steps.len()), (expected, 2));
    let long = silent(Severity::Critical, 86_400 * 3);
    assert!(long.line.contains("for 3 days: perhaps the account was closed or renamed"), "{}", long.line);
    assert!(long.steps[2].contains("set `subdomain` of the tenant `acme`"), "{:?}", long.steps);
}

#[test]
fn an_alert_that_is_over_quotes_what_was_and_has_no_steps() {
    let mut firing = Firing::new(
        Alert::TokenRejected,
        Scope::of_token("acme", "t"),
        Severity::Critical,
        at(0),
        at(60),
        vec![Affected::token("t")],
        &[],
    );
    firing.message = Message::new("`t` is refused; since then".to_owned(), vec!["Do it".to_owned()]);
    firing.message.profiles = vec!["jumpcloud".to_owned()];
    let over = ended(&firing, "the token works again", |_| "a date".to_owned());
    assert_eq!(over.line, "over, the token works again; it was: `t` is refused; since then");
    assert!(over.steps.is_empty() && over.profiles == ["jumpcloud"]);
    firing.message.line = format!("`{}", "t".repeat(390));
    let over = ended(&firing, "x", |_| "2027-01-15".to_owned());
    assert!(over.line.starts_with("over, x; it was, since 2027-01-15: `ttt"), "{}", over.line);
    assert!(over.line.ends_with('`') && over.line.chars().count() <= LONGEST_LINE, "{}", over.line);
}

/// What an alert of this kind affects in a fleet of ordinary names.
fn affected_by(alert: Alert, names: &[&str]) -> Vec<Affected> {
    let of = |name: &&str| match alert {
        Alert::PermissionLost | Alert::PermissionMissing => vec![Affected::permission(name, EDIT)],
        Alert::SecurityGroupRightLost => vec![Affected::right(name, "ticket.write")],
        Alert::UserChanged => vec![Affected::permission(name, EDIT), Affected::right(name, "ticket.write")],
        _ => vec![Affected::token(name)],
    };
    names.iter().flat_map(of).collect()
}

/// The length of a step, apart from the addresses and paths in it.
fn length_without_paths(step: &str) -> usize {
    let is_path = |word: &&str| word.starts_with("https://") || word.contains("/etc/tokens");
    step.split(' ').filter(|word| !is_path(word)).map(|word| word.chars().count() + 1).sum()
}

#[test]
fn every_step_is_short_and_there_are_six_at_most() {
    let names: Vec<_> = (0..40).map(|number| format!("t{number}")).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    let mut status = lost("token", &Value::Null);
    status["user"]["group_change"] = json!({"from": "Managers", "at": at(0)});
    for (cause, has_profile, number) in [
        ("token", true, 1),
        ("security_group", true, 5),
        ("undetermined", false, 1),
        ("undetermined", false, 40),
        ("user", false, 2),
    ] {
        status["permissions"] = json!([missing(EDIT, cause, &Value::Null)]);
        let mut world = World::new(&names[..number], status.clone());
        for token in &mut world.tokens {
            token.expires = Some(at(86_400 * 9));
            token.profile = token.profile.take().filter(|_| has_profile);
        }
        let own = Scope::of_token("acme", "t0");
        for alert in OF_TENANTS {
            let scope = match alert {
                Alert::UserLockedOut | Alert::UserDisabled | Alert::UserChanged => user(),
                Alert::TenantBlocked | Alert::TenantRenamed => Scope::Tenant("acme".to_owned()),
                Alert::PermissionLost if number > 1 => group(),
                Alert::SecurityGroupRightLost => group(),
                _ => own.clone(),
            };
            let number = if scope == own { 1 } else { number };
            let message = world.says(alert, scope, affected_by(alert, &names[..number]));
            let text = format!("{} {cause}: {}", alert.as_str(), message.text());
            assert!(message.steps.len() <= 6, "{text}");
            assert!(message.steps.iter().all(|step| length_without_paths(step) <= 210), "{text}");
            let steps = message.steps.join("\n");
            assert!(!steps.contains("ticket.write"), "a right is no box to tick: {text}");
            for wrong in ["what what", "what the integration of", ": Open", " ,", "user of token"] {
                assert!(!text.contains(wrong), "{wrong}: {text}");
            }
        }
    }
}

#[test]
fn forty_tokens_are_counted_and_a_few_of_them_named() {
    let names: Vec<_> = (0..40).map(|number| format!("t{number}")).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    let mut world = World::new(&names, json!({"state": "blocked"}));
    let affected = || names.iter().map(|name| Affected::token(name)).collect::<Vec<_>>();
    let message = world.says(Alert::TenantBlocked, Scope::Tenant("acme".to_owned()), affected());
    assert!(message.line.contains("; affected: 40 tokens, among them `t0`, `t1` and `t10`; "), "{}", message.line);
    let locked = world.says(Alert::UserLockedOut, user(), affected());
    let put = locked.steps.iter().find(|step| step.starts_with("Put each value")).unwrap();
    assert!(put.contains("`t10`: `/etc/tokens/t10` and 37 more)"), "{put}");
    world.tokens.iter_mut().for_each(|token| token.profile = None);
    let message = world.says(Alert::TenantBlocked, Scope::Tenant("acme".to_owned()), affected());
    assert!(
        message.line.contains("the calls of the integrations of `t0`, `t1`, `t10` and 37 more fail"),
        "{}",
        message.line
    );
}

#[test]
fn a_user_who_is_not_known_yet_is_left_out() {
    let mut world = World::new(&["t"], json!({"state": "valid"}));
    world.tokens[0].expires = Some(at(86_400 * 9));
    world.tokens[0].profile = None;
    let steps = world.says_of_token(Alert::TokenExpiring).steps.join("\n");
    assert!(steps.contains("extend the date of the token `t`; its value stays the same"), "{steps}");
    assert!(steps.contains("(Custom Permissions), and tick what is needed by the integration of `t`"), "{steps}");
}

#[test]
fn where_only_rights_were_lost_it_is_to_be_seen_what_was_unticked() {
    let mut status = lost("undetermined", &Value::Null);
    status["user"]["group_change"] = json!({"from": "Managers", "at": at(0)});
    let world = World::new(&["t"], status);
    let message = world.says(Alert::UserChanged, user(), vec![Affected::right("t", "ticket.write")]);
    assert!(message.line.contains("with it went the right `ticket.write`; since "), "{}", message.line);
    assert!(
        message.steps[1].contains("`Technicians`, see what is unticked there, and tick what"),
        "{:?}",
        message.steps
    );
}
