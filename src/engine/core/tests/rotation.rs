//! The next token: proven beside the one in use, never a reason to notify anybody, and switched to once.

use std::path::PathBuf;

use super::*;
use crate::belief::TransitionKind;
use crate::engine::effect::Switch;
use crate::model::{NextToken, RotateWhen, Token, TokenSource};
use crate::state::Entry;
use crate::syncro::{Fingerprint, Part, TokenObservation, TokenValue};

fn with_next(rotate_when: RotateWhen) -> Token {
    let source = TokenSource::File(PathBuf::from("next"));
    Token { next: Some(NextToken { source, expires: Some(at(9_000_000)), rotate_when }), ..token("t", &[LIST]) }
}

fn is_next(job: &crate::check::Job) -> bool {
    job.token.source == TokenSource::File(PathBuf::from("next"))
}

fn former() -> TokenSource {
    TokenSource::File(PathBuf::from("token.old"))
}

fn fingerprint(value: &str) -> Fingerprint {
    TokenValue::for_test(value).fingerprint()
}

/// Answers each job: the value in use is that of `in_use` and works, and the next one may `list` or not.
fn answered(core: &mut Core, effects: &[Effect], now: i64, in_use: &str, list: bool) -> Vec<Effect> {
    let mut all = Vec::new();
    for job in jobs(effects) {
        let is_former = job.token.source == former();
        let value = if is_next(&job) {
            "next"
        } else if is_former {
            "former"
        } else {
            in_use
        };
        let mut me = observed(now, works(&[]));
        if let Part::Token(TokenObservation::Me { fingerprint: shown, .. }) = &mut me.part {
            *shown = fingerprint(value);
        }
        let wants = job.permissions.is_some();
        let key = job.key;
        all.extend(
            core.handle(Event::Observed { key, observed: Box::new(me), ended: (!wants).then(|| ended(&job)) }, at(now)),
        );
        if wants {
            let granted = !is_next(&job) || list;
            let seen = if granted { ProbeObservation::Granted(200) } else { ProbeObservation::Missing };
            let observed = Box::new(probed(now, &[(LIST, seen)]));
            all.extend(core.handle(Event::Observed { key, observed, ended: Some(ended(&job)) }, at(now)));
        }
    }
    all
}

/// Answers what these effects start, and what follows from the answers; everything that was wanted.
fn settled(core: &mut Core, mut effects: Vec<Effect>, now: i64, in_use: &str, list: bool) -> Vec<Effect> {
    let mut all = Vec::new();
    while !effects.is_empty() {
        let next = answered(core, &effects, now, in_use, list);
        all.append(&mut effects);
        effects = next;
    }
    all
}

/// Lives through so many seconds from `from`; everything that was wanted.
fn live(core: &mut Core, from: i64, seconds: i64, in_use: &str, list: bool) -> Vec<Effect> {
    let mut all = Vec::new();
    for now in from..from + seconds {
        let effects = core.handle(Event::Tick, at(now));
        all.extend(settled(core, effects, now, in_use, list));
    }
    all
}

fn words(effects: &[Effect], kind: TransitionKind) -> Vec<String> {
    let word = |effect: &Effect| match effect {
        Effect::Record(Record::Entry(Entry::Changed { transition, .. })) if transition.kind == kind => {
            Some(transition.after.clone())
        }
        _ => None,
    };
    effects.iter().filter_map(word).collect()
}

fn switches(effects: &[Effect]) -> Vec<Switch> {
    effects
        .iter()
        .filter_map(|effect| if let Effect::Switch(one) = effect { Some(one.clone()) } else { None })
        .collect()
}

#[test]
fn what_the_next_token_lacks_is_known_and_nobody_is_notified_of_it() {
    let mut core = new(Arc::new(config(vec![with_next(RotateWhen::Proven)])), at(0));
    let effects = live(&mut core, 0, 8000, "value", false);
    assert_eq!(words(&effects, TransitionKind::NextToken), ["lacking"]);
    assert_eq!((notified(&effects), switches(&effects)), (vec![], vec![]));
    let asked = jobs(&effects).iter().filter(|job| is_next(job)).count();
    assert_eq!(asked, 3, "as often as the permissions of the one in use");
    assert_eq!(core.agenda.free(), SLOTS);
    assert_eq!(core.snapshot().tokens.len(), 1);
}

