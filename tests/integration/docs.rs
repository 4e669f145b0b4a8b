//! The documents are held to the program: links lead somewhere, configurations are valid, commands run, and every key,
//! metric, path, profile and alert is described.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use clap::Parser;
use serde_json::Value;
use syncro_token_monitor::alert::Alert;
use syncro_token_monitor::catalog::catalog;
use syncro_token_monitor::cli::Cli;

use crate::document::{Document, code, documents, rows};
use crate::harness::{ACME, Configuration, Daemon, World, call, program, request, text};
use crate::real::{have, project, until};
use crate::sink::Sink;

#[test]
fn every_link_and_anchor_of_a_document_leads_somewhere() {
    let documents = documents();
    let mut links = 0;
    for document in &documents {
        let here = document.path.display();
        for link in document.links.iter().filter(|link| !link.contains("://") && !link.starts_with("mailto:")) {
            links += 1;
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let folder = document.path.parent().unwrap();
            let path = if file.is_empty() { document.path.clone() } else { folder.join(file) };
            let target = project("").join(&path);
            assert!(target.exists(), "{here}: {link} leads nowhere");
            if !anchor.is_empty() {
                let target = target.canonicalize().unwrap();
                let known =
                    documents.iter().find(|other| project("").join(&other.path).canonicalize().unwrap() == target);
                let known = known.unwrap_or_else(|| panic!("{here}: {link} is an anchor of no document"));
                assert!(known.anchors.contains(anchor), "{here}: {link}: no such heading");
            }
        }
        for link in document.links.iter().filter(|link| link.contains("://")) {
            assert!(url::Url::parse(link).is_ok(), "{here}: {link}");
        }
    }
    assert!(documents.len() >= 18 && links >= 60, "{} documents, {links} links", documents.len());
}

#[test]
fn the_readme_is_short_and_leads_to_every_document() {
    let readme = Document::read("README.md");
    assert!(readme.source.lines().count() <= 150, "{} lines", readme.source.lines().count());
    for command in ["cargo run --release -- demo\n", "cargo test\n"] {
        assert!(readme.blocks("sh").any(|block| block == command), "{command}");
    }
    assert!(readme.blocks("toml").next().unwrap().trim_end().lines().count() <= 15);
    for document in documents() {
        let path = document.path.to_str().unwrap();
        let is_meant = path.starts_with("docs/") || matches!(path, "CHANGELOG.md" | "CONTRIBUTING.md" | "SECURITY.md");
        assert!(!is_meant || readme.links.iter().any(|link| link == path), "{path} is linked nowhere in the README");
    }
}

/// Words that people of this field would not write there; each is used only where a name in the program has it.
#[test]
fn documents_are_written_in_the_words_of_the_field() {
    const OTHERS: [&str; 17] = [
        "told",
        "tell",
        "tells",
        "telling",
        "mend",
        "mends",
        "mended",
        "lest",
        "hurt",
        "hurts",
        "peek",
        "knock",
        "well",
        "look",
        "looks",
        "looked",
        "neighbours",
    ];
    for document in documents().iter().filter(|document| document.path != Path::new("CHANGELOG.md")) {
        let words = document.prose.split(|character: char| !character.is_alphabetic() && character != '-');
        for word in words.map(str::to_lowercase) {
            assert!(!OTHERS.contains(&word.as_str()), "{}: `{word}`", document.path.display());
        }
    }
}

/// The keys that the program knows in a table: what it says about one that it does not know. `opening` opens the table.
fn known_keys(world: &World, opening: &str) -> Vec<String> {
    let path = world.write("keys/config.toml", &format!("{opening}\nzzqx = 1\n"));
    let output = call(&["-c", path.to_str().unwrap(), "validate"]);
    assert_eq!(output.status.code(), Some(78));
    let said = text(&output.stderr);
    let line =
        said.lines().find(|line| line.contains("zzqx: unknown key; allowed: ")).unwrap_or_else(|| panic!("{said}"));
    line.rsplit("allowed: ").next().unwrap().split(", ").map(str::to_owned).collect()
}

