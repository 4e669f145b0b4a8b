//! Files that are none, or hold less than somebody meant: a reload names them and the daemon goes on; a command ends.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::harness::{ACME, Configuration, Daemon, World, call, program, text};
use crate::tls::certificates;

/// What leaves something in a folder.
type Make = fn(PathBuf);

/// A pipe that nobody writes into, in place of whatever was there.
fn pipe(path: &Path) {
    fs::remove_file(path).ok();
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

/// Asks for a reload by signal, and waits until a fault is notified that names this file.
fn rejects(daemon: &mut Daemon, path: &Path) {
    daemon.signal("HUP");
    daemon.wait(&format!("a rejection of {}", path.display()), |line| {
        line["event"] == "config_rejected" && line["message"].as_str().unwrap().contains(path.to_str().unwrap())
    });
    assert_eq!(daemon.metric("syncro_monitor_config_last_reload_successful"), Some(0.0), "{}", path.display());
    daemon.checks("acme", "validity", 1);
}

#[test]
fn a_reload_names_what_is_no_file_and_goes_on() {
    let world = World::new(ACME);
    let configuration = Configuration::acme("");
    let mut daemon = world.run(&configuration);
    let config = world.path("config.toml");
    let good = fs::read_to_string(&config).unwrap();
    let (authority, (certificate, key), _) = certificates();
    let pem = [("certificate_file", certificate), ("key_file", key), ("client_ca_file", authority)];
    for (dead, _) in &pem {
        let lines = pem.iter().map(|(name, text_)| {
            if name == dead {
                pipe(&world.path(name));
            } else {
                drop(world.write(name, text_));
            }
            format!("{name} = \"{name}\"\n")
        });
        let lines = format!("[web.tls]\n{}[syncro]", lines.collect::<String>());
        fs::write(&config, good.replacen("[syncro]", &lines, 1)).unwrap();
        rejects(&mut daemon, &world.path(dead));
        fs::remove_file(world.path(dead)).unwrap();
    }
    let bearer = world.path("bearer");
    pipe(&bearer);
    let lines = "[web.auth]\nbearer_token_files = [\"bearer\"]\n[syncro]";
    fs::write(&config, good.replacen("[syncro]", lines, 1)).unwrap();
    rejects(&mut daemon, &bearer);
    fs::write(&config, &good).unwrap();
    let fragment = world.path("conf.d/more.toml");
    pipe(&fragment);
    rejects(&mut daemon, &fragment);
    fs::remove_file(&fragment).unwrap();
    symlink("/dev/zero", &fragment).unwrap();
    rejects(&mut daemon, &fragment);
    fs::remove_file(&fragment).unwrap();
    pipe(&config);
    rejects(&mut daemon, &config);
    fs::remove_file(&config).unwrap();
    fs::write(&config, &good).unwrap();
    assert_eq!(daemon.post("/-/reload").0, 200);
    assert_eq!(daemon.metric("syncro_monitor_config_last_reload_successful"), Some(1.0));
    assert_eq!(daemon.notified(), Vec::<String>::new());
}

#[test]
fn a_token_file_that_is_none_is_notified_of_and_holds_up_nobody() {
    let world = World::new(ACME);
    let mut daemon = world.run(&Configuration::acme(""));
    daemon.checks("acme", "validity", 1);
    let path = world.path("acme-jumpcloud");
    pipe(&path);
    let notified = daemon.alert("TokenUnreadable", "firing");
    assert!(notified["message"].as_str().unwrap().contains("a pipe, not a regular file"), "{notified}");
    fs::remove_file(&path).unwrap();
    fs::write(&path, "value-of-acme").unwrap();
    daemon.alert("TokenUnreadable", "resolved");
}

/// The outcome of `preflight` with a value from there.
fn preflight(world: &World, more: &[&str], input: Stdio) -> (Option<i32>, String) {
    let base_url = world.base_url("acme");
    let arguments = ["preflight", "--subdomain", "acme", "--profile", "jumpcloud", "--base-url", &base_url];
    let none = world.path("none.toml");
    let output = program().arg("-c").arg(none).args(arguments).args(more).stdin(input).output().unwrap();
    (output.status.code(), text(&output.stdout) + &text(&output.stderr))
}

#[test]
fn a_value_comes_from_a_pipe_or_by_the_name_of_stdin() {
    let world = World::new(ACME);
    let path = world.path("pipe");
    pipe(&path);
    let writer = path.clone();
    let writer = std::thread::spawn(move || fs::write(writer, "value-of-acme\n").unwrap());
    let (_, said) = preflight(&world, &["--token-file", path.to_str().unwrap()], Stdio::null());
    writer.join().unwrap();
    assert!(said.contains("`acme`: valid"), "{said}");
    for name in ["/dev/stdin", "/dev/fd/0"] {
        let value = fs::File::open(world.write("value", "value-of-acme\n")).unwrap();
        let (_, said) = preflight(&world, &["--token-file", name], value.into());
        assert!(said.contains("`acme`: valid"), "{name}: {said}");
    }
}

#[test]
fn a_command_does_not_wait_for_a_pipe_without_a_writer() {
    let world = World::new(ACME);
    let path = world.path("pipe");
    pipe(&path);
    let (code, said) = preflight(&world, &["--token-file", path.to_str().unwrap()], Stdio::null());
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("does not answer"), "{said}");
    let output = call(&["-c", path.to_str().unwrap(), "validate"]);
    assert_eq!(output.status.code(), Some(78));
    assert!(text(&output.stderr).contains("a pipe, not a regular file"), "{}", text(&output.stderr));
}

