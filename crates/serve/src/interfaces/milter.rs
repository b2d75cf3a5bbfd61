//! The mail filter for sendmail and Postfix: each recipient is judged like one of our own server.
//!
//! Client and greeting are judged from MAIL on: who has logged in by then is not judged by his address. Header and
//! body are not wanted. A right to relay is answered "go on", never "accept": that would let all later recipients
//! of the message pass unasked.

use std::io;
use std::net::IpAddr;
use std::time::Duration;

use guard::{AskedRcpt, Depth, Manners};
use mta::milter::{Config, Event, Modification, Reply, Session, path_text};
use smtp::address::{AddressError, ForwardPath};
use tracing::warn;

use super::client::{Answer, Told};
use super::{Connection, InForce, Served};
use judge::{Case, Places};
use listen::Link;
use mta::path;

/// How long a mail server may be silent: as long as its own client may be, and longer.
const IDLE_WAIT: Duration = Duration::from_hours(2);
/// Recipients outside of one message; far more than a mail server takes at once.
const RELAYED_MAX: usize = 10_000;
/// What sendmail and Postfix call the mailers that put mail into mailboxes, files and programs of their own.
const OWN_MAILERS: [&str; 11] =
    ["local", "virtual", "lmtp", "prog", "*file*", "procmail", "cyrus", "cyrusv2", "dovecot", "maildrop", "mailman"];
/// What a message is held or thrown away for, as its log shows.
const BY_RULE: &str = "access rule";

/// Serves one connection.
pub async fn serve(connection: &Connection, mut link: Link) -> Served {
    let mut filter = Filter {
        connection,
        session: Session::new(Config::default()),
        client: None,
        helo: None,
        case: None,
        open: None,
        places: Places::default(),
        relayed: Vec::new(),
    };
    let mut out = Vec::new();
    loop {
        match link.read_with(IDLE_WAIT, |octets| filter.session.push(octets)).await {
            Ok(Some(())) => {}
            Ok(None) => return Ok(()),
            Err(error) => return Err(error),
        }
        let ended = filter.answer_all(&mut out).await;
        link.send(&mut out).await?;
        if ended? {
            return Ok(());
        }
    }
}

/// One connection of a mail server, which speaks of one SMTP session after the other.
struct Filter<'v> {
    connection: &'v Connection,
    session: Session,
    /// The client's address, if it has one.
    client: Option<IpAddr>,
    helo: Option<String>,
    /// What is known of the client, over its transactions.
    case: Option<Box<Case>>,
    /// A transaction is open: in the case, or why its reverse-path cannot be read.
    open: Option<Result<(), AddressError>>,
    /// What is counted once its message is taken.
    places: Places,
    /// Whom it is relayed to; asked about once more at its end.
    relayed: Vec<ForwardPath>,
}

