//! Where findings belong, one situation at a time.

use super::*;
use crate::alert::kind::Severity;
use crate::model::Scope;
use crate::testing::{at, firing};

fn group() -> Scope {
    Scope::SecurityGroup { tenant: "acme".to_owned(), group: "Technicians".to_owned() }
}

fn user() -> Scope {
    Scope::User { tenant: "acme".to_owned(), user: 7 }
}

fn token(name: &str) -> Scope {
    Scope::of_token("acme", name)
}

/// A permission that a token lost, first seen to be refused 10 seconds after the alerts below began.
fn lost(token_name: &str, permission: &str) -> Finding {
    let finding = Finding::new(Alert::PermissionLost, group(), Severity::Critical, at(10));
    finding.affecting(Affected::permission(token_name, permission))
}

/// A right that the user of a token lost, first seen at the same time.
fn right(token_name: &str) -> Finding {
    let finding = Finding::new(Alert::SecurityGroupRightLost, group(), Severity::Warning, at(10));
    finding.affecting(Affected::right(token_name, "ticket.write"))
}

/// An alert that began at the moment 0 and lists these permissions, `TOKEN:PERMISSION`; `=` before one makes it a right.
fn fires(alert: Alert, scope: Scope, affected: &[&str]) -> Firing {
    let one = |text: &&str| {
        let (token_name, thing) = text.split_once(':').unwrap();
        let right = thing.strip_prefix('=').map(|right| Affected::right(token_name, right));
        right.unwrap_or_else(|| Affected::permission(token_name, thing))
    };
    let mut affected: Vec<_> = affected.iter().map(one).collect();
    affected.sort();
    firing(alert, scope, Severity::Critical, affected)
}

/// What each alert lists, `*` where something moved away from it, and then what begins.
fn listed(findings: &[Finding], firing: &[Firing], is_held: bool) -> Vec<String> {
    let listing = list(findings, firing, |_| is_held, |_, _| true);
    let names = |indexes: &[usize]| {
        let name = |index: &usize| {
            let affected = findings[*index].affected.as_ref().unwrap();
            format!("{}:{}", affected.token_name, affected.thing().unwrap())
        };
        let mut names: Vec<_> = indexes.iter().map(name).collect();
        names.sort();
        names.join(" ")
    };
    let moved = |index: usize| if listing.has_moved[index] { "*" } else { "" };
    let kept = listing.kept.iter().enumerate();
    let kept = kept.map(|(index, kept)| format!("{index}{} {}", moved(index), names(kept)));
    let new = listing.new.iter().map(|(key, new)| format!("{} {} {}", key.alert.as_str(), key.of.kind(), names(new)));
    kept.chain(new).collect()
}

#[test]
fn what_is_of_the_round_of_an_alert_joins_it_and_what_came_later_begins_another() {
    let alert = || [fires(Alert::PermissionLost, group(), &["a:Edit"])];
    let with = |finding: Finding| listed(&[lost("a", "Edit"), finding], &alert(), false);
    let joined = |what: &str| vec![format!("0 a:Edit {what}")];
    let apart = |what: &str| vec!["0 a:Edit".to_owned(), format!("PermissionLost security_group {what}")];
    assert_eq!(with(lost("a", "View")), joined("a:View"));
    assert_eq!(with(Finding { since: at(120), ..lost("a", "View") }), joined("a:View"), "the end of the round");
    assert_eq!(with(Finding { since: at(121), ..lost("a", "View") }), apart("a:View"));
    assert_eq!(with(Finding { granted_at: at(0), ..lost("a", "View") }), joined("a:View"));
    assert_eq!(with(Finding { granted_at: at(1), ..lost("a", "View") }), apart("a:View"), "it was granted since");
    // Whoever comes later and lacks the same was hurt by the same click.
    assert_eq!(with(Finding { since: at(500), ..lost("b", "Edit") }), joined("b:Edit"));
    assert_eq!(with(Finding { since: at(500), granted_at: at(1), ..lost("b", "Edit") }), apart("b:Edit"));
    let missing = |permission| Finding { alert: Alert::PermissionMissing, ..lost("b", permission) };
    assert_eq!(with(missing("Edit")), joined("b:Edit"));
    assert_eq!(with(missing("View")), ["0 a:Edit", "PermissionMissing security_group b:View"]);
    let waits = Finding { may_begin: false, ..lost("a", "View") };
    assert_eq!(with(waits), ["0 a:Edit"], "nothing says so now");
}

