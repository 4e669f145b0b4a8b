//! Reads the list of an account's users, page by page, as far as it takes to find those who are sought.

use std::collections::BTreeSet;

use crate::syncro::{Failure, Reason, Request, UsersObservation};

use super::run::Questions;

/// A list with more pages is given up: nothing is said of a user who was not found until then.
const MOST_PAGES: u64 = 20;

impl Questions<'_> {
    /// Reads the list until every user who is sought has been found, or to its end.
    pub(super) async fn users(&mut self, sought: &BTreeSet<u64>) -> UsersObservation {
        let mut listed = BTreeSet::new();
        for number in 1..=MOST_PAGES {
            let page = match self.one(Request::Users(number)).await.and_then(|answer| answer.users()) {
                Ok(page) => page,
                Err(failure) => return UsersObservation::Failed(failure),
            };
            let known = listed.len();
            listed.extend(page.users);
            // Where the list does not say how many pages it has, a page without anybody new is behind the last one.
            let is_last = page.pages.map_or(listed.len() == known, |pages| number >= pages);
            if listed.is_empty() {
                let why = "an empty list of users, although the token has one";
                return UsersObservation::Failed(Failure::new(Reason::NotSyncro, why));
            }
            if is_last || sought.is_subset(&listed) {
                return UsersObservation::Listed { listed, is_whole: is_last };
            }
        }
        let why = format!("the list of users has more than {MOST_PAGES} pages");
        UsersObservation::Failed(Failure::new(Reason::TooLarge, why))
    }
}
