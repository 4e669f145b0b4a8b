//! Where answers are made: on threads of their own, a few at a time, so that no request of a client delays the checks
//! of tokens or the answers about health. A request that comes while too many wait is refused, with the time to come
//! again.

use std::convert::Infallible;
use std::time::Duration;

use axum::BoxError;
use axum::body::{Body, Bytes};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::{StreamExt, stream};
use tokio::task::spawn_blocking;

use super::connections::LONGEST_ANSWER;
use super::slots::{Slot, Slots};

/// How many pages and answers of the API are made at once; the machine has other things to do.
const PAGES: usize = 2;
/// Scrapes are made one piece at a time, and no page takes their slot: a scrape that fails appears as a dead daemon.
const SCRAPES: usize = 1;
/// How many queries of the history run at once: a disk that hangs then delays nothing else.
const HISTORY_QUERIES: usize = 2;
/// How many requests wait for each lane at most: far fewer than there may be connections, so that health is answered
/// however many wait.
const MOST_WAITING: usize = 64;
/// How long a request waits for a slot; a browser or a scraper gives up soon after.
const PATIENCE: Duration = Duration::from_secs(5);
/// In bytes: a long answer is made in pieces of about this size; a client that reads slowly takes no slot between them.
const PIECE: usize = 64 * 1024;

/// Why an answer is not made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotMade {
    /// Too many requests wait already.
    #[error("too many requests are being answered; come again in a few seconds")]
    Busy,
    /// What makes the answer panicked, which has been logged.
    #[error("the answer could not be made")]
    Failed,
}

impl NotMade {
    /// The HTTP status of the refusal.
    pub(crate) fn status(self) -> StatusCode {
        match self {
            Self::Busy => StatusCode::SERVICE_UNAVAILABLE,
            Self::Failed => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The header that says when to come again, in seconds, where that makes sense.
    pub(crate) fn retry_after(self) -> Option<(header::HeaderName, &'static str)> {
        (self == Self::Busy).then_some((header::RETRY_AFTER, "5"))
    }
}

impl IntoResponse for NotMade {
    fn into_response(self) -> Response {
        let mut response = (self.status(), format!("{self}\n")).into_response();
        if let Some((name, value)) = self.retry_after() {
            response.headers_mut().insert(name, header::HeaderValue::from_static(value));
        }
        response
    }
}

/// The lanes of one daemon, each with slots of its own.
#[derive(Debug, Clone)]
pub(crate) struct Lanes {
    /// For pages and the API.
    pub pages: Lane,
    /// For scrapes.
    pub scrapes: Lane,
    /// For reading the history.
    pub history: Lane,
}

impl Default for Lanes {
    fn default() -> Self {
        Self { pages: Lane::new(PAGES), scrapes: Lane::new(SCRAPES), history: Lane::new(HISTORY_QUERIES) }
    }
}

/// A few slots in which answers are made, and a queue for them of limited length.
#[derive(Debug, Clone)]
pub(crate) struct Lane(Slots);

impl Lane {
    fn new(slots: usize) -> Self {
        Self(Slots::new(slots, MOST_WAITING))
    }

    /// Runs `make` on another thread, as soon as there is a slot.
    ///
    /// # Errors
    /// [`NotMade::Busy`] when too many requests wait already or no slot is free for five seconds, [`NotMade::Failed`]
    /// when `make` panics.
    pub(crate) async fn run<T: Send + 'static>(&self, make: impl FnOnce() -> T + Send + 'static) -> Result<T, NotMade> {
        make_at(self.0.for_new(PATIENCE).await, make).await
    }

    /// Makes a body of several pieces, each when the client has taken the one before.
    ///
    /// # Errors
    /// As [`Lane::run`], for the first piece; if a later piece is not made, the connection ends.
    pub(crate) async fn body<P>(&self, pieces: P) -> Result<Body, NotMade>
    where
        P: Iterator<Item = Bytes> + Send + 'static,
    {
        let Ok(body) = self.try_body(pieces.map(Ok::<_, Infallible>)).await?;
        Ok(body)
    }

    /// As [`Lane::body`], of pieces that may fail: the error of the first is returned, with a later one the connection
    /// ends.
    ///
    /// # Errors
    /// As [`Lane::body`].
    pub(crate) async fn try_body<P, E>(&self, pieces: P) -> Result<Result<Body, E>, NotMade>
    where
        P: Iterator<Item = Result<Bytes, E>> + Send + 'static,
        E: Into<BoxError> + Send + 'static,
    {
        let (first, rest) = match self.run(move || piece(pieces)).await? {
            Ok(first) => first,
            Err(why) => return Ok(Err(why)),
        };
        let Some(rest) = rest else { return Ok(Ok(Body::from(first))) };
        let rest = stream::try_unfold((self.clone(), Some(rest)), async |(lane, rest)| {
            let Some(rest) = rest else { return Ok(None) };
            let made = make_at(lane.0.for_begun(LONGEST_ANSWER).await, move || piece(rest)).await?;
            let (next, rest) = made.map_err(Into::into)?;
            Ok::<_, BoxError>(Some((next, (lane, rest))))
        });
        Ok(Ok(Body::from_stream(stream::iter([Ok(first)]).chain(rest))))
    }
}

async fn make_at<T: Send + 'static>(
    slot: Option<Slot>,
    make: impl FnOnce() -> T + Send + 'static,
) -> Result<T, NotMade> {
    let slot = slot.ok_or(NotMade::Busy)?;
    // A client that disconnects does not end what is being made, so the slot is given back at its end.
    let task = spawn_blocking(move || {
        let _slot = slot;
        make()
    });
    task.await.map_err(|_| NotMade::Failed)
}

