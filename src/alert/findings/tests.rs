//! Which alert is about what, whom it is about, how bad it is, and from which moment on.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::*;
use crate::belief::TokenStatus;
use crate::config::Alerts;
use crate::model::Token;
use crate::testing::{at, config, token};

const LIST: &str = "Tickets - List/Search";
const DAY: i64 = 86_400;

/// The tokens of one tenant, what is believed of them, and since when the tenant has been silent.
struct World {
    tokens: Vec<Token>,
    statuses: Vec<TokenStatus>,
    alerts: Alerts,
    silent: Option<i64>,
    others_answer: bool,
}

impl World {
    /// Tokens `a`, `b` and so on of which this is believed.
    fn new(statuses: &[Value]) -> Self {
        let name = |index: usize| char::from(b'a' + u8::try_from(index).unwrap()).to_string();
        Self {
            tokens: (0..statuses.len()).map(|index| token(&name(index), &[LIST])).collect(),
            statuses: statuses.iter().map(|status| serde_json::from_value(status.clone()).unwrap()).collect(),
            alerts: config(Vec::new()).alerts,
            silent: None,
            others_answer: true,
        }
    }

    /// One token, which expires so many seconds after the moment 0.
    fn expiring(seconds: i64, status: &Value) -> Self {
        let mut world = Self::new(std::slice::from_ref(status));
        world.tokens[0].expires = Some(at(seconds));
        world
    }

    fn with<T>(&self, seconds: i64, what: impl FnOnce(&Tenancy<'_>, Rules<'_>) -> T) -> T {
        let member = |(token, status)| Member::alone(token, status);
        let members = self.tokens.iter().zip(&self.statuses).map(member);
        let tenancy = Tenancy {
            name: "acme",
            members: members.map(|member| (member.token.name.as_str(), member)).collect(),
            silent: self.silent.map(|since| (at(since), "timeout")),
            others_answer: self.others_answer,
            ..Tenancy::default()
        };
        what(&tenancy, Rules::new(&self.alerts, at(seconds)))
    }

    /// What is wrong at a moment: `TokenRejected critical a`, with a `~` where no alert may begin with it.
    fn wrong(&self, seconds: i64) -> Vec<String> {
        let said = |finding: Finding| {
            let subject = finding.scope.subject().unwrap_or_else(|| finding.scope.kind().to_owned());
            let thing = finding.affected.as_ref().and_then(Affected::thing).map(|thing| format!(" {thing}"));
            let begins = if finding.may_begin { "" } else { "~" };
            let severity = finding.severity.as_str();
            format!("{begins}{} {severity} {subject}{}", finding.alert.as_str(), thing.unwrap_or_default())
        };
        self.with(seconds, |tenancy, rules| findings(tenancy, rules).into_iter().map(said).collect())
    }

    /// The moments ahead, in seconds.
    fn ahead(&self, seconds: i64) -> Vec<i64> {
        let since_zero = |moment: DateTime<Utc>| (moment - at(0)).num_seconds();
        let mut all: Vec<_> =
            self.with(seconds, |tenancy, rules| moments(tenancy, rules).map(since_zero).collect::<Vec<_>>());
        all.sort_unstable();
        all
    }
}

fn state(state: &str) -> Value {
    json!({ "state": state, "since": at(0) })
}

fn belief(held: bool, since: i64) -> Value {
    json!({ "held": held, "since": at(since), "lost": !held, "doubts": 0, "doubted_at": at(since),
            "refused_at": at(since) })
}

/// A user in a security group, with more of what is believed of the user.
fn user(more: &Value) -> Value {
    let mut user = json!({ "id": 17, "admin": belief(true, -9), "group": "Technicians", "group_asked": at(0),
                           "group_change": null });
    user.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    user
}

/// A token that works and lost the list, by this side.
fn lost(cause: &str, user: &Value) -> Value {
    let permission = json!({ "permission": LIST, "belief": belief(false, 0), "evidence": "probe", "answer": 401,
                             "cause": cause, "unseen": false });
    json!({ "state": "valid", "since": at(-9), "permissions": [permission], "user": user })
}