#[test]
fn an_emptied_configuration_changes_nothing() {
    let world = World::new(&format!("{ACME}{}", ACME.replace("acme", "beta")));
    let configuration = Configuration::acme("").tenant("beta", "value-of-nobody", "");
    let mut daemon = world.run(&configuration);
    daemon.alert("TokenRejected", "firing");
    let config = world.path("config.toml");
    let good = fs::read_to_string(&config).unwrap();
    let head = good.split("[[tenants]]").next().unwrap();
    let in_a_line = &good[..good.rfind("[[tenants]]").unwrap()];
    for (cut, fault) in [
        ("", "is empty, and held"),
        ("\n\n", "is empty, and held"),
        (head, "no token is configured any more"),
        (&format!("{in_a_line}# a comment that was cut o"), "up to the middle of a line"),
    ] {
        fs::write(&config, cut).unwrap();
        let (status, said) = daemon.post("/-/reload");
        assert_ne!(status, 200, "{said}");
        assert!(said.contains(fault), "{said}");
        daemon.checks("acme", "validity", 1);
    }
    fs::write(&config, &good).unwrap();
    assert_eq!(daemon.post("/-/reload").0, 200);
    assert_eq!(daemon.notified(), ["TokenRejected firing"]);
}

#[test]
fn a_start_with_an_emptied_configuration_ends_no_alert() {
    let world = World::new(ACME);
    let mut daemon = world.run(&Configuration::default().tenant("acme", "value-of-nobody", ""));
    daemon.alert("TokenRejected", "firing");
    daemon.signal("TERM");
    daemon.ended();
    let config = world.write("config.toml", "");
    let output = call(&["-c", config.to_str().unwrap(), "run"]);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("the configuration is empty, but the store"), "{said}");
    let mut daemon = world.run(&Configuration::acme(""));
    daemon.alert("TokenRejected", "resolved");
}

#[test]
fn what_editors_leave_in_conf_d_is_nobodys_configuration() {
    let tenant = |name: &str| {
        format!(
            "[[tenants]]\nname = \"{name}\"\nsubdomain = \"{name}\"\n[[tenants.tokens]]\nname = \"t\"\ntoken_file = \"t\"\n"
        )
    };
    let leftovers: [(&str, Make); 8] = [
        ("a lock of Emacs", |folder| symlink("me@host.1:2", folder.join(".#acme.toml")).unwrap()),
        ("an AppleDouble", |folder| fs::write(folder.join("._acme.toml"), b"\0\x05\x16\x07").unwrap()),
        ("a hidden copy", |folder| fs::copy(folder.join("acme.toml"), folder.join(".acme.toml")).map(drop).unwrap()),
        ("a swap file of vim", |folder| fs::write(folder.join(".acme.toml.swp"), "b0VIM").unwrap()),
        ("backups", |folder| {
            for name in ["acme.toml~", "#acme.toml#", "#acme.toml", "~$acme.toml", "acme.toml.bak"] {
                fs::write(folder.join(name), "junk [").unwrap();
            }
        }),
        ("dpkg and rpm", |folder| {
            for end in ["dpkg-old", "dpkg-dist", "rpmnew", "rpmsave"] {
                fs::write(folder.join(format!("acme.toml.{end}")), "junk [").unwrap();
            }
        }),
        ("Kubernetes", |folder| {
            fs::create_dir(folder.join("..v1")).unwrap();
            fs::rename(folder.join("acme.toml"), folder.join("..v1/acme.toml")).unwrap();
            symlink("..v1", folder.join("..data")).unwrap();
            symlink("..data/acme.toml", folder.join("acme.toml")).unwrap();
        }),
        ("nothing", |_| ()),
    ];
    for (what, make) in leftovers {
        let world = World::new(ACME);
        world.write("t", "value");
        let path = world.write("config.toml", &tenant("a"));
        world.write("conf.d/acme.toml", &tenant("b"));
        make(world.path("conf.d"));
        let output = call(&["-c", path.to_str().unwrap(), "validate"]);
        assert_eq!(output.status.code(), Some(0), "{what}: {}", text(&output.stderr));
        assert!(text(&output.stdout).contains("tokens: 2"), "{what}: {}", text(&output.stdout));
    }
}

