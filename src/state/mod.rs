//! What passes between the engine, the store, the receivers and the web: records, the history, deliveries and the
//! snapshot of the fleet, with views of it. Values only.

mod deliveries;
mod history;
mod permission_view;
mod records;
mod snapshot;

pub use deliveries::{Delivery, MOST_WAITING, Settled, thin};
pub use history::{HistoryLine, HistoryQuery, in_milliseconds};
pub use permission_view::PermissionView;
pub use records::{Batch, Entry, PersistedState, PersistedToken, Record};
pub use snapshot::{Health, Snapshot, TenantSnapshot, TokenSnapshot};
