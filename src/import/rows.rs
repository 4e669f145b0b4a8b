//! The rows of a CSV file, and what is wrong with them: by line and column, never a token value. Pure.

use std::fmt;

use csv::{ReaderBuilder, StringRecord, Trim};
use secrecy::zeroize::Zeroizing;

use crate::config::nearest;
use crate::syncro::TokenValue;

/// Every column; those that must be there come first.
const COLUMNS: [&str; 9] =
    ["tenant", "subdomain", "token_name", "token", "time_zone", "profile", "expires", "contact", "note"];
/// How many of them must be there.
const REQUIRED: usize = 4;
/// The column of the token value.
const TOKEN: usize = 3;
/// In bytes: a shorter text may stand in another column for another reason.
const SHORTEST_VALUE: usize = 8;
/// What spreadsheets put between the columns.
const DELIMITERS: [u8; 3] = [b',', b';', b'\t'];
/// The first characters by which a spreadsheet takes a cell for a formula.
const FORMULA: [char; 4] = ['=', '+', '-', '@'];
/// What people write where a value is still to come.
const PLACEHOLDERS: [&str; 16] = [
    "api_token",
    "api-token",
    "changeme",
    "change-me",
    "change_me",
    "example",
    "n/a",
    "none",
    "null",
    "placeholder",
    "secret",
    "tbd",
    "todo",
    "token",
    "your-token",
    "your_token",
];

/// What is wrong with a file: where, what, and what is allowed there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RowFault {
    /// The line, from 1 on; that of the names of the columns if it is about the whole file.
    pub(crate) line: u64,
    /// The column, if it is about one.
    pub(crate) column: String,
    /// What is wrong.
    pub(crate) problem: String,
    /// What is allowed; empty where that would not help.
    pub(crate) allowed: String,
}

impl RowFault {
    pub(super) fn new(line: u64, column: &str, problem: impl Into<String>, allowed: impl Into<String>) -> Self {
        Self { line, column: column.to_owned(), problem: problem.into(), allowed: allowed.into() }
    }

    /// What is wrong, and what is allowed, without the place.
    pub(crate) fn what(&self) -> String {
        let Self { problem, allowed, .. } = self;
        if allowed.is_empty() { problem.clone() } else { format!("{problem}; allowed: {allowed}") }
    }
}

impl fmt::Display for RowFault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "line {}", self.line)?;
        if !self.column.is_empty() {
            write!(formatter, ", column {}", self.column)?;
        }
        write!(formatter, ": {}", self.what())
    }
}

/// One token of a file. What is empty there is absent.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) line: u64,
    pub(super) tenant: String,
    pub(super) subdomain: String,
    pub(super) time_zone: Option<String>,
    pub(super) token_name: String,
    pub(super) token: TokenValue,
    pub(super) profile: Option<String>,
    pub(super) expires: Option<toml_edit::Datetime>,
    pub(super) contact: Option<String>,
    pub(super) note: Option<String>,
}

