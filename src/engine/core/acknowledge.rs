//! Alerts that somebody takes on, or gives back. Pure.

use std::collections::VecDeque;
use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::alert::{Acknowledged, Acknowledgement, AcknowledgementOrder, Firing};
use crate::engine::effect::Effect;
use crate::model::Scope;
use crate::state::{Record, TakenOn};

use super::Core;
use super::firing::shared;

/// How many alerts that have ended are remembered, so that whoever takes one on a moment too late reads why that fails.
const MOST_ENDED: usize = 256;

/// The ids of the alerts that have ended of late.
#[derive(Debug, Default)]
pub(super) struct EndedAlerts(VecDeque<String>);

impl EndedAlerts {
    /// Takes note of the alerts that end by these effects.
    pub(super) fn note(&mut self, effects: &[Effect]) {
        for effect in effects {
            if let Effect::Record(Record::Notification(notification)) = effect
                && notification.change.ends()
            {
                self.0.truncate(MOST_ENDED - 1);
                self.0.push_front(notification.id.clone());
            }
        }
    }
}

impl Core {
    /// Carries out what an operator wants of an alert.
    pub(super) fn acknowledge(&mut self, order: AcknowledgementOrder, now: DateTime<Utc>, effects: &mut Vec<Effect>) {
        let outcome = self.set_acknowledgement(&order, now, effects);
        if outcome == Acknowledged::Done {
            let AcknowledgementOrder { alert, acknowledgement, .. } = order.clone();
            effects.push(Effect::Record(Record::TakenOn(TakenOn { alert, at: now, acknowledgement })));
        }
        effects.push(Effect::Record(Record::CarriedOut(order.number)));
        effects.push(Effect::Acknowledged { order, outcome });
    }

    fn set_acknowledgement(
        &mut self,
        order: &AcknowledgementOrder,
        now: DateTime<Utc>,
        effects: &mut Vec<Effect>,
    ) -> Acknowledged {
        let AcknowledgementOrder { alert, acknowledgement, .. } = order;
        if acknowledgement.as_ref().is_some_and(|acknowledgement| acknowledgement.until <= now) {
            return Acknowledged::TooLate;
        }
        if let Some(firing) = with(self.fleet.firing(), alert, acknowledgement.as_ref()) {
            effects.extend(shared(|| Scope::Fleet, self.fleet.firing_mut(), firing));
            return Acknowledged::Done;
        }
        let mut found = None;
        for (name, fires) in self.fleet.tenants_firing() {
            if let Some(firing) = with(fires, alert, acknowledgement.as_ref()) {
                effects.extend(shared(|| Scope::Tenant(name.clone()), fires, firing));
                found = Some(name.clone());
                break;
            }
        }
        match found {
            Some(name) => {
                // When it is reminded of next is another moment now.
                self.reviews.note(&name);
                Acknowledged::Done
            }
            None if self.ended.0.contains(alert) => Acknowledged::Ended,
            None => Acknowledged::Unknown,
        }
    }
}

/// What fires, with the alert of this id acknowledged or not; `None` if it is not among them.
fn with(fires: &Arc<Vec<Firing>>, alert: &str, acknowledgement: Option<&Acknowledgement>) -> Option<Vec<Firing>> {
    let at = fires.iter().position(|firing| firing.id == alert)?;
    let mut firing = fires.to_vec();
    firing[at].acknowledged = acknowledgement.cloned();
    Some(firing)
}
