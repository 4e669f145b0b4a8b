//! Which recipients have an e-mail already when it is tried again, and what the log says of the others.

use std::collections::{HashMap, HashSet};

use lettre::Address;

use super::answer::{DeliveryFailure, Suspect, Trouble};
use super::smtp::Sent;

/// How often an e-mail is tried again for the recipients that were deferred while others took it, some half an hour in
/// all: greylisting takes some minutes.
const MOST_TRIES: u32 = 12;
/// How many e-mails are remembered of which some recipients wait.
const MOST_REMEMBERED: usize = 1000;

/// The e-mails that some of their recipients have taken.
#[derive(Debug, Default)]
pub(super) struct PartlySent {
    /// By the numbers of their deliveries.
    waiting: HashMap<i64, Waiting>,
    /// The recipients that the log says were refused.
    refused: HashSet<Address>,
}

/// The recipients that still wait for one e-mail.
#[derive(Debug)]
struct Waiting {
    recipients: Vec<Address>,
    tries: u32,
}

impl PartlySent {
    /// The recipients that do not have an e-mail about these deliveries yet, out of all of them.
    pub(super) fn recipients(&self, deliveries: &[i64], all: impl Iterator<Item = Address>) -> Vec<Address> {
        let waiting = deliveries.first().and_then(|delivery| self.waiting.get(delivery));
        waiting.map_or_else(|| all.collect(), |waiting| waiting.recipients.clone())
    }

    /// Takes in what became of an e-mail about these deliveries.
    ///
    /// # Errors
    /// When it is to be tried again, for the recipients that were deferred; if it was about several, one by one.
    pub(super) fn sent(&mut self, receiver: &str, deliveries: &[i64], sent: Sent) -> Result<(), Trouble> {
        for (recipient, answer) in sent.refused {
            if self.refused.insert(recipient.clone()) {
                tracing::error!(
                    event = "recipient_refused",
                    receiver,
                    "the server of receiver `{receiver}` does not take `{recipient}`, while it takes other recipients: \
                     {answer}"
                );
            }
        }
        let Some((first, answer)) = sent.deferred.first().cloned() else {
            self.forget(deliveries);
            return Ok(());
        };
        let tries = deliveries.iter().filter_map(|delivery| self.waiting.get(delivery)).map(|waiting| waiting.tries);
        let tries = tries.max().unwrap_or(0) + 1;
        if tries > MOST_TRIES || self.waiting.len() >= MOST_REMEMBERED {
            self.forget(deliveries);
            tracing::error!(
                event = "recipient_refused",
                receiver,
                "the server of receiver `{receiver}` has put off `{first}` again and again, while it takes other \
                 recipients: {answer}. This e-mail is given up for those that it put off"
            );
            return Ok(());
        }
        let recipients: Vec<_> = sent.deferred.into_iter().map(|(recipient, _)| recipient).collect();
        for delivery in deliveries {
            self.waiting.insert(*delivery, Waiting { recipients: recipients.clone(), tries });
        }
        let detail = format!("it does not take `{first}` yet: {answer}; the other recipients have it");
        Err(Trouble { suspect: Suspect::Recipients, ..Trouble::new(DeliveryFailure::Deferred, detail) })
    }

    fn forget(&mut self, deliveries: &[i64]) {
        for delivery in deliveries {
            self.waiting.remove(delivery);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_email_is_tried_again_only_for_who_was_put_off() {
        let address = |name: &str| format!("{name}@example.com").parse::<Address>().unwrap();
        let all = || ["a", "b", "c"].map(address).into_iter();
        let later = || Sent { refused: Vec::new(), deferred: vec![(address("b"), "451 later".to_owned())] };
        let mut partly = PartlySent::default();
        assert_eq!(partly.recipients(&[1, 2], all()).len(), 3);
        let trouble = partly.sent("mail", &[1, 2], later()).unwrap_err();
        assert_eq!(trouble.suspect, Suspect::Recipients);
        assert_eq!(partly.recipients(&[1, 2], all()), [address("b")]);
        assert_eq!(partly.recipients(&[3], all()).len(), 3);
        assert_eq!(partly.recipients(&[2], all()), [address("b")]);
        assert_eq!(partly.sent("mail", &[1, 2], Sent::default()), Ok(()));
        assert!(partly.waiting.is_empty());
        let tries = std::iter::repeat_with(|| partly.sent("mail", &[1, 2], later())).take_while(Result::is_err).count();
        assert_eq!((tries, partly.waiting.is_empty()), (MOST_TRIES as usize, true), "not for ever");
    }
}