/// Reads every row, or returns everything that is wrong.
pub(super) fn rows(text: &str) -> Result<Vec<Row>, Vec<RowFault>> {
    // Spreadsheets mark UTF-8 so.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let first = text.lines().next().unwrap_or_default();
    let count = |delimiter: u8| first.bytes().filter(|byte| *byte == delimiter).count();
    let delimiter = DELIMITERS.into_iter().rev().max_by_key(|delimiter| count(*delimiter)).unwrap_or(b',');
    let mut reader =
        ReaderBuilder::new().delimiter(delimiter).flexible(true).trim(Trim::All).from_reader(text.as_bytes());
    let head = reader.headers().map_err(|_| vec![RowFault::new(1, "", "cannot be read as CSV", "")])?.clone();
    let columns = columns(&head)?;
    let (mut rows, mut faults) = (Vec::new(), Vec::new());
    let mut lines = Lines { text, byte: 0, line: 1 };
    for record in reader.records() {
        // What is UTF-8 and in memory can be read.
        let record = record.map_err(|_| vec![RowFault::new(lines.line, "", "cannot be read as CSV", "")])?;
        let line = lines.at(record.position().map_or(0, csv::Position::byte));
        if record.iter().all(str::is_empty) {
            continue;
        }
        if record.len() != head.len() {
            let problem = format!("{} columns, and the first line names {}", record.len(), head.len());
            faults.push(RowFault::new(line, "", problem, "as many as there are names"));
            continue;
        }
        let before = faults.len();
        let row =
            row(line, |column| columns[column].and_then(|place| record.get(place)).unwrap_or_default(), &mut faults);
        rows.extend(row.filter(|_| faults.len() == before));
    }
    if faults.is_empty() && rows.is_empty() {
        faults.push(RowFault::new(1, "", "no row follows the names of the columns", "a row for each token"));
    }
    if faults.is_empty() { Ok(rows) } else { Err(faults) }
}

/// Counts lines from the beginning of a text on; a reader of CSV counts those that end with a carriage return too late.
struct Lines<'a> {
    text: &'a str,
    byte: usize,
    line: u64,
}

impl Lines<'_> {
    /// The line of the first byte at or after this one that ends no line.
    fn at(&mut self, byte: u64) -> u64 {
        let bytes = self.text.as_bytes();
        let byte = usize::try_from(byte).unwrap_or(usize::MAX).min(bytes.len());
        let ends = bytes[byte..].iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        let passed = self.text.get(self.byte..byte + ends).unwrap_or_default();
        self.line += passed.matches('\n').count() as u64;
        self.byte = byte + ends;
        self.line
    }
}

/// The place of each column, by the names in the first line.
fn columns(head: &StringRecord) -> Result<[Option<usize>; COLUMNS.len()], Vec<RowFault>> {
    let (mut places, mut faults) = ([None; COLUMNS.len()], Vec::new());
    for (place, name) in head.iter().enumerate() {
        let known = COLUMNS.iter().position(|column| column.eq_ignore_ascii_case(name));
        match known.map(|column| &mut places[column]) {
            Some(free @ None) => *free = Some(place),
            Some(Some(_)) => {
                faults.push(RowFault::new(1, COLUMNS[known.unwrap_or_default()], "is named twice", "each once"));
            }
            None => {
                let allowed = nearest(name, COLUMNS).map(|near| format!("did you mean `{near}`?"));
                // What stands there may be a row, with its token value.
                let shown = if name.chars().count() > 20 {
                    "one of the names".to_owned()
                } else {
                    format!("`{}`", name.escape_debug())
                };
                let allowed = allowed.unwrap_or_else(|| COLUMNS.join(", "));
                faults.push(RowFault::new(1, "", format!("{shown} is no column"), allowed));
            }
        }
    }
    for (column, _) in COLUMNS.iter().zip(places).take(REQUIRED).filter(|(_, place)| place.is_none()) {
        faults.push(RowFault::new(1, column, "is missing", "in the first line, the names of the columns"));
    }
    if faults.is_empty() { Ok(places) } else { Err(faults) }
}

