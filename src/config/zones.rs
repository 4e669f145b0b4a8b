//! Where time zones come from: the system's files, which are renewed with the system, else what is built in.
//! Governments announce a change of clocks a few weeks ahead, and then a program's own data are wrong until it is built
//! anew.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use crate::system::files::{self, Deadline, ReadError};

use super::fault::{Fault, shown};
use crate::model::Zone;

/// The folders in which systems have their zones, unless `TZDIR` names another one.
const FOLDERS: [&str; 3] = ["/usr/share/zoneinfo", "/usr/lib/zoneinfo", "/etc/zoneinfo"];
/// The most bytes of a zone's file; the largest real one has under 4 KiB.
const LARGEST_FILE: u64 = 64 * 1024;
/// How many bytes are read to find the version, which is at the beginning of its file.
const LONGEST_VERSION: u64 = 64;

/// The source of data on time zones.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ZoneSource {
    /// The folder of the system; `None` for the data that are built into the program.
    pub folder: Option<PathBuf>,
    /// The version, such as `2026f`; `unknown` where the system does not say.
    pub version: String,
}

impl ZoneSource {
    /// The data that are built into the program.
    fn built_in() -> Self {
        Self { folder: None, version: chrono_tz::IANA_TZDB_VERSION.to_owned() }
    }

    /// The source in which zones are searched first.
    pub(crate) fn preferred(deadline: Deadline) -> Self {
        folders(deadline).into_iter().next().unwrap_or_else(Self::built_in)
    }

    /// The value of the label that names the source.
    pub fn as_str(&self) -> &'static str {
        if self.folder.is_some() { "system" } else { "built_in" }
    }
}

impl std::fmt::Display for ZoneSource {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.folder {
            Some(folder) => write!(formatter, "the system's in `{}`, version {}", folder.display(), self.version),
            None => write!(formatter, "built in, version {}", self.version),
        }
    }
}

/// The zones that one configuration names, each read once.
#[derive(Debug)]
pub(super) struct Zones {
    sources: Vec<ZoneSource>,
    deadline: Deadline,
    cached: RefCell<HashMap<String, Option<Zone>>>,
    used: RefCell<BTreeSet<ZoneSource>>,
    warnings: RefCell<Vec<Fault>>,
}

impl Zones {
    pub(super) fn new(deadline: Deadline) -> Self {
        Self::of(folders(deadline), deadline)
    }

    fn of(sources: Vec<ZoneSource>, deadline: Deadline) -> Self {
        Self { sources, deadline, cached: RefCell::default(), used: RefCell::default(), warnings: RefCell::default() }
    }

    /// The zone of this name, if there is one.
    pub(super) fn find(&self, name: &str) -> Option<Zone> {
        if let Some(cached) = self.cached.borrow().get(name) {
            return cached.clone();
        }
        let found = self.search(name);
        self.cached.borrow_mut().insert(name.to_owned(), found.clone());
        found
    }

    fn search(&self, name: &str) -> Option<Zone> {
        if !is_name(name) {
            return None;
        }
        // No data are needed for it, so none can be wrong.
        if name == "UTC" {
            return Some(Zone::utc());
        }
        for source in &self.sources {
            let Some(folder) = &source.folder else { continue };
            let read = files::read_below(folder, name, LARGEST_FILE, self.deadline);
            let problem = match read {
                Ok(bytes) => match Zone::from_file(name, &bytes) {
                    Ok(zone) => {
                        self.used.borrow_mut().insert(source.clone());
                        return Some(zone);
                    }
                    Err(problem) => format!("it {problem}"),
                },
                // `America` is a folder and no zone.
                Err(ReadError::Missing(_) | ReadError::NotRegular("a folder")) => continue,
                Err(error) => error.to_string(),
            };
            self.warn(&folder.join(name), &problem);
        }
        let zone = Zone::built_in(name)?;
        self.used.borrow_mut().insert(ZoneSource::built_in());
        Some(zone)
    }

