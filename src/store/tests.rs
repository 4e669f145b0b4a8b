//! What the store retains over closing, crashes and faults of the disk, how the writer continues without it, and how
//! the history is read.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rusqlite::Connection;
use tempfile::TempDir;
use tokio::sync::{mpsc, watch};

use super::Outbox;
use super::database::Database;
use super::error::Problem;
use super::lock::Lock;
use super::unwritten::Unwritten;
use super::{Handles, Instruments, Store, Writer, alert_history, ended_alerts, history, redeliver};
use super::{acknowledgement_orders, is_in_use, order_acknowledgement};
use crate::alert::{Acknowledgement, Affected, Alert, Change, Firing, Notification, Severity};
use crate::belief::{Evidence, Policy, TokenStatus, Transition, TransitionKind, step};
use crate::model::{Scope, TokenId};
use crate::state::{AlertEvent, AlertHistory, DeliveryOutcome, Snapshot, Subscription, TakenOn};
use crate::state::{
    Batch, Delivery, Entry, HistoryQuery, KnownAlerts, Learnt, PersistedState, Record, Refusal, Settled,
};
use crate::syncro::ProbeObservation;
use crate::testing::{self, at, observed, policy, probed, token, token_snapshot, works};

const EDIT: &str = "Tickets - List/Search";

fn id(token_name: &str) -> TokenId {
    TokenId { tenant: "acme".to_owned(), token_name: token_name.to_owned() }
}

/// The status of a token after two checks.
fn status() -> TokenStatus {
    let (token, mut status) = (token("t", &[EDIT]), TokenStatus::default());
    let policy = || Policy { confirmation: crate::belief::Confirmation::once(), ..policy(&token) };
    let _ = step(&mut status, &observed(0, works(&[("ticket.write", true)])), policy());
    let _ = step(&mut status, &probed(1, &[(EDIT, ProbeObservation::Missing)]), policy());
    status
}

fn firing() -> Vec<Firing> {
    let scope = Scope::SecurityGroup { tenant: "acme".to_owned(), group: "Technicians".to_owned() };
    let affected = vec![Affected::permission("a", EDIT), Affected::permission("b", EDIT)];
    vec![testing::firing(Alert::PermissionLost, scope, Severity::Critical, affected)]
}

fn notification(token_name: &str) -> Notification {
    testing::notification(id(token_name).into(), Change::New, Severity::Critical)
}

fn queued(id: i64) -> Delivery {
    Delivery { id, receiver: "log".into(), queued_at: at(10), notification: Arc::new(notification("a")) }
}

fn changed(token_name: &str, seconds: i64) -> Entry {
    let transition = Transition {
        kind: TransitionKind::Permission,
        subject: Some(EDIT.to_owned()),
        before: "granted".to_owned(),
        after: "missing".to_owned(),
        since: at(seconds - 1),
        evidence: Some(Evidence::Probe),
        shown_by: Some("GET /tickets/0 answered 401".to_owned()),
    };
    Entry::Changed { token: id(token_name), at: at(seconds), transition }
}

fn unwritten(records: impl IntoIterator<Item = Record>) -> Unwritten {
    let mut batch = Batch::default();
    records.into_iter().for_each(|record| batch.add(record));
    Unwritten { batch, ..Unwritten::default() }
}

fn status_of(token_name: &str) -> Record {
    Record::TokenStatus { token: id(token_name), status: Arc::new(status()) }
}

struct Place {
    folder: TempDir,
}

impl Place {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self) -> std::path::PathBuf {
        self.folder.path().join("state.db")
    }

    fn open(&self) -> Database {
        Database::open(&self.path()).unwrap()
    }

    fn load(&self) -> (PersistedState, Vec<Delivery>, i64) {
        let (state, Outbox { undelivered, next_id, .. }) = self.load_all();
        (state, undelivered, next_id)
    }

    fn load_all(&self) -> (PersistedState, Outbox) {
        self.open().load().unwrap()
    }

    fn problem(&self) -> Problem {
        Store::open(&self.path()).unwrap_err().problem
    }

    fn count(&self, query: &str) -> i64 {
        Connection::open(self.path()).unwrap().query_row(query, [], |row| row.get(0)).unwrap()
    }

    fn names(&self) -> Vec<String> {
        let lines = history(&self.path(), &HistoryQuery::default()).unwrap();
        lines.into_iter().map(|line| line.token_name).collect()
    }
}

