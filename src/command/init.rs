//! `init`: asks for an account and a token, and writes a first configuration that watches it.

use std::io::IsTerminal;
use std::path::Path;

use anyhow::Context;
use secrecy::zeroize::Zeroizing;

use crate::exit::Exit;
use crate::import::{Refused, plan, write};

use super::{failed, finish, refused, say};

/// The main file that is written.
const MAIN: &str = "# Written by `syncro-token-monitor init`. Tenants are in `conf.d`; this is for everything else, and every key has a default.\n";
/// What is asked for, by the names that an import has for it.
const COLUMNS: [&str; 6] = ["subdomain", "tenant", "profile", "token_name", "expires", "token"];
/// The place of the token value among them.
const TOKEN: usize = 5;
/// The integration that most tokens are for.
const USUAL: &str = "jumpcloud";

pub(super) fn init(path: &Path) -> Exit {
    let name = path.display();
    if path.symlink_metadata().is_ok() {
        return refused(&format!(
            "`{name}` is there already: `import` adds tenants to it, and so does a file in `conf.d`\n"
        ));
    }
    match write_first(path) {
        Ok(Some(said)) => finish(&said, Exit::Success),
        Ok(None) => refused("nothing was written\n"),
        Err(error) => failed(&error),
    }
}

/// Asks until the answers make a valid configuration, and writes it; nothing if nobody can be asked again.
fn write_first(path: &Path) -> anyhow::Result<Option<String>> {
    let mut answers: [Zeroizing<String>; COLUMNS.len()] = std::array::from_fn(|_| Zeroizing::default());
    let mut wanted = COLUMNS.to_vec();
    loop {
        for column in 0..COLUMNS.len() {
            if wanted.contains(&COLUMNS[column]) {
                answers[column] = ask(column, &answers)?;
            }
        }
        let faults = match plan(&row(&answers)?, path, Some(MAIN), false) {
            Ok(plan) => {
                write(&plan, false)?;
                return Ok(Some(next(path, &answers)));
            }
            Err(Refused::Configuration(why)) => {
                say(&format!("{why}\n"));
                return Ok(None);
            }
            Err(Refused::Rows(faults)) => faults,
        };
        for fault in &faults {
            // An answer in the wrong place may be the token value.
            let answered =
                COLUMNS.iter().zip(&answers).find(|(column, answer)| **column == fault.column && !answer.is_empty());
            let said = answered.map_or_else(|| fault.what(), |(_, answer)| fault.what().replace(answer.as_str(), "…"));
            say(&format!("{}: {said}\n", fault.column));
        }
        wanted.retain(|column| faults.iter().any(|fault| fault.column == **column));
        if wanted.is_empty() || !std::io::stdin().is_terminal() {
            return Ok(None);
        }
    }
}

/// Asks for one of the answers, which may be empty.
fn ask(column: usize, before: &[Zeroizing<String>]) -> anyhow::Result<Zeroizing<String>> {
    let (question, default) = match COLUMNS[column] {
        "subdomain" => ("Subdomain of the Syncro account, such as acme of acme.syncromsp.com", ""),
        "tenant" => ("How the tenant is to be called", before[0].as_str()),
        "profile" => ("Integration that uses it, as `catalog profiles` names it, or `none`", USUAL),
        "token_name" => ("How the token is to be called", if before[2].is_empty() { "token" } else { &before[2] }),
        "expires" => ("Its expiry, such as 2027-03-31, if Syncro shows one", ""),
        _ => ("The token value, which is not shown", ""),
    };
    let shown = if default.is_empty() { String::new() } else { format!(" [{default}]") };
    let prompt = format!("{question}{shown}: ");
    let is_terminal = std::io::stdin().is_terminal();
    let typed = if column == TOKEN && is_terminal {
        Zeroizing::new(rpassword::prompt_password(prompt).context("read the token value")?)
    } else {
        say(&prompt);
        let mut line = Zeroizing::default();
        let read = std::io::stdin().read_line(&mut line).context("read an answer")?;
        anyhow::ensure!(read > 0 || !is_terminal, "read an answer: it ended; nothing was written");
        line
    };
    Ok(match typed.trim() {
        "" => Zeroizing::new(default.to_owned()),
        "none" if COLUMNS[column] == "profile" => Zeroizing::default(),
        answer => Zeroizing::new(answer.to_owned()),
    })
}

/// The answers as the file that an import takes.
fn row(answers: &[Zeroizing<String>]) -> anyhow::Result<Zeroizing<String>> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(COLUMNS)?;
    writer.write_record(answers.iter().map(|answer| answer.as_bytes()))?;
    let bytes = Zeroizing::new(writer.into_inner().map_err(csv::IntoInnerError::into_error)?);
    Ok(Zeroizing::new(std::str::from_utf8(&bytes)?.to_owned()))
}

/// What was written, and what is to be done next.
fn next(path: &Path, answers: &[Zeroizing<String>]) -> String {
    let path = path.display();
    format!(
        "`{path}` is written, and the token `{}` of `{}` is in it. See that Syncro takes it, and watch it:\n\n    \
         syncro-token-monitor --config {path} check\n    syncro-token-monitor --config {path} run\n",
        &*answers[3], &*answers[1]
    )
}
