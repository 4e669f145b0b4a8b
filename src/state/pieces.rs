//! A list that is copied at little cost, and of which a copy differs in few places: snapshots share what did not change. Pure.

use std::iter::from_fn;
use std::ops::Index;
use std::sync::Arc;

/// How many entries are shared, or copied, together.
const PIECE: usize = 64;

/// A list in pieces, each of which copies share until one of them changes something in it.
#[derive(Debug, Clone)]
pub struct Pieces<T>(Vec<Arc<Vec<T>>>);

impl<T> Default for Pieces<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Pieces<T> {
    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.0.last().map_or(0, |last| (self.0.len() - 1) * PIECE + last.len())
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// One entry.
    pub fn get(&self, index: usize) -> Option<&T> {
        self.0.get(index / PIECE)?.get(index % PIECE)
    }

    /// Every entry, in order.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.0.iter().flat_map(|piece| piece.iter())
    }

    /// The entry of this name and its place, where the entries are in the order of their names.
    pub fn find_by_name(&self, name: &str, of: impl Fn(&T) -> &str) -> Option<(usize, &T)> {
        let may_have = |piece: &Arc<Vec<T>>| piece.first().is_some_and(|first| of(first) <= name);
        let piece = self.0.partition_point(may_have).checked_sub(1)?;
        let index = self.0[piece].binary_search_by(|entry| of(entry).cmp(name)).ok()?;
        Some((piece * PIECE + index, &self.0[piece][index]))
    }
}

impl<T: Clone> Pieces<T> {
    /// Puts another entry in the place of one that is there.
    pub fn replace(&mut self, index: usize, entry: T) {
        if let Some(piece) = self.0.get_mut(index / PIECE)
            && let Some(place) = Arc::make_mut(piece).get_mut(index % PIECE)
        {
            *place = entry;
        }
    }
}

impl<T> Index<usize> for Pieces<T> {
    type Output = T;

    fn index(&self, index: usize) -> &T {
        &self.0[index / PIECE][index % PIECE]
    }
}

impl<T> FromIterator<T> for Pieces<T> {
    fn from_iter<I: IntoIterator<Item = T>>(entries: I) -> Self {
        let mut entries = entries.into_iter();
        let piece = || {
            let piece: Vec<T> = entries.by_ref().take(PIECE).collect();
            (!piece.is_empty()).then(|| Arc::new(piece))
        };
        Self(from_fn(piece).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_a_list_whatever_its_length() {
        for length in [0, 1, 63, 64, 65, 200] {
            let list: Pieces<usize> = (0..length).collect();
            assert_eq!((list.len(), list.is_empty()), (length, length == 0));
            assert_eq!(list.iter().copied().collect::<Vec<_>>(), (0..length).collect::<Vec<_>>());
            assert!((0..length).all(|index| list[index] == index && list.get(index) == Some(&index)));
            assert_eq!(list.get(length), None);
        }
    }

    #[test]
    fn a_name_is_found_where_it_stands() {
        let even: Pieces<String> = (0..200).map(|number| format!("{:03}", 2 * number)).collect();
        for number in 0..400 {
            let found = even.find_by_name(&format!("{number:03}"), |name| name);
            assert_eq!(found.map(|(index, _)| index), (number % 2 == 0).then_some(number / 2), "{number}");
        }
        assert!(even.find_by_name("", |name| name).is_none());
        assert!(Pieces::<String>::default().find_by_name("a", |name| name).is_none());
    }

    #[test]
    fn a_copy_shares_all_pieces_but_those_that_were_changed() {
        let before: Pieces<usize> = (0..200).collect();
        let mut after = before.clone();
        after.replace(70, 7);
        after.replace(1_000, 7);
        assert_eq!((before[70], after[70], after.len()), (70, 7, 200));
        let shared = before.0.iter().zip(&after.0).map(|(one, other)| Arc::ptr_eq(one, other));
        assert_eq!(shared.collect::<Vec<_>>(), [true, false, true, true]);
    }
}
