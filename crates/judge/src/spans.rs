//! Sets of moments as sorted spans that do not touch, each from its first moment up to, not including, its last.

/// Milliseconds of true time since the world began.
pub type Ms = i64;

/// A set of moments.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Spans(Vec<(Ms, Ms)>);

impl Spans {
    /// All moments from `from` up to `to`.
    pub fn one(from: Ms, to: Ms) -> Self {
        Self::of([(from, to)])
    }

    /// All moments of these spans, which may overlap and be in any order.
    pub fn of(spans: impl IntoIterator<Item = (Ms, Ms)>) -> Self {
        let mut spans: Vec<_> = spans.into_iter().filter(|(from, to)| from < to).collect();
        spans.sort_unstable();
        let mut merged: Vec<(Ms, Ms)> = Vec::with_capacity(spans.len());
        for (from, to) in spans {
            match merged.last_mut() {
                Some(last) if from <= last.1 => last.1 = last.1.max(to),
                _ => merged.push((from, to)),
            }
        }
        Self(merged)
    }

    /// The spans, in order.
    pub fn iter(&self) -> impl Iterator<Item = (Ms, Ms)> + '_ {
        self.0.iter().copied()
    }

    /// Moments in either.
    #[must_use]
    pub fn or(&self, other: &Self) -> Self {
        Self::of(self.iter().chain(other.iter()))
    }

    /// Moments in both.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        let mut both = Vec::new();
        let (mut left, mut right) = (self.iter().peekable(), other.iter().peekable());
        while let (Some(a), Some(b)) = (left.peek().copied(), right.peek().copied()) {
            both.push((a.0.max(b.0), a.1.min(b.1)));
            if a.1 <= b.1 {
                left.next();
            } else {
                right.next();
            }
        }
        Self::of(both)
    }

    /// Moments of this one that are not in the other.
    #[must_use]
    pub fn without(&self, other: &Self) -> Self {
        let mut left = Vec::new();
        for (start, to) in self.iter() {
            let mut from = start;
            for (begin, end) in other.iter().filter(|(begin, end)| *end > start && *begin < to) {
                left.push((from, begin));
                from = from.max(end);
            }
            left.push((from, to));
        }
        Self::of(left)
    }

    /// The same spans, each beginning earlier and ending later.
    #[must_use]
    pub fn widened(&self, before: Ms, after: Ms) -> Self {
        Self::of(self.iter().map(|(from, to)| (from - before, to + after)))
    }

    /// Whether the moment is in it.
    pub fn contains(&self, at: Ms) -> bool {
        self.span_at(at).is_some()
    }

    /// The span that the moment is in.
    pub fn span_at(&self, at: Ms) -> Option<(Ms, Ms)> {
        self.iter().find(|(from, to)| (*from..*to).contains(&at))
    }

    /// Whether any moment from `from` up to and including `to` is in it.
    pub fn touches(&self, from: Ms, to: Ms) -> bool {
        self.iter().any(|(begin, end)| begin <= to && end > from)
    }

    /// How much of the time from `from` to `to` is in it.
    pub fn length(&self, from: Ms, to: Ms) -> Ms {
        self.iter().map(|(begin, end)| (end.min(to) - begin.max(from)).max(0)).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_of_moments_combine_as_sets_do() {
        let (a, b) = (Spans::of([(0, 10), (20, 30)]), Spans::of([(5, 22), (29, 40)]));
        assert_eq!(a.or(&b), Spans::of([(0, 40)]));
        assert_eq!(a.and(&b), Spans::of([(5, 10), (20, 22), (29, 30)]));
        assert_eq!(a.without(&b), Spans::of([(0, 5), (22, 29)]));
        assert_eq!(Spans::of([(0, 5), (5, 7)]), Spans::one(0, 7), "spans that touch are one");
        assert!(a.contains(0) && !a.contains(10) && a.touches(10, 20) && !a.touches(10, 19));
        assert_eq!((a.length(5, 25), a.widened(1, 1)), (10, Spans::of([(-1, 11), (19, 31)])));
    }
}
