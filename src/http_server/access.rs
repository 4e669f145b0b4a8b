//! How clients get access to the web server: TLS, authentication, and the address under which people reach it. It is
//! built from `[web]` at the start and again at every reload, so that a renewed certificate or a rotated bearer token
//! needs no restart.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::http::HeaderValue;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use sha2::{Digest, Sha256};
use tokio_rustls::TlsAcceptor;
use url::Url;

use crate::config::{BearerFile, Tls, Web};
use crate::system::files::{self, Contents, Deadline};

use super::authenticator::Authenticator;
use super::hosts::Hosts;

/// In bytes: a file with a certificate, a key or a token has a few KiB.
const LARGEST_FILE: u64 = 1024 * 1024;
/// The time that all files together may take to be read.
const LONGEST_LOAD: Duration = Duration::from_secs(10);

/// What a connection needs to be given access.
#[derive(Default)]
pub(crate) struct Access {
    /// The TLS side of the server, if `[web.tls]` is configured.
    pub(super) tls: Option<TlsAcceptor>,
    /// Who is given access.
    pub(super) authenticator: Authenticator,
    /// The prefix of every path where people reach the daemon below a path of a proxy, with no slash at its end; empty
    /// without one.
    pub base: String,
    /// The scheme, host and port of `external_url`, where people reach the daemon under an address that is not its own.
    pub origin: Option<String>,
    /// The names by which it may be reached.
    pub(super) hosts: Hosts,
    /// A digest of the files that this was built from.
    made_from: [u8; 32],
}

impl std::fmt::Debug for Access {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Access")
            .field("tls", &self.tls.is_some())
            .field("authenticator", &self.authenticator)
            .finish_non_exhaustive()
    }
}

impl Access {
    /// A cookie with the attributes that keep it here: no script and no page of another site has it.
    pub(super) fn cookie(&self, cookie: &str) -> Option<HeaderValue> {
        let is_secure = self.tls.is_some() || self.origin.as_ref().is_some_and(|origin| origin.starts_with("https:"));
        let secure = if is_secure { "; Secure" } else { "" };
        HeaderValue::from_str(&format!("{cookie}; Path={}/; HttpOnly; SameSite=Strict{secure}", self.base)).ok()
    }

    /// Whether both were built from files of the same content.
    pub(crate) fn is_made_from_the_same(&self, other: &Self) -> bool {
        self.made_from == other.made_from
    }

    /// Reads the files that `[web]` names, which blocks for ten seconds at most.
    ///
    /// # Errors
    /// What is wrong with each file, by its key in the configuration; never what is in the file.
    pub(crate) fn load(web: &Web) -> Result<Self, Vec<String>> {
        let mut faults = Vec::new();
        let mut files = Files { digest: Sha256::new(), deadline: Deadline::within(LONGEST_LOAD) };
        let tls = web.tls.as_ref().and_then(|tls| acceptor(tls, &mut files).map_err(|fault| faults.push(fault)).ok());
        let mut bearers = Vec::new();
        for (index, BearerFile { path, is_scrape_only }) in web.auth.bearer_token_files.iter().enumerate() {
            let read = files.read(path, &format!("web.auth.bearer_token_files[{index}]")).and_then(|text| {
                let token = text.trim_ascii();
                let usable = !token.is_empty() && token.iter().all(u8::is_ascii_graphic);
                let fault =
                    || format!("web.auth.bearer_token_files[{index}]: `{}` holds no usable token", path.display());
                usable.then(|| token.to_owned()).ok_or_else(fault)
            });
            match read {
                Ok(token) => bearers.push((token, *is_scrape_only)),
                Err(fault) => faults.push(fault),
            }
        }
        let authenticator = Authenticator::new(web.auth.users.clone(), &bearers).map_err(|fault| faults.push(fault));
        let external = web.external_url.as_deref().and_then(|url| Url::parse(url).ok());
        let names = external.as_ref().and_then(Url::host_str).into_iter().chain(web.hosts.iter().map(String::as_str));
        let hosts = Hosts::new(names);
        let origin = external.as_ref().map(|url| url.origin().ascii_serialization());
        let base = external.map(|url| url.path().trim_end_matches('/').to_owned()).unwrap_or_default();
        match authenticator {
            Ok(authenticator) if faults.is_empty() => {
                let made_from = files.digest.finalize().into();
                Ok(Self { tls, authenticator, base, origin, hosts, made_from })
            }
            _ => Err(faults),
        }
    }
}

/// Reads the files and makes one digest of all of them.
struct Files {
    digest: Sha256,
    deadline: Deadline,
}

impl Files {
    fn read(&mut self, path: &Path, key: &str) -> Result<Contents, String> {
        let read = files::read_blocking(path, LARGEST_FILE, self.deadline)
            .map_err(|error| format!("{key}: failed to read `{}`: {error}", path.display()))?;
        self.digest.update(Sha256::digest(&read));
        Ok(read)
    }
}

fn acceptor(tls: &Tls, files: &mut Files) -> Result<TlsAcceptor, String> {
    let certificates = |path: &Path, key: &str, files: &mut Files| {
        let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&files.read(path, key)?).collect();
        let found = found.map_err(|error| format!("{key}: `{}` is not PEM: {error}", path.display()))?;
        let fault = || format!("{key}: `{}` holds no certificate", path.display());
        if found.is_empty() { Err(fault()) } else { Ok(found) }
    };
    let (certificate_file, key_file) = (&tls.identity.certificate_file, &tls.identity.key_file);
    let chain = certificates(certificate_file, "web.tls.certificate_file", files)?;
    // The error may quote the line, which must not be logged, so the message says only that there is no key.
    let key = PrivateKeyDer::from_pem_slice(&files.read(key_file, "web.tls.key_file")?)
        .map_err(|_| format!("web.tls.key_file: `{}` holds no private key", key_file.display()))?;
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| format!("web.tls: {error}"))?;
    let builder = match &tls.client_ca_file {
        None => builder.with_no_client_auth(),
        Some(path) => {
            const KEY: &str = "web.tls.client_ca_file";
            let mut roots = RootCertStore::empty();
            for certificate in certificates(path, KEY, files)? {
                roots.add(certificate).map_err(|error| format!("{KEY}: {error}"))?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
            builder.with_client_cert_verifier(verifier.map_err(|error| format!("{KEY}: {error}"))?)
        }
    };
    let mut config =
        builder.with_single_cert(chain, key).map_err(|error| format!("web.tls.certificate_file: {error}"))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}
