//! Whether a recipient's mailbox has room: so the sender learns of a full one at once, and from us.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use guard::{Charged, Fact, QuotaCharge};
use maildir::quota::{self, Quota, Usage};
use smtp::Host;
use tracing::warn;

use super::bench::Judge;
use super::session::SessionId;
use config::Local;

/// How long a client waits for it.
const PATIENCE: Duration = Duration::from_secs(5);

/// A mailbox with a bound, and what comes into it.
#[derive(Debug)]
pub struct Filling {
    /// The mailbox.
    pub maildir: PathBuf,
    /// What it may hold.
    pub octets_max: u64,
    /// What comes.
    pub more: Usage,
}

impl Judge<'_> {
    /// Whether none of these mailboxes, of which there is at least one, has room for what comes. What cannot be found out now
    /// has room: delivery asks again, and defers.
    pub async fn are_full(&self, session: SessionId, fillings: Vec<Filling>) -> bool {
        if fillings.is_empty() {
            return false;
        }
        let count = move || fillings.iter().all(|filling| filling.is_too_much(session));
        self.sources.files.within(PATIENCE, count).await.unwrap_or_else(|error| {
            warn!(session = %session, %error, "quota unknown");
            false
        })
    }
}

/// Whether there is room: none if every mailbox that the recipient leads to is full.
pub(super) async fn charge(judge: Judge<'_>, session: SessionId, room: &QuotaCharge) -> Fact<Charged> {
    let fillings = fillings(judge, room).await;
    let is_exceeded = judge.are_full(session, fillings).await;
    Fact::Known(if is_exceeded { Charged::Exceeded } else { Charged::Within })
}

/// The mailboxes behind a recipient, if each of them has a bound; else there is room in one.
async fn fillings(judge: Judge<'_>, room: &QuotaCharge) -> Vec<Filling> {
    let mailbox = &room.mailbox;
    let delivery = &judge.terms.settings.delivery;
    let (Local::Maildir, Host::Domain(domain)) = (&delivery.local, &mailbox.host) else { return Vec::new() };
    let local_part = mailbox.local_part.as_str();
    let directory = &judge.sources.directory;
    let Ok(found) = directory.resolve(local_part, domain.as_str(), mailbox.routing().is_some()).await else {
        return Vec::new();
    };
    let more = Usage { octets: room.octets.unwrap_or(1), messages: 1 };
    let filling = |target: &directory::Target| match target {
        directory::Target::Account { maildir, quota_octets, .. } => {
            let octets_max = quota_octets.or(delivery.quota_octets)?;
            Some(Filling { maildir: delivery.maildir_root.join(&**maildir), octets_max, more })
        }
        directory::Target::Forward { .. } => None,
    };
    found.targets.iter().map(filling).collect::<Option<Vec<_>>>().unwrap_or_default()
}

impl Filling {
    fn is_too_much(&self, session: SessionId) -> bool {
        let Self { maildir, octets_max, more } = self;
        let quota = Quota { octets: Some(*octets_max), messages: None };
        match quota::has_room(maildir, quota, *more) {
            Ok(room) => !room,
            // A mailbox that was not made yet holds nothing, and delivery makes it.
            Err(error) if error.kind() == io::ErrorKind::NotFound => more.octets > *octets_max,
            Err(error) => {
                warn!(session = %session, maildir = %maildir.display(), %error, "quota unknown");
                false
            }
        }
    }
}