#[test]
fn every_key_that_the_program_knows_is_documented() {
    let (world, document) = (World::new(ACME), Document::read("docs/configuration.md"));
    let tables = [
        ("[web]", ""),
        ("[web.tls]", ""),
        ("[web.auth]", ""),
        ("[syncro]", ""),
        ("[schedule]", ""),
        ("[alerts]", ""),
        ("[[alerts.alertmanagers]]", ""),
        ("[[alerts.webhooks]]", ""),
        ("[[alerts.emails]]", ""),
        ("[alerts.heartbeat]", ""),
        ("[alerts.canary]", ""),
        ("[[maintenance]]", ""),
        ("[shard]", ""),
        ("[metrics]", ""),
        ("[storage]", ""),
        ("[profiles.NAME]", ""),
        ("[[tenants]]", ""),
        ("[tenants.probe_records]", "[[tenants]]\n"),
        ("[tenants.calibrated]", "[[tenants]]\n"),
        ("[[tenants.tokens]]", "[[tenants]]\n"),
    ];
    for (table, before) in tables {
        let known = known_keys(&world, &format!("{before}{table}"));
        let rows = rows(document.section(&format!("## {table}")));
        let documented: BTreeSet<_> = rows.iter().map(|row| code(&row[0]).to_owned()).collect();
        assert_eq!(documented, known.into_iter().collect(), "{table}");
        assert!(rows.iter().all(|row| row.len() == 4 && row.iter().all(|cell| !cell.is_empty())), "{table}: {rows:?}");
    }
    // The tables are themselves keys of the root and of each other.
    let trim = |table: &str| table.trim_matches(['[', ']']).split('.').next().unwrap().to_owned();
    let top: BTreeSet<_> = tables.iter().map(|(table, _)| trim(table)).collect();
    assert_eq!(top, known_keys(&world, "").into_iter().collect());
}

/// `config/config.toml` says that it has every key, each with the value that holds if it is left out.
#[test]
fn the_example_configuration_and_its_document_agree() {
    let document = Document::read("docs/configuration.md");
    let example = fs::read_to_string(project("config/config.toml")).unwrap();
    let (mut table, mut keys, mut defaults) = (String::new(), 0, 0);
    for line in example.lines() {
        let is_comment = line.starts_with("# ");
        let line = line.trim_start_matches("# ");
        if let Some(name) = line.split_whitespace().next().filter(|word| word.starts_with('[') && word.ends_with(']')) {
            name.replace("portal", "NAME").clone_into(&mut table);
            continue;
        }
        let Some((key, rest)) = line.split_once(" = ") else { continue };
        if !key.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_') {
            continue;
        }
        keys += 1;
        let rows = rows(document.section(&format!("## {table}")));
        let row = rows.iter().find(|row| code(&row[0]) == key).unwrap_or_else(|| panic!("{table} {key}"));
        if !is_comment && !table.contains("tenants") {
            defaults += 1;
            let value = rest.split("  ").next().unwrap().trim();
            assert_eq!(code(&row[1]), value, "{table} {key}: the default");
        }
    }
    assert!(keys >= 50 && defaults >= 15, "{keys} keys, {defaults} defaults");
}

#[test]
fn every_configuration_in_the_documents_is_valid() {
    let world = World::new(ACME);
    let mut blocks = 0;
    for document in documents() {
        for block in document.blocks("toml") {
            blocks += 1;
            let opens = block.lines().find(|line| line.starts_with('[')).unwrap_or_default();
            let tenant = "[[tenants]]\nname = \"acme\"\nsubdomain = \"acme-msp\"\n";
            let before = if opens.trim_start_matches('[').starts_with("tenants.") { tenant } else { "" };
            for (name, content) in [
                ("web.pem", certificate().0),
                ("web.key", certificate().1),
                ("prometheus-token", "x"),
                ("heartbeat-url", "https://hc-ping.com/x"),
            ] {
                world.write(&format!("docs/{name}"), content);
            }
            let path = world.write("docs/config.toml", &format!("{before}{block}"));
            let output = call(&["-c", path.to_str().unwrap(), "validate"]);
            let said = text(&output.stdout) + &text(&output.stderr);
            assert_eq!(output.status.code(), Some(0), "{}:\n{block}\n{said}", document.path.display());
        }
    }
    assert!(blocks >= 12, "{blocks}");
}

