//! A message on its way from the session into the queue: room, header, durability, and the one line of its log.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use guard::{HostedPath, Recipient, Right};
use judge::relayed::{self, Relayed};
use keep::tally::{COUNTED, TakenAs};
use smtp::ReversePath;
use smtp::replies;
use smtp::reply::Reply;
use smtp::server::{Accepted, Answer, Envelope, HeloVerb, With};
use spool::{AcceptError, Incoming, Target, Via};
use telemetry::{ByGrant, Pad};
use tracing::{error, info, warn};

use super::answers::Answers;
use super::header::Hop;
use super::origin;
use super::transaction::{Arriving, Proof, Transaction};
use crate::route::{self, Routed};
use listen::memory::{Held, HeldComing};
use smtp::head::{Bcc, Beginning, Header, HeaderReader};

/// What our header fields above a message take, in octets; nearly always enough.
pub(super) const ABOVE_OCTETS: usize = 512;

/// Recipients of one message once aliases are replaced by what is behind them; far below what the spool can hold.
const TARGETS_MAX: usize = 10_000;

/// The name that the first line of an mbox gets, so that the header goes on behind it. Others call it so too.
const MBOX_LINE_NAME: &str = "X-Mailbox-Line: ";

/// Why the queue holds what an access rule holds.
const HELD_BY_RULE: &str = "rule";

/// A message that was answered with 250.
struct Taken {
    id: spool::QueueId,
    octets: u64,
    fate: Fate,
    /// Its `Message-ID:`, the client's or ours.
    message_id: String,
}

/// What became of it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// It is on disk, and will be delivered.
    Queued,
    /// It is on disk, and waits for a person.
    Held,
    /// An access rule had it thrown away.
    Discarded,
}

impl Answers {
    /// Before 354: is there room?
    pub(super) async fn begin_message(&mut self, declared_size: Option<u64>) -> Answer<Proof> {
        if self.transaction.is_none() {
            return Answer::Refuse(replies::mail_first());
        }
        let spool = Arc::clone(&self.client.border.spool);
        if let Err(error) = spool.room(declared_size.unwrap_or(0)).await {
            return Answer::Refuse(refusal(&error));
        }
        let incoming = spool.incoming();
        let (piece_octets, held) = self.first_piece(declared_size);
        let header = HeaderReader::new(self.bcc());
        let arriving = Arriving { incoming, header, failed: None, declared_size, _in_session: held, held: None };
        let Some(transaction) = self.transaction.as_mut() else { return Answer::Refuse(replies::mail_first()) };
        transaction.arriving = Some(arriving);
        Answer::ProceedInPieces(piece_octets)
    }

    /// A mail of somebody who sends by us names no hidden recipients; what comes from elsewhere is not ours to change.
    fn bcc(&self) -> Bcc {
        let sends_by_us = self.client.listener.settings.protocol.is_submission()
            || self.case.proved().is_some()
            || self.transaction.as_ref().is_some_and(|transaction| transaction.relays);
        if sends_by_us { Bcc::Goes } else { Bcc::Stays }
    }

    /// How much of the message the session may keep before it hands a piece on, with memory for it. Where there is none, all
    /// is handed on as it is read, and goes to the disk.
    fn first_piece(&self, declared_size: Option<u64>) -> (usize, Option<HeldComing>) {
        let most = self.client.site.settings.limits.body_chunk_octets;
        let declared =
            declared_size.filter(|declared| *declared > 0).and_then(|declared| usize::try_from(declared).ok());
        let wanted = declared.map_or(most, |declared| most.min(declared.saturating_add(ABOVE_OCTETS)));
        match self.client.border.memory.hold_coming(wanted as u64, self.ip()) {
            Some(held) => (wanted, Some(held)),
            None => (1, None),
        }
    }

    /// A piece that is not the last one.
    pub(super) async fn take_piece(&mut self, piece: Vec<u8>) {
        let Some(mut transaction) = self.transaction.take() else { return };
        if let Some(mut arriving) = transaction.arriving.take() {
            if arriving.failed.is_none() {
                arriving.failed = self.keep_piece(piece, &mut arriving).await.err();
            }
            transaction.arriving = Some(arriving);
        }
        self.transaction = Some(transaction);
    }

