//! A simulated Syncro with a fleet of tokens, and the configuration that watches it.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use simulator::{Scenario, Simulator};
use tokio::net::TcpListener;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// For so long nothing is asked once everything has been.
const REST: Duration = Duration::from_secs(2);
/// How many tokens a tenant has.
const TOKENS: usize = 3;

/// What JumpCloud's documentation asks for.
const PERMISSIONS: &str = "permissions = [\"Customers - List/Search\", \"Customers - View Detail\", \"Tickets - Create\", \
    \"Tickets - Edit\", \"Tickets - List/Search\"]";

/// How fast the fleet is checked.
pub(crate) struct Pace {
    pub(crate) requests_per_minute: u32,
    validity: &'static str,
    permissions: &'static str,
}

impl Pace {
    /// All of it once, as fast as the daemon can or at 1,000 requests a second, and then nothing for an hour.
    pub(crate) const SWEEP: Self = Self { requests_per_minute: 60_000, validity: "6h", permissions: "6h" };
    /// Without an end, at 15 requests a second.
    pub(crate) const STEADY: Self = Self { requests_per_minute: 900, validity: "5s", permissions: "1m" };
}

pub(crate) struct World {
    folder: tempfile::TempDir,
    simulator: Simulator,
    stop: CancellationToken,
    /// The configuration.
    pub(crate) config: PathBuf,
}

impl Drop for World {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl World {
    pub(crate) async fn new(tokens: usize, pace: &Pace) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let (scenario, configuration) = texts(tokens, pace, folder.path(), address);
        let simulator = Simulator::new(Scenario::parse(&scenario).expect("a valid scenario"));
        let stop = CancellationToken::new();
        tokio::spawn(simulator.clone().serve(listener, stop.clone()));
        let config = folder.path().join("config.toml");
        write(&config, configuration.as_bytes());
        Self { folder, simulator, stop, config }
    }

    /// How many requests the simulator has answered.
    pub(crate) fn requests(&self) -> u64 {
        self.simulator.requests()
    }

    /// Waits until nothing more is asked for a while, and returns for how long.
    pub(crate) async fn rest(&self) -> Duration {
        let mut last = (Instant::now(), self.requests());
        while last.0.elapsed() < REST {
            tokio::time::sleep(Duration::from_millis(100)).await;
            let requests = self.requests();
            if requests != last.1 {
                last = (Instant::now(), requests);
            }
        }
        last.0.elapsed()
    }

    /// Writes a file beside the configuration.
    pub(crate) fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.folder.path().join(name);
        write(&path, bytes);
        path
    }
}

/// The scenario, and the configuration whose token files are written.
fn texts(tokens: usize, pace: &Pace, folder: &Path, address: SocketAddr) -> (String, String) {
    let mut scenario = "requests_per_minute = 0\n".to_owned();
    let mut configuration = format!(
        "[web]\nlisten = \"127.0.0.1:0\"\n[syncro]\nrequests_per_minute = {}\n\
         [schedule]\nvalidity = \"{}\"\npermissions = \"{}\"\n[storage]\npath = \"{}\"\n",
        pace.requests_per_minute,
        pace.validity,
        pace.permissions,
        folder.join("state.db").display()
    );
    for tenant in 0..tokens.div_ceil(TOKENS) {
        let name = format!("tenant-{tenant}");
        let base_url = Simulator::base_url(address, &name);
        write!(
            scenario,
            "[[tenants]]\nsubdomain = \"{name}\"\ngroups = [{{ name = \"Technicians\", permissions = \"all\" }}]\n\
             users = [{{ id = 1, group = \"Technicians\" }}]\ntokens = [\n"
        )
        .expect("memory");
        writeln!(configuration, "[[tenants]]\nname = \"{name}\"\nsubdomain = \"{name}\"\nbase_url = \"{base_url}\"")
            .expect("memory");
        for number in tenant * TOKENS..tokens.min((tenant + 1) * TOKENS) {
            writeln!(scenario, "{{ value = \"value-{number}\", user = 1, permissions = \"all\" }},").expect("memory");
            write(&folder.join(format!("token-{number}")), format!("value-{number}").as_bytes());
            writeln!(
                configuration,
                "[[tenants.tokens]]\nname = \"integration-{number}\"\ntoken_file = \"token-{number}\"\n\
                 expires = 2035-01-01\n{PERMISSIONS}"
            )
            .expect("memory");
        }
        scenario.push_str("]\n");
    }
    (scenario, configuration)
}

fn write(path: &Path, bytes: &[u8]) {
    let mut file =
        std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path).expect("new");
    std::io::Write::write_all(&mut file, bytes).expect("room");
}
