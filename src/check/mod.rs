//! One check of one token, for the loop and for the commands alike: which requests it sends, in which order, and what
//! they show.

mod job;
mod run;
mod users;

pub(crate) use job::Requests;
pub(crate) use job::{Job, PermissionJob, WatchKey};
pub(crate) use run::Observed;
pub(crate) use run::check_with;
pub use run::{Ended, check};