#[test]
fn a_proven_one_is_switched_to_where_the_configuration_says_so_and_then_the_former_is_checked() {
    let mut asked = new(Arc::new(config(vec![with_next(RotateWhen::Asked)])), at(0));
    assert_eq!(switches(&live(&mut asked, 0, 8000, "value", true)), []);
    let mut core = new(Arc::new(config(vec![with_next(RotateWhen::Proven)])), at(0));
    let effects = live(&mut core, 0, 10, "value", true);
    assert_eq!(words(&effects, TransitionKind::NextToken), ["proven"]);
    let [switch] = switches(&effects).try_into().expect("one switch");
    assert_eq!(switch.next, fingerprint("next"));
    let effects = core.handle(Event::Switched(switch), at(10));
    assert!(jobs(&effects).iter().all(|job| !is_next(job) && job.permissions.is_some()), "the one in use, at once");
    assert_eq!(core.snapshot().tokens[0].token.expires, None);
    let mut effects = settled(&mut core, effects, 10, "next", true);
    effects.extend(live(&mut core, 11, 8000, "next", true));
    assert_eq!(words(&effects, TransitionKind::Fingerprint), [fingerprint("next").to_string()]);
    assert_eq!(switches(&effects), [], "it is in use");
    let token = core.snapshot().tokens[0].clone();
    assert_eq!(token.token.expires, Some(at(9_000_000)), "that of the token whose value it is");
    let former = token.status.former.as_ref().expect("it is checked");
    assert!(former.validity.last_attempt.is_some());
    let of_next: Vec<_> = jobs(&effects).into_iter().filter(is_next).collect();
    assert!(!of_next.is_empty() && of_next.iter().all(|job| job.permissions.is_none()), "only whether it works");
}

#[test]
fn a_clock_set_back_does_not_stop_the_checks_of_what_is_beside_the_one_in_use() {
    let mut core = new(Arc::new(config(vec![with_next(RotateWhen::Asked)])), at(100_000));
    let _ = live(&mut core, 100_000, 10, "value", true);
    let _ = live(&mut core, 100_010, 1000, "next", true);
    let effects = live(&mut core, 0, 4000, "next", true);
    let of_next = jobs(&effects).iter().filter(|job| is_next(job)).count();
    let of_former = jobs(&effects).iter().filter(|job| job.token.source == former()).count();
    assert!((1..=2).contains(&of_next) && (1..=2).contains(&of_former), "{of_next}, {of_former}");
    let status = TokenStatus::clone(&core.snapshot().tokens[0].status);
    for beside in [status.next, status.former].into_iter().flatten() {
        assert!(beside.since < Some(at(4000)) && beside.validity.last_attempt < Some(at(4000)), "{beside:?}");
    }
}

#[test]
fn an_answer_from_before_the_clock_was_set_back_lies_not_ahead() {
    let mut core = new(Arc::new(config(vec![with_next(RotateWhen::Asked)])), at(100_000));
    let effects = core.handle(Event::Tick, at(100_000));
    let next = jobs(&effects).into_iter().find(is_next).expect("it is checked");
    let _ = core.handle(Event::Tick, at(0));
    let late = Box::new(observed(100_000, works(&[])));
    let _ = core.handle(Event::Observed { key: next.key, observed: late, ended: Some(ended(&next)) }, at(1));
    let believed = core.snapshot().tokens[0].status.next.clone().expect("it was checked");
    assert_eq!(believed.validity.last_attempt, Some(at(1)));
}

