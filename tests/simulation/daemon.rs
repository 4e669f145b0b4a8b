//! The whole daemon but its sockets, on a clock of its own: the loop, the checks, the store on a real file, the queues of
//! notifications. It lives through what happens in a case, and dies and comes back as often as the case says.

use std::cell::RefCell;
use std::fs;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use judge::{Case, Change, Entry, Happening, Ms, Received, Severity};
use prometheus::Registry;
use rusqlite::{Connection, OpenFlags};
use serde_json::Value;
use syncro_token_monitor::config::{self, Config, Receiver};
use syncro_token_monitor::engine::{self, Engine, Order};
use syncro_token_monitor::notify::{
    self, DeliveryFailure, FirstSweep, Outgoing, Post, Suspect, Taken, Targets, Trouble,
};
use syncro_token_monitor::state::{Snapshot, Subscription};
use syncro_token_monitor::store::{self, Attempt, Disk, Store, Work, Writer};
use syncro_token_monitor::syncro::{self, Budget, Client, Reason, Route, SourceAddress};
use syncro_token_monitor::system::clock;
use tokio::sync::{mpsc, watch};
use tokio::task::{AbortHandle, JoinHandle};
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use crate::plan::Plan;
use crate::syncro::Syncro;

/// What a world left behind.
pub(crate) struct Record {
    pub(crate) received: Vec<Received>,
    pub(crate) requests: Vec<Vec<u32>>,
    /// Ends of lives after which history was shorter than before, in true time.
    pub(crate) lost: Vec<Ms>,
    /// How many lines of history there are in the end that must be kept.
    pub(crate) history: usize,
}

/// For how long history is kept, in milliseconds: by a clock that is so far ahead, all of it is too old.
const KEPT: Ms = 400 * 24 * 3_600_000;

/// The world around the daemon, shared by its parts.
#[derive(Clone)]
struct World {
    case: Arc<Case>,
    syncro: Syncro,
    receiver: Hook,
    disk: SimulatedDisk,
    start: Instant,
    offset: Rc<RefCell<Ms>>,
    folder: PathBuf,
    /// The wall clock at the start, in seconds since the epoch.
    begin: i64,
    /// The lines of `[schedule]`.
    schedule: String,
}

/// Runs one case to its end.
pub(crate) async fn run(plan: &Plan, folder: &Path) -> Record {
    let (case, seed, begin) = (Arc::new(plan.case()), plan.seed, plan.begin);
    let start = Instant::now();
    let offset = Rc::new(RefCell::new(0));
    let now = {
        let offset = Rc::clone(&offset);
        move || wall(begin, start, *offset.borrow())
    };
    let _clock = clock::replace(now);
    let world = World {
        syncro: Syncro::new(&case, seed ^ 1),
        receiver: Hook::new(start, seed ^ 2),
        disk: SimulatedDisk::new(seed ^ 3),
        start,
        offset,
        folder: folder.to_owned(),
        begin,
        schedule: plan.schedule(),
        case,
    };
    let mut lost = Vec::new();
    let mut order = (0..world.case.tokens.len()).collect::<Vec<_>>();
    let mut events = world.case.events.clone().into_iter().peekable();
    let mut lines = 0;
    // A daemon that starts again by a clock by which it has already run has no reason to doubt it.
    let mut ran_ahead = false;
    loop {
        let life = Life::begin(&world, &order);
        let Some(lasts) = life.live(&mut events, &mut order, &world).await else { break };
        let kept = world.history();
        if kept < lines && !ran_ahead {
            lost.push(world.elapsed());
        }
        lines = kept;
        ran_ahead |= *world.offset.borrow() >= KEPT;
        let back = Instant::now() + milliseconds(lasts);
        if back >= world.at(world.case.end) {
            break;
        }
        // What happens while nobody watches happens all the same.
        while let Some(event) = events.next_if(|event| world.at(event.at) <= back) {
            sleep_until(world.at(event.at)).await;
            world.apply(&event.what);
        }
        sleep_until(back).await;
    }
    let history = world.history();
    if history < lines && !ran_ahead {
        lost.push(world.elapsed());
    }
    Record { received: world.receiver.received(), requests: world.syncro.requests(), lost, history }
}