#[test]
fn a_token_that_does_not_work_is_critical_and_its_state_says_whom_that_is_about() {
    let cases = [
        ("expired", "TokenExpired critical a"),
        ("rejected", "TokenRejected critical a"),
        ("restricted", "TokenRestricted critical a"),
        ("wrong_account", "TokenWrongAccount critical a"),
        ("locked_out", "UserLockedOut critical user 17"),
        ("blocked", "TenantBlocked critical tenant"),
        ("unreadable", "TokenUnreadable critical a"),
    ];
    for (word, expected) in cases {
        let mut status = state(word);
        status["user"] = user(&json!({}));
        assert_eq!(World::new(&[status]).wrong(0), [expected]);
    }
    assert_eq!(World::new(&[state("locked_out")]).wrong(0), ["UserLockedOut critical a"], "the user is not known");
    assert_eq!(World::new(&[state("valid"), state("unknown")]).wrong(0), [""; 0]);
}

#[test]
fn an_account_was_renamed_only_if_all_its_tokens_name_the_same_other_one() {
    let elsewhere = |subdomain: &str, same: Value, success: i64| {
        json!({ "state": "wrong_account", "since": at(0), "validity": { "last_success": at(success) },
                "elsewhere": { "subdomain": subdomain, "is_same_token": same } })
    };
    let moved = |subdomain: &str| elsewhere(subdomain, json!(true), 5);
    let valid =
        |success: i64| json!({ "state": "valid", "since": at(-9), "validity": { "last_success": at(success) } });
    let is_renamed = |statuses: &[Value]| World::new(statuses).with(9, |tenancy, _| renamed_to(tenancy).is_some());
    let cases: [(&str, &[Value], bool); 9] = [
        ("one token", &[moved("new")], true),
        ("both, in another case", &[moved("new"), moved("NEW")], true),
        ("two other accounts", &[moved("new"), moved("other")], false),
        ("one that works where it was", &[moved("new"), valid(5)], false),
        ("one unseen since, and one alone", &[moved("new"), valid(-1)], false),
        ("one unseen since, and two", &[moved("new"), moved("new"), valid(-1)], true),
        ("one seen at that very moment", &[moved("new"), moved("new"), valid(0)], false),
        ("another token", &[elsewhere("new", json!(false), 5)], false),
        ("whether it is the same is not known", &[elsewhere("new", Value::Null, 5)], false),
    ];
    for (case, statuses, expected) in cases {
        assert_eq!(is_renamed(statuses), expected, "{case}");
    }
    assert!(is_renamed(&[moved("new"), state("rejected")]), "one that no account lets in says nothing");
    assert_eq!(World::new(&[moved("new")]).wrong(9), ["TenantRenamed critical tenant"]);
}

#[test]
fn a_silent_tenant_is_critical_after_a_day_if_others_answer() {
    let mut world = World { silent: Some(0), ..World::new(&[state("valid")]) };
    assert_eq!(world.wrong(15 * 60 - 1), ["~TenantUnreachable warning tenant"]);
    assert_eq!(world.wrong(15 * 60), ["TenantUnreachable warning tenant"]);
    assert_eq!(world.wrong(DAY - 1), ["TenantUnreachable warning tenant"]);
    assert_eq!(world.wrong(DAY), ["TenantUnreachable critical tenant"]);
    assert_eq!(world.ahead(15 * 60 - 1), [15 * 60, DAY]);
    assert_eq!(world.ahead(15 * 60), [DAY], "a moment that has come is not ahead");
    world.others_answer = false;
    assert_eq!(world.wrong(2 * DAY), ["TenantUnreachable warning tenant"]);
}

#[test]
fn an_expiry_is_near_from_each_notice_on_and_critical_from_the_last() {
    let world = World::expiring(40 * DAY, &state("valid"));
    assert_eq!(world.ahead(0), [10, 26, 33, 39].map(|days| days * DAY));
    assert_eq!(world.wrong(10 * DAY - 1), [""; 0]);
    assert_eq!(world.wrong(10 * DAY), ["TokenExpiring warning a"]);
    assert_eq!(world.wrong(39 * DAY - 1), ["TokenExpiring warning a"]);
    assert_eq!(world.wrong(39 * DAY), ["TokenExpiring critical a"]);
    assert_eq!(world.wrong(40 * DAY - 1), ["TokenExpiring critical a"]);
    assert_eq!(world.wrong(40 * DAY), ["~TokenExpiring critical a"], "what has passed is no news");
    let notices = |seconds| {
        world.with(seconds, |tenancy, rules| {
            findings(tenancy, rules).pop().map(|finding| (finding.notices, finding.since))
        })
    };
    assert_eq!(notices(33 * DAY), Some(((3, at(33 * DAY)), at(10 * DAY))));
    let known = World::expiring(40 * DAY, &json!({ "state": "valid", "noticed": [at(40 * DAY), 2] }));
    assert_eq!(known.wrong(32 * DAY), ["~TokenExpiring warning a"], "somebody knows");
    assert_eq!(known.wrong(33 * DAY), ["TokenExpiring warning a"], "until the next notice");
    let of_another = World::expiring(40 * DAY, &json!({ "state": "valid", "noticed": [at(41 * DAY), 4] }));
    assert_eq!(of_another.wrong(33 * DAY), ["TokenExpiring warning a"], "that was of another date");
    let mut renewed = World::expiring(40 * DAY, &state("valid"));
    renewed.tokens[0].auto_rotated = true;
    assert_eq!(renewed.wrong(39 * DAY), [""; 0]);
}

