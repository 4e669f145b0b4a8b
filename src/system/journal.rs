//! The journal by its native protocol: each field of a log line is a field of the entry, `tenant` as `SYNCRO_TENANT`,
//! so that `journalctl SYNCRO_TENANT=acme` finds it, and lines of a kind have a `MESSAGE_ID` that `journalctl -x`
//! explains.
//!
//! It is not `tracing-journald`, which has no `MESSAGE_ID` for single lines and no socket but the system's.

use std::fmt;
use std::io::{self, ErrorKind};
use std::os::linux::fs::MetadataExt;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

use super::log_writer::{Line, Queue, Sink, StandardError};

/// Where journald listens (its manual page).
const SOCKET: &str = "/run/systemd/journal/socket";

/// A function from the fields `event` and `alert` of a line to the `MESSAGE_ID` of its kind, if it has one.
pub(crate) type MessageId = fn(event: &str, alert: &str) -> Option<&'static str>;

/// The journal's socket, to which the writer of log lines writes.
#[derive(Debug)]
pub(super) struct Socket {
    datagrams: UnixDatagram,
    path: PathBuf,
    stderr: StandardError,
}

impl Socket {
    /// The system's journal, if standard error is connected to it: what is written there ends up in the same place.
    pub(super) fn if_connected() -> Option<Self> {
        let stream = std::env::var("JOURNAL_STREAM").ok()?;
        let (device, inode) = stream.split_once(':')?;
        let stderr = std::fs::metadata("/proc/self/fd/2").ok()?;
        let is_journal = device.parse() == Ok(stderr.st_dev()) && inode.parse() == Ok(stderr.st_ino());
        is_journal.then(|| Self::at(Path::new(SOCKET)).ok()).flatten()
    }

    fn at(path: &Path) -> io::Result<Self> {
        let (datagrams, stderr) = (UnixDatagram::unbound()?, StandardError::open()?);
        // The journal discards an empty entry; that it can be sent is what matters. A journal that is full is a journal
        // too.
        datagrams.set_nonblocking(true)?;
        match datagrams.send_to(b"", path) {
            Err(error) if error.kind() != ErrorKind::WouldBlock => return Err(error),
            _ => {}
        }
        // Only the writer's own thread waits for room from here on.
        datagrams.set_nonblocking(false)?;
        Ok(Self { datagrams, path: path.to_owned(), stderr })
    }
}

impl Sink for Socket {
    fn write(&mut self, line: &Line) -> io::Result<()> {
        // journald may be restarting; what is written to standard error waits for it.
        self.datagrams.send_to(&line.bytes, &self.path).map(drop).or_else(|_| self.stderr.write_bytes(&line.plain))
    }
}

/// The layer that makes a journal entry of every log line.
#[derive(Debug)]
pub(crate) struct Journal {
    queue: Queue,
    message_id: MessageId,
}

impl Journal {
    /// A layer whose entries are written from `queue`.
    pub(super) fn new(queue: Queue, message_id: MessageId) -> Self {
        Self { queue, message_id }
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
        let plain = format!("<{priority}>{}\n", entry.message).into_bytes();
        self.queue.put(Line::new(entry.bytes, plain));
    }
}

/// One entry in the making (systemd.io/JOURNAL_NATIVE_PROTOCOL).
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
        let queue = Queue::start(Socket::at(&path).unwrap(), |_| {}).unwrap();
        let journal =
            Journal::new(queue, |event, alert| (event == "alert" && alert == "TokenExpired").then_some("0123"));
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

    #[test]
    fn a_journal_that_takes_nothing_delays_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let journald = UnixDatagram::bind(&path).unwrap();
        // Somebody else has filled it, before the start too.
        let other = UnixDatagram::unbound().unwrap();
        other.set_nonblocking(true).unwrap();
        while other.send_to(b"x", &path).is_ok() {}
        let queue = Queue::start(Socket::at(&path).unwrap(), |_| {}).unwrap();
        let subscriber = tracing_subscriber::registry().with(Journal::new(queue.clone(), |_, _| None));
        let text = "x".repeat(10_000);
        tracing::subscriber::with_default(subscriber, || {
            for _ in 0..1000 {
                tracing::info!("{text}");
            }
        });
        assert!(queue.dropped().get() > 0 && !queue.flush());
        std::thread::spawn(move || {
            let mut bytes = vec![0; 20_000];
            while journald.recv(&mut bytes).is_ok() {}
        });
        assert!(queue.flush(), "what was queued is written once it is read");
    }
}
