//! The operations of Syncro's API document, as data: which there are and which permission each needs.

use std::sync::LazyLock;

use serde::Deserialize;

/// One operation.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Operation {
    /// The HTTP method.
    pub method: String,
    /// The path template: `/tickets/{id}`.
    pub path: String,
    /// One permission of each group is needed.
    pub requires: Vec<Vec<String>>,
    /// The statuses that the document names.
    pub statuses: Vec<u16>,
    /// The specification that has it, where it is not that of April 2026.
    pub specification: Option<String>,
}

#[derive(Deserialize)]
struct File {
    operation: Vec<Operation>,
}

static OPERATIONS: LazyLock<Vec<Operation>> = LazyLock::new(|| {
    toml::from_str::<File>(include_str!("operations.toml"))
        .expect("the embedded data is valid: a test parses it")
        .operation
});

/// All operations.
pub fn operations() -> &'static [Operation] {
    &OPERATIONS
}

/// The operation that a request names; a literal path goes before a template.
pub(super) fn find(method: &str, path: &str) -> Option<&'static Operation> {
    let fits = |operation: &&Operation| operation.method == method && matches(&operation.path, path);
    operations().iter().filter(fits).min_by_key(|operation| operation.path.matches('{').count())
}

fn matches(template: &str, path: &str) -> bool {
    let (mut template, mut path) = (template.split('/'), path.split('/'));
    loop {
        match (template.next(), path.next()) {
            (None, None) => return true,
            (Some(part), Some(given)) if part == given || (part.starts_with('{') && !given.is_empty()) => {}
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_finds_its_operation() {
        let found = |method, path| find(method, path).map(|operation| operation.path.as_str());
        assert_eq!(found("GET", "/tickets/0"), Some("/tickets/{id}"));
        assert_eq!(found("GET", "/tickets/settings"), Some("/tickets/settings"));
        assert_eq!(found("GET", "/me"), Some("/me"));
        assert_eq!(found("POST", "/me"), None);
        assert_eq!(found("GET", "/tickets/"), None);
        assert_eq!(operations().iter().filter(|operation| operation.specification.is_none()).count(), 170);
    }
}
