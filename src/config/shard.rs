//! `[shard]`: which of several daemons this one is, and which tenants it watches. Pure.

use std::collections::BTreeSet;

use super::context::Context;
use super::fault::{Fault, Problem, shown};
use super::raw::{Notes, Section};
use super::value;
use crate::model::ranked;
use toml::Value;

/// The most daemons that may share a fleet.
const MOST_SHARDS: u32 = 10_000;
/// What `index` may be.
const INDEX: &str = "a number from 0 on, or \"hostname\" for the number at the end of the name of this machine";

/// Which of several daemons this one is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    /// Its number, from 0 on.
    pub index: u32,
    /// How many there are.
    pub count: u32,
}

impl Shard {
    /// The only daemon that there is.
    pub(crate) const SOLE: Self = Self { index: 0, count: 1 };

    /// Which of the daemons watches a tenant.
    pub(crate) fn owner(self, tenant: &str) -> u32 {
        let ranked = ranked((0..self.count).map(|index| index.to_string()), tenant);
        ranked.first().map_or(0, |index| u32::try_from(*index).unwrap_or(u32::MAX))
    }
}

/// The tenants of the configuration that another daemon watches, by the number of that one.
pub(super) fn elsewhere<'a>(shard: Shard, tenants: impl Iterator<Item = &'a String>) -> BTreeSet<String> {
    tenants.filter(|tenant| shard.owner(tenant) != shard.index).cloned().collect()
}

/// Reads which daemon this one is. It stays the one that it was when it started, since nothing else moves what is known of the
/// tenants.
pub(super) fn shard(
    mut section: Section<'_>,
    context: &Context<'_>,
    warnings: &mut Vec<Fault>,
    notes: &mut Notes<'_>,
) -> Shard {
    let (path, count_path) = (section.path("index"), section.path("count"));
    let (has_index, has_count) = (section.has("index"), section.has("count"));
    let index = section.read("index", notes, |value| index(value, context));
    let count = section.read("count", notes, |value| value::count(value, 1..=MOST_SHARDS));
    section.finish(notes);
    if has_index != has_count {
        let missing = if has_index { &count_path } else { &path };
        notes.fault(missing, Problem::new("missing", "`index` and `count` together"));
    }
    let shard = match (index, count) {
        (Some(index), Some(count)) if index >= count.get() => {
            let problem = format!("{index} is none of {count} shards, whose numbers begin with 0");
            notes.fault(&path, Problem::new(problem, format!("a number from 0 to {}", count.get() - 1)));
            Shard::SOLE
        }
        (Some(index), Some(count)) => Shard { index, count: count.get() },
        _ => Shard::SOLE,
    };
    match context.running {
        Some(running) if running != shard => {
            let problem = "the shard changes only at a restart, once its state was moved".to_owned();
            let allowed = format!("until then index {} of {}", running.index, running.count);
            warnings.push(Fault { file: notes.file.to_owned(), path: "shard".to_owned(), problem, allowed });
            running
        }
        _ => shard,
    }
}

fn index(value: &Value, context: &Context<'_>) -> Result<u32, Problem> {
    if let Some(number) = value.as_integer() {
        return u32::try_from(number).map_err(|_| Problem::new(format!("{number} is out of bounds"), INDEX));
    }
    match value::text(value, INDEX)? {
        "hostname" => {
            let host = context.outside.host_name();
            at_its_end(&host).ok_or_else(|| {
                let problem = format!("the name of this machine, {}, has no number at its end", shown(&host));
                Problem::new(problem, "a name such as `monitor-0`, or a number in place of \"hostname\"")
            })
        }
        other => Err(Problem::new(format!("{} is not known here", shown(other)), INDEX)),
    }
}

/// The number at the end of the first label of a host name.
fn at_its_end(host: &str) -> Option<u32> {
    let label = host.split('.').next().unwrap_or_default();
    let name = label.trim_end_matches(|character: char| character.is_ascii_digit());
    label[name.len()..].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_a_pod_is_at_the_end_of_its_name() {
        let cases = [
            ("monitor-0", Some(0)),
            ("syncro-token-monitor-12", Some(12)),
            ("monitor-3.monitors.default.svc", Some(3)),
            ("node7", Some(7)),
            ("monitor", None),
            ("4-monitor", None),
            ("monitor-99999999999", None),
            ("", None),
        ];
        for (host, expected) in cases {
            assert_eq!(at_its_end(host), expected, "{host}");
        }
    }

    #[test]
    fn each_tenant_has_one_owner_and_a_fourth_daemon_takes_a_quarter() {
        let tenants: Vec<_> = (0..4_000).map(|number| format!("tenant-{number}")).collect();
        let owner = |count: u32, tenant: &str| {
            let owners: Vec<_> = (0..count).map(|index| Shard { index, count }.owner(tenant)).collect();
            assert!(owners.iter().all(|owner| *owner == owners[0] && *owner < count), "all agree: {owners:?}");
            owners[0]
        };
        let moved: Vec<_> = tenants.iter().filter(|tenant| owner(3, tenant) != owner(4, tenant)).collect();
        assert!((850..1_150).contains(&moved.len()), "{}", moved.len());
        assert!(moved.iter().all(|tenant| owner(4, tenant) == 3), "nothing moves between those that stay");
        let sole = Shard::SOLE;
        assert!(elsewhere(sole, tenants.iter()).is_empty());
        let foreign = elsewhere(Shard { index: 1, count: 3 }, tenants.iter());
        assert!((2_500..2_850).contains(&foreign.len()), "{}", foreign.len());
    }
}
