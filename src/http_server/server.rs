//! The HTTP server: sockets, TLS, time-outs. The number of connections, the size of heads and the time are limited;
//! bodies are never read. Who is given access is decided by `access`, `authenticator` and `refusal`, what is answered
//! by the router.

use std::convert::Infallible;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, HttpBody};
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::Response;
use hyper::Request;
use hyper::body::{Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::{Semaphore, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, timeout};
use tokio_io_timeout::TimeoutStream;
use tokio_util::sync::CancellationToken;

use crate::system::limits;

use super::accept::{self, Failures};
use super::access::Access;
use super::authenticator::Shown;
use super::connections::{Busy, Connection, Connections, LONGEST_ANSWER};
use super::refusal::admit;

/// How many connections may be open at once: Prometheus opens one or two, a browser six.
const CONNECTIONS: usize = 256;
/// One file in so many may be a connection: the others are for checks, receivers, the store, and a second server.
const SHARE_OF_FILES: usize = 4;
/// The least number of connections, however few files may be open: fewer would serve nobody.
const FEWEST_CONNECTIONS: usize = 8;
/// How long a new connection waits for a slot while all others are busy.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long a TLS handshake may take; it takes two round trips.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long the head of a request may take, which takes one round trip; an idle connection is closed after the same
/// time.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a connection that has to end and answers no request has to send what is left in it.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);
/// How long a client may read nothing of an answer.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);
/// In bytes: so much that a client has not read may wait in the kernel, which would take megabytes for each.
const MOST_UNSENT: u32 = 128 * 1024;
/// The largest head of a request, in bytes: more than any scraper or browser sends.
const LONGEST_HEAD: usize = 16 * 1024;

/// Where a server listens.
#[derive(Debug)]
pub(crate) enum Listener {
    /// On an address.
    Tcp(TcpListener),
    /// On a Unix socket.
    Unix(UnixListener),
}

/// A stream of bytes from and to a client, over TCP or a Unix socket.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

impl Listener {
    /// Accepts a connection; the address of its client is `None` on a Unix socket.
    async fn accept(&self) -> std::io::Result<(Box<dyn Stream>, Option<IpAddr>)> {
        match self {
            Self::Tcp(listener) => {
                let (stream, peer) = listener.accept().await?;
                // A kernel that does not know the option takes more memory.
                SockRef::from(&stream).set_tcp_notsent_lowat(MOST_UNSENT).ok();
                Ok((Box::new(stream), Some(peer.ip())))
            }
            Self::Unix(listener) => Ok((Box::new(listener.accept().await?.0), None)),
        }
    }
}

/// A running server on one address.
#[derive(Debug)]
pub(crate) struct Server {
    stop: CancellationToken,
    ended: CancellationToken,
    task: JoinHandle<()>,
}

impl Server {
    /// Starts to serve on a socket that is already open. When a reload replaces what `access` holds, the connections
    /// that were given access before it are ended.
    pub(crate) fn start(listener: Listener, router: Router, access: watch::Receiver<Arc<Access>>) -> Self {
        let (stop, ended) = (CancellationToken::new(), CancellationToken::new());
        let (stopped, guard) = (stop.clone(), ended.clone().drop_guard());
        let task = tokio::spawn(async move {
            // Dropped however this ends, a panic included.
            let _guard = guard;
            serve(listener, router, access, stopped).await;
        });
        Self { stop, ended, task }
    }

    /// Accepts no new connections, lets the answers under way end, and returns when all have ended.
    pub(crate) async fn stop(self) {
        self.stop.cancel();
        // An error means that the task panicked: it has ended too.
        self.task.await.ok();
    }

    /// Waits until the server has ended, which it should not do by itself. Cancel-safe.
    pub(crate) async fn ended(&self) {
        self.ended.cancelled().await;
    }
}

/// How many connections may be open at once on this machine.
fn most_connections() -> usize {
    let files = limits::open_files().unwrap_or(usize::MAX);
    (files / SHARE_OF_FILES).clamp(FEWEST_CONNECTIONS, CONNECTIONS)
}

async fn serve(listener: Listener, router: Router, access: watch::Receiver<Arc<Access>>, stop: CancellationToken) {
    let (slots, connections) = (Arc::new(Semaphore::new(most_connections())), Connections::default());
    let mut failures = Failures::default();
    let mut tasks = JoinSet::new();
    loop {
        let (stream, peer) = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(error) if accept::is_of_one(&error) => continue,
                Err(error) => {
                    log_failure(&mut failures, &error);
                    // Usually too many files are open, some of them idle connections; to accept again at once would
                    // only spin.
                    connections.make_room();
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            },
        };
        if let Some(silent) = failures.recovered(Instant::now()) {
            tracing::info!(
                event = "accept_recovered",
                silent,
                "connections are accepted again, after {silent} failures more"
            );
        }
        if slots.available_permits() == 0 {
            connections.make_room();
        }
        // A connection that gets no slot is closed.
        let Ok(Ok(slot)) = timeout(PATIENCE, Arc::clone(&slots).acquire_owned()).await else { continue };
        let connection = ConnectionTask {
            peer,
            connection: connections.add(),
            router: router.clone(),
            access: access.clone(),
            stop: stop.clone(),
        };
        tasks.spawn(async move {
            let _slot = slot;
            connection.run(stream).await;
        });
        while tasks.try_join_next().is_some() {}
    }
    while tasks.join_next().await.is_some() {}
}

