//! `demo`: runs the daemon against the simulator, in one process. The configuration is written to a folder and read
//! like any other, so the demo shows what a user gets.

use std::fmt::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::config;
use crate::daemon::{Daemon, rejected};
use crate::exit::Exit;
use crate::http_server::Access;
use crate::system::clock;
use crate::system::signal::Signals;
use crate::web::ReloadRequest;
use simulator::{DEMO, Scenario, Simulator, Tenant};

use super::failed;

/// The usual port of the daemon. The demo takes another one if it is in use.
const PORT: u16 = 9760;
/// How many times the requests are that Syncro grants. The demo checks far more often than anybody should, and where the
/// budget is short a check lasts for longer than some of the incidents.
const FASTER: u32 = 4;
/// How long after the start the token of `globex` expires, as in `demo.toml`.
const EXPIRY: TimeDelta = TimeDelta::seconds(30);
/// How long after the start it is renewed, and for how long.
const RENEWED_AFTER: Duration = Duration::from_secs(70);
const RENEWED_FOR: TimeDelta = TimeDelta::days(365);
/// The tenant whose token is renewed, and the new value of the token.
const GLOBEX: &str = "globex";
const RENEWED: &str = "simulated-globex-renewed";

pub(super) async fn demo(signals: Signals) -> Exit {
    match start(signals).await {
        Ok(()) => Exit::Success,
        Err(error) => failed(&error),
    }
}

async fn start(signals: Signals) -> anyhow::Result<()> {
    let mut scenario = Scenario::parse(DEMO).map_err(anyhow::Error::msg)?;
    scenario.requests_per_minute *= FASTER;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.context("listen for the simulator")?;
    let address = listener.local_addr()?;
    let folder = tempfile::tempdir().context("make a folder for the demo")?;
    let files = Files {
        folder: folder.path().to_owned(),
        tenants: scenario.tenants.clone(),
        simulator: address,
        port: free_port().await,
    };
    let path = files.write(clock::now() + EXPIRY)?;
    let config = match config::load(&path) {
        Ok(config) => config,
        Err(faults) => {
            rejected(faults.to_string().lines());
            anyhow::bail!("read the demo's own configuration");
        }
    };
    let simulator = Simulator::new(scenario);
    let stop = CancellationToken::new();
    let narrator = tokio::spawn(simulator.clone().narrate());
    let server = tokio::spawn(simulator.serve(listener, stop.clone()));
    tracing::info!(
        event = "demo",
        configuration = %path.display(),
        "four simulated tenants; within two minutes a group, two tokens and a tick are lost and restored; \
         Ctrl-C ends it"
    );
    let daemon = Daemon::start(path, config, Access::default()).await?;
    let renewal = tokio::spawn(renew(files, daemon.reloads()));
    let outcome = daemon.run(signals).await;
    stop.cancel();
    renewal.abort();
    narrator.abort();
    server.abort();
    outcome
}

async fn free_port() -> u16 {
    let usual = SocketAddr::from((Ipv4Addr::LOCALHOST, PORT));
    if TcpListener::bind(usual).await.is_ok() { PORT } else { 0 }
}

/// Does what an operator does when a token has expired: a new value, a new date, a reload.
async fn renew(files: Files, reloads: mpsc::Sender<ReloadRequest>) -> anyhow::Result<()> {
    tokio::time::sleep(RENEWED_AFTER).await;
    write_secret(&files.token_file(GLOBEX, "jumpcloud"), RENEWED)?;
    files.write(clock::now() + RENEWED_FOR)?;
    let (answer, answered) = oneshot::channel();
    reloads.send(answer).await?;
    answered.await?.map_err(anyhow::Error::msg)
}

/// The files of the demo's own configuration.
struct Files {
    folder: PathBuf,
    tenants: Vec<Tenant>,
    simulator: SocketAddr,
    port: u16,
}

impl Files {
    fn token_file(&self, subdomain: &str, profile: &str) -> PathBuf {
        self.folder.join(format!("{subdomain}-{profile}"))
    }

    /// Writes the configuration, and the token values that have no file yet; returns the path of the configuration.
    fn write(&self, expires: DateTime<Utc>) -> anyhow::Result<PathBuf> {
        let mut text = format!(
            "[web]\nlisten = \"127.0.0.1:{}\"\n\n\
             # A real fleet is asked every few minutes; nobody would watch that. So the simulator's limit is higher, too.\n\
             [syncro]\nrequests_per_minute = {}\n\n\
             [schedule]\nvalidity = \"10s\"\npermissions = \"30s\"\n\n\
             [alerts]\nconfirm_after = \"3s\"\nunreachable_after = \"1m\"\n\n\
             [storage]\npath = \"{}\"\n",
            self.port,
            160 * FASTER,
            self.folder.join("state.db").display()
        );
        for tenant in &self.tenants {
            let (subdomain, base_url) = (&tenant.subdomain, Simulator::base_url(self.simulator, &tenant.subdomain));
            write!(
                text,
                "\n[[tenants]]\nname = \"{subdomain}\"\nsubdomain = \"{subdomain}\"\nbase_url = \"{base_url}\"\n"
            )?;
            for token in tenant.tokens.iter().filter(|token| token.value != RENEWED) {
                let profile = token.value.rsplit('-').next().unwrap_or_default();
                let file = self.token_file(subdomain, profile);
                if !file.exists() {
                    write_secret(&file, &token.value)?;
                }
                let file = file.display();
                write!(
                    text,
                    "\n[[tenants.tokens]]\nname = \"{profile}\"\ntoken_file = \"{file}\"\nprofile = \"{profile}\"\n"
                )?;
                if subdomain == GLOBEX {
                    let expires = expires.to_rfc3339_opts(SecondsFormat::Secs, true);
                    writeln!(text, "expires = {expires}")?;
                }
            }
        }
        let path = self.folder.join("config.toml");
        std::fs::write(&path, text).context("write the demo's configuration")?;
        Ok(path)
    }
}

fn write_secret(path: &Path, value: &str) -> anyhow::Result<()> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let mut file = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(value.as_bytes()).context("write a simulated token")
}