fn add(text: &mut String, more: std::fmt::Arguments<'_>) {
    std::fmt::Write::write_fmt(text, more).expect("a string takes everything");
}

fn wall(begin: i64, start: Instant, offset: Ms) -> DateTime<Utc> {
    let elapsed = i64::try_from(start.elapsed().as_millis()).unwrap_or(i64::MAX);
    DateTime::from_timestamp(begin, 0).unwrap_or_default() + TimeDelta::milliseconds(elapsed + offset)
}

impl World {
    fn elapsed(&self) -> Ms {
        Ms::try_from(self.start.elapsed().as_millis()).unwrap_or(Ms::MAX)
    }

    fn at(&self, at: Ms) -> Instant {
        self.start + milliseconds(at)
    }

    /// How many lines of history must still be there. Those that say that they are older than history is kept for, and were
    /// written before all others, may go: whether they are so old or a clock was behind is nowhere to be seen.
    fn history(&self) -> usize {
        let path = self.folder.join("state.db");
        let store = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).expect("a store");
        let mut lines = store.prepare("SELECT at FROM transitions ORDER BY id").expect("its schema");
        let lines = lines.query_map([], |row| row.get::<_, String>(0)).expect("its lines");
        let oldest = wall(self.begin, self.start, -KEPT).to_rfc3339();
        lines.map(|at| at.expect("a moment")).skip_while(|at| *at < oldest).count()
    }

    /// The moments around which every second counts.
    fn moments(&self) -> Vec<Ms> {
        let events = self.case.events.iter().map(|event| event.at);
        let expiries = self.case.tokens.iter().filter_map(|token| token.expires);
        let mut moments: Vec<_> = events.chain(expiries).collect();
        moments.sort_unstable();
        moments
    }

    /// Lets happen what concerns the world and not the daemon.
    fn apply(&self, what: &Happening) {
        let until = |lasts: Ms| Instant::now() + milliseconds(lasts);
        match what {
            Happening::Clock { offset } => *self.offset.borrow_mut() = *offset,
            Happening::SlowDisk { lasts, takes } => {
                self.disk.set(Some((until(*lasts), Some(milliseconds(*takes)))));
            }
            Happening::BadDisk { lasts } => self.disk.set(Some((until(*lasts), None))),
            Happening::DeafReceiver { lasts } => self.receiver.deafen(until(*lasts)),
            other => self.syncro.apply(other),
        }
    }

    /// The configuration with its tokens in this order, written to a file and read as the daemon reads it.
    fn configuration(&self, order: &[usize]) -> Arc<Config> {
        let policy = self.case.policy;
        let mut text = format!(
            "[syncro]\nrequests_per_minute = 100000\n[schedule]\n{}\n[alerts]\nconfirmations = {}\nconfirm_after = \"{}ms\"\nremind_every = \"{}ms\"\n\
             unreachable_after = \"{}ms\"\n[storage]\npath = \"{}/state.db\"\n\
             [[alerts.webhooks]]\nname = \"hook\"\nurl = \"http://127.0.0.1:1/hook\"\n",
            self.schedule,
            policy.confirmations,
            policy.confirm_after,
            policy.remind_every,
            policy.unreachable_after,
            self.folder.display()
        );
        for (tenant, name) in self.case.tenants.iter().enumerate() {
            let mine = order.iter().filter(|token| self.case.tokens[**token].tenant == tenant);
            let mine: Vec<_> = mine.collect();
            if mine.is_empty() {
                continue;
            }
            add(
                &mut text,
                format_args!(
                    "[[tenants]]\nname = \"{name}\"\nsubdomain = \"{name}\"\nbase_url = \"http://127.0.0.1:1/t/{name}/api/v1\"\n"
                ),
            );
            for token in mine {
                let of = &self.case.tokens[*token];
                let wanted: Vec<_> = of.wanted.iter().map(|number| self.case.permissions[*number].name).collect();
                add(
                    &mut text,
                    format_args!(
                        "[[tenants.tokens]]\nname = \"{}\"\ntoken_file = \"token-{token}\"\npermissions = {wanted:?}\n",
                        of.name
                    ),
                );
                if let Some(expires) = of.expires {
                    let at =
                        DateTime::from_timestamp(self.begin, 0).unwrap_or_default() + TimeDelta::milliseconds(expires);
                    add(&mut text, format_args!("expires = {}\n", at.format("%Y-%m-%dT%H:%M:%S%.3fZ")));
                }
            }
        }
        let path = self.folder.join("config.toml");
        fs::write(&path, text).expect("a writable folder");
        Arc::new(config::load(&path).expect("a valid configuration"))
    }
}

