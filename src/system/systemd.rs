//! The protocol of a service manager that works as systemd does: the readiness, the watchdog, a status that people
//! read, sockets and folders that it hands over. Where nobody listens, nothing happens.

use std::ffi::{OsStr, OsString};
use std::io;
use std::net::TcpListener;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use listenfd::ListenFd;
use sd_notify::NotifyState;
use tokio::time::Instant;

/// A status is sent anew after so long if nothing but its countdown has changed.
const STATUS_EVERY: Duration = Duration::from_secs(10);
/// How long a message waits for a manager whose socket is full. The loop stalls meanwhile.
const SEND_TIMEOUT: Duration = Duration::from_millis(200);

/// The service manager that is notified, if there is one.
#[derive(Debug)]
pub(crate) struct Manager {
    /// The address at which it listens, if there is one.
    address: Option<SocketAddr>,
    /// How often the watchdog wants to be fed, if there is one.
    feed_every: Option<Duration>,
    fed: Option<Instant>,
    /// The status that was last sent, without its countdown, and when.
    last_status: Option<(String, Instant)>,
    /// Whether the manager did not take the last message.
    is_refusing: AtomicBool,
    /// Whether the readiness has still to be sent, because the manager did not take it: systemd would end a service
    /// that is never ready.
    is_ready_owed: bool,
}

impl Manager {
    /// The manager that started the process, by its environment.
    pub(crate) fn from_environment() -> Self {
        let address = std::env::var_os("NOTIFY_SOCKET").filter(|name| !name.is_empty()).and_then(|name| {
            let address = address(&name);
            if let Err(why) = &address {
                tracing::warn!(event = "manager_failed", "the service manager is not notified: {why}");
            }
            address.ok()
        });
        Self {
            address,
            // Half of it is the custom; a quarter leaves room for a machine that is busy.
            feed_every: sd_notify::watchdog_enabled().map(|long| long / 4),
            fed: None,
            last_status: None,
            is_refusing: AtomicBool::new(false),
            is_ready_owed: false,
        }
    }

    /// Whether there is a manager to notify.
    pub(crate) fn listens(&self) -> bool {
        self.address.is_some()
    }

    /// Notifies the manager that the start has succeeded.
    pub(crate) fn ready(&mut self) {
        self.is_ready_owed = !self.notify(&[NotifyState::Ready]);
    }

    /// Notifies the manager that the configuration is being read again. systemd waits for `ready` from that moment on.
    pub(crate) fn reloading(&self) {
        // Without the stamp systemd would take an older `READY=1` for the end of this reload, or wait for ever.
        match NotifyState::monotonic_usec_now() {
            Ok(now) => {
                self.notify(&[NotifyState::Reloading, now]);
            }
            Err(error) => tracing::warn!(event = "manager_failed", "failed to read the monotonic clock: {error}"),
        }
    }

    /// Notifies the manager that the reload has ended, in success or in failure; `status` says which.
    pub(crate) fn reloaded(&mut self, status: &str) {
        self.last_status = None;
        self.is_ready_owed = !self.notify(&[NotifyState::Ready, NotifyState::Status(status)]);
    }

    /// Notifies the manager that the process is ending, and how long that may take.
    pub(crate) fn stopping(&self, at_most: Duration) {
        let microseconds = u32::try_from(at_most.as_micros()).unwrap_or(u32::MAX);
        let status = NotifyState::Status("stopping: letting what is under way end");
        self.notify(&[NotifyState::Stopping, NotifyState::ExtendTimeoutUsec(microseconds), status]);
    }

    /// To be called at every turn of the loop: feeds the watchdog, and sends the status if it has changed. A new
    /// `countdown` alone is no change.
    pub(crate) fn turned(&mut self, status: &str, countdown: &str) {
        if self.is_ready_owed {
            self.ready();
        }
        let now = Instant::now();
        if let Some(every) = self.feed_every
            && self.fed.is_none_or(|fed| now - fed >= every)
        {
            // What was not taken is sent again at the next turn.
            self.fed = self.notify(&[NotifyState::Watchdog]).then_some(now);
        }
        let is_due = |(sent, at): &(String, Instant)| sent != status || now - *at >= STATUS_EVERY;
        if self.last_status.as_ref().is_none_or(is_due) {
            self.last_status = Some((status.to_owned(), now));
            self.notify(&[NotifyState::Status(&format!("{status}{countdown}"))]);
        }
    }

