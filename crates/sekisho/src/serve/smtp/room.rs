//! Whether a recipient's mailbox has room, asked at RCPT, and at the end of a message that is larger than it was told to
//! be: the sender learns of a full mailbox at once, and from us.

use std::path::PathBuf;

use guard::{HostedPath, Reason, Recipient};
use maildir::quota::{self, Quota, Usage};
use smtp::Host;
use smtp::reply::Reply;
use smtp::server::{Accepted, Envelope};
use tracing::warn;

use super::message::ABOVE_OCTETS;
use super::talk::{Talk, Transaction};
use crate::config::Local;

/// A mailbox with a bound.
struct Bound {
    maildir: PathBuf,
    octets: u64,
}

impl Talk {
    /// Every mailbox that this recipient leads to is full. `declared`: the message's size, as far as the client told it.
    ///
    /// What cannot be found out now is no refusal: delivery asks again, and defers.
    pub(super) async fn is_full(&self, hosted: &HostedPath, declared: Option<u64>) -> bool {
        let bounds = self.bounds(hosted).await;
        if bounds.is_empty() {
            return false;
        }
        let more = Usage { octets: declared.unwrap_or(1), messages: 1 };
        let session = self.client.session;
        let counted = tokio::task::spawn_blocking(move || {
            bounds.iter().all(|Bound { maildir, octets }| {
                let quota = Quota { octets: Some(*octets), messages: None };
                match quota::has_room(maildir, quota, more) {
                    Ok(room) => !room,
                    // A mailbox that was not made yet holds nothing, and delivery makes it.
                    Err(error) if error.kind() == std::io::ErrorKind::NotFound => more.octets > *octets,
                    Err(error) => {
                        warn!(session = %session, maildir = %maildir.display(), %error, "quota not known");
                        false
                    }
                }
            })
        });
        counted.await.unwrap_or(false)
    }

    /// Asks again once the message is here, `octets` long: a client that told no size, or a smaller one, learns only now that
    /// it does not fit. With several recipients the one reply would speak for all: there delivery decides for each.
    pub(super) async fn fits(
        &self,
        envelope: &Envelope<Recipient>,
        transaction: &Transaction,
        octets: u64,
    ) -> Result<(), Reply> {
        let [Accepted { proof: Recipient::Hosted(hosted), .. }] = &*envelope.recipients else { return Ok(()) };
        let told = transaction.declared.is_some_and(|declared| octets <= declared.saturating_add(ABOVE_OCTETS as u64));
        if told || !self.is_full(hosted, Some(octets)).await {
            return Ok(());
        }
        Err(self.refuse_late(Reason::MailboxFull, hosted.path(), transaction))
    }

    /// The mailboxes behind a recipient, if each of them has a bound; else there is room in one.
    async fn bounds(&self, hosted: &HostedPath) -> Vec<Bound> {
        let delivery = &self.client.site.settings.delivery;
        let (Local::Maildir, Some(mailbox)) = (&delivery.local, hosted.mailbox()) else { return Vec::new() };
        let Host::Domain(domain) = &mailbox.host else { return Vec::new() };
        let local_part = mailbox.local_part.as_str();
        let directory = &self.client.border.directory;
        let Ok(found) = directory.resolve(local_part, domain.as_str(), mailbox.routing().is_some()).await else {
            return Vec::new();
        };
        let bound = |target: &directory::Target| match target {
            directory::Target::Account { maildir, quota_octets, .. } => {
                let octets = quota_octets.or(delivery.quota_octets)?;
                Some(Bound { maildir: delivery.maildir_root.join(&**maildir), octets })
            }
            directory::Target::Forward { .. } => None,
        };
        found.targets.iter().map(bound).collect::<Option<Vec<_>>>().unwrap_or_default()
    }
}