/// The daemon between its start and its end.
struct Life {
    engine: JoinHandle<Result<(), String>>,
    writer: JoinHandle<Result<(), String>>,
    receivers: JoinHandle<()>,
    pulse: JoinHandle<()>,
    orders: mpsc::Sender<Order>,
    targets: watch::Sender<Arc<Targets>>,
    /// Kept open for the keeper.
    _subscriptions: watch::Sender<Arc<[Subscription]>>,
    _keep: watch::Sender<Duration>,
    client: Client,
    stop: CancellationToken,
}

impl Life {
    fn begin(world: &World, order: &[usize]) -> Self {
        let config = world.configuration(order);
        let registry = Registry::new();
        let budget = Budget::new(config.syncro.requests_per_minute);
        let syncro = Arc::new(world.syncro.clone());
        let instruments = syncro::Instruments::new(&registry).expect("free names");
        let source = SourceAddress::chosen_by_the_system(budget);
        let routes = vec![Route { source, transport: Arc::<Syncro>::clone(&syncro) }];
        let client = Client::over(routes, syncro, instruments);
        let (store, memory) = Store::open(&config.storage.path).expect("a store");
        let (batches, remembered) = mpsc::channel(16);
        let counters = engine::Instruments::new(&registry).expect("free names");
        let (engine, snapshots) = Engine::new(Arc::clone(&config), memory, client.clone(), counters, batches);
        let (receiver, deliveries) = mpsc::channel(64);
        let (done, reports) = mpsc::channel(64);
        let targets = Targets {
            receivers: config.alerts.receivers.clone(),
            external_url: "http://here".to_owned(),
            ..Targets::default()
        };
        let (subscriptions, receivers) = watch::channel(Arc::from(targets.subscriptions()));
        let (targets, dispatch) = watch::channel(Arc::new(targets));
        let (keep, kept) = watch::channel(config.storage.keep);
        let fired = store.fired().to_vec();
        let handles = notify::Handles {
            deliveries,
            done,
            receivers: dispatch,
            snapshots: snapshots.clone(),
            fired,
            recurring: store.recurring().clone(),
            first_sweep: FirstSweep::default(),
        };
        let counters = notify::Instruments::new(&registry).expect("free names");
        let running = tokio::spawn(notify::run(handles, world.receiver.clone(), counters));
        let disk: Arc<dyn Disk> = Arc::new(world.disk.clone());
        let handles = store::Handles {
            batches: remembered,
            deliveries: receiver,
            receivers,
            done: reports,
            snapshots: snapshots.clone(),
            keep: kept,
            disk,
        };
        let counters = store::Instruments::new(&registry).expect("free names");
        let writer = tokio::spawn(Writer::new(store, counters, handles).run());
        let (beat, beats) = mpsc::channel(1);
        let pulse = tokio::spawn(pulse(beat, snapshots, world.start, world.moments()));
        let (orders, ordered) = mpsc::channel(4);
        let stop = CancellationToken::new();
        let engine = tokio::spawn(engine.run(beats, ordered, stop.clone()));
        Self {
            engine,
            writer,
            receivers: running,
            pulse,
            orders,
            targets,
            _subscriptions: subscriptions,
            _keep: keep,
            client,
            stop,
        }
    }

