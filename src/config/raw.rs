//! Reads a TOML table key by key and collects every fault on the way: wrong types, bad values, unknown keys. Pure.
//!
//! serde's derive stops at the first fault, which is why the file is not deserialized into structs here.

use toml::{Table, Value};

use super::fault::{Fault, Faults, Problem, nearest, shown};

/// Where faults are collected while one file is read.
#[derive(Debug)]
pub(super) struct Notes<'a> {
    pub(super) file: &'a str,
    pub(super) faults: &'a mut Faults,
}

impl Notes<'_> {
    pub(super) fn fault(&mut self, path: &str, problem: Problem) {
        let Problem { problem, allowed } = problem;
        self.faults.0.push(Fault { file: self.file.to_owned(), path: path.to_owned(), problem, allowed });
    }
}

/// One table that is being read. The keys that were asked for are recorded; [`Section::finish`] reports all others as
/// unknown.
#[derive(Debug)]
pub(super) struct Section<'a> {
    path: String,
    table: Option<&'a Table>,
    allowed_keys: Vec<&'static str>,
}

impl<'a> Section<'a> {
    pub(super) fn root(table: &'a Table) -> Self {
        Self { path: String::new(), table: Some(table), allowed_keys: Vec::new() }
    }

    /// The full path of a key of this table.
    pub(super) fn path(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    fn get(&mut self, key: &'static str) -> Option<&'a Value> {
        self.allowed_keys.push(key);
        self.table.and_then(|table| table.get(key))
    }

    /// Whether the file has this key, well-formed or not.
    pub(super) fn has(&self, key: &str) -> bool {
        self.table.is_some_and(|table| table.contains_key(key))
    }

    /// Whether the file has a list here that has no members.
    pub(super) fn is_empty_list(&self, key: &str) -> bool {
        self.table.and_then(|table| table.get(key)).and_then(Value::as_array).is_some_and(Vec::is_empty)
    }

    /// Reads one value; a faulty one is reported and counts as absent.
    pub(super) fn read<T>(
        &mut self,
        key: &'static str,
        notes: &mut Notes<'_>,
        parse: impl FnOnce(&Value) -> Result<T, Problem>,
    ) -> Option<T> {
        match parse(self.get(key)?) {
            Ok(value) => Some(value),
            Err(problem) => {
                notes.fault(&self.path(key), problem);
                None
            }
        }
    }

    /// Reads a list; each faulty member is reported with its index and left out.
    pub(super) fn read_list<T>(
        &mut self,
        key: &'static str,
        allowed: &str,
        notes: &mut Notes<'_>,
        mut parse: impl FnMut(&Value) -> Result<T, Problem>,
    ) -> Option<Vec<T>> {
        let path = self.path(key);
        let Value::Array(members) = self.get(key)? else {
            notes.fault(&path, Problem::new("not a list", allowed));
            return None;
        };
        let mut list = Vec::with_capacity(members.len());
        for (index, member) in members.iter().enumerate() {
            match parse(member) {
                Ok(value) => list.push(value),
                Err(problem) => notes.fault(&format!("{path}[{index}]"), problem),
            }
        }
        Some(list)
    }

    /// Opens a table below; one that is absent reads as empty.
    pub(super) fn section(&mut self, key: &'static str, notes: &mut Notes<'_>) -> Section<'a> {
        let path = self.path(key);
        let table = match self.get(key) {
            None => None,
            Some(Value::Table(table)) => Some(table),
            Some(_) => {
                notes.fault(&path, Problem::new("not a table", format!("a table: [{path}]")));
                None
            }
        };
        Section { path, table, allowed_keys: Vec::new() }
    }

    /// Opens each table below a table, with its name.
    pub(super) fn named_sections(&mut self, key: &'static str, notes: &mut Notes<'_>) -> Vec<(&'a str, Section<'a>)> {
        let Section { path, table, .. } = self.section(key, notes);
        let mut sections = Vec::new();
        for (name, value) in table.into_iter().flatten() {
            let path = format!("{path}.{}", shown(name).trim_matches('`'));
            match value {
                Value::Table(table) => {
                    sections.push((name.as_str(), Section { path, table: Some(table), allowed_keys: Vec::new() }));
                }
                _ => notes.fault(&path, Problem::new("not a table", format!("a table: [{key}.NAME]"))),
            }
        }
        sections
    }

    /// Reads a table whose keys the operator chooses; each faulty entry is reported and left out.
    pub(super) fn entries<T>(
        &mut self,
        key: &'static str,
        notes: &mut Notes<'_>,
        parse: impl Fn(&str, &Value) -> Result<T, Problem>,
    ) -> Vec<T> {
        let Section { path, table, .. } = self.section(key, notes);
        let mut entries = Vec::new();
        for (name, value) in table.into_iter().flatten() {
            match parse(name, value) {
                Ok(entry) => entries.push(entry),
                Err(problem) => notes.fault(&format!("{path}.{}", shown(name).trim_matches('`')), problem),
            }
        }
        entries
    }

    /// Opens each table of a list of tables.
    pub(super) fn sections(&mut self, key: &'static str, notes: &mut Notes<'_>) -> Vec<Section<'a>> {
        let path = self.path(key);
        let plain =
            path.replace(|character: char| character == '[' || character == ']' || character.is_ascii_digit(), "");
        let Some(value) = self.get(key) else { return Vec::new() };
        let Value::Array(members) = value else {
            notes.fault(&path, Problem::new("not a list of tables", format!("[[{plain}]]")));
            return Vec::new();
        };
        let mut sections = Vec::with_capacity(members.len());
        for (index, member) in members.iter().enumerate() {
            let path = format!("{path}[{index}]");
            match member {
                Value::Table(table) => sections.push(Section { path, table: Some(table), allowed_keys: Vec::new() }),
                _ => notes.fault(&path, Problem::new("not a table", format!("[[{plain}]]"))),
            }
        }
        sections
    }

    /// Reports every key that was not asked for.
    pub(super) fn finish(self, notes: &mut Notes<'_>) {
        const NAMES_OF_SECRETS: [&str; 6] = ["token", "value", "token_value", "api_key", "api_token", "secret"];
        for key in self.table.into_iter().flat_map(Table::keys) {
            if self.allowed_keys.contains(&key.as_str()) {
                continue;
            }
            let path = self.path(shown(key).trim_matches('`'));
            let allowed = if self.allowed_keys.contains(&"token_file") && NAMES_OF_SECRETS.contains(&key.as_str()) {
                "token_file, token_env or token_credential: a token value never stands in this file".to_owned()
            } else if key == "digest" && self.path.starts_with("alerts.alertmanagers") {
                "a webhook or an e-mail with a digest: an Alertmanager is sent nothing but what fires".to_owned()
            } else if let Some(near) = nearest(key, self.allowed_keys.iter().copied()) {
                format!("did you mean `{near}`?")
            } else {
                self.allowed_keys.join(", ")
            };
            notes.fault(&path, Problem::new("unknown key", allowed));
        }
    }
}
