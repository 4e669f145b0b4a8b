//! The fragment of the configuration of one tenant: a new one, or one that was there before, with everything in it that the
//! rows do not mention. Pure.

use std::collections::HashMap;

use toml_edit::{ArrayOfTables, DocumentMut, Item, Table, value};

use super::rows::Row;

/// The first line of a new fragment.
const HEAD: &str =
    "# From `syncro-token-monitor import`. It may be edited: another import keeps what it does not name.\n\n";
/// The keys by which a token may have its value.
const SOURCES: [&str; 3] = ["token_file", "token_env", "token_credential"];

/// A fragment, and which of its tables came from which row.
#[derive(Debug)]
pub(super) struct Fragment {
    pub(super) text: String,
    /// The place of the tenant in the list of tenants, and the line that named it first.
    tenant: (usize, u64),
    /// The places of the tokens in its list of tokens, and the lines of their rows.
    tokens: Vec<(usize, u64)>,
}

/// Where a token has its value: the key in the configuration, and what stands there.
pub(super) type Source = (&'static str, String);

/// Writes the rows of one tenant, of which there is at least one, into the fragment that was there `before`.
///
/// # Errors
/// A text that reads after a colon, when the fragment is something that cannot be added to.
pub(super) fn fragment(rows: &[(&Row, Source)], before: Option<&str>) -> Result<Fragment, String> {
    let mut document: DocumentMut =
        before.unwrap_or_default().parse().map_err(|_| "it is there and is no TOML".to_owned())?;
    let (first, _) = rows.first().ok_or("no row")?;
    let tenants = tables(document.as_table_mut(), "tenants")?;
    let place = named(tenants, &mut names(tenants), &first.tenant);
    let tenant = tenants.get_mut(place).ok_or("no such tenant")?;
    tenant.insert("subdomain", value(&first.subdomain));
    set(tenant, "time_zone", first.time_zone.as_ref().map(value));
    let list = tables(tenant, "tokens")?;
    let mut places = names(list);
    let mut tokens = Vec::with_capacity(rows.len());
    for (row, (key, source)) in rows {
        let place = named(list, &mut places, &row.token_name);
        let token = list.get_mut(place).ok_or("no such token")?;
        for other in SOURCES.iter().filter(|other| *other != key) {
            token.remove(other);
        }
        token.insert(key, value(source));
        set(token, "profile", row.profile.as_ref().map(value));
        set(token, "expires", row.expires.map(value));
        set(token, "contact", row.contact.as_ref().map(value));
        set(token, "note", row.note.as_ref().map(value));
        tokens.push((place, row.line));
    }
    let head = if before.is_none() { HEAD } else { "" };
    Ok(Fragment { text: format!("{head}{document}"), tenant: (place, first.line), tokens })
}

/// A list of tables, which is made if there is none.
fn tables<'a>(table: &'a mut Table, key: &str) -> Result<&'a mut ArrayOfTables, String> {
    let item = table.entry(key).or_insert_with(|| Item::ArrayOfTables(ArrayOfTables::new()));
    item.as_array_of_tables_mut().ok_or_else(|| format!("its `{key}` are no tables of their own, such as [[{key}]]"))
}

/// The places of tables by their names; the first of several with one name.
fn names(tables: &ArrayOfTables) -> HashMap<String, usize> {
    let mut places = HashMap::new();
    for (place, table) in tables.iter().enumerate() {
        if let Some(name) = table.get("name").and_then(Item::as_str) {
            places.entry(name.to_owned()).or_insert(place);
        }
    }
    places
}

/// The place of the table of this name, which is made if there is none.
fn named(tables: &mut ArrayOfTables, places: &mut HashMap<String, usize>, name: &str) -> usize {
    *places.entry(name.to_owned()).or_insert_with(|| {
        let mut table = Table::new();
        table.insert("name", value(name));
        tables.push(table);
        tables.len() - 1
    })
}

/// Sets a key, where there is something to set.
fn set(table: &mut Table, key: &str, item: Option<Item>) {
    if let Some(item) = item {
        table.insert(key, item);
    }
}