    /// Lives until the daemon ends, and returns for how long it is away then, or until the end of the world.
    async fn live(
        self,
        events: &mut std::iter::Peekable<std::vec::IntoIter<judge::Event>>,
        order: &mut Vec<usize>,
        world: &World,
    ) -> Option<Ms> {
        while let Some(event) = events.next_if(|event| event.at < world.case.end) {
            sleep_until(world.at(event.at)).await;
            match event.what {
                Happening::Down { lasts, killed } => {
                    if killed {
                        self.kill(world).await;
                    } else {
                        self.end(world).await;
                    }
                    return Some(lasts);
                }
                Happening::Reload { order: shuffle, without } => {
                    *order = (0..world.case.tokens.len()).filter(|token| Some(*token) != without).collect();
                    fastrand::Rng::with_seed(shuffle).shuffle(order);
                    let config = world.configuration(order);
                    let targets = Targets {
                        receivers: config.alerts.receivers.clone(),
                        external_url: "http://here".to_owned(),
                        ..Targets::default()
                    };
                    self.targets.send_replace(Arc::new(targets));
                    self.orders.send(Order::Reload { config, client: self.client.clone() }).await.ok();
                }
                other => world.apply(&other),
            }
            assert!(!self.engine.is_finished() && !self.writer.is_finished(), "a part of the daemon died");
        }
        sleep_until(world.at(world.case.end)).await;
        self.end(world).await;
        None
    }

    /// As SIGTERM ends it.
    async fn end(mut self, world: &World) {
        self.stop.cancel();
        let parts = async {
            (&mut self.engine).await.expect("the loop ends in order").expect("the loop ends without an error");
            (&mut self.writer).await.expect("the writer ends in order").expect("the writer ends without an error");
        };
        // Whoever waits for a dead disk is killed.
        timeout(Duration::from_secs(10), parts).await.ok();
        self.kill(world).await;
    }

    /// As SIGKILL ends it: at once, wherever it is.
    async fn kill(self, world: &World) {
        world.disk.abort();
        let tasks = [
            self.engine.abort_handle(),
            self.writer.abort_handle(),
            self.receivers.abort_handle(),
            self.pulse.abort_handle(),
        ];
        tasks.iter().for_each(AbortHandle::abort);
        while tasks.iter().any(|task| !task.is_finished()) {
            tokio::task::yield_now().await;
        }
    }
}

/// Beats once a second where something happens, is due or fires, and else when the loop has something to begin: an idle beat
/// changes nothing, and a year has too many of them.
async fn pulse(
    beat: mpsc::Sender<()>,
    mut snapshots: watch::Receiver<Arc<Snapshot>>,
    start: Instant,
    moments: Vec<Ms>,
) {
    /// What a moment may set in motion goes on for so long.
    const AFTER: Ms = 20 * 60_000;
    const SECOND: Duration = Duration::from_secs(1);
    const LONGEST: Duration = Duration::from_mins(5);
    let mut last = Instant::now();
    loop {
        let (next, due, fires) = {
            let snapshot = snapshots.borrow_and_update();
            let mut firing = snapshot.tenants.iter().flat_map(|tenant| tenant.firing.iter());
            // Its end depends on all tenants together.
            let fires = firing.any(|firing| firing.alert.as_str() == "TenantUnreachable");
            (snapshot.next_due, snapshot.checks_due, fires)
        };
        let elapsed = Ms::try_from(start.elapsed().as_millis()).unwrap_or(Ms::MAX);
        let passed = moments.partition_point(|at| *at <= elapsed);
        let busy = passed > 0 && elapsed - moments[passed - 1] < AFTER;
        let now = Instant::now();
        let wanted = if busy || due > 0 || fires {
            now
        } else {
            let event = moments.get(passed).map_or(LONGEST, |at| milliseconds(at - elapsed));
            let check = next.map_or(LONGEST, |next| (next - clock::now()).to_std().unwrap_or_default());
            now + check.min(event)
        };
        tokio::select! {
            biased;
            () = sleep_until(wanted.clamp(last + SECOND, last + LONGEST)) => {
                last = Instant::now();
                // Full means that the loop has not received the last one yet.
                beat.try_send(()).ok();
            }
            // What the last beat set in motion may be due again before that.
            changed = snapshots.changed() => if changed.is_err() { return },
        }
    }
}

fn milliseconds(ms: Ms) -> Duration {
    Duration::from_millis(u64::try_from(ms).unwrap_or(0))
}

/// The one receiver, which is sent everything.
#[derive(Debug, Clone)]
struct Hook(Arc<Mutex<Hearing>>);

#[derive(Debug)]
struct Hearing {
    received: Vec<Received>,
    start: Instant,
    deaf_until: Option<Instant>,
    rng: fastrand::Rng,
}

