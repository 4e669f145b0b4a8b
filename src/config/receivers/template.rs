//! Templates for the bodies of webhooks: MiniJinja, with strict names and bounds. A template is tried with examples when
//! the configuration is read, so that a fault in it is found then and not when an alert fires. Pure.

use std::fmt;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use minijinja::value::Serde;
use minijinja::{Environment, Error, UndefinedBehavior};
use serde_json::Value;

use crate::config::fault::nearest;

/// The most steps that one rendering may take; a notification needs some hundreds.
const MOST_STEPS: u64 = 50_000;
/// The longest body, in bytes. No service that people read takes more.
const LONGEST_BODY: usize = 256 * 1024;
/// The longest template, in bytes.
pub(super) const LONGEST_TEMPLATE: u64 = 64 * 1024;

/// Two notifications with every value that a template may name: one in which all of them are there, and one in which
/// there is as little as possible. A test of the receivers compares them with what notifications really have.
pub(crate) const EXAMPLES: [&str; 2] = [
    r#"{"version": 2, "delivery": 17, "at": "2026-11-23T10:00:31.000Z", "id": "7f3c9a01d2e4", "alert": "PermissionLost",
        "status": "firing", "change": "new", "severity": "critical", "tenant": "acme", "scope": "token",
        "security_group": "Technicians", "user_id": 7, "token_name": "jumpcloud",
        "token_names": ["jumpcloud", "backup"], "permissions": ["Tickets - Edit"], "rights": ["ticket.write"],
        "profiles": ["jumpcloud"], "affected": ["jumpcloud / Tickets - Edit", "backup / Tickets - Edit"],
        "cause": "security_group", "strength": "shown", "evidence": "right",
        "shown_by": "its user lacks the right ticket.write", "contact": "Pat, billing team",
        "note": "renew with the vendor", "since": "2026-11-23T10:00:00.000Z",
        "message": "token `jumpcloud` lost `Tickets - Edit`\n\"quoted\"",
        "steps": ["Open https://acme.syncromsp.com/groups", "Tick `Tickets - Edit`"],
        "acknowledged": {"by": "Pat", "reason": "the vendor is asked", "until": "2026-11-24T10:00:00.000Z"},
        "runbook": "https://monitor.example/runbooks/PermissionLost",
        "url": "https://monitor.example/tenants/acme/tokens/jumpcloud"}"#,
    r#"{"version": 2, "delivery": 18, "at": "2026-11-23T10:10:31.000Z", "id": "7f3c9a01d2e4", "alert": "SyncroOutage",
        "status": "resolved", "change": "resolved", "severity": "warning", "tenant": null, "scope": "fleet",
        "security_group": null, "user_id": null, "token_name": null, "token_names": [], "permissions": [],
        "rights": [], "profiles": [], "affected": [], "cause": null, "strength": null, "evidence": null,
        "shown_by": null, "contact": null, "note": null, "since": "2026-11-23T10:00:00.000Z",
        "message": "Syncro answers again", "steps": [], "acknowledged": null,
        "runbook": "https://monitor.example/runbooks/SyncroOutage",
        "url": "https://monitor.example/"}"#,
];

/// A digest with every value that a template may name; a test of the receivers compares it with real ones.
pub(crate) const DIGEST_EXAMPLE: &str = r#"{"version": 2, "digest": true, "at": "2026-11-23T08:00:00.000Z",
    "due": "2026-11-23T08:00:00.000Z", "time_zone": "UTC", "title": "Token digest: 1 alert fires", "alerts": 1,
    "critical": 1, "warnings": 0, "broken": ["critical: TokenExpired: `acme / jumpcloud`: it expired"],
    "acknowledged": [], "suppressed": ["`globex`"], "tokens_expiring": 1, "expiring": ["`acme / backup`: 2026-12-24 00:00 (in 30 days)"], "tokens_without_expiry": 0,
    "permissions_unverified": 2, "unverified": ["`acme`: 2 permissions of 1 token"], "tokens": 2, "tenants": 1,
    "message": "1 alert fires\n\"quoted\"", "url": "https://monitor.example/"}"#;

