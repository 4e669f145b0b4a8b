//! `simulate`: serves a simulated Syncro API for fire drills.

use anyhow::Context;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::cli::SimulateArguments;
use crate::exit::Exit;
use crate::system::files;
use crate::system::signal::{Signal, Signals};
use simulator::{DEMO, Scenario, Simulator};

use super::failed;

/// The most bytes of a scenario, which is written by hand or by a small program.
const LARGEST_SCENARIO: u64 = 64 * 1024 * 1024;

pub(super) async fn simulate(arguments: SimulateArguments, signals: Signals) -> Exit {
    match serve(arguments, signals).await {
        Ok(()) => Exit::Success,
        Err(error) => failed(&error),
    }
}

async fn serve(arguments: SimulateArguments, mut signals: Signals) -> anyhow::Result<()> {
    let text = match &arguments.scenario {
        Some(path) => {
            let read = files::read_once(path, LARGEST_SCENARIO);
            let read = read.with_context(|| format!("read the scenario `{}`", path.display()))?;
            String::from_utf8(read.to_vec()).context("understand the scenario: it is not UTF-8")?
        }
        None => DEMO.to_owned(),
    };
    let scenario = Scenario::parse(&text).map_err(|error| anyhow::anyhow!("understand the scenario: {error}"))?;
    let subdomains: Vec<_> = scenario.tenants.iter().map(|tenant| tenant.subdomain.clone()).collect();
    let listener =
        TcpListener::bind(arguments.listen).await.with_context(|| format!("listen on {}", arguments.listen))?;
    let address = listener.local_addr()?;
    for subdomain in subdomains {
        let base_url = Simulator::base_url(address, &subdomain);
        tracing::info!(event = "simulating", subdomain, base_url, "simulating tenant `{subdomain}` at {base_url}");
    }
    let simulator = Simulator::new(scenario);
    let stop = CancellationToken::new();
    let narrator = tokio::spawn(simulator.clone().narrate());
    let server = tokio::spawn(simulator.serve(listener, stop.clone()));
    while signals.next().await == Signal::Reload {}
    stop.cancel();
    narrator.abort();
    server.abort();
    Ok(())
}