#[test]
fn a_folder_that_leads_nowhere_is_not_taken_for_none() {
    let world = World::new(ACME);
    let path = world.configure(&Configuration::acme(""));
    symlink("nowhere", world.path("conf.d")).unwrap();
    let output = call(&["-c", path.to_str().unwrap(), "validate"]);
    assert_eq!(output.status.code(), Some(78));
    assert!(text(&output.stderr).contains("a link to nowhere"), "{}", text(&output.stderr));
}

#[test]
fn a_path_that_exists_is_one_whatever_its_form() {
    const UUID: &str = "3746f72b-9852-4d1a-84e9-eedb5c50abcd";
    let world = World::new(ACME);
    let validate = |path: &str, storage: &str| {
        let text_ = format!(
            "[storage]\npath = \"{storage}\"\n[[tenants]]\nname = \"a\"\nsubdomain = \"a\"\n[[tenants.tokens]]\nname = \"t\"\ntoken_file = \"{path}\"\n"
        );
        let config = world.write("config.toml", &text_);
        let output = call(&["-c", config.to_str().unwrap(), "validate"]);
        (output.status.code(), text(&output.stdout) + &text(&output.stderr))
    };
    let volume = format!("volumes/{}/_data/token", "ab".repeat(32));
    for path in [
        &format!("alloc/{UUID}/secrets/token"),
        &volume,
        "objects/507f1f77bcf86cd799439011",
        &format!("objects/{UUID}"),
        UUID,
    ] {
        world.write(path, "value");
        let (code, said) = validate(path, &format!("{UUID}/../state/{UUID}/state.db"));
        assert_eq!(code, Some(0), "{path}: {said}");
    }
    // It is not there yet, and cannot be a value.
    assert_eq!(validate(&format!("pods/{UUID}/token"), "state.db").0, Some(0));
    let pasted = format!("9{}", &UUID[1..]);
    for path in [pasted.clone(), format!("tokens/{pasted}"), format!("./{pasted}"), "ab".repeat(32)] {
        let (code, said) = validate(&path, "state.db");
        assert_eq!(code, Some(78), "{said}");
        assert!(said.contains("tenants[0].tokens[0].token_file: looks like a token value"), "{said}");
        assert!(!said.contains(&UUID[1..]) && !said.contains("abab"), "{said}");
        let (code, said) = validate("state.db", &path);
        assert!(code == Some(78) && said.contains("storage.path") && !said.contains(&UUID[1..]), "{said}");
    }
}

#[test]
fn a_window_of_a_tenant_that_has_gone_is_a_warning() {
    let world = World::new(ACME);
    let window = "[[maintenance]]\ntenants = [\"acme\", \"beta\"]\nweekdays = [\"sun\"]\ntimes = \"02:00-02:01\"\n";
    let both = Configuration::acme("").tenant("beta", "value-of-acme", "");
    let mut daemon = world.run(&both);
    let config = world.path("config.toml");
    let only = Configuration::acme("");
    world.configure(&only);
    let text_ = format!("{window}{}", fs::read_to_string(&config).unwrap());
    fs::write(&config, text_).unwrap();
    assert_eq!(daemon.post("/-/reload").0, 200);
    daemon.wait("a warning", |line| {
        line["event"] == "config_warning"
            && line["message"].as_str().unwrap().contains("maintenance[0].tenants: `beta` is not a configured tenant")
    });
    let output = call(&["-c", config.to_str().unwrap(), "validate"]);
    assert_eq!(output.status.code(), Some(0));
    assert!(text(&output.stdout).contains("warning: "), "{}", text(&output.stdout));
}

#[test]
fn the_store_is_in_the_state_folder_or_beside_the_file() {
    let world = World::new(ACME);
    world.write("t", "value-of-acme");
    let base_url = world.base_url("acme");
    let config = world.write(
        "etc/config.toml",
        &format!(
            "[web]\nlisten = \"127.0.0.1:0\"\n[[tenants]]\nname = \"acme\"\nsubdomain = \"acme\"\nbase_url = \"{base_url}\"\n[[tenants.tokens]]\nname = \"t\"\ntoken_file = \"../t\"\n"
        ),
    );
    for folder in ["elsewhere", "state"] {
        fs::create_dir_all(world.path(folder)).unwrap();
    }
    let run = |state: Option<&str>| {
        let mut command = program();
        command.arg("-c").arg(&config).args(["--log-format", "json", "run"]).current_dir(world.path("elsewhere"));
        if let Some(state) = state {
            command.env("STATE_DIRECTORY", world.path(state));
        }
        let mut daemon = Daemon::spawn(command);
        daemon.signal("TERM");
        daemon.ended();
        ["etc", "elsewhere", "state"].map(|folder| world.path(folder).join("state.db").exists())
    };
    assert_eq!(run(None), [true, false, false]);
    assert_eq!(run(Some("state")), [true, false, true]);
}
