//! The HTTP server: sockets, TLS, patience. Bounded in connections, heads and time; bodies are never read. Who may come in is
//! decided by `access`, `authenticator` and `refusal`, what is answered by `routes`.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
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
use super::connections::{Busy, Connection, Connections, LONGEST_ANSWER};
use super::refusal::refusal;

/// Prometheus opens one or two connections, a browser six; more than this at once is not people looking.
const CONNECTIONS: usize = 256;
/// A quarter of the files that may be open: the rest is for checks, receivers, the store, and a second server.
const SHARE_OF_FILES: usize = 4;
/// Fewer would serve nobody, however few files may be open.
const FEWEST_CONNECTIONS: usize = 8;
/// How long a connection waits for a place where all others are answering.
const PATIENCE: Duration = Duration::from_secs(1);
/// A handshake takes two round trips.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// A request head takes one round trip; an idle connection is closed after the same time.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// What is in the pipe of a connection that has to end gets so long to leave it.
const FAREWELL: Duration = Duration::from_secs(1);
/// How long a client may take nothing of an answer.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);
/// More than any scraper or browser sends.
const LONGEST_HEAD: usize = 16 * 1024;

/// Where a server listens.
#[derive(Debug)]
pub enum Listener {
    /// On an address.
    Tcp(TcpListener),
    /// On a Unix socket.
    Unix(UnixListener),
}

/// Whatever bytes come from and go to.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

impl Listener {
    async fn accept(&self) -> std::io::Result<(Box<dyn Stream>, Option<IpAddr>)> {
        match self {
            Self::Tcp(listener) => {
                let (stream, peer) = listener.accept().await?;
                Ok((Box::new(stream), Some(peer.ip())))
            }
            Self::Unix(listener) => Ok((Box::new(listener.accept().await?.0), None)),
        }
    }

    /// The address, if it is one.
    pub fn address(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(listener) => listener.local_addr().ok(),
            Self::Unix(_) => None,
        }
    }
}

/// A server on one address.
#[derive(Debug)]
pub struct Server {
    stop: CancellationToken,
    gone: CancellationToken,
    task: JoinHandle<()>,
}

impl Server {
    /// Starts to serve on a socket that is already open. Another door, by a reload, ends the connections that came
    /// through the one before.
    pub fn start(listener: Listener, router: Router, doors: watch::Receiver<Arc<Access>>) -> Self {
        let (stop, gone) = (CancellationToken::new(), CancellationToken::new());
        let (stopped, guard) = (stop.clone(), gone.clone().drop_guard());
        let task = tokio::spawn(async move {
            // Dropped however this ends, a panic included.
            let _guard = guard;
            serve(listener, router, doors, stopped).await;
        });
        Self { stop, gone, task }
    }

    /// Takes no new connections, lets answers under way end, and returns when all have.
    pub async fn stop(self) {
        self.stop.cancel();
        // An error means that the task is gone, which is what was wanted.
        self.task.await.ok();
    }

    /// Waits until it has ended, which it should not by itself. Cancel-safe.
    pub async fn ended(&self) {
        self.gone.cancelled().await;
    }
}

fn most_connections() -> usize {
    let files = limits::open_files().unwrap_or(usize::MAX);
    (files / SHARE_OF_FILES).clamp(FEWEST_CONNECTIONS, CONNECTIONS)
}