impl Fragment {
    /// The line and the column of the CSV file from which a key of the fragment came, such as
    /// `tenants[0].tokens[2].expires`.
    pub(super) fn origin(&self, path: &str) -> Option<(u64, &'static str)> {
        let (place, rest) = indexed(path, "tenants")?;
        let (tenant, line) = self.tenant;
        if place != tenant {
            return None;
        }
        let Some((place, rest)) = indexed(rest, "tokens") else {
            let column = match rest {
                "subdomain" => "subdomain",
                "time_zone" => "time_zone",
                _ => "tenant",
            };
            return Some((line, column));
        };
        let (_, line) = self.tokens.iter().rev().find(|(token, _)| *token == place)?;
        let column = match rest {
            "profile" => "profile",
            "expires" => "expires",
            "contact" => "contact",
            "note" => "note",
            _ => "token_name",
        };
        Some((*line, column))
    }
}

/// The number in `KEY[number].rest`, and the rest.
fn indexed<'a>(path: &'a str, key: &str) -> Option<(usize, &'a str)> {
    let (number, rest) = path.strip_prefix(key)?.strip_prefix('[')?.split_once(']')?;
    Some((number.parse().ok()?, rest.strip_prefix('.').unwrap_or(rest)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::import::rows::rows;

    const HEAD_OF_CSV: &str = "tenant,subdomain,time_zone,token_name,token,profile,expires,contact,note\n";

    fn written(csv: &str, before: Option<&str>) -> Result<Fragment, String> {
        let rows = rows(&format!("{HEAD_OF_CSV}{csv}")).unwrap();
        let rows: Vec<_> = rows.iter().map(|row| (row, ("token_file", format!("tokens/{}", row.token_name)))).collect();
        fragment(&rows, before)
    }

    #[test]
    fn a_fragment_says_what_the_rows_say() {
        let csv =
            "Acme,acme,UTC,a,v,jumpcloud,2027-03-31,\"Pat \"\"P\"\"\",n\nAcme,acme,,b,w,,2027-03-31T18:00:00Z,,\n";
        let fragment = written(csv, None).unwrap();
        let expected = "[[tenants]]\nname = \"Acme\"\nsubdomain = \"acme\"\ntime_zone = \"UTC\"\n\n[[tenants.tokens]]\nname = \
                        \"a\"\ntoken_file = \"tokens/a\"\nprofile = \"jumpcloud\"\nexpires = 2027-03-31\ncontact = 'Pat \
                        \"P\"'\nnote = \"n\"\n\n[[tenants.tokens]]\nname = \"b\"\ntoken_file = \"tokens/b\"\nexpires = \
                        2027-03-31T18:00:00Z\n";
        assert_eq!(fragment.text, format!("{HEAD}{expected}"));
        assert_eq!(written(csv, Some(&fragment.text)).unwrap().text, fragment.text, "the same again");
        assert_eq!(fragment.origin("tenants[0].tokens[1].expires"), Some((3, "expires")));
        assert_eq!(fragment.origin("tenants[0].time_zone"), Some((2, "time_zone")));
        assert_eq!(fragment.origin("tenants[1].time_zone"), None);
    }

    #[test]
    fn what_the_rows_do_not_name_stays() {
        let before = "# ours\n[[tenants]]\nname = \"Other\"\nsubdomain = \"other\"\n\n[[tenants]]\nname = \"Acme\" # big\nsubdomain = \
                      \"old\"\n\n[[tenants.tokens]]\nname = \"b\"\ntoken_env = \"B\"\nauto_rotated = true # since May\n";
        let text = written("Acme,acme,,b,v,,,,\n", Some(before)).unwrap().text;
        for part in
            ["# ours\n", "\"Other\"", "\"Acme\" # big", "subdomain = \"acme\"", "auto_rotated = true # since May"]
        {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert!(!text.contains("token_env") && text.contains("token_file = \"tokens/b\""), "{text}");
        assert!(written("Acme,acme,,b,v,,,,\n", Some("tenants = 1")).unwrap_err().contains("no tables of their own"));
        assert!(written("Acme,acme,,b,v,,,,\n", Some("[[")).is_err());
    }
}
