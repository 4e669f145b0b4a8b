//! Contract section 7, `import`: tokens from a spreadsheet, all of them or none, and never a value in what is printed.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

use crate::fleet::{TENANTS, scenario};
use crate::harness::{World, call, program, text};

const HEAD: &str = "tenant,subdomain,time_zone,token_name,token,profile,expires,contact,note\n";

/// A configuration without tenants, as somebody has it who begins.
fn begin(world: &World) -> String {
    let text = format!("[storage]\npath = \"{}\"\n", world.path("state.db").display());
    world.write("config.toml", &text).to_str().unwrap().to_owned()
}

fn import(world: &World, config: &str, csv: &str, more: &[&str]) -> Output {
    let file = world.write("tokens.csv", csv);
    call(&[["-c", config, "import", file.to_str().unwrap()].as_slice(), more].concat())
}

/// Every file below the folder of the configuration but the CSV itself, with its mode and what it holds.
fn files(folder: &Path) -> BTreeMap<String, (u32, String)> {
    let mut found = BTreeMap::new();
    for name in ["conf.d", "tokens"] {
        for entry in fs::read_dir(folder.join(name)).into_iter().flatten() {
            let path = entry.unwrap().path();
            let mode = path.metadata().unwrap().permissions().mode() & 0o777;
            let name = path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned();
            found.insert(name, (mode, fs::read_to_string(&path).unwrap()));
        }
    }
    found
}

#[test]
fn a_spreadsheet_becomes_a_configuration_that_checks() {
    let world = World::new(&scenario(0));
    let config = begin(&world);
    let row = |tenant: &&str| {
        format!("{tenant},{tenant},UTC,jumpcloud,value-of-{tenant},,2099-03-31,Pat,\"renew, please\"\n")
    };
    let csv = format!("{HEAD}{}", TENANTS.iter().map(row).collect::<String>());
    let dry = import(&world, &config, &csv, &["--dry-run"]);
    assert_eq!(dry.status.code(), Some(0), "{}", text(&dry.stderr));
    let expected = "12 tokens of 12 tenants: 12 new token values, 12 files in `conf.d`";
    assert_eq!(text(&dry.stdout), format!("{expected} would be written\n"));
    assert!(files(&world.path("")).is_empty(), "a dry run writes nothing");
    let output = import(&world, &config, &csv, &[]);
    assert_eq!((output.status.code(), text(&output.stderr).as_str()), (Some(0), ""));
    assert!(text(&output.stdout).starts_with(&format!("{expected} written\n")), "{}", text(&output.stdout));
    let written = files(&world.path(""));
    assert_eq!(written["tokens/acme-jumpcloud"], (0o600, "value-of-acme\n".to_owned()));
    let (mode, fragment) = &written["conf.d/acme.toml"];
    assert_eq!(*mode, 0o644);
    assert!(!fragment.contains("value-of"), "{fragment}");
    for key in [
        "token_file = \"tokens/acme-jumpcloud\"",
        "expires = 2099-03-31",
        "contact = \"Pat\"",
        "note = \"renew, please\"",
    ] {
        assert!(fragment.contains(key), "{key}: {fragment}");
    }
    let again = import(&world, &config, &csv, &[]);
    let same = "12 tokens of 12 tenants: everything is there already, nothing was written\n";
    assert_eq!(text(&again.stdout), same);
    assert_eq!(files(&world.path("")), written);
    // Each asks the simulator in place of its account, and the files are found from there.
    for tenant in TENANTS {
        let path = world.path(&format!("conf.d/{tenant}.toml"));
        let own = fs::read_to_string(&path).unwrap();
        let base_url = format!("subdomain = \"{tenant}\"\nbase_url = \"{}\"", world.base_url(tenant));
        fs::write(&path, own.replace(&format!("subdomain = \"{tenant}\""), &base_url)).unwrap();
    }
    let checked = call(&["-c", &config, "check"]);
    assert_eq!(checked.status.code(), Some(0), "{}{}", text(&checked.stdout), text(&checked.stderr));
    let kept = import(&world, &config, &csv, &[]);
    assert_eq!(text(&kept.stdout), same, "what somebody added stays");
    let rotated = import(&world, &config, &csv.replace("value-of-acme", "another-value"), &[]);
    assert!(text(&rotated.stdout).contains("12 tokens of 12 tenants: 1 token value in place of another written"));
    assert_eq!(files(&world.path(""))["tokens/acme-jumpcloud"], (0o600, "another-value\n".to_owned()));
}