#[test]
fn what_is_listed_moves_where_its_cause_is_known_better_and_not_where_it_is_not() {
    let of_token = || fires(Alert::PermissionLost, token("a"), &["a:Edit"]);
    let of_group = fires(Alert::PermissionLost, group(), &["b:Edit"]);
    assert_eq!(listed(&[lost("a", "Edit")], &[of_token()], false), ["0* ", "PermissionLost security_group a:Edit"]);
    let vague = Finding { is_vague: true, ..lost("a", "Edit") };
    assert_eq!(listed(&[vague], &[of_token()], false), ["0 a:Edit"]);
    let waits = Finding { may_begin: false, ..lost("a", "Edit") };
    assert_eq!(listed(&[waits], &[of_token()], false), ["0 a:Edit"], "nothing begins by it");
    let both = [lost("a", "Edit"), lost("b", "Edit")];
    assert_eq!(listed(&both, &[of_token(), of_group], false), ["0* ", "1 a:Edit b:Edit"]);
    let missing = Finding { alert: Alert::PermissionMissing, ..lost("b", "Edit") };
    let of_group = fires(Alert::PermissionLost, group(), &["b:Edit"]);
    assert_eq!(listed(&[missing], &[of_group], false), ["0 b:Edit"], "it is missing still");
}

#[test]
fn a_right_goes_along_with_what_explains_it_and_is_an_alert_where_nothing_does() {
    let alone = "SecurityGroupRightLost security_group a:ticket.write";
    assert_eq!(listed(&[right("a")], &[], false), [alone]);
    let together = "PermissionLost security_group a:Edit a:ticket.write";
    assert_eq!(listed(&[lost("a", "Edit"), right("a")], &[], false), [together]);
    let fires_for = |scope| [fires(Alert::PermissionLost, scope, &["a:Edit"])];
    assert_eq!(listed(&[lost("a", "Edit"), right("a")], &fires_for(group()), false), ["0 a:Edit a:ticket.write"]);
    let later = Finding { since: at(121), ..right("a") };
    assert_eq!(listed(&[lost("a", "Edit"), later], &fires_for(group()), false), ["0 a:Edit", alone]);
    let missing = Finding { alert: Alert::PermissionMissing, ..lost("a", "Edit") };
    let apart = ["PermissionMissing security_group a:Edit", alone];
    assert_eq!(listed(&[missing, right("a")], &[], false), apart, "what was never granted explains no loss");
    // What the token alone lacks explains nothing of its user, unless it is only not known that it is the token.
    let of_token = || Finding { scope: token("a"), ..lost("a", "Edit") };
    assert_eq!(listed(&[of_token(), right("a")], &[], false), ["PermissionLost token a:Edit", alone]);
    let vague = Finding { is_vague: true, ..of_token() };
    assert_eq!(listed(&[vague, right("a")], &[], false), ["PermissionLost token a:Edit a:ticket.write"]);
    // The user lost the one, the group the other: the same token shows both.
    let of_user = || Finding { scope: user(), ..lost("a", "Edit") };
    assert_eq!(listed(&[of_user(), right("a")], &[], false), ["PermissionLost user a:Edit a:ticket.write"]);
    assert_eq!(listed(&[of_user(), right("b")], &[], false).len(), 2, "of another token");
    let shared = "SecurityGroupRightLost security_group a:ticket.write b:ticket.write";
    assert_eq!(listed(&[of_user(), right("a"), right("b")], &[], false), ["PermissionLost user a:Edit", shared]);
}

