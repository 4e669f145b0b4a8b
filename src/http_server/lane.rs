//! Where answers are made: on threads of their own, a few at a time, so that nothing a client asks for holds up the loop that
//! checks tokens and answers for health. Who comes when too many wait is told to come again.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::{StreamExt, stream};
use tokio::task::spawn_blocking;

use super::connections::LONGEST_ANSWER;
use super::slots::{Slot, Slots};

/// What is made at once for people and programs; the machine has other things to do.
const PAGES: usize = 2;
/// Scrapes are made one piece at a time, and no page takes their place: a scrape that fails looks like a dead daemon.
const SCRAPES: usize = 1;
/// Readings of the history at once: a disk that hangs then holds up nothing else.
const READINGS: usize = 2;
/// How many wait for each at most: far fewer than there may be connections, so that health is answered whatever waits.
const MOST_WAITING: usize = 64;
/// A browser or a scraper gives up soon after.
const PATIENCE: Duration = Duration::from_secs(5);
/// A long answer is made in pieces of about so many bytes; a client that reads slowly holds no place between them.
const PIECE: usize = 64 * 1024;

/// Why something is not made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotMade {
    /// Too many wait already.
    #[error("too many requests are being answered; come again in a few seconds")]
    Busy,
    /// Making it failed, which has been logged.
    #[error("the answer could not be made")]
    Failed,
}

impl NotMade {
    /// The status that says so.
    pub fn status(self) -> StatusCode {
        match self {
            Self::Busy => StatusCode::SERVICE_UNAVAILABLE,
            Self::Failed => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// When to come again, for who may.
    pub fn retry_after(self) -> Option<(header::HeaderName, &'static str)> {
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

/// The lanes of one daemon, each with its own places.
#[derive(Debug, Clone)]
pub struct Lanes {
    /// For pages and the API.
    pub pages: Lane,
    /// For scrapes.
    pub scrapes: Lane,
    /// For reading the history.
    pub history: Lane,
}

impl Default for Lanes {
    fn default() -> Self {
        Self { pages: Lane::new(PAGES), scrapes: Lane::new(SCRAPES), history: Lane::new(READINGS) }
    }
}

/// A few places where answers are made, and a few where one waits for them.
#[derive(Debug, Clone)]
pub struct Lane(Slots);

impl Lane {
    fn new(places: usize) -> Self {
        Self(Slots::new(places, MOST_WAITING))
    }

    /// Does `make` on another thread, when there is a place.
    ///
    /// # Errors
    /// When too many wait already, when there is no place for a while, or when `make` panics.
    pub async fn run<T: Send + 'static>(&self, make: impl FnOnce() -> T + Send + 'static) -> Result<T, NotMade> {
        make_at(self.0.for_new(PATIENCE).await, make).await
    }

    /// A body of several pieces, each made when the client has taken the one before.
    ///
    /// # Errors
    /// The same, for the first piece; where a later one is not made the connection ends.
    pub async fn body<P>(&self, pieces: P) -> Result<Body, NotMade>
    where
        P: Iterator<Item = Bytes> + Send + 'static,
    {
        let (first, rest) = self.run(move || piece(pieces)).await?;
        let Some(rest) = rest else { return Ok(Body::from(first)) };
        let rest = stream::try_unfold((self.clone(), Some(rest)), async |(lane, rest)| {
            let Some(rest) = rest else { return Ok(None) };
            let (next, rest) = make_at(lane.0.for_begun(LONGEST_ANSWER).await, move || piece(rest)).await?;
            Ok::<_, NotMade>(Some((next, (lane, rest))))
        });
        Ok(Body::from_stream(stream::iter([Ok(first)]).chain(rest)))
    }
}

async fn make_at<T: Send + 'static>(
    place: Option<Slot>,
    make: impl FnOnce() -> T + Send + 'static,
) -> Result<T, NotMade> {
    let place = place.ok_or(NotMade::Busy)?;
    // A client that goes away does not end what is being made, so the place is given back at its end.
    let task = spawn_blocking(move || {
        let _place = place;
        make()
    });
    task.await.map_err(|_| NotMade::Failed)
}

/// The next piece, and the rest if there is more.
fn piece<P: Iterator<Item = Bytes>>(mut pieces: P) -> (Bytes, Option<P>) {
    let Some(first) = pieces.next() else { return (Bytes::new(), None) };
    if first.len() >= PIECE {
        return (first, Some(pieces));
    }
    let mut together = Vec::from(first);
    while together.len() < PIECE {
        let Some(next) = pieces.next() else { return (together.into(), None) };
        together.extend_from_slice(&next);
    }
    (together.into(), Some(pieces))
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::sync_channel;

    use axum::body::to_bytes;
    use futures_util::FutureExt;

    use super::*;

    #[tokio::test]
    async fn what_is_too_much_is_refused_at_once_and_a_panic_frees_its_place() {
        let lane = Lane::new(1);
        let (release, held) = sync_channel::<()>(0);
        let mut busy = Box::pin(lane.run(move || held.recv().is_err()));
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
}
