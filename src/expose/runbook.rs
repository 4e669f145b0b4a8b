//! What to do when an alert fires: the README's section about it, so that a link in an alert works wherever the daemon
//! is reached.

/// The README that this program was built with.
const README: &str = include_str!("../../README.md");

/// The section of an alert.
pub(super) fn section(alert: &str) -> Option<&'static str> {
    if alert.is_empty() || !alert.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return None;
    }
    let heading = format!("\n### {alert}\n");
    let section = &README[README.find(&heading)? + "\n### ".len()..];
    let end = section.find("\n#").unwrap_or(section.len());
    Some(section[..end].trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::Alert;

    #[test]
    fn every_alert_has_a_section_of_its_own() {
        for (alert, _) in Alert::ALL {
            let section = section(alert.as_str()).unwrap_or_default();
            assert!(section.starts_with(&format!("{}\n", alert.as_str())), "{}", alert.as_str());
            assert!(section.lines().count() > 1 && !section.contains("###"), "{section}");
        }
        assert!(section("TestAlert").is_some());
        for none in ["", "Nothing", "../README", "1. The token in Syncro"] {
            assert_eq!(section(none), None, "{none}");
        }
    }
}