fn row<'a>(line: u64, cell: impl Fn(usize) -> &'a str, faults: &mut Vec<RowFault>) -> Option<Row> {
    let mut text = |column: usize| -> Option<String> {
        let (name, text) = (COLUMNS[column], cell(column));
        if text.is_empty() {
            if column < REQUIRED {
                faults.push(RowFault::new(line, name, "is empty", "a value"));
            }
            return None;
        }
        if text.starts_with(FORMULA) {
            let problem = "begins as a formula of a spreadsheet does";
            faults.push(RowFault::new(line, name, problem, "none of `=`, `+`, `-`, `@` at the beginning"));
            return None;
        }
        Some(text.to_owned())
    };
    let [tenant, subdomain, token_name, token, time_zone, profile, expires, contact, note] =
        std::array::from_fn(&mut text);
    let token = token.map(Zeroizing::new).and_then(|token| {
        let read = if is_placeholder(&token) {
            Err("is a placeholder, not a value".to_owned())
        } else {
            TokenValue::in_row(&token).map_err(|why| format!("the value {why}"))
        };
        let allowed = "the value that Syncro has shown";
        read.map_err(|problem| faults.push(RowFault::new(line, "token", problem, allowed))).ok()
    });
    // What stands in any other column is printed and shown.
    let value = cell(TOKEN);
    for (column, name) in COLUMNS.into_iter().enumerate().filter(|(column, _)| *column != TOKEN) {
        if value.len() >= SHORTEST_VALUE && cell(column).contains(value) {
            faults.push(RowFault::new(line, name, "has the value of the token in it", "no token value"));
        }
    }
    let expires = match expires.as_deref().map(date) {
        Some(Err(allowed)) => {
            faults.push(RowFault::new(line, "expires", "is no date", allowed));
            None
        }
        Some(Ok(date)) => Some(date),
        None => None,
    };
    Some(Row {
        line,
        tenant: tenant?,
        subdomain: subdomain?,
        time_zone,
        token_name: token_name?,
        token: token?,
        profile,
        expires,
        contact,
        note,
    })
}

/// Whether somebody has not filled in a value yet.
fn is_placeholder(text: &str) -> bool {
    let enclosed = [('<', '>'), ('{', '}'), ('[', ']'), ('%', '%')]
        .into_iter()
        .any(|(open, close)| text.starts_with(open) && text.ends_with(close));
    let is_variable = text.starts_with('$');
    let mut characters = text.chars().map(|character| character.to_ascii_lowercase());
    let first = characters.next();
    let is_one_character = text.len() > 1 && characters.all(|character| Some(character) == first);
    enclosed || is_variable || is_one_character || PLACEHOLDERS.iter().any(|word| word.eq_ignore_ascii_case(text))
}

