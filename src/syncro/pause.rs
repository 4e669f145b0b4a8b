//! The hosts that asked for a pause, since when and until when. It takes the present as an argument and never waits.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;
use url::Url;

use super::Reason;

/// The domain of all accounts of Syncro, which share a limit: it counts what comes from one address, whichever account
/// is asked.
const SYNCRO: &str = "syncromsp.com";
/// The longest pause. A longer one would blind the daemon. Syncro counts by the minute, so it asks again for one that
/// is meant; it is short enough that a single pause is over before it is an alert.
pub(super) const LONGEST_PAUSE: Duration = Duration::from_mins(4);
const SHORTEST_PAUSE: Duration = Duration::from_secs(1);
/// Requests flow again once so many were answered since the last pause, ...
const FLOWING: u32 = 5;
/// ... or one was and this long nobody asked for another pause.
const QUIET: Duration = Duration::from_mins(1);
/// The most hosts whose pauses are recorded: a fleet has fewer accounts.
const MOST_HOSTS: usize = 10_000;

/// The host of a base URL, by the names under which it may be paused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Host {
    /// The name of what counts requests: all accounts of Syncro together, and any other host and port by itself.
    limit: String,
    /// The host and the port alone.
    own: String,
}

impl Host {
    /// The host of a base URL.
    pub(crate) fn of(base_url: &str) -> Self {
        let own = Url::parse(base_url).ok().and_then(|url| {
            let name = url.host_str()?.trim_end_matches('.').to_owned();
            Some((url.port_or_known_default().unwrap_or_default(), name))
        });
        let Some((port, name)) = own else { return Self { limit: base_url.to_owned(), own: base_url.to_owned() } };
        let is_syncro = name == SYNCRO || name.strip_suffix(SYNCRO).is_some_and(|rest| rest.ends_with('.'));
        let own = format!("{name}:{port}");
        Self { limit: if is_syncro { SYNCRO.to_owned() } else { own.clone() }, own }
    }

    /// The name of what counts requests.
    pub(super) fn limit(&self) -> &str {
        &self.limit
    }

    /// The names under which it may be paused.
    fn names(&self) -> impl Iterator<Item = &String> {
        std::iter::once(&self.limit).chain(Some(&self.own).filter(|own| **own != self.limit))
    }

    /// Whether a pause of this name delays requests to it.
    pub(crate) fn is(&self, paused: &str) -> bool {
        self.limit == paused || self.own == paused
    }
}

/// Why a host asked for a pause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PauseCause {
    /// It gets too many requests from this address (429, or the text of Syncro's throttle).
    Throttled,
    /// It is in trouble itself (503 with `Retry-After`).
    Unavailable,
}

impl PauseCause {
    pub(super) fn reason(self) -> Reason {
        match self {
            Self::Throttled => Reason::Throttled,
            Self::Unavailable => Reason::Http5xx,
        }
    }
}

/// One pause, or several that followed each other with hardly a request between.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Paused {
    pub(super) why: PauseCause,
    pub(super) since: Instant,
    pub(super) until: Instant,
    /// Requests that were answered since its end.
    pub(super) answered: u32,
    /// Whether [`Pauses::has_ended`] has already returned its end.
    over: bool,
}

impl Paused {
    fn flows(&self, now: Instant) -> bool {
        self.until <= now && (self.answered >= FLOWING || self.answered > 0 && now - self.until >= QUIET)
    }
}

/// All pauses, by the name of the host.
#[derive(Debug, Default)]
pub(super) struct Pauses(HashMap<String, Paused>);

impl Pauses {
    /// Begins a pause, or makes one longer; returns how long it lasts, since `requested` is taken within bounds.
    pub(super) fn begin(&mut self, host: &Host, why: PauseCause, requested: Duration, now: Instant) -> Duration {
        let duration = requested.clamp(SHORTEST_PAUSE, LONGEST_PAUSE);
        let until = now + duration;
        let name = match why {
            PauseCause::Throttled => &host.limit,
            PauseCause::Unavailable => &host.own,
        };
        if self.0.get(name).is_some_and(|paused| paused.flows(now)) {
            self.0.remove(name);
        }
        let has_room = self.0.len() < MOST_HOSTS;
        match self.0.get_mut(name) {
            Some(paused) => {
                let why = if paused.why == PauseCause::Throttled { paused.why } else { why };
                *paused = Paused { why, since: paused.since, until: until.max(paused.until), answered: 0, over: false };
            }
            None if has_room => {
                self.0.insert(name.clone(), Paused { why, since: now, until, answered: 0, over: false });
            }
            None => {}
        }
        duration
    }

    /// The pause that delays requests to a host now, if one does; the longest of several.
    pub(super) fn of(&self, host: &Host, now: Instant) -> Option<Paused> {
        let paused = host.names().filter_map(|name| self.0.get(name)).copied();
        paused.filter(|paused| paused.until > now).max_by_key(|paused| paused.until)
    }

