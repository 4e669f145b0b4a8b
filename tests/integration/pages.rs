//! The status page and the JSON API: what they show, what they never show, and what they make of bad requests.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::Path;

use boon::{Compiler, Schemas};
use serde_json::Value;
use simulator::Incident;

use crate::harness::{ACME, Configuration, Daemon, PAGES, World};

const PERMISSIONS: &str = "permissions = [\"Tickets - List/Search\", \"Tickets - Edit\", \"Vendors - List\"]";

/// A tenant with a token that has lost a permission, and one whose token is refused.
fn troubled(world: &World) -> Daemon {
    let mut configuration =
        Configuration::acme(&format!("expires = 2099-01-01\n{PERMISSIONS}")).tenant("gone", "x", "");
    configuration.tenants[1].base_url = Some(world.base_url("acme"));
    let mut daemon = world.run(&configuration);
    daemon.checks("acme", "permissions", 1);
    let (group, permission) = ("Technicians".to_owned(), "Tickets - List/Search".to_owned());
    world.happens(Incident::GroupLoses { tenant: "acme".to_owned(), group, permission });
    let (mut lost, mut refused) = (false, false);
    while !(lost && refused) {
        let line = daemon.wait("both alerts", |line| line["event"] == "alert" && line["status"] == "firing");
        lost |= line["alert"] == "PermissionLost";
        refused |= line["alert"] == "TokenRejected";
    }
    daemon
}

const ONE: &str = "/api/v1/tokens/{tenant}/{token_name}";
const CHECK: &str = "/api/v1/tokens/{tenant}/{token_name}/check";
const PAST: &str = "/api/v1/transitions";

/// Holds answers to the description that the daemon itself gives.
struct Contract {
    document: Value,
    schemas: Schemas,
    compiler: Compiler,
}

impl Contract {
    fn of(daemon: &Daemon) -> Self {
        let (status, text) = daemon.get("/api/v1/openapi.json");
        assert_eq!(status, 200);
        let mut document: Value = serde_json::from_str(&text).unwrap();
        close(&mut document);
        let mut compiler = Compiler::new();
        compiler.enable_format_assertions();
        compiler.add_resource("http://here/openapi.json", document.clone()).unwrap();
        Self { document, schemas: Schemas::new(), compiler }
    }

    fn hold(&mut self, method: &str, path: &str, (status, answer): &(u16, String)) -> Value {
        let answer: Value = serde_json::from_str(answer).unwrap_or_else(|error| panic!("{path}: {error}: {answer}"));
        let pointer = path.replace('~', "~0").replace('/', "~1");
        let pointer = format!("/paths/{pointer}/{method}/responses/{status}/content/application~1json/schema");
        assert!(self.document.pointer(&pointer).is_some(), "{path} may not answer {status}: {answer}");
        let encoded = pointer.replace('{', "%7B").replace('}', "%7D");
        let url = format!("http://here/openapi.json#{encoded}");
        let schema = self.compiler.compile(&url, &mut self.schemas).unwrap();
        if let Err(error) = self.schemas.validate(&answer, schema) {
            panic!("{path}: {error}");
        }
        answer
    }
}

/// Makes every object of the description admit only what it describes, so that nothing is answered undescribed. A part of
/// a whole, in `allOf`, is closed with the whole, and a component where it is referred to.
fn close(value: &mut Value) {
    match value {
        Value::Object(map) => {
            for (key, value) in map.iter_mut() {
                match (key.as_str(), value) {
                    ("allOf", Value::Array(parts)) => parts.iter_mut().for_each(close_parts),
                    ("schemas", Value::Object(components)) => components.values_mut().for_each(close_parts),
                    (_, value) => close(value),
                }
            }
            if ["properties", "allOf", "$ref"].iter().any(|key| map.contains_key(*key)) {
                map.insert("unevaluatedProperties".to_owned(), false.into());
            }
        }
        Value::Array(list) => list.iter_mut().for_each(close),
        _ => {}
    }
}

/// Closes what an object of the description holds, and not itself.
fn close_parts(object: &mut Value) {
    close(object);
    if let Some(map) = object.as_object_mut() {
        map.remove("unevaluatedProperties");
    }
}

