//! The memory of this process is nobody else's: it holds token values.

use rustix::process::{DumpableBehavior, set_dumpable_behavior};

/// From now on no dump of the memory is written when the process dies, and no other process of the same user can read it.
pub(crate) fn keep_memory_private() {
    // Where the system does not know of it, or forbids it, there is nothing else that could be done.
    set_dumpable_behavior(DumpableBehavior::NotDumpable).unwrap_or_default();
}

#[cfg(test)]
mod tests {
    use rustix::process::dumpable_behavior;

    use super::*;

    #[test]
    fn no_memory_is_dumped() {
        keep_memory_private();
        assert_eq!(dumpable_behavior().unwrap(), DumpableBehavior::NotDumpable);
    }
}
