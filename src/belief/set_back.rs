//! What a clock that was set back changes: no moment of a status lies in the future. Pure.

use chrono::{DateTime, TimeDelta, Utc};

use super::TokenStatus;

impl TokenStatus {
    /// Takes in that the clock was set back from `before` to `now`. To wait until the time between them has passed
    /// again would be blindness, so a moment after `now` is moved back by as much: it stays as long ago as it was.
    pub(crate) fn set_back(&mut self, before: DateTime<Utc>, now: DateTime<Utc>) {
        let by = (before - now).max(TimeDelta::zero());
        self.moments(&mut |moment| {
            if *moment > now {
                *moment = (*moment - by).min(now);
            }
        });
    }

    /// Applies `change` to every moment that the status contains.
    fn moments(&mut self, change: &mut impl FnMut(&mut DateTime<Utc>)) {
        for attempts in [&mut self.validity, &mut self.permission_checks] {
            let moments = [&mut attempts.last_attempt, &mut attempts.last_success, &mut attempts.failing_since];
            moments.into_iter().chain([&mut attempts.silent_since]).flatten().for_each(&mut *change);
        }
        let moments = [&mut self.full_check, &mut self.answered_at, &mut self.known_since, &mut self.since];
        moments.into_iter().chain([&mut self.users_asked, &mut self.value_since]).flatten().for_each(&mut *change);
        if let Some(doubt) = &mut self.doubt {
            [&mut doubt.first, &mut doubt.last].into_iter().for_each(&mut *change);
        }
        if let Some(user) = &mut self.user {
            user.group_asked.iter_mut().chain(&mut user.doubted_at).for_each(&mut *change);
            user.group_change.iter_mut().for_each(|group_change| change(&mut group_change.at));
            user.admin.moments(change);
            user.listed.moments(change);
        }
        self.rights.iter_mut().for_each(|right| right.belief.moments(change));
        self.permissions.iter_mut().for_each(|permission| permission.belief.moments(change));
        self.audit.iter_mut().for_each(|audit| change(&mut audit.at));
        self.customers.moments(change);
        [&mut self.next, &mut self.former].into_iter().flatten().for_each(|beside| beside.moments(change));
    }
}
