//! What must hold of answers, whatever a server sends; `crate::untrusted` says who asks.

use crate::catalog::catalog;
use crate::model::disturbs;

use super::{Answer, Failure, MeObservation, ProbeObservation, Reason, UserObservation};

/// In characters: more than any label that is made of an answer.
const LONGEST_LABEL: usize = 100;
const CONTENT_TYPES: [&str; 5] = ["application/json; charset=utf-8", "text/html", "text/plain", "", "application/JSON"];

/// The first four bytes say which status, content type and end the answer has, the others are its body. Nothing but the
/// status makes a verdict, nothing of a body is granted by itself, and what becomes a label is short and printable.
///
/// # Panics
/// Where that does not hold.
pub(crate) fn answer(bytes: &[u8]) {
    let [high, low, kind, end, body @ ..] = bytes else { return };
    let status = 100 + u16::from_be_bytes([*high, *low]) % 500;
    let content_type = CONTENT_TYPES[usize::from(*kind) % CONTENT_TYPES.len()];
    let is_broken = end % 4 == 1;
    let answer = Answer::new(status, content_type, body.to_vec())
        .broken(is_broken.then(|| Failure::new(Reason::TooLarge, "too long")))
        .with_challenger(|name| (name == "server" && end % 4 == 2).then_some("cloudflare"));
    match answer.me() {
        MeObservation::Works(me) => {
            assert!(status == 200 && !is_broken, "{answer:?}");
            let names = [me.user_name.as_deref(), me.subdomain.as_deref()];
            names.into_iter().flatten().for_each(is_label);
            me.rights.iter().for_each(|(right, _)| is_label(right.as_str()));
            assert!(me.user_name.is_none_or(|name| !name.contains('@')), "an address of a person: {answer:?}");
        }
        MeObservation::Refused | MeObservation::Restricted => assert_eq!(status, 401),
        MeObservation::Blocked => assert!([401, 403].contains(&status)),
        MeObservation::Failed(failure) => is_sentence(&failure),
    }
    match answer.user() {
        UserObservation::Group(group) => {
            assert!(status == 200 && !is_broken, "{answer:?}");
            group.as_deref().into_iter().for_each(is_label);
        }
        UserObservation::Failed(failure) => is_sentence(&failure),
    }
    for probe in catalog().permissions().filter_map(|(_, permission)| permission.probe.as_ref()) {
        match answer.probe(probe) {
            ProbeObservation::Missing => assert_eq!(status, 401),
            ProbeObservation::Granted(seen) => {
                assert!(seen == status && probe.granted.contains(&status) && !probe.is_any_of(), "{answer:?}");
            }
            ProbeObservation::LetThrough(seen) => assert_eq!(seen, status),
            ProbeObservation::Failed(failure) => is_sentence(&failure),
            _ => assert_ne!(status, 401, "a refusal says something: {answer:?}"),
        }
        assert!(!matches!(answer.probe_of_record(probe), ProbeObservation::Missing), "a record may be switched off");
    }
    assert!(answer.list().records.iter().all(|record| record.id > 0), "record 0 exists nowhere");
}

fn is_label(text: &str) {
    assert!(!text.contains(disturbs) && text.chars().count() <= LONGEST_LABEL, "no label: {text:?}");
}

fn is_sentence(failure: &Failure) {
    assert!(!failure.detail.is_empty() && !failure.detail.contains(disturbs), "not for people: {failure:?}");
}
