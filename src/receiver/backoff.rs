//! How long to wait before the next attempt. Pure.

use std::time::Duration;

/// The first pause.
const SHORTEST: Duration = Duration::from_secs(1);
/// The longest: a receiver that is back is told within a minute.
pub(super) const LONGEST: Duration = Duration::from_mins(1);
/// A longer wish of a receiver is not granted: it would hold alerts back for hours.
const LONGEST_WISH: Duration = Duration::from_mins(15);

/// The pause after so many failures in a row. `chance`, from 0 to 1, spreads those who failed together over the last
/// quarter of it.
pub(super) fn pause(failures: u32, wish: Option<Duration>, chance: f64) -> Duration {
    if let Some(wish) = wish {
        return wish.clamp(SHORTEST, LONGEST_WISH);
    }
    let doublings = failures.saturating_sub(1).min(16);
    let pause = SHORTEST.saturating_mul(1 << doublings).min(LONGEST);
    pause.mul_f64(1.0 - chance.clamp(0.0, 1.0) / 4.0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn pauses_double_up_to_a_minute_and_a_wish_is_granted_up_to_a_quarter_of_an_hour() {
        let pauses: Vec<_> = (1..9).map(|failures| pause(failures, None, 0.0).as_secs()).collect();
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(pause(1, Some(Duration::from_secs(90)), 1.0), Duration::from_secs(90));
        assert_eq!(pause(1, Some(Duration::from_hours(9)), 0.5), LONGEST_WISH);
        assert_eq!(pause(9, Some(Duration::ZERO), 0.5), SHORTEST);
    }

    proptest! {
        #[test]
        fn a_pause_is_never_longer_than_the_longest_nor_shorter_than_three_quarters_of_the_first(
            failures: u32, chance in -1.0..2.0_f64,
        ) {
            let pause = pause(failures, None, chance);
            prop_assert!(pause <= LONGEST && pause >= SHORTEST * 3 / 4, "{pause:?}");
        }
    }
}
