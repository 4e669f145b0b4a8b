//! What must hold of any CSV file: it becomes rows and fragments that are TOML, or faults that can be read and give no token
//! value away.

use crate::syncro::TokenValue;

use super::fragments::fragment;
use super::names::plain;
use super::rows::rows;

/// A CSV file.
///
/// # Panics
/// Where a promise is broken.
pub(crate) fn csv(text: &str) {
    match rows(text) {
        Ok(mut rows) => {
            for row in &mut rows {
                let source = ("token_file", format!("tokens/{}", plain(&row.token_name)));
                let made = fragment(&[(&*row, source.clone())], None).expect("a row makes a fragment");
                assert!(made.text.parse::<toml::Table>().is_ok(), "a fragment is TOML: {}", made.text);
                let again = fragment(&[(&*row, source)], Some(&made.text)).expect("it can be added to");
                assert_eq!(made.text, again.text, "the same again");
                let shown = format!("{row:?}");
                row.token = TokenValue::in_row("another-value").expect("a value");
                assert_eq!(shown, format!("{row:?}"), "what is printed depends on the token value");
            }
        }
        Err(faults) => {
            assert!(!faults.is_empty(), "refused for no reason");
            for fault in faults {
                let text = fault.to_string();
                assert!(!text.contains('\n') && text.chars().count() < 500, "{text}");
            }
        }
    }
}
