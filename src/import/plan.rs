//! What an import writes: the fragments of the configuration and the files with token values, judged together with the
//! configuration that is there.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::path::{Path, PathBuf};

use secrecy::zeroize::Zeroizing;

use crate::config::{self, Faults};
use crate::syncro::TokenValue;

use super::fragments::{Fragment, Source, fragment};
use super::names::plain;
use super::rows::{Row, RowFault, rows};

/// One file that is to be there.
pub(crate) struct Planned {
    pub(super) path: PathBuf,
    pub(super) contents: Zeroizing<Vec<u8>>,
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

/// What is wrong with an import.
#[derive(Debug)]
pub(crate) enum Refused {
    /// Rows of the file.
    Rows(Vec<RowFault>),
    /// The configuration that is there, or a file that is in the way.
    Configuration(String),
}

/// Plans the import of a CSV file into the configuration whose main file is at `path`. With `credentials`, tokens are named
/// as systemd hands them over.
///
/// # Errors
/// Everything that is wrong. Nothing is written.
pub(crate) fn plan(csv: &str, path: &Path, credentials: bool) -> Result<Plan, Refused> {
    let rows = rows(csv).map_err(Refused::Rows)?;
    let tenants = by_tenant(&rows).map_err(Refused::Rows)?;
    let folder = path.parent().unwrap_or(Path::new(""));
    let (mut fragments, mut files): (BTreeMap<PathBuf, Fragment>, _) = (BTreeMap::new(), Vec::new());
    let mut faults = Vec::new();
    for rows in &tenants {
        let Some(first) = rows.first() else { continue };
        let tenant = plain(&first.tenant);
        let of_rows: Vec<_> = rows.iter().map(|row| (*row, source(&tenant, row, credentials))).collect();
        for row in rows {
            if let Err(why) = TokenValue::typed(&row.token.0) {
                faults.push(RowFault::new(
                    row.line,
                    "token",
                    format!("the value {why}"),
                    "the value that Syncro has shown",
                ));
            }
            let contents = Zeroizing::new(format!("{}\n", &*row.token.0).into_bytes());
            files.push(Planned { path: folder.join("tokens").join(file(&tenant, row)), contents, is_secret: true });
        }
        let target = folder.join("conf.d").join(format!("{tenant}.toml"));
        let made = before(&target).and_then(|before| fragment(&of_rows, before.as_deref()));
        match made {
            Ok(fragment) => drop(fragments.insert(target, fragment)),
            Err(why) => return Err(Refused::Configuration(format!("{}: {why}", target.display()))),
        }
    }
    if !faults.is_empty() {
        return Err(Refused::Rows(faults));
    }
    let texts = fragments.iter().map(|(path, fragment)| (path.clone(), fragment.text.clone())).collect();
    config::load_with(path, &texts).map_err(|faults| refused(&faults, &fragments))?;
    files.extend(fragments.into_iter().map(|(path, Fragment { text, .. })| Planned {
        path,
        contents: Zeroizing::new(text.into_bytes()),
        is_secret: false,
    }));
    Ok(Plan { files, tokens: rows.len(), tenants: tenants.len() })
}

/// The rows of each tenant, in the order of the file. All of them say the same of the account, or nothing.
fn by_tenant(rows: &[Row]) -> Result<Vec<Vec<&Row>>, Vec<RowFault>> {
    let (mut tenants, mut places, mut faults): (Vec<Vec<&Row>>, HashMap<&str, usize>, _) =
        (Vec::new(), HashMap::new(), Vec::new());
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
        if let Some(other) = tenant.iter().find(|other| other.token_name == row.token_name) {
            let problem = format!("stands in line {} already for the same tenant", other.line);
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
    if tenant.contains('-') { format!("{tenant}--{token}") } else { format!("{tenant}-{token}") }
}

fn source(tenant: &str, row: &Row, credentials: bool) -> Source {
    let file = file(tenant, row);
    if credentials { ("token_credential", format!("tokens_{file}")) } else { ("token_file", format!("tokens/{file}")) }
}

/// What a fragment holds now, if it is there.
fn before(path: &Path) -> Result<Option<String>, String> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(format!("failed to read it: {error}")),
    }
}

/// The faults of the configuration as it would be: those of the rows by their lines, and what else is wrong.
fn refused(faults: &Faults, fragments: &BTreeMap<PathBuf, Fragment>) -> Refused {
    let (mut of_rows, mut others) = (Vec::new(), Vec::new());
    for fault in &faults.0 {
        let fragment = fragments.get(Path::new(&fault.file));
        match fragment.and_then(|fragment| fragment.origin(&fault.path)) {
            Some((line, column)) => of_rows.push(RowFault::new(line, column, &fault.problem, &fault.allowed)),
            None => others.push(fault.to_string()),
        }
    }
    of_rows.sort_by_key(|fault| fault.line);
    if of_rows.is_empty() { Refused::Configuration(others.join("\n")) } else { Refused::Rows(of_rows) }
}