/// A template for the body of a webhook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    /// The path of its file. Its ending says how values are written: as JSON, quotes included, where it is `.json`.
    file: PathBuf,
    source: Arc<str>,
}

impl Template {
    /// The template with this text, which was read from `file`.
    ///
    /// # Errors
    /// Where it is wrong and why: its syntax, a name that no notification has, or what it makes of the examples.
    pub(crate) fn new(file: &Path, source: &str) -> Result<Self, String> {
        let template = Self { file: file.to_owned(), source: source.into() };
        template.with(|compiled| {
            let unknown =
                compiled.undeclared_variables(false).into_iter().min_by_key(|name| source.find(name.as_str()));
            unknown.filter(|name| !is_known(name)).map_or(Ok(()), |name| Err(unknown_name(&name, source)))
        })??;
        for example in EXAMPLES {
            let example: Value = serde_json::from_str(example).map_err(|error| error.to_string())?;
            let body = template.render(&example)?;
            if template.is_json()
                && let Err(error) = serde_json::from_str::<Value>(&body)
            {
                return Err(format!("what it makes of an example is not JSON: {error}"));
            }
        }
        Ok(template)
    }

    /// The body that it makes of these values.
    ///
    /// # Errors
    /// Where it fails and why.
    pub(crate) fn render(&self, values: &impl serde::Serialize) -> Result<String, String> {
        self.fill(&Context { digest: false, values })
    }

    /// The body that it makes of a digest with these values. The names that only notifications have are there too, so that
    /// a template for both need not ask for each.
    ///
    /// # Errors
    /// Where it fails and why.
    pub(crate) fn render_digest(&self, values: serde_json::Map<String, Value>) -> Result<String, String> {
        let example = serde_json::from_str(EXAMPLES[0]).unwrap_or_default();
        let mut all: serde_json::Map<String, Value> = example;
        for value in all.values_mut() {
            *value = if value.is_array() { Value::Array(Vec::new()) } else { Value::Null };
        }
        all.insert("alert".to_owned(), "Digest".into());
        all.insert("scope".to_owned(), "fleet".into());
        let is_quiet = values.get("alerts").and_then(Value::as_u64) == Some(0);
        let is_critical = values.get("critical").and_then(Value::as_u64) > Some(0);
        all.insert("status".to_owned(), if is_quiet { "resolved" } else { "firing" }.into());
        all.insert("severity".to_owned(), if is_critical { "critical" } else { "warning" }.into());
        all.extend(values);
        self.fill(&all)
    }

    /// Tries what it makes of a digest.
    ///
    /// # Errors
    /// Where it fails and why.
    pub(super) fn try_digest(&self) -> Result<(), String> {
        let body = self.render_digest(serde_json::from_str(DIGEST_EXAMPLE).unwrap_or_default())?;
        if self.is_json()
            && let Err(error) = serde_json::from_str::<Value>(&body)
        {
            return Err(format!("what it makes of an example is not JSON: {error}"));
        }
        Ok(())
    }

    fn fill(&self, values: &impl serde::Serialize) -> Result<String, String> {
        self.with(|compiled| {
            let mut body = Body(Vec::new());
            let rendered = compiled.render_captured_to(Serde(values), &mut body);
            rendered.map_err(|error| place(&error, &self.source))?;
            String::from_utf8(body.0).map_err(|_| "not text".to_owned())
        })?
    }

    /// Whether the values are written as JSON.
    pub(crate) fn is_json(&self) -> bool {
        let name = self.file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        [".json", ".json.j2", ".json.jinja", ".json.jinja2"].iter().any(|ending| name.ends_with(ending))
    }

    fn with<T>(&self, act: impl FnOnce(minijinja::Template<'_, '_>) -> T) -> Result<T, String> {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_fuel(Some(MOST_STEPS));
        environment.set_debug(true);
        let name = if self.is_json() { "template.json" } else { "template.txt" };
        let compiled = environment.template_from_named_str(name, &self.source);
        compiled.map(act).map_err(|error| place(&error, &self.source))
    }
}

