//! Log lines as JSON: one flat object a line, with the fields in the order in which they were logged, and lists as lists.
//!
//! It is not the formatter of `tracing-subscriber`, which writes whatever is no number or text as a text.

use std::fmt::{self, Debug, Write};

use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// The fields whose values are a [`LogList`].
const LISTS: [&str; 6] = ["token_names", "permissions", "rights", "profiles", "affected", "steps"];

/// A list of names in a log line: a list in JSON, and elsewhere a text with commas.
#[derive(Clone, Copy)]
pub(crate) struct LogList<'a>(pub(crate) &'a [String]);

impl Debug for LogList<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if formatter.alternate() {
            formatter.write_str(&serde_json::to_string(self.0).map_err(|_| fmt::Error)?)
        } else {
            formatter.write_str(&self.0.join(", "))
        }
    }
}

/// Formats lines as JSON, with timestamps by a clock.
#[derive(Debug)]
pub(super) struct JsonLines<T>(pub(super) T);

impl<S, N, T> FormatEvent<S, N> for JsonLines<T>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    T: FormatTime,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        writer.write_str("{\"timestamp\":\"")?;
        self.0.format_time(&mut writer)?;
        write!(writer, "\",\"level\":\"{}\"", event.metadata().level())?;
        let mut line = Line { text: String::new() };
        event.record(&mut line);
        writer.write_str(&line.text)?;
        writer.write_str("}\n")
    }
}

/// The fields of a line, each with a comma before it.
struct Line {
    text: String,
}

impl Line {
    /// Adds a field whose value is JSON already.
    fn raw(&mut self, field: &Field, json: &str) {
        // Lines of the crate `log` bring fields of their own, which nobody asked for.
        if !field.name().starts_with("log.") {
            // Writing to a string cannot fail.
            write!(self.text, ",\"{}\":{json}", field.name().trim_start_matches("r#")).unwrap_or_default();
        }
    }
}

impl Visit for Line {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.raw(field, &serde_json::Value::from(value).to_string());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.raw(field, &value.to_string());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.raw(field, &value.to_string());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.raw(field, &serde_json::Value::from(value).to_string());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.raw(field, if value { "true" } else { "false" });
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if LISTS.contains(&field.name()) {
            self.raw(field, &format!("{value:#?}"));
        } else {
            self.record_str(field, &format!("{value:?}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use tracing_subscriber::fmt::MakeWriter;
    use tracing_subscriber::prelude::*;

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl<'a> MakeWriter<'a> for Lines {
        type Writer = Self;

        fn make_writer(&'a self) -> Self {
            self.clone()
        }
    }

    #[test]
    fn a_json_line_has_its_fields_in_order_and_lists_as_lists() {
        let lines = Lines::default();
        let layer = tracing_subscriber::fmt::layer().with_writer(lines.clone()).event_format(JsonLines(()));
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
            let names = ["a \"b\"".to_owned(), "c".to_owned()];
            let (none, names) = (None::<&str>, tracing::field::debug(LogList(&names)));
            tracing::warn!(event = "x", none, permissions = names, count = 3, share = 0.5, on = true, "it {}", "\n");
        });
        let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
        let expected = "{\"timestamp\":\"\",\"level\":\"WARN\",\"message\":\"it \\n\",\"event\":\"x\",\
                        \"permissions\":[\"a \\\"b\\\"\",\"c\"],\"count\":3,\"share\":0.5,\"on\":true}\n";
        assert_eq!(text, expected);
        assert_eq!(format!("{:?}", LogList(&["a".to_owned(), "b".to_owned()])), "a, b");
    }
}
