//! The catalogue: Syncro's permissions and the profiles of integrations, as embedded TOML that is parsed once. Pure.
//!
//! Nothing here sends a request or depends on a tenant. All other rooms read it through [`catalog`].

mod permission;
mod profile;

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, LazyLock};

use serde::Deserialize;

pub(crate) use permission::BodyEvidence;
pub(crate) use permission::{Certainty, Method, normalise};
pub use permission::{Operation, Permission, PermissionId, Probe};
pub(crate) use profile::Profile;

/// The permissions and the profiles, parsed once.
#[derive(Debug)]
pub struct Catalog {
    permissions: Vec<Permission>,
    profiles: Vec<Arc<Profile>>,
    by_name: HashMap<String, PermissionId>,
    /// How many permissions each right covers.
    covered_by_right: HashMap<String, usize>,
}

/// A right of the user in `/me` that covers a permission. Which right covers which permissions is inferred from their
/// names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CoveringRight {
    /// The right: `ticket.write`.
    pub name: &'static str,
    /// Whether it covers no other permission, so that a user who has the right has the permission.
    pub is_only_one: bool,
    /// Whether the permission is the one that it is named for, so that a user without the right lacks the permission:
    /// reading is to list, and writing is to edit.
    pub is_named: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PermissionFile {
    permission: Vec<Permission>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ProfileFile {
    profile: Vec<profile::RawProfile>,
}

static CATALOG: LazyLock<Catalog> = LazyLock::new(|| {
    parse(include_str!("permissions.toml"), include_str!("profiles.toml"))
        .expect("the embedded catalogue is valid: a test parses it")
});

/// The embedded catalogue.
pub fn catalog() -> &'static Catalog {
    &CATALOG
}

/// Parses the two files.
///
/// # Errors
///
/// What is wrong with them, as a text: a file that does not parse, a permission that stands twice, or a profile that
/// names an unknown one.
fn parse(permissions: &str, profiles: &str) -> Result<Catalog, String> {
    let permissions = toml::from_str::<PermissionFile>(permissions).map_err(|error| error.to_string())?.permission;
    let mut by_name = HashMap::new();
    for (index, permission) in permissions.iter().enumerate() {
        let id = PermissionId::new(index)?;
        if by_name.insert(normalise(&permission.name), id).is_some() {
            return Err(format!("permission `{}` stands twice", permission.name));
        }
    }
    let find =
        |name: &str| by_name.get(&normalise(name)).copied().ok_or_else(|| format!("unknown permission `{name}`"));
    let profiles = toml::from_str::<ProfileFile>(profiles)
        .map_err(|error| error.to_string())?
        .profile
        .into_iter()
        .map(|raw| raw.resolve(find).map(Arc::new))
        .collect::<Result<_, _>>()?;
    let mut covered_by_right = HashMap::new();
    for right in permissions.iter().filter_map(|permission| permission.right.clone()) {
        *covered_by_right.entry(right).or_default() += 1;
    }
    Ok(Catalog { permissions, profiles, by_name, covered_by_right })
}

impl Catalog {
    /// Every permission, in the order of Syncro's own page *New Token > Custom Permissions* as far as that is known.
    pub fn permissions(&self) -> impl Iterator<Item = (PermissionId, &Permission)> {
        self.by_index().zip(&self.permissions)
    }

    fn by_index(&self) -> impl Iterator<Item = PermissionId> {
        (0..self.permissions.len()).filter_map(|index| PermissionId::new(index).ok())
    }

    /// What the user's right says about a permission, if a right covers it.
    pub(crate) fn right(&self, permission: PermissionId) -> Option<CoveringRight> {
        let right = permission.get().right.as_deref()?;
        let is_only_one = self.covered_by_right.get(right) == Some(&1);
        let (_, kind) = right.split_once('.')?;
        let named = match kind {
            "read" => "List/Search",
            "write" => "Edit",
            "delete" => "Delete",
            _ => "",
        };
        let is_named = permission.name().split_once(" - ").is_some_and(|(_, name)| name == named);
        Some(CoveringRight { name: right, is_only_one, is_named: is_only_one || is_named })
    }