/// The next piece of at least [`PIECE`] bytes, and the rest if there is more.
fn piece<P, E>(mut pieces: P) -> Result<(Bytes, Option<P>), E>
where
    P: Iterator<Item = Result<Bytes, E>>,
{
    let Some(first) = pieces.next().transpose()? else { return Ok((Bytes::new(), None)) };
    if first.len() >= PIECE {
        return Ok((first, Some(pieces)));
    }
    let mut together = Vec::from(first);
    while together.len() < PIECE {
        let Some(next) = pieces.next().transpose()? else { return Ok((together.into(), None)) };
        together.extend_from_slice(&next);
    }
    Ok((together.into(), Some(pieces)))
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::sync_channel;

    use axum::body::to_bytes;
    use futures_util::FutureExt;

    use super::*;

    #[tokio::test]
    async fn a_request_too_many_is_refused_at_once_and_a_panic_frees_its_slot() {
        let lane = Lane::new(1);
        let (release, blocked) = sync_channel::<()>(0);
        let mut busy = Box::pin(lane.run(move || blocked.recv().is_err()));
        assert!(busy.as_mut().now_or_never().is_none());
        let mut waiting: Vec<_> = (0..MOST_WAITING).map(|number| Box::pin(lane.run(move || number))).collect();
        assert!(waiting.iter_mut().all(|waiting| waiting.as_mut().now_or_never().is_none()));
        let refused = lane.run(|| 0).await.unwrap_err();
        assert_eq!((refused, refused.status()), (NotMade::Busy, StatusCode::SERVICE_UNAVAILABLE));
        assert_eq!(refused.into_response().headers()[header::RETRY_AFTER], "5");
        drop(release);
        assert_eq!(busy.await, Ok(true));
        for (number, waited) in waiting.into_iter().enumerate() {
            assert_eq!(waited.await, Ok(number));
        }
        assert_eq!(lane.run(|| panic!("a fault")).await, Err::<(), _>(NotMade::Failed));
        assert_eq!(lane.run(|| 1).await, Ok(1));
    }

    #[tokio::test]
    async fn a_body_is_the_same_in_one_piece_and_in_many() {
        let lane = Lane::new(1);
        for (count, size) in [(0, 0), (3, 10), (5, PIECE / 2), (4, PIECE * 2)] {
            let pieces = (0..count).map(move |number: u8| Bytes::from(vec![number; size]));
            let whole: Vec<u8> = pieces.clone().flatten().collect();
            let body = lane.body(pieces).await.unwrap();
            assert_eq!(to_bytes(body, usize::MAX).await.unwrap(), whole, "{count} of {size}");
        }
    }

    #[tokio::test]
    async fn a_piece_that_fails_is_no_answer_if_it_is_the_first_and_ends_the_body_later() {
        let lane = Lane::new(1);
        let failing = |good| {
            let good = (0..good).map(|_| Ok(Bytes::from(vec![1; PIECE])));
            good.chain([Err("the disk is gone")])
        };
        assert_eq!(lane.try_body(failing(0)).await.unwrap().err(), Some("the disk is gone"));
        let body = lane.try_body(failing(2)).await.unwrap().unwrap();
        assert!(to_bytes(body, usize::MAX).await.is_err(), "nobody takes half an answer for a whole one");
    }
}
