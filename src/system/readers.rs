//! The threads on which files are read: few, so that dead disks do not use up the machine, and at most one for each
//! path, so that asking again and again for a file that never answers costs nothing.

use std::collections::{HashMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Condvar, LazyLock, Mutex, MutexGuard, PoisonError, Weak, mpsc};
use std::thread;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::timeout;

use super::read_error::{MachineTrouble, ReadError};

/// The most threads. A service manager allows a few hundred tasks, and other parts of the program need some.
const MOST_THREADS: usize = 64;
/// So many reads may be overdue below one folder of the second level, such as `/mnt/tokens`; the other threads are left
/// for other disks.
const MOST_OVERDUE: usize = 48;
/// So many reads may be overdue in one folder. What lies beside so many dead files is dead too.
const MOST_OVERDUE_IN_FOLDER: usize = 8;
/// So many requests wait for a thread, or for the read of the same file before them. Each has a deadline of its own.
const LONGEST_QUEUE: usize = 1024;
/// So many threads remain when there is nothing to read, so that a machine without room for more threads is no trouble.
const LEAST_THREADS: usize = 2;
/// A thread beyond those ends when nothing came for so long.
const IDLE_LIFETIME: Duration = Duration::from_secs(10);
/// The stack of a thread, in bytes. It calls the operating system and little else.
const STACK: usize = 256 * 1024;

static READERS: LazyLock<Readers> = LazyLock::new(Readers::default);

#[derive(Debug, Default)]
struct Readers {
    state: Mutex<State>,
    work: Condvar,
}

#[derive(Debug, Default)]
struct State {
    threads: usize,
    idle: usize,
    /// The jobs whose path nobody else reads, in the order in which they came.
    ready: VecDeque<Job>,
    /// The paths that are being read, or are about to be.
    flights: HashMap<PathBuf, Flight>,
}

/// The reads of one path: one runs, the others wait for it.
#[derive(Debug, Default)]
struct Flight {
    runs: bool,
    /// Whether a caller has waited in vain for the read that runs.
    overdue: bool,
    waiting: VecDeque<Job>,
}

struct Job {
    path: PathBuf,
    run: Box<dyn FnOnce() + Send>,
    /// It cannot be upgraded when nobody waits for the answer any more.
    wanted: Weak<()>,
}

impl std::fmt::Debug for Job {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Job").field("path", &self.path).finish_non_exhaustive()
    }
}

/// Runs `operation` on a reader's thread and waits for it on this one, for `time` at most.
pub(super) fn run_blocking<T: Send + 'static>(
    path: &Path,
    time: Duration,
    operation: impl FnOnce() -> Result<T, ReadError> + Send + 'static,
) -> Result<T, ReadError> {
    READERS.run(path, time, operation)
}

/// Runs as [`run_blocking`] does, for a task: other tasks go on meanwhile.
pub(super) async fn run<T: Send + 'static>(
    path: &Path,
    time: Duration,
    operation: impl FnOnce() -> Result<T, ReadError> + Send + 'static,
) -> Result<T, ReadError> {
    let (send, answer) = oneshot::channel();
    let reply = move |result| drop(send.send(result));
    let _wanted = READERS.submit(path, operation, reply)?;
    match timeout(time, answer).await {
        Ok(Ok(result)) => result,
        _ => Err(READERS.give_up(path)),
    }
}