/// A certificate and its key, PEM.
fn certificate() -> (&'static str, &'static str) {
    static MADE: std::sync::OnceLock<(String, String)> = std::sync::OnceLock::new();
    let (certificate, key) = MADE.get_or_init(|| {
        let made = rcgen::generate_simple_self_signed(["monitor.example".to_owned()]).unwrap();
        (made.cert.pem(), made.signing_key.serialize_pem())
    });
    (certificate, key)
}

#[test]
fn every_json_example_is_json() {
    let mut blocks = 0;
    for document in documents() {
        for block in document.blocks("json") {
            blocks += 1;
            let parsed: Result<Value, _> = serde_json::from_str(block);
            assert!(parsed.is_ok_and(|value| value.is_object()), "{}:\n{block}", document.path.display());
        }
    }
    assert!(blocks >= 3, "{blocks}");
}

/// Name, type and labels of every family that is exported.
fn exported(exposition: &str) -> BTreeMap<String, (String, BTreeSet<String>)> {
    let types = exposition.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
    let labels = |name: &str| {
        let is_of = |line: &&str| {
            let series = line.split(['{', ' ']).next().unwrap();
            ["", "_bucket", "_sum", "_count"].iter().any(|end| series == format!("{name}{end}"))
        };
        let sets = exposition.lines().filter(is_of).filter_map(|line| line.split_once('{'));
        let names = sets.flat_map(|(_, rest)| rest.rsplit_once('}').unwrap().0.split("\","));
        let names = names.filter_map(|label| label.split_once('=')).map(|(label, _)| label.to_owned());
        names.filter(|label| label != "le").collect::<BTreeSet<_>>()
    };
    types.map(|(name, kind)| (name.to_owned(), (kind.to_owned(), labels(name)))).collect()
}

#[test]
fn every_metric_is_documented_with_its_type_and_labels() {
    let (world, sink) = (World::new(ACME), Sink::new());
    world.write("heartbeat-url", &sink.url());
    let receivers = format!(
        "[[alerts.webhooks]]\nname = \"hook\"\nurl = \"{}\"\ndigest = \"Mon 08:00\"\n[alerts.heartbeat]\nurl_file = \"heartbeat-url\"\n\
         [alerts.canary]\nreceiver = \"hook\"\n",
        sink.url()
    );
    let mut configuration = Configuration::acme("expires = 2000-01-01\nprofile = \"jumpcloud\"");
    configuration.syncro = "audit_excess = true".to_owned();
    let mut daemon = world.run(&configuration.alerts(&receivers));
    daemon.checks("acme", "permissions", 1);
    // The clock of a receiver is known once it has answered.
    let exposition = until("a receiver that has answered", || {
        let (_, exposition) = daemon.get("/metrics");
        let shown = ["receiver_clock_offset_seconds{", "canary_delay_seconds "];
        shown.iter().all(|name| exposition.contains(&format!("\nsyncro_monitor_{name}"))).then_some(exposition)
    });
    let document = Document::read("docs/metrics.md");
    let documented = rows(&document.source).into_iter().map(|row| {
        assert_eq!(row.len(), 4, "{row:?}");
        let labels = row[2].split(", ").map(code).filter(|label| !label.is_empty()).map(str::to_owned);
        (code(&row[0]).to_owned(), (row[1].clone(), labels.collect()))
    });
    assert_eq!(documented.collect::<BTreeMap<_, _>>(), exported(&exposition));
}

