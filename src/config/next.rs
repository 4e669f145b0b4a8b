//! Reads what the configuration says of the token that is to follow another one. Pure.

use toml::Value;

use super::context::Context;
use super::fault::{Problem, shown};
use super::raw::{Notes, Section};
use super::source::{credential, file_path};
use super::value;
use crate::model::{NextToken, RotateWhen, TokenSource, Zone, former_file};

/// The keys that say where the value of the next token is.
const SOURCES: [&str; 2] = ["next_token_file", "next_token_credential"];

/// Reads the keys of the next token from the section of a token whose value comes from `current`.
pub(super) fn next(
    section: &mut Section<'_>,
    (context, zone, current): (&Context<'_>, &Zone, Option<&TokenSource>),
    notes: &mut Notes<'_>,
) -> Option<NextToken> {
    let file = section.read(SOURCES[0], notes, |value| file_path(value, context)).map(TokenSource::File);
    let named = section.read(SOURCES[1], notes, credential).map(TokenSource::Credential);
    let expires = section.read("next_expires", notes, |value| value::moment(value, zone));
    let rotate_when = section.read("rotate_when", notes, rotate_when);
    let given: Vec<_> = SOURCES.into_iter().filter(|key| section.has(key)).collect();
    let mut fault = |key: &str, problem: Problem| notes.fault(&section.path(key), problem);
    let key = match given.as_slice() {
        [] => {
            for key in ["next_expires", "rotate_when"].into_iter().filter(|key| section.has(key)) {
                fault(key, Problem::new("there is no next token", "beside `next_token_file`"));
            }
            return None;
        }
        [key] => *key,
        [.., last] => {
            fault(last, Problem::new("two sources for one token value", "one of them"));
            return None;
        }
    };
    let source = file.or(named)?;
    match (current?, &source) {
        (TokenSource::File(current), TokenSource::File(next)) if current == next || former_file(current) == *next => {
            fault(
                key,
                Problem::new("not a file of its own", "another file than `token_file`, and than that with `.old`"),
            );
        }
        (TokenSource::Credential(current), TokenSource::Credential(next)) if current == next => {
            fault(key, Problem::new("the credential of `token_credential`", "another one"));
        }
        (TokenSource::File(_), TokenSource::File(_)) => {}
        (TokenSource::Credential(_), TokenSource::Credential(_)) => {
            if rotate_when == Some(RotateWhen::Proven) {
                let allowed = "`asked`: what a credential holds is for systemd to replace";
                fault("rotate_when", Problem::new("a credential cannot be replaced by this program", allowed));
            }
        }
        _ => {
            let allowed = "`next_token_file` beside `token_file`, `next_token_credential` beside `token_credential`";
            fault(key, Problem::new("not where the value in use is", allowed));
        }
    }
    Some(NextToken { source, expires, rotate_when: rotate_when.unwrap_or_default() })
}

fn rotate_when(value: &Value) -> Result<RotateWhen, Problem> {
    let allowed = "`asked` or `proven`";
    match value::text(value, allowed)? {
        "asked" => Ok(RotateWhen::Asked),
        "proven" => Ok(RotateWhen::Proven),
        other => Err(Problem::new(format!("{} is neither", shown(other)), allowed)),
    }
}