    /// Sends a message, and returns whether the manager took it. A message that is not taken is no reason to stop; it
    /// is logged once.
    fn notify(&self, states: &[NotifyState<'_>]) -> bool {
        let Some(address) = &self.address else { return true };
        let lines: Vec<_> = states.iter().map(ToString::to_string).collect();
        let outcome = send(address, lines.join("\n").as_bytes());
        let was_refused = self.is_refusing.swap(outcome.is_err(), Ordering::Relaxed);
        if let (Err(error), false) = (&outcome, was_refused) {
            tracing::warn!(event = "manager_failed", "failed to notify the service manager: {error}");
        }
        outcome.is_ok()
    }
}

/// Sends one datagram. It does not use `sd_notify`, which supports no abstract names and waits for ever where the
/// manager's socket is full.
fn send(address: &SocketAddr, message: &[u8]) -> io::Result<()> {
    let socket = UnixDatagram::unbound()?;
    socket.set_write_timeout(Some(SEND_TIMEOUT))?;
    socket.send_to_addr(message, address).map(drop)
}

/// The address that `$NOTIFY_SOCKET` names: an absolute path, or `@` and a name in the abstract namespace
/// (sd_notify(3)).
fn address(name: &OsStr) -> Result<SocketAddr, String> {
    let address = match name.as_bytes() {
        [b'@', abstract_name @ ..] => SocketAddr::from_abstract_name(abstract_name),
        [b'/', ..] => SocketAddr::from_pathname(name),
        _ => return Err(format!("$NOTIFY_SOCKET is `{}`, of a kind that is not supported", name.display())),
    };
    address.map_err(|error| format!("$NOTIFY_SOCKET is `{}`: {error}", name.display()))
}

/// The folder in which the state is persisted: the one that systemd made for it (`$STATE_DIRECTORY`), or else the
/// working directory.
pub(crate) fn state_directory() -> PathBuf {
    std::env::var_os("STATE_DIRECTORY").and_then(|folders| first(&folders)).map(PathBuf::from).unwrap_or_default()
}

/// The first of several folders, which a colon separates: `StateDirectory=a b` is `/var/lib/a:/var/lib/b`
/// (systemd.exec(5)).
fn first(folders: &OsStr) -> Option<OsString> {
    let mut each = folders.as_bytes().split(|byte| *byte == b':');
    each.find(|folder| !folder.is_empty()).map(|folder| OsStr::from_bytes(folder).to_owned())
}

/// The socket that a `.socket` unit opened for this process, if one did (sd_listen_fds(3)).
///
/// # Errors
/// When what was passed on is no TCP socket that listens.
pub(crate) fn handed_over() -> io::Result<Option<TcpListener>> {
    let Some(listener) = ListenFd::from_env().take_tcp_listener(0)? else { return Ok(None) };
    listener.set_nonblocking(true)?;
    Ok(Some(listener))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notify_socket_is_a_path_or_an_abstract_name() {
        let of = |name: &str| address(OsStr::new(name));
        assert_eq!(of("/run/notify").unwrap().as_pathname(), Some("/run/notify".as_ref()));
        assert_eq!(of("@a b/c").unwrap().as_abstract_name(), Some(b"a b/c".as_slice()));
        for other in ["vsock:2:1234", "relative", "", "http://x"] {
            assert!(of(other).unwrap_err().contains("not supported"), "{other}");
        }
        let long = format!("/{}", "x".repeat(200));
        assert!(of(&long).is_err());
    }

    #[test]
    fn a_manager_that_takes_nothing_is_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let manager = UnixDatagram::bind(&path).unwrap();
        let address = address(path.as_os_str()).unwrap();
        let sent = std::iter::from_fn(|| send(&address, b"WATCHDOG=1\n").ok()).take(100_000).count();
        assert!(sent < 100_000, "its socket is full at some time");
        manager.recv(&mut [0; 64]).unwrap();
        send(&address, b"WATCHDOG=1\n").unwrap();
    }

    #[test]
    fn the_first_of_several_state_directories_counts() {
        let of = |folders: &str| first(OsStr::new(folders)).map(|folder| folder.into_string().unwrap());
        for (folders, expected) in [
            ("/var/lib/a", Some("/var/lib/a")),
            ("/var/lib/a:/var/lib/b", Some("/var/lib/a")),
            (":/b", Some("/b")),
            ("state", Some("state")),
            ("", None),
            (":", None),
        ] {
            assert_eq!(of(folders).as_deref(), expected, "{folders}");
        }
    }
}
