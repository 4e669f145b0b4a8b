//! `calibrate`: which operations check the permission before they search for the record, at one tenant. A token of which
//! nothing is ticked asks each for record 0: 401 says that the permission was checked, 404 that the record was searched for.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Value, json};

use crate::catalog::{Method, Permission, Probe, catalog};
use crate::cli::{CalibrateArguments, Output};
use crate::config;
use crate::exit::Exit;
use crate::model::{Probes, Tenant};
use crate::syncro::{Answer, CheckLane, Client, MeObservation, Request, TokenValue};

use super::client::client;
use super::preflight::{probes, value};
use super::table::table;
use super::{finish, finish_json, undetermined};

/// What the answer to one operation means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meaning {
    /// The permission was checked before the record was searched for.
    PermissionFirst,
    /// The record was searched for, whatever the token may do.
    RecordFirst,
    /// The record was searched for first, or the token has the permission ticked.
    PerhapsTicked,
    /// The answer says neither.
    Unknown,
}

impl Meaning {
    fn as_str(self) -> &'static str {
        match self {
            Self::PermissionFirst => "permission_first",
            Self::RecordFirst => "record_first",
            Self::PerhapsTicked => "perhaps_ticked",
            Self::Unknown => "unknown",
        }
    }

    fn as_text(self) -> &'static str {
        match self {
            Self::PermissionFirst => "the permission is checked first: 404 shows that it is granted",
            Self::RecordFirst => "the record is searched for first: 404 shows nothing",
            Self::PerhapsTicked => "not known: the record is searched for first, or the token has one of these ticked",
            Self::Unknown => "not known",
        }
    }
}

/// One operation, and what its answer means.
struct Calibrated {
    probe: &'static Probe,
    permissions: Vec<&'static str>,
    answer: String,
    meaning: Meaning,
}

pub(super) async fn calibrate(path: &Path, arguments: CalibrateArguments) -> Exit {
    match calibrated(path, &arguments).await {
        Err(why) => undetermined(&why),
        Ok(operations) => {
            let is_unknown = |meaning| matches!(meaning, Meaning::Unknown | Meaning::PerhapsTicked);
            let is_known = operations.iter().all(|operation| !is_unknown(operation.meaning));
            let exit = if is_known { Exit::Success } else { Exit::Unknown };
            match arguments.output {
                Output::Table => finish(&text(&operations), exit),
                Output::Json => finish_json(&json(&operations), exit),
            }
        }
    }
}

/// Asks every operation.
///
/// # Errors
/// A text for people, when nothing can be learnt: from this token, or now.
async fn calibrated(path: &Path, arguments: &CalibrateArguments) -> Result<Vec<Calibrated>, String> {
    let config = config::load(path).map_err(|faults| faults.to_string())?;
    let mut tenants = config.tokens.iter().map(|token| &token.tenant);
    let tenant = tenants.find(|tenant| tenant.name == arguments.tenant).cloned();
    let tenant = tenant.ok_or_else(|| format!("no configured tenant is named `{}`", arguments.tenant))?;
    let value = value(arguments.token_file.as_deref()).map_err(|why| format!("the token value {why}"))?;
    let client = client(&config, None).await.map_err(|error| format!("failed to {error}"))?;
    let allowed = arguments.probes.map_or(config.syncro.probes, probes);
    works(&client, &tenant, &value).await?;
    let shows = |probe: &&Probe| probe.record.is_none() && probe.shown_in_body.is_none();
    let list = |permission: &'static Permission| permission.probe.as_ref().filter(shows);
    for permission in permissions() {
        let Some(probe) = list(permission).filter(|probe| !probe.granted.is_empty()) else { continue };
        if ask(&client, &tenant, &value, probe).await.is_ok_and(|answer| answer.is_let_through()) {
            let name = &permission.name;
            return Err(format!(
                "the token has `{name}`: calibrate needs one of which nothing is ticked, made for this once"
            ));
        }
    }
    let mut operations: Vec<Calibrated> = Vec::new();
    for permission in permissions() {
        let writes = permission.write_probe.as_ref().filter(|_| allowed == Probes::WriteSafe);
        for probe in permission.probe.iter().filter(|probe| probe.record.is_some()).chain(writes) {
            if let Some(known) = operations.iter_mut().find(|known| known.probe.same_request(probe)) {
                known.permissions.push(&permission.name);
                continue;
            }
            let (answer, meaning) = match ask(&client, &tenant, &value, probe).await {
                Ok(answer) => (answer.status().to_string(), meaning(&answer)),
                Err(why) => (why, Meaning::Unknown),
            };
            operations.push(Calibrated { probe, permissions: vec![&permission.name], answer, meaning });
        }
    }
    doubt_what_is_mixed(&mut operations);
    // A token that stopped working in between would have been refused everything.
    works(&client, &tenant, &value).await?;
    Ok(operations)
}