    async fn keep_piece(&self, piece: Vec<u8>, arriving: &mut Arriving) -> Result<(), Reply> {
        if arriving.incoming.octets() == 0 {
            arriving.held = self.hold_coming(arriving.declared_size);
        }
        let piece = self.read_header(arriving, piece)?;
        let on_its_way = self.hold(arriving, piece.len()).await?;
        if on_its_way.is_some() {
            arriving.incoming.write_through();
        }
        arriving.incoming.write(piece).await.map_err(|error| refusal(&error))?;
        if on_its_way.is_some() {
            // All of it is in its file.
            arriving.held = None;
        }
        Ok(())
    }

    /// What of the piece goes on its way.
    fn read_header(&self, arriving: &mut Arriving, piece: Vec<u8>) -> Result<Vec<u8>, Reply> {
        let piece = arriving.header.read(piece);
        let too_long = arriving.header.octets() > self.client.site.settings.limits.header_octets;
        if too_long { Err(replies::header_too_long()) } else { Ok(piece) }
    }

    /// Memory for a message that is coming in, if it shall be there and there is some.
    fn hold_coming(&self, declared_size: Option<u64>) -> Option<(HeldComing, u64)> {
        let inline = self.client.site.settings.spool.inline_octets;
        let whole = declared_size.map_or(inline, |declared| declared.saturating_add(ABOVE_OCTETS as u64));
        if whole > inline {
            return None;
        }
        // Twice, since its pieces are joined at the end.
        Some((self.client.border.memory.hold_coming(whole * 2, self.ip())?, whole))
    }

    /// Waits until there is memory for what goes to the disk now, beyond what the message has; the client waits with us,
    /// since we do not read meanwhile.
    async fn hold(&self, arriving: &Arriving, more: usize) -> Result<Option<Held>, Reply> {
        let octets = arriving.incoming.octets() + more as u64;
        if arriving.held.as_ref().is_some_and(|(_, most)| octets <= *most) {
            return Ok(None);
        }
        let wait = self.client.site.settings.limits.data_timeout;
        let held = self.client.border.memory.hold(more as u64, wait).await;
        held.map(Some).ok_or_else(replies::disk_full)
    }

    /// The last piece: 250 only once the message is durable.
    pub(super) async fn take_message(&mut self, envelope: Box<Envelope<Proof>>, last: Vec<u8>) -> Answer<Proof> {
        let Some(transaction) = self.transaction.take() else { return Answer::Refuse(replies::internal_fault()) };
        let ended = Instant::now();
        let stored = self.store(&envelope, transaction, last).await;
        let stored = stored.map_err(|reply| self.recorded(reply));
        self.case.end_transaction();
        match stored {
            Ok(taken) => {
                COUNTED.commit.took(ended.elapsed());
                self.count_taken(&envelope, taken.octets);
                self.log_taken(&envelope, &taken);
                for accepted in envelope.recipients {
                    accepted.proof.places.commit().await;
                }
                Answer::Accepted(replies::queued(&taken.id))
            }
            Err(reply) => Answer::Refuse(reply),
        }
    }

