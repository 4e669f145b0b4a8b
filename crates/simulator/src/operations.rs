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
    /// What the body must hold, and nothing else, for this to be the operation: where that decides what is needed.
    pub sole_key: Option<String>,
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

/// The operation that a request names; a literal path goes before a template, a body that fits before any body.
pub(super) fn find(method: &str, path: &str, sole_key: Option<&str>) -> Option<&'static Operation> {
    let fits = |operation: &&Operation| {
        let body_fits = operation.sole_key.is_none() || operation.sole_key.as_deref() == sole_key;
        operation.method == method && body_fits && matches(&operation.path, path)
    };
    let precedence = |operation: &&Operation| (operation.path.matches('{').count(), operation.sole_key.is_none());
    operations().iter().filter(fits).min_by_key(precedence)
}

/// The key of a JSON body that holds one alone.
pub(super) fn sole_key(body: &[u8]) -> Option<String> {
    let object: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(body).ok()?;
    object.keys().next().filter(|_| object.len() == 1).cloned()
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
        let found = |method, path| find(method, path, None).map(|operation| operation.path.as_str());
        assert_eq!(found("GET", "/tickets/0"), Some("/tickets/{id}"));
        assert_eq!(found("GET", "/tickets/settings"), Some("/tickets/settings"));
        assert_eq!(found("GET", "/me"), Some("/me"));
        assert_eq!(found("POST", "/me"), None);
        assert_eq!(found("GET", "/tickets/"), None);
        let needs = |body: &str| {
            find("PUT", "/customer_assets/0", sole_key(body.as_bytes()).as_deref()).map(|found| &found.requires[0][0])
        };
        assert_eq!(needs("{}").map(String::as_str), Some("Assets - Edit"));
        assert_eq!(needs("{\"policy_folder_id\": 0}").map(String::as_str), Some("Assets - Policy Change"));
        assert_eq!(needs("{\"policy_folder_id\": 0, \"name\": 1}").map(String::as_str), Some("Assets - Edit"));
        assert_eq!(operations().iter().filter(|operation| operation.specification.is_none()).count(), 170);
    }
}
