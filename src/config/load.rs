//! Reads the configuration from files: the main one and `conf.d/*.toml` beside it. With `zones`, the only part of this
//! room that touches the disk or the environment.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use toml::Table;

use crate::system::files::{self, Deadline};
use crate::system::systemd;

use super::context::{Context, Outside};
use super::fault::{Fault, Faults};
use super::file::ConfigFile;
use super::shrunk::{fewer, shrunk};
use super::validate::{Document, validate};
use super::zones::Zones;
use super::{Config, Shard};
use crate::model::Zone;

/// The most bytes that all files may have together. A configuration is written by hand; what is larger is something
/// else.
const LARGEST: u64 = 64 * 1024 * 1024;
/// The most entries that `conf.d` may have: a file for each tenant is usual.
const MOST_FILES: usize = 100_000;
/// How long the reading of all files together may take. Nobody waits longer for a reload.
const LONGEST_LOAD: Duration = Duration::from_secs(10);

/// Reads and validates the configuration whose main file is at `path`.
///
/// # Errors
/// Every fault of every file.
pub fn load(path: &Path) -> Result<Config, Faults> {
    read_all(path, None).0
}

/// Reads and validates the configuration whose main file is at `path`, as it would be if these files held these texts.
///
/// # Errors
/// Every fault of every file.
pub(crate) fn load_with(path: &Path, texts: &BTreeMap<PathBuf, String>) -> Result<Config, Faults> {
    read_all_with(path, None, texts).0
}

/// Reads and validates what is to take the place of a running configuration.
///
/// # Errors
/// Every fault of every file; also where the files have less in them than before in a way that nobody means, as after a
/// disk was full while they were saved.
pub fn reload(path: &Path, before: &Config) -> Result<Config, Faults> {
    let (config, files) = read_all(path, Some(before.shard));
    let lost = shrunk(path, before, &files, config.as_ref().ok());
    match config {
        Ok(mut config) if lost.0.is_empty() => {
            config.warnings.extend(fewer(path, before, &config));
            Ok(config)
        }
        Ok(_) => Err(lost),
        Err(mut faults) => {
            faults.0.extend(lost.0);
            Err(faults)
        }
    }
}

/// Reads and validates the configuration if there is one; returns the defaults if there is none.
///
/// # Errors
/// Every fault of every file.
pub(crate) fn load_if_there(path: &Path) -> Result<Config, Faults> {
    if files::exists_blocking(path, Deadline::default()).unwrap_or(true) {
        return load(path);
    }
    let nothing = Document { file: String::new(), table: Table::new() };
    let outside = Machine::new(Deadline::default());
    let context = Context { configuration: Path::new(""), state: Path::new(""), running: None, outside: &outside };
    validate(&nothing, &[], &context, Faults::default())
}

fn read_all(path: &Path, running: Option<Shard>) -> (Result<Config, Faults>, Vec<ConfigFile>) {
    read_all_with(path, running, &BTreeMap::new())
}

fn read_all_with(
    path: &Path,
    running: Option<Shard>,
    texts: &BTreeMap<PathBuf, String>,
) -> (Result<Config, Faults>, Vec<ConfigFile>) {
    let deadline = Deadline::within(LONGEST_LOAD);
    let mut reading = Reading { texts, deadline, left: LARGEST, files: Vec::new(), faults: Faults::default() };
    let main = reading.read(path);
    let folder = path.parent().unwrap_or(Path::new(""));
    let more: Vec<_> = reading.fragments(&folder.join("conf.d")).iter().map(|path| reading.read(path)).collect();
    let Reading { files, faults, .. } = reading;
    let Some(main) = main else { return (Err(faults), files) };
    let state = Some(systemd::state_directory()).filter(|folder| !folder.as_os_str().is_empty());
    let outside = Machine::new(deadline);
    let state = state.as_deref().unwrap_or(folder);
    let context = Context { configuration: folder, state, running, outside: &outside };
    let config = validate(&main, &more.into_iter().flatten().collect::<Vec<_>>(), &context, faults);
    let (zones, warnings) = outside.zones.into_used();
    let config = config.map(|mut config| {
        config.warnings.extend(warnings);
        (config.files, config.zones) = (files.clone(), zones);
        config
    });
    (config, files)
}

