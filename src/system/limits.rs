//! The limits that the operating system sets to this process.

use std::fs;

/// How many files, the sockets included, may be open at once; `None` where that cannot be read or is not limited.
///
/// It is read from `/proc`, since `getrlimit` is among the calls that the filter of the systemd unit forbids.
pub(crate) fn open_files() -> Option<usize> {
    soft_limit(&fs::read_to_string("/proc/self/limits").ok()?)
}

fn soft_limit(limits: &str) -> Option<usize> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_soft_limit_of_open_files_is_read() {
        let text = "Limit  Soft Limit  Hard Limit  Units\n\
                    Max open files            64                   524288               files     \n";
        assert_eq!(soft_limit(text), Some(64));
        assert_eq!(
            soft_limit("Max open files            unlimited            unlimited            files     \n"),
            None
        );
        assert_eq!(soft_limit(""), None);
        assert!(open_files().is_none_or(|files| files > 0));
    }
}
