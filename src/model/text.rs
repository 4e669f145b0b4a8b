//! Texts that people and Syncro write: which characters of theirs reach nobody, and how a text is cut. Pure.

use std::borrow::Cow;

/// Whether a character changes how the text around it is shown: it ends the line, or it is one of Unicode's marks for text
/// that runs from right to left, behind which a name can hide what follows it.
pub(crate) fn disturbs(character: char) -> bool {
    let turns =
        matches!(character, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    turns || character.is_control() || matches!(character, '\u{2028}' | '\u{2029}')
}

/// The text, or as much of it as there is room for and an ellipsis. `most` is in characters. Where the text is cut, no
/// backtick is left open: names stand between backticks, and what follows an open one would be a name too.
pub(crate) fn cut(text: &str, most: usize) -> Cow<'_, str> {
    if text.chars().nth(most).is_none() {
        return text.into();
    }
    shortened(most, |room| text[..text.char_indices().nth(room).map_or(0, |(at, _)| at)].trim_end().to_owned()).into()
}

/// The beginning of a text that is too long, and an ellipsis, in so many characters. `begin` is as much of the text as there is
/// room for. No backtick is left open.
pub(crate) fn shortened(most: usize, begin: impl Fn(usize) -> String) -> String {
    let longest = begin(most.saturating_sub(1));
    if !has_open_backtick(&longest) {
        return longest + "…";
    }
    let shorter = begin(most.saturating_sub(2));
    let end = if has_open_backtick(&shorter) { "…`" } else { "…" };
    shorter + end
}

/// Whether a text ends within a name.
fn has_open_backtick(text: &str) -> bool {
    text.matches('`').count() % 2 == 1
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_text_is_cut_only_where_it_is_too_long() {
        assert_eq!(cut("grüße", 5), "grüße");
        assert_eq!(cut("grüße dich", 6), "grüße…");
        assert_eq!(cut("grüße dich", 7), "grüße…", "no blank before the ellipsis");
        assert_eq!(cut("long", 0), "…");
        assert_eq!(cut("a `name` b", 7), "a `na…`");
        assert_eq!(cut("a `name` b", 9), "a `name`…");
        assert_eq!(cut("a `name` b", 4), "a…", "no name is left of which nothing is shown");
    }

    #[test]
    fn marks_disturb_and_letters_of_any_script_do_not() {
        assert!("\n\t\0\u{7f}\u{85}\u{2028}\u{202e}\u{2067}\u{200f}\u{61c}".chars().all(disturbs));
        // Among them the joiners that Persian and Hindi are written with, and that emoji are made of.
        assert!(!"a é ß あ شركة חברה نمی\u{200c}خواهم \u{1f468}\u{200d}\u{1f469}".chars().any(disturbs));
    }

    proptest! {
        #[test]
        fn what_is_cut_fits_begins_as_before_and_leaves_no_backtick_open(
            text in "([a ü`]{0,6}`[a`\u{1f534} ]{0,6}`){0,3}", most in 1_usize..30
        ) {
            let text = if has_open_backtick(&text) { format!("{text}`") } else { text };
            let cut = cut(&text, most);
            prop_assert!(cut.chars().count() <= most && !has_open_backtick(&cut), "{cut}");
            prop_assert!(text.starts_with(cut.trim_end_matches('`').trim_end_matches('…')));
            prop_assert_eq!(cut == text, text.chars().count() <= most);
        }
    }
}
