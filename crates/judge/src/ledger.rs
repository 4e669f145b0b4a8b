//! What the receiver received, as the fields of its JSON say it.

use crate::spans::Ms;

/// One notification, as a receiver took it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// When, in true time.
    pub at: Ms,
    /// The number under which it may be repeated.
    pub delivery: i64,
    /// The id of the alert.
    pub id: String,
    /// The alert's name.
    pub alert: String,
    /// What has changed.
    pub change: Change,
    /// How bad it is.
    pub severity: Severity,
    /// The tenant; empty for the fleet.
    pub tenant: String,
    /// What it is about: `token`, `user`, `security_group`, `tenant` or `fleet`.
    pub scope: String,
    /// The security group that it names.
    pub security_group: String,
    /// The user that it names.
    pub user_id: Option<u64>,
    /// The token; empty unless it is about one.
    pub token_name: String,
    /// What is affected, as far as it is listed.
    pub entries: Vec<Entry>,
    /// Whether more is affected than is listed.
    pub more: bool,
    /// The rights that it names.
    pub rights: Vec<String>,
    /// The cause that it names.
    pub cause: String,
}

/// What became of an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Change {
    /// It began.
    New,
    /// It is worse.
    Escalated,
    /// It is less bad.
    Deescalated,
    /// Its list is another.
    Updated,
    /// It is still so.
    Reminder,
    /// It is over.
    Resolved,
    /// Another alert has taken its place.
    Superseded,
}

impl Change {
    /// The change of this name.
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "new" => Self::New,
            "escalated" => Self::Escalated,
            "deescalated" => Self::Deescalated,
            "updated" => Self::Updated,
            "reminder" => Self::Reminder,
            "resolved" => Self::Resolved,
            "superseded" => Self::Superseded,
            _ => return None,
        })
    }

    /// Whether the alert does not fire any more.
    pub fn ends(self) -> bool {
        matches!(self, Self::Resolved | Self::Superseded)
    }
}

/// How bad an alert is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// It can wait until tomorrow.
    Warning,
    /// It cannot.
    Critical,
}

/// One member of the list of what is affected.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Entry {
    /// The name of the token.
    pub token: String,
    /// The permission or the right that it is short of; empty if it is the token itself that does not work.
    pub thing: String,
}

impl Entry {
    /// The members of a list, and whether there are more than it says.
    pub fn list<'l>(affected: impl IntoIterator<Item = &'l str>) -> (Vec<Self>, bool) {
        let (mut entries, mut more) = (Vec::new(), false);
        for member in affected {
            let counted = member.strip_prefix("and ").and_then(|rest| rest.strip_suffix(" more"));
            if counted.is_some_and(|count| count.parse::<u64>().is_ok()) {
                more = true;
                continue;
            }
            let (token, thing) = member.split_once(" / ").unwrap_or((member, ""));
            entries.push(Self { token: token.to_owned(), thing: thing.to_owned() });
        }
        (entries, more)
    }
}

impl Received {
    /// Which alert, of whom, in a few words.
    pub(crate) fn name(&self) -> String {
        let user = self.user_id.map(|user| format!("user {user}")).unwrap_or_default();
        let parts = [&self.alert, &self.tenant, &self.security_group, &user, &self.token_name];
        let parts: Vec<_> = parts.into_iter().filter(|part| !part.is_empty()).cloned().collect();
        format!("{} (id {})", parts.join("/"), self.id)
    }

    /// Whether it names a token.
    pub(crate) fn names(&self, tenant: &str, token: &str) -> bool {
        self.tenant == tenant && (self.token_name == token || self.entries.iter().any(|entry| entry.token == token))
    }

    /// What it lists, in an order that does not matter.
    pub(crate) fn list(&self) -> Vec<(&str, &str)> {
        let mut list: Vec<_> = self.entries.iter().map(|entry| (entry.token.as_str(), entry.thing.as_str())).collect();
        list.extend(self.rights.iter().map(|right| ("", right.as_str())));
        list.sort_unstable();
        list.dedup();
        list
    }
}

/// Leaves out what was received again under the same number.
pub(crate) fn once(received: &[Received]) -> Vec<&Received> {
    let mut seen = std::collections::HashSet::new();
    received.iter().filter(|one| seen.insert((one.delivery, one.id.as_str(), one.change))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_a_token_and_a_thing_or_a_token_alone() {
        let entry = |token: &str, thing: &str| Entry { token: token.to_owned(), thing: thing.to_owned() };
        let (entries, more) = Entry::list(["tok-1 / Tickets - List/Search", "tok-2", "and 74 more"]);
        assert_eq!((entries, more), (vec![entry("tok-1", "Tickets - List/Search"), entry("tok-2", "")], true));
        assert!(!Entry::list(["and you / ticket.read"]).1, "the name of a token may begin like that");
    }
}
