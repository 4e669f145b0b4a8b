//! How long to wait before the next attempt. Pure.

use std::time::Duration;

/// The first pause.
const SHORTEST: Duration = Duration::from_secs(1);
/// The longest pause: a receiver that works again is notified within a minute.
pub(super) const LONGEST: Duration = Duration::from_mins(1);
/// The longest pause that a receiver may ask for with `Retry-After`: a proxy that answers for it, or a page of
/// maintenance, may ask for hours, and alerts would be delayed for as long.
pub(super) const LONGEST_RETRY_AFTER: Duration = Duration::from_mins(5);
/// How soon the receiver is tried again when a body was refused, as long as there is another one to try: whether the
/// body or the address is wrong shows only then.
pub(super) const SOON: Duration = Duration::from_secs(5);
/// The longest pause before a notification is tried again that a receiver does not take while it takes others.
const LONGEST_OF_ONE: Duration = Duration::from_mins(5);

/// The pause after so many failures in a row. `chance`, from 0 to 1, spreads receivers that failed together over the
/// last quarter of it. A `retry_after` that the receiver asks for is respected up to `longest_retry_after`.
pub(super) fn pause(
    failures: u32,
    retry_after: Option<Duration>,
    longest_retry_after: Duration,
    chance: f64,
) -> Duration {
    if let Some(retry_after) = retry_after {
        return retry_after.clamp(SHORTEST, longest_retry_after);
    }
    doubled(failures, LONGEST).mul_f64(1.0 - chance.clamp(0.0, 1.0) / 4.0)
}

/// The pause before one notification is tried again, after so many failures of it.
pub(super) fn pause_of_one(failures: u32) -> Duration {
    doubled(failures, LONGEST_OF_ONE)
}

fn doubled(failures: u32, longest: Duration) -> Duration {
    let doublings = failures.saturating_sub(1).min(16);
    SHORTEST.saturating_mul(1 << doublings).min(longest)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn pauses_double_and_a_retry_after_is_respected_up_to_a_few_minutes() {
        let pauses: Vec<_> = (1..9).map(|failures| pause(failures, None, LONGEST_RETRY_AFTER, 0.0).as_secs()).collect();
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 60, 60]);
        let asked = |seconds| pause(1, Some(Duration::from_secs(seconds)), LONGEST_RETRY_AFTER, 1.0);
        assert_eq!(asked(90), Duration::from_secs(90));
        assert_eq!(asked(9 * 3600), LONGEST_RETRY_AFTER);
        assert_eq!(asked(0), SHORTEST);
        let of_one: Vec<_> = [1, 6, 9, 10, u32::MAX].map(|failures| pause_of_one(failures).as_secs()).into();
        assert_eq!(of_one, [1, 32, 256, 300, 300]);
    }

    proptest! {
        #[test]
        fn a_pause_is_never_longer_than_the_longest_nor_shorter_than_three_quarters_of_the_first(
            failures: u32, chance in -1.0..2.0_f64,
        ) {
            let pause = pause(failures, None, LONGEST_RETRY_AFTER, chance);
            prop_assert!(pause <= LONGEST && pause >= SHORTEST * 3 / 4, "{pause:?}");
        }
    }
}
