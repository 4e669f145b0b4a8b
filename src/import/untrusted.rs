//! What must hold of any CSV file: it becomes rows and fragments that are TOML, or faults that can be read and give no token
//! value away.

use super::fragments::fragment;
use super::names::plain;
use super::rows::rows;

/// A CSV file.
///
/// # Panics
/// Where a promise is broken.
pub(crate) fn csv(text: &str) {
    match rows(text) {
        Ok(rows) => {
            for row in &rows {
                let source = ("token_file", format!("tokens/{}", plain(&row.token_name)));
                let made = fragment(&[(row, source.clone())], None).expect("a row makes a fragment");
                assert!(made.text.parse::<toml::Table>().is_ok(), "a fragment is TOML: {}", made.text);
                let again = fragment(&[(row, source)], Some(&made.text)).expect("it can be added to");
                assert_eq!(made.text, again.text, "the same again");
                let value = String::from_utf8_lossy(&row.token.file()).trim().to_owned();
                assert!(!format!("{row:?}").contains(&value) || value.len() < 8, "a token value is printed");
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
