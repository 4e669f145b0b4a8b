//! The runbook of an alert: what it means, numbered steps, and the alerts of that kind that are active now. Pure.

use askama::Template;
use pulldown_cmark::{Event, Parser, Tag, TagEnd, html};

use crate::state::Snapshot;

use super::Frame;
use super::alerts::{Group, groups};

/// How many alerts are on the page.
const MOST_ALERTS: usize = 40;

#[derive(Template)]
#[template(path = "runbook.html")]
struct Page<'a> {
    frame: Frame<'a>,
    alert: &'a str,
    /// The text as HTML, which only the document of this program makes.
    text: String,
    alerts: Vec<Group>,
    more_alerts: usize,
}

/// Writes the page of a section of the document about alerts, whose first line is the name of the alert.
pub(in super::super) fn runbook(frame: Frame<'_>, snapshot: &Snapshot, section: &str) -> askama::Result<String> {
    let (alert, text) = section.split_once('\n').unwrap_or((section, ""));
    let active = snapshot.firing().filter(|firing| firing.alert.as_str() == alert);
    let (alerts, more_alerts) = groups(frame, active, MOST_ALERTS);
    Page { frame, alert, text: written(text), alerts, more_alerts }.render()
}

/// Markdown as HTML. A link that leads to another document is only text: the daemon does not serve it.
fn written(markdown: &str) -> String {
    let mut is_served = Vec::new();
    let events = Parser::new(markdown).filter(|event| match event {
        Event::Start(Tag::Link { dest_url, .. }) => {
            let served = dest_url.starts_with("https://");
            is_served.push(served);
            served
        }
        Event::End(TagEnd::Link) => is_served.pop().unwrap_or_default(),
        _ => true,
    });
    let mut text = String::new();
    html::push_html(&mut text, events);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_numbered_and_only_links_that_lead_somewhere_are_links() {
        let text = written("It is *so*.\n\n1. Open [it](https://example.com/a?b&c).\n2. See [there](metrics.md#x).\n");
        let expected = "<p>It is <em>so</em>.</p>\n<ol>\n<li>Open <a href=\"https://example.com/a?b&amp;c\">it</a>.</li>\n\
                        <li>See there.</li>\n</ol>\n";
        assert_eq!(text, expected);
    }
}
