//! An SMTP client of another mail server, judged like one of our own: what every interface is told of it is one of three
//! answers, and which one depends on who decides about relaying there.

use std::net::IpAddr;

use guard::{AddressRight, AskedRcpt, Depth, Fact, Manner, Manners, Outcome, Reason, Recipient, Stage};
use smtp::address::{AddressError, Host};
use smtp::{ReversePath, replies, reply::Reply};
use tracing::info;

use super::Connection;
use crate::away::{Answered, Away};
use config::RelayMode;
use judge::auth::Proved;
use judge::{Case, Connected, Decision, Judge, Login, Places, Terms, ban, offence};

/// What the mail server tells of its client.
#[derive(Debug, Clone, Copy, Default)]
pub struct Told<'a> {
    /// Its address; `None`: the mail server does not know it.
    pub ip: Option<IpAddr>,
    /// What it calls itself.
    pub helo: Option<&'a str>,
    /// The login that the mail server has checked.
    pub login: Option<&'a str>,
    /// [`Manners::Tls`] or [`Manners::PlainText`], as it speaks now; `None`: the mail server does not tell.
    pub security: Option<Manners>,
}

impl Told<'_> {
    /// What may have changed since an earlier question. A login counts if our directory knows it, which is asked at each question.
    fn tell(&self, case: &mut Case) {
        case.set_login(self.login.map_or(Login::Nobody, |login| Login::Told(judge::Told::new(login))));
        if let Some(security) = self.security {
            case.noted(security);
        }
    }
}

/// What the mail server is told.
#[must_use]
#[derive(Debug, PartialEq, Eq)]
pub enum Answer {
    /// There is a right to relay. Only where `relay = "permit"`, and only for a recipient that is not ours.
    Permit,
    /// No opinion.
    Pass,
    /// No, with our own server's words.
    Refuse(Reply),
}

/// By what the questions of one mail server are answered now.
#[derive(Clone, Copy)]
pub struct Asking<'a> {
    /// Who asks.
    pub connection: &'a Connection,
    /// The configuration in force.
    pub terms: &'a Terms,
    /// Who decides about relaying.
    pub mode: RelayMode,
    /// How far a recipient is judged.
    pub depth: Depth,
}

