//! What a receiver of e-mails has of its own: the server, the sender and the recipients. Pure.

use lettre::message::Mailbox;
use toml::Value;
use url::Url;

use crate::config::fault::{Problem, resembles_token, shown};
use crate::config::raw::{Notes, Section};
use crate::config::value;
use crate::model::disturbs;

use super::{Email, Encryption};

/// The most recipients: a list of more people is a mailing list, which has one address.
const MOST_RECIPIENTS: usize = 50;
/// The port at which servers take e-mails from programs (RFC 6409), and the one with TLS from the start (RFC 8314).
const PORTS: [(&str, u16); 2] = [("smtp", 587), ("smtps", 465)];

/// Reads the keys that only an e-mail receiver has; `None` if one is missing or faulty, which is a fault.
pub(super) fn email(section: &mut Section<'_>, notes: &mut Notes<'_>) -> Option<(Url, Email)> {
    let server = section.read("smtp", notes, server);
    let from = section.read("from", notes, mailbox);
    let to = section.read_list("to", "a list of addresses such as [\"ops@example.com\"]", notes, mailbox);
    for key in ["smtp", "from", "to"] {
        if !section.has(key) {
            notes.fault(&section.path(key), Problem::new("missing", "smtp, from and to"));
        }
    }
    let to = to?;
    if !(1..=MOST_RECIPIENTS).contains(&to.len()) {
        let problem = format!("{} recipients", to.len());
        notes.fault(&section.path("to"), Problem::new(problem, format!("1 to {MOST_RECIPIENTS} addresses")));
    }
    let (url, from) = (server?, from?);
    let encryption = match url.scheme() {
        "smtps" => Encryption::FromTheStart,
        _ if is_loopback(&url) => Encryption::IfOffered,
        _ => Encryption::Required,
    };
    Some((url, Email { from, to, encryption }))
}

fn server(value: &Value) -> Result<Url, Problem> {
    let allowed = "smtp://HOST:PORT, which is encrypted by STARTTLS, or smtps://HOST:PORT";
    let mut url = value::url(value, allowed)?;
    let Some((_, port)) = PORTS.iter().find(|(scheme, _)| *scheme == url.scheme()) else {
        return Err(Problem::new(format!("the scheme {} is not supported", shown(url.scheme())), allowed));
    };
    if !matches!(url.path(), "" | "/") {
        return Err(Problem::new("a server has no path", allowed));
    }
    if url.port().is_none() && url.set_port(Some(*port)).is_err() {
        return Err(Problem::new("a URL without a host", allowed));
    }
    url.set_path("");
    Ok(url)
}

/// Whether what is sent there stays on this machine. The host of a scheme that is not of the web is a name to the parser.
fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Reads an address, with or without a name before it.
fn mailbox(value: &Value) -> Result<Mailbox, Problem> {
    let allowed = "an address such as \"ops@example.com\" or \"Ops <ops@example.com>\"";
    let word = value::text(value, allowed)?;
    let is_line = !word.chars().any(disturbs) && word.chars().count() <= 200 && !resembles_token(word);
    let mailbox = word.parse::<Mailbox>().ok().filter(|mailbox| is_line && mailbox.email.to_string().is_ascii());
    mailbox.ok_or_else(|| Problem::new(format!("{} is not an address", shown(word)), allowed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_encrypted_unless_it_is_on_this_machine() {
        let cases = [
            ("smtp://mail.example:25", Some(("smtp://mail.example:25", false))),
            ("smtp://mail.example", Some(("smtp://mail.example:587", false))),
            ("smtps://mail.example/", Some(("smtps://mail.example:465", false))),
            ("smtp://127.0.0.1:25", Some(("smtp://127.0.0.1:25", true))),
            ("smtp://[::1]:25", Some(("smtp://[::1]:25", true))),
            ("smtp://localhost:25", Some(("smtp://localhost:25", true))),
            ("smtp://localhost.example", Some(("smtp://localhost.example:587", false))),
            ("smtp://user:secret@mail.example", None),
            ("smtp://mail.example/path", None),
            ("http://mail.example", None),
            ("mail.example:25", None),
        ];
        for (given, expected) in cases {
            let url = server(&Value::String(given.to_owned())).ok();
            let seen = url.as_ref().map(|url| (url.as_str(), is_loopback(url)));
            assert_eq!(seen, expected, "{given}");
        }
    }

    #[test]
    fn an_address_may_have_a_name_and_no_line_end() {
        let given = |text: &str| mailbox(&Value::String(text.to_owned())).map(|mailbox| mailbox.to_string()).ok();
        assert_eq!(given("ops@example.com").as_deref(), Some("ops@example.com"));
        assert!(given("On Call <ops@example.com>").is_some());
        for bad in ["ops", "ops@", "a@b\r\nBcc: x@y.example", "", "ops@example.com, x@example.com"] {
            assert_eq!(given(bad), None, "{bad}");
        }
    }
}