#[test]
fn what_is_written_is_read_again() {
    let place = Place::new();
    let mut written = unwritten([
        status_of("a"),
        Record::Firing { of: Scope::Tenant("acme".to_owned()), firing: Arc::new(firing()) },
        Record::Entry(changed("a", 10)),
    ]);
    written.queued = (1..=3).map(queued).collect();
    written.delivered = vec![(2, at(11))];
    place.open().write(&written, at(10)).unwrap();
    let (state, undelivered, next_id) = place.load();
    assert_eq!(state.tokens[&id("a")].status, status());
    assert_eq!(state.tenants["acme"], firing());
    assert_eq!(undelivered.iter().map(|delivery| delivery.id).collect::<Vec<_>>(), [1, 3], "2 was delivered");
    assert_eq!((&*undelivered[0].notification, next_id), (&notification("a"), 4));
    let lines = history(&place.path(), &HistoryQuery::default()).unwrap();
    assert_eq!((lines[0].at, lines[0].evidence), (at(10), Some(crate::belief::Evidence::Probe)));
    let nothing_fires = Record::Firing { of: Scope::Tenant("acme".to_owned()), firing: Arc::default() };
    place.open().write(&unwritten([nothing_fires]), at(20)).unwrap();
    assert!(place.load().0.tenants.is_empty());
}

#[test]
fn the_views_show_people_what_is_persisted() {
    let place = Place::new();
    let of = Scope::Tenant("acme".to_owned());
    let mut written = unwritten([status_of("a"), Record::Firing { of, firing: Arc::new(firing()) }]);
    written.queued = vec![queued(1)];
    place.open().write(&written, at(10)).unwrap();
    assert_eq!(place.count("SELECT count(*) FROM standings WHERE state = 'valid' AND last_check > '2027'"), 1);
    assert_eq!(place.count("SELECT count(*) FROM permissions WHERE permission LIKE 'Tickets%' AND NOT held"), 1);
    let fires = "SELECT count(*) FROM alerts WHERE alert = 'PermissionLost' AND message = 'PermissionLost is so'
                 AND length(id) = 8 AND tenant = 'acme' AND scope = 'security_group' AND token_name IS NULL
                 AND security_group = 'Technicians' AND user_id IS NULL AND affected = 2 AND last_told > '2027'";
    assert_eq!(place.count(fires), 1);
    let waits = "SELECT count(*) FROM notices WHERE alert = 'TokenRejected' AND told_at IS NULL AND incident = 'acme-a'
                 AND change = 'new' AND status = 'firing' AND scope = 'token' AND token_name = 'a'";
    assert_eq!(place.count(waits), 1);
}

#[test]
fn a_store_of_an_older_version_is_brought_up_to_date_and_loses_nothing() {
    let place = Place::new();
    let old = Connection::open(place.path()).unwrap();
    old.execute_batch(include_str!("schema/1.sql")).unwrap();
    let at = "2026-11-23T10:00:00.000Z";
    old.execute_batch(&format!(
        "INSERT INTO transitions (at, tenant, token_name, kind, before, after, since)
         VALUES ('{at}', 'acme', 'a', 'state', 'valid', 'rejected', '{at}');
         PRAGMA application_id = {}; PRAGMA user_version = 1",
        super::database::APPLICATION
    ))
    .unwrap();
    drop(old);
    let lines = || history(&place.path(), &HistoryQuery::default()).unwrap();
    assert_eq!(lines().len(), 1, "an older store can be read as it is");
    place.open().write(&unwritten([Record::Entry(changed("a", 0))]), crate::testing::at(0)).unwrap();
    let shown: Vec<_> = lines().into_iter().map(|line| line.shown_by).collect();
    assert_eq!(shown, [None, Some("GET /tickets/0 answered 401".to_owned())]);
}

#[test]
fn one_write_is_whole_or_nothing() {
    let place = Place::new();
    let mut twice = unwritten([status_of("a"), Record::Entry(changed("a", 10))]);
    twice.queued = [1, 1].map(queued).into();
    place.open().write(&twice, at(10)).unwrap_err();
    assert!(place.load().0.tokens.is_empty() && place.names().is_empty() && place.load().1.is_empty());
}

#[test]
fn what_a_receiver_knows_outlasts_a_restart() {
    let place = Place::new();
    let learn = |alerts: &[(&str, bool)]| {
        let mut unwritten = Unwritten::default();
        for (alert, fires) in alerts {
            unwritten.learn(Learnt { receiver: "hook".into(), alert: (*alert).to_owned(), fires: *fires });
        }
        place.open().write(&unwritten, at(0)).unwrap();
    };
    learn(&[("a", true), ("b", true), ("short", true), ("short", false)]);
    assert_eq!(place.count("SELECT count(*) FROM known_alerts"), 2);
    learn(&[("a", false)]);
    let mut expected = KnownAlerts::default();
    expected.learn(Learnt { receiver: "hook".into(), alert: "b".to_owned(), fires: true });
    assert_eq!(place.load_all().1.known, expected);
}

#[test]
fn a_retired_token_retains_its_history_and_a_renamed_one_takes_it_along() {
    let place = Place::new();
    place.open().write(&unwritten([status_of("a"), Record::Entry(changed("a", 10))]), at(10)).unwrap();
    place.open().write(&unwritten([Record::Retired(id("a"))]), at(20)).unwrap();
    let state = place.load().0;
    assert!(state.tokens.is_empty());
    assert_eq!(state.retired, [(id("a"), status())]);
    let renamed = Entry::Renamed { from: id("a"), to: id("b") };
    let later = [status_of("b"), Record::Entry(renamed), Record::Entry(changed("b", 30))];
    place.open().write(&unwritten(later), at(30)).unwrap();
    assert_eq!(place.names(), ["b", "b"]);
    assert!(place.load().0.retired.is_empty());
    place.open().write(&unwritten([Record::Retired(id("b")), status_of("b")]), at(40)).unwrap();
    assert_eq!(place.load().0.tokens.len(), 1, "what comes back at once never went");
}

