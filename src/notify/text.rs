//! The bounds of texts that receivers take, since a chat refuses what is too long, and a refused notification is one that
//! nobody reads; and texts as chats with a markup take them. Pure.

use crate::model::{cut, shortened};

/// The longest text of a message, in characters. Slack takes some 3,000 in a text, Discord 4,096, and PagerDuty cuts at
/// 1,024.
pub(super) const LONGEST_MESSAGE: usize = 2_000;
/// The longest of any other text, in characters: names come from the configuration and from Syncro.
pub(super) const LONGEST_FIELD: usize = 500;
/// The longest of a step that is to be done, in characters: it may have an address in it.
pub(super) const LONGEST_STEP: usize = 1_000;

/// The words by which an at sign addresses everybody, in one chat or another, wherever it stands.
const EVERYBODY: [&str; 4] = ["all", "channel", "everyone", "here"];

/// A name as texts for people have it: between backticks, in which chats see no markup.
pub(super) fn quoted(name: &str) -> String {
    format!("`{}`", cut(&name.replace('`', "'"), LONGEST_FIELD))
}

/// The text, or as much of it as there is room for, as chats with a markup take it: the three characters are escaped that
/// mean something to Slack (its page "Formatting text for app surfaces"), nobody is addressed by it, and no link hides
/// where it leads. `most` counts what is sent; an escape is never cut in two, and no backtick is left open.
pub(super) fn cut_escaped(text: &str, most: usize) -> String {
    let pieces = pieces(text);
    let length = |piece: &String| piece.chars().count();
    let begin = |mut room: usize| {
        let fits = |piece: &&String| {
            let left = room.checked_sub(length(piece));
            room = left.unwrap_or_default();
            left.is_some()
        };
        pieces.iter().take_while(fits).map(String::as_str).collect::<String>()
    };
    if pieces.iter().map(length).sum::<usize>() <= most {
        return pieces.concat();
    }
    shortened(most, begin)
}

/// What is sent of each character. A space without a width keeps an at sign from the name behind it, and the text of a link
/// from its address: people read what was written, and chats see no more in it.
fn pieces(text: &str) -> Vec<String> {
    let mut before = ' ';
    let piece = |(at, character): (usize, char)| {
        let behind = &text[at + character.len_utf8()..];
        let is_name = !before.is_alphanumeric() || EVERYBODY.iter().any(|word| begins_with(behind, word));
        let piece = match character {
            '&' => "&amp;".to_owned(),
            '<' => "&lt;".to_owned(),
            '>' => "&gt;".to_owned(),
            '@' | '＠' if is_name => format!("{character}\u{200b}"),
            '(' if before == ']' => "\u{200b}(".to_owned(),
            _ => character.to_string(),
        };
        before = character;
        piece
    };
    text.char_indices().map(piece).collect()
}

fn begins_with(text: &str, word: &str) -> bool {
    text.get(..word.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_escape_is_whole_or_absent() {
        assert_eq!(cut_escaped("a & b", 9), "a &amp; b");
        assert_eq!(cut_escaped("a & b", 8), "a &amp;…");
        assert_eq!(cut_escaped("a & b", 7), "a …");
        assert_eq!(cut_escaped("<<", 4), "…");
        assert_eq!(cut_escaped("a `name` b", 7), "a `na…`");
    }

    #[test]
    fn nobody_is_addressed_and_no_link_hides_where_it_leads() {
        let shown = |text| cut_escaped(text, 100).replace('\u{200b}', "_");
        assert_eq!(shown("@everyone and @Pat, ＠all"), "@_everyone and @_Pat, ＠_all");
        assert_eq!(shown("a@HERE <!channel> <@U1>"), "a@_HERE &lt;!channel&gt; &lt;@_U1&gt;");
        assert_eq!(shown("[renew](https://a.example)"), "[renew]_(https://a.example)");
        assert_eq!(
            shown("ops@example.com (a) [b] https://a.example/@b"),
            "ops@example.com (a) [b] https://a.example/@_b"
        );
    }

    proptest! {
        #[test]
        fn what_is_cut_fits_and_begins_as_before(text in "[a&<>ü@\u{1f534} ]{0,40}", most in 1_usize..30) {
            let cut = cut_escaped(&text, most);
            prop_assert!(cut.chars().count() <= most, "{cut}");
            let whole = pieces(&text).concat();
            prop_assert!(whole.starts_with(cut.trim_end_matches('…')));
            prop_assert_eq!(cut == whole, whole.chars().count() <= most);
        }
    }
}
