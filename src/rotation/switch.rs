//! Puts the value of the next token in the place of the one in use. That one is kept beside it first, and each file is replaced
//! at once, so that whatever ends this program between two steps, a whole value is in use, and a second attempt goes on.
//! No file is deleted.

use std::fs::{self, File, Metadata};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use crate::model::{TokenSource, former_file};
use crate::syncro::{Fingerprint, TokenValue, Unreadable};
use crate::system::files::{Contents, Deadline};

/// What a switch did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Switched {
    /// The fingerprint of the value that was in use; none if there was no usable one.
    pub(crate) former: Option<Fingerprint>,
    /// The file that has that value now.
    pub(crate) kept_in: Option<PathBuf>,
    /// The fingerprint of the value that this file had before, of a switch before this one; none if there was no other.
    pub(crate) replaced: Option<Fingerprint>,
}

/// Why there was no switch. Nothing but the file of the former value may have changed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotSwitched {
    /// The next value cannot be read, or a value that is to be kept or replaced may be there and cannot be read.
    #[error("the token value {0}")]
    Unreadable(Unreadable),
    /// The next value is another one by now.
    #[error("`{0}` does not hold the value any more that was proven")]
    Changed(PathBuf),
    /// A file could not be replaced.
    #[error("`{path}` could not be written: {error}")]
    Unwritten {
        /// The file.
        path: PathBuf,
        /// Why not.
        error: io::Error,
    },
}

/// One replacement of a file by a value. Executed in order, they are the switch.
struct Step<'a> {
    path: PathBuf,
    contents: Contents,
    /// The file whose owner and mode the new one gets.
    like: &'a Path,
}

/// Puts the value in the file `next`, which has this fingerprint, in the place of that in `current`. May block.
///
/// # Errors
/// Why the value in use is what it was.
pub(crate) fn switch(current: &Path, next: &Path, proven: &Fingerprint) -> Result<Switched, NotSwitched> {
    let (switched, steps) = plan(current, next, proven)?;
    for step in steps {
        step.carry_out()?;
    }
    Ok(switched)
}

/// What is to be done: nothing of what has been done already.
fn plan<'a>(current: &'a Path, next: &Path, proven: &Fingerprint) -> Result<(Switched, Vec<Step<'a>>), NotSwitched> {
    let value = read(next).map_err(NotSwitched::Unreadable)?;
    if value.fingerprint() != *proven {
        return Err(NotSwitched::Changed(next.to_owned()));
    }
    let former = read_if_any(current)?;
    let kept = former_file(current);
    let before = read_if_any(&kept)?.map(|value| value.fingerprint());
    if former.as_ref().is_some_and(|former| former.fingerprint() == *proven) {
        let before = before.filter(|before| before != proven);
        let kept_in = before.is_some().then_some(kept);
        return Ok((Switched { former: before, kept_in, replaced: None }, Vec::new()));
    }
    let fingerprint = former.as_ref().map(TokenValue::fingerprint);
    let replaced =
        before.filter(|before| Some(before) != fingerprint.as_ref() && before != proven && fingerprint.is_some());
    let mut steps = Vec::new();
    if let Some(former) = &former {
        steps.push(Step { path: kept.clone(), contents: former.file(), like: current });
    }
    // A link stays, and what it leads to is replaced.
    let path = fs::canonicalize(current).unwrap_or_else(|_| current.to_owned());
    steps.push(Step { path, contents: value.file(), like: current });
    Ok((Switched { kept_in: fingerprint.as_ref().map(|_| kept), former: fingerprint, replaced }, steps))
}

fn read(path: &Path) -> Result<TokenValue, Unreadable> {
    TokenValue::read_blocking(&TokenSource::File(path.to_owned()), Deadline::default())
}

/// The value in a file that is to be replaced, if there is one. What cannot be read may be one.
fn read_if_any(path: &Path) -> Result<Option<TokenValue>, NotSwitched> {
    match read(path) {
        Ok(value) => Ok(Some(value)),
        Err(why) if why.is_absence() => Ok(None),
        Err(why) => Err(NotSwitched::Unreadable(why)),
    }
}

impl Step<'_> {
    /// Replaces the file at once.
    fn carry_out(&self) -> Result<(), NotSwitched> {
        let Self { path, contents, like } = self;
        write(path, contents, fs::metadata(like).ok().as_ref())
            .map_err(|error| NotSwitched::Unwritten { path: path.clone(), error })
    }
}

