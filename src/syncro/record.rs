//! A record that an answer lists, so that it can be asked for in place of record 0. It is kept for one check. Pure.

use serde_json::Value;

/// In bytes: a list that is longer was not asked for, and is not read.
pub(super) const LONGEST_LIST: usize = 256 * 1024;

/// A record of an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record {
    /// The number of the record.
    pub id: u64,
    /// To whom the record is assigned; `None` if the answer does not say.
    pub assigned_to: Option<Assignee>,
}

/// To whom a record is assigned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Assignee {
    /// The user with this number.
    User(u64),
    /// Nobody.
    Nobody,
}

/// What a list shows besides that it may be read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct List {
    /// Its records, as far as each has a number.
    pub records: Vec<Record>,
    /// How many records there are in all, if it says so.
    pub total: Option<u64>,
}

impl List {
    /// Reads the only list in a JSON object: `{"tickets": [{"id": 1, "user_id": null}], "meta": {"total_entries": 12}}`.
    pub(super) fn of(text: &str) -> Self {
        let answer =
            Some(text).filter(|text| text.len() <= LONGEST_LIST).and_then(|text| serde_json::from_str(text).ok());
        let answer: Value = answer.unwrap_or_default();
        let total = answer.pointer("/meta/total_entries").and_then(Value::as_u64);
        Self { records: records(&answer), total }
    }
}

impl Record {
    fn of(record: &Value) -> Option<Self> {
        let assigned_to = match record.get("user_id") {
            Some(Value::Null) => Some(Assignee::Nobody),
            Some(user) => number(user).map(Assignee::User),
            None => None,
        };
        Some(Self { id: number(record.get("id")?).filter(|id| *id > 0)?, assigned_to })
    }

    /// Whether the record is known to be assigned to somebody else than this user, or to nobody.
    pub(crate) fn is_not_of(&self, user: u64) -> bool {
        self.assigned_to.is_some_and(|assignee| assignee != Assignee::User(user))
    }
}

/// The records of the only list in an answer.
fn records(answer: &Value) -> Vec<Record> {
    let mut lists = answer.as_object().into_iter().flat_map(serde_json::Map::values).filter_map(Value::as_array);
    let (Some(list), None) = (lists.next(), lists.next()) else { return Vec::new() };
    list.iter().filter_map(Record::of).collect()
}

/// Reads a number, or a text that contains one.
pub(super) fn number(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_may_say_how_many_records_there_are() {
        assert_eq!(List::of(r#"{"customers":[],"meta":{"total_entries":12}}"#).total, Some(12));
        for text in
            [r#"{"meta":{"total_entries":-1}}"#, r#"{"meta":{"total_entries":null}}"#, r#"{"meta":[]}"#, "[]", ""]
        {
            assert_eq!(List::of(text).total, None, "{text}");
        }
    }

    #[test]
    fn the_first_record_of_a_list_has_a_number_and_perhaps_an_assignee() {
        let first = |text| List::of(text).records.first().map(|record| (record.id, record.is_not_of(7)));
        assert_eq!(List::of(r#"{"tickets":[{"id":3},{"id":4},{"number":5}]}"#).records.len(), 2);
        assert_eq!(first(r#"{"tickets":[{"id":3,"user_id":null},{"id":4}],"meta":{"page":1}}"#), Some((3, true)));
        assert_eq!(first(r#"{"tickets":[{"id":"3","user_id":"7"}]}"#), Some((3, false)));
        assert_eq!(first(r#"{"tickets":[{"id":3,"user_id":8}]}"#), Some((3, true)));
        assert_eq!(first(r#"{"assets":[{"id":3}]}"#), Some((3, false)), "it may be the user's own");
        for text in [r#"{"tickets":[]}"#, r#"{"tickets":[{"id":0}]}"#, r#"{"a":[{"id":1}],"b":[]}"#, "[]", "{", ""] {
            assert_eq!(first(text), None, "{text}");
        }
    }
}
