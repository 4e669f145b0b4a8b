//! The catalogue against the facts of Syncro's API document, carried over into `src/simulator/operations.toml`.

use std::collections::BTreeSet;

use serde_json::Value;
use simulator::{Operation, operations};
use syncro_token_monitor::catalog::{PermissionId, Probe, catalog};

fn operation(probe: &Probe) -> &'static Operation {
    let (method, path) = (probe.method().as_str(), probe.template());
    let body: Option<Value> = probe.body.as_ref().map(|body| serde_json::from_str(body).unwrap());
    let keys = body.iter().filter_map(Value::as_object).flat_map(|body| body.keys()).collect::<Vec<_>>();
    let fits = |operation: &&Operation| {
        let body_fits = operation.sole_key.is_none() || operation.sole_key.iter().collect::<Vec<_>>() == keys;
        operation.method == method && operation.path == path && body_fits
    };
    operations()
        .iter()
        .filter(fits)
        .max_by_key(|operation| operation.sole_key.is_some())
        .unwrap_or_else(|| panic!("{method} {path} is no operation of Syncro"))
}

#[test]
fn every_probe_asks_an_operation_that_needs_the_permission_it_shows() {
    for (_, permission) in catalog().permissions() {
        for probe in permission.probe.iter().chain(&permission.write_probe) {
            let operation = operation(probe);
            let name = &permission.name;
            let needed = operation.requires.iter().any(|group| group.contains(name));
            // What narrows its answer in place of refusing is documented to need nothing.
            assert!(needed || operation.path == "/timelogs/last", "{name}: {} {}", operation.method, operation.path);
            let others: BTreeSet<_> =
                operation.requires.iter().filter(|group| !group.contains(name)).flatten().collect();
            assert_eq!(others, probe.also_requires.iter().collect(), "{name}: what else is needed is named");
            let alike = operation.requires.iter().filter(|group| group.contains(name) && group.len() > 1).flatten();
            assert_eq!(alike.collect::<BTreeSet<_>>(), probe.satisfied_by_any_of.iter().collect(), "{name}");
        }
    }
}

#[test]
fn a_probe_asks_the_path_of_its_operation_and_counts_only_what_is_documented_or_marked_inferred() {
    for (_, permission) in catalog().permissions() {
        for probe in permission.probe.iter().chain(&permission.write_probe) {
            let name = &permission.name;
            let parts = |path: &str| path.split('/').map(str::to_owned).collect::<Vec<_>>();
            let (asked, template) = (parts(probe.path()), parts(probe.template()));
            assert_eq!(asked.len(), template.len(), "{name}");
            for (asked, part) in asked.iter().zip(&template) {
                assert!(asked == part || (part.starts_with('{') && asked == "0"), "{name}: {asked} for {part}");
            }
            let operation = operation(probe);
            let undocumented = probe.granted.iter().any(|status| !operation.statuses.contains(status));
            let sure = probe.certainty.as_str() != "inferred";
            let latest = probe.path() == "/customers/latest";
            assert!(!(undocumented && sure) || latest, "{name}: {:?} against {:?}", probe.granted, operation.statuses);
            assert!(!probe.granted.contains(&401), "{name}");
            assert_eq!(probe.specification, operation.specification, "{name}");
            let is_one = latest || ["/timelogs/last", "/canned_responses/settings"].contains(&probe.path());
            let is_list = probe.method().as_str() == "GET" && !probe.template().contains('{') && !is_one;
            assert_eq!(probe.query.as_deref(), is_list.then_some("per_page=1"), "{name}");
        }
    }
}

#[test]
fn every_permission_that_an_operation_names_is_in_the_catalogue() {
    for name in operations().iter().flat_map(|operation| operation.requires.iter().flatten()) {
        assert_eq!(catalog().permission(name).map(PermissionId::name), Some(name.as_str()));
    }
}

/// Only where Syncro's own document is at hand: it may not be handed on with this program.
#[test]
fn the_facts_carried_over_are_those_of_syncros_api_document() {
    let Some(path) = std::env::var_os("SYNCRO_OPENAPI") else {
        println!("skipped: SYNCRO_OPENAPI does not name Syncro's API document");
        return;
    };
    let document: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let mut documented = 0;
    for (path, methods) in document["paths"].as_object().unwrap() {
        // The document writes one of its paths without the slash.
        let path = format!("/{}", path.trim_start_matches('/'));
        for (method, operation) in
            methods.as_object().unwrap().iter().filter(|(_, value)| value.get("responses").is_some())
        {
            documented += 1;
            let method = method.to_uppercase();
            let known = operations().iter().find(|known| known.method == method && known.path == path);
            let known = known.unwrap_or_else(|| panic!("{method} {path}"));
            let statuses: BTreeSet<u16> =
                operation["responses"].as_object().unwrap().keys().map(|status| status.parse().unwrap()).collect();
            assert_eq!(known.statuses.iter().copied().collect::<BTreeSet<_>>(), statuses, "{method} {path}");
            let description = operation["description"].as_str().unwrap_or_default();
            for name in known.requires.iter().flatten() {
                assert!(description.contains(name.as_str()), "{method} {path}: {name}");
            }
            let says =
                description.contains("Required permission") && !description.contains("Required permission: None");
            assert_eq!(!known.requires.is_empty(), says, "{method} {path}");
        }
    }
    assert_eq!(documented, operations().iter().filter(|known| known.specification.is_none()).count());
}