#[test]
fn what_is_too_old_is_discarded_but_not_what_is_still_to_be_delivered() {
    let place = Place::new();
    let mut written = unwritten([
        status_of("gone"),
        status_of("a"),
        Record::Entry(changed("a", 10)),
        Record::Entry(changed("a", 1000)),
    ]);
    written.queued = (1..=2).map(queued).collect();
    written.delivered = vec![(1, at(11))];
    place.open().write(&written, at(10)).unwrap();
    place.open().write(&unwritten([Record::Retired(id("gone"))]), at(20)).unwrap();
    let discard = Unwritten { discard_before: Some(at(500)), ..Unwritten::default() };
    place.open().write(&discard, at(2000)).unwrap();
    let (state, undelivered, next_id) = place.load();
    assert_eq!((state.tokens.len(), state.retired.len()), (1, 0));
    assert_eq!((place.names().len(), undelivered.len(), place.count("SELECT count(*) FROM outbox")), (1, 1, 1));
    assert_eq!(next_id, 3, "no number is used twice");
}

#[test]
fn no_more_than_a_month_of_the_past_is_discarded_at_a_time() {
    const DAY: i64 = 24 * 3600;
    let place = Place::new();
    let days = [0, 30, 32, 400].map(|day| Record::Entry(changed(&format!("day {day}"), day * DAY)));
    place.open().write(&unwritten(days), at(400 * DAY)).unwrap();
    let discard = |day: i64| {
        let discard = Unwritten { discard_before: Some(at(day * DAY)), ..Unwritten::default() };
        place.open().write(&discard, at(day * DAY)).unwrap();
        place.names()
    };
    assert_eq!(discard(3000), ["day 32", "day 400"], "whatever the clock says");
    assert_eq!(discard(390), ["day 400"]);
    assert_eq!(discard(400), ["day 400"]);
}

#[test]
fn what_was_written_after_what_is_retained_is_retained_whatever_its_date() {
    const DAY: i64 = 24 * 3600;
    let place = Place::new();
    let days = [1, 500, 2, 510].map(|day| Record::Entry(changed(&format!("day {day}"), day * DAY)));
    place.open().write(&unwritten(days), at(510 * DAY)).unwrap();
    let discard = Unwritten { discard_before: Some(at(400 * DAY)), ..Unwritten::default() };
    place.open().write(&discard, at(510 * DAY)).unwrap();
    assert_eq!(place.names(), ["day 2", "day 500", "day 510"], "a clock was behind for a while");
}

#[test]
fn the_store_says_when_it_was_last_written_to() {
    let place = Place::new();
    let mut database = place.open();
    assert_eq!(database.newest(at(9000)).unwrap(), None);
    database.write(&unwritten([Record::Entry(changed("a", 10)), Record::Entry(changed("b", 7000))]), at(10)).unwrap();
    assert_eq!(database.newest(at(6000)).unwrap(), Some(at(10)), "what lies ahead was written by a wrong clock");
    let mut checked = status();
    checked.validity.last_attempt = Some(at(5000));
    let record = Record::TokenStatus { token: id("a"), status: Arc::new(checked) };
    database.write(&unwritten([record]), at(5000)).unwrap();
    assert_eq!(database.newest(at(6000)).unwrap(), Some(at(5000)), "a check that found nothing new was written too");
}