impl Filter<'_> {
    /// Answers every event that is whole; true: the mail server is done, or the listener is in no configuration any more.
    async fn answer_all(&mut self, out: &mut Vec<u8>) -> io::Result<bool> {
        loop {
            let event =
                self.session.next_event(out).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
            let Some(event) = event else { return Ok(self.session.is_closed()) };
            if matches!(event, Event::Quit) {
                return Ok(true);
            }
            let wants_reply = event.wants_reply();
            let Some(in_force) = self.connection.in_force() else { return Ok(true) };
            let reply = self.answer(event, &in_force, out).await;
            if wants_reply {
                self.reply(&reply, out)?;
            }
        }
    }

    /// Where a reply cannot be said at its step, the mail server is told to try later: never to go on.
    fn reply(&mut self, reply: &Reply, out: &mut Vec<u8>) -> io::Result<()> {
        let Err(misuse) = self.session.reply(reply, out) else { return Ok(()) };
        warn!(session = %self.connection.session, cause = ?misuse.to_string(), "reply changed");
        self.session.reply(&Reply::Tempfail, out).map_err(io::Error::other)
    }

    async fn answer(&mut self, event: Event, in_force: &InForce, out: &mut Vec<u8>) -> Reply {
        match event {
            Event::Connect { addr, .. } => {
                self.end_transaction();
                (self.client, self.helo, self.case) = (addr, None, None);
                Reply::Continue
            }
            Event::Helo(name) => {
                self.helo = String::from_utf8(name).ok();
                self.end_transaction();
                self.case = None;
                Reply::Continue
            }
            Event::Mail { path, .. } => self.mail(path_text(&path), in_force).await,
            Event::Rcpt { path, refused: false, .. } => self.rcpt(path_text(&path), in_force).await,
            Event::EndOfMessage(_) => {
                if let Some(refused) = self.lost_right(in_force).await {
                    self.end_transaction();
                    refused
                } else {
                    std::mem::take(&mut self.places).commit().await;
                    self.end_of_message(out)
                }
            }
            Event::Abort | Event::NextConnection => {
                self.end_transaction();
                Reply::Continue
            }
            // A recipient that the mail server refuses itself costs nobody anything.
            Event::Rcpt { refused: true, .. }
            | Event::Data
            | Event::Header { .. }
            | Event::EndOfHeaders
            | Event::Body(_)
            | Event::Unknown(_)
            | Event::Quit => Reply::Continue,
        }
    }

    /// What the mail server tells of the client now. A proxy that vouches for a login by XCLIENT has not checked it.
    fn told(&self) -> Told<'_> {
        let text = |name: &str| self.session.macro_value(name).and_then(|octets| str::from_utf8(octets).ok());
        let vouched = text("auth_type").is_some_and(|way| way.eq_ignore_ascii_case("XCLIENT"));
        let login = text("auth_authen").filter(|login| !login.is_empty() && !vouched);
        // What is not told under TLS only is told of by its absence only where it was asked for.
        let under_tls = self.session.macro_value("tls_version").is_some_and(|version| !version.is_empty());
        let is_asked = self.session.negotiated().is_some_and(|agreed| agreed.has_chosen_macros);
        let security = if under_tls { Some(Manners::Tls) } else { is_asked.then_some(Manners::PlainText) };
        Told { ip: self.client, helo: self.helo.as_deref(), login, security }
    }

    /// Whether the mail server says that it delivers this recipient itself. Then it is judged as where we only take away: no
    /// right is looked for, and none is said. Of a domain that the mail server hands on (`relay`, `smtp`, `esmtp`) nothing
    /// tells whether it answers for it, so those are to be named in `domains.relay`.
    fn goes_to_its_own(&self) -> bool {
        let mailer = self.session.macro_value("rcpt_mailer").and_then(|octets| str::from_utf8(octets).ok());
        mailer.is_some_and(|mailer| OWN_MAILERS.iter().any(|own| own.eq_ignore_ascii_case(mailer)))
    }

    async fn mail(&mut self, written: &[u8], in_force: &InForce) -> Reply {
        let mut case = self.case.take();
        // Whose the recipients are is not known yet.
        let (asking, told) = (self.connection.asking(in_force).to(Depth::Hosting), self.told());
        let (answer, open) = match path::reverse(written) {
            Ok(reverse_path) => {
                let case = case.get_or_insert_with(|| Box::new(asking.case(&told)));
                asking.again(case, &told);
                (asking.mail(case, reverse_path).await, Ok(()))
            }
            Err(error) => (asking.unreadable_sender(&told, written, error).await, Err(error)),
        };
        (self.case, self.open) = (case, Some(open));
        said(answer)
    }

    async fn rcpt(&mut self, written: &[u8], in_force: &InForce) -> Reply {
        // Without MAIL there is nothing to judge by.
        let Some(open) = self.open.filter(|_| self.relayed.len() < RELAYED_MAX) else { return Reply::Tempfail };
        let mut case = self.case.take();
        let (mut asking, told) = (self.connection.asking(in_force), self.told());
        if self.goes_to_its_own() {
            asking = asking.to(Depth::Hosting);
        }
        let answer = match (open, case.as_deref_mut(), path::forward(written)) {
            (Ok(()), Some(case), Ok(forward)) => {
                asking.again(case, &told);
                let asked = AskedRcpt { forward_path: &forward.path, had_source_route: forward.had_source_route };
                let answer = asking.rcpt_with(case, asked, &mut self.places).await;
                if answer == Answer::Permit {
                    self.relayed.push(forward.path.clone());
                }
                answer
            }
            (Err(error), _, _) | (_, _, Err(error)) => asking.unreadable(&told, written, error),
            (Ok(()), None, _) => return Reply::Tempfail,
        };
        self.case = case;
        said(answer)
    }

    /// The refusal of a message of which a recipient may not be relayed to any more: a right ended since RCPT.
    async fn lost_right(&mut self, in_force: &InForce) -> Option<Reply> {
        let mut case = self.case.take()?;
        let asking = self.connection.asking(in_force);
        asking.again(&mut case, &self.told());
        let mut lost = None;
        for forward_path in &self.relayed {
            let asked = AskedRcpt { forward_path, had_source_route: false };
            if let Answer::Refuse(reply) = asking.confirm(&mut case, asked).await {
                lost = Some(Reply::Refuse(reply));
                break;
            }
        }
        self.case = Some(case);
        lost
    }

    fn end_transaction(&mut self) {
        self.open = None;
        (self.places, self.relayed) = (Places::default(), Vec::new());
        if let Some(case) = &mut self.case {
            case.end_transaction();
        }
    }

    /// What access rules want done with the message.
    fn end_of_message(&mut self, out: &mut Vec<u8>) -> Reply {
        let effects = self.case.as_ref().and_then(|case| case.effects()).cloned().unwrap_or_default();
        self.end_transaction();
        if effects.discard {
            return Reply::Discard;
        }
        let quarantine = effects.hold.then_some(Modification::Quarantine { reason: BY_RULE });
        let headers = effects.prepend.iter().filter_map(|header| header.split_once(':'));
        let headers =
            headers.map(|(name, value)| Modification::InsertHeader { index: 0, name, value: value.trim_start() });
        for modification in quarantine.into_iter().chain(headers) {
            if let Err(misuse) = self.session.modify(&modification, out) {
                // What was to be held back must not go on.
                warn!(session = %self.connection.session, cause = ?misuse.to_string(), "reply changed");
                return if effects.hold { Reply::Tempfail } else { Reply::Continue };
            }
        }
        Reply::Continue
    }
}

fn said(answer: Answer) -> Reply {
    match answer {
        Answer::Permit | Answer::Pass => Reply::Continue,
        Answer::Refuse(reply) => Reply::Refuse(reply),
    }
}
