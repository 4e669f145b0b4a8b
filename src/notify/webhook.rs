//! What a webhook is sent: one request for each notification, in its format. Pure.

use crate::config::{Format, Webhook};
use crate::state::Delivery;

use super::answer::{DeliveryFailure, Trouble};
use super::fields::Fields;
use super::format::{pagerduty, slack, teams};
use super::post::Outgoing;

/// The header that is the same for every attempt to deliver one notification, so that a receiver can recognise it.
const KEY: &str = "Idempotency-Key";

/// The request that delivers one notification.
///
/// # Errors
/// When a template fails at this notification.
pub(super) fn request(webhook: &Webhook, delivery: &Delivery, external_url: &str) -> Result<Outgoing, Trouble> {
    let fields = Fields::of(delivery, external_url);
    let mut routing_key = None;
    let body = match &webhook.format {
        Format::Json => own(&fields),
        Format::Slack => slack(&fields).to_string(),
        Format::Teams => teams(&fields).to_string(),
        Format::PagerDuty(file) => {
            routing_key = Some(file.clone());
            pagerduty(&fields).to_string()
        }
        Format::Template(template) => template.render(&fields).map_err(|error| {
            let detail = format!("the template {template} failed at it: {error}");
            Trouble::new(DeliveryFailure::Template, detail)
        })?,
    };
    let mut headers = vec![(KEY.to_owned(), delivery.id.to_string())];
    headers.extend(webhook.headers.iter().cloned());
    let (put, signed_by) = (webhook.put, webhook.secret_file.clone());
    Ok(Outgoing { path: "", put, headers, body, signed_by, routing_key })
}

/// Our own JSON: the fields in their order.
fn own(fields: &Fields) -> String {
    // Values of these types can always be written.
    serde_json::to_string(fields).unwrap_or_default()
}