#[test]
fn a_date_is_wrong_once_the_token_has_worked_after_it_as_often_as_is_confirmed() {
    let works = |times: u32| json!({ "state": "valid", "worked_after_expiry": times });
    assert_eq!(World::expiring(100, &works(2)).wrong(99), ["TokenExpiring critical a"]);
    assert_eq!(World::expiring(100, &works(1)).wrong(100), ["~TokenExpiring critical a"]);
    let both = ["~TokenExpiring critical a", "TokenExpiryOutdated warning a"];
    assert_eq!(World::expiring(100, &works(2)).wrong(100), both);
    assert_eq!(World::expiring(100, &works(3)).wrong(100), both);
    let mut renewed = World::expiring(100, &works(2));
    renewed.tokens[0].auto_rotated = true;
    assert_eq!(renewed.wrong(100), [""; 0]);
}

#[test]
fn what_is_missing_is_about_the_side_that_lacks_it() {
    let of = |cause: &str| World::new(&[lost(cause, &user(&json!({})))]).wrong(60);
    let line = |subject: &str| [format!("PermissionLost critical {subject} {LIST}")];
    assert_eq!(of("token"), line("a"));
    assert_eq!(of("undetermined"), line("a"));
    assert_eq!(of("security_group"), line("Technicians"));
    assert_eq!(of("user"), line("Technicians"), "nothing shows that the user was changed");
    let without_group = World::new(&[lost("security_group", &user(&json!({ "group": null })))]);
    assert_eq!(without_group.wrong(60), line("user 17"));
    let mut recommended = World::new(&[lost("token", &user(&json!({})))]);
    recommended.tokens[0].wanted[0].required = false;
    assert_eq!(recommended.wrong(60), [format!("PermissionLost warning a {LIST}")]);
    let vague = |cause: &str, group: Value| {
        let world = World::new(&[lost(cause, &user(&json!({ "group": group })))]);
        world.with(60, |tenancy, rules| findings(tenancy, rules)[0].is_vague)
    };
    let technicians = || json!("Technicians");
    assert!(vague("undetermined", technicians()) && vague("security_group", Value::Null));
    assert!(!vague("token", Value::Null) && !vague("security_group", technicians()));
}

/// A token that works and lacks the list, with more of what is believed of the permission.
fn lacking(more: &Value) -> Value {
    let mut status = lost("token", &user(&json!({})));
    status["permissions"][0].as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    status
}

#[test]
fn what_only_a_right_indicates_is_a_warning_unless_it_was_lost() {
    let never = json!({ "held": false, "since": at(0), "lost": false, "doubts": 0, "doubted_at": at(0) });
    let of = |evidence: &str, belief: &Value| {
        World::new(&[lacking(&json!({ "evidence": evidence, "belief": belief }))]).wrong(60)
    };
    assert_eq!(of("probe", &never), [format!("PermissionMissing critical a {LIST}")]);
    assert_eq!(of("right", &never), [format!("PermissionMissing warning a {LIST}")]);
    assert_eq!(of("right", &belief(false, 0)), [format!("PermissionLost critical a {LIST}")]);
}

#[test]
fn what_was_not_seen_since_begins_nothing() {
    let begins = |status: Value| !World::new(&[status]).wrong(60)[0].starts_with('~');
    assert!(begins(lacking(&json!({}))));
    assert!(!begins(lacking(&json!({ "unseen": true }))));
    assert!(begins(lacking(&json!({ "unseen": true, "evidence": "right" }))), "`/me` shows it at each check");
    let checked = |at_: i64| {
        let mut status = lacking(&json!({}));
        status["permission_checks"] = json!({ "last_attempt": at(at_) });
        status
    };
    assert!(!begins(checked(-10)) && begins(checked(-9)), "the token works only since -9");
    let mut of_before = checked(-10);
    of_before["permissions"][0]["evidence"] = json!("right");
    assert!(begins(of_before));
}

