//! How an Alertmanager is made to silence what is acknowledged, and nothing else through us. That this fails delays no alert.

use std::sync::Arc;

use tokio::time::Instant;

use crate::alert::Acknowledgement;
use crate::config::Receiver;
use crate::system::clock;

use super::alertmanager::RESEND;
use super::answer::{DeliveryFailure, Trouble};
use super::outgoing::{Outgoing, Verb};
use super::post::Post;
use super::silences::{SILENCE, SILENCES, Silence, body, search, wanted};
use super::worker::Worker;

impl<P: Post> Worker<P> {
    /// Has silenced what is acknowledged, and nothing else through us. That this fails delays no alert: it is tried again
    /// with the next states.
    pub(super) async fn keep_silences(&mut self) {
        let receiver = Arc::clone(&self.handles.receiver.borrow());
        let snapshot = Arc::clone(&self.handles.snapshots.borrow());
        let wanted = wanted(&snapshot, &receiver.only, clock::now());
        let is_kept = self.silences.kept_at.is_some_and(|at| at.elapsed() < RESEND) && wanted == self.silences.tried;
        if self.is_stopping() || is_kept {
            return;
        }
        self.silences.perhaps.extend(wanted.keys().cloned());
        self.silences.tried = wanted;
        let outcome = self.silence_all(&receiver).await;
        self.silences.kept_at = outcome.is_ok().then(Instant::now);
        let is_failing = outcome.is_err();
        match (outcome, std::mem::replace(&mut self.silences.is_failing, is_failing)) {
            (Err(Trouble { why, detail, .. }), false) => tracing::warn!(
                event = "silence_failed",
                receiver = receiver.name,
                reason = why.as_str(),
                "Alertmanager `{}` could not be made to silence what is acknowledged: {detail}. Alerts are sent to it all \
                 the same, and this is tried again every minute",
                receiver.name
            ),
            (Ok(()), true) => tracing::info!(
                event = "silence_works",
                receiver = receiver.name,
                "Alertmanager `{}` silences again what is acknowledged",
                receiver.name
            ),
            _ => {}
        }
    }

    async fn silence_all(&mut self, receiver: &Arc<Receiver>) -> Result<(), Trouble> {
        for incident in self.silences.perhaps.clone() {
            let acknowledgement = self.silences.tried.get(&incident).cloned();
            self.silence(receiver, &incident, acknowledgement.as_ref()).await?;
            if acknowledgement.is_none() {
                self.silences.perhaps.remove(&incident);
            }
        }
        Ok(())
    }

    /// Has one alert silenced as somebody has taken it on, or not silenced.
    async fn silence(
        &mut self,
        receiver: &Arc<Receiver>,
        incident: &str,
        acknowledgement: Option<&Acknowledgement>,
    ) -> Result<(), Trouble> {
        let outgoing = Outgoing { path: search(incident).into(), verb: Verb::Get, ..Outgoing::default() };
        let shown = self.send(receiver, outgoing).await?;
        let silences: Vec<Silence> = serde_json::from_slice(&shown.body).map_err(|error| {
            Trouble::new(DeliveryFailure::NotReceiver, format!("its list of silences cannot be read: {error}"))
        })?;
        let mut ours: Vec<_> = silences.into_iter().filter(|silence| silence.is_ours(incident)).collect();
        if let Some(acknowledgement) = acknowledgement {
            let first = if ours.is_empty() { None } else { Some(ours.remove(0)) };
            let end = acknowledgement.until + self.clocks().offset.unwrap_or_default();
            if !first.as_ref().is_some_and(|silence| silence.says(acknowledgement, end)) {
                let body = body(incident, acknowledgement, end, first.as_ref().map(|silence| silence.id.as_str()));
                let outgoing = Outgoing { path: SILENCES.into(), body, ..Outgoing::default() };
                self.send(receiver, outgoing).await?;
            }
        }
        for Silence { id, .. } in ours {
            let outgoing =
                Outgoing { path: format!("{SILENCE}/{id}").into(), verb: Verb::Delete, ..Outgoing::default() };
            match self.send(receiver, outgoing).await {
                // One that is gone already is as it should be.
                Err(trouble) if !trouble.is_for_good() => return Err(trouble),
                _ => {}
            }
        }
        Ok(())
    }
}
