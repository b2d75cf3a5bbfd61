//! Gathers the facts that the guard asks for, and says what it judged.
//!
//! Decides nothing: `guard::judge_mail`, `guard::judge_rcpt` and `guard::judge_rules` do.

mod device;
mod quota;

use std::net::IpAddr;
use std::time::SystemTime;

use guard::rules::Said;
use guard::{
    AddressJudgement, AddressRight, Fact, MailFacts, MailJudgement, Need, RcptFacts, RcptJudgement, Reason, Recipient,
    Refusal, RelayPolicy, Right, Trace, judge_address, judge_mail, judge_rcpt, judge_rules,
};
use smtp::{ForwardPath, ReversePath};
use tracing::info;

use crate::judge::auth::Proved;
use crate::judge::client_name::confirmed_name;
use crate::judge::facts;
use crate::judge::reply::reply_to;
use crate::judge::session::SessionId;
use crate::judge::sources::Sources;
use crate::judge::tables::Subjects;
use crate::judge::terms::Terms;

/// Facts asked for one command; the guard needs fewer, so reaching it is a fault of ours.
const NEEDS_MAX: usize = 10;

/// Who asks to send, and by which interface we heard of it.
#[derive(Clone, Copy)]
pub struct Party<'a> {
    /// Accounts, evidence, counters.
    pub sources: &'a Sources,
    /// The configuration.
    pub terms: &'a Terms,
    /// Who may relay here: through our own listeners, or through the mail server that asks.
    pub policy: &'a RelayPolicy,
    /// The client.
    pub ip: IpAddr,
    /// The listener's name.
    pub listener: &'a str,
    /// The session's id in the log.
    pub session: SessionId,
    /// What the client called itself.
    pub helo: Option<&'a str>,
    /// Who proved himself in this session.
    pub proved: Option<&'a Proved>,
}

/// What is known of one transaction, over its recipients.
#[derive(Debug, Default)]
pub struct Ledger {
    /// Logins that own the reverse-path.
    owners: Option<Fact<Vec<String>>>,
    /// Whether the reverse-path's domain is ours.
    sender_hosted: Option<Fact<bool>>,
    /// Recipients that a POP grant carries so far; the first is charged as a message.
    pop_recipients: u32,
    /// The message is counted for the device that sends it.
    device_charged: bool,
    /// What access rules ask for besides refusing.
    pub effects: Effects,
    /// How the last judgement came about.
    pub trace: Trace,
}

/// What is to be done with a message that is taken.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Effects {
    /// Throw it away.
    pub discard: bool,
    /// Keep it for a person to look at.
    pub hold: bool,
    /// Header fields to put above it.
    pub prepend: Vec<String>,
}

impl Ledger {
    /// What rules ask for counts with the recipient: one that is refused does nothing to the others.
    fn undo_if_refused<T>(&mut self, before: Effects, judged: Result<T, Refused>) -> Result<T, Refused> {
        judged.inspect_err(|_| self.effects = before)
    }

    /// Whether a quota was charged for it: judging the same recipient again would charge twice.
    pub fn is_charged(&self) -> bool {
        self.pop_recipients > 0 || self.device_charged
    }
}

impl Effects {
    /// Whether there is nothing to be done.
    pub fn is_empty(&self) -> bool {
        !self.discard && !self.hold && self.prepend.is_empty()
    }
}

/// Whether a judgement goes on to rights to relay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Relaying {
    Judged,
    /// It ends where one would have to be looked for.
    LeftOpen,
}

/// Where a recipient's mail is, as far as it can be said without asking who may relay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Ours to answer for.
    Hosted,
    /// Not ours: a matter of relaying.
    Elsewhere,
}

/// No, with the words of the access map if it was one that said so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Why.
    pub refusal: Refusal,
    /// The map's words.
    pub said: Option<Said>,
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        Self { refusal, said: None }
    }
}

impl From<Reason> for Refused {
    fn from(reason: Reason) -> Self {
        Refusal::from(reason).into()
    }
}

