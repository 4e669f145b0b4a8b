//! The journal in its native protocol: each field of a log line is a field of the entry, `tenant` as `SYNCRO_TENANT`, so that
//! `journalctl SYNCRO_TENANT=acme` finds it, and lines of a kind have a `MESSAGE_ID` that `journalctl -x` explains.
//!
//! Not `tracing-journald`, which knows no `MESSAGE_ID` for single lines and no socket but the system's.

use std::fmt;
use std::os::linux::fs::MetadataExt;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

/// Where journald listens (its manual page).
const SOCKET: &str = "/run/systemd/journal/socket";

/// The identity of a line of a kind, from its fields `event` and `alert`.
pub type MessageId = fn(event: &str, alert: &str) -> Option<&'static str>;

/// Writes every line to the journal.
#[derive(Debug)]
pub struct Journal {
    socket: UnixDatagram,
    path: PathBuf,
    message_id: MessageId,
}

impl Journal {
    /// The system's journal, if standard error is connected to it: what is written there ends up in the same place.
    pub fn if_connected(message_id: MessageId) -> Option<Self> {
        let stream = std::env::var("JOURNAL_STREAM").ok()?;
        let (device, inode) = stream.split_once(':')?;
        let stderr = std::fs::metadata("/proc/self/fd/2").ok()?;
        let is_it = device.parse() == Ok(stderr.st_dev()) && inode.parse() == Ok(stderr.st_ino());
        is_it.then(|| Self::at(Path::new(SOCKET), message_id).ok()).flatten()
    }

    fn at(path: &Path, message_id: MessageId) -> std::io::Result<Self> {
        let journal = Self { socket: UnixDatagram::unbound()?, path: path.to_owned(), message_id };
        // An empty entry is thrown away; that it can be sent is what matters.
        journal.socket.send_to(b"", path)?;
        Ok(journal)
    }
}

impl<S: Subscriber> Layer<S> for Journal {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut entry = Entry::default();
        let priority = match *event.metadata().level() {
            Level::ERROR => "3",
            Level::WARN => "4",
            Level::INFO => "6",
            Level::DEBUG | Level::TRACE => "7",
        };
        entry.put("PRIORITY", priority);
        entry.put("SYSLOG_IDENTIFIER", env!("CARGO_PKG_NAME"));
        entry.put("TARGET", event.metadata().target());
        event.record(&mut entry);
        if let Some(id) = (self.message_id)(&entry.event, &entry.alert) {
            entry.put("MESSAGE_ID", id);
        }
        if self.socket.send_to(&entry.bytes, &self.path).is_err() {
            // journald may be restarting; what is written to standard error waits for it.
            let (priority, message) = (priority, &entry.message);
            std::io::Write::write_all(&mut std::io::stderr(), format!("<{priority}>{message}\n").as_bytes()).ok();
        }
    }
}

/// One entry on its way (systemd.io/JOURNAL_NATIVE_PROTOCOL).
#[derive(Default)]
struct Entry {
    bytes: Vec<u8>,
    message: String,
    event: String,
    alert: String,
}

impl Entry {
    fn put(&mut self, name: &str, value: &str) {
        self.bytes.extend_from_slice(name.as_bytes());
        // The long form, which takes any value.
        self.bytes.push(b'\n');
        self.bytes.extend_from_slice(&(value.len() as u64).to_le_bytes());
        self.bytes.extend_from_slice(value.as_bytes());
        self.bytes.push(b'\n');
    }

    fn field(&mut self, name: &str, value: &str) {
        match name {
            "message" => {
                value.clone_into(&mut self.message);
                return self.put("MESSAGE", value);
            }
            "event" => value.clone_into(&mut self.event),
            "alert" => value.clone_into(&mut self.alert),
            _ => {}
        }
        let name: String =
            name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' }).collect();
        self.put(&format!("SYNCRO_{name}"), value);
    }
}

impl Visit for Entry {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.field(field.name(), value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.field(field.name(), &format!("{value:?}"));
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use tracing_subscriber::prelude::*;

    use super::*;

    /// Reads an entry as journald does.
    fn fields(mut bytes: &[u8]) -> BTreeMap<String, String> {
        let mut fields = BTreeMap::new();
        while let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
            let name = String::from_utf8(bytes[..end].to_vec()).unwrap();
            let (length, rest) = bytes[end + 1..].split_at(8);
            let length = u64::from_le_bytes(length.try_into().unwrap()) as usize;
            fields.insert(name, String::from_utf8(rest[..length].to_vec()).unwrap());
            assert_eq!(rest[length], b'\n');
            bytes = &rest[length + 1..];
        }
        fields
    }

    #[test]
    fn each_field_of_a_line_is_one_of_the_entry_and_an_alert_has_its_identity() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let journald = UnixDatagram::bind(&path).unwrap();
        let journal =
            Journal::at(&path, |event, alert| (event == "alert" && alert == "TokenExpired").then_some("0123")).unwrap();
        let mut bytes = [0; 4096];
        assert_eq!(journald.recv(&mut bytes).unwrap(), 0);
        let subscriber = tracing_subscriber::registry().with(journal);
        tracing::subscriber::with_default(subscriber, || {
            let none: Option<&str> = None;
            tracing::error!(
                event = "alert",
                alert = "TokenExpired",
                tenant = "a\nb=c",
                right = none,
                tokens = 3,
                "it {}",
                "broke"
            );
            tracing::warn!(event = "check", reason = %"timeout", "no");
        });
        let read = journald.recv(&mut bytes).unwrap();
        let entry = fields(&bytes[..read]);
        let expected = [
            ("PRIORITY", "3"),
            ("MESSAGE", "it broke"),
            ("MESSAGE_ID", "0123"),
            ("SYNCRO_EVENT", "alert"),
            ("SYNCRO_ALERT", "TokenExpired"),
            ("SYNCRO_TENANT", "a\nb=c"),
            ("SYNCRO_TOKENS", "3"),
            ("SYSLOG_IDENTIFIER", "syncro-token-monitor"),
        ];
        for (name, value) in expected {
            assert_eq!(entry.get(name).map(String::as_str), Some(value), "{name}: {entry:?}");
        }
        assert!(!entry.contains_key("SYNCRO_RIGHT"));
        let read = journald.recv(&mut bytes).unwrap();
        let entry = fields(&bytes[..read]);
        assert_eq!((entry["PRIORITY"].as_str(), entry["SYNCRO_REASON"].as_str()), ("4", "timeout"));
        assert!(!entry.contains_key("MESSAGE_ID"));
    }
}