impl Readers {
    fn lock(&self) -> MutexGuard<'_, State> {
        // What is guarded is whole between any two statements that can panic: there are none.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run<T: Send + 'static>(
        &'static self,
        path: &Path,
        time: Duration,
        operation: impl FnOnce() -> Result<T, ReadError> + Send + 'static,
    ) -> Result<T, ReadError> {
        if time.is_zero() {
            return Err(ReadError::Machine(MachineTrouble::Deadline));
        }
        let (send, answer) = mpsc::sync_channel(1);
        let reply = move |result| send.send(result).unwrap_or_default();
        let _wanted = self.submit(path, operation, reply)?;
        answer.recv_timeout(time).unwrap_or_else(|_| Err(self.give_up(path)))
    }

    /// Queues one read. The answer is wanted for as long as the returned value lives.
    fn submit<T: Send + 'static>(
        &'static self,
        path: &Path,
        operation: impl FnOnce() -> Result<T, ReadError> + Send + 'static,
        reply: impl FnOnce(Result<T, ReadError>) + Send + 'static,
    ) -> Result<Arc<()>, ReadError> {
        let wanted = Arc::new(());
        let run = Box::new(move || reply(operation()));
        let job = Job { path: path.to_owned(), run, wanted: Arc::downgrade(&wanted) };
        let mut state = self.lock();
        state.queue(job).map_err(ReadError::Machine)?;
        if state.idle < state.ready.len() && state.threads < MOST_THREADS {
            match thread::Builder::new().name("reader".to_owned()).stack_size(STACK).spawn(|| self.work()) {
                Ok(_) => state.threads += 1,
                // The threads that exist already will take the job.
                Err(_) if state.threads > 0 => {}
                Err(error) => {
                    state.discard(path);
                    return Err(ReadError::Machine(MachineTrouble::NoThread(error.to_string())));
                }
            }
        }
        drop(state);
        self.work.notify_one();
        Ok(wanted)
    }

    /// Records that a caller has waited for this path in vain.
    fn give_up(&self, path: &Path) -> ReadError {
        if let Some(flight) = self.lock().flights.get_mut(path) {
            flight.overdue = flight.runs;
        }
        ReadError::Machine(MachineTrouble::Deadline)
    }

    fn work(&self) {
        while let Some(mut job) = self.next() {
            loop {
                if job.wanted.strong_count() > 0 {
                    // A thread that ends here would never be counted as free.
                    catch_unwind(AssertUnwindSafe(job.run)).unwrap_or_default();
                }
                match self.lock().follow(&job.path) {
                    Some(next) => job = next,
                    None => break,
                }
            }
        }
    }

    /// Waits for a job; `None` if this thread is not needed any more.
    fn next(&self) -> Option<Job> {
        let mut state = self.lock();
        loop {
            if let Some(job) = state.ready.pop_front() {
                if let Some(flight) = state.flights.get_mut(&job.path) {
                    flight.runs = true;
                }
                return Some(job);
            }
            state.idle += 1;
            let (guard, waited) = self.work.wait_timeout(state, IDLE_LIFETIME).unwrap_or_else(PoisonError::into_inner);
            state = guard;
            state.idle -= 1;
            if waited.timed_out() && state.ready.is_empty() && state.threads > LEAST_THREADS {
                state.threads -= 1;
                return None;
            }
        }
    }
}

impl State {
    fn queue(&mut self, job: Job) -> Result<(), MachineTrouble> {
        if let Some(flight) = self.flights.get_mut(&job.path) {
            if flight.overdue {
                return Err(MachineTrouble::Unfinished);
            }
            flight.waiting.retain(|job| job.wanted.strong_count() > 0);
            if flight.waiting.len() >= LONGEST_QUEUE {
                return Err(MachineTrouble::Busy);
            }
            flight.waiting.push_back(job);
            return Ok(());
        }
        let overdue = || self.flights.iter().filter(|(_, flight)| flight.overdue).map(|(path, _)| path.as_path());
        let beside = overdue().filter(|path| path.parent() == job.path.parent()).count();
        let below = overdue().filter(|path| upper(path) == upper(&job.path)).count();
        if beside >= MOST_OVERDUE_IN_FOLDER || below >= MOST_OVERDUE || overdue().count() >= MOST_THREADS {
            return Err(MachineTrouble::Unfinished);
        }
        if self.ready.len() >= LONGEST_QUEUE {
            return Err(MachineTrouble::Busy);
        }
        self.flights.insert(job.path.clone(), Flight::default());
        self.ready.push_back(job);
        Ok(())
    }

    /// Takes back the job that was queued last, which no thread can run.
    fn discard(&mut self, path: &Path) {
        self.ready.retain(|job| job.path != path);
        self.flights.remove(path);
    }

    /// The next job with this path after one read of it has ended, if there is one.
    fn follow(&mut self, path: &Path) -> Option<Job> {
        let flight = self.flights.get_mut(path)?;
        flight.overdue = false;
        let next = flight.waiting.pop_front();
        if next.is_none() {
            self.flights.remove(path);
        }
        next
    }
}