    fn warn(&self, path: &Path, problem: &str) {
        let built_in = ZoneSource::built_in();
        self.warnings.borrow_mut().push(Fault {
            file: path.display().to_string(),
            path: String::new(),
            problem: format!("the time zone could not be read: {problem}; the data used instead are {built_in}"),
            allowed: String::new(),
        });
    }

    /// The sources of the zones that were asked for, or the source that they would come from; and what was wrong on the
    /// way.
    pub(super) fn into_used(self) -> (Vec<ZoneSource>, Vec<Fault>) {
        let used: Vec<_> = self.used.into_inner().into_iter().collect();
        let preferred = || vec![self.sources.into_iter().next().unwrap_or_else(ZoneSource::built_in)];
        (if used.is_empty() { preferred() } else { used }, self.warnings.into_inner())
    }
}

/// Whether this can be the name of a zone: parts with `/` between, none of which leads elsewhere. `right/` and `posix/`
/// have the same zones again, the former with leap seconds. What resembles a token value is shown nowhere, so it is
/// none.
fn is_name(name: &str) -> bool {
    const LONGEST: usize = 64;
    let is_word = |word: &str| {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'+');
        !word.is_empty() && word.bytes().all(plain)
    };
    let again = ["right/", "posix/"].iter().any(|prefix| name.starts_with(prefix));
    name.len() <= LONGEST && name.split('/').all(is_word) && !again && shown(name) == format!("`{name}`")
}

/// The folders of the system in which zones are searched, with their versions. One that is older than what is built in
/// is passed over, unless `TZDIR` names it.
fn folders(deadline: Deadline) -> Vec<ZoneSource> {
    let named = std::env::var_os("TZDIR").filter(|folder| !folder.is_empty()).map(PathBuf::from);
    let usual = FOLDERS.iter().map(PathBuf::from);
    let source = |folder: PathBuf, is_named: bool| {
        let version = version(&folder, deadline)?;
        let is_older = is_version(&version) && version.as_str() < chrono_tz::IANA_TZDB_VERSION;
        (is_named || !is_older).then_some(ZoneSource { folder: Some(folder), version })
    };
    let named = named.into_iter().filter_map(|folder| source(folder, true));
    named.chain(usual.filter_map(|folder| source(folder, false))).collect()
}

/// The version of the zones in this folder; `None` if there is no such folder.
fn version(folder: &Path, deadline: Deadline) -> Option<String> {
    if !files::exists_blocking(&folder.join("."), deadline).unwrap_or(false) {
        return None;
    }
    let first_line = |name: &str| {
        let start = files::read_start(&folder.join(name), LONGEST_VERSION, deadline).ok()?;
        let line = start.split(|byte| *byte == b'\n').next()?;
        let word = std::str::from_utf8(line).ok()?.trim().trim_start_matches("# version ").to_owned();
        is_version(&word).then_some(word)
    };
    let version = ["+VERSION", "tzdata.zi"].into_iter().find_map(first_line);
    Some(version.unwrap_or_else(|| "unknown".to_owned()))
}

