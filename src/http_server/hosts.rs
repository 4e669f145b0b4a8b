//! By which names people reach the daemon. A page of another site can make its own name lead to this machine, and would then
//! be taken for a page of the daemon by every browser that visits it; the name that the browser sends shows which is which.

use std::net::{Ipv4Addr, Ipv6Addr};

use axum::http::uri::Authority;
use axum::http::{HeaderMap, Uri, header};

/// The names of hosts that are accepted besides loopback names and addresses, in lower case.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Hosts(Vec<String>);

/// What is wrong with the host that a request names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HostFault {
    /// It names none, or two, or what is no host.
    Malformed,
    /// It names another one.
    Foreign,
}

impl Hosts {
    pub(super) fn new<'a>(names: impl Iterator<Item = &'a str>) -> Self {
        Self(names.map(|name| name.trim_end_matches('.').to_lowercase()).collect())
    }

    /// What is wrong with the host of a request, if anything is.
    pub(super) fn fault(&self, uri: &Uri, headers: &HeaderMap) -> Option<HostFault> {
        let mut given = headers.get_all(header::HOST).iter();
        let (Some(host), None) = (given.next(), given.next()) else { return Some(HostFault::Malformed) };
        let named = host.to_str().ok().and_then(|host| host.parse::<Authority>().ok());
        let Some(named) = named.filter(|named| !named.as_str().contains('@')) else {
            return Some(HostFault::Malformed);
        };
        let is_ours = [Some(&named), uri.authority()].into_iter().flatten().all(|named| self.is_ours(named.host()));
        (!is_ours).then_some(HostFault::Foreign)
    }

    fn is_ours(&self, host: &str) -> bool {
        let name = host.trim_end_matches('.').to_lowercase();
        let is_address = name.parse::<Ipv4Addr>().is_ok()
            || name
                .strip_prefix('[')
                .and_then(|name| name.strip_suffix(']'))
                .is_some_and(|name| name.parse::<Ipv6Addr>().is_ok());
        // RFC 6761, section 6.3: these names lead nowhere else.
        is_address || name == "localhost" || name.ends_with(".localhost") || self.0.contains(&name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(uri: &str, hosts: &[&str]) -> Option<HostFault> {
        let ours = Hosts::new(["Monitor.Example", "second.example."].into_iter());
        let mut headers = HeaderMap::new();
        for host in hosts {
            headers.append(header::HOST, host.parse().unwrap());
        }
        ours.fault(&uri.parse().unwrap(), &headers)
    }

    #[test]
    fn loopback_names_addresses_and_configured_names_are_ours_with_any_port() {
        let ours =
            ["localhost", "LOCALHOST:9760", "localhost.", "a.localhost", "127.0.0.1:1", "[::1]:9760", "192.0.2.7"];
        for host in ours.into_iter().chain(["monitor.example", "MONITOR.example.:443", "second.example"]) {
            assert_eq!(fault("/", &[host]), None, "{host}");
        }
        let foreign =
            ["evil.example", "localhost.evil.example", "monitor.example.evil", "127.0.0.1.evil.example", "xlocalhost"];
        for host in foreign {
            assert_eq!(fault("/", &[host]), Some(HostFault::Foreign), "{host}");
        }
    }

    #[test]
    fn a_request_names_one_host_and_means_it() {
        assert_eq!(fault("/", &[]), Some(HostFault::Malformed));
        assert_eq!(fault("/", &["localhost", "localhost"]), Some(HostFault::Malformed));
        for host in ["", "a b", "evil@localhost", "localhost/x"] {
            assert_eq!(fault("/", &[host]), Some(HostFault::Malformed), "{host}");
        }
        assert_eq!(fault("http://evil.example/", &["localhost"]), Some(HostFault::Foreign));
        assert_eq!(fault("http://localhost/", &["localhost"]), None);
    }
}