impl Hook {
    fn new(start: Instant, seed: u64) -> Self {
        let rng = fastrand::Rng::with_seed(seed);
        Self(Arc::new(Mutex::new(Hearing { received: Vec::new(), start, deaf_until: None, rng })))
    }

    fn hearing(&self) -> std::sync::MutexGuard<'_, Hearing> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn deafen(&self, until: Instant) {
        self.hearing().deaf_until = Some(until);
    }

    fn received(&self) -> Vec<Received> {
        self.hearing().received.clone()
    }
}

impl Post for Hook {
    async fn post(&mut self, _: &Arc<Receiver>, outgoing: Outgoing, _: Duration) -> Result<Taken, Trouble> {
        let latency = Duration::from_millis(self.hearing().rng.u64(1..300));
        sleep(latency).await;
        let mut hearing = self.hearing();
        if hearing.deaf_until.is_some_and(|until| Instant::now() < until) {
            let detail = "it answered 503".to_owned();
            let (why, suspect) = (DeliveryFailure::Unavailable(Reason::Http5xx), Suspect::Either);
            return Err(Trouble { why, detail, retry_after: None, suspect, clock: None });
        }
        let at = Ms::try_from(hearing.start.elapsed().as_millis()).unwrap_or(Ms::MAX);
        let body: Value = serde_json::from_str(&outgoing.body).expect("JSON");
        hearing.received.push(received(at, &body));
        Ok(Taken::default())
    }
}

/// What a receiver reads in a notification.
fn received(at: Ms, body: &Value) -> Received {
    let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
    let list = |name: &str| body[name].as_array().into_iter().flatten().filter_map(Value::as_str).collect::<Vec<_>>();
    let change = Change::named(&text("change")).expect("a change of the contract");
    let (entries, more) = Entry::list(list("affected"));
    assert_eq!(text("status"), if change.ends() { "resolved" } else { "firing" }, "the status of {change:?}");
    Received {
        at,
        delivery: body["delivery"].as_i64().unwrap_or_default(),
        id: text("id"),
        alert: text("alert"),
        change,
        severity: if body["severity"] == "critical" { Severity::Critical } else { Severity::Warning },
        tenant: text("tenant"),
        scope: text("scope"),
        security_group: text("security_group"),
        user_id: body["user_id"].as_u64(),
        token_name: text("token_name"),
        entries,
        more,
        rights: list("rights").into_iter().map(str::to_owned).collect(),
        cause: text("cause"),
    }
}

/// A disk that is as slow and as bad as the case says.
#[derive(Debug, Clone)]
struct SimulatedDisk(Arc<Mutex<DiskState>>);

#[derive(Debug)]
struct DiskState {
    /// Until when it is in trouble, and how long a commit takes then; none if it fails.
    trouble: Option<(Instant, Option<Duration>)>,
    running: Vec<AbortHandle>,
    rng: fastrand::Rng,
}

impl SimulatedDisk {
    fn new(seed: u64) -> Self {
        let rng = fastrand::Rng::with_seed(seed);
        Self(Arc::new(Mutex::new(DiskState { trouble: None, running: Vec::new(), rng })))
    }

    fn state(&self) -> std::sync::MutexGuard<'_, DiskState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, trouble: Option<(Instant, Option<Duration>)>) {
        self.state().trouble = trouble;
    }

    fn abort(&self) {
        self.state().running.drain(..).for_each(|commit| commit.abort());
    }
}

impl Disk for SimulatedDisk {
    fn commit(&self, work: Work) -> JoinHandle<Attempt> {
        let mut state = self.state();
        let trouble = state.trouble.filter(|(until, _)| Instant::now() < *until).map(|(_, takes)| takes);
        let takes = trouble.flatten().unwrap_or_else(|| Duration::from_millis(state.rng.u64(0..20)));
        let commit = tokio::spawn(async move {
            sleep(takes).await;
            match trouble {
                Some(None) => work.fail(std::io::Error::other("Input/output error (os error 5)")),
                _ => work.carry_out(),
            }
        });
        state.running.retain(|commit| !commit.is_finished());
        state.running.push(commit.abort_handle());
        commit
    }
}
