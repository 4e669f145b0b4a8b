//! What must hold of configurations, whatever is in a file; `crate::untrusted` says who asks.

use std::path::Path;

use chrono::{DateTime, TimeDelta, Utc};
use toml::Value;

use crate::model::{Zone, disturbs};

use super::context::{Context, Outside};
use super::fault::Faults;
use super::load::parse;
use super::schedule::schedule;
use super::validate::{Document, validate};

/// A machine on which every file exists and says the same.
#[derive(Debug)]
struct AnyFile;

impl Outside for AnyFile {
    fn exists(&self, _: &Path) -> Result<bool, String> {
        Ok(true)
    }

    fn text(&self, _: &Path, _: u64) -> Result<String, String> {
        Ok("{{ message }}".to_owned())
    }

    fn host_name(&self) -> String {
        "monitor-0".to_owned()
    }

    fn zone(&self, name: &str) -> Option<Zone> {
        Zone::built_in(name)
    }
}

/// Every fault is one line that people can read, and what has none is a configuration that can be kept.
///
/// # Panics
/// Where that does not hold.
pub(crate) fn configuration(text: &str) {
    let table = match parse(text) {
        Ok(table) => table,
        Err(fault) => return is_a_line(&fault),
    };
    let main = Document { file: "config.toml".to_owned(), table };
    let context = Context { configuration: Path::new("/"), state: Path::new("/"), running: None, outside: &AnyFile };
    let judged = validate(&main, &[], &context, Faults::default());
    match &judged {
        Ok(config) => config.warnings.iter().for_each(|warning| is_a_line(&warning.to_string())),
        Err(faults) => {
            assert!(!faults.0.is_empty(), "refused for no reason");
            faults.0.iter().for_each(|fault| is_a_line(&fault.to_string()));
        }
    }
    assert_eq!(judged, validate(&main, &[], &context, Faults::default()), "judged in two ways");
}

fn is_a_line(text: &str) {
    assert!(!text.is_empty() && !text.contains(disturbs), "not a line for people: {text:?}");
}

/// What is taken for a schedule comes, each time later than before and not more often than it says.
///
/// # Panics
/// Where that does not hold.
pub(crate) fn cron(text: &str) {
    let zones = ["UTC", "Europe/Berlin", "Australia/Lord_Howe"];
    let start = DateTime::<Utc>::UNIX_EPOCH + TimeDelta::days(20_800);
    for zone in zones.map(|name| Zone::built_in(name).expect("a zone")) {
        let Ok(schedule) = schedule(&Value::String(text.to_owned()), &zone) else { continue };
        assert!(!schedule.busiest_interval().is_zero(), "due all the time");
        let mut now = start;
        for _ in 0..20 {
            let Some(next) = schedule.next_occurrence(now) else { break };
            assert!(next > now, "{next} does not come after {now}");
            now = next;
        }
    }
}
