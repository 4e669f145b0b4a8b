//! Lays out rows for people: as an aligned table on a terminal, and as tab-separated lines elsewhere.

use std::io::IsTerminal;

use comfy_table::Table;
use comfy_table::presets::UTF8_FULL_CONDENSED;

/// Lays out rows under a head, by whether standard output is a terminal.
pub(super) fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    lay_out(head, rows, std::io::stdout().is_terminal())
}

fn lay_out(head: &[&str], rows: &[Vec<String>], terminal: bool) -> String {
    if terminal {
        let mut table = Table::new();
        table.load_style(UTF8_FULL_CONDENSED).set_header(head);
        for row in rows {
            table.add_row(row);
        }
        return format!("{table}\n");
    }
    let clean = |cell: &str| cell.replace(['\t', '\n'], " ");
    let line = |cells: Vec<String>| cells.join("\t") + "\n";
    std::iter::once(line(head.iter().map(|cell| clean(cell)).collect()))
        .chain(rows.iter().map(|row| line(row.iter().map(|cell| clean(cell)).collect())))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_piped_has_one_line_for_each_row() {
        let rows = [vec!["a".to_owned(), "b\tc\nd".to_owned()]];
        assert_eq!(lay_out(&["X", "Y"], &rows, false), "X\tY\na\tb c d\n");
        assert!(lay_out(&["X", "Y"], &rows, true).contains('─'));
    }
}
