//! Whether a recipient's mailbox has room: so the sender learns of a full one at once, and from us.

use std::io;
use std::path::PathBuf;

use guard::HostedPath;
use maildir::quota::{self, Quota, Usage};
use smtp::Host;
use tracing::warn;

use super::Party;
use crate::config::Local;
use crate::judge::session::SessionId;

/// A mailbox with a bound.
struct Bound {
    maildir: PathBuf,
    octets: u64,
}

impl Party<'_> {
    /// Every mailbox that this recipient leads to is full. `octets`: the message's size, as far as it is known.
    ///
    /// What cannot be found out now is no refusal: delivery asks again, and defers.
    pub async fn is_full(&self, hosted: &HostedPath, octets: Option<u64>) -> bool {
        let bounds = self.bounds(hosted).await;
        if bounds.is_empty() {
            return false;
        }
        let more = Usage { octets: octets.unwrap_or(1), messages: 1 };
        let session = self.session;
        let counted = tokio::task::spawn_blocking(move || bounds.iter().all(|bound| bound.is_exceeded(more, session)));
        counted.await.unwrap_or(false)
    }

    /// The mailboxes behind a recipient, if each of them has a bound; else there is room in one.
    async fn bounds(&self, hosted: &HostedPath) -> Vec<Bound> {
        let delivery = &self.terms.settings.delivery;
        let (Local::Maildir, Some(mailbox)) = (&delivery.local, hosted.mailbox()) else { return Vec::new() };
        let Host::Domain(domain) = &mailbox.host else { return Vec::new() };
        let local_part = mailbox.local_part.as_str();
        let directory = &self.sources.directory;
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

impl Bound {
    fn is_exceeded(&self, more: Usage, session: SessionId) -> bool {
        let Self { maildir, octets } = self;
        let quota = Quota { octets: Some(*octets), messages: None };
        match quota::has_room(maildir, quota, more) {
            Ok(room) => !room,
            // A mailbox that was not made yet holds nothing, and delivery makes it.
            Err(error) if error.kind() == io::ErrorKind::NotFound => more.octets > *octets,
            Err(error) => {
                warn!(session = %session, maildir = %maildir.display(), %error, "quota not known");
                false
            }
        }
    }
}
