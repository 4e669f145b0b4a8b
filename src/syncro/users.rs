//! The list of an account's users, `/users`: who is in it. Neither names nor addresses are kept. Pure.

use std::collections::BTreeSet;

use serde_json::Value;

use super::record::number;
use super::{Answer, Failure, Reason};

/// One page of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserPage {
    /// The numbers of the users on it.
    pub users: BTreeSet<u64>,
    /// How many pages there are, if it says so. Syncro's API document has no pages for this list.
    pub pages: Option<u64>,
}

impl Answer {
    /// Classifies the answer to `/users`: `{"users": [[1, "Joe Doe"]]}`.
    ///
    /// # Errors
    /// Why it is no list of users. An empty one is none either: the token itself has a user.
    pub fn users(&self) -> Result<UserPage, Failure> {
        let not_syncro = |detail: &'static str| Failure::new(Reason::NotSyncro, detail);
        if self.status() != 200 {
            return Err(self.failure().unwrap_or_else(|| self.unexpected()));
        }
        let text = self.failure().map_or_else(|| self.text(), Err)?;
        let answer: Value = serde_json::from_str(text).map_err(|_| not_syncro("the answer is not JSON"))?;
        let entries = answer.get("users").and_then(Value::as_array).ok_or_else(|| not_syncro("no list of users"))?;
        let id = |entry: &Value| number(entry.get(0).or_else(|| entry.get("id")).unwrap_or(entry));
        let users: Option<BTreeSet<u64>> = entries.iter().map(id).collect();
        let users = users.ok_or_else(|| not_syncro("a user without a number"))?;
        Ok(UserPage { users, pages: answer.pointer("/meta/total_pages").and_then(Value::as_u64) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_users_is_read_in_each_form_and_never_in_part() {
        let page = |status, body: &str| {
            let answer = Answer::new(status, "application/json", body.as_bytes().to_vec());
            answer
                .users()
                .map(|page| (page.users.into_iter().collect::<Vec<_>>(), page.pages))
                .map_err(|why| why.reason)
        };
        assert_eq!(page(200, r#"{"users":[[1,"Joe"],["2","Ann"]]}"#), Ok((vec![1, 2], None)));
        assert_eq!(page(200, r#"{"users":[{"id":3}],"meta":{"total_pages":2}}"#), Ok((vec![3], Some(2))));
        assert_eq!(page(200, r#"{"users":[]}"#), Ok((vec![], None)));
        for body in [r#"{"users":[[1,"Joe"],[null,"Ann"]]}"#, r#"{"users":{}}"#, "{}", "[", ""] {
            assert_eq!(page(200, body), Err(Reason::NotSyncro), "{body}");
        }
        assert_eq!(page(401, "{}"), Err(Reason::NotSyncro));
        assert_eq!(page(503, "{}"), Err(Reason::Http5xx));
    }
}