#[test]
fn every_answer_of_the_api_is_as_its_own_description_says() {
    let world = World::new(ACME);
    let daemon = troubled(&world);
    let mut contract = Contract::of(&daemon);
    let tokens = contract.hold("get", "/api/v1/tokens", &daemon.get("/api/v1/tokens"));
    let health: Vec<_> = tokens["tokens"].as_array().unwrap().iter().map(|token| &token["health"]).collect();
    assert_eq!(health, ["broken", "broken"]);
    let users = contract.hold("get", "/api/v1/users", &daemon.get("/api/v1/users"));
    let user = &users["users"][0];
    assert_eq!((&user["tenant"], &user["token_names"]), (&"acme".into(), &serde_json::json!(["jumpcloud"])));
    assert_eq!((&user["user"]["id"], &user["security_group"]), (&1.into(), &"Technicians".into()));
    contract.hold("get", "/api/v1/users", &daemon.get("/api/v1/users?limit=x"));
    let report = contract.hold("get", "/api/v1/report", &daemon.get("/api/v1/report"));
    assert_eq!(report["totals"]["broken"], 2);
    contract.hold("get", "/api/v1/report", &daemon.get("/api/v1/report?since=x"));
    contract.hold("get", "/api/v1/report", &daemon.get("/api/v1/report?tenant=nobody"));
    let token = contract.hold("get", ONE, &daemon.get("/api/v1/tokens/acme/jumpcloud"));
    let asked: Vec<_> =
        token["asked"].as_array().unwrap().iter().map(|asked| asked["path"].as_str().unwrap()).collect();
    assert!(asked.starts_with(&["/me"]) && asked.contains(&"/tickets") && asked.contains(&"/vendors"), "{asked:?}");
    assert_eq!(token["notices"].as_array().unwrap().len(), 4);
    contract.hold("get", ONE, &daemon.get("/api/v1/tokens/acme/nobody"));
    let alerts = contract.hold("get", "/api/v1/alerts", &daemon.get("/api/v1/alerts"));
    let notified: BTreeSet<_> =
        alerts["alerts"].as_array().unwrap().iter().map(|alert| alert["alert"].as_str().unwrap()).collect();
    assert!(notified.contains("PermissionLost") && notified.contains("TokenRejected"), "{notified:?}");
    let runbook = alerts["alerts"][0]["runbook"].as_str().unwrap();
    assert_eq!(daemon.get(runbook).0, 200, "{runbook}");

    let lines = |contract: &mut Contract, query: &str| {
        let answer = contract.hold("get", PAST, &daemon.get(&format!("{PAST}{query}")));
        answer["transitions"].as_array().cloned().unwrap_or_default()
    };
    let all = lines(&mut contract, "");
    let moments: Vec<_> = all.iter().map(|line| line["at"].as_str().unwrap()).collect();
    assert!(moments.len() >= 2 && moments.is_sorted_by(|left, right| left >= right), "the newest first: {moments:?}");
    let lost = lines(&mut contract, "?tenant=acme&token_name=jumpcloud&since=1d&limit=1");
    assert!(lost.len() == 1 && lost[0]["tenant"] == "acme", "{lost:?}");
    assert_eq!(lines(&mut contract, "?until=2020-01-01"), Vec::<Value>::new());
    for bad in ["?limit=0", "?limit=1001", "?limit=many", "?since=yesterday", "?colour=red", "?limit=1&limit=2"] {
        let answer = daemon.get(&format!("{PAST}{bad}"));
        assert_eq!(answer.0, 400, "{bad}");
        contract.hold("get", PAST, &answer);
    }
}

#[test]
fn a_requested_check_comes_at_once_and_names_nobody_else() {
    let world = World::new(ACME);
    let mut configuration = Configuration::acme(PERMISSIONS);
    (configuration.validity, configuration.permissions) = ("1h", "1h");
    let mut daemon = world.run(&configuration);
    daemon.checks("acme", "permissions", 1);
    let before = world.log().len();
    let mut contract = Contract::of(&daemon);
    let due = contract.hold("post", CHECK, &daemon.post("/api/v1/tokens/acme/jumpcloud/check"));
    assert_eq!(due["check"], "due");
    daemon.checks("acme", "permissions", 1);
    assert!(world.log().len() > before + 2, "a full check");
    let answer = daemon.post("/api/v1/tokens/acme/nobody/check");
    assert_eq!(answer.0, 404);
    contract.hold("post", CHECK, &answer);
    // By the button of the page, which leads back to it.
    let (status, page) = daemon.post("/tenants/acme/tokens/jumpcloud/check");
    assert!(status == 200 && page.contains("acme"), "{status}");
    daemon.checks("acme", "permissions", 1);
    assert_eq!(daemon.post("/tenants/acme/tokens/nobody/check").0, 404);
    for get_only in ["/", "/tenants/acme/tokens/jumpcloud", "/api/v1/tokens", "/calendar.ics", "/static/page.js"] {
        assert_eq!(daemon.post(get_only).0, 405, "{get_only}");
    }
    assert_eq!(daemon.get("/api/v1/tokens/acme/jumpcloud/check").0, 405);
}

#[test]
fn no_page_shows_what_me_says_of_the_user_or_a_token_value() {
    let world = World::new(ACME);
    let daemon = troubled(&world);
    let others = [
        "/?q=acme&state=broken",
        "/tenants/gone/tokens/jumpcloud",
        "/alerts",
        "/expiring",
        "/users",
        "/tenants/acme",
        "/wall",
        "/report",
        "/report?output=csv",
        "/api/v1/users",
        "/api/v1/report",
    ];
    for path in PAGES.into_iter().chain(others) {
        let (status, page) = daemon.get(path);
        assert_eq!(status, 200, "{path}");
        assert!(page.len() > 50, "{path}: {page}");
        for secret in ["value-of-acme", "user_token", simulator::USER_TOKEN, "simulated@example.com"] {
            assert!(!page.contains(secret), "{path} shows `{secret}`");
        }
        let mail = page
            .split(|c: char| c.is_whitespace() || "\"<>,;".contains(c))
            .find(|word| word.split_once('@').is_some_and(|(_, host)| host.contains('.') && !word.starts_with("UID:")));
        assert_eq!(mail, None, "{path} shows an address");
    }
    let page = daemon.get("/tenants/acme/tokens/jumpcloud").1;
    for shown in ["the security group", "GET /tickets answered 401", "Technicians", "2099-01-01", "30 days before"] {
        assert!(page.contains(shown), "`{shown}` is missing:\n{page}");
    }
}

