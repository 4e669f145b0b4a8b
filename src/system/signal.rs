//! The signals by which the service manager or a person controls the process.

use strum::IntoStaticStr;
use tokio::signal::unix::{Signal as Stream, SignalKind, signal};

/// A signal that was received.
#[derive(Debug, Clone, Copy, PartialEq, Eq, IntoStaticStr)]
pub enum Signal {
    /// SIGTERM, which asks for an orderly stop.
    #[strum(serialize = "SIGTERM")]
    Terminate,
    /// SIGINT, which asks for the same.
    #[strum(serialize = "SIGINT")]
    Interrupt,
    /// SIGHUP, which asks for a reload of the configuration.
    #[strum(serialize = "SIGHUP")]
    Reload,
}

impl Signal {
    /// The name of the signal, as in `kill -l` with the prefix `SIG`.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// The receiver of the three signals, from its creation on: a signal that comes before anybody waits for it is not
/// lost.
#[derive(Debug)]
pub(crate) struct Signals {
    terminate: Stream,
    interrupt: Stream,
    hangup: Stream,
}

impl Signals {
    /// Takes over the handling of the three signals.
    ///
    /// # Errors
    /// When the operating system refuses the handler.
    pub(crate) fn listen() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// Waits for the next signal that asks for a stop; one that asks for a reload stays pending for [`Self::next`].
    /// Cancel-safe.
    pub(crate) async fn stop(&mut self) -> Signal {
        tokio::select! {
            _ = self.terminate.recv() => Signal::Terminate,
            _ = self.interrupt.recv() => Signal::Interrupt,
        }
    }

    /// Waits for the next of the three signals. Cancel-safe.
    pub(crate) async fn next(&mut self) -> Signal {
        tokio::select! {
            _ = self.terminate.recv() => Signal::Terminate,
            _ = self.interrupt.recv() => Signal::Interrupt,
            _ = self.hangup.recv() => Signal::Reload,
        }
    }
}
