//! What a receiver is sent: one request for each notification in its format, or one for several where people read it. Pure.

use crate::config::{Format, ReceiverKind, Webhook};
use crate::state::Delivery;

use super::answer::{DeliveryFailure, Trouble};
use super::fields::Fields;
use super::format::{email, pagerduty, slack, teams};
use super::outgoing::{Outgoing, Verb};

/// The header that is the same for every attempt to deliver one notification, so that a receiver can recognise it.
const KEY: &str = "Idempotency-Key";

/// The request that delivers these notifications to a receiver that is no Alertmanager. Formats for programs have only the
/// first.
///
/// # Errors
/// When a template fails at the notification, or there is none.
pub(super) fn request(kind: &ReceiverKind, deliveries: &[Delivery], external_url: &str) -> Result<Outgoing, Trouble> {
    let all: Vec<_> = deliveries.iter().map(|delivery| Fields::of(delivery, external_url)).collect();
    let Some(first) = all.first() else {
        return Err(Trouble::new(DeliveryFailure::Refused, "there is nothing to deliver"));
    };
    match kind {
        ReceiverKind::Webhook(webhook) => of_webhook(webhook, first, &all),
        ReceiverKind::Email(settings) => {
            let unwritable = |error| Trouble::new(DeliveryFailure::Refused, format!("it makes no e-mail: {error}"));
            let deliveries = all.iter().map(|fields| fields.delivery).collect();
            let body = email(settings, first, &all).map_err(unwritable)?;
            Ok(Outgoing { body, deliveries, ..Outgoing::default() })
        }
        ReceiverKind::Alertmanager => Err(Trouble::new(DeliveryFailure::Refused, "an Alertmanager is sent states")),
    }
}

fn of_webhook(webhook: &Webhook, first: &Fields, all: &[Fields]) -> Result<Outgoing, Trouble> {
    let mut routing_key = None;
    let body = match &webhook.format {
        Format::Json => own(first),
        Format::Slack => slack(first, all).to_string(),
        Format::Teams => teams(first, all).to_string(),
        Format::PagerDuty(file) => {
            routing_key = Some(file.clone());
            pagerduty(first).to_string()
        }
        Format::Template(template) => template.render(first).map_err(|error| {
            let detail = format!("the template {template} failed at it: {error}");
            Trouble::new(DeliveryFailure::Template, detail)
        })?,
    };
    let mut headers = vec![(KEY.to_owned(), first.delivery.to_string())];
    headers.extend(webhook.headers.iter().cloned());
    let verb = if webhook.put { Verb::Put } else { Verb::Post };
    let signed_by = webhook.secret_file.clone();
    Ok(Outgoing { verb, headers, body, signed_by, routing_key, ..Outgoing::default() })
}

/// Our own JSON: the fields in their order.
fn own(fields: &Fields) -> String {
    // Values of these types can always be written.
    serde_json::to_string(fields).unwrap_or_default()
}
