//! The core of the loop with a fleet of which everything is known, and what a scrape of it is: for benchmarks, and for the counts
//! of instructions.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use syncro_token_monitor::check::Ended;
use syncro_token_monitor::config::{self, Config};
use syncro_token_monitor::engine::{Core, Effect, Event};
use syncro_token_monitor::state::PersistedState;
use syncro_token_monitor::syncro::{
    Fingerprint, Me, MeObservation, Observation, Part, PermissionObservations, ProbeObservation, Right,
    TokenObservation, UserObservation,
};
use syncro_token_monitor::system::clock;

const RIGHTS: [&str; 19] = [
    "asset.delete",
    "asset.read",
    "asset.write",
    "customer.delete",
    "customer.read",
    "customer.write",
    "invoice.delete",
    "invoice.read",
    "invoice.write",
    "payment.delete",
    "payment.read",
    "payment.write",
    "script.execute",
    "ticket.delete",
    "ticket.read",
    "ticket.write",
    "worksheet.add",
    "worksheet.delete",
    "worksheet.manage",
];

/// The configuration of one token for each tenant, with five permissions each, in a folder.
pub(crate) fn configuration(folder: &Path, tokens: usize) -> Arc<Config> {
    fs::write(folder.join("value"), "value").expect("a folder");
    let mut text = "[schedule]\nvalidity = \"30d\"\npermissions = \"30d\"\n".to_owned();
    for number in 0..tokens {
        write!(
            text,
                "[[tenants]]\nname = \"tenant-{number}\"\nsubdomain = \"tenant-{number}\"\n[[tenants.tokens]]\nname = \"jumpcloud\"\ntoken_file = \"value\"\nexpires = 2030-01-01\npermissions = [\"Customers - List/Search\", \"Customers - View Detail\", \"Tickets - Create\", \"Tickets - Edit\", \"Tickets - List/Search\"]\n"
        )
        .expect("memory");
    }
    let path = folder.join("config.toml");
    fs::write(&path, &text).expect("a folder");
    Arc::new(config::load(&path).expect("a valid configuration"))
}

/// A fleet, and the value that all of its tokens have.
pub(crate) struct Fleet {
    pub(crate) core: Core,
    fingerprint: Fingerprint,
}

impl Fleet {
    /// The fleet of a configuration, of which nothing is known yet.
    pub(crate) fn new(config: Arc<Config>) -> Self {
        let (core, _) = Core::start(config, PersistedState::default(), clock::now());
        Self { core, fingerprint: serde_json::from_str("\"ba7816bf8f01\"").expect("a text") }
    }

    /// Answers every check that these effects begin, and those that follow from the answers; how many they were.
    pub(crate) fn answer(&mut self, mut effects: Vec<Effect>) -> usize {
        let mut checks = 0;
        while let Some(effect) = effects.pop() {
            let Effect::Start(job) = effect else { continue };
            checks += 1;
            let me = Me {
                user_name: Some("Simulated User".to_owned()),
                user_id: 1,
                subdomain: Some(job.token.tenant.name.clone()),
                admin: Some(false),
                can_use_app: Some(true),
                rights: RIGHTS.map(|right| (Right::new(right), true)).to_vec(),
            };
            let observation = MeObservation::Works(me);
            let seen = TokenObservation::Me { fingerprint: self.fingerprint.clone(), observation };
            let end = Ended { lane: job.lane, permissions: job.permissions.is_some() };
            let mut observed = |part, ended| {
                let at = clock::now();
                let observed = Box::new(Observation { at, part, asked: Vec::new() });
                self.core.handle(Event::Observed { key: job.key, observed, ended }, at)
            };
            effects.extend(observed(Part::Token(seen), job.permissions.is_none().then_some(end)));
            if let Some(permissions) = job.permissions {
                let shown = permissions.probes.into_iter().flat_map(|(_, shown)| shown);
                let part = Part::Permissions(PermissionObservations {
                    full: true,
                    user: Some(UserObservation::Group(Some("Technicians".to_owned()))),
                    probes: shown.map(|permission| (permission, ProbeObservation::Granted(200))).collect(),
                    ..PermissionObservations::default()
                });
                effects.extend(observed(part, Some(end)));
            }
        }
        checks
    }
}
