//! Every message, in each of its forms, as whoever is paged reads it: the snapshot beside this file is to be read aloud.

use std::fmt::Write;

use super::*;

/// What a message says, and what it carries for programs.
fn read(text: &mut String, title: &str, message: &Message) {
    let Message { line, steps, cause, strength, evidence, shown_by, security_group, user_id, .. } = message;
    writeln!(text, "## {title}\n{line}").unwrap();
    for (number, step) in (1..).zip(steps) {
        writeln!(text, "{number}. {step}").unwrap();
    }
    let cause = cause.map_or("", Cause::as_str);
    let evidence = evidence.map_or("", |evidence| evidence.as_str());
    let fields = [
        ("cause", cause.to_owned()),
        ("strength", strength.map(|strength| format!("{strength:?}").to_lowercase()).unwrap_or_default()),
        ("evidence", evidence.to_owned()),
        ("shown by", shown_by.clone().unwrap_or_default()),
        ("group", security_group.clone().unwrap_or_default()),
        ("user", user_id.map(|user| user.to_string()).unwrap_or_default()),
    ];
    let fields = fields.iter().filter(|(_, value)| !value.is_empty());
    let fields: Vec<_> = fields.map(|(name, value)| format!("{name}: {value}")).collect();
    writeln!(text, "({})\n", fields.join("; ")).unwrap();
}

/// A token whose permission is missing for this cause, as this rule says.
fn lacking(cause: &str, ground: &Value, more: &Value) -> Value {
    let mut status = lost(cause, ground);
    status["permissions"][0].as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    status
}

fn ground(strength: &str, rule: &str) -> Value {
    json!({ "strength": strength, "rule": rule })
}

#[test]
fn what_is_said_of_tokens_that_do_not_work() {
    let mut text = String::new();
    let user = || json!({"id": 17, "name": "Pat", "admin": belief(true), "group": "Technicians"});
    for state in ["expired", "rejected", "restricted", "blocked", "locked_out", "unreadable", "wrong_account"] {
        let status = json!({"state": state, "since": at(0), "user": user(), "unreadable": {"Missing": "the file"},
            "validity": {"last_attempt": at(100)}});
        let mut world = World::new(&["jumpcloud"], status);
        world.tokens[0].expires = Some(at(50));
        let (alert, scope) = match state {
            "expired" => (Alert::TokenExpired, Scope::of_token("acme", "jumpcloud")),
            "rejected" => (Alert::TokenRejected, Scope::of_token("acme", "jumpcloud")),
            "restricted" => (Alert::TokenRestricted, Scope::of_token("acme", "jumpcloud")),
            "blocked" => (Alert::TenantBlocked, Scope::Tenant("acme".to_owned())),
            "locked_out" => (Alert::UserLockedOut, super::user()),
            "unreadable" => (Alert::TokenUnreadable, Scope::of_token("acme", "jumpcloud")),
            _ => (Alert::TokenWrongAccount, Scope::of_token("acme", "jumpcloud")),
        };
        read(&mut text, state, &world.says(alert, scope, vec![Affected::token("jumpcloud")]));
    }
    for (title, is_same) in [("same", json!(true)), ("another", json!(false)), ("unknown", Value::Null)] {
        let elsewhere = json!({"subdomain": "globex", "is_same_token": is_same});
        let world = World::new(&["jumpcloud"], json!({"state": "wrong_account", "elsewhere": elsewhere}));
        read(&mut text, &format!("wrong_account, {title} token"), &world.says_of_token(Alert::TokenWrongAccount));
        let affected = vec![Affected::token("jumpcloud")];
        let renamed = world.says(Alert::TenantRenamed, Scope::Tenant("acme".to_owned()), affected);
        read(&mut text, &format!("renamed, {title} token"), &renamed);
    }
    let sources = [
        ("a variable", TokenSource::Environment("ACME".to_owned())),
        ("a credential", TokenSource::Credential("acme".to_owned())),
    ];
    for (title, source) in sources {
        let mut world = World::new(&["jumpcloud"], json!({"state": "unreadable"}));
        world.tokens[0].source = source;
        read(&mut text, &format!("unreadable, {title}"), &world.says_of_token(Alert::TokenUnreadable));
    }
    insta::assert_snapshot!(text);
}