#[test]
fn why_the_proven_one_could_not_be_put_in_place_is_known_until_it_is() {
    let mut core = new(Arc::new(config(vec![with_next(RotateWhen::Proven)])), at(0));
    let [switch] = switches(&live(&mut core, 0, 10, "value", true)).try_into().expect("one switch");
    let why = |core: &mut Core| {
        core.snapshot().tokens[0].status.next.as_ref().and_then(|next| next.not_switched.as_deref().map(str::to_owned))
    };
    let effects = core.handle(Event::NotSwitched(switch.clone(), "the disk is full".to_owned()), at(10));
    assert!(effects.iter().any(|effect| matches!(effect, Effect::Record(Record::TokenStatus { .. }))), "{effects:?}");
    assert_eq!(why(&mut core).as_deref(), Some("the disk is full"));
    let [again] = switches(&live(&mut core, 11, 3700, "value", true)).try_into().expect("it is tried again");
    let effects = core.handle(Event::NotSwitched(again.clone(), "the disk is full".to_owned()), at(3711));
    assert!(!effects.iter().any(|effect| matches!(effect, Effect::Record(_))), "the same is no news: {effects:?}");
    assert_eq!(why(&mut core).as_deref(), Some("the disk is full"));
    let _ = core.handle(Event::Switched(again), at(3712));
    assert_eq!(why(&mut core), None);
    let other = Switch { next: fingerprint("another"), ..switch };
    let _ = core.handle(Event::NotSwitched(other, "it is another".to_owned()), at(3713));
    assert_eq!(why(&mut core), None, "nothing is said of a value that is not there");
}

#[test]
fn a_reload_without_the_next_token_while_it_is_checked_loses_no_slot() {
    let mut core = new(Arc::new(config(vec![with_next(RotateWhen::Proven)])), at(0));
    let effects = core.handle(Event::Tick, at(0));
    assert_eq!(jobs(&effects).iter().filter(|job| is_next(job)).count(), 1);
    let changed = core.handle(Event::Reload(Arc::new(config(vec![token("t", &[LIST])]))), at(1));
    let effects = [effects, changed].concat();
    let effects = settled(&mut core, effects, 2, "value", true);
    assert_eq!(switches(&effects), []);
    let effects = live(&mut core, 3, 4000, "value", true);
    assert_eq!(jobs(&effects).iter().filter(|job| is_next(job)).count(), 0);
    assert_eq!((core.agenda.free(), core.snapshot().tokens[0].status.next.is_none()), (SLOTS, true));
}

#[test]
fn a_switch_that_was_made_while_nobody_watched_is_recognised_after_a_start() {
    let configured = Arc::new(config(vec![with_next(RotateWhen::Asked)]));
    let mut core = new(Arc::clone(&configured), at(0));
    let _ = live(&mut core, 0, 10, "value", true);
    let status = TokenStatus::clone(&core.snapshot().tokens[0].status);
    let mut state = PersistedState::default();
    let id = configured.tokens[0].id();
    state.tokens.insert(id, crate::state::PersistedToken { status, firing: Vec::new() });
    let mut again = Core::start(configured, state, at(100)).0;
    let effects = live(&mut again, 100, 1000, "next", true);
    assert_eq!(words(&effects, TransitionKind::Fingerprint).len(), 1);
    let token = again.snapshot().tokens[0].clone();
    assert!(token.status.former.is_some() && token.status.is_switched());
}

#[test]
fn that_both_values_are_the_same_is_no_switch() {
    let mut core = new(Arc::new(config(vec![with_next(RotateWhen::Proven)])), at(0));
    let effects = live(&mut core, 0, 8000, "next", true);
    assert_eq!((words(&effects, TransitionKind::NextToken), switches(&effects)), (vec!["in_use".to_owned()], vec![]));
    let token = core.snapshot().tokens[0].clone();
    assert_eq!(token.token.expires, None, "the date of the next token does not count");
    assert!(token.status.former.is_none());
}

#[test]
fn after_a_second_switch_the_former_value_is_checked_anew() {
    let mut core = new(Arc::new(config(vec![with_next(RotateWhen::Asked)])), at(0));
    let _ = live(&mut core, 0, 10, "value", true);
    let _ = live(&mut core, 10, 1000, "next", true);
    let checked = |core: &mut Core| core.snapshot().tokens[0].status.former.clone().expect("there is one");
    assert_eq!(checked(&mut core).fingerprint, Some(fingerprint("former")), "what is in the file");
    // The command has switched to a value that the daemon has not seen in the next file.
    let _ = live(&mut core, 2000, 1000, "third", true);
    let checked = checked(&mut core).validity.last_attempt;
    assert!(checked >= Some(at(2000)), "{checked:?}");
    assert_eq!(core.snapshot().tokens[0].token.expires, None, "the next file has another value");
}
