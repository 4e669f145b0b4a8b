//! `redeliver`: sends again what a receiver had refused for good.

use std::path::Path;

use crate::exit::Exit;
use crate::notify::about;
use crate::store;

use super::{failed, finish, load};

pub(super) fn redeliver(path: &Path, id: i64) -> Exit {
    let config = match load(path) {
        Ok(config) => config,
        Err(exit) => return exit,
    };
    let receivers: Vec<_> = config.alerts.receivers.iter().map(|receiver| receiver.name.as_str()).collect();
    match store::redeliver(&config.storage.path, id, &receivers) {
        Ok(delivery) => {
            let (receiver, about) = (&delivery.receiver, about(&delivery.notification));
            let text = format!(
                "notification {id} ({about}) waits for receiver `{receiver}` again: the daemon sends it after its next \
                 check, or after its next start\n"
            );
            finish(&text, Exit::Success)
        }
        Err(error) => failed(&error.into()),
    }
}