#[test]
fn what_is_said_of_dates() {
    let mut text = String::new();
    for (title, replaced) in
        [("expiring", Value::Null), ("expiring, replaced", json!(at(61))), ("at once", json!(at(60)))]
    {
        let mut world = World::new(&["jumpcloud"], json!({"state": "valid", "value_since": replaced}));
        world.tokens[0].expires = Some(at(86_400 * 9));
        read(&mut text, title, &world.says_of_token(Alert::TokenExpiring));
        read(&mut text, &format!("{title}, outdated"), &world.says_of_token(Alert::TokenExpiryOutdated));
    }
    insta::assert_snapshot!(text);
}

#[test]
fn what_is_said_of_what_is_missing() {
    let mut text = String::new();
    let own = || Scope::of_token("acme", "jumpcloud");
    let by_right = json!({"evidence": "right", "answer": null});
    let probe = json!({});
    let cases = [
        ("the group, shown", "security_group", ground("shown", "right"), &probe, group()),
        ("the group, indicated", "security_group", ground("indicated", "lost_together"), &probe, group()),
        ("the group, by right alone", "security_group", ground("indicated", "right"), &by_right, group()),
        ("the group, by the right besides", "security_group", ground("indicated", "right"), &probe, user()),
        ("the token, shown", "token", ground("shown", "global_admin"), &probe, own()),
        ("the token, indicated", "token", ground("indicated", "same_group"), &probe, own()),
        ("the token, by another token", "token", ground("indicated", "same_user"), &by_right, own()),
        ("nobody knows", "undetermined", Value::Null, &probe, own()),
        ("the user", "user", ground("indicated", "right"), &probe, group()),
    ];
    for (title, cause, ground, more, scope) in cases {
        let mut status = lacking(cause, &ground, more);
        if cause == "user" {
            status["user"]["group_change"] = json!({"from": "Managers", "at": at(0)});
        }
        let mut world = World::new(&["jumpcloud"], status);
        read(&mut text, title, &world.says_lost(scope.clone()));
        let affected = || vec![Affected::permission("jumpcloud", EDIT)];
        read(
            &mut text,
            &format!("{title}, from the start"),
            &world.says(Alert::PermissionMissing, scope.clone(), affected()),
        );
        world.tokens[0].wanted[0].required = false;
        read(&mut text, &format!("{title}, recommended"), &world.says(Alert::PermissionMissing, scope, affected()));
    }
    let two = json!([
        missing("Customers - View Detail", "token", &ground("indicated", "same_group")),
        missing(EDIT, "token", &ground("shown", "same_user"))
    ]);
    let mut status = lost("token", &Value::Null);
    status["permissions"] = two;
    let mut world = World::new(&["jumpcloud"], status);
    let view = crate::testing::permission("Customers - View Detail");
    world.tokens[0].wanted.push(crate::model::Wanted { permission: view, required: true });
    let affected = [EDIT, "Customers - View Detail"].map(|name| Affected::permission("jumpcloud", name)).to_vec();
    read(&mut text, "two permissions", &world.says(Alert::PermissionLost, own(), affected.clone()));
    let granted = World::new(&["jumpcloud"], json!({"state": "valid"}));
    read(&mut text, "nothing is missing any more", &granted.says(Alert::PermissionLost, own(), affected));
    insta::assert_snapshot!(text);
}

#[test]
fn what_is_said_of_users_and_groups() {
    let mut text = String::new();
    let with = |more: Value| {
        let mut status = lost("undetermined", &Value::Null);
        status["user"].as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        status["rights"] = json!([{"right": "ticket.write", "belief": belief(false)}]);
        World::new(&["jumpcloud"], status)
    };
    let moved = json!({"group_change": {"from": "Managers", "at": at(0)}});
    let demoted = json!({"admin": belief(false)});
    let never = json!({"admin": {"held": false, "since": at(0), "lost": false, "doubts": 0, "doubted_at": at(0)}});
    let both = json!({"group_change": {"from": "Managers", "at": at(0)}, "admin": belief(false)});
    let nowhere = json!({"group_change": {"from": "Managers", "at": at(0)}, "group": null});
    let cases =
        [("moved", moved), ("demoted", demoted), ("never an admin", never), ("both", both), ("in no group", nowhere)];
    for (title, change) in cases {
        let world = with(change);
        read(&mut text, title, &world.says(Alert::UserChanged, user(), vec![Affected::token("jumpcloud")]));
        let right = || vec![Affected::right("jumpcloud", "ticket.write")];
        read(&mut text, &format!("{title}, a right"), &world.says(Alert::SecurityGroupRightLost, group(), right()));
        read(&mut text, &format!("{title}, with a right"), &world.says(Alert::UserChanged, user(), right()));
    }
    let unseen = vec![Affected::right("jumpcloud", "asset.read")];
    read(&mut text, "a right that is not seen", &with(json!({})).says(Alert::SecurityGroupRightLost, user(), unseen));
    read(&mut text, "disabled", &with(json!({})).says(Alert::UserDisabled, user(), vec![Affected::token("jumpcloud")]));
    let customers = json!({"days": [["2027-01-15", 400]], "shown": belief(false)});
    for (title, visible, seen) in
        [("few customers", json!(12), customers), ("few customers, of old", Value::Null, json!({}))]
    {
        let world =
            World::new(&["jumpcloud"], json!({"state": "valid", "customers_visible": visible, "customers": seen}));
        read(&mut text, title, &world.says_of_token(Alert::CustomersHidden));
    }
    insta::assert_snapshot!(text);
}