impl Asking<'_> {
    /// The same about a recipient that is judged so far.
    #[must_use]
    pub fn to(self, depth: Depth) -> Self {
        Self { depth, ..self }
    }

    fn manner(&self) -> Manner {
        Manner::asked_by_mail_server(self.depth)
    }

    fn judge(&self) -> Judge<'_> {
        Judge { sources: &self.connection.border.sources, terms: self.terms, policy: &self.terms.mta_policy }
    }

    /// A case of a client as it is told of.
    pub fn case(&self, told: &Told<'_>) -> Case {
        let (session, listener) = (self.connection.session, std::sync::Arc::clone(&self.connection.listener));
        let mut case = Case::new(Connected { client: told.ip, session, listener }, self.manner());
        // As our own server takes it.
        let read = |text: &str| Host::read_greeting(text.as_bytes());
        let shown = |text: &str| read(text).map_or_else(|| text.to_owned(), |host| host.to_string());
        case.greeted(told.helo.map(shown));
        told.tell(&mut case);
        case
    }

    /// The same case at a later question: who logged in, and by what it is judged, may have changed since.
    pub fn again(&self, case: &mut Case, told: &Told<'_>) {
        case.set_manner(self.manner());
        told.tell(case);
    }

    /// What the rules say of the client, and of its greeting if it was told.
    pub async fn connect(&self, case: &mut Case) -> Answer {
        self.judge().connect(case).await.into()
    }

    /// Whether the transaction may begin: whether the reverse-path is the login's, and what the rules say of it.
    pub async fn mail(&self, case: &mut Case, reverse_path: ReversePath) -> Answer {
        if let Some(away) = self.turned_away(case).await {
            return away;
        }
        case.begin(reverse_path, None);
        self.judge().mail(case).await.into()
    }

    /// Whether a recipient may be taken. MAIL need not have been asked about before.
    /// The mail server does not tell what becomes of the mail, so it counts at once.
    pub async fn rcpt(&self, case: &mut Case, asked: AskedRcpt<'_>) -> Answer {
        let mut places = Places::default();
        let answer = self.rcpt_with(case, asked, &mut places).await;
        places.commit().await;
        answer
    }

    /// The same, where the end of the transaction is told: what is to be counted then is added to `places`.
    pub async fn rcpt_with(&self, case: &mut Case, asked: AskedRcpt<'_>, places: &mut Places) -> Answer {
        if let Some(away) = self.turned_away(case).await {
            return away;
        }
        let mut decision = self.judge().rcpt(case, asked).await;
        places.join(std::mem::take(&mut decision.places));
        decision.into()
    }

    /// A client that is banned and for which no login is told, as at our own server from MAIL on.
    async fn turned_away(&self, case: &Case) -> Option<Answer> {
        let client = case.client().filter(|_| !case.is_told())?;
        let ban = ban::ban_of(&self.connection.border.sources.state, &self.terms.mta_policy.relay, client).await?;
        let (away, connection) = (Away::Banned(ban), self.connection);
        let records = &connection.border.sources.records;
        let id = records.id_for(Some(client));
        let reply = away.reply(id);
        let who = offence::Client { session: connection.session, listener: &connection.listener, addr: client };
        away.told(who, Stage::Mail, Answered { id, reply: reply.to_string() }).tell(records);
        Some(Answer::Refuse(reply))
    }

    /// Whether a recipient that was permitted still would be; nothing is charged.
    pub async fn confirm(&self, case: &mut Case, asked: AskedRcpt<'_>) -> Answer {
        match self.judge().confirm(case, asked).await.refused {
            Some(reply) => Answer::Refuse(reply),
            None => Answer::Permit,
        }
    }

    /// The same, with the reason of a refusal.
    pub async fn right(&self, case: &mut Case, asked: AskedRcpt<'_>) -> Result<Answer, Reason> {
        let mut decision = self.judge().rcpt(case, asked).await;
        std::mem::take(&mut decision.places).commit().await;
        match decision.outcome.refusal() {
            Some(refusal) => Err(refusal.reason),
            None => Ok(decision.into()),
        }
    }

    /// Which right the client's address alone has. A right is nothing that could be handed on: see `Judge::address_right`.
    pub async fn address_right(&self, case: &mut Case) -> Result<AddressRight, Reason> {
        if case.client().is_none() {
            return Ok(AddressRight::Nothing);
        }
        self.judge().address_right(case).await
    }

    /// A reverse-path that cannot be read: nobody's, so no login of ours may use it, and nobody relays with it. Another client
    /// may write to the mail server's own recipients with it (`root`), if the mail server takes it.
    pub async fn unreadable_sender(&self, told: &Told<'_>, address: &[u8], error: AddressError) -> Answer {
        let proved = match told.login {
            Some(login) => Proved::told_by_mail_server(&self.connection.border.sources, login, told.ip).await,
            None => Fact::Known(None),
        };
        if matches!(proved, Fact::Known(Some(_))) {
            return self.refuse_address(told, address, error);
        }
        self.unreadable(told, address, error)
    }

    /// A forward-path that cannot be read leads nowhere that we could give a right to; the mail server may have a mailbox of
    /// that name (`alice`).
    pub fn unreadable(&self, told: &Told<'_>, address: &[u8], error: AddressError) -> Answer {
        match self.depth {
            Depth::Relaying => self.refuse_address(told, address, error),
            Depth::Rules | Depth::Hosting | Depth::Granting | Depth::Offering => Answer::Pass,
        }
    }

    fn refuse_address(&self, told: &Told<'_>, address: &[u8], error: AddressError) -> Answer {
        let reply = replies::bad_address(error);
        let address = String::from_utf8_lossy(address);
        let client = told.ip.map(tracing::field::display);
        info!(session = %self.connection.session, client, ?address, reply = %reply, "address refused");
        Answer::Refuse(reply)
    }
}

impl From<Decision> for Answer {
    fn from(decision: Decision) -> Self {
        match (decision.refused, decision.outcome) {
            (Some(reply), _) => Self::Refuse(reply),
            (None, Outcome::Accept(Recipient::Relayed(..))) => Self::Permit,
            (None, Outcome::Accept(Recipient::Hosted(_)) | Outcome::Proceed) => Self::Pass,
            // A refusal always has its reply.
            (None, Outcome::Refuse(_) | Outcome::Defer(_)) => Self::Refuse(replies::internal_fault()),
        }
    }
}
