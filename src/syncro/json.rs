//! Reads the few members of a JSON object that are needed, and ignores all others whatever they contain: half a
//! surrogate pair, a number beyond any type, a thousand brackets. Nothing here calls itself for each level of the text.
//! Pure.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer as _, IgnoredAny, MapAccess, Visitor};
use serde_json::Deserializer;
use serde_json::value::RawValue;

use super::{Failure, Reason};

/// The most members that are read; further ones are ignored.
const MOST_MEMBERS: usize = 1000;

/// The members of an object whose names `wanted` accepts, in their order, each with the text of its value. JSON that is
/// no object has none.
///
/// # Errors
/// When the text is not JSON, or ends in the middle.
pub(super) fn members(text: &str, wanted: impl Fn(&str) -> bool) -> Result<Vec<(String, &str)>, Failure> {
    // A reader may ignore a byte order mark (RFC 8259, 8.1).
    let text = text.trim_start_matches('\u{feff}');
    let mut reader = Deserializer::from_str(text);
    let members = if text.trim_ascii_start().starts_with('{') {
        reader.deserialize_map(Members(wanted))
    } else {
        reader.deserialize_ignored_any(IgnoredAny).map(|_| Vec::new())
    };
    members.and_then(|members| reader.end().map(|()| members)).map_err(|error| {
        if error.is_eof() {
            Failure::new(Reason::Malformed, "the answer ends in the middle")
        } else {
            Failure::new(Reason::NotSyncro, "the answer is not JSON")
        }
    })
}

/// The value of the member of this name. Of several members the last one counts, as in most readers.
pub(super) fn member<'a>(members: &[(String, &'a str)], name: &str) -> Option<&'a str> {
    members.iter().rev().find(|(member, _)| member == name).map(|(_, value)| *value)
}

/// Reads a string. Half a surrogate pair in it is replaced.
pub(super) fn string(value: &str) -> Option<String> {
    Deserializer::from_str(value).deserialize_bytes(Text).ok()
}

/// Reads `true` or `false`.
pub(super) fn boolean(value: &str) -> Option<bool> {
    value.parse().ok()
}

/// Reads a whole number, or a string that contains one.
pub(super) fn number(value: &str) -> Option<u64> {
    string(value).as_deref().unwrap_or(value).trim().parse().ok()
}

struct Members<F>(F);

impl<'de, F: Fn(&str) -> bool> Visitor<'de> for Members<F> {
    type Value = Vec<(String, &'de str)>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some(name) = map.next_key_seed(Text)? {
            if members.len() < MOST_MEMBERS && (self.0)(&name) {
                members.push((name, map.next_value::<&RawValue>()?.get()));
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(members)
    }
}

/// Reads a string as bytes, in which half a surrogate pair is no fault.
struct Text;

impl<'de> DeserializeSeed<'de> for Text {
    type Value = String;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<String, D::Error> {
        deserializer.deserialize_bytes(self)
    }
}

impl Visitor<'_> for Text {
    type Value = String;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a string")
    }

    fn visit_str<E>(self, text: &str) -> Result<String, E> {
        Ok(text.to_owned())
    }

    fn visit_bytes<E>(self, bytes: &[u8]) -> Result<String, E> {
        Ok(String::from_utf8_lossy(bytes).into_owned())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Vec<(String, &str)> {
        members(text, |name| name == "a").unwrap()
    }

    #[test]
    fn what_is_not_needed_may_be_as_odd_as_json_allows() {
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        let objects = format!("{}1{}", "{\"x\":".repeat(100_000), "}".repeat(100_000));
        let digits = "9".repeat(10_000);
        for odd in
            [r#""\ud83d""#, r#""\udc00\ud83d x""#, "1e999", "-0.0e-999999999", &digits, &deep, &objects, "[[],{}]"]
        {
            for text in [
                format!(r#"{{"a": 7, "x": {odd}}}"#),
                format!(r#"{{"x": {odd}, "a": 7}}"#),
                format!("\u{feff} {{\"a\": 7, \"x\": {odd}}}"),
                format!(r#"{{"\ud83d": {odd}, "\u0061": 7}}"#),
            ] {
                assert_eq!(member(&read(&text), "a"), Some("7"), "{}", &text[..40.min(text.len())]);
            }
            let wanted = format!(r#"{{"a": {odd}}}"#);
            assert_eq!(member(&read(&wanted), "a"), Some(odd), "a needed one is there too, as it is written");
        }
    }

    #[test]
    fn of_several_members_of_one_name_the_last_counts() {
        assert_eq!(member(&read(r#"{"a": 1, "b": 2, "a": 3}"#), "a"), Some("3"));
        let many = format!("{{{}}}", vec![r#""a": 1"#; 5000].join(","));
        assert_eq!(read(&many).len(), MOST_MEMBERS);
    }

    #[test]
    fn what_is_no_object_has_no_members_and_what_is_no_json_is_reported() {
        for text in ["null", "[1, 2]", "\"{\"", "1e999"] {
            assert_eq!(read(text), [], "{text}");
        }
        let failure = |text| members(text, |_| true).unwrap_err().reason;
        for text in ["", "{", r#"{"a": 7"#, r#"{"a": "x"#, "[[[", "tru"] {
            assert_eq!(failure(text), Reason::Malformed, "{text}");
        }
        for text in ["Disabled", "{'a': 7}", "{} {}", r#"{"a": NaN}"#, "{\"a\": 7,}"] {
            assert_eq!(failure(text), Reason::NotSyncro, "{text}");
        }
    }

    #[test]
    fn values_are_read_leniently() {
        assert_eq!(string(r#""a\ud83db""#).as_deref(), Some("a\u{fffd}\u{fffd}\u{fffd}b"));
        assert_eq!((string("7"), string("null"), string("[1]")), (None, None, None));
        assert_eq!((number("7"), number("\" 7 \""), number("\"\\u0037\"")), (Some(7), Some(7), Some(7)));
        assert_eq!((number("1e999"), number("-7"), number("null"), number("\"\"")), (None, None, None, None));
        assert_eq!(
            (boolean("true"), boolean("false"), boolean("\"true\""), boolean("1")),
            (Some(true), Some(false), None, None)
        );
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_a_panic(text: String) {
            members(&text, |_| true).ok();
            let text = format!("{{\"a\": {text}");
            members(&text, |_| true).ok();
            prop_assert!(boolean(&text).is_none() && number(&text).is_none());
            string(&text);
        }
    }
}
