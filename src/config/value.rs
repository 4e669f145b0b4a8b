//! What one value of the configuration may be. Pure: each function takes a TOML value and returns a typed one.

use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU32;
use std::ops::RangeInclusive;
use std::time::Duration;

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use toml::Value;
use url::{Host, Url};

use super::context::Context;
use crate::catalog::{Operation, catalog};

use super::fault::{Problem, nearest, resembles_token, shown};
use crate::model::{Zone, disturbs};

type Parsed<T> = Result<T, Problem>;

/// Reads a string.
pub(super) fn text<'v>(value: &'v Value, allowed: &str) -> Parsed<&'v str> {
    value.as_str().ok_or_else(|| Problem::new(format!("{}, not a string", kind(value)), allowed))
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::String(_) => "a string",
        Value::Integer(_) => "an integer",
        Value::Float(_) => "a float",
        Value::Boolean(_) => "a boolean",
        Value::Datetime(_) => "a date",
        Value::Array(_) => "a list",
        Value::Table(_) => "a table",
    }
}

/// Reads `true` or `false`.
pub(super) fn flag(value: &Value) -> Parsed<bool> {
    value.as_bool().ok_or_else(|| Problem::new(format!("{}, not true or false", kind(value)), "true or false"))
}

/// Reads a whole number within bounds.
pub(super) fn count(value: &Value, bounds: RangeInclusive<u32>) -> Parsed<NonZeroU32> {
    let allowed = format!("a whole number from {} to {}", bounds.start(), bounds.end());
    let number = value
        .as_integer()
        .ok_or_else(|| Problem::new(format!("{}, not a whole number", kind(value)), allowed.clone()))?;
    u32::try_from(number)
        .ok()
        .filter(|number| bounds.contains(number))
        .and_then(NonZeroU32::new)
        .ok_or_else(|| Problem::new(format!("{number} is out of bounds"), allowed))
}

/// Reads a remark of the operator: one line that is no token value.
pub(super) fn remark(value: &Value) -> Parsed<String> {
    let allowed = "1 to 200 characters on one line, none that turns the direction of text";
    let remark = text(value, allowed)?;
    let is_one_line = !remark.trim().is_empty() && !remark.chars().any(disturbs);
    if !is_one_line || remark.chars().count() > 200 {
        return Err(Problem::new("not a remark", allowed));
    }
    if remark.split_whitespace().any(resembles_token) {
        return Err(Problem::new("looks like a token value", allowed));
    }
    Ok(remark.to_owned())
}

/// Reads the number of a record in Syncro.
pub(super) fn record(value: &Value) -> Parsed<u64> {
    let allowed = "the number of a record in Syncro, from 1 on, as its address in the browser shows it";
    let number = value.as_integer().and_then(|number| u64::try_from(number).ok()).filter(|number| *number > 0);
    number.ok_or_else(|| Problem::new("not the number of a record", allowed))
}

/// Reads an operation on one record, such as `GET /tickets/{id}`.
pub(super) fn operation(value: &Value) -> Parsed<&'static Operation> {
    let allowed = "an operation as `calibrate` prints it, such as \"GET /tickets/{id}\"";
    let word = text(value, allowed)?;
    let operations = catalog().record_operations();
    let known = operations.iter().find(|operation| operation.to_string() == word).copied();
    known.ok_or_else(|| {
        let names: Vec<_> = operations.iter().map(ToString::to_string).collect();
        let near = nearest(word, names.iter().map(String::as_str)).map(|near| format!("did you mean `{near}`?"));
        let problem = format!("{} is no operation that is asked for record 0", shown(word));
        Problem::new(problem, near.unwrap_or_else(|| allowed.to_owned()))
    })
}

/// Reads a duration within bounds, such as `"30s"`, `"5m"`, `"1h 30m"` or `"14d"`.
pub(super) fn duration(value: &Value, bounds: RangeInclusive<Duration>) -> Parsed<Duration> {
    let allowed = format!(
        "a duration such as \"30s\", \"5m\", \"1h\" or \"14d\", from {} to {}",
        in_one_unit(*bounds.start()),
        in_one_unit(*bounds.end())
    );
    let word = text(value, &allowed)?;
    let duration = humantime::parse_duration(word)
        .map_err(|_| Problem::new(format!("{} is not a duration", shown(word)), allowed.clone()))?;
    if bounds.contains(&duration) {
        Ok(duration)
    } else {
        Err(Problem::new(format!("{} is out of bounds", shown(word)), allowed))
    }
}

/// A bound as a person would write it: `90m` rather than `1h 30m`.
fn in_one_unit(duration: Duration) -> String {
    const UNITS: [(u128, &str); 4] = [(86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1000, "s")];
    let milliseconds = duration.as_millis();
    let unit = UNITS.into_iter().find(|(unit, _)| milliseconds >= *unit && milliseconds.is_multiple_of(*unit));
    unit.map_or_else(|| format!("{milliseconds}ms"), |(unit, name)| format!("{}{name}", milliseconds / unit))
}

