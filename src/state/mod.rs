//! What passes between the engine, the store, the receivers and the web: records, the history, deliveries and the
//! snapshot of the fleet. Values only.

mod deliveries;
mod history;
mod records;
mod snapshot;

pub use deliveries::{Delivery, MOST_WAITING, Settled, thin};
pub use history::{HistoryLine, HistoryQuery, in_milliseconds};
pub use records::{Batch, Entry, PersistedState, PersistedToken, Record};
pub use snapshot::{Health, Snapshot, TenantSnapshot, TokenSnapshot};
