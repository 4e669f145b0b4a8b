//! What a fleet costs in memory: the loop's state with every standing filled in, and one scrape of it. Prints kilobytes
//! for fleets of several sizes, so that the ratio between them can be seen; asserts nothing.

use std::fmt::Write as _;
use std::fs;
use std::sync::Arc;

use syncro_token_monitor::config::{self};
use syncro_token_monitor::engine::{Core, Effect, Event};
use syncro_token_monitor::metrics::Exposition;
use syncro_token_monitor::model::TokenSource;
use syncro_token_monitor::state::PersistedState;
use syncro_token_monitor::syncro::{
    Me, MeObservation, Observation, Part, PermissionObservations, ProbeObservation, Right, TokenObservation,
    TokenValue, UserObservation,
};
use syncro_token_monitor::system::clock;
use syncro_token_monitor::system::files::Deadline;

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

fn resident_kilobytes() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("Linux");
    line.split_whitespace().nth(1).and_then(|number| number.parse().ok()).expect("a number")
}

fn main() {
    let folder = tempfile::tempdir().expect("a folder");
    let value = folder.path().join("value");
    fs::write(&value, "value").expect("a folder");
    let fingerprint =
        TokenValue::read_blocking(&TokenSource::File(value), Deadline::default()).expect("a value").fingerprint();
    for tokens in [20, 500, 5_000, 50_000] {
        let before = resident_kilobytes();
        let mut text = "[schedule]\nvalidity = \"30d\"\npermissions = \"30d\"\n".to_owned();
        for number in 0..tokens {
            write!(
                text,
                "[[tenants]]\nname = \"tenant-{number}\"\nsubdomain = \"tenant-{number}\"\n[[tenants.tokens]]\nname = \"jumpcloud\"\ntoken_file = \"value\"\nexpires = 2030-01-01\npermissions = [\"Customers - List/Search\", \"Customers - View Detail\", \"Tickets - Create\", \"Tickets - Edit\", \"Tickets - List/Search\"]\n"
            )
            .expect("memory");
        }
        let path = folder.path().join("config.toml");
        fs::write(&path, &text).expect("a folder");
        drop(text);
        let config = config::load(&path).expect("a valid configuration");
        let (mut core, _) = Core::start(Arc::new(config), PersistedState::default(), clock::now());
        let mut effects = core.handle(Event::Tick, clock::now());
        let mut checks = 0;
        while let Some(effect) = effects.pop() {
            let Effect::Start(job) = effect else { continue };
            checks += 1;
            let rights = RIGHTS.map(|right| (Right::new(right), true)).to_vec();
            let me = Me {
                user_name: Some("Simulated User".to_owned()),
                user_id: 1,
                subdomain: Some(job.token.tenant.name.clone()),
                admin: Some(false),
                can_use_app: Some(true),
                rights,
            };
            let seen = TokenObservation::Me { fingerprint: fingerprint.clone(), observation: MeObservation::Works(me) };
            let end = syncro_token_monitor::check::Ended { lane: job.lane, permissions: job.permissions.is_some() };
            let at = clock::now();
            let (observed, ended) = (
                Box::new(Observation { at, part: Part::Token(seen), asked: Vec::new() }),
                job.permissions.is_none().then_some(end),
            );
            effects.extend(core.handle(Event::Observed { key: job.key, observed, ended }, at));
            if let Some(permissions) = job.permissions {
                let user = Some(UserObservation::Group(Some("Technicians".to_owned())));
                let shown = permissions.probes.into_iter().flat_map(|(_, shown)| shown);
                let probes = shown.map(|permission| (permission, ProbeObservation::Granted(200))).collect();
                let part = Part::Permissions(PermissionObservations {
                    full: true,
                    user,
                    probes,
                    ..PermissionObservations::default()
                });
                let observed = Box::new(Observation { at, part, asked: Vec::new() });
                effects.extend(core.handle(Event::Observed { key: job.key, observed, ended: Some(end) }, at));
            }
        }
        let filled = resident_kilobytes();
        let snapshot = Arc::new(core.snapshot());
        let bytes: usize = Exposition::new(Arc::clone(&snapshot), clock::now()).map(|piece| piece.len()).sum();
        let scraped = resident_kilobytes();
        let line = format!(
            "{tokens} tokens, {checks} checks: {} kB more with all statuses, {} kB more after a scrape of {} kB",
            filled.saturating_sub(before),
            scraped.saturating_sub(filled),
            bytes / 1024
        );
        // The only thing that this program is for.
        std::io::Write::write_all(&mut std::io::stdout(), format!("{line}\n").as_bytes()).expect("standard output");
        drop(core);
    }
}
