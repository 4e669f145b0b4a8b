//! The status page in a real browser, by `tests/browser/page.mjs`: its promises, and photographs of it.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use simulator::{DEMO, Incident};

use crate::harness::{Configuration, Daemon, Token, World, text};
use crate::real::{have, project};

/// The accounts of the demo, and a daemon that watches them. What happens there happens when the page is ready for it, and
/// lasts: a busy machine takes longer to look at everything than the demo does.
fn watched() -> (World, Daemon) {
    let (accounts, _) = DEMO.split_once("[[events]]").unwrap();
    let world = World::new(&accounts.replace("requests_per_minute = 180", "requests_per_minute = 0"));
    let mut configuration = Configuration { requests_per_minute: 6000, ..Configuration::default() };
    for tenant in ["acme-msp", "globex", "initech", "umbrella"] {
        let name = tenant.split('-').next().unwrap();
        configuration = configuration.tenant(tenant, &format!("simulated-{name}-jumpcloud"), "profile = \"jumpcloud\"");
    }
    configuration.tenants[0].tokens.push(Token {
        name: "quoter".to_owned(),
        value: "simulated-acme-quoter".to_owned(),
        lines: "profile = \"quoter\"".to_owned(),
    });
    let daemon = world.run(&configuration);
    (world, daemon)
}

#[test]
fn people_see_an_incident_without_a_reload_and_find_its_token_by_keyboard() {
    if !have(&["chromium", "node"]) {
        return;
    }
    let folder = project("tests/browser");
    if !folder.join("node_modules").is_dir() {
        assert!(std::env::var_os("SYNCRO_REQUIRE_REAL").is_none(), "npm ci was not run in tests/browser");
        println!("skipped: npm ci was not run in tests/browser");
        return;
    }
    let photographs = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("status-page");
    std::fs::create_dir_all(&photographs).unwrap();
    let (world, daemon) = watched();
    let mut page = Command::new("node")
        .arg(folder.join("page.mjs"))
        .args([daemon.address.as_ref(), photographs.as_os_str()])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    for line in BufReader::new(page.stdout.take().unwrap()).lines().map_while(Result::ok) {
        if line == "ready for an incident" {
            let (tenant, group) = ("acme-msp".to_owned(), "Technicians".to_owned());
            world.happens(Incident::GroupLoses { tenant, group, permission: "Tickets - Edit".to_owned() });
        }
    }
    let output = page.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    println!("photographs of the page are in {}", photographs.display());
    for name in [
        "overview-desktop-light",
        "overview-phone-dark",
        "wall-desktop-dark",
        "token-desktop-dark",
        "token-phone-light",
    ] {
        assert!(photographs.join(format!("{name}.png")).metadata().is_ok_and(|file| file.len() > 10_000), "{name}");
    }
    if !have(&["pdfinfo", "pdftotext"]) {
        return;
    }
    let of_report = |program: &str, more: &[&str]| {
        let output = Command::new(program).arg(photographs.join("report.pdf")).args(more).output().unwrap();
        text(&output.stdout)
    };
    let sheet = of_report("pdfinfo", &[]);
    assert!(sheet.contains("(A4)"), "{sheet}");
    let printed = of_report("pdftotext", &["-layout", "-"]);
    for part in ["API tokens of acme-msp", "acme-msp / jumpcloud", "acme-msp / quoter", "Shown by", "How to read it"] {
        assert!(printed.contains(part), "`{part}` is missing: {printed}");
    }
    assert!(!printed.contains("Overview"), "what leads elsewhere is not printed: {printed}");
}