/// The real machine: its disk and its time zones.
#[derive(Debug)]
struct Machine {
    deadline: Deadline,
    zones: Zones,
}

impl Machine {
    fn new(deadline: Deadline) -> Self {
        Self { deadline, zones: Zones::new(deadline) }
    }
}

impl Outside for Machine {
    fn exists(&self, path: &Path) -> Result<bool, String> {
        files::exists_blocking(path, self.deadline).map_err(|error| error.to_string())
    }

    fn text(&self, path: &Path, longest: u64) -> Result<String, String> {
        let bytes = files::read_blocking(path, longest, self.deadline);
        let bytes = bytes.map_err(|error| format!("failed to read `{}`: {error}", path.display()))?;
        String::from_utf8(bytes.to_vec()).map_err(|_| format!("`{}` is not UTF-8", path.display()))
    }

    fn host_name(&self) -> String {
        rustix::system::uname().nodename().to_string_lossy().into_owned()
    }

    fn zone(&self, name: &str) -> Option<Zone> {
        self.zones.find(name)
    }
}

/// The files of one configuration while they are read.
struct Reading<'a> {
    /// What files are taken to hold, whatever they do.
    texts: &'a BTreeMap<PathBuf, String>,
    deadline: Deadline,
    /// How many bytes may still be read.
    left: u64,
    files: Vec<ConfigFile>,
    faults: Faults,
}

impl Reading<'_> {
    /// The files of `conf.d` in the order of their names; no such folder means none.
    fn fragments(&mut self, folder: &Path) -> Vec<PathBuf> {
        match files::list_blocking(folder, MOST_FILES, self.deadline) {
            Ok(paths) => {
                let given = self.texts.keys().filter(|path| path.parent() == Some(folder)).cloned();
                let there = paths.into_iter().flatten().filter(|path| is_fragment(path));
                there.chain(given).collect::<BTreeSet<_>>().into_iter().collect()
            }
            Err(error) => {
                note(&mut self.faults, folder, format!("failed to read the folder: {error}"));
                Vec::new()
            }
        }
    }

    fn text(&mut self, path: &Path) -> Result<String, String> {
        if let Some(given) = self.texts.get(path) {
            return Ok(given.clone());
        }
        let bytes = files::read_blocking(path, self.left, self.deadline);
        let bytes = bytes.map_err(|error| format!("failed to read the file: {error}"))?;
        self.left = self.left.saturating_sub(bytes.len() as u64);
        String::from_utf8(bytes.to_vec()).map_err(|_| "failed to read the file: not UTF-8".to_owned())
    }

    fn read(&mut self, path: &Path) -> Option<Document> {
        let table = self.text(path).and_then(|text| {
            let (length, is_blank) = (text.len(), text.trim().is_empty());
            let ends_with_line = text.ends_with('\n');
            self.files.push(ConfigFile { path: path.to_owned(), length, is_blank, ends_with_line });
            parse(&text)
        });
        match table {
            Ok(table) => Some(Document { file: path.display().to_string(), table }),
            Err(problem) => {
                note(&mut self.faults, path, problem);
                None
            }
        }
    }
}

/// Whether this is somebody's configuration, and not what an editor, a file manager or a copy program left there: those
/// hide their files, or mark them at the beginning of the name.
fn is_fragment(path: &Path) -> bool {
    let marked = |name: &OsStr| name.as_encoded_bytes().first().is_none_or(|first| b".#~".contains(first));
    path.extension().is_some_and(|extension| extension == "toml") && !path.file_name().is_none_or(marked)
}

/// Parses TOML. The parser's own rendering quotes the source line, secret and all, so only its message and its position
/// are used.
pub(super) fn parse(text: &str) -> Result<Table, String> {
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
