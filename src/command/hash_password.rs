//! `hash-password`: prints the hash that `[web.auth.users]` takes. The password itself is printed nowhere.

use std::io::IsTerminal;

use anyhow::Context;

use crate::config::{LONGEST_PASSWORD, PasswordHash};
use crate::exit::Exit;
use crate::system::files;

use super::{failed, finish};

/// The most bytes that are read: more than any password that can be hashed, so that one that is a little too long gets
/// an error of its own.
const LONGEST_LINE: u64 = 4096;

pub(super) fn hash_password() -> Exit {
    match hash() {
        Ok(hash) => finish(&format!("{hash}\n"), Exit::Success),
        Err(error) => failed(&error),
    }
}

fn hash() -> anyhow::Result<String> {
    let password = if std::io::stdin().is_terminal() {
        let password = rpassword::prompt_password("Password: ").context("read the password")?;
        let again = rpassword::prompt_password("Again: ").context("read the password")?;
        anyhow::ensure!(password == again, "hash the password: the two differ");
        password
    } else {
        let line = files::read_standard_input(LONGEST_LINE, true).context("read the password from standard input")?;
        let line = std::str::from_utf8(&line).context("read the password from standard input")?;
        line.trim_end_matches(['\r', '\n']).to_owned()
    };
    anyhow::ensure!(!password.is_empty(), "hash the password: it is empty");
    let longest = format!("hash the password: bcrypt reads {LONGEST_PASSWORD} bytes, it is longer");
    anyhow::ensure!(password.len() <= LONGEST_PASSWORD, longest);
    PasswordHash::make(&password).map_err(anyhow::Error::msg).context("hash the password")
}