#[test]
fn names_in_any_script_and_with_any_sign_have_a_page_and_are_only_text() {
    let names =
        ["\\\"><script>alert(1)</script>", "株式会社 東京", "شركة", "a/b?c#d&e%2F", "..hidden", "a\\\\b'c`d", "=1+1"];
    let world = World::new(ACME);
    let mut text = "[web]\nlisten = \"127.0.0.1:0\"\n".to_owned();
    for name in names {
        let base_url = world.base_url("acme");
        write!(
            text,
            "[[tenants]]\nname = \"{name}\"\nsubdomain = \"acme\"\nbase_url = \"{base_url}\"\n[[tenants.tokens]]\nname = \"{name}\"\ntoken_file = \"token\"\n"
        )
        .unwrap();
    }
    world.write("token", "value-of-acme");
    let state = world.path("state.db");
    let path = world.write("config.toml", &format!("{text}[storage]\npath = \"{}\"\n", state.display()));
    let mut daemon = Daemon::start(&path, &["--log-level", "debug"]);
    for _ in names {
        daemon.wait("a check", |line| line["event"] == "check");
    }
    let (status, page) = daemon.get("/");
    assert!(status == 200 && !page.contains("<script>alert"), "{page}");
    let links: BTreeSet<_> = page
        .split("href=\"")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .filter(|link| link.contains("/tokens/"))
        .collect();
    assert_eq!(links.len(), names.len(), "{links:?}");
    for link in links {
        let (status, page) = daemon.get(link);
        assert_eq!(status, 200, "{link}");
        assert!(!page.contains("<script>alert"), "{link}");
        let (tenant, token_name) = link.trim_start_matches("/tenants/").split_once("/tokens/").unwrap();
        assert_eq!(daemon.get(&format!("/api/v1/tokens/{tenant}/{token_name}")).0, 200, "{link}");
        assert_eq!(daemon.post(&format!("{link}/check")).0, 200, "{link}");
    }
    let found = |query: &str| daemon.get(&format!("/?q={query}")).1.matches("<tr class=\"row").count();
    assert_eq!(found("%E6%9D%B1%E4%BA%AC"), 1);
    assert_eq!(found("%3Cscript%3E"), 1);
    assert_eq!(found("nothing+like+that"), 0);
    assert_eq!(found("%FF%FE"), 0, "what is no UTF-8 occurs nowhere");
    let calendar = daemon.get("/calendar.ics");
    assert_eq!(calendar.0, 200);
}

#[test]
fn bad_paths_and_filters_get_the_right_status_and_nothing_else() {
    let world = World::new(ACME);
    let daemon = world.run(&Configuration::acme(""));
    let cases = [
        ("/?state=sunny", 400),
        ("/?page=one", 400),
        ("/?page=-1", 400),
        ("/?colour=red", 400),
        ("/?page=99999999999999999999999999", 400),
        ("/?page=18446744073709551615", 200),
        ("/?q=%00", 200),
        ("/tenants/acme/tokens/%FF", 404),
        ("/tenants/acme/tokens/..%2f..%2fmetrics", 404),
        ("/tenants/acme", 200),
        ("/tenants/nobody", 404),
        ("/tenants/acme/users/999999", 404),
        ("/tenants/acme/users/pat", 404),
        ("/alerts?alert=Nothing", 400),
        ("/alerts?severity=bad", 400),
        ("/alerts/00000000", 404),
        ("/expiring?days=0", 400),
        ("/expiring?days=-1", 400),
        ("/expiring?days=30", 200),
        ("/?sort=colour", 400),
        ("/?expiring=soon", 400),
        ("/?tenant=ACME&sort=-expiry", 200),
        ("/users?q=nobody", 200),
        ("/wall", 200),
        ("/tenants//tokens/", 404),
        ("/static/..%2f..%2fserver.rs", 404),
        ("/static/nothing.css", 404),
        ("/runbooks/..%2fREADME", 404),
        ("/api/v1/tokens/acme", 404),
        ("/api/v2/tokens", 404),
        ("/favicon.ico", 404),
        ("//", 404),
    ];
    for (path, expected) in cases {
        let (status, page) = daemon.get(path);
        assert_eq!(status, expected, "{path}: {page}");
        assert!(!page.contains("panicked") && !page.contains(Path::new(env!("CARGO_MANIFEST_DIR")).to_str().unwrap()));
    }
    assert_eq!(daemon.get("/-/healthy").0, 200);
}
