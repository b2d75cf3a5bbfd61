//! An SMTP client of another mail server, judged like one of our own: what every interface is told of it is one of three
//! answers, and which one depends on who decides about relaying there.

use std::net::{IpAddr, Ipv4Addr};

use guard::{AddressRight, Fact, Reason, Recipient};
use smtp::address::{AddressError, Host};
use smtp::{ReversePath, replies, reply::Reply};
use tracing::info;

use super::Visit;
use crate::config::RelayMode;
use crate::judge::auth::Proved;
use crate::judge::{AskedRcpt, Ledger, Party, Refused, Standing, Terms};

/// What the mail server tells of its client.
#[derive(Debug, Clone, Copy, Default)]
pub struct Told<'a> {
    /// Its address; `None`: the mail server does not know it.
    pub ip: Option<IpAddr>,
    /// What it calls itself.
    pub helo: Option<&'a str>,
    /// The login that the mail server has checked.
    pub login: Option<&'a str>,
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

/// A client about which questions are asked.
pub struct Client<'a> {
    visit: &'a Visit,
    terms: &'a Terms,
    mode: RelayMode,
    /// `None`: a client without any right of its own.
    ip: Option<IpAddr>,
    helo: Option<String>,
    proved: Option<Proved>,
    /// A login was told, and the accounts cannot be asked now.
    unsure: bool,
}

impl<'a> Client<'a> {
    /// The client as it is told of. A login counts as proved if our directory knows it.
    pub async fn new(visit: &'a Visit, terms: &'a Terms, mode: RelayMode, told: Told<'_>) -> Self {
        let ip = told.ip.filter(|ip| !ip.is_unspecified()).map(guard::canonical_ip);
        let proved = match told.login {
            Some(login) => Proved::told_by_mail_server(&visit.border.sources, login, shown(ip)).await,
            None => Fact::Known(None),
        };
        let (proved, unsure) = match proved {
            Fact::Known(proved) => (proved, false),
            Fact::Unknown(_) => (None, true),
        };
        // Only rules want it as text.
        let helo = told.helo.filter(|_| !terms.tables.is_empty());
        let helo = helo.map(|text| Host::parse_greeting(text).map_or_else(|| text.to_owned(), |host| host.to_string()));
        Self { visit, terms, mode, ip, helo, proved, unsure }
    }

    fn party(&self) -> Party<'_> {
        let party = self.visit.party(self.terms, shown(self.ip));
        Party { helo: self.helo.as_deref(), proved: self.proved.as_ref(), ..party }
    }

    /// What the rules say of the client, and of its greeting if it was told.
    pub async fn connect(&self, ledger: &mut Ledger) -> Answer {
        let party = self.party();
        match party.rules(None, None, ledger).await {
            Ok(()) => Answer::Pass,
            Err(refused) => Answer::Refuse(party.refuse_client(&refused, &ledger.trace)),
        }
    }

    /// Whether the transaction may begin: what the rules say of the reverse-path, and whether it is the login's.
    pub async fn mail(&self, reverse_path: &ReversePath, ledger: &mut Ledger) -> Answer {
        let party = self.party();
        let judged = match party.mail(reverse_path, ledger).await {
            Ok(()) => party.rules(Some(reverse_path), None, ledger).await,
            refused => refused,
        };
        match judged {
            Ok(()) => Answer::Pass,
            Err(refused) => Answer::Refuse(party.refuse_mail(&refused, reverse_path, &ledger.trace)),
        }
    }

    /// Whether a recipient may be taken. MAIL need not have been asked about before.
    pub async fn rcpt(&self, asked: AskedRcpt<'_>, ledger: &mut Ledger) -> Answer {
        let party = self.party();
        if let Err(refused) = party.mail(asked.reverse_path, ledger).await {
            return Answer::Refuse(party.refuse_mail(&refused, asked.reverse_path, &ledger.trace));
        }
        match self.judge(asked, ledger).await {
            Ok(answer) => answer,
            Err(refused) => Answer::Refuse(party.refuse_rcpt(&refused, asked, &ledger.trace)),
        }
    }

    /// Which right the client's address alone has. A right is nothing that could be handed on: see `Party::address_right`.
    pub async fn address_right(&self, ledger: &mut Ledger) -> Result<AddressRight, Refused> {
        if self.ip.is_none() {
            return Ok(AddressRight::Nothing);
        }
        self.party().address_right(ledger).await
    }

    /// Whether a recipient may be taken, where no login is told. A refusal is the caller's to log.
    pub async fn judge(&self, asked: AskedRcpt<'_>, ledger: &mut Ledger) -> Result<Answer, Refused> {
        let party = self.party();
        let is_known = (self.ip.is_some() || self.proved.is_some()) && !self.unsure;
        if self.mode == RelayMode::Permit && is_known {
            return Ok(match party.rcpt(asked, ledger).await? {
                Recipient::Hosted(_) => Answer::Pass,
                Recipient::Relayed(_, grant) => {
                    party.log_relayed(grant.right(), asked, &ledger.trace);
                    Answer::Permit
                }
            });
        }
        match (party.standing(asked, ledger).await?, self.mode) {
            (Standing::Elsewhere, RelayMode::Permit) if self.unsure => Err(Reason::AuthorityUnavailable.into()),
            (Standing::Elsewhere, RelayMode::Permit) => Err(Reason::RelayDenied.into()),
            _ => Ok(Answer::Pass),
        }
    }

    /// A reverse-path that cannot be read: nobody's, so no login may use it. Where we do not decide about relaying, another
    /// client's is the mail server's to judge.
    pub fn unreadable_sender(&self, address: &[u8], error: AddressError) -> Answer {
        if self.proved.is_some() { self.refuse_address(address, error) } else { self.unreadable(address, error) }
    }

    /// A forward-path that cannot be read leads nowhere that we could give a right to.
    pub fn unreadable(&self, address: &[u8], error: AddressError) -> Answer {
        match self.mode {
            RelayMode::Permit => self.refuse_address(address, error),
            RelayMode::Restrict => Answer::Pass,
        }
    }

    fn refuse_address(&self, address: &[u8], error: AddressError) -> Answer {
        let reply = replies::bad_address(error);
        let address = String::from_utf8_lossy(address);
        info!(session = %self.visit.session, client = %shown(self.ip), ?address, reply = %reply, "address refused");
        Answer::Refuse(reply)
    }
}

/// An unknown address as one that no table can hold.
fn shown(ip: Option<IpAddr>) -> IpAddr {
    ip.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED))
}
