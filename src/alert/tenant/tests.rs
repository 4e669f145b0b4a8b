//! Why an alert is over, in the words that say so, and what keeps it up.

use serde_json::{Value, json};

use super::*;
use crate::alert::{Member, Severity};
use crate::belief::TokenStatus;
use crate::config::Alerts;
use crate::model::{Ignored, Token};
use crate::testing::{at, config, firing, permission, token};

const LIST: &str = "Tickets - List/Search";
const NO_LONGER: &str = "it is no longer in the configuration";

/// One token, `t`, and what is believed of it.
struct World {
    token: Token,
    status: TokenStatus,
    alerts: Alerts,
}

impl World {
    fn new(status: Value) -> Self {
        let (token, status) = (token("t", &[LIST]), serde_json::from_value(status).unwrap());
        Self { token, status, alerts: config(Vec::new()).alerts }
    }

    fn with<T>(&self, member: impl Fn(&mut Member<'_>), what: impl FnOnce(&Members<'_>) -> T) -> T {
        let mut one = Member::alone(&self.token, &self.status);
        member(&mut one);
        let tenancy = Tenancy { name: "acme", members: [("t", one)].into(), ..Tenancy::default() };
        what(&Members { tenancy: &tenancy, rules: Rules::new(&self.alerts, at(60)) })
    }

    /// Why an alert that affects this is over.
    fn why(&self, alert: Alert, affected: Vec<Affected>) -> &'static str {
        let alert = firing(alert, Scope::of_token("acme", "t"), Severity::Critical, affected);
        self.with(|_| {}, |members| members.why_ended(&alert))
    }
}

fn valid() -> World {
    World::new(json!({ "state": "valid" }))
}

fn whole() -> Vec<Affected> {
    vec![Affected::token("t")]
}

/// A token of which this is believed of the list.
fn of_list(held: bool) -> Value {
    let belief = json!({ "held": held, "since": at(0), "lost": !held, "doubts": 0, "doubted_at": at(0) });
    let permission = json!({ "permission": LIST, "belief": belief, "evidence": "probe", "answer": 401,
                             "cause": "token", "unseen": false });
    json!({ "state": "valid", "permissions": [permission] })
}

#[test]
fn an_alert_is_over_for_the_reason_that_is_so() {
    let cases = [
        (Alert::TenantUnreachable, "a check gave a verdict"),
        (Alert::TokenExpiring, "its date was moved"),
        (Alert::SecurityGroupRightLost, "the user has the right again"),
        (Alert::UserChanged, "it was changed back, or nothing is missing and it is no longer news"),
        (Alert::UserDisabled, "the user is in the list of users again"),
        (Alert::CustomersHidden, "the token sees as many customers as before, or the change is no longer news"),
        (Alert::TokenUnreadable, "its value is readable again"),
        (Alert::TokenRejected, "the token works again"),
    ];
    for (alert, why) in cases {
        assert_eq!(valid().why(alert, whole()), why, "{alert:?}");
        assert_eq!(valid().why(alert, vec![Affected::token("gone")]), NO_LONGER, "{alert:?}");
    }
    assert_eq!(valid().why(Alert::TenantUnreachable, Vec::new()), "a check gave a verdict");
    let two = || vec![Affected::token("t"), Affected::token("u")];
    assert_eq!(valid().why(Alert::UserLockedOut, two()), "the tokens work again");
    let other = World::new(json!({ "state": "expired" }));
    assert_eq!(other.why(Alert::TokenRejected, whole()), "the state of the token is another one now");
}

#[test]
fn a_wrong_date_was_corrected_or_the_state_is_another_one() {
    let mut world = World::new(json!({ "state": "valid", "validity": { "last_attempt": at(50) } }));
    let why = |world: &World| world.why(Alert::TokenExpiryOutdated, whole());
    assert_eq!(why(&world), "its date was corrected", "none is declared any more");
    world.token.expires = Some(at(51));
    assert_eq!(why(&world), "its date was corrected", "it is ahead of the last check");
    world.token.expires = Some(at(50));
    assert_eq!(why(&world), "the token works again");
}

#[test]
fn what_was_missing_is_granted_not_wanted_meant_to_be_missing_or_not_shown() {
    let lacks = |name: &str| vec![Affected::permission("t", name)];
    for alert in [Alert::PermissionLost, Alert::PermissionMissing] {
        let why = |world: &World| world.why(alert, lacks(LIST));
        assert_eq!(why(&World::new(of_list(true))), "nothing of it is missing any more");
        assert_eq!(valid().why(alert, lacks("Tickets - Edit")), "it is no longer wanted");
        assert_eq!(why(&World::new(of_list(false))), "nothing shows any more that the token itself lacks it");
        let mut meant = World::new(of_list(false));
        let ignored = |until: i64| Ignored {
            permission: permission(LIST),
            reason: "it only writes".to_owned(),
            until: Some(at(until)),
        };
        meant.token.ignored = vec![ignored(61)];
        assert_eq!(why(&meant), "the configuration says that it is meant to be missing");
        meant.token.ignored = vec![ignored(60)];
        assert_eq!(why(&meant), "nothing shows any more that the token itself lacks it", "that has ended");
        let both = [lacks(LIST), lacks("Tickets - Edit")].concat();
        assert_eq!(World::new(of_list(true)).why(alert, both), "nothing of it is missing any more", "one is wanted");
        let beside_gone = |name: &str| vec![Affected::permission("gone", LIST), Affected::permission("t", name)];
        assert_eq!(
            valid().why(alert, beside_gone("Tickets - Edit")),
            "it is no longer wanted",
            "of a token that is gone"
        );
        let has = World::new(of_list(true));
        assert_eq!(has.why(alert, beside_gone(LIST)), "nothing of it is missing any more", "of the one that is there");
    }
}

