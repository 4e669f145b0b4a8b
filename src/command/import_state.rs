//! `import-state`: takes over what other daemons knew of the tenants that this one watches.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};

use crate::config::Config;
use crate::exit::Exit;
use crate::store::{self, Imported, MovedState};
use crate::system::files::{Deadline, list_blocking, read_blocking};

use super::{failed, finish, load};

/// The most bytes of one file: the state of 50,000 tokens with a long history has some hundred megabytes.
const LARGEST: u64 = 4 * 1024 * 1024 * 1024;

/// The most files in a folder: one for each daemon.
const MOST_FILES: usize = 10_000;

pub(super) fn import_state(path: &Path, files: &[PathBuf]) -> Exit {
    let config = match load(path) {
        Ok(config) => config,
        Err(exit) => return exit,
    };
    match import(&config, files) {
        Ok(imported) => finish(&said(&imported), Exit::Success),
        Err(error) => failed(&error),
    }
}

fn import(config: &Config, files: &[PathBuf]) -> anyhow::Result<Imported> {
    let files = with_those_in_folders(files)?;
    let states: Vec<_> = files.iter().map(|file| read(file)).collect::<Result<_, _>>()?;
    let watched: BTreeSet<_> = config.tokens.iter().map(|token| token.tenant.name.as_str()).collect();
    Ok(store::import(&config.storage.path, &states, |tenant| watched.contains(tenant))?)
}

/// The files, and in place of each folder those in it, which may be none.
fn with_those_in_folders(paths: &[PathBuf]) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for path in paths {
        if !path.is_dir() {
            files.push(path.clone());
            continue;
        }
        let found = list_blocking(path, MOST_FILES, Deadline::default());
        let found = found.with_context(|| format!("read the folder `{}`", path.display()))?;
        let found = found.into_iter().flatten();
        files.extend(found.filter(|file| file.extension().is_some_and(|extension| extension == "json")));
    }
    Ok(files)
}

fn read(file: &Path) -> anyhow::Result<MovedState> {
    let what = || format!("take over `{}`", file.display());
    let bytes = read_blocking(file, LARGEST, Deadline::default()).with_context(what)?;
    let text = std::str::from_utf8(&bytes).context("it is not UTF-8").with_context(what)?;
    MovedState::parse(text).map_err(|problem| anyhow!(problem)).with_context(what)
}

/// What became of the tenants.
fn said(Imported { taken, known, foreign }: &Imported) -> String {
    let tenants = |number: usize| if number == 1 { "1 tenant".to_owned() } else { format!("{number} tenants") };
    format!(
        "taken over: {}\nas well known here already: {}\nnot watched by this daemon: {}\n",
        tenants(*taken),
        tenants(*known),
        tenants(*foreign)
    )
}