/// Where some operations check the permission first and others seem to search for the record first, the token may have the
/// permissions of the latter ticked: that would answer 404 just so.
fn doubt_what_is_mixed(operations: &mut [Calibrated]) {
    if operations.iter().any(|operation| operation.meaning == Meaning::PermissionFirst) {
        for operation in operations.iter_mut().filter(|operation| operation.meaning == Meaning::RecordFirst) {
            operation.meaning = Meaning::PerhapsTicked;
        }
    }
}

fn permissions() -> impl Iterator<Item = &'static Permission> {
    catalog().permissions().map(|(_, permission)| permission)
}

fn meaning(answer: &Answer) -> Meaning {
    match answer.status() {
        401 if answer.names_permissions() => Meaning::PermissionFirst,
        404 | 422 => Meaning::RecordFirst,
        _ => Meaning::Unknown,
    }
}

/// Whether the token works at this tenant.
///
/// # Errors
/// A text that says how it does not.
async fn works(client: &Client, tenant: &Tenant, value: &TokenValue) -> Result<(), String> {
    let (_, answer) = client.ask(tenant, value, Request::Me, CheckLane::Validity).await;
    match answer.map(|answer| answer.me()) {
        Ok(MeObservation::Works(_)) => Ok(()),
        Ok(MeObservation::Failed(failure)) | Err(failure) => Err(format!("the token could not be checked: {failure}")),
        Ok(_) => Err("the token does not work, so it shows nothing".to_owned()),
    }
}

async fn ask(client: &Client, tenant: &Tenant, value: &TokenValue, probe: &'static Probe) -> Result<Answer, String> {
    if probe.method() != Method::Get && !client.may_write(tenant) {
        return Err("not asked: another write succeeded".to_owned());
    }
    let (_, answer) = client.ask(tenant, value, Request::Probe(probe), CheckLane::Validity).await;
    answer.map_err(|failure| failure.to_string())
}

fn text(operations: &[Calibrated]) -> String {
    let row = |operation: &Calibrated| {
        vec![
            operation.probe.operation.to_string(),
            operation.answer.clone(),
            operation.meaning.as_text().to_owned(),
            operation.permissions.join("; "),
        ]
    };
    let found =
        table(&["OPERATION", "ANSWER", "MEANING", "PERMISSIONS"], &operations.iter().map(row).collect::<Vec<_>>());
    let kept = configuration(operations);
    format!("{found}\nTo keep what is known, put this below its [[tenants]] in the configuration:\n\n{kept}")
}

/// What is known, as the configuration takes it.
fn configuration(operations: &[Calibrated]) -> String {
    let list = |meaning| {
        let known = operations.iter().filter(|one| one.meaning == meaning);
        let names: BTreeSet<_> = known.map(|one| one.probe.operation.to_string()).collect();
        names.iter().map(|name| format!("    \"{name}\",\n")).collect::<Vec<_>>().concat()
    };
    let (permission_first, record_first) = (list(Meaning::PermissionFirst), list(Meaning::RecordFirst));
    format!("[tenants.calibrated]\npermission_first = [\n{permission_first}]\nrecord_first = [\n{record_first}]\n")
}

fn json(operations: &[Calibrated]) -> Value {
    let one = |operation: &Calibrated| {
        json!({
            "method": operation.probe.method().as_str(),
            "operation": operation.probe.template(),
            "answer": operation.answer,
            "meaning": operation.meaning.as_str(),
            "permissions": operation.permissions,
        })
    };
    operations.iter().map(one).collect()
}