    /// Whether a pause of this host has ended since the last call.
    pub(super) fn has_ended(&mut self, host: &Host, now: Instant) -> bool {
        let mut ended = false;
        for name in host.names() {
            if let Some(paused) = self.0.get_mut(name).filter(|paused| paused.until <= now) {
                ended |= !std::mem::replace(&mut paused.over, true);
            }
        }
        ended
    }

    /// Records that a request was answered without asking for a pause.
    pub(super) fn answered(&mut self, host: &Host, now: Instant) {
        for name in host.names() {
            if let Some(paused) = self.0.get_mut(name).filter(|paused| paused.until <= now) {
                paused.answered = paused.answered.saturating_add(1);
                if paused.flows(now) {
                    self.0.remove(name);
                }
            }
        }
    }

    /// Every pause after which requests do not flow again yet.
    pub(super) fn list(&self, now: Instant) -> impl Iterator<Item = (&str, Paused)> {
        let lasting = self.0.iter().filter(move |(_, paused)| !paused.flows(now));
        lasting.map(|(host, paused)| (host.as_str(), *paused))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    #[test]
    fn accounts_of_syncro_share_a_limit_and_others_do_not() {
        let of = Host::of;
        assert_eq!(of("https://acme.syncromsp.com/api/v1").limit, of("https://Other.SyncroMSP.com:443/x").limit);
        assert_ne!(of("https://acme.syncromsp.com/api/v1").own, of("https://other.syncromsp.com/api/v1").own);
        assert_eq!(of("https://evilsyncromsp.com/").limit, "evilsyncromsp.com:443");
        assert_eq!(of("http://127.0.0.1:80/a"), of("http://127.0.0.1/b"));
        assert_ne!(of("http://127.0.0.1:8080/a"), of("http://127.0.0.1:8081/a"));
        assert_ne!(of("http://[::1]:8080/a"), of("http://[::2]:8080/a"));
        assert!(of("https://acme.syncromsp.com/").is("acme.syncromsp.com:443"));
    }

    #[test]
    fn a_pause_is_bounded_and_concerns_its_host_only() {
        let (now, mut pauses) = (Instant::now(), Pauses::default());
        let (acme, other) = (Host::of("https://acme.syncromsp.com"), Host::of("https://other.syncromsp.com"));
        let apart = Host::of("http://127.0.0.1:1");
        assert_eq!(pauses.begin(&acme, PauseCause::Throttled, Duration::MAX, now), LONGEST_PAUSE);
        assert!(pauses.of(&other, now + LONGEST_PAUSE - seconds(1)).is_some(), "one limit");
        assert_eq!(pauses.of(&acme, now + LONGEST_PAUSE), None);
        assert_eq!(pauses.of(&apart, now), None);
        assert_eq!(pauses.begin(&apart, PauseCause::Throttled, Duration::ZERO, now), seconds(1));
        let (mut pauses, unavailable) = (Pauses::default(), PauseCause::Unavailable);
        pauses.begin(&acme, unavailable, seconds(9), now);
        assert_eq!(pauses.of(&acme, now).map(|paused| paused.why.reason()), Some(Reason::Http5xx));
        assert_eq!(pauses.of(&other, now), None, "an account's maintenance is its own");
        for port in 1..=u16::try_from(MOST_HOSTS + 1).unwrap() {
            pauses.begin(&Host::of(&format!("http://127.0.0.1:{port}")), unavailable, seconds(9), now);
        }
        assert_eq!(pauses.0.len(), MOST_HOSTS);
    }

    #[test]
    fn pauses_with_hardly_a_request_between_are_one() {
        let (start, mut pauses) = (Instant::now(), Pauses::default());
        let host = Host::of("http://127.0.0.1:1");
        let since = |pauses: &Pauses, now| pauses.list(now).next().map(|(_, paused)| (paused.since - start).as_secs());
        let mut now = start;
        for _ in 0..3 {
            pauses.begin(&host, PauseCause::Throttled, seconds(30), now);
            now += seconds(30);
            assert!(pauses.has_ended(&host, now) && !pauses.has_ended(&host, now));
            for _ in 1..FLOWING {
                pauses.answered(&host, now);
            }
            now += seconds(20);
            assert_eq!(since(&pauses, now), Some(0));
        }
        pauses.answered(&host, now);
        assert_eq!(since(&pauses, now), None, "requests flow");
        pauses.begin(&host, PauseCause::Throttled, seconds(30), now);
        assert_eq!(since(&pauses, now), Some(150), "another one");
        now += seconds(30);
        assert_eq!(since(&pauses, now + seconds(600)), Some(150), "nothing shows that requests flow");
        pauses.answered(&host, now);
        assert_eq!((since(&pauses, now + seconds(59)), since(&pauses, now + seconds(60))), (Some(150), None));
    }
}