/// The folder of the second level that a path is below, as far as its text says: `/mnt/tokens`.
fn upper(path: &Path) -> Vec<Component<'_>> {
    const LEVELS: usize = 3;
    path.components().take(LEVELS).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};

    use super::*;

    /// A read that hangs until the test ends it.
    fn hanging() -> (Sender<()>, impl FnOnce() -> Result<u8, ReadError> + Send + 'static) {
        let (end, wait): (Sender<()>, Receiver<()>) = channel();
        (end, move || {
            wait.recv().ok();
            Ok(1)
        })
    }

    /// A pool of threads of the test's own.
    fn readers() -> &'static Readers {
        Box::leak(Box::default())
    }

    const SHORT: Duration = Duration::from_millis(20);
    const LONG: Duration = Duration::from_secs(20);

    #[test]
    fn a_path_that_hangs_costs_one_thread_however_often_it_is_asked_for() {
        let readers = readers();
        let path = Path::new("/hangs/one/file");
        let (end, operation) = hanging();
        assert_eq!(readers.run(path, SHORT, operation), Err(ReadError::Machine(MachineTrouble::Deadline)));
        for _ in 0..100 {
            let again = readers.run(path, LONG, || Ok(2));
            assert_eq!(again, Err(ReadError::Machine(MachineTrouble::Unfinished)));
        }
        assert_eq!(readers.run(Path::new("/hangs/one/other"), LONG, || Ok(3)), Ok(3), "others are read meanwhile");
        end.send(()).unwrap();
        let mut later = Err(ReadError::Machine(MachineTrouble::Unfinished));
        while later.is_err() {
            later = readers.run(path, LONG, || Ok(4));
        }
        assert_eq!(later, Ok(4), "a file that answers again is read again");
    }

    #[test]
    fn two_reads_of_one_path_are_done_one_after_the_other() {
        let readers = readers();
        let path = Path::new("/shared/by/two");
        let (end, operation) = hanging();
        let first = thread::spawn(move || readers.run(path, LONG, operation));
        while !readers.lock().flights.contains_key(path) {
            thread::yield_now();
        }
        let second = thread::spawn(move || readers.run(path, LONG, || Ok(2)));
        while readers.lock().flights.get(path).is_none_or(|flight| flight.waiting.is_empty()) {
            thread::yield_now();
        }
        end.send(()).unwrap();
        assert_eq!((first.join().unwrap(), second.join().unwrap()), (Ok(1), Ok(2)));
    }

    #[test]
    fn a_dead_folder_leaves_threads_for_the_others() {
        let readers = readers();
        let mut ends = Vec::new();
        for number in 0..3 * MOST_THREADS {
            let path = PathBuf::from(format!("/dead/mount/{number}/token"));
            let (end, operation) = hanging();
            ends.push(end);
            let answer = readers.run(&path, Duration::from_millis(1), operation);
            assert!(answer.is_err_and(|error| matches!(error, ReadError::Machine(_))), "{number}");
        }
        let overdue = readers.lock().flights.values().filter(|flight| flight.overdue).count();
        assert!(overdue <= MOST_OVERDUE, "{overdue}");
        assert_eq!(readers.run(Path::new("/alive/mount/token"), LONG, || Ok(1)), Ok(1));
        assert!(readers.lock().threads <= MOST_THREADS);
    }

    #[test]
    fn files_beside_a_few_dead_ones_use_no_more_threads() {
        let readers = readers();
        let mut ends = Vec::new();
        for number in 0..3 * MOST_OVERDUE_IN_FOLDER {
            let (end, operation) = hanging();
            ends.push(end);
            let path = PathBuf::from(format!("/one/dead/folder/{number}"));
            assert!(readers.run(&path, Duration::from_millis(1), operation).is_err(), "{number}");
        }
        let overdue = readers.lock().flights.values().filter(|flight| flight.overdue).count();
        assert!(overdue <= MOST_OVERDUE_IN_FOLDER, "{overdue}");
    }

    #[test]
    fn a_panic_in_a_read_loses_no_thread_and_no_path() {
        let readers = readers();
        let path = Path::new("/panics/once");
        let answer: Result<u8, _> = readers.run(path, LONG, || panic!("on purpose"));
        assert_eq!(answer, Err(ReadError::Machine(MachineTrouble::Deadline)));
        while readers.lock().flights.contains_key(path) {
            thread::yield_now();
        }
        assert_eq!(readers.run(path, LONG, || Ok(1)), Ok(1));
    }
}
