//! The queue between whoever logs and what the lines are written to. A thread of its own writes them, so that a reader
//! that has stopped reading (a blocked log driver, a paused terminal, a journal that stalls) delays nothing else.
//!
//! It is not `tracing-appender`, which does not count lines that could not be written, whose limit is a number of lines
//! of any length, and which prints to standard output at the end where the reader is stuck.

use std::cell::Cell;
use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use prometheus::IntCounter;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};
use tracing_subscriber::fmt::MakeWriter;

use super::output::write_all;

/// The most bytes that wait: some 20,000 lines. What comes beyond is dropped and counted.
const MOST_BYTES: usize = 4 * 1024 * 1024;
/// The bytes that a line takes besides its text.
const OVERHEAD: usize = size_of::<Line>();
/// While lines are dropped all the time, their number is reported once for so many lines that are written.
const LINES_BETWEEN_REPORTS: u64 = 10_000;
/// How long the end of the program waits for the next line to be written. A reader that works takes a line in far less, but the
/// journal of a machine whose disk is busy does not, and the last line may be the only one that says why the program ends.
const FLUSH_PATIENCE: Duration = Duration::from_secs(3);
/// How long the end of the program waits altogether, for a reader that takes a line now and then.
const LONGEST_FLUSH: Duration = Duration::from_secs(4);
/// How long a caller that has to know waits until its line is written; the writer needs a thousandth of it.
const WRITE_PATIENCE: Duration = Duration::from_millis(500);
/// The stack of the writer, in bytes. It needs little; the usual stack is 2 MiB.
const STACK: usize = 128 * 1024;

/// One line on its way to the sink.
#[derive(Debug)]
pub(super) struct Line {
    /// The bytes that are written.
    pub(super) bytes: Vec<u8>,
    /// The same line for standard error, where `bytes` can be written only to the journal.
    pub(super) plain: Vec<u8>,
    /// How many dropped lines it reports; 0 for a line that somebody logged.
    reports: u64,
}

impl Line {
    pub(super) fn new(bytes: Vec<u8>, plain: Vec<u8>) -> Self {
        Self { bytes, plain, reports: 0 }
    }

    fn size(&self) -> usize {
        self.bytes.len() + self.plain.len() + OVERHEAD
    }
}

/// What lines are written to in the end. Writing may block.
pub(super) trait Sink: Send + 'static {
    /// Writes one line, or says why it could not be written.
    fn write(&mut self, line: &Line) -> io::Result<()>;
}

/// Standard error, by a descriptor of its own, so that others who write there do not wait for the same lock.
#[derive(Debug)]
pub(super) struct StandardError {
    file: File,
    /// Whether the last line was cut off in its middle.
    is_torn: bool,
}

impl StandardError {
    pub(super) fn open() -> io::Result<Self> {
        let file = File::from(io::stderr().as_fd().try_clone_to_owned()?);
        Ok(Self { file, is_torn: false })
    }

    pub(super) fn write_bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.is_torn {
            write_all(&mut self.file, b"\n").map_err(|cut| cut.error)?;
            self.is_torn = false;
        }
        write_all(&mut self.file, bytes).map_err(|cut| {
            self.is_torn = cut.written > 0;
            cut.error
        })
    }
}

impl Sink for StandardError {
    fn write(&mut self, line: &Line) -> io::Result<()> {
        self.write_bytes(&line.bytes)
    }
}

