//! A private certificate authority, and a receiver of alerts behind TLS that wants to see who calls.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};

/// A certificate and its key, PEM.
pub(crate) type Identity = (String, String);

/// An authority's certificate, PEM, and what it vouches for: `localhost`, and a client.
pub(crate) fn certificates() -> (String, Identity, Identity) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let authority = params.self_signed(&key).unwrap().pem();
    let issuer = Issuer::new(params, key);
    let signed = |name: &str| {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
        (certificate.pem(), key.serialize_pem())
    };
    (authority, signed("localhost"), signed("monitor"))
}

/// A receiver that takes whatever comes from a client with a certificate of the authority.
pub(crate) struct HttpsSink {
    _runtime: Runtime,
    pub(crate) port: u16,
    taken: Arc<AtomicUsize>,
}

impl HttpsSink {
    /// How many requests it has taken.
    pub(crate) fn count(&self) -> usize {
        self.taken.load(Ordering::SeqCst)
    }
}

pub(crate) fn https_sink(authority: &str, (certificate, key): &Identity) -> HttpsSink {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority.as_bytes()).unwrap()).unwrap();
    let chain = vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()];
    let config = ServerConfig::builder()
        .with_client_cert_verifier(WebPkiClientVerifier::builder(Arc::new(roots)).build().unwrap())
        .with_single_cert(chain, PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap())
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let runtime = Runtime::new().unwrap();
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    let (port, taken) = (listener.local_addr().unwrap().port(), Arc::new(AtomicUsize::new(0)));
    let counter = Arc::clone(&taken);
    runtime.spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, counter) = (acceptor.clone(), Arc::clone(&counter));
            tokio::spawn(async move {
                let Ok(mut stream) = acceptor.accept(stream).await else { return };
                let mut seen = Vec::new();
                let mut some = [0; 4096];
                // Our body is JSON and ends with the object.
                while !seen.ends_with(b"}") {
                    match stream.read(&mut some).await {
                        Ok(read) if read > 0 => seen.extend_from_slice(&some[..read]),
                        _ => return,
                    }
                }
                counter.fetch_add(1, Ordering::SeqCst);
                let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
                stream.write_all(answer).await.unwrap_or_default();
                stream.shutdown().await.unwrap_or_default();
            });
        }
    });
    HttpsSink { _runtime: runtime, port, taken }
}
