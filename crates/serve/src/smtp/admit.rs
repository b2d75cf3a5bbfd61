//! What a recipient of ours that was judged still takes: room in its mailboxes with all others of the mail, and, of a stranger's mail,
//! a share of what waits for its server and of what aliases send on. Known here, it is refused before 250.

use std::collections::BTreeMap;

use guard::{HostedPath, Reason, Recipient, Stage};
use judge::quota::Filling;
use judge::{Beside, Places};
use maildir::quota::Usage;
use smtp::ReversePath;
use smtp::replies;
use smtp::reply::Reply;
use spool::Target;
use tracing::info;

use super::answers::Answers;
use super::judge::judge;
use super::transaction::{LocalRecipient, Transaction};
use crate::deliver;
use crate::route::{self, Routed, Ways};

impl Answers {
    /// Whether there is room for the recipient; what is counted for it.
    pub(super) async fn admit(&mut self, recipient: &Recipient) -> Result<Places, Reply> {
        let Recipient::Hosted(hosted) = recipient else { return Ok(Places::default()) };
        let directory = &self.client.border.sources.directory;
        // What cannot be found out now is answered when the message is there.
        let reverse_path = self.case.reverse_path().unwrap_or(&ReversePath::Null);
        let Ok(Ways { ways: targets, .. }) = route::targets(directory, &self.client.site, hosted, reverse_path).await
        else {
            return Ok(Places::default());
        };
        self.count_copies(hosted, &targets).await?;
        if self.case.proved().is_some() {
            return Ok(Places::default());
        }
        self.share(hosted, &targets)?;
        let mailbox = hosted.mailbox().map(ToString::to_string).unwrap_or_default();
        let is_forward =
            |routed: &Routed| matches!(routed.target, Target::Remote { .. }) && routed.forward_path != mailbox;
        if !targets.iter().any(is_forward) {
            return Ok(Places::default());
        }
        let terms = self.terms();
        let places = judge(&self.client, &terms).forwards(&self.case, &mailbox.to_ascii_lowercase()).await;
        places.ok_or_else(|| {
            let (cause, forward_path) =
                ("limits.forwards_per_alias, limits.forwards_per_client", &*in_brackets(&mailbox));
            let (stage, reason, reply) = (Stage::Rcpt, "forward-limited", replies::forwards_limited);
            judge(&self.client, &terms).refused_beside(&self.case, Beside { stage, reason, cause, forward_path, reply })
        })
    }

    fn share(&self, hosted: &HostedPath, targets: &[Routed]) -> Result<(), Reply> {
        let spool = &self.client.border.spool;
        let crowded = targets.iter().map(|routed| routed.target.destination()).find(|it| !spool.has_share(it));
        let Some(destination) = crowded else { return Ok(()) };
        let path = hosted.mailbox().map(ToString::to_string).unwrap_or_default();
        info!(session = %self.client.session, forward_path = ?path, destination, "recipient deferred");
        let (cause, forward_path) = (&*destination, &*in_brackets(&path));
        let (stage, reason, reply) = (Stage::Rcpt, "destination-crowded", replies::destination_crowded);
        let terms = self.terms();
        Err(judge(&self.client, &terms)
            .refused_beside(&self.case, Beside { stage, reason, cause, forward_path, reply }))
    }

    /// With the size that was declared, each further copy of the mail must find room in a mailbox beside those before; the first
    /// was judged alone.
    async fn count_copies(&mut self, hosted: &HostedPath, targets: &[Routed]) -> Result<(), Reply> {
        let of_account = |routed: &Routed| match &routed.target {
            Target::Maildir { account } => Some(account.clone()),
            Target::Remote { .. } | Target::NextHop { .. } | Target::Lmtp { .. } => None,
        };
        let accounts: Vec<String> = targets.iter().filter_map(of_account).collect();
        let path = hosted.mailbox().map(ToString::to_string).unwrap_or_default();
        let local = LocalRecipient { path, is_only_here: accounts.len() == targets.len(), accounts };
        let Some(transaction) = &self.transaction else { return Ok(()) };
        let mut copies: BTreeMap<String, u64> = BTreeMap::new();
        for account in &local.accounts {
            let before = transaction.copies.get(account).copied().unwrap_or_default();
            *copies.entry(account.clone()).or_insert(before) += 1;
        }
        if let Some(octets) = transaction.declared_octets
            && copies.values().any(|count| *count > 1)
            && self.is_full(&local, &copies, octets).await
        {
            return Err(self.full(&local.path, Stage::Rcpt));
        }
        if let Some(transaction) = &mut self.transaction {
            transaction.copies.append(&mut copies);
            transaction.local.push(local);
        }
        Ok(())
    }

    /// The message is here, `octets` long: whether each of its recipients has a mailbox with room for all copies of it. Where nobody
    /// may be told afterwards, the client is told now.
    pub(super) async fn has_room(&self, transaction: &Transaction, envelope: &spool::Envelope) -> Result<(), Reply> {
        if envelope.may_tell() || envelope.recipients.len() < 2 {
            return Ok(());
        }
        for recipient in &transaction.local {
            if self.is_full(recipient, &transaction.copies, envelope.message_octets).await {
                let (path, octets) = (&recipient.path, envelope.message_octets);
                info!(session = %self.client.session, forward_path = ?path, octets, "mailbox full");
                return Err(self.full(path, Stage::Message));
            }
        }
        Ok(())
    }

    /// The reply to a message that was not taken, with the id of its record.
    pub(super) fn recorded(&self, reply: Reply) -> Reply {
        let terms = self.terms();
        judge(&self.client, &terms).message_refused(&self.case, reply)
    }

    fn full(&self, path: &str, stage: Stage) -> Reply {
        let (reason, cause) = (Reason::MailboxFull.code(), "all copies of the message together");
        let beside = Beside { stage, reason, cause, forward_path: &in_brackets(path), reply: replies::mailbox_full };
        let terms = self.terms();
        judge(&self.client, &terms).refused_beside(&self.case, beside)
    }

    /// Whether none of its mailboxes can take all copies. What is not known has room: delivery asks again.
    async fn is_full(&self, recipient: &LocalRecipient, copies: &BTreeMap<String, u64>, octets: u64) -> bool {
        if !recipient.is_only_here {
            return false;
        }
        let site = self.client.border.site.load_full();
        let mut fillings = Vec::new();
        for account in &recipient.accounts {
            let found = deliver::find(&self.client.border.sources.directory, &site.settings, account).await;
            let Ok(Some((maildir, Some(octets_max)))) = found else { return false };
            let count = copies.get(account).copied().unwrap_or(1);
            fillings.push(Filling {
                maildir,
                octets_max,
                more: Usage { octets: octets.saturating_mul(count), messages: count },
            });
        }
        let terms = self.terms();
        judge(&self.client, &terms).are_full(self.client.session, fillings).await
    }
}

fn in_brackets(path: &str) -> String {
    format!("<{path}>")
}