#[test]
fn a_refused_row_changes_nothing_and_is_named_by_line_and_column() {
    let world = World::new(&scenario(0));
    let config = begin(&world);
    for (csv, says) in [
        (
            "acme,acme,UTC,a,secret-1,,31.03.2027,,\n",
            "line 2, column expires: is no date; allowed: a date such as 2027-03-31",
        ),
        (
            "acme,Acme!,,a,secret-1,,,,\n",
            "line 2, column subdomain: `Acme!` is not a subdomain; allowed: the part before",
        ),
        (
            "acme,acme,Mars/Olympus,a,secret-1,,,,\n",
            "line 2, column time_zone: `Mars/Olympus` is not a known time zone",
        ),
        ("acme,acme,,a,secret-1,jumpclod,,,\n", "line 2, column profile: "),
        (
            "acme,acme,,a,secret-1,,,,\nacme,acme,,a,secret-2,,,,\n",
            "line 3, column token_name: stands in line 2 already",
        ),
        (
            "acme,acme,,a,secret-1,,,,\nacme,other,,b,secret-2,,,,\n",
            "line 3, column subdomain: is another one than in line 2",
        ),
        ("acme,acme,,a,changeme,,,,\n", "line 2, column token: is a placeholder, not a value"),
        ("acme,acme,,a,secret 1,,,,\n", "line 2, column token: the value in "),
        ("acme,acme,,a,,,,,\n", "line 2, column token: is empty"),
        ("acme,acme,,a,secret-1,,,\"=cmd|' /C calc'!A0\",\n", "line 2, column contact: begins as a formula"),
        ("acme,acme,,a,secret-1\n", "line 2: 5 columns, and the first line names 9"),
        ("good,good,,a,secret-1,,,,\nbad,bad,,,secret-2,,,,\n", "line 3, column token_name: is empty"),
    ] {
        let output = import(&world, &config, &format!("{HEAD}{csv}"), &[]);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(78), "{csv}: {said}");
        assert!(said.contains(&format!("tokens.csv: {says}")), "{csv}: {said}");
        assert!(said.ends_with("nothing was written\n") && !said.contains("secret-"), "{said}");
        assert!(output.stdout.is_empty() && files(&world.path("")).is_empty(), "{csv}");
    }
    let output = import(&world, &config, "tenant;subdomain;token_name;token;colour\nacme;acme;a;secret-1;red\n", &[]);
    assert!(
        text(&output.stderr).contains("line 1: `colour` is no column; allowed: tenant, subdomain"),
        "{}",
        text(&output.stderr)
    );
    // What the configuration has already, in another place, is not taken over.
    let main = fs::read_to_string(&config).unwrap();
    let own = "[[tenants]]\nname = \"acme\"\nsubdomain = \"acme\"\n";
    fs::write(&config, format!("{main}{own}")).unwrap();
    let output = import(&world, &config, &format!("{HEAD}acme,acme,,a,secret-1,,,,\n"), &[]);
    assert!(
        text(&output.stderr).contains("line 2, column tenant: the tenant name `acme` is used twice, first at "),
        "{}",
        text(&output.stderr)
    );
}

#[test]
fn whoever_else_could_read_the_file_is_warned_of_and_credentials_are_named_as_systemd_does() {
    let world = World::new(&scenario(0));
    let config = begin(&world);
    let file = world.write(
        "tokens.csv",
        &format!("\u{feff}{HEAD}Acme Corp,acme,,Jump Cloud,value-of-acme,jumpcloud,,,\n").replace('\n', "\r\n"),
    );
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    let output = call(&["-c", &config, "import", file.to_str().unwrap(), "--credentials"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(
        text(&output.stderr).starts_with("warning: everyone on this machine can read "),
        "{}",
        text(&output.stderr)
    );
    let written = files(&world.path(""));
    let (value, _) = written.iter().find(|(name, _)| name.starts_with("tokens/")).unwrap();
    let (_, (_, fragment)) = written.iter().find(|(name, _)| name.starts_with("conf.d/acme-corp-")).unwrap();
    let credential = format!("token_credential = \"tokens_{}\"", value.trim_start_matches("tokens/"));
    assert!(fragment.contains(&credential) && fragment.contains("name = \"Acme Corp\""), "{fragment}");
    let validated = call(&["-c", &config, "validate"]);
    assert_eq!(validated.status.code(), Some(0), "{}", text(&validated.stderr));
}

#[test]
fn more_files_are_written_than_may_be_open_at_once() {
    let world = World::new(&scenario(0));
    let config = begin(&world);
    let rows: Vec<_> = (0..60).map(|number| format!("acme,acme,,a{number},value-{number},,,,\n")).collect();
    let csv = world.write("tokens.csv", &format!("{HEAD}{}", rows.concat()));
    let output = Command::new("sh")
        .args(["-c", "ulimit -n 40 && exec \"$@\"", "sh"])
        .arg(program().get_program())
        .args(["-c", &config, "import"])
        .arg(csv)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert_eq!(files(&world.path("")).len(), 61);
}

#[test]
fn a_configuration_in_the_working_directory_is_imported_into_too() {
    let world = World::new(&scenario(0));
    begin(&world);
    world.write("tokens.csv", &format!("{HEAD}acme,acme,,a,value-of-acme,,,,\n"));
    let mut program = program();
    program.args(["-c", "config.toml", "import", "tokens.csv"]).current_dir(world.path(""));
    let output = program.output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert_eq!(files(&world.path("")).into_keys().collect::<Vec<_>>(), ["conf.d/acme.toml", "tokens/acme-a"]);
}

#[test]
fn fifty_thousand_rows_are_taken_in() {
    let world = World::new(&scenario(0));
    let config = begin(&world);
    let row = |number: usize| {
        let tenant = number / 10;
        format!("tenant-{tenant},t{tenant},,jumpcloud-{number},value-{number},jumpcloud,,,\n")
    };
    let rows = (0..50_000).map(row).collect::<Vec<_>>().concat();
    let output = import(&world, &config, &format!("{HEAD}{rows}"), &["--dry-run"]);
    assert!(
        text(&output.stdout).starts_with("50000 tokens of 5000 tenants: 50000 new token values, "),
        "{}",
        text(&output.stderr)
    );
}
