//! A list that is copied at little cost, and of which a copy differs in few places: snapshots share what did not change. Pure.

use std::iter::from_fn;
use std::ops::Index;
use std::sync::Arc;

/// How many entries are shared, or copied, together.
const PIECE: usize = 16;
/// How many such pieces are.
const BRANCH: usize = 64;

/// A list in pieces, each of which copies share until one of them changes something in it; so are the lists of pieces, so that
/// a copy costs hardly more for a long list than for a short one.
#[derive(Debug, Clone)]
pub struct Pieces<T>(Vec<Arc<Vec<Arc<Vec<T>>>>>);

impl<T> Default for Pieces<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Pieces<T> {
    /// How many entries there are.
    pub fn len(&self) -> usize {
        let before_last = |count: usize| count.saturating_sub(1);
        let Some(branch) = self.0.last() else { return 0 };
        let pieces = before_last(self.0.len()) * BRANCH + before_last(branch.len());
        pieces * PIECE + branch.last().map_or(0, |piece| piece.len())
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// One entry.
    pub fn get(&self, index: usize) -> Option<&T> {
        self.0.get(index / PIECE / BRANCH)?.get(index / PIECE % BRANCH)?.get(index % PIECE)
    }

    /// Every entry, in order.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.0.iter().flat_map(|branch| branch.iter()).flat_map(|piece| piece.iter())
    }

    /// The entry of this name and its place, where the entries are in the order of their names.
    pub fn find_by_name(&self, name: &str, of: impl Fn(&T) -> &str) -> Option<(usize, &T)> {
        let begins = |piece: &Arc<Vec<T>>| piece.first().is_some_and(|first| of(first) <= name);
        let branch = self.0.partition_point(|branch| branch.first().is_some_and(begins)).checked_sub(1)?;
        let piece = self.0[branch].partition_point(begins).checked_sub(1)?;
        let entries = &self.0[branch][piece];
        let index = entries.binary_search_by(|entry| of(entry).cmp(name)).ok()?;
        Some(((branch * BRANCH + piece) * PIECE + index, &entries[index]))
    }
}

impl<T: Clone> Pieces<T> {
    /// Puts another entry in the place of one that is there.
    pub fn replace(&mut self, index: usize, entry: T) {
        if let Some(branch) = self.0.get_mut(index / PIECE / BRANCH)
            && let Some(piece) = Arc::make_mut(branch).get_mut(index / PIECE % BRANCH)
            && let Some(place) = Arc::make_mut(piece).get_mut(index % PIECE)
        {
            *place = entry;
        }
    }
}

impl<T> Index<usize> for Pieces<T> {
    type Output = T;

    fn index(&self, index: usize) -> &T {
        &self.0[index / PIECE / BRANCH][index / PIECE % BRANCH][index % PIECE]
    }
}

impl<T> FromIterator<T> for Pieces<T> {
    fn from_iter<I: IntoIterator<Item = T>>(entries: I) -> Self {
        Self(shared(shared(entries.into_iter(), PIECE).into_iter(), BRANCH))
    }
}

/// Divides what comes into lists of so many.
fn shared<T>(mut entries: impl Iterator<Item = T>, size: usize) -> Vec<Arc<Vec<T>>> {
    let list = || {
        let list: Vec<T> = entries.by_ref().take(size).collect();
        (!list.is_empty()).then(|| Arc::new(list))
    };
    from_fn(list).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_a_list_whatever_its_length() {
        for length in [0, 1, PIECE - 1, PIECE, PIECE + 1, 200, BRANCH * PIECE, BRANCH * PIECE + 1] {
            let list: Pieces<usize> = (0..length).collect();
            assert_eq!((list.len(), list.is_empty()), (length, length == 0));
            assert_eq!(list.iter().copied().collect::<Vec<_>>(), (0..length).collect::<Vec<_>>());
            assert!((0..length).all(|index| list[index] == index && list.get(index) == Some(&index)));
            assert_eq!(list.get(length), None);
        }
    }

    #[test]
    fn a_name_is_found_where_it_stands() {
        let even: Pieces<String> = (0..2_000).map(|number| format!("{:04}", 2 * number)).collect();
        for number in 0..4_000 {
            let found = even.find_by_name(&format!("{number:04}"), |name| name);
            assert_eq!(found.map(|(index, _)| index), (number % 2 == 0).then_some(number / 2), "{number}");
        }
        assert!(even.find_by_name("", |name| name).is_none());
        assert!(Pieces::<String>::default().find_by_name("a", |name| name).is_none());
    }

    #[test]
    fn a_copy_shares_all_pieces_but_those_that_were_changed() {
        let length = 2 * BRANCH * PIECE;
        let before: Pieces<usize> = (0..length).collect();
        let mut after = before.clone();
        after.replace(70, 7);
        after.replace(length, 7);
        assert_eq!((before[70], after[70], after.len()), (70, 7, length));
        let pairs = || before.0.iter().zip(&after.0);
        let branches = pairs().map(|(one, other)| Arc::ptr_eq(one, other));
        assert_eq!(branches.collect::<Vec<_>>(), [false, true]);
        let pieces = pairs().flat_map(|(one, other)| one.iter().zip(other.iter()));
        assert_eq!(pieces.filter(|(one, other)| !Arc::ptr_eq(one, other)).count(), 1);
    }
}
