//! Several processes and one file, on a clock that the test moves.

use proptest::prelude::*;
use tempfile::TempDir;

use super::super::bucket::LONGEST_COURTESY;
use super::super::budget_file::BudgetFile;
use super::*;

const MINUTE: Duration = Duration::from_mins(1);
/// The machine has run for some time.
const START: Duration = Duration::from_hours(1);

fn rate(requests_per_minute: u32) -> Rate {
    Rate::per_minute(NonZeroU32::new(requests_per_minute).unwrap())
}

fn query(party: Party, rate: Rate, now: Duration) -> Query {
    let (host, boot) = ("syncromsp.com".to_owned(), "a".to_owned());
    Query { party, rate, host, since: now, others: 0, without_burst: false, boot, now }
}

/// A process that sends as much as it may.
struct Process {
    party: Party,
    ledger: Ledger,
    since: Duration,
    next: Duration,
    /// How many requests wait behind the one that is asked for.
    others: u32,
}

impl Process {
    fn new(party: Party, rate: Rate, starts: Duration) -> Self {
        Self { party, ledger: Ledger::new(party, rate), since: starts, next: starts, others: 0 }
    }

    /// Asks once, when its next moment has come; returns when a request leaves, if one does.
    fn ask(&mut self, file: &BudgetFile, rate: Rate) -> Option<Duration> {
        let query = Query { since: self.since, others: self.others, ..query(self.party, rate, self.next) };
        if let Some(decision) = self.ledger.take_booked(&query) {
            let left = if let Decision::At(at) = decision { at } else { self.next };
            (self.since, self.next) = (left, left);
            return Some(left);
        }
        if let Some(at) = self.ledger.waits_until(&query) {
            let asked = file.update(|found| (self.ledger.clone().take(found, &query).0, None)).unwrap();
            match asked {
                Outcome::Decided(Decision::Later(later)) => assert!(later >= at, "the file makes it only later"),
                Outcome::Paused(_) => {}
                Outcome::Decided(decision) => panic!("{decision:?} before {at:?}"),
            }
            self.next = at;
            return None;
        }
        match file.update(|found| self.ledger.take(found, &query)).unwrap() {
            Outcome::Decided(Decision::Now) => Some(self.next),
            Outcome::Decided(Decision::At(at)) => Some(at),
            Outcome::Decided(Decision::Later(at)) | Outcome::Paused(at) => {
                assert!(at > self.next, "it would turn for ever");
                self.next = at;
                None
            }
        }
        .inspect(|left| (self.since, self.next) = (*left, *left))
    }
}

/// What all of these send until `end`, in the order in which it leaves; each with the number of the process.
fn sent(
    processes: &mut [Process],
    rate: Rate,
    end: Duration,
    mut happens: impl FnMut(&mut [Process], &BudgetFile, Duration),
) -> Vec<(Duration, usize)> {
    let folder = TempDir::new().unwrap();
    let file = BudgetFile::beside(&folder.path().join("state.db"));
    let mut sent = Vec::new();
    loop {
        let (number, process) = processes.iter_mut().enumerate().min_by_key(|(_, process)| process.next).unwrap();
        let now = process.next;
        if now > end {
            break;
        }
        sent.extend(process.ask(&file, rate).map(|left| (left, number)));
        happens(processes, &file, now);
    }
    sent.sort_unstable();
    sent
}

fn most_in_a_minute(sent: &[(Duration, usize)]) -> usize {
    let within = |start: Duration| sent.iter().filter(|(at, _)| (start..start + MINUTE).contains(at)).count();
    sent.iter().map(|(start, _)| within(*start)).max().unwrap_or(0)
}

fn limit(requests_per_minute: u32) -> usize {
    (requests_per_minute + 10).min(180.max(requests_per_minute)) as usize
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn no_minute_sees_more_than_the_budget_whoever_takes_it(
        requests_per_minute in prop::sample::select(vec![1, 7, 60, 90, 170, 178, 180]),
        starts in prop::collection::vec(0_u64..100, 1..4),
        daemon_starts in 0_u64..100,
        kills in prop::collection::vec((0_u64..200, 0_usize..4), 0..6),
        damage in 0_u64..200,
        idles in 0_u64..100,
        others in 0_u32..20,
    ) {
        let rate = rate(requests_per_minute);
        let seconds = |seconds| START + Duration::from_secs(seconds);
        let commands = starts.into_iter().enumerate().map(|(number, at)| {
            Process::new(if number == 0 { Party::Alone } else { Party::Beside }, rate, seconds(at))
        });
        let mut processes: Vec<_> = commands.chain([Process { others, ..Process::new(Party::Daemon, rate, seconds(daemon_starts)) }]).collect();
        let (mut kills, mut damage) = (kills, Some(seconds(damage)));
        let sent = sent(&mut processes, rate, seconds(240), |processes, file, now| {
            kills.retain(|(at, number)| {
                let is_due = seconds(*at) <= now;
                if let Some(process) = processes.get_mut(*number).filter(|_| is_due) {
                    // What starts in its place knows nothing, and sends nothing at once.
                    let starts = process.next.max(now) + Duration::from_secs(idles);
                    *process = Process { others: process.others, ..Process::new(process.party, rate, starts) };
                }
                !is_due
            });
            if damage.take_if(|at| *at <= now).is_some() {
                std::fs::write(file.path(), "{\"boot\":\"a\",\"full_at\":").unwrap();
            }
        });
        let most = most_in_a_minute(&sent);
        prop_assert!(most <= limit(requests_per_minute), "{most} of {requests_per_minute} in a minute");
    }
}