#[test]
fn what_stays_where_it_is_has_not_moved_and_what_is_about_a_tenant_is_listed_by_its_own_alert() {
    let together = [fires(Alert::PermissionLost, group(), &["a:Edit", "a:=ticket.write"])];
    assert_eq!(listed(&[lost("a", "Edit"), right("a")], &together, false), ["0 a:Edit a:ticket.write"]);
    let in_two = [
        fires(Alert::PermissionLost, group(), &["a:Edit"]),
        fires(Alert::SecurityGroupRightLost, group(), &["a:=ticket.write"]),
    ];
    assert_eq!(listed(&[lost("a", "Edit"), right("a")], &in_two, false), ["0 a:Edit a:ticket.write", "1* "]);
    let tenant = |name: &str| Scope::Tenant(name.to_owned());
    let silent = Finding::new(Alert::TenantUnreachable, tenant("acme"), Severity::Warning, at(10));
    let alert = |name: &str| firing(Alert::TenantUnreachable, tenant(name), Severity::Warning, Vec::new());
    assert_eq!(listed_in(&silent, &[alert("other"), alert("acme")]), Some(1));
    assert_eq!(listed_in(&silent, &[alert("other")]), None);
}

#[test]
fn a_right_whose_explanation_is_over_waits_for_the_next_check() {
    let explained = || [fires(Alert::PermissionLost, group(), &["a:Edit", "a:=ticket.write"])];
    let stale = || Finding { may_begin: false, ..right("a") };
    assert_eq!(listed(&[stale()], &explained(), false), ["0 "]);
    assert_eq!(
        listed(&[stale()], &explained(), true),
        ["0 a:ticket.write"],
        "the alert lists what nothing is known of"
    );
    assert_eq!(
        listed(&[right("a")], &explained(), false),
        ["0 ", "SecurityGroupRightLost security_group a:ticket.write"]
    );
    let alone = || [fires(Alert::SecurityGroupRightLost, group(), &["a:=ticket.write"])];
    assert_eq!(listed(&[stale()], &alone(), false), ["0 a:ticket.write"]);
    let vague = || Finding { scope: user(), is_vague: true, ..stale() };
    assert_eq!(listed(&[vague()], &alone(), false), ["0 a:ticket.write"], "of which group it is, is being read again");
    assert_eq!(listed(&[vague()], &explained(), false), ["0 "]);
    assert_eq!(
        listed(&[lost("a", "Edit"), right("a")], &alone(), false),
        ["0* ", "PermissionLost security_group a:Edit a:ticket.write"]
    );
}

#[test]
fn what_was_missing_from_the_start_belongs_to_the_loss_of_the_same() {
    let missing = |token_name: &str, permission: &str| Finding {
        alert: Alert::PermissionMissing,
        ..lost(token_name, permission)
    };
    let findings = [lost("a", "Edit"), missing("b", "Edit"), missing("b", "View")];
    let expected = ["PermissionLost security_group a:Edit b:Edit", "PermissionMissing security_group b:View"];
    assert_eq!(listed(&findings, &[], false), expected);
    assert_eq!(listed(&findings[..2], &[], false), expected[..1]);
}

#[test]
fn what_was_seen_before_a_token_left_stays_where_it_is_listed_and_is_in_no_other_alert() {
    let stale = |finding: Finding| Finding { is_stale: true, may_begin: false, ..finding };
    let alert = || [fires(Alert::PermissionLost, group(), &["a:Edit"])];
    assert_eq!(listed(&[stale(lost("a", "Edit")), stale(right("a"))], &alert(), false), ["0 a:Edit"]);
    assert_eq!(listed(&[stale(lost("a", "Edit"))], &[], false), Vec::<String>::new());
}
