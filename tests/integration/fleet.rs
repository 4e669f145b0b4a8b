//! A fleet of a dozen tenants, each with one token.

use crate::harness::Configuration;

pub(crate) const TENANTS: [&str; 12] = [
    "acme",
    "globex",
    "initech",
    "umbrella",
    "hooli",
    "stark",
    "wayne",
    "wonka",
    "cyberdyne",
    "tyrell",
    "soylent",
    "oscorp",
];

/// What Syncro allows each address, and the tenants.
pub(crate) fn scenario(requests_per_minute: u32) -> String {
    let tenant = |name: &&str| {
        format!(
            "[[tenants]]\nsubdomain = \"{name}\"\ngroups = [{{ name = \"Technicians\", permissions = \"all\" }}]\n\
             users = [{{ id = 1, group = \"Technicians\" }}]\n\
             tokens = [{{ value = \"value-of-{name}\", user = 1, permissions = \"all\" }}]\n"
        )
    };
    format!("requests_per_minute = {requests_per_minute}\n{}", TENANTS.iter().map(tenant).collect::<String>())
}

/// A configuration of all these tenants that asks from these addresses.
pub(crate) fn configuration(addresses: &[&str]) -> Configuration {
    let mut configuration = Configuration::acme("");
    configuration.tenants.clear();
    for name in TENANTS {
        configuration = configuration.tenant(name, &format!("value-of-{name}"), "");
    }
    configuration.syncro = format!("source_addresses = {addresses:?}");
    configuration.requests_per_minute = 1200;
    configuration
}