    /// Makes the message durable, unless it is to be thrown away.
    async fn store(
        &mut self,
        envelope: &Envelope<Proof>,
        mut transaction: Box<Transaction>,
        last: Vec<u8>,
    ) -> Result<Taken, Reply> {
        let Some(mut arriving) = transaction.arriving.take() else { return Err(replies::internal_fault()) };
        if let Some(reply) = arriving.failed {
            return Err(reply);
        }
        // Until it is durable.
        let _on_its_way = self.hold(&arriving, last.len() + ABOVE_OCTETS).await?;
        let mut last = self.read_header(&mut arriving, last)?;
        let mut reader = std::mem::take(&mut arriving.header);
        let message_id = reader.take_message_id();
        let (header, held_back) = reader.finish();
        last.extend(held_back);
        if header.received > self.client.site.settings.limits.hops {
            return Err(self.loops(envelope, header.received));
        }
        let message_id = if header.message_id { message_id } else { self.own_message_id(&arriving) };
        let above = self.fields_above(header, &arriving, &transaction);
        *arriving.incoming.head_mut() = above.into_bytes();
        let octets = arriving.incoming.octets() + last.len() as u64;
        let effects = self.case.effects().cloned().unwrap_or_default();
        if effects.discard {
            return Ok(Taken { id: arriving.incoming.id(), octets, fate: Fate::Discarded, message_id });
        }
        let fate = if effects.hold { Fate::Held } else { Fate::Queued };
        self.judge_message(envelope, octets).await?;
        let queued = self.queued_envelope(envelope, octets).await?;
        self.has_room(&transaction, &queued).await?;
        if fate == Fate::Held {
            arriving.incoming.hold(HELD_BY_RULE);
        }
        if transaction.relays
            && let Some(line) = self.relay_line(envelope, &arriving.incoming, &queued)
        {
            arriving.incoming.relayed(line);
        }
        let id = arriving.incoming.commit(queued, last).await.map_err(|error| self.not_stored(&error))?;
        Ok(Taken { id, octets, fate, message_id })
    }

    /// What the relay record keeps of it.
    fn relay_line(&self, envelope: &Envelope<Proof>, incoming: &Incoming, queued: &spool::Envelope) -> Option<String> {
        let relayed = envelope.recipients.iter().filter_map(|Accepted { proof, .. }| match &proof.recipient {
            Recipient::Relayed(path, grant) => Some(Relayed { path, right: grant.right(), explain: proof.explain }),
            Recipient::Hosted(_) => None,
        });
        relayed::line(&relayed::Message {
            case: &self.case,
            terms: &self.terms(),
            client: self.ip(),
            queue_id: &incoming.id(),
            at: UNIX_EPOCH + Duration::from_micros(queued.arrived_at_unix_micros),
            reverse_path: &envelope.reverse_path,
            recipients: envelope.recipients.len(),
            relayed: &relayed.collect::<Vec<_>>(),
            octets: queued.message_octets,
        })
    }

    /// What we write above the message, whose header was read to its end.
    fn fields_above(&self, header: Header, arriving: &Arriving, transaction: &Transaction) -> String {
        let date = self.client.border.dates.now();
        let id = arriving.incoming.id().to_string();
        let mut above = String::with_capacity(ABOVE_OCTETS);
        // Above our own `Received:`, as Postfix puts them.
        for field in self.case.effects().iter().flat_map(|effects| &effects.prepend) {
            let _ = write!(above, "{field}\r\n");
        }
        let is_hidden = self.client.listener.settings.hide_client && self.case.proved().is_some();
        let helo = self.helo.as_ref().filter(|_| !is_hidden);
        let helo = helo.map_or_else(|| "unknown".to_owned(), |helo| helo.host.to_string());
        Hop {
            helo: &helo,
            client: (!is_hidden).then(|| self.ip()),
            tls: self.tls.as_deref(),
            hostname: &self.client.site.settings.hostname,
            protocol: self.with(transaction).protocol(),
            queue_id: &id,
            recipient: transaction.first_recipient.as_deref().filter(|_| transaction.recipients == 1),
            date: &date,
        }
        .write_to(&mut above);
        // RFC 6409 §8: what a submission lacks.
        if self.client.listener.settings.protocol.is_submission() {
            if !header.date {
                let _ = write!(above, "Date: {date}\r\n");
            }
            if !header.message_id {
                let _ = write!(above, "Message-ID: {}\r\n", self.own_message_id(arriving));
            }
        }
        above.push_str(match header.begins_with {
            Beginning::Header => "",
            Beginning::Body => "\r\n",
            // It stands right below, and is a field by this.
            Beginning::MboxLine => MBOX_LINE_NAME,
        });
        above
    }

