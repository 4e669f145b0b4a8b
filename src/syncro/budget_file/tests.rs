//! The file itself: who may make it, what is not followed, and who has to wait.

use std::os::unix::fs::{PermissionsExt, symlink};

use tempfile::TempDir;

use super::super::ledger::Party;
use super::super::ledger::Query;
use super::*;

fn take(file: &BudgetFile) -> Result<(), Unshared> {
    let rate = Rate::per_minute(NonZeroU32::new(60).unwrap());
    let now = Duration::from_hours(1);
    let (host, boot) = ("syncromsp.com".to_owned(), clock::boot_id());
    let query = Query { party: Party::Daemon, rate, host, since: now, others: 0, without_burst: false, boot, now };
    file.update(|found| Ledger::new(Party::Daemon, rate).take(found, &query)).map(drop)
}

#[test]
fn the_file_is_its_owners_alone_and_says_how_many_may_leave() {
    let folder = TempDir::new().unwrap();
    let file = BudgetFile::beside(&folder.path().join("state.db"));
    assert_eq!(file.requests_per_minute().unwrap(), None);
    take(&file).unwrap();
    let metadata = std::fs::metadata(folder.path().join("state.db-budget")).unwrap();
    assert_eq!(metadata.permissions().mode() & 0o777, 0o600);
    let rate = |found: Found| ((Ledger::rate_of(&found, &clock::boot_id(), Duration::from_hours(1))), None);
    assert_eq!(file.update(rate).unwrap().map(|rate| rate.requests_per_minute().get()), Some(60));
}

#[test]
fn a_longer_entry_leaves_nothing_behind_that_is_read() {
    let folder = TempDir::new().unwrap();
    let file = BudgetFile::beside(&folder.path().join("state.db"));
    take(&file).unwrap();
    let line = std::fs::read_to_string(file.path()).unwrap();
    std::fs::write(file.path(), format!("{line}rest of another\n{{")).unwrap();
    assert!(matches!(file.update(|found| (found, None)).unwrap(), Found::Entry(_)));
    std::fs::write(file.path(), "no entry\n").unwrap();
    assert_eq!(file.update(|found| (found, None)).unwrap(), Found::Unusable);
}

#[test]
fn a_link_a_folder_and_no_folder_are_refused_with_the_reason() {
    let folder = TempDir::new().unwrap();
    let beside = |name: &str| BudgetFile::beside(&folder.path().join(name));
    assert!(matches!(take(&beside("nowhere/state.db")), Err(Unshared::NoFolder)));
    symlink("/nowhere", beside("link").path()).unwrap();
    assert!(matches!(take(&beside("link")), Err(Unshared::Other(_))));
    std::fs::create_dir(beside("folder").path()).unwrap();
    assert!(matches!(take(&beside("folder")), Err(Unshared::Other(_))));
}

#[test]
fn a_process_that_has_the_lock_delays_nobody_for_long() {
    let folder = TempDir::new().unwrap();
    let file = BudgetFile::beside(&folder.path().join("state.db"));
    take(&file).unwrap();
    let other = File::open(file.path()).unwrap();
    other.lock().unwrap();
    assert!(matches!(take(&file), Err(Unshared::Locked)));
    drop(other);
    take(&file).unwrap();
}