/// `2026f`: a year and a letter or two.
fn is_version(word: &str) -> bool {
    let (year, letters) = word.split_at_checked(4).unwrap_or_default();
    let is_year = year.len() == 4 && year.bytes().all(|byte| byte.is_ascii_digit());
    is_year && matches!(letters.len(), 1 | 2) && letters.bytes().all(|byte| byte.is_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::process::Command;

    use tempfile::TempDir;

    use super::*;

    const VANCOUVER: &[u8] = include_bytes!("../../tests/zoneinfo/America/Vancouver");

    fn zones(folder: &TempDir) -> Zones {
        let deadline = Deadline::default();
        let version = version(folder.path(), deadline).unwrap();
        Zones::of(vec![ZoneSource { folder: Some(folder.path().to_owned()), version }], deadline)
    }

    fn folder() -> TempDir {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("America")).unwrap();
        fs::write(folder.path().join("America/Vancouver"), VANCOUVER).unwrap();
        folder
    }

    #[test]
    fn the_systems_zones_go_before_what_is_built_in() {
        let folder = folder();
        fs::write(folder.path().join("tzdata.zi"), "# version 2026f\n# This zic input file is in the public domain.\n")
            .unwrap();
        let zones = zones(&folder);
        assert_eq!(zones.find("America/Vancouver"), Zone::from_file("America/Vancouver", VANCOUVER).ok());
        assert_eq!(zones.find("Europe/Berlin"), Zone::built_in("Europe/Berlin"), "it is not there");
        assert_eq!(zones.find("UTC"), Some(Zone::utc()));
        let (used, warnings) = zones.into_used();
        let used: Vec<_> = used.iter().map(|source| (source.as_str(), source.version.as_str())).collect();
        assert_eq!(used, [("built_in", chrono_tz::IANA_TZDB_VERSION), ("system", "2026f")]);
        assert_eq!(warnings, []);
    }

    #[test]
    fn a_zone_file_that_is_bad_is_passed_over_with_a_warning() {
        let folder = folder();
        let path = |name: &str| folder.path().join(name);
        fs::create_dir(path("Europe")).unwrap();
        fs::write(path("Europe/Rome"), &VANCOUVER[..300]).unwrap();
        fs::write(path("Europe/Paris"), vec![0; 100_000]).unwrap();
        assert!(Command::new("mkfifo").arg(path("Europe/Berlin")).status().unwrap().success());
        symlink("/dev/zero", path("Europe/Madrid")).unwrap();
        symlink("/etc/passwd", path("Europe/Vienna")).unwrap();
        symlink("Vienna", path("Europe/Vienna2")).unwrap();
        symlink("Oslo", path("Europe/Oslo")).unwrap();
        let zones = zones(&folder);
        let bad = ["Rome", "Paris", "Berlin", "Madrid", "Vienna", "Oslo"].map(|city| format!("Europe/{city}"));
        for name in &bad {
            assert_eq!(zones.find(name), Zone::built_in(name), "{name}");
            assert!(zones.find(name).is_some(), "{name}");
        }
        assert_eq!(zones.find("Europe/Vienna2"), None);
        let (used, warnings) = zones.into_used();
        assert_eq!(used, [ZoneSource::built_in()]);
        assert_eq!(warnings.len(), bad.len() + 1, "{warnings:?}");
        assert!(warnings.iter().all(|warning| warning.problem.contains("built in")), "{warnings:?}");
    }

    #[test]
    fn a_name_never_leads_out_of_the_folder() {
        let folder = folder();
        fs::write(folder.path().join("America/.hidden"), VANCOUVER).unwrap();
        let zones = zones(&folder);
        let absolute = folder.path().join("America/Vancouver").display().to_string();
        for name in [
            "../../etc/passwd",
            "America/../America/Vancouver",
            absolute.as_str(),
            "America",
            "America/",
            "America//Vancouver",
            "America/.hidden",
            ".",
            "",
            "right/UTC",
            "America/Vancouver\0",
            "America/Vancouver\n",
        ] {
            assert_eq!(zones.find(name), None, "{name:?}");
        }
        assert_eq!(zones.into_used().1, [], "nothing was opened");
    }

    #[test]
    fn a_version_is_shown_only_where_there_is_one() {
        let of = |name: &str, text: &str| {
            let folder = folder();
            fs::write(folder.path().join(name), text).unwrap();
            version(folder.path(), Deadline::default()).unwrap()
        };
        assert_eq!(of("+VERSION", "2026f\n"), "2026f");
        assert_eq!(of("tzdata.zi", "# version 2025b"), "2025b");
        for odd in ["", "# version secret of somebody", "\u{0}\u{1}", "2026", "2026F", "12345678"] {
            assert_eq!(of("tzdata.zi", odd), "unknown", "{odd:?}");
        }
        assert_eq!(version(Path::new("/nowhere/at/all"), Deadline::default()), None);
    }
}