#[test]
fn nothing_can_be_said_of_what_a_token_lacks_while_it_does_not_work() {
    let lost = |alert| firing(alert, Scope::of_token("acme", "t"), Severity::Critical, Vec::new());
    let listed = Affected::permission("t", LIST);
    let is_frozen = |world: &World, alert, affected: Option<&Affected>| {
        world.with(|_| {}, |members| members.is_frozen(&lost(alert), affected))
    };
    let dead = World::new(json!({ "state": "rejected" }));
    assert!(is_frozen(&dead, Alert::PermissionLost, Some(&listed)));
    assert!(!is_frozen(&valid(), Alert::PermissionLost, Some(&listed)));
    assert!(!is_frozen(&dead, Alert::TokenRejected, Some(&listed)), "its state is known");
    assert!(!is_frozen(&dead, Alert::PermissionLost, Some(&Affected::token("gone"))));
    assert!(!is_frozen(&dead, Alert::TenantUnreachable, None));
}

#[test]
fn whoever_is_concerned_is_waited_for_and_nobody_else() {
    let key = |alert, of| AlertKey { alert, of };
    let user = |user| Scope::User { tenant: "acme".to_owned(), user };
    let world = World::new(json!({ "state": "valid", "user": { "id": 17, "admin":
        { "held": false, "since": at(0), "lost": false, "doubts": 0, "doubted_at": at(0) }, "group": null } }));
    let is_pending = |key: &AlertKey| world.with(|member| member.is_pending = true, |one| one.is_pending(key, false));
    assert!(is_pending(&key(Alert::UserLockedOut, user(17))));
    assert!(!is_pending(&key(Alert::UserLockedOut, user(18))));
    let another = Scope::of_token("acme", "another");
    assert!(!is_pending(&key(Alert::TokenRejected, another.clone())));
    assert!(is_pending(&key(Alert::TokenWrongAccount, another)), "the account may have been renamed");
    let listing = |affected| firing(Alert::TokenRejected, user(17), Severity::Critical, affected);
    let is_behind = |affected: Vec<Affected>, is_behind| {
        world.with(|member| member.is_behind = is_behind, |members| members.is_behind(&listing(affected)))
    };
    assert!(is_behind(whole(), true) && !is_behind(whole(), false));
    assert!(is_behind(Vec::new(), true) && !is_behind(Vec::new(), false));
    assert!(!is_behind(vec![Affected::token("gone")], true));
}

#[test]
fn an_alert_of_a_tenant_that_left_is_resolved_as_it_was() {
    let one = firing(Alert::TokenRejected, Scope::of_token("acme", "t"), Severity::Critical, whole());
    let [over] = &retire(vec![one.clone()])[..] else { panic!("one alert has one end") };
    assert_eq!((over.change, &over.id), (Change::Resolved, &one.id));
    assert!(over.message.line.contains(NO_LONGER) && over.message.line.contains("TokenRejected is so"), "{over:?}");
}

#[test]
fn an_alert_begins_with_its_message_and_ends_with_the_reason() {
    let (mut firing, mut waiting) = (Vec::new(), Waiting::default());
    let mut see = |world: &World, seconds: i64| {
        let member = Member::alone(&world.token, &world.status);
        let tenancy = Tenancy { name: "acme", members: [("t", member)].into(), ..Tenancy::default() };
        let rules = Rules::new(&world.alerts, at(seconds));
        let outcome = tenant_alerts(rules, &tenancy, &mut firing, &mut waiting);
        let said = |one: Notification| format!("{:?} {}", one.change, one.message.line);
        (outcome.notifications.into_iter().map(said).collect::<Vec<_>>(), outcome.next)
    };
    let expiring = |status: Value| {
        let mut world = World::new(status);
        world.token.expires = Some(at(50 * 86_400));
        world
    };
    let days = |days: i64| days * 86_400;
    let (said, next) = see(&expiring(json!({ "state": "valid" })), days(0));
    assert_eq!((said, next), (Vec::new(), Some(at(days(20)))), "the first notice is the next moment");
    let (said, _) = see(&expiring(json!({ "state": "valid" })), days(20));
    assert!(said.len() == 1 && said[0].starts_with("New ") && said[0].contains("acme"), "{said:?}");
    let (said, _) = see(&expiring(json!({ "state": "rejected", "since": at(days(21)) })), days(21));
    assert!(said.len() == 2 && said[0].starts_with("New ") && said[1].starts_with("Superseded "), "{said:?}");
    assert!(said[1].contains("another alert has taken its place"), "{said:?}");
    let (said, _) = see(&valid(), days(22));
    assert!(
        said.len() == 1 && said[0].starts_with("Resolved ") && said[0].contains("the token works again"),
        "{said:?}"
    );
}