/// Reads a local address from which connections are made.
pub(super) fn source_address(value: &Value) -> Parsed<IpAddr> {
    let allowed = "an IP address of this machine without a port, such as \"203.0.113.4\" or \"2001:db8::4\"";
    let word = text(value, allowed)?;
    let address: Option<IpAddr> = word.parse().ok();
    let address = address.map(|address| address.to_canonical());
    let is_broadcast = |address: &IpAddr| matches!(address, IpAddr::V4(address) if address.is_broadcast());
    address
        .filter(|address| !address.is_unspecified() && !address.is_multicast() && !is_broadcast(address))
        .ok_or_else(|| Problem::new(format!("{} is not the IP address of a machine", shown(word)), allowed))
}

/// Reads an address to listen on.
pub(super) fn address(value: &Value) -> Parsed<SocketAddr> {
    let allowed = "an address with a port, such as \"127.0.0.1:9760\" or \"[::1]:9760\"";
    let word = text(value, allowed)?;
    word.parse().map_err(|_| Problem::new(format!("{} is not an address with a port", shown(word)), allowed))
}

/// Reads the name of an IANA time zone.
pub(super) fn time_zone(value: &Value, context: &Context<'_>) -> Parsed<Zone> {
    let allowed = "an IANA time zone such as \"UTC\" or \"America/New_York\"";
    let word = text(value, allowed)?;
    context.outside.zone(word).ok_or_else(|| {
        let names = chrono_tz::TZ_VARIANTS.iter().map(|zone| zone.name());
        let near = nearest(word, names).map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
        Problem::new(format!("{} is not a known time zone", shown(word)), format!("{allowed}{near}"))
    })
}

/// Reads one of a few keywords, and returns what it means.
pub(super) fn word<T: Copy>(value: &Value, keywords: &[(&str, T)]) -> Parsed<T> {
    let allowed = keywords.iter().map(|(word, _)| format!("\"{word}\"")).collect::<Vec<_>>().join(" or ");
    let given = text(value, &allowed)?;
    keywords
        .iter()
        .find(|(word, _)| *word == given)
        .map(|(_, meaning)| *meaning)
        .ok_or_else(|| Problem::new(format!("{} is not known here", shown(given)), allowed))
}

/// Reads a name that people read and that becomes a label.
pub(super) fn name(value: &Value) -> Parsed<String> {
    const LONGEST: usize = 100;
    let allowed =
        "a name of 1 to 100 characters on one line, no spaces around it and none that turns the direction of text";
    let name = text(value, allowed)?;
    if name.is_empty()
        || name.trim() != name
        || name.chars().count() > LONGEST
        || name.chars().any(disturbs)
        || resembles_token(name)
        // Browsers take these for a way up, however they are written.
        || matches!(name, "." | "..")
    {
        return Err(Problem::new(format!("{} is not a usable name", shown(name)), allowed));
    }
    Ok(name.to_owned())
}

/// Reads a Syncro subdomain, which is one DNS label.
pub(super) fn subdomain(value: &Value) -> Parsed<String> {
    const LONGEST: usize = 63;
    let allowed = "the part before `.syncromsp.com`: 1 to 63 of a-z, 0-9 and `-`, neither first nor last a `-`";
    let given = text(value, allowed)?;
    let well_formed = !given.is_empty()
        && given.len() <= LONGEST
        && given.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        && !given.starts_with('-')
        && !given.ends_with('-');
    if well_formed {
        Ok(given.to_owned())
    } else {
        Err(Problem::new(format!("{} is not a subdomain", shown(given)), allowed))
    }
}

/// Reads a URL without a user, a query or a fragment.
pub(super) fn url(value: &Value, allowed: &str) -> Parsed<Url> {
    let given = text(value, allowed)?;
    let url = Url::parse(given).map_err(|error| Problem::new(format!("not a URL: {error}"), allowed))?;
    if url.host().is_none() {
        return Err(Problem::new("a URL without a host", allowed));
    }
    if !url.username().is_empty() || url.password().is_some() || url.query().is_some() || url.fragment().is_some() {
        return Err(Problem::new("a URL with user, query or fragment", allowed));
    }
    Ok(url)
}

/// Whether what is sent to this URL stays on this machine.
pub(super) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => IpAddr::from(address).is_loopback(),
        Some(Host::Ipv6(address)) => IpAddr::from(address).is_loopback(),
        None => false,
    }
}

