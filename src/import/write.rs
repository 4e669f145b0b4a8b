//! Writes what an import has planned: all files or none. Each is written beside its place and moved there, so that nobody ever
//! reads half of one, and what was there before is put back if one cannot be moved.

use std::fs::{self, DirBuilder, File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt, fchown};
use std::path::Path;

use anyhow::Context;
use tempfile::TempPath;

use super::plan::{Plan, Planned};

/// The modes of the folders and of the files, with token values and without.
const FOLDERS: [u32; 2] = [0o700, 0o755];
const FILES: [u32; 2] = [0o600, 0o644];

/// What was done, or would be.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Written {
    /// Files with token values that are new.
    pub(crate) new_values: usize,
    /// Files with token values that held another one.
    pub(crate) other_values: usize,
    /// Fragments of the configuration that are new or have changed.
    pub(crate) fragments: usize,
}

/// A file that is to be moved to its place, closed: there may be more of them than may be open.
type Ready<'a> = (TempPath, &'a Planned);

/// Writes every file of the plan that is not there yet as it is planned, unless it is a `dry_run`.
///
/// # Errors
/// When a file cannot be written. Then everything is as it was before.
pub(crate) fn write(plan: &Plan, dry_run: bool) -> anyhow::Result<Written> {
    let (mut written, mut ready) = (Written::default(), Vec::new());
    for planned in &plan.files {
        if planned.before.as_ref() == Some(&planned.contents) {
            continue;
        }
        match (planned.is_secret, &planned.before) {
            (true, None) => written.new_values += 1,
            (true, Some(_)) => written.other_values += 1,
            (false, _) => written.fragments += 1,
        }
        if !dry_run {
            let file = beside(planned).with_context(|| format!("write `{}`", planned.path.display()))?;
            ready.push((file, planned));
        }
    }
    move_all(ready)?;
    Ok(written)
}

/// Moves every file to its place, or puts back what was there.
fn move_all(ready: Vec<Ready<'_>>) -> anyhow::Result<()> {
    let mut moved: Vec<&Planned> = Vec::new();
    for (file, planned) in ready {
        if let Err(error) = file.persist(&planned.path) {
            for planned in moved.into_iter().rev() {
                put_back(planned)
                    .with_context(|| format!("put back `{}`, after another file", planned.path.display()))?;
            }
            return Err(error.error).with_context(|| format!("write `{}`", planned.path.display()));
        }
        moved.push(planned);
    }
    let mut folders: Vec<_> = moved.iter().map(|planned| folder_of(&planned.path)).collect();
    folders.dedup();
    for folder in folders {
        // The names reach the disk with their folder.
        File::open(folder)
            .and_then(|folder| folder.sync_all())
            .with_context(|| format!("write `{}`", folder.display()))?;
    }
    Ok(())
}

fn put_back(Planned { path, before, .. }: &Planned) -> io::Result<()> {
    match before {
        None => fs::remove_file(path),
        Some(before) => {
            let mode = fs::metadata(path)?.permissions();
            temporary(path, before, mode)?.persist(path).map_err(|error| error.error)
        }
    }
}

/// Writes a file beside its place, in a folder that is made if there is none.
fn beside(planned: &Planned) -> io::Result<TempPath> {
    let public = usize::from(!planned.is_secret);
    let folder = folder_of(&planned.path);
    let is_new = !folder.try_exists()?;
    DirBuilder::new().recursive(true).mode(FOLDERS[public]).create(folder)?;
    if is_new {
        give_to_owner_of(folder_of(folder), &File::open(folder)?)?;
    }
    temporary(&planned.path, &planned.contents, Permissions::from_mode(FILES[public]))
}

fn temporary(target: &Path, contents: &[u8], mode: Permissions) -> io::Result<TempPath> {
    let folder = folder_of(target);
    // Whoever reads the configuration meanwhile passes over a name that begins with a dot.
    let mut file = tempfile::Builder::new().prefix(".import-").tempfile_in(folder)?;
    file.write_all(contents)?;
    file.as_file().set_permissions(mode)?;
    give_to_owner_of(folder, file.as_file())?;
    file.as_file().sync_all()?;
    Ok(file.into_temp_path())
}

/// The folder in which a path is, which may be the working directory.
fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Gives what root has made to the owner of its folder, who may be the user of the daemon.
fn give_to_owner_of(folder: &Path, file: &File) -> io::Result<()> {
    let (folder, own) = (fs::metadata(folder)?, file.metadata()?);
    if folder.uid() == own.uid() { Ok(()) } else { fchown(file, Some(folder.uid()), Some(folder.gid())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn planned(path: &Path, contents: &str, is_secret: bool) -> Planned {
        Planned::new(path.to_owned(), contents.as_bytes().to_vec().into(), is_secret).unwrap()
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn files_are_made_with_their_modes_and_only_where_they_change() {
        let folder = tempfile::tempdir().unwrap();
        let [value, fragment] = ["tokens/a", "conf.d/a.toml"].map(|name| folder.path().join(name));
        let plan = |contents: &str| {
            let files = vec![planned(&value, contents, true), planned(&fragment, "x = 1\n", false)];
            Plan { files, tokens: 1, tenants: 1 }
        };
        let first = Written { new_values: 1, other_values: 0, fragments: 1 };
        assert_eq!(write(&plan("one\n"), true).unwrap(), first);
        assert!(!value.exists() && !value.parent().unwrap().exists(), "a dry run writes nothing");
        assert_eq!(write(&plan("one\n"), false).unwrap(), first);
        assert_eq!([mode(&value), mode(&fragment), mode(value.parent().unwrap())], [0o600, 0o644, 0o700]);
        assert_eq!(write(&plan("one\n"), false).unwrap(), Written::default(), "the same again");
        assert_eq!(write(&plan("two\n"), false).unwrap(), Written { other_values: 1, ..Written::default() });
        assert_eq!(fs::read_to_string(&value).unwrap(), "two\n");
    }

    #[test]
    fn where_one_file_cannot_be_put_in_its_place_all_is_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir_all(at("tokens")).unwrap();
        fs::write(at("tokens/old"), "before\n").unwrap();
        let [old, new, blocked] = ["tokens/old", "tokens/new", "conf.d/blocked.toml"].map(at);
        let files = [planned(&old, "after\n", true), planned(&new, "new\n", true), planned(&blocked, "x\n", false)];
        let ready: Vec<_> = files.iter().map(|planned| (beside(planned).unwrap(), planned)).collect();
        // A folder has come in its way.
        fs::create_dir_all(blocked.join("full")).unwrap();
        let error = format!("{:#}", move_all(ready).unwrap_err());
        assert!(error.contains("blocked.toml"), "{error}");
        assert_eq!(fs::read_to_string(&old).unwrap(), "before\n");
        let left: Vec<_> = fs::read_dir(at("tokens")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["old"], "nothing is left behind");
    }
}
