//! What a configuration has lost by accident: files that were emptied or cut off. Pure.
//!
//! A disk that is full while a file is saved leaves nothing of it, or its beginning, which may well be valid. A daemon
//! that watches tokens must not conclude that none is to be watched.

use std::path::Path;

use super::Config;
use super::fault::{Fault, Faults};
use super::file::ConfigFile;

/// Programs write files, and disks store them, in pieces of this many bytes.
const PIECE: usize = 4096;
/// With so many tokens or more, the loss of most of them is worth a warning.
const FEW: usize = 4;

/// The faults for which `before` must not be replaced by `files`, from which `after` was read if they are valid.
pub(super) fn shrunk(path: &Path, before: &Config, files: &[ConfigFile], after: Option<&Config>) -> Faults {
    let mut faults = Faults::default();
    let mut fault = |path: &Path, key: &str, problem: String, allowed: &str| {
        let (file, path, allowed) = (path.display().to_string(), key.to_owned(), allowed.to_owned());
        faults.0.push(Fault { file, path, problem, allowed });
    };
    let lost = after.is_some_and(|after| has_less(before, after));
    for file in files {
        let Some(previous) = before.files.iter().find(|previous| previous.path == file.path) else { continue };
        if file.is_blank && !previous.is_blank {
            let problem = format!("is empty, and held {} bytes when it was read last", previous.length);
            fault(&file.path, "", problem, "a comment in it if that is meant, or no such file");
        } else if lost && is_cut(file, previous) {
            let problem = format!(
                "holds less than before and seems cut off: {} of {} bytes, up to the {}",
                file.length,
                previous.length,
                if file.ends_with_line { "end of a block of the disk" } else { "middle of a line" }
            );
            fault(&file.path, "", problem, "a whole file, with a line feed at its end");
        }
    }
    if let Some(after) = after {
        let (some, none) = (before.tokens.len(), after.tokens.is_empty());
        if some > 0 && none {
            let problem = format!("no token is configured any more, and {some} {} watched", were(some));
            fault(path, "tenants", problem, "[[tenants]] with [[tenants.tokens]]; to watch nothing, stop the daemon");
        }
        let fragments = |files: &[ConfigFile]| files.iter().filter(|file| file.path != path).count();
        let (had, has) = (fragments(&before.files), fragments(files));
        if lost && had > 1 && has == 0 {
            let problem = format!("none of its {had} files is there any more");
            fault(&path.with_file_name("conf.d"), "", problem, "files; if that is meant, restart the daemon");
        }
    }
    faults
}

/// The warning that most tokens have gone, if they have, when `after` takes the place of `before`.
pub(super) fn fewer(path: &Path, before: &Config, after: &Config) -> Option<Fault> {
    let (had, has) = (before.tokens.len(), after.tokens.len());
    (had >= FEW && has < had.div_ceil(2)).then(|| Fault {
        file: path.display().to_string(),
        path: "tenants".to_owned(),
        problem: format!("{has} of {had} tokens are still configured; the others are not watched any more"),
        allowed: String::new(),
    })
}

fn has_less(before: &Config, after: &Config) -> bool {
    let of = |config: &Config| [config.tokens.len(), config.alerts.receivers.len(), config.maintenance.len()];
    of(before).into_iter().zip(of(after)).any(|(before, after)| after < before)
}

/// Whether a file is shorter than it was and ends as one whose writing was cut off, and not as it ended before.
fn is_cut(file: &ConfigFile, previous: &ConfigFile) -> bool {
    let in_a_line = previous.ends_with_line && !file.ends_with_line;
    file.length < previous.length && (in_a_line || (file.length > 0 && file.length.is_multiple_of(PIECE)))
}

fn were(count: usize) -> &'static str {
    if count == 1 { "was" } else { "were" }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::testing::{config, token};

    fn file(name: &str, length: usize, ends_with_line: bool) -> ConfigFile {
        ConfigFile { path: PathBuf::from(name), length, is_blank: length == 0, ends_with_line }
    }

    fn of(tokens: usize, files: &[ConfigFile]) -> Config {
        let tokens = (0..tokens).map(|number| token(&format!("t{number}"), &[])).collect();
        Config { files: files.to_vec(), ..config(tokens) }
    }

    fn faults(before: &Config, after: &Config) -> String {
        shrunk(Path::new("config.toml"), before, &after.files, Some(after)).to_string()
    }

    #[test]
    fn an_accidental_loss_is_refused_and_an_intended_one_is_not() {
        let main = |length, ends| file("config.toml", length, ends);
        let before = of(3, &[main(9000, true), file("conf.d/a.toml", 500, true), file("conf.d/b.toml", 500, true)]);
        let rest = [file("conf.d/a.toml", 500, true), file("conf.d/b.toml", 500, true)];
        let with = |file: ConfigFile| [vec![file], rest.to_vec()].concat();
        for (case, after, fault) in [
            ("emptied", of(2, &with(main(0, false))), "config.toml: is empty, and held 9000 bytes"),
            ("emptied, and all tokens elsewhere", of(3, &with(main(0, false))), "config.toml: is empty"),
            ("cut in a line", of(2, &with(main(5000, false))), "5000 of 9000 bytes, up to the middle of a line"),
            ("cut at a block", of(2, &with(main(4096, true))), "4096 of 9000 bytes, up to the end of a block"),
            ("no token left", of(0, &with(main(8000, true))), "config.toml: tenants: no token is configured any more"),
            ("conf.d has gone", of(1, &[main(9000, true)]), "conf.d: none of its 2 files is there any more"),
        ] {
            assert!(faults(&before, &after).contains(fault), "{case}: {}", faults(&before, &after));
        }
        for (case, after) in [
            ("a tenant was taken out", of(2, &with(main(8000, true)))),
            ("a file was removed", of(2, &with(main(9000, true))[..2])),
            ("nothing is lost", of(3, &with(main(4096, false)))),
            ("more than before", of(4, &with(main(12_288, true)))),
        ] {
            assert_eq!(faults(&before, &after), "", "{case}");
        }
        let nothing = of(0, &[main(0, false)]);
        assert_eq!(faults(&nothing, &nothing), "", "there was nothing before");
    }

    #[test]
    fn the_loss_of_most_tokens_is_worth_a_warning() {
        let fewer = |had, has| fewer(Path::new("config.toml"), &of(had, &[]), &of(has, &[])).is_some();
        assert!(fewer(10, 4) && fewer(4, 1));
        assert!(!fewer(10, 5) && !fewer(3, 1) && !fewer(4, 4) && !fewer(4, 2));
    }
}
