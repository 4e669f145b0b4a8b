//! What a webhook is sent: one request for each notification, in its format. Pure.

use crate::config::{Format, Webhook};
use crate::state::Delivery;

use super::fields::Fields;
use super::format::slack;
use super::post::Outgoing;

/// The header that is the same for every attempt to deliver one notification, so that a receiver can recognise it.
const KEY: &str = "Idempotency-Key";

/// The request that delivers one notification.
pub(super) fn request(webhook: &Webhook, delivery: &Delivery, external_url: &str) -> Outgoing {
    let fields = Fields::of(delivery, external_url);
    let body = match webhook.format {
        Format::Json => own(&fields),
        Format::Slack => slack(&fields).to_string(),
    };
    let mut headers = vec![(KEY.to_owned(), delivery.id.to_string())];
    headers.extend(webhook.headers.iter().cloned());
    Outgoing { path: "", put: webhook.put, headers, body, signed_by: webhook.secret_file.clone() }
}

/// Our own JSON: the fields in their order.
fn own(fields: &Fields) -> String {
    // Values of these types can always be written.
    serde_json::to_string(fields).unwrap_or_default()
}
