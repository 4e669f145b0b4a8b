//! One notification to one receiver, in one attempt or only in print: what `test-alert` does.

use std::sync::Arc;
use std::time::Duration;

use crate::config::{Address, Receiver, ReceiverKind};
use crate::state::{Delivery, Snapshot};
use crate::system::clock;

use super::alertmanager::{Clocks, alone};
use super::answer::{DeliveryFailure, Trouble};
use super::digest;
use super::outgoing::Outgoing;
use super::post::Post;
use super::request::request;
use super::states::of_alertmanager;

/// Delivers one notification to one receiver, in one attempt.
///
/// # Errors
/// Why the receiver has not taken it.
pub async fn once<P: Post>(
    post: &mut P,
    receiver: &Arc<Receiver>,
    delivery: &Delivery,
    external_url: &str,
) -> Result<(), Trouble> {
    if receiver.kind == ReceiverKind::Alertmanager {
        let mut clocks = Clocks { now: clock::now(), elapsed: Duration::ZERO, offset: None };
        let request = |clocks| of_alertmanager(alone(delivery, external_url, clocks));
        let taken = post.post(receiver, request(clocks), receiver.timeout).await;
        clocks.offset = match &taken {
            Ok(taken) => taken.clock,
            Err(trouble) => trouble.clock,
        };
        if Clocks::differ(clocks.offset) {
            // By its clock the test was over already, or would go on for longer than anybody waits.
            return post.post(receiver, request(clocks), receiver.timeout).await.map(drop);
        }
        return taken.map(drop);
    }
    let request = request(&receiver.kind, std::slice::from_ref(delivery), external_url)?;
    post.post(receiver, request, receiver.timeout).await.map(drop)
}

/// What a receiver would be sent of one notification, as a text for people. No secret is in it: a file that holds one is
/// named in its place.
///
/// # Errors
/// Why it would be sent nothing.
pub(crate) fn preview(receiver: &Receiver, delivery: &Delivery, external_url: &str) -> Result<String, Trouble> {
    let outgoing = if receiver.kind == ReceiverKind::Alertmanager {
        let clocks = Clocks { now: clock::now(), elapsed: Duration::ZERO, offset: None };
        of_alertmanager(alone(delivery, external_url, clocks))
    } else {
        request(&receiver.kind, std::slice::from_ref(delivery), external_url)?
    };
    Ok(shown(receiver, outgoing))
}

/// Delivers the digest that a snapshot makes, in one attempt.
///
/// # Errors
/// Why the receiver has not taken it.
pub(crate) async fn digest_once<P: Post>(
    post: &mut P,
    receiver: &Arc<Receiver>,
    snapshot: &Snapshot,
    external_url: &str,
) -> Result<(), Trouble> {
    let request = digest_request(receiver, snapshot, external_url)?;
    post.post(receiver, request, receiver.timeout).await.map(drop)
}

/// What a receiver would be sent as its digest, as a text for people.
///
/// # Errors
/// Why it would be sent nothing.
pub(crate) fn digest_preview(receiver: &Receiver, snapshot: &Snapshot, external_url: &str) -> Result<String, Trouble> {
    Ok(shown(receiver, digest_request(receiver, snapshot, external_url)?))
}

fn digest_request(receiver: &Receiver, snapshot: &Snapshot, external_url: &str) -> Result<Outgoing, Trouble> {
    let now = clock::now();
    let content = digest::content(receiver, snapshot, (now, now), external_url);
    let content = content.ok_or_else(|| Trouble::new(DeliveryFailure::Refused, "it has no `digest`"))?;
    digest::request(&receiver.kind, &content)
}

/// A request as a text for people.
fn shown(receiver: &Receiver, outgoing: Outgoing) -> String {
    let Outgoing { path, verb, headers, body, routing_key, .. } = outgoing;
    let address = match &receiver.address {
        Address::Url(url) => format!("{url}{path}"),
        Address::File(file) => format!("the address in `{}`{path}", file.display()),
    };
    let method = match receiver.kind {
        ReceiverKind::Email(_) => "MAIL",
        _ => verb.as_str(),
    };
    let mut lines = vec![format!("{method} {address}")];
    lines.extend(headers.iter().map(|(name, value)| format!("{name}: {value}")));
    lines.extend(routing_key.map(|file| format!("with the routing_key in `{}`", file.display())));
    lines.extend([String::new(), body]);
    lines.join("\n")
}
