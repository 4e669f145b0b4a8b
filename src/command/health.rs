//! `health`: asks the daemon of this configuration whether it is ok, for whatever supervises it and has no other way to
//! ask.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use anyhow::Context;

use crate::config::{HealthListen, Web};
use crate::exit::Exit;
use crate::system::http;

use super::{failed, finish, load};

/// How long the answer may take. The daemon has it ready, so one that needs longer is not ok.
const TIMEOUT: Duration = Duration::from_secs(5);

pub(super) async fn health(path: &Path) -> Exit {
    let config = match load(path) {
        Ok(config) => config,
        Err(exit) => return exit,
    };
    match ask(&config.web).await {
        Ok((is_ok, text)) => finish(&text, if is_ok { Exit::Success } else { Exit::Failure }),
        Err(error) => failed(&error),
    }
}

/// Whether the daemon is ok, and the text of its answer.
async fn ask(web: &Web) -> anyhow::Result<(bool, String)> {
    let builder = reqwest::Client::builder().no_proxy().timeout(TIMEOUT);
    let (builder, url) = match &web.health_listen {
        Some(HealthListen::Socket(path)) => {
            (builder.unix_socket(path.as_path()), "http://localhost/-/healthy".to_owned())
        }
        Some(HealthListen::Address(address)) => (builder, format!("http://{}/-/healthy", reachable(*address))),
        None => {
            // The daemon's certificate is for the name that people use, which need not lead to this machine.
            anyhow::ensure!(web.tls.is_none(), "ask for health: with web.tls, set web.health_listen too");
            (builder, format!("http://{}/-/healthy", reachable(web.listen)))
        }
    };
    let client = builder.build().context("make an HTTP client")?;
    let why = |error: reqwest::Error| anyhow::anyhow!("ask for health: {}", http::innermost(&error.without_url()));
    let response = client.get(url).send().await.map_err(why)?;
    let is_ok = response.status().is_success();
    Ok((is_ok, response.text().await.map_err(why)?))
}

/// The address by which a listener can be reached from this machine: a loopback address if it listens on every address.
fn reachable(address: SocketAddr) -> SocketAddr {
    let loopback = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(loopback, address.port())
}