    /// What a submission without one gets as its `Message-ID:`; nothing where we write none.
    fn own_message_id(&self, arriving: &Arriving) -> String {
        if !self.client.listener.settings.protocol.is_submission() {
            return String::new();
        }
        format!("<{}@{}>", arriving.incoming.id(), self.client.site.settings.hostname)
    }

    /// How the message comes in, before the envelope is complete.
    fn with(&self, transaction: &Transaction) -> With {
        With {
            verb: self.helo.as_ref().map_or(HeloVerb::Ehlo, |helo| helo.verb),
            smtputf8: transaction.smtputf8,
            tls: self.tls.is_some(),
            authenticated: self.case.proved().is_some(),
        }
    }

    /// The envelope as it is queued: every recipient with its targets.
    async fn queued_envelope(&self, envelope: &Envelope<Proof>, octets: u64) -> Result<spool::Envelope, Reply> {
        let mut recipients = Vec::with_capacity(envelope.recipients.len());
        for accepted in &envelope.recipients {
            let more = |forward_path: String, target: Target, via: Option<Box<Via>>| spool::Recipient {
                forward_path,
                target,
                via,
                notify: accepted.params.notify.bits(),
                orcpt: accepted.params.orcpt.clone(),
            };
            match &accepted.proof.recipient {
                Recipient::Relayed(path, _) => {
                    let host = path.mailbox().map(|mailbox| mailbox.host.to_string()).unwrap_or_default();
                    recipients.push(more(bare(path), Target::Remote { host }, None));
                }
                Recipient::Hosted(hosted) => {
                    let ways = self.ways(hosted, &envelope.reverse_path).await?.into_iter();
                    recipients.extend(ways.map(|way| more(way.forward_path, way.target, way.via)));
                }
            }
        }
        if recipients.len() > TARGETS_MAX {
            return Err(replies::too_many_targets());
        }
        let arrived = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Ok(spool::Envelope {
            reverse_path: envelope.reverse_path.mailbox().map(ToString::to_string).unwrap_or_default(),
            recipients,
            origin: origin::of(&self.client, &self.case, envelope).await,
            arrived_at_unix_micros: u64::try_from(arrived.as_micros()).unwrap_or(u64::MAX),
            session: self.client.session.to_string(),
            smtputf8: envelope.mail.smtputf8,
            eight_bit: envelope.mail.body == Some(smtp::server::BodyKind::EightBitMime),
            envid: envelope
                .mail
                .envid
                .as_deref()
                .and_then(smtp::xtext::decode)
                .and_then(|octets| String::from_utf8(octets).ok()),
            ret: envelope.mail.ret.map(|ret| match ret {
                smtp::Ret::Full => spool::Ret::Full,
                smtp::Ret::Headers => spool::Ret::Headers,
            }),
            message_octets: octets,
        })
    }

    /// Where a recipient's mail goes. Who behind it does not take mail of the sender is told of: nobody else will be.
    async fn ways(&self, hosted: &HostedPath, reverse_path: &ReversePath) -> Result<Vec<Routed>, Reply> {
        let directory = &self.client.border.sources.directory;
        let found = route::targets(directory, &self.client.site, hosted, reverse_path).await;
        let route::Ways { ways, left_out } = found.map_err(|error| self.unroutable(&error))?;
        for account in left_out {
            let (forward_path, reverse_path) = (hosted.path().to_string(), reverse_path.to_string());
            info!(session = %self.client.session, account = &*account, reverse_path = ?reverse_path, forward_path = ?forward_path, "recipient unwilling");
        }
        Ok(ways)
    }

    fn loops(&self, envelope: &Envelope<Proof>, hops: usize) -> Reply {
        let session = self.client.session;
        info!(session = %session, client = %self.ip(), reverse_path = ?envelope.reverse_path.to_string(), hops, "message looped");
        replies::loop_detected()
    }

    fn unroutable(&self, error: &route::RouteError) -> Reply {
        warn!(session = %self.client.session, %error, note = "of a recipient that was accepted", "route unknown");
        replies::not_stored()
    }