#[test]
fn every_path_profile_alert_and_room_is_documented() {
    let api = Document::read("docs/api.md");
    let world = World::new(ACME);
    let daemon = world.run(&Configuration::acme(""));
    let openapi: Value = serde_json::from_str(&daemon.get("/api/v1/openapi.json").1).unwrap();
    for (path, operations) in openapi["paths"].as_object().unwrap() {
        let path = path
            .replace(['{', '}'], "")
            .replace("tenant/", "TENANT/")
            .replace("token_name", "TOKEN_NAME")
            .replace("alerts/id", "alerts/ID");
        for method in operations.as_object().unwrap().keys().filter(|key| ["get", "post"].contains(&key.as_str())) {
            let row = format!("| `{} {path}` |", method.to_uppercase());
            assert!(api.source.contains(&row), "{row}");
        }
    }
    let permissions = Document::read("docs/permissions.md");
    for profile in catalog().profiles() {
        let row = format!("| `{}` | {} |", profile.name, profile.title);
        assert!(permissions.source.contains(&row), "{row}");
    }
    let count = format!("all {} permissions", catalog().permissions().count());
    assert!(permissions.source.contains(&count), "{count}");
    let rules = fs::read_to_string(project("config/prometheus/syncro-token-monitor.rules.yml")).unwrap();
    let rules: Vec<_> = rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    let alerts = Document::read("docs/alerts.md");
    for heading in alerts.source.lines().filter_map(|line| line.strip_prefix("### ")) {
        let is_own =
            Alert::ALL.iter().any(|(alert, _)| alert.as_str() == heading) || heading == Alert::TestAlert.as_str();
        assert!(is_own || rules.contains(&heading), "{heading} is no alert");
    }
    for rule in rules {
        assert!(
            alerts.source.contains(&format!("### {rule}\n")) || alerts.source.contains(&format!("`{rule}`")),
            "{rule}"
        );
    }
    let architecture = Document::read("docs/development/architecture.md");
    for entry in fs::read_dir(project("src")).unwrap() {
        let name = entry.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned();
        let is_room = format!("| `{name}` |");
        let is_named = matches!(name.as_str(), "lib" | "testing" | "untrusted")
            && architecture.source.contains(&format!("src/{name}.rs"));
        assert!(is_named || architecture.source.contains(&is_room), "{name} is not described");
    }
}

#[test]
fn the_package_brings_every_document_that_its_files_name() {
    let cargo: toml::Table = fs::read_to_string(project("Cargo.toml")).unwrap().parse().unwrap();
    let mut installed = BTreeSet::new();
    for asset in cargo["package"]["metadata"]["deb"]["assets"].as_array().unwrap() {
        let (source, folder) = (asset[0].as_str().unwrap(), asset[1].as_str().unwrap());
        let (path, pattern) = source.rsplit_once('/').unwrap_or(("", source));
        let ends = pattern.strip_prefix('*');
        for entry in fs::read_dir(project(path)).into_iter().flatten() {
            let name = entry.unwrap().file_name().to_string_lossy().into_owned();
            if name == pattern || ends.is_some_and(|ends| name.ends_with(ends)) {
                installed.insert(format!("/{folder}{name}"));
            }
        }
    }
    let mut named = 0;
    for file in [
        "systemd/syncro-token-monitor.service",
        "systemd/syncro-token-monitor@.service",
        "config/prometheus/syncro-token-monitor.rules.yml",
    ] {
        let file = fs::read_to_string(project(file)).unwrap();
        for place in file.split("file://").skip(1).chain(file.split(" file:/usr").skip(1)) {
            let place = place.split(['"', '#', '\n', ' ']).next().unwrap();
            let place = if place.starts_with("/usr") { place.to_owned() } else { format!("/usr{place}") };
            assert!(installed.contains(&place), "{place} is not in the package: {installed:?}");
            named += 1;
        }
    }
    assert_eq!(named, 5);
    // What the README leads to is there too, in the same places to each other; what only developers need is not.
    let there = "/usr/share/doc/syncro-token-monitor/";
    let readme = Document::read("README.md");
    for link in readme.links.iter().filter(|link| link.starts_with("docs/") && !link.starts_with("docs/development/")) {
        let file = link.split('#').next().unwrap();
        assert!(installed.contains(&format!("{there}{file}")), "{file}: {installed:?}");
    }
}

