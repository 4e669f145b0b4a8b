//! Where the series of a family go: into a text, or into a number that is another one where the text is. Pure.

use std::hash::{Hash, Hasher};

use chrono::{DateTime, Utc};

/// What takes series.
pub(super) trait Sink {
    /// Takes one series by its labels, but for those that all of them begin with, and its value.
    fn put(&mut self, labels: &[(&str, &str)], value: Value);
}

impl dyn Sink + '_ {
    /// As [`Sink::put`], of whatever is a value.
    pub(super) fn series(&mut self, labels: &[(&str, &str)], value: impl Into<Value>) {
        self.put(labels, value.into());
    }
}

/// A value of a sample. Where its text is another one, so is its hash.
#[derive(Debug, Clone, Copy, Hash)]
pub(super) enum Value {
    Count(u64),
    /// Seconds since the epoch; 0 for what has not happened.
    Moment(Option<DateTime<Utc>>),
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Count(value.into())
    }
}

impl From<usize> for Value {
    fn from(value: usize) -> Self {
        Self::Count(value as u64)
    }
}

impl From<u64> for Value {
    fn from(value: u64) -> Self {
        Self::Count(value)
    }
}

impl From<Option<DateTime<Utc>>> for Value {
    fn from(moment: Option<DateTime<Utc>>) -> Self {
        Self::Moment(moment)
    }
}

/// A number of the series, made without their text, which takes a small part of the time.
pub(super) struct Number<H>(pub(super) H);

impl<H: Hasher> Sink for Number<H> {
    fn put(&mut self, labels: &[(&str, &str)], value: Value) {
        (labels, value).hash(&mut self.0);
    }
}
