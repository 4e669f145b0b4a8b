//! Reads where things are that are not in the configuration itself: paths, variables and credentials. Pure.

use std::path::{Path, PathBuf};

use super::context::Context;
use super::fault::{Problem, resembles_token, shown};
use super::raw::{Notes, Section};
use super::value;
use crate::model::TokenSource;

/// Reads where the value of a token is.
pub(super) fn source(section: &mut Section<'_>, context: &Context<'_>, notes: &mut Notes<'_>) -> Option<TokenSource> {
    const KEYS: [&str; 3] = ["token_file", "token_env", "token_credential"];
    let given: Vec<_> = KEYS.into_iter().filter(|key| section.has(key)).collect();
    let sources = [
        section.read("token_file", notes, |value| file_path(value, context)).map(TokenSource::File),
        section.read("token_env", notes, environment).map(TokenSource::Environment),
        section.read("token_credential", notes, credential).map(TokenSource::Credential),
    ];
    match given.as_slice() {
        [] => notes.fault(
            &section.path("token_file"),
            Problem::new("missing", "one of token_file, token_env, token_credential"),
        ),
        [_] => {}
        [.., last] => {
            let problem = Problem::new(
                format!("{} sources for one token value: {}", given.len(), given.join(", ")),
                "one of them",
            );
            notes.fault(&section.path(last), problem);
        }
    }
    sources.into_iter().flatten().next()
}

fn environment(value: &toml::Value) -> Result<String, Problem> {
    let allowed = "the name of an environment variable: letters, digits and `_`, no digit first";
    let name = value::text(value, allowed)?;
    let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if name.is_empty() || !plain || name.as_bytes()[0].is_ascii_digit() || resembles_token(name) {
        return Err(Problem::new(format!("{} is not the name of an environment variable", shown(name)), allowed));
    }
    Ok(name.to_owned())
}

pub(super) fn credential(value: &toml::Value) -> Result<String, Problem> {
    let allowed = "the name of a systemd credential: 1 to 255 characters, no `/`, not `.` or `..`";
    let name = value::text(value, allowed)?;
    let file_name = Path::new(name).file_name().is_some_and(|file_name| file_name == name);
    if !file_name || name.len() > 255 || name.chars().any(char::is_control) || resembles_token(name) {
        return Err(Problem::new(format!("{} is not the name of a credential", shown(name)), allowed));
    }
    Ok(name.to_owned())
}

/// A path, relative to the folder of the configuration file.
pub(super) fn file_path(value: &toml::Value, context: &Context<'_>) -> Result<PathBuf, Problem> {
    path_from(context.configuration, value, context)
}

/// Reads a path, relative to `base`. A component that resembles a token value is taken for a part of a path if more
/// follows, or if there is something at the end of it; alone, or at the end of a path that leads nowhere, somebody
/// pasted a value.
pub(super) fn path_from(base: &Path, value: &toml::Value, context: &Context<'_>) -> Result<PathBuf, Problem> {
    let allowed = "the path of a file";
    let path = value::text(value, allowed)?;
    if path.is_empty() || path.contains('\0') {
        return Err(Problem::new("not a path", allowed));
    }
    let full = base.join(path);
    let last = Path::new(path).file_name().map(std::ffi::OsStr::to_string_lossy).unwrap_or_default();
    if resembles_token(&last) {
        match context.outside.exists(&full) {
            Ok(true) => {}
            Ok(false) => return Err(Problem::new("looks like a token value, and no file has this path", allowed)),
            Err(error) => {
                let problem = format!("looks like a token value, and whether it is a path is not known: {error}");
                return Err(Problem::new(problem, allowed));
            }
        }
    }
    Ok(full)
}