/// Logs a failure to accept a connection, unless a line about one was logged a short time ago.
fn log_failure(failures: &mut Failures, error: &std::io::Error) {
    if let Some(silent) = failures.failed(Instant::now()) {
        let before = format!("; so did {silent} others since the last such line");
        let before = if silent > 0 { before.as_str() } else { "" };
        tracing::warn!(event = "accept_failed", silent, "failed to accept a connection: {error}{before}");
    }
}

/// One connection and what its task needs.
struct ConnectionTask {
    /// The address of the client; `None` on a Unix socket.
    peer: Option<IpAddr>,
    connection: Arc<Connection>,
    router: Router,
    access: watch::Receiver<Arc<Access>>,
    stop: CancellationToken,
}

impl ConnectionTask {
    async fn run(mut self, stream: Box<dyn Stream>) {
        let access = Arc::clone(&self.access.borrow_and_update());
        let connection = Arc::clone(&self.connection);
        let mut stream = TimeoutStream::new(stream);
        stream.set_write_timeout(Some(WRITE_TIMEOUT));
        let stream = Box::pin(stream);
        let stop = self.stop.clone();
        let served = async {
            match &access.tls {
                None => self.serve_http(stream, &access).await,
                Some(tls) => tokio::select! {
                    () = stop.cancelled() => {}
                    accepted = timeout(HANDSHAKE_TIMEOUT, tls.accept(stream)) => match accepted {
                        Ok(Ok(stream)) => self.serve_http(stream, &access).await,
                        Ok(Err(error)) => {
                            tracing::debug!(event = "connection_failed", "a TLS handshake failed: {error}");
                        }
                        Err(_) => tracing::debug!(event = "connection_failed", "a TLS handshake took too long"),
                    },
                },
            }
        };
        tokio::select! {
            () = served => {}
            () = connection.evicted.cancelled() => {}
            () = connection.overdue() => {
                tracing::debug!(event = "connection_failed", "a client takes too long to read an answer");
            }
        }
    }

    /// Answers requests until the connection ends, the server stops or a reload replaces the access.
    async fn serve_http(&mut self, stream: impl AsyncRead + AsyncWrite + Unpin, access: &Arc<Access>) {
        let (peer, connection, router) = (self.peer, &self.connection, &self.router);
        let shown = Arc::new(Shown::default());
        let answer = |request| {
            let (busy, access, router) = (connection.busy(), Arc::clone(access), router.clone());
            let shown = Arc::clone(&shown);
            async move {
                let response = answer(&access, (peer, &shown), router, request).await;
                Ok::<_, Infallible>(response.map(|body| Answer { body, _busy: busy }))
            }
        };
        let http = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIMEOUT)
            .max_buf_size(LONGEST_HEAD)
            .serve_connection(TokioIo::new(stream), service_fn(answer));
        let mut http = std::pin::pin!(http);
        // The order matters: the answer to the request that replaced the access has to say that the connection ends
        // with it, or the next request of the client would fail.
        let ended = tokio::select! {
            biased;
            () = self.stop.cancelled() => None,
            Ok(()) = self.access.changed() => None,
            ended = http.as_mut() => Some(ended),
        };
        let ended = if let Some(ended) = ended {
            ended
        } else {
            http.as_mut().graceful_shutdown();
            // An answer under way may end; a client that has sent half a request has had its time.
            let limit = if connection.is_busy() { LONGEST_ANSWER } else { CLOSE_TIMEOUT };
            timeout(limit, http).await.unwrap_or(Ok(()))
        };
        if let Err(error) = ended {
            tracing::debug!(event = "connection_failed", "a connection failed: {error}");
        }
    }
}

/// The body of an answer; the connection is busy while it is being sent.
struct Answer {
    body: Body,
    _busy: Busy,
}

impl HttpBody for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

async fn answer(
    access: &Arc<Access>,
    (peer, shown): (Option<IpAddr>, &Shown),
    router: Router,
    mut request: Request<Incoming>,
) -> Response {
    let mut response = match admit(access, peer, shown, &request).await {
        Err(refused) => refused,
        Ok(cookie) => {
            request.extensions_mut().insert(Arc::clone(access));
            let Ok(mut answered) = TowerToHyperService::new(router).call(request).await;
            answered.headers_mut().extend(cookie.map(|cookie| (header::SET_COOKIE, cookie)));
            answered
        }
    };
    for (name, value) in SAFE {
        response.headers_mut().entry(name).or_insert(value);
    }
    response
}

/// Headers that make a page harmless whatever names from elsewhere it shows. There is no HSTS among them: it would bind
/// every port of the host, of which only one is the daemon's.
const SAFE: [(HeaderName, HeaderValue); 7] = [
    (
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(
            "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; \
             form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
        ),
    ),
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    (header::REFERRER_POLICY, HeaderValue::from_static("same-origin")),
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    (HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin")),
    (HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin")),
];
