//! What an import writes: the fragments of the configuration and the files with token values, judged together with the
//! configuration that is there.

use std::collections::{BTreeMap, HashMap};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::config::{self, Faults};
use crate::system::files::{Contents, Deadline, ReadError, read_blocking};

use super::fragments::{Fragment, Source, fragment};
use super::names::{BETWEEN, plain};
use super::rows::{Row, RowFault, rows};

/// The most bytes of a file that is there already.
const LARGEST: u64 = 64 * 1024 * 1024;

/// One file that is to be there.
pub(crate) struct Planned {
    pub(super) path: PathBuf,
    pub(super) contents: Contents,
    /// What is there before, if anything is.
    pub(super) before: Option<Contents>,
    /// Whether it holds a token value.
    pub(super) is_secret: bool,
}

/// What is to be written: the files with the token values first, so that no fragment ever names one that is not there.
pub(crate) struct Plan {
    pub(super) files: Vec<Planned>,
    /// How many tokens the rows name.
    pub(crate) tokens: usize,
    /// How many tenants they have.
    pub(crate) tenants: usize,
}

impl Planned {
    /// # Errors
    /// When what is at its path cannot be read.
    pub(super) fn new(path: PathBuf, contents: Contents, is_secret: bool) -> Result<Self, String> {
        Ok(Self { before: there(&path)?, path, contents, is_secret })
    }
}

/// What a file holds, if it is there.
fn there(path: &Path) -> Result<Option<Contents>, String> {
    // A read needs a thread of its own, and most of the files of a first import are not there.
    if path.symlink_metadata().is_err_and(|error| error.kind() == ErrorKind::NotFound) {
        return Ok(None);
    }
    match read_blocking(path, LARGEST, Deadline::default()) {
        Ok(contents) => Ok(Some(contents)),
        Err(ReadError::Missing(_)) => Ok(None),
        Err(error) => Err(format!("failed to read `{}`: {error}", path.display())),
    }
}

/// The fragments by their paths, and what is there before.
type Fragments = BTreeMap<PathBuf, (Fragment, Option<Contents>)>;

/// What is wrong with an import.
#[derive(Debug)]
pub(crate) enum Refused {
    /// Rows of the file.
    Rows(Vec<RowFault>),
    /// The configuration that is there, or a file that is in the way.
    Configuration(String),
}

/// Plans the import of a CSV file into the configuration whose main file is at `path`, which is to hold `main` if there is none
/// yet. With `credentials`, tokens are named as systemd hands them over.
///
/// # Errors
/// Everything that is wrong. Nothing is written.
pub(crate) fn plan(csv: &str, path: &Path, main: Option<&str>, credentials: bool) -> Result<Plan, Refused> {
    let rows = rows(csv).map_err(Refused::Rows)?;
    let tenants = by_tenant(&rows).map_err(Refused::Rows)?;
    let folder = path.parent().unwrap_or(Path::new(""));
    let (mut fragments, mut files): (Fragments, _) = (BTreeMap::new(), Vec::new());
    for rows in &tenants {
        let Some(first) = rows.first() else { continue };
        let tenant = plain(&first.tenant);
        let of_rows: Vec<_> = rows.iter().map(|row| (*row, source(&tenant, row, credentials))).collect();
        for row in rows {
            let path = folder.join("tokens").join(file(&tenant, row));
            files.push(Planned::new(path, row.token.file(), true).map_err(Refused::Configuration)?);
        }
        let target = folder.join("conf.d").join(format!("{tenant}.toml"));
        let in_the_way = |why| Refused::Configuration(format!("{}: {why}", target.display()));
        let before = there(&target).map_err(Refused::Configuration)?;
        let text = before.as_deref().map(|before| std::str::from_utf8(before)).transpose();
        let text = text.map_err(|_| in_the_way("it is not UTF-8".to_owned()))?;
        let fragment = fragment(&of_rows, text).map_err(in_the_way)?;
        fragments.insert(target.clone(), (fragment, before));
    }
    let main = main.map(|main| (path.to_owned(), main.to_owned()));
    let texts = fragments.iter().map(|(path, (fragment, _))| (path.clone(), fragment.text.clone()));
    config::load_with(path, &texts.chain(main.clone()).collect()).map_err(|faults| refused(&faults, &fragments))?;
    files.extend(fragments.into_iter().map(|(path, (Fragment { text, .. }, before))| Planned {
        path,
        contents: text.into_bytes().into(),
        before,
        is_secret: false,
    }));
    if let Some((path, main)) = main {
        files.push(Planned::new(path, main.into_bytes().into(), false).map_err(Refused::Configuration)?);
    }
    Ok(Plan { files, tokens: rows.len(), tenants: tenants.len() })
}

/// The rows of each tenant, in the order of the file. All of them say the same of the account, or nothing.
fn by_tenant(rows: &[Row]) -> Result<Vec<Vec<&Row>>, Vec<RowFault>> {
    let (mut tenants, mut places, mut faults): (Vec<Vec<&Row>>, HashMap<&str, usize>, _) =
        (Vec::new(), HashMap::new(), Vec::new());
    let mut lines = HashMap::new();
    for row in rows {
        let place = *places.entry(&row.tenant).or_insert_with(|| {
            tenants.push(Vec::new());
            tenants.len() - 1
        });
        let Some(tenant) = tenants.get_mut(place) else { continue };
        if let Some(first) = tenant.first() {
            let differs = |column: &str| {
                let problem = format!("is another one than in line {} for the same tenant", first.line);
                RowFault::new(row.line, column, problem, "one account for each tenant")
            };
            if first.subdomain != row.subdomain {
                faults.push(differs("subdomain"));
            }
            if row.time_zone.is_some() && first.time_zone != row.time_zone {
                faults.push(differs("time_zone"));
            }
        }
        let first = *lines.entry((place, &row.token_name)).or_insert(row.line);
        if first != row.line {
            let problem = format!("stands in line {first} already for the same tenant");
            faults.push(RowFault::new(row.line, "token_name", problem, "each token once"));
        }
        tenant.push(row);
    }
    if faults.is_empty() { Ok(tenants) } else { Err(faults) }
}

/// The name of the file of a token.
fn file(tenant: &str, row: &Row) -> String {
    let token = plain(&row.token_name);
    // With a hyphen alone, `a` and `b-c` would share a file with `a-b` and `c`.
    if tenant.contains('-') { format!("{tenant}{BETWEEN}{token}") } else { format!("{tenant}-{token}") }
}

fn source(tenant: &str, row: &Row, credentials: bool) -> Source {
    let file = file(tenant, row);
    if credentials { ("token_credential", format!("tokens_{file}")) } else { ("token_file", format!("tokens/{file}")) }
}

/// The faults of the configuration as it would be: those of the rows by their lines, and what else is wrong.
fn refused(faults: &Faults, fragments: &Fragments) -> Refused {
    let (mut of_rows, mut others) = (Vec::new(), Vec::new());
    for fault in &faults.0 {
        let fragment = fragments.get(Path::new(&fault.file));
        match fragment.and_then(|(fragment, _)| fragment.origin(&fault.path)) {
            Some((line, column)) => of_rows.push(RowFault::new(line, column, &fault.problem, &fault.allowed)),
            None => others.push(fault.to_string()),
        }
    }
    of_rows.sort_by_key(|fault| fault.line);
    if of_rows.is_empty() { Refused::Configuration(others.join("\n")) } else { Refused::Rows(of_rows) }
}
