//! A report as CSV: a row for each token.

use std::collections::BTreeSet;

use chrono::{DateTime, SecondsFormat, Utc};
use csv::WriterBuilder;

use crate::belief::PermissionState;
use crate::state::{PermissionView, Snapshot, TokenSnapshot};

use super::chapters::{Chapter, Report};
use super::query::Selection;
use super::totals::mean_time_to_fix;

/// How many columns there are.
const COLUMNS: usize = 27;
/// The columns.
const HEAD: [&str; COLUMNS] = [
    "period_since",
    "period_until",
    "tenant",
    "subdomain",
    "token_name",
    "profile",
    "health",
    "state",
    "since",
    "watched_since",
    "last_verdict",
    "user_id",
    "user",
    "security_group",
    "global_admin",
    "contact",
    "fingerprint",
    "value_since",
    "expires",
    "auto_rotated",
    "missing",
    "permissions",
    "incidents",
    "lasting",
    "mean_time_to_fix_seconds",
    "failed",
    "changes",
];

/// The rows, the head before the first of them.
pub(in super::super) fn csv(report: Report) -> impl Iterator<Item = Result<String, String>> + Send {
    let chapters = report.chapters();
    let Report { snapshot, selection, .. } = report;
    let row = move |chapter: Result<Chapter, String>| {
        let chapter = chapter?;
        line(&row(&snapshot, &snapshot.tokens[chapter.index], &chapter, &selection))
    };
    std::iter::once_with(|| line(&HEAD.map(str::to_owned))).chain(chapters.map(row))
}

fn row(snapshot: &Snapshot, entry: &TokenSnapshot, chapter: &Chapter, selection: &Selection) -> [String; COLUMNS] {
    let (TokenSnapshot { token, status, .. }, now) = (entry, selection.until);
    let (user, moment) = (status.user.as_ref(), |at: Option<DateTime<Utc>>| at.map(in_seconds).unwrap_or_default());
    let text = |text: Option<&str>| text.map(plain).unwrap_or_default();
    let permissions: Vec<_> = PermissionView::of(token, status, snapshot.probes, now).collect();
    let missing = permissions.iter().filter(|view| view.state == PermissionState::Missing);
    let said = permissions.iter().map(|view| {
        let evidence = view.evidence_text();
        let evidence = if evidence.is_empty() { evidence } else { format!(" ({evidence})") };
        format!("{}: {}{evidence}", view.permission.name(), view.state.as_str())
    });
    let lasting = chapter.incidents.iter().filter(|incident| incident.until.is_none()).count();
    let mean = mean_time_to_fix(&chapter.incidents).map(|mean| mean.num_seconds().to_string());
    let failed = chapter.incidents.iter().flat_map(|incident| &incident.what);
    let failed = failed.map(String::as_str).collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>();
    let global_admin = user.and_then(|user| user.admin.granted);
    [
        in_seconds(selection.since),
        in_seconds(now),
        plain(&token.tenant.name),
        text(token.tenant.subdomain.as_deref()),
        plain(&token.name),
        text(token.profile_name()),
        entry.health(now).as_str().to_owned(),
        status.state.as_str().to_owned(),
        moment(status.since),
        moment(status.known_since),
        moment(status.validity.last_success),
        user.map(|user| user.id.to_string()).unwrap_or_default(),
        text(user.and_then(|user| user.name.as_deref())),
        text(status.security_group()),
        global_admin.map(|granted| granted.to_string()).unwrap_or_default(),
        text(token.contact.as_deref()),
        status.fingerprint.as_ref().map(ToString::to_string).unwrap_or_default(),
        moment(entry.value_seen_since()),
        moment(token.expires),
        token.auto_rotated.to_string(),
        plain(&missing.map(|view| view.permission.name()).collect::<Vec<_>>().join(" | ")),
        plain(&said.collect::<Vec<_>>().join(" | ")),
        chapter.incidents.len().to_string(),
        lasting.to_string(),
        mean.unwrap_or_default(),
        plain(&failed.join(" | ")),
        chapter.changes.len().to_string(),
    ]
}

fn in_seconds(moment: DateTime<Utc>) -> String {
    moment.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// A text that no spreadsheet takes for a formula: names come from Syncro and from other people.
fn plain(text: &str) -> String {
    let is_formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    if is_formula { format!("'{text}") } else { text.to_owned() }
}

fn line(cells: &[String; COLUMNS]) -> Result<String, String> {
    let mut writer = WriterBuilder::new().from_writer(Vec::new());
    writer.write_record(cells).map_err(|error| error.to_string())?;
    let bytes = writer.into_inner().map_err(|error| error.to_string())?;
    String::from_utf8(bytes).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::super::state::History;
    use super::*;
    use crate::belief::{TokenState, TokenStatus};
    use crate::testing::{at, token, token_snapshot};

    #[test]
    fn a_row_has_a_cell_for_each_column_and_no_cell_is_a_formula() {
        let mut token = token("jumpcloud", &["Tickets - Edit"]);
        token.contact = Some("=HYPERLINK(\"http://example.invalid\"), Pat".to_owned());
        let status = TokenStatus { state: TokenState::Valid, since: Some(at(0)), ..TokenStatus::default() };
        let tokens = [token_snapshot(token, status)].into_iter().collect();
        let report = Report {
            snapshot: Arc::new(Snapshot { tokens, ..Snapshot::default() }),
            selection: Selection::new(None, None, at(9)).unwrap(),
            history: History::new(
                |queries| Ok(vec![Vec::new(); queries.len()]),
                |_| Err(String::new()),
                || Err(String::new()),
            ),
        };
        let lines: Vec<_> = csv(report).map(Result::unwrap).collect();
        assert!(
            lines[0].starts_with("period_since,period_until,tenant,subdomain,token_name,profile,health,state,"),
            "{}",
            lines[0]
        );
        let mut reader = csv::Reader::from_reader(std::io::Cursor::new(lines.concat()));
        let row: std::collections::HashMap<String, String> = reader.deserialize().next().unwrap().unwrap();
        assert_eq!((row["state"].as_str(), row["since"].as_str()), ("valid", "2027-01-15T08:00:00Z"));
        assert_eq!(row["contact"], "'=HYPERLINK(\"http://example.invalid\"), Pat");
        assert!(row["permissions"].starts_with("Tickets - Edit: unverified ("), "{}", row["permissions"]);
        assert_eq!((row["mean_time_to_fix_seconds"].as_str(), row["incidents"].as_str()), ("", "0"));
    }
}
