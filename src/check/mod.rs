//! One check of one token, for the loop and for the commands alike: which requests it sends, in which order, and what
//! they show.

mod job;
mod run;

pub use job::{Job, PermissionJob, Requests, WatchKey};
pub use run::{Ended, Observed, check, check_with};
