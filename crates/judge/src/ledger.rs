//! What the receiver received, and what fires by that at any moment.

use crate::spans::Ms;

/// One notification, as a receiver took it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// When, in true time.
    pub at: Ms,
    /// The number under which it may be repeated.
    pub id: i64,
    /// The alert's name.
    pub alert: String,
    /// The tenant; empty for the fleet.
    pub tenant: String,
    /// The token; empty for a tenant.
    pub token: String,
    /// The permission or right.
    pub subject: String,
    /// What became of it.
    pub status: Status,
    /// Whether it is critical.
    pub critical: bool,
    /// The cause that it names.
    pub cause: String,
    /// The security group that it names.
    pub group: String,
    /// Its text.
    pub message: String,
}

/// What became of an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// It began.
    Firing,
    /// It is still so.
    Reminder,
    /// It is over.
    Resolved,
}

/// What identifies an alert.
pub(crate) type Key<'a> = (&'a str, &'a str, &'a str, &'a str);

impl Received {
    pub(crate) fn key(&self) -> Key<'_> {
        (&self.alert, &self.tenant, &self.token, &self.subject)
    }

    /// Which alert, of whom, in one line.
    pub(crate) fn name(&self) -> String {
        let parts = [&self.alert, &self.tenant, &self.token, &self.subject];
        parts.into_iter().filter(|part| !part.is_empty()).cloned().collect::<Vec<_>>().join("/")
    }
}

/// Leaves out what was received again under the same number.
pub(crate) fn once(received: &[Received]) -> Vec<&Received> {
    let mut kept: Vec<&Received> = Vec::with_capacity(received.len());
    let mut seen = std::collections::HashSet::new();
    for one in received {
        if seen.insert((one.id, one.key(), one.status as u8)) {
            kept.push(one);
        }
    }
    kept
}
