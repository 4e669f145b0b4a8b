//! The runbook of an alert: the section about it in `docs/alerts.md`, so that the link in an alert works wherever the
//! daemon can be reached. Pure.

/// The document about alerts that this program was built with.
const ALERTS: &str = include_str!("../../docs/alerts.md");

/// The section about an alert, or `None` if there is no such alert.
pub(super) fn section(alert: &str) -> Option<&'static str> {
    if alert.is_empty() || !alert.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return None;
    }
    let heading = format!("\n### {alert}\n");
    let section = &ALERTS[ALERTS.find(&heading)? + "\n### ".len()..];
    let end = section.find("\n#").unwrap_or(section.len());
    Some(section[..end].trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::Alert;

    #[test]
    fn every_alert_has_a_runbook_of_its_own() {
        for (alert, _) in Alert::ALL {
            let section = section(alert.as_str()).unwrap_or_default();
            assert!(section.starts_with(&format!("{}\n", alert.as_str())), "{}", alert.as_str());
            assert!(section.lines().count() > 1 && !section.contains("###"), "{section}");
        }
        assert!(section("TestAlert").is_some());
        for none in ["", "Nothing", "../README", "Tests", "A token does not work"] {
            assert_eq!(section(none), None, "{none}");
        }
    }
}