/// Reads a date of ISO 8601, or a moment with an offset. Returns what is allowed, if it is another one.
fn date(text: &str) -> Result<toml_edit::Datetime, String> {
    let read: Option<toml_edit::Datetime> = text.parse().ok();
    let is_whole = |date: &toml_edit::Datetime| date.date.is_some() && date.time.is_some() == date.offset.is_some();
    read.filter(is_whole).ok_or_else(|| {
        let numbers: Vec<&str> = text.split(['/', '.', '-']).collect();
        let is_number = |number: &&str| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
        let hint = if numbers.len() == 3 && numbers.iter().all(is_number) {
            ": the year first, with four digits, then the month and the day, with hyphens between them"
        } else {
            ""
        };
        format!("a date such as 2027-03-31, or a moment such as 2027-03-31T18:00:00Z{hint}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "tenant,subdomain,time_zone,token_name,token,profile,expires,contact,note\n";

    fn faults(text: &str) -> Vec<String> {
        rows(text).map_or_else(|faults| faults.iter().map(ToString::to_string).collect(), |_| Vec::new())
    }

    #[test]
    fn a_file_of_any_spreadsheet_is_read() {
        let cell = "\"says \"\"hi\"\", \nthen\"";
        for (text, note) in [
            (format!("{HEAD}Acme,acme,UTC,t,value-1,jumpcloud,2027-03-31,Pat,\"a, b\"\n"), "a, b"),
            (
                format!("\u{feff}{HEAD}Acme,acme,UTC,t,value-1,jumpcloud,2027-03-31,Pat,x\r\n").replace('\n', "\r\n"),
                "x",
            ),
            (format!("{HEAD}Acme,acme,UTC,t,value-1,jumpcloud,2027-03-31,Pat,x").replace(',', ";"), "x"),
            (format!("{HEAD}Acme,acme,UTC,t,value-1,jumpcloud,2027-03-31,Pat,x\n\n,,,,,,,,\n").replace(',', "\t"), "x"),
            (format!("{HEAD}Acme,acme,UTC,t,value-1,jumpcloud,2027-03-31,Pat,{cell}\n"), "says \"hi\", \nthen"),
        ] {
            let rows = rows(&text).unwrap();
            assert_eq!(rows.len(), 1, "{text}");
            let Row { tenant, token, expires, line, .. } = &rows[0];
            assert_eq!(
                (tenant.as_str(), token.file().as_slice(), *line),
                ("Acme", b"value-1\n".as_slice(), 2),
                "{text}"
            );
            assert_eq!(expires.unwrap().to_string(), "2027-03-31");
            assert_eq!(rows[0].note.as_deref(), Some(note));
        }
        let few = rows("token,token_name,Subdomain,TENANT\nvalue-1,t,acme,Acme\n").unwrap();
        assert!(few[0].profile.is_none() && few[0].expires.is_none());
    }

    #[test]
    fn what_is_wrong_is_named_by_line_and_column() {
        let bad = format!(
            "{HEAD}acme,acme,,a,value-1,,31/03/2027,,\n,acme,,b,changeme,,,,\nacme,acme,,c,value-3,,,=HYPERLINK(1),\nacme\n"
        );
        assert_eq!(
            faults(&bad),
            [
                "line 2, column expires: is no date; allowed: a date such as 2027-03-31, or a moment such as \
                 2027-03-31T18:00:00Z: the year first, with four digits, then the month and the day, with hyphens between \
                 them",
                "line 3, column tenant: is empty; allowed: a value",
                "line 3, column token: is a placeholder, not a value; allowed: the value that Syncro has shown",
                "line 4, column contact: begins as a formula of a spreadsheet does; allowed: none of `=`, `+`, `-`, `@` at the \
                 beginning",
                "line 5: 1 columns, and the first line names 9; allowed: as many as there are names",
            ]
        );
        assert_eq!(
            faults("tenant,subdomian,token_name,token,token\nacme,acme,t,v,v\n"),
            [
                "line 1: `subdomian` is no column; allowed: did you mean `subdomain`?",
                "line 1, column token: is named twice; allowed: each once",
                "line 1, column subdomain: is missing; allowed: in the first line, the names of the columns",
            ]
        );
        assert_eq!(faults(HEAD), ["line 1: no row follows the names of the columns; allowed: a row for each token"]);
        assert!(faults("").len() >= REQUIRED);
    }

    #[test]
    fn a_value_that_nobody_filled_in_is_no_value() {
        for text in
            ["<token>", "${TOKEN}", "{{token}}", "TODO", "xxxxxxxx", "********", "Your-Token", "$TOKEN", "[token]"]
        {
            assert!(is_placeholder(text), "{text}");
        }
        for text in ["T0123456789abcdef", "value-of-acme", "token-of-acme", "none-of-these"] {
            assert!(!is_placeholder(text), "{text}");
        }
    }

    #[test]
    fn a_token_value_stands_in_no_other_column() {
        let twice =
            format!("{HEAD}acme,acme,,t,value-of-acme,,,,the value is value-of-acme!\nacme,acme,,u,acme,,,,acme\n");
        assert_eq!(
            faults(&twice),
            ["line 2, column note: has the value of the token in it; allowed: no token value"],
            "but a short one may be a word"
        );
    }

    #[test]
    fn no_row_prints_its_token_value() {
        let rows = rows(&format!("{HEAD}acme,acme,,t,value-1,,,,\n")).unwrap();
        assert!(!format!("{rows:?}").contains("value-1"));
        let head_is_missing = faults("acme,acme,UTC,t,T0123456789abcdef0123456789,,,,\n");
        assert!(!head_is_missing.concat().contains("0123456789"), "{head_is_missing:?}");
    }
}
