//! The web server and the second listener for health: opened at the start, changed by a reload, stopped. Whatever can
//! fail fails before anything is changed.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use tokio::net::{TcpListener, UnixListener, UnixStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::config::{self, HealthListen};
use crate::http_server::{Access, Listener, Server};
use crate::system::systemd;
use crate::web::{self, State};

/// The listeners that have been opened and do not serve yet.
#[derive(Debug)]
pub(super) struct Opened {
    access: Access,
    main: Option<(Listener, SocketAddr)>,
    health: Option<(Listener, Option<SocketFile>)>,
}

impl Opened {
    /// Opens what `config` says, behind `access`. What is open already stays as it is: `running` has the configuration
    /// and the address of a server that runs.
    ///
    /// # Errors
    /// The key in the configuration of what cannot be opened, and why it cannot.
    pub(super) async fn new(
        access: Access,
        config: &config::Web,
        running: Option<(&config::Web, SocketAddr)>,
    ) -> Result<Self, (&'static str, anyhow::Error)> {
        let listen = |error| ("web.listen", error);
        let health_listen = |error| ("web.health_listen", error);
        let mut main = None;
        if running.is_none_or(|(running, _)| running.listen != config.listen) {
            // Only at the start: what was handed over is ours until the end.
            let handed_over = if running.is_none() { handed_over().map_err(listen)? } else { None };
            let listener = match handed_over {
                Some(listener) => listener,
                None => tcp(config.listen, "web.listen").await.map_err(listen)?,
            };
            let address = listener.local_addr().context("learn the own address").map_err(listen)?;
            main = Some((Listener::Tcp(listener), address));
        }
        // The configuration is about its own address; a socket that was handed over may be open to more.
        let address = main.as_ref().map(|(_, address)| *address).or(running.map(|(_, address)| address));
        if let Some(address) = address.filter(|address| !config.may_listen_on(*address)) {
            let needs = "is open to the network, which needs web.tls with web.auth, or insecure = true";
            return Err(listen(anyhow::anyhow!("listen on `{address}`: it {needs}")));
        }
        let mut health = None;
        if running.is_none_or(|(running, _)| running.health_listen != config.health_listen) {
            health = match &config.health_listen {
                None => None,
                Some(HealthListen::Address(address)) => {
                    Some((Listener::Tcp(tcp(*address, "web.health_listen").await.map_err(health_listen)?), None))
                }
                Some(HealthListen::Socket(path)) => {
                    let listener = unix(path).await.map_err(health_listen)?;
                    Some((Listener::Unix(listener), Some(SocketFile(path.clone()))))
                }
            };
        }
        Ok(Self { access, main, health })
    }
}

/// The socket that the service manager has opened and handed over, if it has.
fn handed_over() -> anyhow::Result<Option<TcpListener>> {
    let listener = systemd::handed_over().and_then(|listener| listener.map(TcpListener::from_std).transpose());
    listener.context("take over the socket of the service manager")
}

/// Listens on an address; `key` is the key of the configuration that chooses it.
async fn tcp(address: SocketAddr, key: &str) -> anyhow::Result<TcpListener> {
    let listener = TcpListener::bind(address).await;
    let is_taken = listener.as_ref().is_err_and(|error| error.kind() == ErrorKind::AddrInUse);
    listener.with_context(|| {
        let hint = format!(" (`ss -ltnp` shows what does already; {key} chooses another port)");
        format!("listen on {address}{}", if is_taken { &hint } else { "" })
    })
}

/// Listens on a Unix socket. One that was left behind, which refuses connections, is replaced; what is no socket,
/// answers, or cannot be connected to is left alone.
async fn unix(path: &Path) -> anyhow::Result<UnixListener> {
    let bind = || UnixListener::bind(path);
    let listener = match bind() {
        Err(error) if error.kind() == ErrorKind::AddrInUse && is_left_behind(path).await => {
            std::fs::remove_file(path).and_then(|()| bind())
        }
        bound => bound,
    };
    listener.with_context(|| format!("listen on `{}`", path.display()))
}

async fn is_left_behind(path: &Path) -> bool {
    let is_socket = std::fs::symlink_metadata(path).is_ok_and(|file| file.file_type().is_socket());
    is_socket && UnixStream::connect(path).await.is_err_and(|error| error.kind() == ErrorKind::ConnectionRefused)
}

