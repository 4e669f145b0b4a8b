//! What a token demonstrably may do beyond what its profile needs: asked once a day, told to nobody, shown to who looks. Pure.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::catalog::PermissionId;
use crate::model::{Tenant, Token};
use crate::syncro::{PermissionObservations, ProbeObservation};

use super::permissions::{known_to_the_catalogue, shown_by_probe};

/// What the last audits showed. An answer that shows nothing leaves what was known.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Audit {
    /// The last one that got answers.
    pub at: DateTime<Utc>,
    /// What is held and was not wanted then.
    #[serde(rename = "held", deserialize_with = "known_to_the_catalogue")]
    granted: Vec<Excess>,
}

/// A permission that is held and not needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Excess {
    /// Which one.
    pub permission: PermissionId,
    /// The status of the answer that shows it.
    pub answer: u16,
}

impl Excess {
    /// The request that shows it, and its answer.
    pub fn shown_by(&self, tenant: &Tenant) -> Option<String> {
        shown_by_probe(tenant, self.permission, Some(self.answer))
    }
}

impl Audit {
    /// Takes in the answers of one audit; among those to what is wanted are some about what is not.
    pub(super) fn see(
        audit: &mut Option<Box<Self>>,
        observed: &PermissionObservations,
        token: &Token,
        now: DateTime<Utc>,
    ) {
        let Some(audited) = &observed.audit else { return };
        let unwanted = observed.probes.iter().filter(|(permission, _)| !token.wants(*permission));
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
            audit.granted.retain(|known| known.permission != *permission);
            if let ProbeObservation::Granted(answer) = *seen {
                audit.granted.push(Excess { permission: *permission, answer });
            }
        }
        audit.granted.sort_unstable_by_key(|known| known.permission);
        audit.granted.shrink_to_fit();
    }

    /// What is held and not wanted now.
    pub fn excess(&self, token: &Token) -> impl Iterator<Item = &Excess> {
        self.granted.iter().filter(|known| !token.wants(known.permission))
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
    fn what_is_held_and_not_wanted_is_excess_and_could_not_look_changes_nothing() {
        let granted = ProbeObservation::Granted(200);
        let failed = || ProbeObservation::Failed(failure());
        let mut audit = None;
        let mut see = |seconds, seen: Option<[ProbeObservation; 2]>| {
            let seen = seen.map(|seen| [VENDORS, LEADS].map(permission).into_iter().zip(seen).collect());
            let probes = vec![(permission(WANTED), ProbeObservation::Granted(200))];
            let observed = PermissionObservations { full: true, user: None, probes, audit: seen };
            Audit::see(&mut audit, &observed, &token("t", &[WANTED]), at(seconds));
            audit.as_ref().map(|audit| {
                let names: Vec<_> = audit.excess(&token("t", &[WANTED])).map(|known| known.permission.name()).collect();
                (names, audit.at)
            })
        };
        assert_eq!(see(0, None), None, "not audited");
        assert_eq!(see(1, Some([failed(), failed()])), None, "nothing was learnt");
        let both = [granted.clone(), granted.clone()];
        assert_eq!(see(2, Some(both)), Some((vec![LEADS, VENDORS], at(2))));
        assert_eq!(see(3, None), Some((vec![LEADS, VENDORS], at(2))));
        assert_eq!(see(4, Some([failed(), ProbeObservation::Missing])), Some((vec![VENDORS], at(4))));
        assert_eq!(see(5, Some([ProbeObservation::Inconclusive(404), granted])), Some((vec![LEADS], at(5))));
        let audit = audit.expect("an audit");
        assert_eq!(audit.excess(&token("t", &[LEADS])).count(), 0, "what is wanted now is no excess");
        let token = token("t", &[]);
        let shown: Vec<_> = audit.excess(&token).map(|known| known.shown_by(&token.tenant)).collect();
        assert_eq!(shown, [Some("GET /leads answered 200".to_owned())]);
    }
}
