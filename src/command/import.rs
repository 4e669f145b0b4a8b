//! `import`: takes tokens from a CSV file into the configuration.

use std::path::Path;

use secrecy::zeroize::Zeroizing;

use crate::cli::ImportArguments;
use crate::exit::Exit;
use crate::import::{Plan, Refused, Written, plan, write};
use crate::system::files::{Deadline, read_blocking, readable_by_others};

use super::{failed, finish, refused, say};

/// The most bytes of a file: 50,000 tokens with long notes have some ten megabytes.
const LARGEST: u64 = 256 * 1024 * 1024;

pub(super) fn import(path: &Path, ImportArguments { file, dry_run, credentials }: &ImportArguments) -> Exit {
    let name = file.display();
    let text = match read(file) {
        Ok(text) => text,
        Err(why) => return refused(&format!("{name}: {why}\n")),
    };
    let plan = match plan(&text, path, None, *credentials) {
        Ok(plan) => plan,
        Err(Refused::Rows(faults)) => {
            let count = faults.len();
            let lines: Vec<_> = faults.iter().map(|fault| format!("{name}: {fault}")).collect();
            let faults = if count == 1 { "fault" } else { "faults" };
            return refused(&format!("{}\n{count} {faults}; nothing was written\n", lines.join("\n")));
        }
        Err(Refused::Configuration(why)) => {
            let is_there = path.symlink_metadata().is_ok();
            let hint = if is_there { "" } else { "; `init` writes a first configuration" };
            return refused(&format!("{why}\nnothing was written{hint}\n"));
        }
    };
    if !readable_by_others(vec![file], Deadline::default()).is_empty() {
        say(&format!(
            "warning: everyone on this machine can read `{name}`, which has token values: delete it, or chmod 600\n"
        ));
    }
    match write(&plan, *dry_run) {
        Ok(written) => finish(&said(&plan, written, *dry_run), Exit::Success),
        Err(error) => failed(&error),
    }
}

fn read(file: &Path) -> Result<Zeroizing<String>, String> {
    let bytes = read_blocking(file, LARGEST, Deadline::default()).map_err(|error| error.to_string())?;
    let text = std::str::from_utf8(&bytes).map_err(|_| "not UTF-8: save it as \"CSV UTF-8\"".to_owned())?;
    Ok(Zeroizing::new(text.to_owned()))
}

/// What was written, or would be.
fn said(plan: &Plan, written: Written, dry_run: bool) -> String {
    let Written { new_values, other_values, fragments } = written;
    let of = |number: usize, one: &str, many: &str| format!("{number} {}", if number == 1 { one } else { many });
    let rows = format!("{} of {}", of(plan.tokens, "token", "tokens"), of(plan.tenants, "tenant", "tenants"));
    if written == Written::default() {
        return format!("{rows}: everything is there already, nothing was written\n");
    }
    let files = [
        (new_values, "new token value", "new token values"),
        (other_values, "token value in place of another", "token values in place of others"),
        (fragments, "file in `conf.d`", "files in `conf.d`"),
    ];
    let files = files.into_iter().filter(|(number, ..)| *number > 0).map(|(number, one, many)| of(number, one, many));
    let files = files.collect::<Vec<_>>().join(", ");
    if dry_run {
        format!("{rows}: {files} would be written\n")
    } else {
        format!("{rows}: {files} written\nnow run `syncro-token-monitor check`, and reload the daemon if one runs\n")
    }
}
