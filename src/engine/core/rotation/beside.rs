//! Which values are checked beside those in use, by a key of the agenda for each, and what the history says of them. Pure.

use std::collections::BTreeMap;

use crate::belief::TransitionKind;
use crate::check::WatchKey;

/// Which value beside the one in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::engine::core) enum Role {
    Next,
    Former,
}

impl Role {
    pub(super) const ALL: [Self; 2] = [Self::Next, Self::Former];

    pub(super) fn kind(self) -> TransitionKind {
        match self {
            Self::Next => TransitionKind::NextToken,
            Self::Former => TransitionKind::FormerToken,
        }
    }
}

/// The values that are checked beside those in use. Each has a key of its own in the agenda.
#[derive(Debug, Default)]
pub(in crate::engine::core) struct Rotations {
    by_key: BTreeMap<WatchKey, Beside>,
    keys: BTreeMap<(WatchKey, Role), WatchKey>,
}

/// A value beside that of `owner`.
#[derive(Debug)]
struct Beside {
    owner: WatchKey,
    role: Role,
    /// What the history says of it.
    said: &'static str,
}

impl Rotations {
    /// The token beside whose value this one is, and which it is; `None` if it is in use itself.
    pub(in crate::engine::core) fn of(&self, key: WatchKey) -> Option<(WatchKey, Role)> {
        self.by_key.get(&key).map(|beside| (beside.owner, beside.role))
    }

    /// The key of a value, if it is checked.
    pub(super) fn key(&self, of: (WatchKey, Role)) -> Option<WatchKey> {
        self.keys.get(&of).copied()
    }

    /// Those of tokens that are not watched any more are forgotten; returns their keys.
    pub(super) fn retain(&mut self, is_watched: impl Fn(WatchKey) -> bool) -> Vec<WatchKey> {
        let gone: Vec<_> = self.keys.keys().copied().filter(|(owner, _)| !is_watched(*owner)).collect();
        gone.into_iter().filter_map(|of| self.forget(of)).collect()
    }

    pub(super) fn forget(&mut self, of: (WatchKey, Role)) -> Option<WatchKey> {
        let key = self.keys.remove(&of)?;
        self.by_key.remove(&key);
        Some(key)
    }

    /// The key of a value, of which the history says this where it has none yet.
    pub(super) fn add(&mut self, of: (WatchKey, Role), said: &'static str, key: impl FnOnce() -> WatchKey) -> WatchKey {
        let key = *self.keys.entry(of).or_insert_with(key);
        let (owner, role) = of;
        self.by_key.entry(key).or_insert(Beside { owner, role, said });
        key
    }

    /// What the history says of a value from now on; returns what it said, if that is something else.
    pub(super) fn say(&mut self, key: WatchKey, word: &'static str) -> Option<&'static str> {
        let beside = self.by_key.get_mut(&key)?;
        Some(std::mem::replace(&mut beside.said, word)).filter(|before| *before != word)
    }
}