/// Writes a file beside its place and moves it there, with the owner and the mode of another one.
fn write(path: &Path, contents: &Contents, like: Option<&Metadata>) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::Builder::new().prefix(".rotate-").tempfile_in(folder)?;
    file.write_all(contents)?;
    if let Some(like) = like {
        let own = file.as_file().metadata()?;
        if (own.uid(), own.gid()) != (like.uid(), like.gid()) {
            fchown(file.as_file(), Some(like.uid()), Some(like.gid()))?;
        }
        // Nobody may read it who could not read the other one, and nobody need execute it.
        file.as_file().set_permissions(fs::Permissions::from_mode(like.permissions().mode() & 0o660))?;
    }
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    // The name reaches the disk with its folder.
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = "old-value\n";
    const NEXT: &str = "next-value\n";

    struct Files {
        _folder: tempfile::TempDir,
        current: PathBuf,
        next: PathBuf,
        kept: PathBuf,
    }

    impl Files {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let [current, next, kept] = ["token", "token.next", "token.old"].map(|name| folder.path().join(name));
            fs::write(&current, OLD).unwrap();
            fs::set_permissions(&current, fs::Permissions::from_mode(0o640)).unwrap();
            fs::write(&next, NEXT).unwrap();
            Self { _folder: folder, current, next, kept }
        }

        fn switch(&self) -> Result<Switched, NotSwitched> {
            switch(&self.current, &self.next, &TokenValue::for_test("next-value").fingerprint())
        }

        fn texts(&self) -> [Option<String>; 3] {
            [&self.current, &self.next, &self.kept].map(|path| fs::read_to_string(path).ok())
        }
    }

    fn some(texts: [&str; 3]) -> [Option<String>; 3] {
        texts.map(|text| Some(text.to_owned()))
    }

    #[test]
    fn the_next_value_takes_the_place_of_the_one_in_use_which_is_kept() {
        let files = Files::new();
        let switched = files.switch().unwrap();
        let expected = Switched {
            former: Some(TokenValue::for_test("old-value").fingerprint()),
            kept_in: Some(files.kept.clone()),
            replaced: None,
        };
        assert_eq!(switched, expected);
        assert_eq!(files.texts(), some([NEXT, NEXT, OLD]));
        for path in [&files.current, &files.kept] {
            assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o640, "{}", path.display());
        }
        assert_eq!(files.switch().unwrap(), expected, "a second time it says the same");
        assert_eq!(files.texts(), some([NEXT, NEXT, OLD]), "and does nothing");
    }

    #[test]
    fn whatever_ends_it_between_two_steps_a_whole_value_is_in_use_and_the_next_attempt_goes_on() {
        let proven = TokenValue::for_test("next-value").fingerprint();
        let count = {
            let files = Files::new();
            plan(&files.current, &files.next, &proven).unwrap().1.len()
        };
        assert_eq!(count, 2);
        for done in 0..=count {
            let files = Files::new();
            let (switched, steps) = plan(&files.current, &files.next, &proven).unwrap();
            steps.iter().take(done).for_each(|step| step.carry_out().unwrap());
            drop(steps);
            // A crash may leave a file that was not moved to its place yet.
            fs::write(files.current.with_file_name(".rotate-left"), "next-").unwrap();
            let [in_use, next, _] = files.texts();
            assert!(matches!(in_use.as_deref(), Some(OLD | NEXT)), "{in_use:?} after {done} steps");
            assert_eq!(next.as_deref(), Some(NEXT));
            assert_eq!(files.switch().unwrap(), switched, "after {done} steps");
            assert_eq!(files.texts(), some([NEXT, NEXT, OLD]), "after {done} steps");
        }
    }

    #[test]
    fn nothing_changes_unless_the_next_value_is_the_proven_one_and_the_one_in_use_is_kept() {
        let files = Files::new();
        fs::write(&files.next, "another-value\n").unwrap();
        assert!(matches!(files.switch(), Err(NotSwitched::Changed(_))));
        fs::remove_file(&files.next).unwrap();
        assert!(matches!(files.switch(), Err(NotSwitched::Unreadable(Unreadable::Missing(_)))));
        fs::write(&files.next, NEXT).unwrap();
        // A folder has the name of the file that keeps the former value.
        fs::create_dir_all(files.kept.join("full")).unwrap();
        let error = files.switch().unwrap_err().to_string();
        assert!(error.contains("token.old"), "{error}");
        assert_eq!(files.texts()[0].as_deref(), Some(OLD));
    }

    #[test]
    fn what_cannot_be_read_is_not_taken_for_no_value() {
        let switched_before = Files::new();
        fs::write(&switched_before.current, NEXT).unwrap();
        for files in [Files::new(), switched_before] {
            let before = files.texts();
            fs::write(&files.kept, "no token value, but a note of somebody\n").unwrap();
            let error = files.switch().unwrap_err();
            assert!(matches!(&error, NotSwitched::Unreadable(why) if why.to_string().contains("token.old")), "{error}");
            assert_eq!(files.texts()[..2], before[..2]);
        }
    }

    #[test]
    fn the_value_of_a_switch_before_is_named_when_it_is_replaced() {
        let files = Files::new();
        fs::write(&files.kept, "older-value\n").unwrap();
        let switched = files.switch().unwrap();
        assert_eq!(switched.replaced, Some(TokenValue::for_test("older-value").fingerprint()));
        assert_eq!(files.texts(), some([NEXT, NEXT, OLD]));
    }

    #[test]
    fn a_token_without_a_value_gets_one_and_a_link_stays_a_link() {
        let files = Files::new();
        fs::write(&files.current, "\n").unwrap();
        assert_eq!(files.switch().unwrap(), Switched { former: None, kept_in: None, replaced: None });
        assert_eq!(files.texts(), [Some(NEXT.to_owned()), Some(NEXT.to_owned()), None]);
        let files = Files::new();
        let link = files.current.with_file_name("link");
        std::os::unix::fs::symlink(&files.current, &link).unwrap();
        switch(&link, &files.next, &TokenValue::for_test("next-value").fingerprint()).unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(files.texts()[0].as_deref(), Some(NEXT));
    }
}
