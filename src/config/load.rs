//! Reads the configuration from files: the main one and `conf.d/*.toml` beside it. The only part of this room that
//! touches the disk or the environment.

use std::fs;
use std::path::{Path, PathBuf};

use toml::Table;

use crate::system::systemd;

use super::Config;
use super::fault::{Fault, Faults};
use super::validate::{Document, Places, validate};

/// A configuration is written by hand; one larger than this is something else.
const LARGEST_FILE: u64 = 64 * 1024 * 1024;

/// Reads and validates.
///
/// # Errors
/// Every fault of every file.
pub fn load(path: &Path) -> Result<Config, Faults> {
    let mut faults = Faults::default();
    let main = read(path, &mut faults);
    let folder = path.parent().unwrap_or(Path::new(""));
    let more: Vec<_> =
        fragments(&folder.join("conf.d"), &mut faults).iter().map(|path| read(path, &mut faults)).collect();
    let Some(main) = main else { return Err(faults) };
    let state = systemd::state_directory();
    let places = Places { configuration: folder, state: &state };
    validate(&main, &more.into_iter().flatten().collect::<Vec<_>>(), &places, faults)
}

/// Reads and validates the configuration if there is one; what holds without any if not.
///
/// # Errors
/// Every fault of every file.
pub fn load_if_there(path: &Path) -> Result<Config, Faults> {
    if path.try_exists().unwrap_or(true) {
        return load(path);
    }
    let nothing = Document { file: String::new(), table: Table::new() };
    let places = Places { configuration: Path::new(""), state: Path::new("") };
    validate(&nothing, &[], &places, Faults::default())
}

/// The files of `conf.d` in the order of their names; no such folder means none.
fn fragments(folder: &Path, faults: &mut Faults) -> Vec<PathBuf> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Vec::new(),
        Err(error) => {
            note(faults, folder, format!("failed to read the folder: {error}"));
            return Vec::new();
        }
    };
    let mut paths: Vec<_> = entries
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .collect();
    paths.sort();
    paths
}

fn read(path: &Path, faults: &mut Faults) -> Option<Document> {
    let text = fs::metadata(path)
        .and_then(|metadata| {
            if metadata.len() > LARGEST_FILE {
                return Err(std::io::Error::other("larger than 64 MiB"));
            }
            fs::read(path)
        })
        .map_err(|error| format!("failed to read the file: {error}"))
        .and_then(|bytes| String::from_utf8(bytes).map_err(|_| "failed to read the file: not UTF-8".to_owned()));
    match text.and_then(|text| parse(&text)) {
        Ok(table) => Some(Document { file: path.display().to_string(), table }),
        Err(problem) => {
            note(faults, path, problem);
            None
        }
    }
}

/// Parses TOML. The parser's own rendering quotes the source line, secret and all, so only its message and place are kept.
fn parse(text: &str) -> Result<Table, String> {
    text.parse::<Table>().map_err(|error| {
        let start = error.span().map_or(0, |span| span.start.min(text.len()));
        let before = &text.as_bytes()[..start];
        let line = before.split(|byte| *byte == b'\n').count();
        let column = before.rsplit(|byte| *byte == b'\n').next().map_or(0, <[u8]>::len) + 1;
        let message = error.message().lines().next().unwrap_or("malformed").to_owned();
        format!("not TOML at line {line}, column {column}: {message}")
    })
}

fn note(faults: &mut Faults, path: &Path, problem: String) {
    let (file, path, allowed) = (path.display().to_string(), String::new(), String::new());
    faults.0.push(Fault { file, path, problem, allowed });
}