/// The lines that wait for the writer; cloned for each part of the program that logs.
#[derive(Debug, Clone)]
pub(super) struct Queue(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    waiting: Mutex<Waiting>,
    /// It is signalled whenever `waiting` has changed.
    changed: Condvar,
    dropped: IntCounter,
    /// How many of the lines that were taken have been written or have failed.
    done: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Waiting {
    lines: VecDeque<Line>,
    bytes: usize,
    /// Whether the writer is writing a line.
    is_writing: bool,
    /// The number of lines that have been written or have failed.
    finished: u64,
    /// The number of dropped lines that have not been reported yet.
    unreported: u64,
    /// The number of lines that were taken, the reports aside.
    taken: u64,
    /// How many of them were done when a caller last waited in vain.
    stuck_at: Option<u64>,
}

impl Waiting {
    fn is_done(&self) -> bool {
        self.lines.is_empty() && !self.is_writing
    }
}

thread_local! {
    /// On the writer's own thread: how many dropped lines are reported by the line that it logs now.
    static REPORTS: Cell<Option<u64>> = const { Cell::new(None) };
}

impl Queue {
    /// Starts the writer. `report` logs how many lines were dropped, once writing works again.
    ///
    /// # Errors
    /// When no thread can be started, or the counter cannot be made.
    pub(super) fn start(sink: impl Sink, report: impl Fn(u64) + Send + 'static) -> Result<Self, String> {
        let dropped = IntCounter::new(
            "syncro_monitor_log_lines_dropped_total",
            "Log lines that were dropped because nothing read them, or because they could not be written.",
        )
        .map_err(|error| error.to_string())?;
        let (done, _) = watch::channel(0);
        let shared = Shared { waiting: Mutex::default(), changed: Condvar::new(), dropped, done };
        let queue = Self(Arc::new(shared));
        let writer = queue.clone();
        std::thread::Builder::new()
            .name("log".to_owned())
            .stack_size(STACK)
            .spawn(move || writer.work(sink, report))
            .map_err(|error| error.to_string())?;
        Ok(queue)
    }

    /// The counter of the lines that were dropped.
    pub(super) fn dropped(&self) -> IntCounter {
        self.0.dropped.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues a line, or drops it where too much waits already. It never waits for a reader.
    pub(super) fn put(&self, mut line: Line) {
        let mut waiting = self.lock();
        if let Some(reports) = REPORTS.get() {
            // What the writer itself logs comes where the lines are missing, and always fits: it is one line at a time.
            line.reports = reports;
            waiting.bytes += line.size();
            waiting.lines.push_front(line);
        } else if waiting.bytes + line.size() > MOST_BYTES {
            waiting.unreported += 1;
            self.0.dropped.inc();
        } else {
            waiting.bytes += line.size();
            waiting.taken += 1;
            waiting.lines.push_back(line);
            self.0.changed.notify_all();
        }
    }

    fn next(&self) -> Line {
        let mut waiting = self.lock();
        loop {
            if let Some(line) = waiting.lines.pop_front() {
                waiting.bytes -= line.size();
                waiting.is_writing = true;
                return line;
            }
            waiting = self.0.changed.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn work(&self, mut sink: impl Sink, report: impl Fn(u64)) {
        let mut since_report = 0;
        loop {
            let line = self.next();
            let is_written = sink.write(&line).is_ok();
            since_report += 1;
            if line.reports == 0 {
                self.0.done.send_modify(|done| *done += 1);
            }
            let mut unreported = 0;
            {
                let mut waiting = self.lock();
                if !is_written {
                    // A lost report is no loss of its own; what it reported is to be reported again.
                    waiting.unreported += if line.reports > 0 { line.reports } else { 1 };
                    self.0.dropped.inc_by(u64::from(line.reports == 0));
                }
                // What was queued before the loss has been written once nothing is left; if there is always more, at
                // some time.
                let is_time = waiting.lines.is_empty() || since_report >= LINES_BETWEEN_REPORTS;
                if is_written && is_time {
                    unreported = std::mem::take(&mut waiting.unreported);
                }
                if unreported == 0 {
                    self.finish(&mut waiting);
                }
            }
            if unreported > 0 {
                since_report = 0;
                REPORTS.set(Some(unreported));
                report(unreported);
                REPORTS.set(None);
                self.finish(&mut self.lock());
            }
        }
    }

    fn finish(&self, waiting: &mut Waiting) {
        waiting.is_writing = false;
        waiting.finished += 1;
        self.0.changed.notify_all();
    }

    /// Waits up to half a second until what has been logged up to now is written; it does not wait again while the
    /// reader is stuck. Cancel-safe.
    pub(super) async fn written(&self) {
        let (taken, mut done) = {
            let waiting = self.lock();
            let done = self.0.done.subscribe();
            if waiting.stuck_at.is_some_and(|stuck_at| stuck_at == *done.borrow()) {
                return;
            }
            (waiting.taken, done)
        };
        let written = timeout(WRITE_PATIENCE, done.wait_for(|done| *done >= taken)).await.is_ok();
        let stuck_at = (!written).then(|| *self.0.done.borrow());
        self.lock().stuck_at = stuck_at;
    }

    /// Waits until everything has been written, unless the reader is stuck. Returns whether it has been written.
    pub(super) fn flush(&self) -> bool {
        let begin = Instant::now();
        let mut waiting = self.lock();
        while !waiting.is_done() {
            let before = waiting.finished;
            let stalls = |waiting: &mut Waiting| waiting.finished == before && !waiting.is_done();
            let (after, waited) = self
                .0
                .changed
                .wait_timeout_while(waiting, FLUSH_PATIENCE, stalls)
                .unwrap_or_else(PoisonError::into_inner);
            waiting = after;
            if waited.timed_out() || begin.elapsed() > LONGEST_FLUSH {
                return false;
            }
        }
        true
    }
}

impl Write for &Queue {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.put(Line::new(bytes.to_vec(), Vec::new()));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The layer writes a whole line by one call, which becomes one line of the queue.
impl<'a> MakeWriter<'a> for Queue {
    type Writer = &'a Self;

    fn make_writer(&'a self) -> &'a Self {
        self
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

    use futures_util::FutureExt;
    use tracing_subscriber::prelude::*;

    use super::*;

    /// A sink that takes a line only when the test permits it, and then may fail.
    struct Reader {
        permits: Receiver<io::Result<()>>,
        seen: SyncSender<String>,
    }

    impl Sink for Reader {
        fn write(&mut self, line: &Line) -> io::Result<()> {
            self.permits.recv().unwrap_or(Ok(()))?;
            self.seen.send(String::from_utf8_lossy(&line.bytes).into_owned()).map_err(io::Error::other)
        }
    }

    fn stuck() -> (Queue, SyncSender<io::Result<()>>, Receiver<String>) {
        let (permit, permits) = sync_channel(1024);
        let (seen, lines) = sync_channel(1024);
        let (own, queue) = (Arc::new(Mutex::new(None::<Queue>)), Reader { permits, seen });
        let logger = Arc::clone(&own);
        let report = move |count| {
            let queue = logger.lock().unwrap().clone().unwrap();
            (&queue).write_all(format!("{count} dropped").as_bytes()).unwrap();
        };
        let queue = Queue::start(queue, report).unwrap();
        *own.lock().unwrap() = Some(queue.clone());
        (queue, permit, lines)
    }

    fn put(queue: &Queue, text: &str) {
        queue.put(Line::new(text.as_bytes().to_vec(), Vec::new()));
    }

    #[test]
    fn a_stuck_reader_delays_nobody_and_memory_is_bounded() {
        let (queue, permit, lines) = stuck();
        let long = "x".repeat(MOST_BYTES / 10);
        for _ in 0..100 {
            put(&queue, &long);
        }
        assert!(queue.lock().bytes <= MOST_BYTES);
        let dropped = queue.dropped().get();
        assert!((89..=91).contains(&dropped), "{dropped}");
        assert!(!queue.flush(), "the end waits a moment, and then no longer");
        for _ in 0..=100 - dropped {
            permit.send(Ok(())).unwrap();
        }
        assert!(queue.flush());
        let seen: Vec<_> = lines.try_iter().collect();
        let (report, written) = seen.split_last().unwrap();
        assert!(written.iter().all(|line| *line == long) && written.len() as u64 == 100 - dropped);
        assert_eq!(*report, format!("{dropped} dropped"), "reported once, after what was queued before the loss");
    }

    #[test]
    fn what_cannot_be_written_is_counted_and_reported_once_it_can() {
        let (queue, permit, lines) = stuck();
        for _ in 0..3 {
            permit.send(Err(io::ErrorKind::StorageFull.into())).unwrap();
            put(&queue, "lost");
            assert!(queue.flush(), "a line that failed is not tried again");
        }
        assert_eq!((queue.dropped().get(), lines.try_iter().count()), (3, 0));
        permit.send(Ok(())).unwrap();
        // The report is lost too, which must not lose the number in it.
        permit.send(Err(io::ErrorKind::StorageFull.into())).unwrap();
        put(&queue, "first");
        assert!(queue.flush());
        assert_eq!(queue.dropped().get(), 3, "a report is no line that anybody logged");
        permit.send(Ok(())).unwrap();
        permit.send(Ok(())).unwrap();
        put(&queue, "second");
        assert!(queue.flush());
        assert_eq!(lines.try_iter().collect::<Vec<_>>(), ["first", "second", "3 dropped"]);
    }

    #[tokio::test]
    async fn a_caller_waits_until_its_line_is_written_and_for_a_stuck_reader_once() {
        let (queue, permit, lines) = stuck();
        put(&queue, "first");
        permit.send(Ok(())).unwrap();
        queue.written().await;
        assert_eq!(lines.try_iter().collect::<Vec<_>>(), ["first"]);
        put(&queue, "second");
        queue.written().await;
        assert_eq!(queue.lock().stuck_at, Some(1));
        put(&queue, "third");
        assert!(queue.written().now_or_never().is_some(), "the reader is already found to be stuck");
        permit.send(Ok(())).unwrap();
        permit.send(Ok(())).unwrap();
        assert!(queue.flush());
        put(&queue, "fourth");
        permit.send(Ok(())).unwrap();
        queue.written().await;
        assert_eq!(queue.lock().stuck_at, None);
        assert_eq!(lines.try_iter().collect::<Vec<_>>(), ["second", "third", "fourth"]);
    }

    #[test]
    fn a_subscriber_writes_whole_lines_in_order() {
        let (queue, permit, lines) = stuck();
        drop(permit);
        let layer = tracing_subscriber::fmt::layer().with_writer(queue.clone()).without_time().with_target(false);
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer.with_ansi(false)), || {
            tracing::info!(tokens = 2, "first");
            tracing::warn!("second");
        });
        assert!(queue.flush());
        assert_eq!(lines.try_iter().collect::<Vec<_>>(), [" INFO first tokens=2\n", " WARN second\n"]);
    }
}