/// A recipient as it was asked for.
#[derive(Debug, Clone, Copy)]
pub struct AskedRcpt<'a> {
    /// RFC 5321 §4.1.1.2.
    pub reverse_path: &'a ReversePath,
    /// RFC 5321 §4.1.1.3, already without a source route.
    pub forward_path: &'a ForwardPath,
    /// There was a source route.
    pub had_source_route: bool,
}

impl Party<'_> {
    /// Whether the transaction may begin.
    pub async fn mail(&self, reverse_path: &ReversePath, ledger: &mut Ledger) -> Result<(), Refused> {
        let device = self.proved.map(Proved::device_facts);
        let mut facts = MailFacts {
            client_ip: self.ip,
            listener: self.listener,
            login: self.proved.zip(device.as_ref()).map(|(proved, device)| proved.attest(device)),
            reverse_path,
            reverse_path_owners: None,
        };
        let mut judgement = judge_mail(&facts, &mut ledger.trace);
        if judgement == MailJudgement::Need(Need::Owners) {
            facts.reverse_path_owners = Some(facts::owners(&self.sources.directory, reverse_path).await);
            judgement = judge_mail(&facts, &mut ledger.trace);
        }
        ledger.owners = facts.reverse_path_owners.take();
        match judgement {
            MailJudgement::Accept => Ok(()),
            MailJudgement::Refuse(refusal) => Err(refusal.into()),
            // Only the owners are asked at MAIL, and they were told.
            MailJudgement::Need(_) => Err(Reason::AuthorityUnavailable.into()),
        }
    }

    /// Whether a recipient may enter the envelope: first what the rules take away, then by what right.
    pub async fn rcpt(&self, asked: AskedRcpt<'_>, ledger: &mut Ledger) -> Result<Recipient, Refused> {
        let before = ledger.effects.clone();
        let judged = self.rcpt_with_effects(asked, ledger).await;
        ledger.undo_if_refused(before, judged)
    }

    async fn rcpt_with_effects(&self, asked: AskedRcpt<'_>, ledger: &mut Ledger) -> Result<Recipient, Refused> {
        self.rules(Some(asked.reverse_path), Some(asked.forward_path), ledger).await?;
        match self.judge(asked, ledger, Relaying::Judged).await {
            RcptJudgement::Accept(recipient) => {
                let by_pop =
                    matches!(&recipient, Recipient::Relayed(_, grant) if matches!(grant.right(), Right::Pop { .. }));
                ledger.pop_recipients += u32::from(by_pop);
                self.within_device_limit(&recipient, ledger)?;
                Ok(recipient)
            }
            RcptJudgement::Refuse(refusal) => Err(refusal.into()),
            // More needs than the guard has: a fault of ours, and so no.
            RcptJudgement::Need(_) => Err(Reason::AuthorityUnavailable.into()),
        }
    }

    /// What is wrong with a recipient whoever decides about relaying: access rules, and the accounts that are ours to know.
    /// Charges nothing and gives no right.
    pub async fn standing(&self, asked: AskedRcpt<'_>, ledger: &mut Ledger) -> Result<Standing, Refused> {
        let before = ledger.effects.clone();
        let judged = self.standing_with_effects(asked, ledger).await;
        ledger.undo_if_refused(before, judged)
    }

    async fn standing_with_effects(&self, asked: AskedRcpt<'_>, ledger: &mut Ledger) -> Result<Standing, Refused> {
        self.rules(Some(asked.reverse_path), Some(asked.forward_path), ledger).await?;
        match self.judge(asked, ledger, Relaying::LeftOpen).await {
            RcptJudgement::Accept(Recipient::Hosted(_)) => Ok(Standing::Hosted),
            RcptJudgement::Accept(Recipient::Relayed(..)) | RcptJudgement::Need(_) => Ok(Standing::Elsewhere),
            RcptJudgement::Refuse(refusal) if refusal.reason.is_of_relaying() => Ok(Standing::Elsewhere),
            RcptJudgement::Refuse(refusal) => Err(refusal.into()),
        }
    }

    /// Which right to relay the client's address has, whoever sends; a client that a rule refuses has none. No grant, and
    /// nothing is charged.
    pub async fn address_right(&self, ledger: &mut Ledger) -> Result<AddressRight, Refused> {
        self.rules(None, None, ledger).await?;
        let mail = MailFacts {
            client_ip: self.ip,
            listener: self.listener,
            login: None,
            reverse_path: &ReversePath::Null,
            reverse_path_owners: None,
        };
        let mut facts = RcptFacts::new(&mail, &ForwardPath::Postmaster, SystemTime::now());
        for _ in 0..NEEDS_MAX {
            match judge_address(self.policy, &facts, &mut ledger.trace) {
                AddressJudgement::Need(need) => self.gather(need, &mut facts).await,
                AddressJudgement::Is(right) => return Ok(right),
                AddressJudgement::Fault(_) => break,
            }
        }
        Err(Reason::AuthorityUnavailable.into())
    }

    /// What access rules say of the client, its greeting and as much of the envelope as is known. Who proved himself is not
    /// judged by his address and greeting: a user on a listed dial-up network is still that user.
    pub async fn rules(
        &self,
        reverse_path: Option<&ReversePath>,
        forward_path: Option<&ForwardPath>,
        ledger: &mut Ledger,
    ) -> Result<(), Refused> {
        let tables = &self.terms.tables;
        if tables.is_empty() {
            return Ok(());
        }
        let client = self.proved.is_none().then_some(self.ip).filter(|ip| !ip.is_unspecified());
        let name = match client {
            Some(ip) if tables.asks_names() => self.client_name(ip).await,
            _ => None,
        };
        let subjects = Subjects {
            client,
            name: name.as_deref(),
            helo: self.helo.filter(|_| self.proved.is_none()),
            reverse_path,
            forward_path,
        };
        self.rules_about(&subjects, ledger)
    }

    /// What access rules say of these subjects and nothing else.
    pub fn rules_about(&self, subjects: &Subjects<'_>, ledger: &mut Ledger) -> Result<(), Refused> {
        let verdict = judge_rules(self.ip, self.terms.tables.hits(subjects), &mut ledger.trace);
        for hit in &verdict.noted {
            info!(session = %self.session, client = %self.ip, stage = hit.stage.code(), line = %hit.line, action = ?hit.action, "rule observed");
        }
        if let Some((refusal, said)) = verdict.refused {
            return Err(Refused { refusal, said: Some(said) });
        }
        ledger.effects.discard |= verdict.discard;
        ledger.effects.hold |= verdict.hold;
        for header in verdict.prepend {
            if !ledger.effects.prepend.contains(&header) {
                ledger.effects.prepend.push(header);
            }
        }
        Ok(())
    }

    /// A name that DNS does not tell is none: rules only take away, and what is unknown weighs nothing.
    async fn client_name(&self, ip: IpAddr) -> Option<String> {
        match confirmed_name(self.sources.dns.as_deref(), ip).await {
            Fact::Known(Some(name)) => Some(name.domain().to_string()),
            Fact::Known(None) | Fact::Unknown(_) => None,
        }
    }

    async fn judge(&self, asked: AskedRcpt<'_>, ledger: &mut Ledger, relaying: Relaying) -> RcptJudgement {
        let device = self.proved.map(Proved::device_facts);
        let mail = MailFacts {
            client_ip: self.ip,
            listener: self.listener,
            login: self.proved.zip(device.as_ref()).map(|(proved, device)| proved.attest(device)),
            reverse_path: asked.reverse_path,
            reverse_path_owners: ledger.owners.take(),
        };
        let mut facts = RcptFacts::new(&mail, asked.forward_path, SystemTime::now());
        facts.had_source_route = asked.had_source_route;
        facts.pop_recipients_before = ledger.pop_recipients;
        facts.reverse_path_hosted = ledger.sender_hosted.take();
        let mut judgement = RcptJudgement::Refuse(Reason::AuthorityUnavailable.into());
        for _ in 0..NEEDS_MAX {
            match judge_rcpt(self.policy, &facts, &mut ledger.trace) {
                RcptJudgement::Need(need) if relaying == Relaying::Judged || self.is_of_recipient(&need) => {
                    self.gather(need, &mut facts).await;
                }
                decided => {
                    judgement = decided;
                    break;
                }
            }
        }
        ledger.owners = facts.reverse_path_owners.take();
        ledger.sender_hosted = facts.reverse_path_hosted.take();
        judgement
    }

    /// Whether a fact is wanted for something else than a right to relay. The owners of the reverse-path are that with a
    /// login: it may use its own ones only.
    fn is_of_recipient(&self, need: &Need) -> bool {
        match need {
            Need::Hosting => true,
            Need::Owners => self.proved.is_some(),
            Need::SenderHosting | Need::ClientName | Need::PopEvidence(_) | Need::Charge(_) => false,
        }
    }

    /// Looks one fact up; a look-up that fails or is late is *unknown*.
    async fn gather(&self, need: Need, facts: &mut RcptFacts<'_>) {
        let Sources { directory, state, dns, .. } = self.sources;
        match need {
            Need::Hosting => {
                let mailbox = self.policy.directory_mailbox(facts.forward_path);
                facts.hosting = match mailbox {
                    Some(mailbox) => Some(facts::hosting(directory, self.policy, &mailbox).await),
                    None => Some(Fact::Known(guard::Hosting::NotHosted)),
                };
            }
            Need::Owners => {
                facts.reverse_path_owners = Some(facts::owners(directory, facts.reverse_path).await);
            }
            Need::SenderHosting => {
                facts.reverse_path_hosted =
                    Some(facts::is_own_domain(directory, self.policy, facts.reverse_path).await);
            }
            Need::ClientName => facts.client_name = Some(confirmed_name(dns.as_deref(), self.ip).await),
            Need::PopEvidence(addr) => facts.pop = Some(facts::pop_evidence(state, addr, facts.now).await),
            Need::Charge(key) => {
                let pop = &self.terms.settings.relay.pop;
                facts.charge = Some(facts::charge(state, &key, pop, facts.now).await);
            }
        }
    }

    /// Every right to relay that was used can be found, with the way to it.
    pub fn log_relayed(&self, right: &Right, asked: AskedRcpt<'_>, trace: &Trace) {
        info!(
            session = %self.session,
            client = %self.ip,
            login = self.proved.map(|proved| proved.login.as_str()).or(right.login()),
            reverse_path = ?asked.reverse_path.to_string(),
            forward_path = ?asked.forward_path.to_string(),
            right = right.code(),
            line = right.line().map(tracing::field::display),
            trace = %trace,
            "relayed"
        );
    }

    /// The reply to a client that a rule refuses before it says whose mail it has.
    pub fn refuse_client(&self, refused: &Refused, trace: &Trace) -> smtp::Reply {
        let id = facts::explain_id();
        let reply = reply_to(refused, &self.ip, id);
        info!(
            session = %self.session,
            client = %self.ip,
            helo = self.helo,
            reply = %reply,
            reason = refused.refusal.reason.code(),
            explain = %id,
            trace = %trace,
            "client refused"
        );
        reply
    }

    /// The reply to a reverse-path that is refused; the log has its id and how it came about.
    pub fn refuse_mail(&self, refused: &Refused, reverse_path: &ReversePath, trace: &Trace) -> smtp::Reply {
        let id = facts::explain_id();
        let reply = reply_to(refused, &reverse_path, id);
        info!(
            session = %self.session,
            client = %self.ip,
            login = self.proved.map(|proved| proved.login.as_str()),
            reverse_path = ?reverse_path.to_string(),
            reply = %reply,
            reason = refused.refusal.reason.code(),
            explain = %id,
            trace = %trace,
            "mail refused"
        );
        reply
    }

    /// The reply to a recipient that is refused, at RCPT or at the end of the message.
    pub fn refuse_rcpt(&self, refused: &Refused, asked: AskedRcpt<'_>, trace: &Trace) -> smtp::Reply {
        let id = facts::explain_id();
        let reply = reply_to(refused, asked.forward_path, id);
        info!(
            session = %self.session,
            client = %self.ip,
            login = self.proved.map(|proved| proved.login.as_str()),
            reverse_path = ?asked.reverse_path.to_string(),
            forward_path = ?asked.forward_path.to_string(),
            reply = %reply,
            reason = refused.refusal.reason.code(),
            explain = %id,
            trace = %trace,
            "recipient refused"
        );
        reply
    }
}
