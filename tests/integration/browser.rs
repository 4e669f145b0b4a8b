//! The status page of the demo in a real browser, by `tests/browser/page.mjs`: its promises, and photographs of it.

use std::process::{Command, Stdio};

use crate::harness::{Daemon, text};
use crate::real::{have, project};

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
    let daemon = Daemon::demo();
    let output = Command::new("node")
        .arg(folder.join("page.mjs"))
        .args([daemon.address.as_ref(), photographs.as_os_str()])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
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