/// The file of a Unix socket, removed when nobody listens any more.
#[derive(Debug)]
struct SocketFile(PathBuf);

impl Drop for SocketFile {
    fn drop(&mut self) {
        // It may have been removed by somebody else.
        std::fs::remove_file(&self.0).ok();
    }
}

/// The web server, and the server for health alone if one is configured.
#[derive(Debug)]
pub(super) struct Web {
    /// The address on which the web server really listens.
    pub(super) address: SocketAddr,
    server: Server,
    health: Option<(Server, Option<SocketFile>)>,
    access: watch::Sender<Arc<Access>>,
    state: State,
    /// Servers that a reload replaced, while they complete what they answer.
    replaced: JoinSet<()>,
}

impl Web {
    /// Serves what has been opened.
    pub(super) fn start(opened: Opened, state: State) -> anyhow::Result<Self> {
        let Opened { access, main, health } = opened;
        let (listener, address) = main.context("serve: nothing is open")?;
        let (access, current) = watch::channel(Arc::new(access));
        let server = Server::start(listener, web::all(state.clone()), current);
        let mut web = Self { address, server, health: None, access, state, replaced: JoinSet::new() };
        web.health = health.map(|health| web.start_health(health));
        Ok(web)
    }

    fn start_health(&self, (listener, file): (Listener, Option<SocketFile>)) -> (Server, Option<SocketFile>) {
        // Anybody may ask for health.
        let (_, open) = watch::channel(Arc::default());
        (Server::start(listener, web::health(self.state.clone()), open), file)
    }

    /// Serves as `config` says, with what has been opened for it.
    pub(super) fn change(&mut self, opened: Opened, config: &config::Web, before: &config::Web) {
        let Opened { access, main, health } = opened;
        // A new `Access` ends every connection and discards whom it has authenticated, which a reload of something else
        // need not do.
        let same =
            (&config.tls, &config.auth, &config.external_url) == (&before.tls, &before.auth, &before.external_url);
        if !(same && access.is_made_from_the_same(&self.access.borrow())) {
            self.access.send_replace(Arc::new(access));
        }
        while self.replaced.try_join_next().is_some() {}
        // The old server may still be answering the request for the reload, so nobody waits for its end here.
        if let Some((listener, address)) = main {
            let server = Server::start(listener, web::all(self.state.clone()), self.access.subscribe());
            self.address = address;
            self.replaced.spawn(std::mem::replace(&mut self.server, server).stop());
        }
        if config.health_listen != before.health_listen {
            let health = health.map(|health| self.start_health(health));
            if let Some((old, file)) = std::mem::replace(&mut self.health, health) {
                drop(file);
                self.replaced.spawn(old.stop());
            }
        }
    }

    /// Waits until one of the servers has ended, which neither should by itself. Cancel-safe.
    pub(super) async fn ended(&self) {
        match &self.health {
            None => self.server.ended().await,
            Some((health, _)) => tokio::select! {
                () = self.server.ended() => {}
                () = health.ended() => {}
            },
        }
    }

    /// Stops both servers; answers under way are completed.
    pub(super) async fn stop(self) {
        self.server.stop().await;
        if let Some((health, _file)) = self.health {
            health.stop().await;
        }
        self.replaced.join_all().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[tokio::test]
    async fn an_open_socket_needs_its_locks_whatever_the_configuration_says_of_its_own_address() {
        let mut before = testing::config(Vec::new()).web;
        before.insecure = true;
        let after = config::Web { insecure: false, ..before.clone() };
        let opened = async |config: &config::Web, on: &str| {
            let running = Some((&before, on.parse().unwrap()));
            Opened::new(Access::default(), config, running)
                .await
                .map(drop)
                .map_err(|(key, error)| format!("{key}: {error:#}"))
        };
        assert_eq!(opened(&before, "192.0.2.1:9760").await, Ok(()));
        assert_eq!(opened(&after, "127.0.0.1:9760").await, Ok(()));
        let refused = opened(&after, "192.0.2.1:9760").await.unwrap_err();
        assert!(refused.starts_with("web.listen: listen on `192.0.2.1:9760`: it is open to the network"), "{refused}");
    }
}
