//! What the files of tenants and tokens are called. Pure.

use std::fmt::Write;

use sha2::{Digest, Sha256};

/// The most characters of a name that a file has.
const LONGEST: usize = 60;

/// What stands between the names of a tenant and of its token where the first has a hyphen itself. No name has it.
pub(super) const BETWEEN: &str = "--";

/// The name of a tenant or a token as a part of the name of a file: itself, where it is plain; else what is plain of it, and
/// a piece of its hash, so that two names never share a file.
pub(super) fn plain(name: &str) -> String {
    let is_plain =
        |character: char| character.is_ascii_lowercase() || character.is_ascii_digit() || "-_".contains(character);
    if name.len() <= LONGEST
        && name.starts_with(|first: char| first.is_ascii_alphanumeric())
        && name.chars().all(is_plain)
        && !name.contains(BETWEEN)
    {
        return name.to_owned();
    }
    let lower = name.chars().map(|character| character.to_ascii_lowercase());
    let mut plain: String = lower.map(|character| if is_plain(character) { character } else { '-' }).collect();
    while plain.contains(BETWEEN) {
        plain = plain.replace(BETWEEN, "-");
    }
    plain.truncate(LONGEST);
    let mut named = plain.trim_matches(['-', '_']).to_owned();
    if !named.is_empty() {
        named.push('-');
    }
    for byte in Sha256::digest(name.as_bytes()).iter().take(4) {
        // Writing to a string cannot fail.
        write!(named, "{byte:02x}").unwrap_or_default();
    }
    named
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_file_of_its_own_whatever_it_holds() {
        assert_eq!(plain("acme"), "acme");
        assert_eq!(plain("acme-2_b"), "acme-2_b");
        for name in ["Acme", "ACME", "a b", "a/b", "../etc", ".hidden", "-x", "חברה", "", "a.toml", &"n".repeat(100)]
        {
            let plain = plain(name);
            assert!(
                plain.len() <= LONGEST + 9 && plain.starts_with(|first: char| first.is_ascii_alphanumeric()),
                "{plain}"
            );
            assert!(
                plain.chars().all(|character| character.is_ascii_alphanumeric() || "-_".contains(character)),
                "{plain}"
            );
        }
        assert!(!plain("b--c").contains(BETWEEN), "else `a` and `b--c` would share a file with `a-b` and `c`");
        assert_ne!(plain("Acme"), plain("ACME"));
        assert_ne!(plain("a b"), plain("a/b"));
    }
}