#[test]
fn a_daemon_keeps_most_of_the_budget_and_a_command_gets_some() {
    for requests_per_minute in [30, 90, 170, 180, 1200] {
        let rate = rate(requests_per_minute);
        for parties in [vec![Party::Daemon], vec![Party::Daemon, Party::Beside], vec![Party::Beside]] {
            let others = 20;
            let mut processes: Vec<_> =
                parties.iter().map(|party| Process { others, ..Process::new(*party, rate, START) }).collect();
            let sent = sent(&mut processes, rate, START + MINUTE * 10, |_, _, _| ());
            let all = requests_per_minute as usize * 10;
            assert!(
                sent.len() * 100 >= all * 97 || parties == [Party::Beside],
                "{requests_per_minute}: {}",
                sent.len()
            );
            let first = sent.iter().filter(|(_, number)| *number == 0).count();
            match parties[..] {
                [Party::Daemon, _] => {
                    assert!(first * 100 >= sent.len() * 75, "{requests_per_minute}: {first} of {}", sent.len());
                    let longest = LONGEST_COURTESY as usize + 1;
                    assert!((sent.len() - first) * longest >= sent.len(), "{requests_per_minute}: {first}");
                }
                _ => assert!(first * 100 >= all * 97, "{requests_per_minute}: {first}"),
            }
        }
    }
}

#[test]
fn what_a_killed_command_took_is_back_within_moments() {
    let rate = rate(60);
    let mut processes = [Process::new(Party::Beside, rate, START), Process::new(Party::Daemon, rate, START + MINUTE)];
    let sent = sent(&mut processes, rate, START + MINUTE * 2, |processes, _, now| {
        if now >= START + Duration::from_secs(50) {
            processes[0].next = Duration::MAX;
        }
    });
    let of_daemon: Vec<_> = sent.iter().filter(|(_, number)| *number == 1).collect();
    assert_eq!(of_daemon[9].0, START + MINUTE, "after ten seconds the whole burst is there");
}

/// When the first request of a new daemon may leave, by what the file says.
fn first(found: Found) -> Decision {
    let rate = rate(60);
    let outcome = Ledger::new(Party::Daemon, rate).take(found, &query(Party::Daemon, rate, START)).0;
    let Outcome::Decided(decision) = outcome else { panic!("{outcome:?}") };
    decision
}

#[test]
fn a_file_that_cannot_be_believed_costs_the_burst_only() {
    let entry = Ledger::default().entry(rate(60), "a");
    assert_eq!(first(Found::Nothing), Decision::Now);
    assert_eq!(first(Found::Entry(entry.clone())), Decision::Now);
    let later = Decision::Later(START + Duration::from_secs(1));
    assert_eq!(first(Found::Unusable), later);
    assert_eq!(
        first(Found::Entry(Entry { boot: "b".to_owned(), ..entry.clone() })),
        later,
        "the machine was restarted"
    );
    assert_eq!(first(Found::Entry(Entry { full_at: u64::MAX, ..entry.clone() })), later, "a clock was set back");
    // A file that is damaged again and again delays nothing.
    let mut ledger = Ledger::new(Party::Daemon, rate(60));
    let mut decide = |now| ledger.take(Found::Unusable, &query(Party::Daemon, rate(60), now)).0;
    for second in 1..100 {
        let now = START + Duration::from_secs(second - 1);
        let outcome = decide(now);
        assert_eq!(matches!(outcome, Outcome::Decided(Decision::Now)), second > 1, "{second}: {outcome:?}");
    }
}

