//! What happened to an alert, while it fires and after: its notifications, who received them, and who took it on. Values only.

use chrono::{DateTime, Utc};

use crate::alert::{Acknowledgement, Notification};

/// That an operator took an alert on, or gave it back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TakenOn {
    /// The id of the alert.
    pub alert: String,
    /// When that was carried out.
    pub at: DateTime<Utc>,
    /// Who took it on, why and until when; `None` if it was given back.
    pub acknowledgement: Option<Acknowledgement>,
}

/// What happened to one alert.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AlertHistory {
    /// What happened, in order.
    pub events: Vec<AlertEvent>,
    /// What its receivers were sent, in order.
    pub deliveries: Vec<AlertDelivery>,
}

/// The end of an alert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndedAlert {
    /// When it ended.
    pub at: DateTime<Utc>,
    /// What was notified then.
    pub notification: Notification,
}

/// One thing that happened to an alert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AlertEvent {
    /// This was notified, to whatever receivers there are.
    Notified {
        /// When.
        at: DateTime<Utc>,
        /// What.
        notification: Box<Notification>,
    },
    /// An operator took it on, or gave it back.
    TakenOn(TakenOn),
}

/// One notification on its way to one receiver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlertDelivery {
    /// The name of the receiver.
    pub receiver: String,
    /// When it was queued: at that of its notification.
    pub queued_at: DateTime<Utc>,
    /// What became of it.
    pub outcome: DeliveryOutcome,
}

/// What became of a notification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeliveryOutcome {
    /// It waits still.
    Waits,
    /// The receiver took it.
    Delivered(DateTime<Utc>),
    /// The receiver refused it for good, with this answer.
    Refused(DateTime<Utc>, String),
}