async fn serve(listener: Listener, router: Router, doors: watch::Receiver<Arc<Access>>, stop: CancellationToken) {
    let (room, connections) = (Arc::new(Semaphore::new(most_connections())), Connections::default());
    let mut failures = Failures::default();
    let mut tasks = JoinSet::new();
    loop {
        let (stream, peer) = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(error) if accept::is_of_one(&error) => continue,
                Err(error) => {
                    if let Some(silent) = failures.failed(Instant::now()) {
                        let before = format!("; so did {silent} others since the last such line");
                        let before = if silent > 0 { before.as_str() } else { "" };
                        tracing::warn!(event = "accept_failed", silent, "failed to accept a connection: {error}{before}");
                    }
                    // Usually too many open files, of which idle connections hold some; accepting again at once would only
                    // spin.
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
        if room.available_permits() == 0 {
            connections.make_room();
        }
        // Who gets no place is turned away by the end of the connection.
        let Ok(Ok(place)) = timeout(PATIENCE, Arc::clone(&room).acquire_owned()).await else { continue };
        let visit = ConnectionTask {
            peer,
            connection: connections.add(),
            router: router.clone(),
            doors: doors.clone(),
            stop: stop.clone(),
        };
        tasks.spawn(async move {
            let _place = place;
            visit.run(stream).await;
        });
        while tasks.try_join_next().is_some() {}
    }
    while tasks.join_next().await.is_some() {}
}

/// One connection and what it needs.
struct ConnectionTask {
    peer: Option<IpAddr>,
    connection: Arc<Connection>,
    router: Router,
    doors: watch::Receiver<Arc<Access>>,
    stop: CancellationToken,
}

impl ConnectionTask {
    async fn run(mut self, stream: Box<dyn Stream>) {
        let access = Arc::clone(&self.doors.borrow_and_update());
        let goes = self.connection.goes.clone();
        let mut stream = TimeoutStream::new(stream);
        stream.set_write_timeout(Some(WRITE_TIMEOUT));
        let stream = Box::pin(stream);
        let stop = self.stop.clone();
        let talk = async {
            match &access.tls {
                None => self.talk(stream, &access).await,
                Some(tls) => tokio::select! {
                    () = stop.cancelled() => {}
                    accepted = timeout(HANDSHAKE_TIMEOUT, tls.accept(stream)) => match accepted {
                        Ok(Ok(stream)) => self.talk(stream, &access).await,
                        Ok(Err(error)) => {
                            tracing::debug!(event = "connection_failed", "a TLS handshake failed: {error}");
                        }
                        Err(_) => tracing::debug!(event = "connection_failed", "a TLS handshake took too long"),
                    },
                },
            }
        };
        tokio::select! {
            () = talk => {}
            () = goes.cancelled() => {}
        }
    }

    async fn talk(&mut self, stream: impl AsyncRead + AsyncWrite + Unpin, access: &Arc<Access>) {
        let (peer, connection, router) = (self.peer, &self.connection, &self.router);
        let answer = |request| {
            let (busy, access, router) = (connection.busy(), Arc::clone(access), router.clone());
            async move {
                let response = answer(&access, peer, router, request).await;
                Ok::<_, Infallible>(response.map(|body| Answer { body, _busy: busy }))
            }
        };
        let http = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIMEOUT)
            .max_buf_size(LONGEST_HEAD)
            .serve_connection(TokioIo::new(stream), service_fn(answer));
        let mut http = std::pin::pin!(http);
        // In this order: the answer to the request that changed the doors has to say that the connection ends with it, or
        // the client's next request would run into the end.
        let ended = tokio::select! {
            biased;
            () = self.stop.cancelled() => None,
            Ok(()) = self.doors.changed() => None,
            ended = http.as_mut() => Some(ended),
        };
        let ended = if let Some(ended) = ended {
            ended
        } else {
            http.as_mut().graceful_shutdown();
            // An answer may take its time; who has sent half a request has had it.
            let patience = if connection.is_busy() { LONGEST_ANSWER } else { FAREWELL };
            timeout(patience, http).await.unwrap_or(Ok(()))
        };
        if let Err(error) = ended {
            tracing::debug!(event = "connection_failed", "a connection failed: {error}");
        }
    }
}

/// The body of an answer; while it is being sent the connection is not idle.
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
    peer: Option<IpAddr>,
    router: Router,
    mut request: Request<Incoming>,
) -> Response {
    let mut response = if let Some(refused) = refusal(access, peer, &request).await {
        refused
    } else {
        request.extensions_mut().insert(Arc::clone(access));
        let Ok(answered) = TowerToHyperService::new(router).call(request).await;
        answered
    };
    for (name, value) in SAFE {
        response.headers_mut().entry(name).or_insert(value);
    }
    response
}

/// What keeps a page that shows names from elsewhere harmless, whatever they are. No HSTS: it would bind every port of
/// the host, of which only one is ours.
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
