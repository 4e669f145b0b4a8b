//! What passes between the engine, the store, the receivers and the web: records, the history, deliveries and the
//! snapshot of the fleet, with views of it. Values only.

mod alert_history;
mod deliveries;
mod history;
mod liveness;
mod permission_view;
mod pieces;
mod records;
mod refusal;
mod routing;
mod snapshot;

pub(crate) use alert_history::{AlertDelivery, AlertEvent, DeliveryOutcome};
pub use alert_history::{AlertHistory, EndedAlert, TakenOn};
pub(crate) use deliveries::{Delivery, Settled, thin};
pub(crate) use history::{HistoryLine, HistoryQuery, in_milliseconds};
pub(crate) use liveness::stalled;
pub(crate) use permission_view::PermissionView;
pub use pieces::Pieces;
pub(crate) use records::{Batch, Entry, PersistedToken};
pub use records::{PersistedState, Record};
pub use refusal::Refusal;
pub(crate) use refusal::RefusalNotices;
pub use routing::Subscription;
pub(crate) use routing::{KnownAlerts, Learnt, Routed, passes};
pub(crate) use snapshot::Health;
pub use snapshot::{Snapshot, TenantSnapshot, TokenSnapshot};