    /// Every profile of the catalogue.
    pub fn profiles(&self) -> &[Arc<Profile>] {
        &self.profiles
    }

    /// The kinds of records of which a tenant may name a real one, each once: `ticket`, `asset`.
    pub fn records(&self) -> BTreeSet<&str> {
        self.permissions.iter().filter_map(|permission| permission.probe.as_ref()?.record.as_deref()).collect()
    }

    /// The operations on one record that probes send to record 0, each once.
    pub(crate) fn record_operations(&self) -> Vec<&Operation> {
        let mut operations: Vec<&Operation> = Vec::new();
        let probes =
            self.permissions.iter().flat_map(|permission| permission.probe.iter().chain(&permission.write_probe));
        for probe in probes.filter(|probe| probe.names_record()) {
            if !operations.contains(&&probe.operation) {
                operations.push(&probe.operation);
            }
        }
        operations
    }

    /// The permission of that name, however the name is dashed, quoted or capitalised, and whether its group is written in
    /// the singular or in the plural.
    pub fn permission(&self, name: &str) -> Option<PermissionId> {
        let name = normalise(name);
        let (first, rest) = name.split_at(name.find([' ', '-']).unwrap_or(name.len()));
        let other =
            first.strip_suffix('s').map_or_else(|| format!("{first}s{rest}"), |singular| format!("{singular}{rest}"));
        self.by_name.get(&name).or_else(|| self.by_name.get(&other)).copied()
    }

