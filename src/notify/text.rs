//! Texts as receivers take them: each has a bound, since a chat refuses what is too long, and a refused notification is
//! one that nobody reads. Pure.

use std::borrow::Cow;

/// The longest text of a message, in characters. Slack takes some 3,000 in a text, Discord 4,096, and PagerDuty cuts at
/// 1,024.
pub(super) const LONGEST_MESSAGE: usize = 2_000;
/// The longest of any other text, in characters: names come from the configuration and from Syncro.
pub(super) const LONGEST_FIELD: usize = 500;
/// The longest of a step that is to be done, in characters: it may have an address in it.
pub(super) const LONGEST_STEP: usize = 1_000;

/// The text, or as much of it as there is room for and an ellipsis. `most` is in characters.
pub(super) fn cut(text: &str, most: usize) -> Cow<'_, str> {
    if text.chars().nth(most).is_none() {
        return text.into();
    }
    let end = text.char_indices().nth(most.saturating_sub(1)).map_or(0, |(at, _)| at);
    format!("{}…", text[..end].trim_end()).into()
}

/// The same with the three characters escaped that mean something to Slack (its page "Formatting text for app
/// surfaces"). `most` counts what is sent; an escape is never cut in two.
pub(super) fn cut_escaped(text: &str, most: usize) -> String {
    let (mut escaped, mut length, mut end) = (String::new(), 0, 0);
    for character in text.chars() {
        let (written, width) = match character {
            '&' => ("&amp;", 5),
            '<' => ("&lt;", 4),
            '>' => ("&gt;", 4),
            _ => ("", 1),
        };
        if length + width > most {
            escaped.truncate(end);
            escaped.push('…');
            return escaped;
        }
        if written.is_empty() {
            escaped.push(character);
        } else {
            escaped.push_str(written);
        }
        length += width;
        // Here there is still room for the ellipsis.
        if length < most {
            end = escaped.len();
        }
    }
    escaped
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
        assert_eq!(cut_escaped("a & b", 9), "a &amp; b");
        assert_eq!(cut_escaped("a & b", 8), "a &amp;…");
        assert_eq!(cut_escaped("a & b", 7), "a …", "an escape is whole or absent");
        assert_eq!(cut_escaped("<<", 4), "…");
    }

    proptest! {
        #[test]
        fn what_is_cut_fits_and_begins_as_before(text in "[a&<>ü`\u{1f534} ]{0,40}", most in 1_usize..30) {
            let (plain, escaped) = (cut(&text, most).into_owned(), cut_escaped(&text, most));
            prop_assert!(plain.chars().count() <= most && escaped.chars().count() <= most, "{plain} {escaped}");
            let whole = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
            prop_assert!(text.starts_with(plain.trim_end_matches('…')));
            prop_assert!(whole.starts_with(escaped.trim_end_matches('…')));
            prop_assert_eq!(plain == text, text.chars().count() <= most);
            prop_assert_eq!(escaped == whole, whole.chars().count() <= most);
        }
    }
}
