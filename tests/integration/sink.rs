//! A receiver of alerts on a socket of its own: what it was sent, and what it answers.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::to_bytes;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

use crate::real::until;

/// What a receiver answers.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    /// A status with a text.
    Text(u16, &'static str),
    /// A status with a web page.
    Page(u16),
    /// This status to what holds this text, 200 to everything else.
    Refuses(u16, &'static str),
    /// 200, by a clock that is so many seconds ahead.
    Ahead(i64),
    /// 200, and what was posted last to whoever asks for it, as an Alertmanager does.
    Remembers,
    /// Nothing, ever.
    Hang,
}

/// One request that came.
#[derive(Debug, Clone)]
pub(crate) struct Sent {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
    pub(crate) taken: bool,
}

impl Sent {
    pub(crate) fn body(&self) -> Value {
        serde_json::from_str(&self.text).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

/// The receiver.
pub(crate) struct Sink {
    /// It serves for as long as it is kept.
    _runtime: Runtime,
    pub(crate) address: SocketAddr,
    state: Shared,
}

type Shared = Arc<Mutex<(Answer, Vec<Sent>)>>;

/// The path of the silences of an Alertmanager.
const SILENCES: &str = "/api/v2/silences";
/// The path of one of them.
const SILENCE: &str = "/api/v2/silence";

/// The silences that a sink has been sent and not asked to delete, as an Alertmanager shows them.
fn silences(sent: &[Sent]) -> Vec<Value> {
    let mut all: Vec<Value> = Vec::new();
    for (number, sent) in sent.iter().filter(|sent| sent.taken).enumerate() {
        if sent.method == "POST" && sent.path == SILENCES {
            let mut silence = sent.body();
            let replaced = silence["id"].take();
            all.retain(|other| other["id"] != replaced);
            silence["id"] = format!("silence-{number}").into();
            silence["status"] = serde_json::json!({ "state": "active" });
            all.push(silence);
        } else if let Some(id) = sent.path.strip_prefix(&format!("{SILENCE}/")).filter(|_| sent.method == "DELETE") {
            all.retain(|other| other["id"] != id);
        }
    }
    all
}

impl Sink {
    pub(crate) fn new() -> Self {
        let runtime = Runtime::new().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let state: Shared = Arc::new(Mutex::new((Answer::Text(200, "ok"), Vec::new())));
        let router = Router::new().fallback(take).with_state(Arc::clone(&state));
        runtime.spawn(async move { axum::serve(listener, router).await });
        Self { _runtime: runtime, address, state }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn answers(&self, answer: Answer) {
        self.state.lock().unwrap().0 = answer;
    }

    pub(crate) fn sent(&self) -> Vec<Sent> {
        self.state.lock().unwrap().1.clone()
    }

    /// The bodies of the requests that it has taken; not those of silences.
    pub(crate) fn taken(&self) -> Vec<Value> {
        let is_silence = |sent: &&Sent| sent.path.starts_with(SILENCE);
        self.sent().iter().filter(|sent| sent.taken && !is_silence(sent)).map(Sent::body).collect()
    }

    /// The silences that it has.
    pub(crate) fn silences(&self) -> Vec<Value> {
        silences(&self.sent())
    }

    /// Waits until so many requests have been taken.
    pub(crate) fn wait_for(&self, count: usize) -> Vec<Value> {
        until(&format!("{count} taken"), || Some(self.taken()).filter(|taken| taken.len() >= count))
    }
}

async fn take(State(state): State<Shared>, request: Request) -> Response {
    let (request, body) = request.into_parts();
    let body = to_bytes(body, 16 * 1024 * 1024).await.unwrap();
    let text = String::from_utf8(body.to_vec()).unwrap();
    let answer = {
        let mut state = state.lock().unwrap();
        let answer = match state.0.clone() {
            Answer::Refuses(status, part) if text.contains(part) => Answer::Text(status, "invalid_payload"),
            Answer::Refuses(..) => Answer::Text(200, "ok"),
            answer => answer,
        };
        if matches!(answer, Answer::Remembers) && request.method == axum::http::Method::GET {
            let last = state.1.iter().rfind(|sent| sent.method == "POST").map(|sent| sent.text.clone());
            return last.unwrap_or_else(|| "[]".to_owned()).into_response();
        }
        if request.method == "GET" && request.uri.path() == SILENCES && matches!(answer, Answer::Text(200, _)) {
            return axum::Json(silences(&state.1)).into_response();
        }
        state.1.push(Sent {
            method: request.method.to_string(),
            path: request.uri.path().to_owned(),
            headers: request.headers,
            text,
            taken: matches!(answer, Answer::Text(200..300, _) | Answer::Ahead(_) | Answer::Remembers),
        });
        answer
    };
    match answer {
        Answer::Text(status, text) => (StatusCode::from_u16(status).unwrap(), text).into_response(),
        Answer::Page(status) => {
            let headers = [(header::CONTENT_TYPE, "text/html")];
            (StatusCode::from_u16(status).unwrap(), headers, "<html><h1>Log in</h1></html>").into_response()
        }
        Answer::Ahead(seconds) => {
            let date = chrono::DateTime::from_timestamp(crate::harness::now() + seconds, 0).unwrap();
            ([(header::DATE, date.format("%a, %d %b %Y %H:%M:%S GMT").to_string())], "ok").into_response()
        }
        Answer::Remembers => "ok".into_response(),
        Answer::Refuses(..) | Answer::Hang => std::future::pending().await,
    }
}
