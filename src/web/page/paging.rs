//! One page of a list that is too long for one. Pure.

/// Which part of a list is shown, and what leads to the parts beside it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Paging {
    /// How many items come before the first that is shown.
    pub(super) from: usize,
    /// The address of the page before, and of the one after, where there is one.
    pub(super) before: Option<String>,
    pub(super) after: Option<String>,
}

impl Paging {
    /// The page of this number, from 1 on, or the last one if there are fewer, of `all` items, `each` of them to a page; `to` is
    /// the address of a page.
    pub(super) fn new(page: Option<usize>, all: usize, each: usize, to: impl Fn(usize) -> String) -> Self {
        let pages = all.div_ceil(each).max(1);
        let page = page.unwrap_or(1).clamp(1, pages);
        Self {
            from: (page - 1) * each,
            before: (page > 1).then(|| to(page - 1)),
            after: (page < pages).then(|| to(page + 1)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_leads_to_those_beside_it_and_none_is_beyond_the_last() {
        let paging = |page, all| {
            let Paging { from, before, after } = Paging::new(page, all, 50, |page| page.to_string());
            (from, before.unwrap_or_default(), after.unwrap_or_default())
        };
        let expected = |from, before: &str, after: &str| (from, before.to_owned(), after.to_owned());
        assert_eq!(paging(None, 0), expected(0, "", ""));
        assert_eq!(paging(None, 50), expected(0, "", ""));
        assert_eq!(paging(Some(1), 51), expected(0, "", "2"));
        assert_eq!(paging(Some(2), 101), expected(50, "1", "3"));
        assert_eq!(paging(Some(usize::MAX), 101), expected(100, "2", ""));
    }
}
