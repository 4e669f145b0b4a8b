//! What shows that a tenant checks a permission before it searches for the record: only then does 404 on record 0 show that
//! the permission is granted. Syncro has published neither order. Pure.
//!
//! Shown it is by a refusal of record 0 in Syncro's own words for a missing permission, if `/me` let the same token in before
//! and after it: had the record been searched for first, the answer would have been 404. It is remembered with the
//! permissions of the tokens, and holds for every token of the tenant.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::catalog::PermissionId;
use crate::model::Probes;

use super::TokenStatus;

/// How well it is known that a tenant checks a permission before it searches for the record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PermissionFirst {
    /// Record 0 was refused in Syncro's words; whether the token still worked then, the next `/me` says.
    RefusedOnce,
    /// It is shown.
    Shown,
}

impl TokenStatus {
    /// Takes in that record 0 was refused for these permissions in Syncro's words for a missing one.
    pub(super) fn refused_record_zero(&mut self, permissions: &[PermissionId]) {
        for entry in self.permissions.iter_mut().filter(|entry| permissions.contains(&entry.permission)) {
            entry.permission_first.get_or_insert(PermissionFirst::RefusedOnce);
        }
    }

    /// Takes in whether `/me` let the token in after what was refused.
    pub(super) fn let_in(&mut self, works: bool) {
        let supposed = |first: &&mut Option<PermissionFirst>| **first == Some(PermissionFirst::RefusedOnce);
        for first in self.permissions.iter_mut().map(|entry| &mut entry.permission_first).filter(supposed) {
            *first = works.then_some(PermissionFirst::Shown);
        }
    }

    /// The permissions of which this token has shown that the tenant checks them first.
    pub(crate) fn checked_first(&self) -> impl Iterator<Item = PermissionId> {
        let shown = self.permissions.iter().filter(|entry| entry.permission_first == Some(PermissionFirst::Shown));
        shown.map(|entry| entry.permission)
    }

    /// Takes in of which permissions it is known that the tenant checks them first: it does for every permission that the
    /// same operation needs.
    pub(crate) fn take_checked_first(&mut self, known: &BTreeSet<PermissionId>) {
        if known.is_empty() {
            return;
        }
        let probe = |permission| Probes::WriteSafe.allowed(permission);
        let is_known = |permission| {
            let ours = probe(permission);
            ours.is_some_and(|ours| {
                known.iter().filter_map(|known| probe(*known)).any(|other| other.same_request(ours))
            })
        };
        for entry in self.permissions.iter_mut().filter(|entry| is_known(entry.permission)) {
            entry.permission_first = Some(PermissionFirst::Shown);
        }
    }
}