#[test]
fn a_finding_says_when_the_thing_was_last_granted() {
    let mut belief = belief(false, 0);
    belief["granted_at"] = json!(at(-7));
    let granted_at =
        |status: Value| World::new(&[status]).with(60, |tenancy, rules| findings(tenancy, rules)[0].granted_at);
    assert_eq!(granted_at(lacking(&json!({ "belief": belief.clone() }))), at(-7));
    let rights = json!([{ "right": "ticket.write", "belief": belief }]);
    assert_eq!(granted_at(json!({ "state": "valid", "user": user(&json!({})), "rights": rights })), at(-7));
}

#[test]
fn only_a_right_that_was_granted_before_is_lost_and_of_no_known_group_it_is_vague() {
    let of = |belief: Value, user: Value| {
        World::new(&[
            json!({ "state": "valid", "user": user, "rights": [{ "right": "ticket.write", "belief": belief }] }),
        ])
    };
    let with = |held: bool, lost: bool| json!({ "held": held, "since": at(5), "lost": lost, "doubts": 0, "doubted_at": at(5), "refused_at": at(5) });
    let member = || user(&json!({}));
    assert_eq!(of(with(false, true), member()).wrong(9).len(), 1);
    assert_eq!(of(with(false, false), member()).wrong(9), [""; 0]);
    assert_eq!(of(with(true, true), member()).wrong(9), [""; 0]);
    let vague =
        |user: Value| of(with(false, true), user).with(9, |tenancy, rules| findings(tenancy, rules)[0].is_vague);
    assert!(!vague(member()) && vague(user(&json!({ "group": null }))));
    let moved = json!({ "group_change": { "from": "Admins", "at": at(5) } });
    assert!(!vague(user(&moved)), "the change of the user is known");
    let mut of_no_group = moved;
    of_no_group["group"] = Value::Null;
    assert!(!vague(user(&of_no_group)), "it is about the user");
}

#[test]
fn a_token_that_sees_far_fewer_customers_is_a_warning() {
    let shown = |held: bool| json!({ "state": "valid", "customers": { "days": [], "shown": belief(held, 0) } });
    assert_eq!(World::new(&[shown(false)]).wrong(5), ["CustomersHidden warning a"]);
    assert_eq!(World::new(&[shown(true)]).wrong(5), [""; 0]);
}

#[test]
fn a_change_of_the_user_explains_what_was_lost_an_hour_before_or_after_while_it_is_news() {
    let moved = |seconds: i64| user(&json!({ "group_change": { "from": "Admins", "at": at(seconds) } }));
    let near = 65 * 60;
    let of_change = |seconds: i64, cause: &str| World::new(&[lost(cause, &moved(seconds))]).wrong(near + 10);
    let explained = [format!("UserChanged critical user 17 {LIST}"), "UserChanged warning user 17".to_owned()];
    for cause in ["user", "undetermined"] {
        assert_eq!(of_change(near, cause), explained, "{cause}");
        assert_eq!(of_change(-near, cause), explained, "{cause}");
        assert!(of_change(near + 1, cause)[0].starts_with("PermissionLost"), "{cause}");
        assert!(of_change(-near - 1, cause)[0].starts_with("PermissionLost"), "{cause}");
    }
    assert!(of_change(0, "token")[0].starts_with("PermissionLost"), "the token's own ticks are another matter");
    let news = World::new(&[json!({ "state": "valid", "user": moved(0) })]);
    assert_eq!(news.wrong(DAY - 1), ["UserChanged warning user 17"]);
    assert_eq!(news.wrong(DAY), [""; 0]);
    assert_eq!(news.ahead(0), [DAY]);
    let demoted = json!({ "state": "valid", "user": user(&json!({ "admin": belief(false, 0) })) });
    assert_eq!(World::new(&[demoted]).wrong(5), ["UserChanged warning user 17"]);
    let never_admin = json!({ "held": false, "since": at(0), "lost": false, "doubts": 0, "doubted_at": at(0) });
    let never = json!({ "state": "valid", "user": user(&json!({ "admin": never_admin })) });
    assert_eq!(World::new(&[never]).wrong(5), [""; 0], "one who never was no admin changed nothing");
}

