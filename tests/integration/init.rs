//! `init`: a few answers become a first configuration that is valid, or nothing is written.

use std::io::{Seek, Write};
use std::os::unix::fs::PermissionsExt;
use std::process::Output;

use crate::harness::{ACME, World, call, program, text};

fn init(config: &str, answers: &str) -> Output {
    // A file, since a program that asks nothing closes a pipe before all is written.
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(answers.as_bytes()).unwrap();
    file.rewind().unwrap();
    program().args(["-c", config, "init"]).stdin(file).output().unwrap()
}

#[test]
fn a_few_answers_become_a_configuration_that_is_valid_and_the_next_command_is_printed() {
    let world = World::new(ACME);
    let path = world.path("new/config.toml");
    let config = path.to_str().unwrap();
    std::fs::create_dir(world.path("new")).unwrap();
    let output = init(config, "acme-msp\nacme\n\n\n2099-03-31\nvalue-of-acme\n");
    let (said, asked) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(0), "{asked}");
    assert!(said.contains(&format!("syncro-token-monitor --config {config} check\n")), "{said}");
    assert!(
        asked.contains("How the tenant is to be called [acme-msp]: ") && asked.contains("or `none` [jumpcloud]: "),
        "{asked}"
    );
    assert!(!format!("{said}{asked}").contains("value-of-acme"), "{said}{asked}");
    let token = world.path("new/tokens/acme-jumpcloud");
    assert_eq!(std::fs::read_to_string(&token).unwrap(), "value-of-acme\n");
    assert_eq!(token.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let validated = call(&["-c", config, "validate"]);
    assert_eq!(validated.status.code(), Some(0), "{}", text(&validated.stderr));
    assert!(text(&validated.stdout).contains("tokens: 1\n"), "{}", text(&validated.stdout));
    // What is there is not written over.
    let before = std::fs::read(&path).unwrap();
    let again = init(config, "other\n\n\n\n\nvalue-of-other\n");
    assert_eq!(again.status.code(), Some(78));
    assert!(text(&again.stderr).contains("is there already: `import` adds tenants"), "{}", text(&again.stderr));
    assert_eq!(std::fs::read(&path).unwrap(), before);
}

#[test]
fn an_answer_that_cannot_be_is_said_and_nothing_is_written() {
    for (answers, fault) in [
        ("acme.syncromsp.com\n\n\n\n\nvalue-1\n", "subdomain: "),
        ("acme\n\nzapier\n\n\nvalue-1\n", "profile: "),
        ("acme\n\n\n\n31/03/2027\nvalue-1\n", "expires: is no date; allowed: a date such as 2027-03-31"),
        ("acme\n\n\n\n\ntodo\n", "token: is a placeholder, not a value"),
        ("acme\n\n\n\n\n", "token: is empty"),
        ("", "subdomain: is empty"),
    ] {
        let world = World::new(ACME);
        let output = init(world.path("config.toml").to_str().unwrap(), answers);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(78), "{answers}: {said}");
        assert!(said.contains(fault) && said.ends_with("nothing was written\n"), "{answers}: {said}");
        assert_eq!(std::fs::read_dir(world.path("")).unwrap().count(), 0, "{answers}");
    }
}