    fn not_stored(&self, error: &AcceptError) -> Reply {
        error!(session = %self.client.session, %error, "message unstored");
        refusal(error)
    }

    /// For the numbers, and for whoever looks after a sender that sends much more than it used to.
    fn count_taken(&self, envelope: &Envelope<Proof>, octets: u64) {
        COUNTED.taken_octets.add(octets);
        COUNTED.taken_null.add(u64::from(envelope.reverse_path.mailbox().is_none()));
        let mut rights = envelope.recipients.iter().filter_map(|accepted| accepted.proof.recipient.right());
        COUNTED.relayed.add(rights.clone().count() as u64);
        let right = rights.next();
        let trusted = right.is_some() || self.case.proved().is_some();
        COUNTED.taken.one(if trusted { TakenAs::Trusted } else { TakenAs::Outside } as usize);
        if trusted {
            let login = self.login().or(right.and_then(Right::login));
            let device = self.case.proved().and_then(|proved| proved.identity.device.as_deref());
            let by_grant = if matches!(right, Some(Right::Pop { .. })) { ByGrant::Yes } else { ByGrant::No };
            let by = Pad::of(self.ip(), login, device.map(|device| &*device.login), by_grant);
            self.client.border.watch.pads.sent(by, envelope.recipients.len());
        }
    }

    fn log_taken(&self, envelope: &Envelope<Proof>, taken: &Taken) {
        let session = self.client.session;
        let (queue_id, octets) = (taken.id, taken.octets);
        let reverse_path = envelope.reverse_path.to_string();
        if taken.fate == Fate::Discarded {
            let login = self.login();
            info!(session = %session, client = %self.ip(), login, device = self.device(), queue_id = %queue_id, reverse_path = ?reverse_path, recipients = envelope.recipients.len(), octets, "discarded");
            return;
        }
        let right = envelope.recipients.iter().find_map(|accepted| accepted.proof.recipient.right());
        info!(
            session = %session,
            client = %self.ip(),
            login = self.login().or(right.and_then(|right| right.login())),
            device = self.device().or(right.and_then(|right| right.device())),
            queue_id = %queue_id,
            reverse_path = ?reverse_path,
            recipients = envelope.recipients.len(),
            to = ?Named(&envelope.recipients),
            message_id = (!taken.message_id.is_empty()).then(|| tracing::field::debug(&taken.message_id)),
            helo = self.helo.as_ref().map(|helo| tracing::field::debug(helo.host.to_string())),
            tls = self.tls.as_ref().map(|tls| &*tls.version),
            cipher = self.tls.as_ref().map(|tls| &*tls.cipher),
            octets,
            relay = right.map(guard::Right::code),
            held = (taken.fate == Fate::Held).then_some(true),
            "accepted"
        );
    }
}

/// The recipients of a message in their brackets, as far as a line of the log has room; made only where a line is.
struct Named<'a>(&'a [Accepted<Proof>]);

/// Octets that are written of them: less than the log cuts a value at.
const NAMED_OCTETS_MAX: usize = 900;

impl std::fmt::Debug for Named<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut named = String::new();
        for (number, accepted) in self.0.iter().enumerate() {
            let before = named.len();
            let comma = if number == 0 { "" } else { "," };
            write!(named, "{comma}{}", accepted.proof.recipient.path())?;
            if named.len() > NAMED_OCTETS_MAX {
                named.truncate(before);
                write!(named, "{comma}+{}", self.0.len() - number)?;
                break;
            }
        }
        f.write_str(&named)
    }
}

/// A path without its brackets.
fn bare(path: &smtp::ForwardPath) -> String {
    path.mailbox().map_or_else(|| "postmaster".to_owned(), ToString::to_string)
}

fn refusal(error: &AcceptError) -> Reply {
    match error {
        AcceptError::Full { .. } => replies::disk_full(),
        AcceptError::Io { .. } | AcceptError::Envelope(_) => replies::not_stored(),
        AcceptError::Closed => replies::shutting_down(),
    }
}