impl fmt::Display for Template {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "`{}`", self.file.display())
    }
}

/// The values of a notification, and that it is no digest.
#[derive(serde::Serialize)]
struct Context<'a, T> {
    digest: bool,
    #[serde(flatten)]
    values: &'a T,
}

/// Whether notifications or digests have a value of this name, or templates a function.
fn is_known(name: &str) -> bool {
    const FUNCTIONS: [&str; 5] = ["range", "dict", "debug", "namespace", "loop"];
    FUNCTIONS.contains(&name) || names().iter().any(|known| known == name)
}

/// The names of all values, those of notifications first.
fn names() -> Vec<String> {
    let names = |example| {
        let example: serde_json::Map<String, Value> = serde_json::from_str(example).unwrap_or_default();
        example.into_iter().map(|(name, _)| name)
    };
    names(EXAMPLES[0]).chain(names(DIGEST_EXAMPLE)).collect()
}

fn unknown_name(name: &str, source: &str) -> String {
    let names = names();
    let near = nearest(name, names.iter().map(String::as_str));
    let hint = near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
    let at = source.find(name).map(|at| format!("{}: ", line_and_column(source, at))).unwrap_or_default();
    format!("{at}no notification has `{name}`{hint}")
}

/// What is wrong with a template, after its line and column.
fn place(error: &Error, source: &str) -> String {
    let what = error.detail().map_or_else(|| error.kind().to_string(), |detail| format!("{}: {detail}", error.kind()));
    match (error.range(), error.line()) {
        (Some(range), _) => format!("{}: {what}", line_and_column(source, range.start)),
        (None, Some(line)) => format!("line {line}: {what}"),
        (None, None) => what,
    }
}

/// The place of a byte, both counted from 1.
fn line_and_column(source: &str, at: usize) -> String {
    let before = source.get(..at).unwrap_or(source);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().map_or(0, |rest| rest.chars().count()) + 1;
    format!("line {line}, column {column}")
}

/// A body in the making, which takes no more than there is room for.
struct Body(Vec<u8>);

impl Write for Body {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > LONGEST_BODY {
            return Err(io::Error::other("the body is too long"));
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(source: &str) -> String {
        Template::new(Path::new("t.txt"), source).unwrap_err()
    }

    #[test]
    fn a_fault_in_a_template_is_named_with_its_place() {
        let cases = [
            ("{{ alert }}\n  {% if tenant %}x", "line 2, column 18: syntax error: unexpected end"),
            ("{{ alert }\n", "line 1, column 10: syntax error"),
            ("a\n{{ tenent }}", "line 2, column 4: no notification has `tenent`; did you mean `tenant`?"),
            ("{{ alert | shout }}", "line 1, column 12: unknown filter: filter shout is unknown"),
            ("{{ alert.name }}", "line 1, column 4: undefined value"),
            ("{% for a in range(9999) %}{% for b in range(9999) %}{{ a }}{% endfor %}{% endfor %}", "line 1"),
        ];
        for (source, expected) in cases {
            assert!(fault(source).starts_with(expected), "{source}: {}", fault(source));
        }
    }

    #[test]
    fn values_are_written_as_json_in_a_file_of_that_ending() {
        let source = "{\"text\": {{ message }}, \"to\": {{ token_names }}, \"note\": {{ note }}}";
        let template = Template::new(Path::new("dir/t.json"), source).unwrap();
        let example: Value = serde_json::from_str(EXAMPLES[0]).unwrap();
        let body: Value = serde_json::from_str(&template.render(&example).unwrap()).unwrap();
        assert_eq!((&body["text"], &body["to"][1]), (&example["message"], &"backup".into()));
        let wrong = Template::new(Path::new("t.json"), "{\"text\": \"{{ message }}\"}").unwrap_err();
        assert!(wrong.starts_with("what it makes of an example is not JSON: "), "{wrong}");
        let plain = Template::new(Path::new("t.txt"), "{% for name in token_names %}{{ name }};{% endfor %}").unwrap();
        assert_eq!(plain.render(&example).unwrap(), "jumpcloud;backup;");
    }
}
