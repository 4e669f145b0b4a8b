//! The only place that reads the wall clock (`clippy.toml` forbids it elsewhere). Whatever decides takes `now` as an
//! argument.
//!
//! A simulation runs the program on a clock of its own, by the thread: see [`replace`].

use std::cell::RefCell;
use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

use chrono::{DateTime, SubsecRound, Utc};
use tokio::time::Instant;

/// A moment of the clock that is never set. Only its age means anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Monotonic(Instant);

impl Monotonic {
    /// The present moment.
    pub fn now() -> Self {
        Self(Instant::now())
    }

    /// How long ago the moment was.
    pub(crate) fn age(self) -> Duration {
        self.0.elapsed()
    }
}

type Source = Box<dyn Fn() -> DateTime<Utc>>;

thread_local! {
    static SOURCE: RefCell<Option<Source>> = const { RefCell::new(None) };
}

/// The present, to the millisecond; a finer one would only make log lines longer.
pub fn now() -> DateTime<Utc> {
    SOURCE.with_borrow(|source| source.as_ref().map_or_else(system, |source| source())).trunc_subsecs(3)
}

#[expect(clippy::disallowed_methods, reason = "this is the one place where the clock is read")]
fn system() -> DateTime<Utc> {
    Utc::now()
}

/// The time since the machine started, by the clock that all processes share and nobody sets: that of [`Instant`].
pub(crate) fn since_boot() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    Duration::new(time.tv_sec.try_into().unwrap_or_default(), time.tv_nsec.try_into().unwrap_or_default())
}

/// Which start of the machine [`since_boot`] counts from; empty where the system does not say.
pub(crate) fn boot_id() -> String {
    std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default().trim().to_owned()
}

/// Gives the current thread a clock of its own for as long as the returned guard lives. What runs on other threads
/// continues to read the system's clock.
#[must_use]
pub fn replace(source: impl Fn() -> DateTime<Utc> + 'static) -> Replaced {
    SOURCE.set(Some(Box::new(source)));
    Replaced(PhantomData)
}

/// The guard of the current thread's own clock; when it is dropped, the system's clock counts again.
pub struct Replaced(PhantomData<*const ()>);

impl fmt::Debug for Replaced {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Replaced")
    }
}

impl Drop for Replaced {
    fn drop(&mut self) {
        SOURCE.set(None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_has_its_own_clock_until_the_guard_is_dropped() {
        let then = DateTime::from_timestamp(1_000_000_000, 0).unwrap();
        {
            let _replaced = replace(move || then);
            assert_eq!(now(), then);
            let elsewhere = std::thread::spawn(now).join().unwrap();
            assert_ne!(elsewhere, then, "another thread has the system's clock");
        }
        assert_ne!(now(), then);
    }
}
