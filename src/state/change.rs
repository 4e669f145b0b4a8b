//! What a notification says has changed about its alert, and the id by which the alert is known to receivers. Pure.

use std::fmt::Write;

use serde::Serialize;
use sha2::{Digest, Sha256};
use strum::{IntoStaticStr, VariantArray};

use crate::alert::{Notification, Status};

/// The length of an alert's id in bytes, each of which is two hexadecimal digits: short enough to be read out, and so long
/// that no two of a fleet's alerts share one.
const ID_LENGTH: usize = 6;

/// What has changed about an alert since its last notification.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, IntoStaticStr, VariantArray)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub(crate) enum Change {
    /// The alert begins.
    New,
    /// It has a higher severity now.
    Escalated,
    /// It has a lower severity now.
    Deescalated,
    /// The list of what it affects has changed.
    Updated,
    /// Nothing has: it still fires, and time has passed.
    Reminder,
    /// It is over.
    Resolved,
    /// Another alert has taken its place.
    Superseded,
}

impl Change {
    /// The change that a notification reports.
    pub(crate) fn of(notification: &Notification) -> Self {
        match notification.status {
            Status::Firing => Self::New,
            Status::Reminder => Self::Reminder,
            Status::Resolved => Self::Resolved,
        }
    }

    /// The change as log lines and receivers spell it.
    pub(crate) fn as_str(self) -> &'static str {
        self.into()
    }

    /// Whether the alert does not fire any more.
    pub(crate) fn ends(self) -> bool {
        matches!(self, Self::Resolved | Self::Superseded)
    }
}

/// The id of the alert that a notification is about.
pub(crate) fn alert_id(notification: &Notification) -> String {
    let digest = Sha256::digest(notification.key.to_string().as_bytes());
    let mut id = String::with_capacity(2 * ID_LENGTH);
    for byte in digest.iter().take(ID_LENGTH) {
        // Writing to a string cannot fail.
        write!(id, "{byte:02x}").unwrap_or_default();
    }
    id
}
