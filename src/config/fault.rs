//! What is wrong with a configuration: where, what, and what is allowed. Never a line of the file, never a secret.
//! Pure.

use std::fmt;

/// One fault of a configuration, or one warning about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The file that it is in, by the path that was given to the program.
    pub file: String,
    /// The path of the key, such as `tenants[3].tokens[0].expires`; empty for the file as a whole.
    pub path: String,
    /// What is wrong.
    pub problem: String,
    /// What is allowed there; empty where that would not help.
    pub allowed: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: ", self.file)?;
        if !self.path.is_empty() {
            write!(formatter, "{}: ", self.path)?;
        }
        write!(formatter, "{}", self.problem)?;
        if !self.allowed.is_empty() {
            write!(formatter, "; allowed: {}", self.allowed)?;
        }
        Ok(())
    }
}

/// All faults that one reading of a configuration has found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Faults(pub Vec<Fault>);

impl fmt::Display for Faults {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, fault) in self.0.iter().enumerate() {
            if index > 0 {
                writeln!(formatter)?;
            }
            write!(formatter, "{fault}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Faults {}

/// What is wrong with one value, before the reader adds its file and its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Problem {
    pub(super) problem: String,
    pub(super) allowed: String,
}

impl Problem {
    pub(super) fn new(problem: impl Into<String>, allowed: impl Into<String>) -> Self {
        Self { problem: problem.into(), allowed: allowed.into() }
    }
}

/// The candidate that is nearest to `word`, if one is near enough to have been meant.
pub(crate) fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    const NEAR_ENOUGH: f64 = 0.8;
    let word = word.to_lowercase();
    candidates
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(&word, &candidate.to_lowercase()), candidate))
        .filter(|(likeness, _)| *likeness >= NEAR_ENOUGH)
        .max_by(|(left, _), (right, _)| left.total_cmp(right))
        .map(|(_, candidate)| candidate)
}

/// A word of the file, made fit to be shown: it is short, on one line, and hidden if it resembles a token value that
/// was put in a wrong place.
pub(super) fn shown(word: &str) -> String {
    const LONGEST: usize = 60;
    if resembles_token(word) {
        return "(not shown: it looks like a token value)".to_owned();
    }
    let mut short: String = word.chars().take(LONGEST).flat_map(char::escape_debug).collect();
    if word.chars().count() > LONGEST {
        short.push('…');
    }
    format!("`{short}`")
}

/// Whether a word has the shape of a Syncro token value: `T` and hexadecimal digits, or a UUID.
pub(super) fn resembles_token(word: &str) -> bool {
    const SHORTEST: usize = 24;
    word.split(|character: char| !character.is_ascii_alphanumeric() && character != '-').any(|part| {
        let digits = part.strip_prefix('T').unwrap_or(part);
        digits.len() >= SHORTEST
            && digits.chars().all(|character| character.is_ascii_hexdigit() || character == '-')
            && digits.chars().filter(char::is_ascii_hexdigit).count() >= SHORTEST
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_that_resembles_a_token_is_never_shown() {
        for token in ["3746f72b-9852-4d1a-84e9-eedb5c50abcd", "T0123456789abcdef-0123456789abcdef0123456789abcdef"] {
            assert!(!shown(token).contains(&token[4..20]), "{token}");
            assert!(!shown(&format!("tokens/{token}")).contains(&token[4..20]), "{token}");
        }
        assert_eq!(shown("tokens/acme-jumpcloud"), "`tokens/acme-jumpcloud`");
        assert_eq!(shown("a\nb"), "`a\\nb`");
    }

    #[test]
    fn the_nearest_word_is_offered_only_if_it_may_have_been_meant() {
        assert_eq!(nearest("confirmation", ["confirmations", "confirm_after"]), Some("confirmations"));
        assert_eq!(nearest("zebra", ["confirmations", "confirm_after"]), None);
    }
}