#[test]
fn nothing_about_a_group_begins_while_it_is_doubted_whether_the_user_is_in_it() {
    // Two confirmations of 30 seconds, and five seconds besides.
    let doubted = || user(&json!({ "doubted_at": at(10) }));
    let group = World::new(&[lost("security_group", &doubted())]);
    assert!(group.wrong(74)[0].starts_with("~PermissionLost"), "{:?}", group.wrong(74));
    assert!(group.wrong(75)[0].starts_with("PermissionLost"), "{:?}", group.wrong(75));
    assert_eq!(group.ahead(20), [75]);
    let own = World::new(&[lost("token", &doubted())]);
    assert!(own.wrong(20)[0].starts_with("PermissionLost"), "its own ticks are not the group's");
    let mut failing = lost("security_group", &user(&json!({})));
    failing["validity"] = json!({ "failures": 1 });
    assert!(World::new(&[failing]).wrong(60)[0].starts_with("~PermissionLost"));
}

#[test]
fn a_right_that_was_lost_is_of_the_group_and_what_came_back_since_may_have_brought_it_back() {
    let right = json!({ "right": "ticket.write", "belief": belief(false, 5) });
    let with = |user: &Value, permissions: Value| json!({ "state": "valid", "rights": [right.clone()], "user": user, "permissions": permissions });
    let member = user(&json!({}));
    assert_eq!(
        World::new(&[with(&member, json!([]))]).wrong(9),
        ["SecurityGroupRightLost warning Technicians ticket.write"]
    );
    let came_back = |since: i64| {
        let permission = json!({ "permission": LIST, "belief": belief(true, since), "evidence": "probe",
                                 "answer": 200, "cause": "undetermined", "unseen": false });
        World::new(&[with(&member, json!([permission]))]).wrong(9)
    };
    assert!(came_back(4)[0].starts_with("SecurityGroupRightLost"), "{:?}", came_back(4));
    assert!(came_back(5)[0].starts_with("SecurityGroupRightLost"), "it was there when the right was lost");
    assert!(came_back(6)[0].starts_with("~SecurityGroupRightLost"), "{:?}", came_back(6));
    let refused_again = |refused: i64, granted: i64, held: bool| {
        let mut belief_of_right = belief(false, 5);
        belief_of_right["refused_at"] = json!(at(refused));
        let permission = json!({ "permission": LIST, "belief": belief(held, granted), "evidence": "probe",
                                 "answer": 200, "cause": "token", "unseen": false });
        let status = json!({ "state": "valid", "rights": [{ "right": "ticket.write", "belief": belief_of_right }],
                             "user": member.clone(), "permissions": [permission] });
        World::new(&[status]).wrong(9).into_iter().find(|line| line.contains("Right")).unwrap()
    };
    assert!(refused_again(7, 7, true).starts_with('~'), "both at once");
    assert!(!refused_again(8, 7, true).starts_with('~'), "it was refused after that came back");
    assert!(!refused_again(5, 7, false).starts_with('~'), "what is missing brought nothing back");
    let moved = user(&json!({ "group_change": { "from": "Admins", "at": at(5) } }));
    let explained = ["UserChanged warning user 17 ticket.write", "UserChanged warning user 17"];
    assert_eq!(World::new(&[with(&moved, json!([]))]).wrong(9), explained);
    let mut meant = World::new(&[with(&member, json!([]))]);
    meant.tokens[0].ignored = vec![crate::model::Ignored {
        permission: crate::testing::permission("Tickets - Edit"),
        reason: "it only reads".to_owned(),
        until: Some(at(100)),
    }];
    assert_eq!((meant.wrong(99), meant.ahead(99)), (Vec::new(), vec![100]));
    assert_eq!(meant.wrong(100).len(), 1, "what was meant to be so has an end");
}

#[test]
fn a_user_who_is_not_listed_any_more_is_perhaps_disabled() {
    let unlisted = json!({ "state": "valid", "user": user(&json!({ "listed": belief(false, 0) })) });
    assert_eq!(World::new(&[unlisted]).wrong(5), ["UserDisabled warning user 17"]);
    let listed = json!({ "state": "valid", "user": user(&json!({ "listed": belief(true, 0) })) });
    assert_eq!(World::new(&[listed]).wrong(5), [""; 0]);
}

#[test]
fn of_a_token_that_came_back_nothing_begins_and_of_one_that_does_not_work_only_its_state_is_wrong() {
    let mut back = lost("token", &user(&json!({})));
    back["has_returned"] = json!(true);
    assert_eq!(World::new(&[back]).wrong(60), [format!("~PermissionLost critical a {LIST}")]);
    let mut dead = lost("token", &user(&json!({ "listed": belief(false, 0) })));
    dead["state"] = json!("rejected");
    assert_eq!(World::new(&[dead]).wrong(60), ["TokenRejected critical a"]);
}