#[test]
fn what_is_said_of_new_values() {
    let mut text = String::new();
    let source = |places: &str, name: &str| match places {
        "files" => TokenSource::File(PathBuf::from(format!("/etc/tokens/{name}"))),
        _ => TokenSource::Credential(name.to_owned()),
    };
    let dates = [("no date", None), ("a date", Some(at(86_400 * 9)))];
    for (places, (dated, expires)) in
        ["files", "credentials"].into_iter().flat_map(|places| dates.map(|date| (places, date)))
    {
        let names = ["backup", "jumpcloud"];
        let status =
            json!({"state": "rejected", "user": {"id": 17, "name": "Pat", "admin": belief(true), "group": null}});
        let mut world = World::new(&names, status);
        for (token, name) in world.tokens.iter_mut().zip(names) {
            (token.source, token.expires) = (source(places, name), expires);
        }
        for alert in [Alert::TokenRejected, Alert::TokenExpired] {
            read(&mut text, &format!("{} in {places}, {dated}", alert.as_str()), &world.says_of_token(alert));
        }
        let locked = world.says(Alert::UserLockedOut, user(), names.map(Affected::token).to_vec());
        read(&mut text, &format!("two of a user in {places}, {dated}"), &locked);
        let nobody = world.says(Alert::UserLockedOut, user(), Vec::new());
        read(&mut text, &format!("none of a user, {dated}"), &nobody);
    }
    insta::assert_snapshot!(text);
}

#[test]
fn what_is_said_of_tenants_and_of_the_monitor() {
    let mut text = String::new();
    let world = World::new(&["jumpcloud"], json!({}));
    for (severity, hours) in
        [(Severity::Warning, 1), (Severity::Warning, 24), (Severity::Critical, 23), (Severity::Critical, 72)]
    {
        let scope = Scope::Tenant("acme".to_owned());
        let firing = Firing::new(Alert::TenantUnreachable, scope, severity, at(0), at(0), Vec::new(), &[]);
        let tenancy = Tenancy { silent: Some((at(0), "dns")), ..world.tenancy() };
        let message = of_tenant(&firing, &tenancy, Rules::new(&world.alerts, at(3600 * hours)));
        read(&mut text, &format!("silent for {hours} hours ({})", severity.as_str()), &message);
    }
    let silent = Outage::Unreachable { since: at(0), tenants: 9, of: 10, certain: true };
    read(&mut text, "an outage, silent", &outage(&silent));
    let bad = Outage::TurnedBad { state: TokenState::Rejected, since: at(0), tenants: 9, of: 10, certain: true };
    read(&mut text, "an outage, refused", &outage(&bad));
    for (title, source_address) in [("throttled", None), ("an address throttled", Some([203, 0, 113, 4].into()))] {
        let host = "syncromsp.com".to_owned();
        read(&mut text, title, &throttled(&Throttled { since: at(0), host, source_address }));
    }
    for (tokens, detail) in [(1, ""), (3, "Too many open files (os error 24)")] {
        let message = impaired(&Impaired { since: at(0), tokens, detail: detail.to_owned() });
        read(&mut text, &format!("impaired, {tokens}"), &message);
    }
    insta::assert_snapshot!(text);
}

#[test]
fn an_alert_links_to_its_runbook() {
    let link = crate::alert::messages::runbook("http://m:9760", Alert::TokenRejected);
    assert_eq!(link, "http://m:9760/runbooks/TokenRejected");
}
