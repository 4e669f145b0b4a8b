//! Carries out the switch of a token to its next value on a thread that may wait for the disk, and logs how that went.

use std::path::Path;
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::task::spawn_blocking;

use crate::model::Token;
use crate::rotation::{Switched, left_by_hand, switch};
use crate::system::trouble::on_a_thread;

use super::core::Event;
use super::effect::Switch;

/// Makes a switch, and says what became of it.
pub(super) async fn rotate(wanted: Switch, done: mpsc::Sender<Event>) {
    let token = Arc::clone(&wanted.token);
    let Some((current, next)) = token.switched_files() else { return };
    let event = match on_disk(current, next, &wanted).await {
        Ok(switched) => {
            rotated(&token, &switched);
            Event::Switched(wanted)
        }
        Err(why) => {
            tracing::warn!(
                event = "rotation_failed",
                tenant = token.tenant.name,
                token_name = token.name,
                "the next value of token `{}` of tenant `{}` is proven, but could not be put in place: {why}; the value in use is \
                 what it was. The command `rotate` does it as a user who may write there",
                token.name,
                token.tenant.name
            );
            Event::NotSwitched(wanted, why)
        }
    };
    // The receiver is dropped only when everything ends.
    done.send(event).await.unwrap_or_default();
}

async fn on_disk(current: &Path, next: &Path, wanted: &Switch) -> Result<Switched, String> {
    let (current, next, proven) = (current.to_owned(), next.to_owned(), wanted.next.clone());
    let task = on_a_thread(|| spawn_blocking(move || switch(&current, &next, &proven)))?;
    task.await.map_err(|error| error.to_string())?.map_err(|why| why.to_string())
}

fn rotated(token: &Token, switched: &Switched) {
    tracing::info!(
        event = "rotated",
        tenant = token.tenant.name,
        token_name = token.name,
        former = switched.former.as_ref().map(ToString::to_string),
        "token `{}` of tenant `{}` has its next value; left to be done: {}",
        token.name,
        token.tenant.name,
        left_by_hand(token, switched).join("; ")
    );
}
