//! The audit of a token: what it demonstrably may do beyond what its profile needs. It is asked once a day and shown on
//! request; nobody is notified. Pure.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::catalog::PermissionId;
use crate::model::{Tenant, Token};
use crate::syncro::{PermissionObservations, ProbeObservation};

use super::permissions::shown_by_probe;

/// What the last audits of a token showed. An answer that shows nothing leaves what an earlier one showed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Audit {
    /// When the last audit that got answers was made.
    pub at: DateTime<Utc>,
    /// The permissions that are granted, and were not wanted at the time of the audit.
    #[serde(rename = "held")]
    granted: Vec<Excess>,
}

/// A permission that is granted to a token that does not need it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Excess {
    /// The permission that is granted.
    pub permission: PermissionId,
    /// The HTTP status of the answer that shows it.
    pub answer: u16,
}

impl Excess {
    /// The request that shows it, and its answer: `GET /leads answered 200`.
    pub fn shown_by(self, tenant: &Tenant) -> Option<String> {
        shown_by_probe(tenant, self.permission, Some(self.answer))
    }
}

impl Audit {
    /// Takes in the answers of one audit. Some of the answers to the probes of wanted permissions count too: those
    /// about permissions that are not wanted themselves.
    pub(super) fn see(
        audit: &mut Option<Box<Self>>,
        observations: &PermissionObservations,
        token: &Token,
        now: DateTime<Utc>,
    ) {
        let Some(audited) = &observations.audit else { return };
        let unwanted = observations.probes.iter().filter(|(permission, _)| !token.wants(*permission));
        let answers = || audited.iter().chain(unwanted.clone());
        if answers().all(|(_, seen)| matches!(seen, ProbeObservation::Failed(_))) && answers().next().is_some() {
            return;
        }
        let audit = audit.get_or_insert_default();
        audit.at = now;
        for (permission, seen) in answers() {
            if matches!(seen, ProbeObservation::Failed(_)) {
                continue;
            }
            audit.granted.retain(|excess| excess.permission != *permission);
            let answer = match *seen {
                ProbeObservation::Granted(answer) => Some(answer),
                ProbeObservation::OfRecord { granted: true } => Some(200),
                _ => None,
            };
            if let Some(answer) = answer {
                audit.granted.push(Excess { permission: *permission, answer });
            }
        }
        audit.granted.sort_unstable_by_key(|excess| excess.permission);
        audit.granted.shrink_to_fit();
    }

    /// The permissions that are granted and not wanted now.
    pub fn excess(&self, token: &Token) -> impl Iterator<Item = &Excess> {
        self.granted.iter().filter(|excess| !token.needs_all() && !token.wants(excess.permission))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{at, failure, permission, token};

    const WANTED: &str = "Tickets - List/Search";
    const VENDORS: &str = "Vendors - List";
    const LEADS: &str = "Leads - List/Search";

    #[test]
    fn what_is_granted_and_not_wanted_is_excess_and_a_failed_audit_changes_nothing() {
        let granted = ProbeObservation::Granted(200);
        let failed = || ProbeObservation::Failed(failure());
        let mut audit = None;
        let mut see = |seconds, seen: Option<[ProbeObservation; 2]>| {
            let seen = seen.map(|seen| [VENDORS, LEADS].map(permission).into_iter().zip(seen).collect());
            let probes = vec![(permission(WANTED), ProbeObservation::Granted(200))];
            let observations =
                PermissionObservations { full: true, probes, audit: seen, ..PermissionObservations::default() };
            Audit::see(&mut audit, &observations, &token("t", &[WANTED]), at(seconds));
            audit.as_ref().map(|audit| {
                let names: Vec<_> =
                    audit.excess(&token("t", &[WANTED])).map(|excess| excess.permission.name()).collect();
                (names, audit.at)
            })
        };
        assert_eq!(see(0, None), None, "not audited");
        assert_eq!(see(1, Some([failed(), failed()])), None, "nothing was learnt");
        let both = [granted.clone(), granted.clone()];
        assert_eq!(see(2, Some(both)), Some((vec![LEADS, VENDORS], at(2))));
        let of_record = |granted| ProbeObservation::OfRecord { granted };
        assert_eq!(see(2, Some([of_record(false), of_record(true)])), Some((vec![LEADS], at(2))));
        assert_eq!(see(2, Some([granted.clone(), granted.clone()])), Some((vec![LEADS, VENDORS], at(2))));
        assert_eq!(see(3, None), Some((vec![LEADS, VENDORS], at(2))));
        assert_eq!(see(4, Some([failed(), ProbeObservation::Missing])), Some((vec![VENDORS], at(4))));
        assert_eq!(see(5, Some([ProbeObservation::Inconclusive(404), granted])), Some((vec![LEADS], at(5))));
        let audit = audit.expect("an audit");
        assert_eq!(audit.excess(&token("t", &[LEADS])).count(), 0, "what is wanted now is no excess");
        let token = token("t", &[]);
        let shown: Vec<_> = audit.excess(&token).map(|excess| excess.shown_by(&token.tenant)).collect();
        assert_eq!(shown, [Some("GET /leads answered 200".to_owned())]);
    }
}