#[test]
fn the_history_is_filtered_by_tenant_token_and_time() {
    let place = Place::new();
    let entries = [changed("a", 10), changed("b", 20), changed("a", 30)];
    place.open().write(&unwritten(entries.map(Record::Entry)), at(30)).unwrap();
    let count = |query: HistoryQuery| history(&place.path(), &query).unwrap().len();
    assert_eq!(count(HistoryQuery { token_name: Some("a".to_owned()), ..HistoryQuery::default() }), 2);
    assert_eq!(count(HistoryQuery { since: Some(at(20)), ..HistoryQuery::default() }), 2);
    assert_eq!(count(HistoryQuery { until: Some(at(20)), ..HistoryQuery::default() }), 1);
    let newest = history(&place.path(), &HistoryQuery { newest: Some(2), ..HistoryQuery::default() }).unwrap();
    assert_eq!(newest.iter().map(|line| line.token_name.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    assert!(newest[0].at > newest[1].at, "the newest first");
    assert_eq!(count(HistoryQuery { tenant: Some("other".to_owned()), ..HistoryQuery::default() }), 0);
    let next = HistoryQuery { before: Some(newest[1].id), newest: Some(2), ..HistoryQuery::default() };
    assert_eq!(history(&place.path(), &next).unwrap().iter().map(|line| line.at).collect::<Vec<_>>(), [at(10)]);
}

/// Changes the persisted status of token `a`.
fn change_status(place: &Place, change: impl Fn(&mut serde_json::Value)) {
    let mut persisted = serde_json::to_value(status()).unwrap();
    change(&mut persisted);
    let connection = Connection::open(place.path()).unwrap();
    connection.execute("UPDATE tokens SET standing = ?1", [persisted.to_string()]).unwrap();
}

#[test]
fn a_permission_that_the_catalogue_no_longer_has_spoils_nothing() {
    let place = Place::new();
    place.open().write(&unwritten([status_of("a")]), at(0)).unwrap();
    change_status(&place, |persisted| {
        let mut unknown = persisted["permissions"][0].clone();
        unknown["permission"] = "Spaceships - Launch".into();
        persisted["permissions"].as_array_mut().unwrap().push(unknown);
        persisted["audit"] =
            serde_json::json!({ "at": at(0), "held": [{ "permission": "Spaceships - Launch", "answer": 200 }] });
        persisted.as_object_mut().unwrap().remove("look_again");
    });
    let (state, ..) = place.open().load().unwrap();
    let read = &state.tokens[&id("a")].status;
    assert_eq!((&read.permissions, read.audit.is_some()), (&status().permissions, true));
}

#[test]
fn a_malformed_status_is_an_error_and_not_discarded() {
    let place = Place::new();
    place.open().write(&unwritten([status_of("a")]), at(0)).unwrap();
    for (path, value) in [("/permissions/0/belief/held", "perhaps"), ("/permissions/0/evidence", "rumour")] {
        change_status(&place, |persisted| *persisted.pointer_mut(path).unwrap() = value.into());
        let problem = place.open().load().unwrap_err().to_string();
        assert!(problem.contains("the status of token `a` of tenant `acme` cannot be read"), "{problem}");
        assert!(problem.contains("move it away to begin anew"), "{problem}");
    }
}

#[test]
fn a_store_is_for_its_owner_alone() {
    let place = Place::new();
    drop(place.open());
    fs::set_permissions(place.path(), fs::Permissions::from_mode(0o644)).unwrap();
    let mut database = place.open();
    database.write(&unwritten([status_of("a")]), at(0)).unwrap();
    for suffix in ["", "-wal", "-shm"] {
        let path = format!("{}{suffix}", place.path().display());
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600, "{path}");
    }
}

#[test]
fn a_store_that_cannot_be_used_says_why() {
    let place = Place::new();
    let missing = Store::open(&place.path().join("nowhere/state.db")).unwrap_err().to_string();
    assert!(missing.contains("its folder does not exist"), "{missing}");

    drop(place.open());
    Connection::open(place.path()).unwrap().execute_batch("PRAGMA user_version = 99").unwrap();
    assert!(matches!(place.problem(), Problem::Newer { found: 99, .. }));

    let foreign = Place::new();
    Connection::open(foreign.path()).unwrap().execute_batch("CREATE TABLE theirs (a)").unwrap();
    assert!(matches!(foreign.problem(), Problem::Foreign));

    let no_database = Place::new();
    fs::write(no_database.path(), "[storage]\n".repeat(100)).unwrap();
    assert!(matches!(no_database.problem(), Problem::Damaged(_)));

    let unreadable = Place::new();
    unreadable.open().write(&unwritten([status_of("a")]), at(0)).unwrap();
    Connection::open(unreadable.path()).unwrap().execute_batch("UPDATE tokens SET standing = '{'").unwrap();
    assert!(matches!(unreadable.problem(), Problem::Damaged(_)));

    let torn = Place::new();
    let many = (0..200).map(|number| status_of(&number.to_string()));
    torn.open().write(&unwritten(many), at(0)).unwrap();
    let mut bytes = fs::read(torn.path()).unwrap();
    let (third, length) = (bytes.len() / 3, bytes.len());
    bytes[third..length - third].fill(0xa5);
    fs::write(torn.path(), bytes).unwrap();
    assert!(matches!(torn.problem(), Problem::Damaged(_)));
}

#[test]
fn nothing_about_a_file_of_somebody_else_is_changed() {
    let make = |what: &str, path: &Path| match what {
        "empty" => fs::write(path, "").unwrap(),
        "a text" => fs::write(path, "[storage]\n".repeat(100)).unwrap(),
        _ => Connection::open(path).unwrap().execute_batch("CREATE TABLE theirs (a)").unwrap(),
    };
    for what in ["empty", "a text", "a database"] {
        let place = Place::new();
        make(what, &place.path());
        fs::set_permissions(place.path(), fs::Permissions::from_mode(0o664)).unwrap();
        let before = fs::read(place.path()).unwrap();
        let problem = place.problem();
        assert!(matches!(problem, Problem::NotOurs | Problem::Foreign | Problem::Damaged(_)), "{what}: {problem}");
        assert_eq!(fs::metadata(place.path()).unwrap().permissions().mode() & 0o777, 0o664, "{what}");
        assert_eq!(fs::read(place.path()).unwrap(), before, "{what}");
    }
}

#[test]
fn two_writers_of_one_store_are_refused_by_whatever_name_they_have_it() {
    let place = Place::new();
    drop(place.open());
    let (symbolic, hard) = (place.path().with_file_name("symbolic"), place.path().with_file_name("hard"));
    std::os::unix::fs::symlink(place.path(), &symbolic).unwrap();
    fs::hard_link(place.path(), &hard).unwrap();
    let lock = Lock::take(&place.path()).unwrap();
    for path in [&place.path(), &symbolic, &hard] {
        assert!(matches!(Lock::take(path).unwrap_err(), Problem::InUse(_)), "{}", path.display());
    }
    assert!(is_in_use(&symbolic));
    drop(lock);
    drop(Lock::take(&symbolic).unwrap());
    Lock::take(&hard).unwrap();
}

/// A running writer, and the other ends of its channels.
struct Bench {
    batches: mpsc::Sender<Batch>,
    deliveries: mpsc::Receiver<Delivery>,
    done: mpsc::Sender<Settled>,
    _snapshots: watch::Sender<Arc<Snapshot>>,
    _keep: watch::Sender<Duration>,
    registry: prometheus::Registry,
    task: tokio::task::JoinHandle<Result<(), String>>,
}

impl Bench {
    fn new(place: &Place) -> Self {
        let registry = prometheus::Registry::new();
        let instruments = Instruments::new(&registry).unwrap();
        let (batches, to_persist) = mpsc::channel(16);
        let (to_deliver, deliveries) = mpsc::channel(16);
        let (done, reports) = mpsc::channel(16);
        let token = token_snapshot(token("in the snapshot", &[]), status());
        let snapshot = Snapshot { tokens: [token].into_iter().collect(), ..Snapshot::default() };
        let (snapshots, shown) = watch::channel(Arc::new(snapshot));
        let (keep, configured) = watch::channel(Duration::from_hours(24 * 400));
        let (_, receivers) = watch::channel(Arc::from([Subscription::to_everything("log")]));
        let handles = Handles {
            batches: to_persist,
            deliveries: to_deliver,
            receivers,
            done: reports,
            snapshots: shown,
            keep: configured,
            disk: Arc::new(super::Blocking),
        };
        let (store, _) = Store::open(&place.path()).unwrap();
        let writer = Writer::new(store, instruments, handles);
        let task = tokio::spawn(writer.run());
        Self { batches, deliveries, done, _snapshots: snapshots, _keep: keep, registry, task }
    }

    async fn send(&self, records: impl IntoIterator<Item = Record>) {
        self.batches.send(unwritten(records).batch).await.unwrap();
    }

    fn metric(&self, name: &str) -> u64 {
        let families = self.registry.gather();
        let family = families.iter().find(|family| family.name() == name).unwrap();
        let metric = &family.get_metric()[0];
        (metric.get_gauge().get_value() + metric.get_counter().get_value()) as u64
    }

    /// Ends the writer in order and reports what comes as delivered; returns the numbers of that.
    async fn end(mut self) -> Vec<i64> {
        drop(self.batches);
        let mut received = Vec::new();
        while let Some(delivery) = self.deliveries.recv().await {
            received.push(delivery.id);
            self.done.send(Settled::Delivered(delivery.id)).await.unwrap();
        }
        drop(self.done);
        self.task.await.unwrap().unwrap();
        received
    }
}

#[tokio::test(start_paused = true)]
async fn five_thousand_tokens_cost_no_more_than_one_commit_a_second() {
    const SECONDS: u64 = 10;
    let place = Place::new();
    let bench = Bench::new(&place);
    let shared = Arc::new(status());
    for turn in 0..SECONDS * 10 {
        let records = (0..500).map(|number| Record::TokenStatus {
            token: id(&(turn * 500 % 5000 + number).to_string()),
            status: Arc::clone(&shared),
        });
        bench.send(records).await;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let commits = bench.metric("syncro_monitor_store_commits_total");
    assert!((2..=SECONDS + 1).contains(&commits), "{commits}");
    bench.end().await;
    assert_eq!(place.count("SELECT count(*) FROM tokens"), 5000);
}

#[tokio::test(start_paused = true)]
async fn the_writer_discards_what_is_older_than_the_retention() {
    const CENTURY: i64 = 100 * 365 * 24 * 3600;
    let place = Place::new();
    let bench = Bench::new(&place);
    bench.send([changed("past", -CENTURY / 2), changed("present", CENTURY)].map(Record::Entry)).await;
    tokio::time::sleep(Duration::from_mins(59)).await;
    bench.send([Record::Entry(changed("later", CENTURY))]).await;
    tokio::time::sleep(Duration::from_mins(2)).await;
    assert_eq!(place.names(), ["past", "present", "later"], "not in the first hour");
    bench.send([Record::Entry(changed("last", CENTURY))]).await;
    bench.end().await;
    assert_eq!(place.names(), ["present", "later", "last"]);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_delivered_before_it_is_written_and_what_was_delivered_is_marked() {
    let place = Place::new();
    let mut bench = Bench::new(&place);
    bench
        .send([status_of("a"), Record::Entry(changed("a", 1)), Record::Notification(Box::new(notification("a")))])
        .await;
    let delivery = bench.deliveries.recv().await.unwrap();
    assert_eq!(place.count("SELECT count(*) FROM notices, tokens, transitions WHERE told_at IS NULL"), 1);
    bench.done.send(Settled::Delivered(delivery.id)).await.unwrap();
    assert_eq!(bench.end().await, Vec::<i64>::new());
    assert_eq!(place.count("SELECT count(*) FROM outbox WHERE told_at IS NULL"), 0);
}

#[tokio::test(start_paused = true)]
async fn what_was_not_delivered_before_the_end_is_delivered_after_the_start_under_the_same_number() {
    let place = Place::new();
    let mut bench = Bench::new(&place);
    bench.send([Record::Notification(Box::new(notification("a")))]).await;
    let delivery = bench.deliveries.recv().await.unwrap();
    // The writer dies before it can mark the delivery.
    bench.task.abort();
    bench.task.await.unwrap_err();
    let bench = Bench::new(&place);
    bench.send([Record::Notification(Box::new(notification("b")))]).await;
    assert_eq!(bench.end().await, [delivery.id, delivery.id + 1]);
    assert_eq!(Bench::new(&place).end().await, Vec::<i64>::new());
}

#[tokio::test(start_paused = true)]
async fn without_the_store_alerts_go_on_and_it_recovers_by_itself() {
    let place = Place::new();
    let mut bench = Bench::new(&place);
    bench.send([status_of("a")]).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(bench.metric("syncro_monitor_store_up"), 1);
    // The file is removed, and what is in its place cannot be opened.
    fs::remove_file(place.path()).unwrap();
    fs::create_dir(place.path()).unwrap();
    bench
        .send([status_of("b"), Record::Entry(changed("b", 1)), Record::Notification(Box::new(notification("b")))])
        .await;
    let first = bench.deliveries.recv().await.unwrap();
    assert_eq!((first.notification.key.of.token_name(), bench.metric("syncro_monitor_store_up")), (Some("b"), 0));
    bench.send([Record::Notification(Box::new(notification("c")))]).await;
    let second = bench.deliveries.recv().await.unwrap();
    bench.done.send(Settled::Delivered(first.id)).await.unwrap();
    bench.done.send(Settled::Delivered(second.id)).await.unwrap();
    fs::remove_dir(place.path()).unwrap();
    tokio::time::sleep(Duration::from_secs(11)).await;
    assert_eq!(bench.metric("syncro_monitor_store_up"), 1);
    assert_eq!(bench.end().await, Vec::<i64>::new(), "nothing is delivered twice");
    let state = place.load().0;
    assert_eq!(state.tokens.len(), 2, "the new file has what is believed now, and what came meanwhile");
    assert!(state.tokens.contains_key(&id("in the snapshot")) && state.tokens.contains_key(&id("b")));
    assert_eq!(place.count("SELECT count(*) FROM outbox WHERE told_at IS NOT NULL"), 2);
    assert_eq!(place.names(), ["b"]);
}

/// That the receiver refuses this delivery for good.
fn refused(id: i64) -> Settled {
    let Delivery { receiver, notification, .. } = queued(id);
    Settled::SetAside(Refusal { id, receiver, notification, answer: "it answered 400".to_owned() })
}

#[test]
fn what_was_refused_is_delivered_again_if_somebody_says_so() {
    let place = Place::new();
    let mut written = Unwritten { queued: vec![queued(1), queued(2), queued(3)], ..Unwritten::default() };
    written.settle(refused(1), at(11));
    written.settle(Settled::Delivered(2), at(11));
    let mut database = place.open();
    database.write(&written, at(20)).unwrap();
    let again = |id, receivers: &[&str]| {
        let said = redeliver(&place.path(), id, receivers).map(|delivery| delivery.id);
        said.map_err(|error| error.problem.to_string())
    };
    let receiver = queued(1).receiver;
    assert_eq!(again(2, &[&receiver]), Err("notification 2 was delivered".to_owned()));
    assert_eq!(again(3, &[&receiver]), Err("notification 3 was not refused, and still waits".to_owned()));
    assert!(again(4, &[&receiver]).unwrap_err().starts_with("it has no notification 4;"));
    assert!(again(1, &["other"]).unwrap_err().ends_with("which is not configured"));
    assert_eq!(again(1, &[&receiver]), Ok(1));
    assert!(again(1, &[&receiver]).unwrap_err().ends_with("still waits"), "once is enough");
    // A daemon that is running learns of it with its next commit, and one that starts finds it.
    let taken = database.write(&Unwritten::default(), at(21)).unwrap();
    assert_eq!(taken.iter().map(|delivery| delivery.id).collect::<Vec<_>>(), [1]);
    assert_eq!(database.write(&Unwritten::default(), at(22)).unwrap().len(), 0);
    drop(database);
    assert_eq!(place.load().1.iter().map(|delivery| delivery.id).collect::<Vec<_>>(), [1, 3]);
}

#[test]
fn an_order_is_kept_until_what_it_changed_is_committed() {
    let place = Place::new();
    assert!(order_acknowledgement(&place.path(), "7f3c9a00", None).is_err(), "there is no store");
    let mut database = place.open();
    let made = Acknowledgement { by: "Pat".into(), reason: "the vendor is on it".into(), until: at(60), at: at(0) };
    let first = order_acknowledgement(&place.path(), "7f3c9a00", Some(&made)).unwrap();
    let second = order_acknowledgement(&place.path(), "7f3c9a00", None).unwrap();
    let left = || acknowledgement_orders(&place.path()).unwrap();
    assert_eq!(left().iter().map(|order| order.number).collect::<Vec<_>>(), [first, second]);
    assert_eq!((&left()[0].acknowledgement, &left()[1].acknowledgement), (&Some(made), &None));
    database.write(&Unwritten::default(), at(20)).unwrap();
    assert_eq!(left().len(), 2);
    database.write(&unwritten([Record::CarriedOut(first), Record::CarriedOut(second)]), at(20)).unwrap();
    assert_eq!(left(), []);
    let third = order_acknowledgement(&place.path(), "7f3c9a00", None).unwrap();
    assert!(third > second, "no number is used twice");
}

#[test]
fn whether_a_daemon_uses_the_store_shows_in_its_lock() {
    let place = Place::new();
    assert!(!is_in_use(&place.path()));
    let lock = Lock::take(&place.path()).unwrap();
    assert!(is_in_use(&place.path()));
    drop(lock);
    assert!(!is_in_use(&place.path()));
}

#[test]
fn what_was_set_aside_is_retained_and_waits_for_nobody() {
    let place = Place::new();
    let mut written = Unwritten { queued: (1..=3).map(queued).collect(), ..Unwritten::default() };
    place.open().write(&written, at(10)).unwrap();
    written = Unwritten::default();
    written.settle(refused(1), at(11));
    written.settle(Settled::Superseded(2), at(11));
    place.open().write(&written, at(11)).unwrap();
    let (_, undelivered, next_id) = place.load();
    assert_eq!((undelivered.iter().map(|delivery| delivery.id).collect::<Vec<_>>(), next_id), (vec![3], 4));
    let shown = "SELECT count(*) FROM notices WHERE id = 1 AND refusal = 'it answered 400' AND set_aside_at > '2027'
                 AND told_at IS NULL AND alert = 'TokenRejected'";
    assert_eq!((place.count(shown), place.count("SELECT count(*) FROM outbox")), (1, 2), "what was superseded is gone");
    let discard = Unwritten { discard_before: Some(at(500)), ..Unwritten::default() };
    place.open().write(&discard, at(2000)).unwrap();
    assert_eq!(place.count("SELECT count(*) FROM outbox"), 1, "it is retained for as long as history is");
}

#[test]
fn what_happened_to_an_alert_is_read_with_what_became_of_each_notification() {
    let place = Place::new();
    let by = Acknowledgement { by: "Pat".to_owned(), reason: "on it".to_owned(), until: at(900), at: at(15) };
    let taken_on = |seconds, acknowledgement| TakenOn { alert: "a".to_owned(), at: at(seconds), acknowledgement };
    let of = |id: &str, change| Arc::new(Notification { id: id.to_owned(), change, ..notification("a") });
    let deliveries = |id, receiver: &str, notification: &Arc<Notification>, seconds| Delivery {
        id,
        receiver: receiver.into(),
        queued_at: at(seconds),
        notification: Arc::clone(notification),
    };
    let (new, over, other) = (of("a", Change::New), of("a", Change::Resolved), of("b", Change::New));
    let mut written = unwritten([Record::TakenOn(taken_on(15, Some(by.clone()))), Record::TakenOn(taken_on(16, None))]);
    written.notified = vec![(at(10), Arc::clone(&new)), (at(11), Arc::clone(&other))];
    written.queued = vec![
        deliveries(1, "hook", &new, 10),
        deliveries(2, "chat", &new, 10),
        deliveries(3, "mail", &new, 10),
        deliveries(4, "hook", &other, 11),
    ];
    let mut database = place.open();
    database.write(&written, at(17)).unwrap();
    let mut later = Unwritten { notified: vec![(at(20), over)], ..Unwritten::default() };
    later.settle(Settled::Delivered(1), at(12));
    later.settle(refused(2), at(13));
    database.write(&later, at(21)).unwrap();
    let AlertHistory { events, deliveries } = alert_history(&place.path(), "a").unwrap();
    let said: Vec<_> = events
        .iter()
        .map(|event| match event {
            AlertEvent::Notified { at, notification } => (*at, notification.change.as_str()),
            AlertEvent::TakenOn(TakenOn { at, acknowledgement: Some(taken), .. }) if *taken == by => (*at, "taken on"),
            AlertEvent::TakenOn(TakenOn { at, .. }) => (*at, "given back"),
        })
        .collect();
    assert_eq!(said, [(at(10), "new"), (at(15), "taken on"), (at(16), "given back"), (at(20), "resolved")]);
    let outcomes: Vec<_> = deliveries.iter().map(|one| (one.receiver.as_str(), &one.outcome)).collect();
    let refusal = DeliveryOutcome::Refused(at(13), "it answered 400".to_owned());
    let expected = [DeliveryOutcome::Delivered(at(12)), refusal, DeliveryOutcome::Waits];
    assert_eq!(outcomes, ["hook", "chat", "mail"].into_iter().zip(&expected).collect::<Vec<_>>());
    assert_eq!(alert_history(&place.path(), "c").unwrap(), AlertHistory::default());
    let ended = ended_alerts(&place.path()).unwrap();
    let ended: Vec<_> = ended.iter().map(|one| (one.at, one.notification.id.as_str())).collect();
    assert_eq!(ended, [(at(20), "a")], "the other fires still");
    assert!(alert_history(&place.path().with_extension("none"), "a").is_err());
    let discard = Unwritten { discard_before: Some(at(500)), ..Unwritten::default() };
    database.write(&discard, at(2000)).unwrap();
    assert_eq!(place.count("SELECT count(*) FROM alert_events"), 0, "it is retained for as long as history is");
}

#[test]
fn an_outbox_full_of_flapping_is_thinned_when_it_is_read() {
    let place = Place::new();
    let flapping = |id: i64| {
        let mut notification = notification("a");
        notification.change = if id % 2 == 0 { Change::Resolved } else { Change::New };
        Delivery { id, receiver: "hook".into(), queued_at: at(id), notification: Arc::new(notification) }
    };
    let mut written = Unwritten { queued: (1..=999).map(flapping).collect(), ..Unwritten::default() };
    written.queued.push(queued(1000));
    place.open().write(&written, at(10)).unwrap();
    let ids = |place: &Place| place.load().1.iter().map(|delivery| delivery.id).collect::<Vec<_>>();
    assert_eq!(ids(&place), [1, 998, 999, 1000], "the first, the last change, and what waits for another");
    assert_eq!(place.count("SELECT count(*) FROM outbox"), 4);
    assert_eq!(ids(&place), [1, 998, 999, 1000]);
}

#[test]
fn a_store_that_the_version_before_wrote_is_opened_with_what_waits() {
    let place = Place::new();
    let old = Connection::open(place.path()).unwrap();
    for schema in [include_str!("schema/1.sql"), include_str!("schema/2.sql")] {
        old.execute_batch(schema).unwrap();
    }
    let notification = |status: &str| {
        format!(
            r#"{{"key":{{"alert":"TokenRejected","of":{{"tenant":"acme","token_name":"a"}},"subject":null}},
                "status":"{status}","severity":"critical","since":"2026-11-01T00:00:00Z",
                "words":{{"message":"it is refused","cause":null,"evidence":null,"permission":null,"right":null,
                          "security_group":null,"profile":null}}}}"#
        )
    };
    let (begins, ends) = (notification("firing"), notification("resolved"));
    let firing = r#"[{"alert":"PermissionLost","subject":"Tickets - Edit","severity":"critical",
        "since":"2026-11-01T00:00:00Z","told_at":"2026-11-02T00:00:00Z","notices":0,"represents_group":false,
        "words":{"message":"it lost it. Tick it","cause":"token","evidence":"probe","permission":"Tickets - Edit",
                 "right":null,"security_group":null,"profile":"jumpcloud"}}]"#;
    let when = "2026-11-23T10:00:00.000Z";
    old.execute_batch(&format!(
        "INSERT INTO outbox (receiver, queued_at, told_at, notice) VALUES ('hook', '{when}', '{when}', \
         '{begins}');
         INSERT INTO outbox (receiver, queued_at, notice) VALUES ('hook', '{when}', '{ends}');
         INSERT INTO firing (tenant, token_name, firing) VALUES ('acme', 'a', '{firing}');
         PRAGMA application_id = {}; PRAGMA user_version = 2",
        super::database::APPLICATION
    ))
    .unwrap();
    drop(old);
    let (state, undelivered, next_id) = place.load();
    assert_eq!((undelivered.len(), undelivered[0].id, next_id), (1, 2, 3));
    assert_eq!(undelivered[0].notification.change, Change::Resolved);
    assert_eq!(state.tokens[&id("a")].firing.len(), 1, "the engine takes it from there");
    let shown = "SELECT count(*) FROM notices WHERE set_aside_at IS NULL AND scope = 'token' AND incident IS NULL
                 AND (status = 'firing' AND change = 'new' OR status = 'resolved' AND change = 'resolved')";
    assert_eq!(place.count(shown), 2);
    let fires =
        "SELECT count(*) FROM alerts WHERE scope = 'token' AND token_name = 'a' AND affected = 1 AND id IS NULL";
    assert_eq!(place.count(fires), 1);
    let taken_over = Record::Firing { of: id("a").into(), firing: Arc::default() };
    place.open().write(&unwritten([taken_over]), at(20)).unwrap();
    assert_eq!(place.count("SELECT count(*) FROM firing"), 0);
}
