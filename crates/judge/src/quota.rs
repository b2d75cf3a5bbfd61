//! Whether a recipient's mailbox has room: so the sender learns of a full one at once, and from us.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use guard::{Charged, Fact, QuotaCharge};
use maildir::quota::{self, Quota, Usage};
use smtp::{Host, Mailbox};
use tracing::warn;

use super::bench::Judge;
use super::session::SessionId;
use config::Local;

/// How long a client waits for it at RCPT.
const PATIENCE: Duration = Duration::from_secs(5);

/// A mailbox with a bound.
struct Bound {
    maildir: PathBuf,
    octets: u64,
}

/// Whether there is room: none if every mailbox that the recipient leads to is full. What cannot be found out now is no
/// refusal: delivery asks again, and defers.
pub(super) async fn charge(judge: Judge<'_>, session: SessionId, room: &QuotaCharge) -> Fact<Charged> {
    let bounds = bounds(judge, &room.mailbox).await;
    if bounds.is_empty() {
        return Fact::Known(Charged::Within);
    }
    let more = Usage { octets: room.octets.unwrap_or(1), messages: 1 };
    let count = move || bounds.iter().all(|bound| bound.is_exceeded(more, session));
    let counted = judge.sources.files.within(PATIENCE, count).await;
    let is_exceeded = counted.unwrap_or_else(|error| {
        warn!(session = %session, %error, "quota unknown");
        false
    });
    Fact::Known(if is_exceeded { Charged::Exceeded } else { Charged::Within })
}

/// The mailboxes behind a recipient, if each of them has a bound; else there is room in one.
async fn bounds(judge: Judge<'_>, mailbox: &Mailbox) -> Vec<Bound> {
    let delivery = &judge.terms.settings.delivery;
    let (Local::Maildir, Host::Domain(domain)) = (&delivery.local, &mailbox.host) else { return Vec::new() };
    let local_part = mailbox.local_part.as_str();
    let directory = &judge.sources.directory;
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

impl Bound {
    fn is_exceeded(&self, more: Usage, session: SessionId) -> bool {
        let Self { maildir, octets } = self;
        let quota = Quota { octets: Some(*octets), messages: None };
        match quota::has_room(maildir, quota, more) {
            Ok(room) => !room,
            // A mailbox that was not made yet holds nothing, and delivery makes it.
            Err(error) if error.kind() == io::ErrorKind::NotFound => more.octets > *octets,
            Err(error) => {
                warn!(session = %session, maildir = %maildir.display(), %error, "quota unknown");
                false
            }
        }
    }
}