    /// The profile of that exact name.
    pub fn profile(&self, name: &str) -> Option<&Arc<Profile>> {
        self.profiles.iter().find(|profile| profile.name == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_permission_is_found_by_its_own_name() {
        for (id, permission) in catalog().permissions() {
            assert_eq!(catalog().permission(&permission.name), Some(id), "{}", permission.name);
            assert_eq!(id.name(), permission.name);
        }
        assert_eq!(catalog().permissions().count(), 105);
    }

    #[test]
    fn a_right_is_named_for_one_of_the_permissions_that_it_covers() {
        let of = |name: &str| {
            let right = catalog().right(catalog().permission(name).unwrap())?;
            Some((right.name, right.is_only_one, right.is_named))
        };
        assert_eq!(of("Tickets - Edit"), Some(("ticket.write", false, true)));
        assert_eq!(of("Tickets - Create"), Some(("ticket.write", false, false)));
        assert_eq!(of("Tickets - List/Search"), Some(("ticket.read", false, true)));
        assert_eq!(of("Customers - View Detail"), Some(("customer.read", false, false)));
        assert_eq!(of("Payments - View List"), Some(("payment.read", true, true)));
        assert_eq!(of("Payments - Create"), Some(("payment.write", true, true)));
        assert_eq!(of("Tickets - Delete"), Some(("ticket.delete", true, true)));
        assert_eq!(of("Leads - List/Search"), None);
        // Each right is named for exactly one.
        let mut named = HashMap::new();
        for (id, _) in catalog().permissions() {
            if let Some(right) = catalog().right(id) {
                *named.entry(right.name).or_insert(0) += usize::from(right.is_named);
            }
        }
        assert!(named.values().all(|count| *count == 1), "{named:?}");
    }

    #[test]
    fn names_match_across_case_dashes_quotes_and_the_new_name_of_customers() {
        let found = |name: &str| catalog().permission(name).map(PermissionId::name);
        assert_eq!(found("tickets – edit"), Some("Tickets - Edit"));
        assert_eq!(found("Tickets—Edit"), Some("Tickets - Edit"));
        assert_eq!(found("Organizations - View Detail"), Some("Customers - View Detail"));
        assert_eq!(found("Customer Organizations - View Detail"), Some("Customers - View Detail"));
        assert_eq!(
            found("Tickets - View ‘Their Ticket’ Details"),
            Some("Tickets - View 'Their Ticket' Details (assigned to them)")
        );
        assert_eq!(found("Assets - Assets - List/Search"), Some("Assets - List/Search"));
        assert_eq!(found("Ticket - Edit"), Some("Tickets - Edit"));
        assert_eq!(found("Customer – De Duplicate"), Some("Customers - De Duplicate"));
        assert_eq!(found("Line Items - Edit Prices"), None);
    }

    #[test]
    fn read_only_probes_only_get_and_write_probes_only_name_record_zero() {
        for (_, permission) in catalog().permissions() {
            if let Some(probe) = &permission.probe {
                assert_eq!(probe.method(), Method::Get, "{}", permission.name);
            }
            if let Some(probe) = &permission.write_probe {
                assert_ne!(probe.method(), Method::Get, "{}", permission.name);
                assert!(probe.path().split('/').any(|part| part == "0"), "{}", permission.name);
                assert!(!probe.path().contains('?') && probe.query.is_none(), "{}", permission.name);
                assert_eq!(probe.record, None, "{}: a write never names a real record", permission.name);
            }
        }
    }

    #[test]
    fn a_read_of_record_zero_may_name_a_real_one() {
        for (_, permission) in catalog().permissions() {
            let Some(probe) = &permission.probe else { continue };
            let names_zero = probe.path().split('/').any(|part| part == "0");
            assert_eq!(probe.record.is_some(), names_zero, "{}", permission.name);
        }
        let ticket = catalog().permission("Tickets - View Details").and_then(|id| id.get().probe.as_ref());
        assert_eq!(ticket.map(|probe| probe.path_to(123)).as_deref(), Some("/tickets/123"));
        assert_eq!(catalog().records().len(), 8);
    }

    #[test]
    fn jumpcloud_requires_the_five_permissions_of_its_guide() {
        let profile = catalog().profile("jumpcloud").expect("the profile exists");
        let required: Vec<_> = profile.required.iter().map(|id| id.name()).collect();
        assert_eq!(
            required,
            [
                "Customers - List/Search",
                "Customers - View Detail",
                "Tickets - Create",
                "Tickets - Edit",
                "Tickets - List/Search"
            ]
        );
        assert_eq!(profile.user_required, profile.required, "the guide asks them of the user too");
        let parts: Vec<_> = profile.parts.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(parts, ["billing", "ticketing"]);
        let listed = |id: &&PermissionId| !profile.required.contains(id) && !profile.recommended.contains(id);
        assert_eq!(profile.parts.iter().flat_map(|(_, needed)| needed).find(listed), None);
        assert_eq!(profile.recommended.len(), 29);
        assert_eq!(profile.inferred.len(), 19);
        assert!(profile.inferred.iter().all(|id| profile.recommended.contains(id)));
    }

    #[test]
    fn every_profile_says_where_its_list_is_published() {
        for profile in catalog().profiles() {
            let source = &profile.source;
            let is_address = source.starts_with("https://") && !source.contains(' ');
            assert!(is_address || source.starts_with("public document: "), "{}: {source}", profile.name);
        }
    }

    #[test]
    fn a_profile_that_asks_for_an_unknown_permission_is_refused() {
        let permissions = "[[permission]]\nname = \"A - B\"\ncertainty = \"certain\"\nsource = \"here\"\n";
        let profiles = "[[profile]]\nname = \"p\"\ntitle = \"P\"\nsource = \"x\"\ncertainty = \"certain\"\n\
            token_required = [\"A - C\"]\ntoken_recommended = []\n";
        assert_eq!(parse(permissions, profiles).map(|_| ()), Err("unknown permission `A - C`".to_owned()));
    }
}