/// Reads the base URL of an API, such as `https://SUBDOMAIN.syncromsp.com/api/v1`; the result has no slash at the end.
pub(super) fn base_url(value: &Value) -> Parsed<String> {
    let allowed = "an https URL, or an http URL of a loopback address, without user, query or fragment";
    let url = url(value, allowed)?;
    match url.scheme() {
        "https" => {}
        "http" if is_loopback(&url) => {}
        "http" => return Err(Problem::new("http would send the token in clear text", allowed)),
        scheme => return Err(Problem::new(format!("the scheme `{scheme}` is not supported"), allowed)),
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

/// Reads a moment: a date, whose start in `zone` counts, or a date-time with an offset.
pub(super) fn moment(value: &Value, zone: &Zone) -> Parsed<DateTime<Utc>> {
    let allowed = "a date such as 2027-03-31 or a date-time with offset such as 2027-03-31T18:00:00Z, without quotes";
    let Value::Datetime(given) = value else {
        return Err(Problem::new(format!("{}, not a date", kind(value)), allowed));
    };
    match (given.date, given.time, given.offset) {
        (Some(date), None, None) => NaiveDate::from_ymd_opt(date.year.into(), date.month.into(), date.day.into())
            .map(|date| zone.first_moment(date.and_time(NaiveTime::MIN)))
            .ok_or_else(|| Problem::new("not a day of the calendar", allowed)),
        (Some(_), Some(_), Some(_)) => DateTime::parse_from_rfc3339(&given.to_string())
            .map(|moment| moment.to_utc())
            .map_err(|_| Problem::new("not a date-time of the calendar", allowed)),
        (Some(_), Some(_), None) => Err(Problem::new("a date-time without an offset", allowed)),
        _ => Err(Problem::new("a time without a date", allowed)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(toml: &str) -> Value {
        format!("x = {toml}").parse::<toml::Table>().expect("valid TOML")["x"].clone()
    }

    #[test]
    fn a_name_hides_nothing_of_what_stands_around_it() {
        for good in ["acme", "société à responsabilité", "חברה", "a `b` @c"] {
            assert_eq!(name(&parse(&format!("{good:?}"))).as_deref(), Ok(good));
        }
        for bad in ["a\\u202Eb", "a\\u2066b", "a\\u2028b", "a\\nb", " a", "", "."] {
            let refused = name(&parse(&format!("\"{bad}\""))).unwrap_err();
            assert!(!refused.problem.contains(disturbs), "{}", refused.problem);
            assert_eq!(remark(&parse(&format!("\"{bad}\""))).is_err(), !matches!(bad, " a" | "."), "{bad}");
        }
    }

    #[test]
    fn the_start_of_the_declared_day_counts_in_the_tenants_zone() {
        let cases = [
            ("2027-03-31", "UTC", "2027-03-31T00:00:00+00:00"),
            ("2027-03-31", "America/New_York", "2027-03-31T04:00:00+00:00"),
            ("2027-01-31", "America/New_York", "2027-01-31T05:00:00+00:00"),
            // There is no midnight on this day in Santiago: the clocks jump from 23:59:59 to 01:00:00.
            ("2027-09-05", "America/Santiago", "2027-09-05T04:00:00+00:00"),
            ("2027-03-31T18:00:00-05:00", "UTC", "2027-03-31T23:00:00+00:00"),
        ];
        for (given, zone, expected) in cases {
            let moment = moment(&parse(given), &Zone::built_in(zone).expect("a built-in zone"));
            assert_eq!(moment.map(|at| at.to_rfc3339()), Ok(expected.to_owned()), "{given} {zone}");
        }
        for given in ["2027-03-31T18:00:00", "18:00:00", "\"2027-03-31\"", "12"] {
            assert!(moment(&parse(given), &Zone::utc()).is_err(), "{given}");
        }
    }

    #[test]
    fn a_base_url_is_https_or_a_loopback_address() {
        let cases = [
            ("https://proxy.example/syncro/", Some("https://proxy.example/syncro")),
            ("https://proxy.example", Some("https://proxy.example")),
            ("http://127.0.0.1:8080/", Some("http://127.0.0.1:8080")),
            ("http://127.0.0.1:8080/acme/api/v1", Some("http://127.0.0.1:8080/acme/api/v1")),
            ("http://[::1]:8080/api/v1", Some("http://[::1]:8080/api/v1")),
            ("http://localhost/api/v1", Some("http://localhost/api/v1")),
            ("http://acme.syncromsp.com/api/v1", None),
            ("http://localhost.example/api/v1", None),
            ("https://user:secret@proxy.example/", None),
            ("https://proxy.example/?api_key=1", None),
            ("ftp://127.0.0.1/", None),
            ("acme", None),
        ];
        for (given, expected) in cases {
            let parsed = base_url(&Value::String(given.to_owned()));
            assert_eq!(parsed.ok().as_deref(), expected, "{given}");
        }
    }

    #[test]
    fn a_subdomain_is_one_dns_label() {
        for good in ["acme", "acme-msp", "a", "9lives"] {
            assert!(subdomain(&Value::String(good.to_owned())).is_ok(), "{good}");
        }
        for bad in ["", "-acme", "acme-", "Acme", "acme.syncromsp.com", "acme/..", "a b", &"a".repeat(64)] {
            assert!(subdomain(&Value::String(bad.to_owned())).is_err(), "{bad}");
        }
    }
}