/// What a shell makes of a line, as far as the documents go: words, of which a comment is none.
fn words(line: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for part in line.split_whitespace().take_while(|part| !part.starts_with('#')) {
        words.push(part.trim_matches(['\'', '"']).to_owned());
    }
    words
}

/// The commands of a block, each on one line; what is fed to one by `<<'END'` belongs to none.
fn commands(block: &str) -> Vec<String> {
    let joined = block.replace("\\\n", " ");
    let (mut commands, mut is_fed) = (Vec::new(), false);
    for line in joined.lines() {
        match line.trim() {
            "END" => is_fed = false,
            "" => {}
            _ if is_fed => {}
            line => {
                is_fed = line.ends_with("<<'END'");
                commands.push(line.to_owned());
            }
        }
    }
    commands
}

fn sh(folder: &Path, script: &str) -> Output {
    let program = PathBuf::from(env!("CARGO_BIN_EXE_syncro-token-monitor"));
    let path = format!("{}:{}", program.parent().unwrap().display(), std::env::var("PATH").unwrap());
    Command::new("sh")
        .args(["-euc", script])
        .current_dir(folder)
        .env("PATH", path)
        .env_remove("STATE_DIRECTORY")
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

/// What can be done without root and the network is done, in a folder in which `acme` is watched; of everything else the
/// command line is checked.
fn carry_out(command: &str, world: &World, daemon: &Daemon, done: &mut usize) {
    const DONE: [&str; 7] = ["catalog", "check", "hash-password", "history", "report", "test-alert", "validate"];
    let words = words(command.rsplit(" | ").next().unwrap());
    let ours = words.iter().position(|word| word == "syncro-token-monitor");
    let mut run = || {
        let output = sh(&world.path(""), command);
        assert!(output.status.success(), "{command}: {}{}", text(&output.stdout), text(&output.stderr));
        *done += 1;
    };
    match (words.first().map(String::as_str), ours) {
        (_, Some(at)) if words[..at].iter().all(|word| word.contains('=')) => {
            let arguments = words[at..].iter().take_while(|word| *word != ">");
            let parsed = Cli::try_parse_from(arguments.map(|word| word.trim_end_matches(';')));
            assert!(parsed.is_ok(), "{command}: {:?}", parsed.err());
            if at == 0 && words.iter().any(|word| DONE.contains(&word.as_str())) {
                run();
            }
        }
        (Some("sqlite3"), _) if have(&["sqlite3"]) => run(),
        (Some("curl"), _) if !command.contains("| grep") => {
            let method = if command.contains(" -X POST ") { "POST" } else { "GET" };
            let url = words.last().unwrap().replace("http://127.0.0.1:9760", &daemon.address);
            let (status, answer) = request(method, &url);
            assert!((200..300).contains(&status), "{command}: {status} {answer}");
            *done += 1;
        }
        (Some("cargo"), _) => {
            let manifest = fs::read_to_string(project("Cargo.toml")).unwrap();
            let test = words.iter().position(|word| word == "--test").map(|at| &words[at + 1]);
            assert!(test.is_none_or(|test| manifest.contains(&format!("name = \"{test}\""))), "{command}");
            let own = words.iter().position(|word| word == "--").filter(|_| words[1] == "run");
            let parsed = own
                .map(|at| Cli::try_parse_from(std::iter::once("x").chain(words[at + 1..].iter().map(String::as_str))));
            assert!(parsed.is_none_or(|parsed| parsed.is_ok()), "{command}");
        }
        _ => {}
    }
    let folders = ["config/", "docs/", "packaging/", "src/", "systemd/", "tests/"];
    for word in words.iter().filter(|word| folders.iter().any(|folder| word.starts_with(folder))) {
        assert!(project(word).exists(), "{command}: there is no {word}");
    }
}

#[test]
fn every_command_of_the_documents_runs_or_is_one_that_could() {
    let (world, sink) = (World::new(ACME), Sink::new());
    let receivers =
        format!("[[alerts.webhooks]]\nname = \"slack\"\nurl = \"{}\"\ndigest = \"Mon 08:00\"\n", sink.url());
    let mut daemon = world.run(&Configuration::acme("").alerts(&receivers));
    daemon.checks("acme", "permissions", 1);
    let (mut blocks, mut done) = (0, 0);
    for document in documents() {
        for block in document.blocks("sh") {
            blocks += 1;
            let here = document.path.display();
            let checked = Command::new("sh").args(["-n", "-c", block]).output().unwrap();
            assert!(checked.status.success(), "{here}:\n{block}\n{}", text(&checked.stderr));
            for command in commands(block) {
                carry_out(&command, &world, &daemon, &mut done);
            }
        }
        // Commands in tables and sentences are at least ones that the program knows.
        for command in document.source.split('`').filter(|part| part.starts_with("syncro-token-monitor ")) {
            let words = words(command);
            let known = program().args(&words[1..]).arg("--help").output().unwrap();
            assert!(known.status.success(), "{}: {command}: {}", document.path.display(), text(&known.stderr));
        }
    }
    assert!(blocks >= 30 && done >= 20, "{blocks} blocks, {done} commands done");
}

/// The steps for Prometheus and Alertmanager, as they stand in the document, on copies of Debian's own files.
fn apply_the_steps(folder: &Path) {
    for file in ["prometheus.yml", "alertmanager.yml"] {
        fs::copy(Path::new("/etc/prometheus").join(file), folder.join(file)).unwrap();
    }
    let document = Document::read("docs/notifications.md");
    let section = document.section("## Prometheus and Alertmanager");
    let mut script = String::new();
    for block in section.split("```sh\n").skip(1).map(|rest| rest.split("```").next().unwrap()) {
        let needs_root =
            |line: &str| ["apt ", "systemctl ", "syncro-token-monitor "].iter().any(|word| line.starts_with(word));
        for line in block.lines().filter(|line| !needs_root(line)) {
            writeln!(script, "{line}").unwrap();
        }
    }
    let script = script.replace("/etc/prometheus/", &format!("{}/", folder.display()));
    let output = sh(&project(""), &script);
    assert!(output.status.success(), "{script}\n{}{}", text(&output.stdout), text(&output.stderr));
}

#[test]
fn the_prometheus_steps_apply_to_the_files_of_debian() {
    if !have(&["promtool", "amtool"]) || !Path::new("/etc/prometheus/alertmanager.yml").exists() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    apply_the_steps(folder.path());
    let prometheus = fs::read_to_string(folder.path().join("prometheus.yml")).unwrap();
    for part in [
        "job_name: syncro-token-monitor",
        "job_name: 'prometheus'",
        "job_name: node",
        "- syncro-token-monitor.rules.yml",
    ] {
        assert_eq!(prometheus.matches(part).count(), 1, "{part}\n{prometheus}");
    }
    let config = format!("--config.file={}", folder.path().join("alertmanager.yml").display());
    for (labels, receiver) in [
        (["job=syncro-token-monitor", "severity=critical"], "syncro-pager"),
        (["job=syncro-token-monitor", "severity=warning"], "syncro"),
        (["service=files", "severity=warning"], "team-Y-mails"),
        (["job=node", "severity=critical"], "team-X-mails"),
    ] {
        let output = Command::new("amtool").args(["config", "routes", "test", &config]).args(labels).output().unwrap();
        assert_eq!(text(&output.stdout).trim(), receiver, "{labels:?}: {}", text(&output.stderr));
    }
}

#[test]
fn every_test_that_the_threat_model_names_is_there() {
    let text = std::fs::read_to_string(project("SECURITY.md")).unwrap();
    let named: Vec<_> = text.split('`').filter_map(|word| word.split_once("::")).collect();
    assert!(named.len() > 20, "{}", named.len());
    for (file, name) in named {
        let path = if file.starts_with("src/") { file.to_owned() } else { format!("tests/integration/{file}.rs") };
        let source = std::fs::read_to_string(project(&path)).unwrap();
        let lines: Vec<_> = source.lines().map(str::trim).collect();
        let is_there = lines.windows(2).any(|pair| *pair == ["#[test]", &format!("fn {name}() {{")]);
        assert!(is_there, "{file}::{name}");
    }
}
