//! What is told to a service manager that speaks systemd's protocol, and what it hands over: readiness, the watchdog, a
//! status that people read, sockets. Where nobody listens, nothing happens.

use std::io;
use std::net::TcpListener;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use listenfd::ListenFd;
use sd_notify::NotifyState;
use tokio::time::Instant;

/// A status is told anew after so long if nothing but its countdown has changed.
const STATUS_EVERY: Duration = Duration::from_secs(10);

/// The service manager, or nobody.
#[derive(Debug)]
pub struct Manager {
    listens: bool,
    /// How often the watchdog wants to be fed, if there is one.
    feed_every: Option<Duration>,
    fed: Option<Instant>,
    /// What was last told, without its countdown, and when.
    told: Option<(String, Instant)>,
    /// Whether nobody took what was last told.
    unheard: AtomicBool,
}

impl Manager {
    /// Whoever started the process.
    pub fn from_environment() -> Self {
        // Half of it is the custom; a quarter leaves room for a machine that is busy.
        Self {
            listens: std::env::var_os("NOTIFY_SOCKET").is_some(),
            feed_every: sd_notify::watchdog_enabled().map(|long| long / 4),
            fed: None,
            told: None,
            unheard: AtomicBool::new(false),
        }
    }

    /// Whether there is somebody to tell.
    pub fn listens(&self) -> bool {
        self.listens
    }

    /// Everything that was to be proven at the start is.
    pub fn ready(&self) {
        self.tell(&[NotifyState::Ready]);
    }

    /// The configuration is being read again. systemd waits for `ready` from that moment on.
    pub fn reloading(&self) {
        // Without the stamp systemd would take an older `READY=1` for the end of this reload, or wait for ever.
        match NotifyState::monotonic_usec_now() {
            Ok(now) => self.tell(&[NotifyState::Reloading, now]),
            Err(error) => tracing::warn!(event = "manager_failed", "failed to read the monotonic clock: {error}"),
        }
    }

    /// The reload has ended, well or badly; `status` says which.
    pub fn reloaded(&mut self, status: &str) {
        self.told = None;
        self.tell(&[NotifyState::Ready, NotifyState::Status(status)]);
    }

    /// The process is ending and may take so long for it.
    pub fn stopping(&self, at_most: Duration) {
        let microseconds = u32::try_from(at_most.as_micros()).unwrap_or(u32::MAX);
        let status = NotifyState::Status("stopping: letting what is under way end");
        self.tell(&[NotifyState::Stopping, NotifyState::ExtendTimeoutUsec(microseconds), status]);
    }

    /// The loop has turned: feeds the watchdog, and tells the status if it has changed. `countdown` alone is no change.
    pub fn turned(&mut self, status: &str, countdown: &str) {
        let now = Instant::now();
        if let Some(every) = self.feed_every
            && self.fed.is_none_or(|fed| now - fed >= every)
        {
            self.fed = Some(now);
            self.tell(&[NotifyState::Watchdog]);
        }
        let is_news = |(told, at): &(String, Instant)| told != status || now - *at >= STATUS_EVERY;
        if self.told.as_ref().is_none_or(is_news) {
            self.told = Some((status.to_owned(), now));
            self.tell(&[NotifyState::Status(&format!("{status}{countdown}"))]);
        }
    }

    /// Nobody who hears it is no reason to stop; it is said once.
    fn tell(&self, what: &[NotifyState<'_>]) {
        let outcome = sd_notify::notify(what);
        let unheard_before = self.unheard.swap(outcome.is_err(), Ordering::Relaxed);
        if let (Err(error), false) = (outcome, unheard_before) {
            tracing::warn!(event = "manager_failed", "failed to tell the service manager: {error}");
        }
    }
}

/// The socket that a `.socket` unit opened for us, if one did.
///
/// # Errors
/// When what was handed over is no TCP socket that listens.
pub fn handed_over() -> io::Result<Option<TcpListener>> {
    let Some(listener) = ListenFd::from_env().take_tcp_listener(0)? else { return Ok(None) };
    listener.set_nonblocking(true)?;
    Ok(Some(listener))
}