#[test]
fn a_daemon_says_how_many_requests_leave_and_commands_follow() {
    let (own, others) = (rate(60), rate(6));
    let mut command = Ledger::new(Party::Alone, others);
    let (_, entry) = command.take(Found::Nothing, &query(Party::Alone, others, START));
    let entry = entry.unwrap();
    assert_eq!(entry.requests_per_minute.get(), 6, "nobody has said anything else");
    let mut daemon = Ledger::new(Party::Daemon, own);
    let (outcome, entry) = daemon.take(Found::Entry(entry), &query(Party::Daemon, own, START));
    assert_eq!(outcome, Outcome::Decided(Decision::Later(START + Duration::from_secs(1))), "without a burst");
    let now = START + MINUTE;
    let (outcome, entry) = daemon.take(Found::Entry(entry.unwrap()), &query(Party::Daemon, own, now));
    assert_eq!(outcome, Outcome::Decided(Decision::Now));
    let (outcome, entry) = command.take(Found::Entry(entry.unwrap()), &query(Party::Alone, others, now));
    assert_eq!((outcome, entry.unwrap().requests_per_minute.get()), (Outcome::Decided(Decision::Now), 60));
}

#[test]
fn a_throttle_pauses_all_for_its_host_and_for_so_long() {
    let (rate, until) = (rate(60), START + Duration::from_secs(30));
    let entry = Ledger::default().throttle(Found::Nothing, &query(Party::Beside, rate, START), until);
    let mut daemon = Ledger::new(Party::Daemon, rate);
    let mut ask = |host: &str, now| {
        let query = Query { host: host.to_owned(), ..query(Party::Daemon, rate, now) };
        daemon.take(Found::Entry(entry.clone()), &query).0
    };
    assert_eq!(ask("syncromsp.com", START), Outcome::Paused(until));
    assert_eq!(ask("127.0.0.1:1", START), Outcome::Decided(Decision::Now));
    assert_eq!(ask("syncromsp.com", until), Outcome::Decided(Decision::Now));
    let mut entry = Ledger::default().entry(rate, "a");
    for host in 0..100 {
        let query = Query { host: host.to_string(), ..query(Party::Beside, rate, START) };
        entry = Ledger::default().throttle(Found::Entry(entry), &query, until);
    }
    assert_eq!(entry.throttled.len(), MOST_HOSTS);
}

#[test]
fn what_waits_behind_a_request_is_booked_with_it_and_given_up_when_it_is_late() {
    let (rate, period) = (rate(600), Duration::from_millis(100));
    let waits = |others, now| Query { others, ..query(Party::Daemon, rate, now) };
    let mut daemon = Ledger::new(Party::Daemon, rate);
    let mut found = Found::Nothing;
    let mut book = |daemon: &mut Ledger, others, now| {
        let (outcome, entry) = daemon.take(found.clone(), &waits(others, now));
        found = Found::Entry(entry.unwrap());
        outcome
    };
    assert_eq!(book(&mut daemon, 100, START), Outcome::Decided(Decision::Now));
    let booked: Vec<_> = (0..10).map_while(|_| daemon.take_booked(&waits(100, START))).collect();
    assert_eq!(booked, [Decision::Now; 3], "four together");
    assert_eq!(book(&mut daemon, 100, START), Outcome::Decided(Decision::Now));
    while daemon.take_booked(&waits(100, START)).is_some() {}
    assert_eq!(book(&mut daemon, 2, START), Outcome::Decided(Decision::Now));
    let booked: Vec<_> = (0..10).map_while(|_| daemon.take_booked(&waits(0, START))).collect();
    assert_eq!(
        booked,
        [Decision::Now, Decision::At(START + period)],
        "those that wait and no more, ten of them at once"
    );
    assert_eq!(daemon.waits_until(&waits(0, START)), Some(START + period * 2));
    for late in [Duration::ZERO, BELATED] {
        let now = START + Duration::from_secs(10);
        assert_eq!(book(&mut daemon, 1, now + late * 3), Outcome::Decided(Decision::Now));
        assert_eq!(daemon.take_booked(&waits(0, now + late * 4)), Some(Decision::Now), "it has waited for a moment");
        assert_eq!(book(&mut daemon, 1, now + late * 6), Outcome::Decided(Decision::Now));
        let too_late = now + late * 7 + Duration::from_millis(1);
        assert_eq!(daemon.take_booked(&waits(0, too_late)).is_none(), late == BELATED);
    }
    assert_eq!(book(&mut daemon, 1, START + MINUTE), Outcome::Decided(Decision::Now));
    let other_rate = Query { rate: Rate::per_minute(NonZeroU32::new(6).unwrap()), ..waits(0, START + MINUTE) };
    assert_eq!(daemon.take_booked(&other_rate), None, "it was booked of another budget");
}
