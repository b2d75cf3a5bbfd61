//! Whether somebody may relay, answered from the set.

use std::net::IpAddr;

use guard::{ConfigLine, DracSenders, Hosting, Subject, canonical_ip, cut_ipv6};
use smtp::Domain;
use smtp::address::{ForwardPath, Mailbox, ReversePath};

use super::trusted::{named, narrowest};
use super::{Door, GrantRight, LoginOffer, LoginRight, PopRight, Set, Usable, Way};
use crate::addresses::Addresses;

/// A recipient that somebody asks for at a listener.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// The client; `None`: nobody knows its address.
    pub client: Option<IpAddr>,
    /// Its forward-confirmed name.
    pub name: Option<&'a Domain>,
    /// What it logs in with, rightly.
    pub login: Option<&'a str>,
    /// RFC 5321 §4.1.1.2.
    pub reverse_path: &'a ReversePath,
    /// The accounts whose the reverse-path is.
    pub owners: &'a [String],
    /// Whether the domain of the reverse-path is ours.
    pub sender_hosted: bool,
    /// RFC 5321 §4.1.1.3.
    pub forward_path: &'a ForwardPath,
    /// What the accounts say of the recipient.
    pub hosting: Hosting,
}

/// What the set says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The recipient is one of ours: taking its mail is no relaying.
    Ours,
    /// It may, unless a quota is used up or an access map refuses it.
    May(By),
    /// It may not.
    MayNot(WhyNot),
}

/// By what right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum By {
    /// The recipient's domain is one whose mail we pass on for everybody.
    RelayDomain(ConfigLine),
    /// A login of this account.
    Login(String),
    /// A relay network.
    Network(ConfigLine),
    /// The client map, by address or by name.
    ClientMap(ConfigLine),
    /// A POP login of this account, or what this server told by DRAC.
    Grant(Subject),
}

/// Why not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhyNot {
    /// Nothing is relayed at this listener.
    NotHere,
    /// Its address may not connect.
    NoPeer,
    /// It is banned.
    Banned,
    /// It must log in first.
    LoginFirst,
    /// The reverse-path is somebody else's.
    SenderOfOthers,
    /// The device may send to our own recipients only.
    OutOfScope,
    /// A POP login gives nothing to the null reverse-path.
    NullSender,
    /// The POP logins at its address give nothing to this reverse-path.
    SenderNotGranted,
    /// Nothing gives it a right.
    NoRight,
}

impl Set {
    /// Whether somebody may relay at a listener.
    pub fn may_relay(&self, door: &Door, asked: &Asked<'_>) -> Answer {
        let client = asked.client.filter(|ip| !ip.is_unspecified()).map(canonical_ip);
        let asked = &Asked { client, ..*asked };
        if matches!(door.way, Way::Restricts | Way::NoMail) {
            return Answer::MayNot(WhyNot::NotHere);
        }
        let login = self.login(door, asked);
        if let Some(why) = self.turned_away(door, asked, login) {
            return Answer::MayNot(why);
        }
        if login.is_some_and(|login| !owns(login, asked)) {
            return Answer::MayNot(WhyNot::SenderOfOthers);
        }
        match self.hosted(door, asked) {
            Some(answer) => answer,
            None => match login {
                Some(login) if login.reaches_others() => Answer::May(By::Login(login.account.clone())),
                Some(_) => Answer::MayNot(WhyNot::OutOfScope),
                None => self.by_address(asked),
            },
        }
    }

    /// Whether a mail server that only looks up a client's address is told that it may relay, whoever sends.
    pub fn may_address(&self, door: &Door, client: IpAddr, name: Option<&Domain>) -> bool {
        let Way::LookedUp(mode) = door.way else { return false };
        let client = canonical_ip(client);
        if self.by_itself(client, name).is_some() {
            return true;
        }
        let any = |senders: &DracSenders| matches!(senders, DracSenders::Any);
        let for_any = self.pop.as_ref().is_some_and(|pop| any(&pop.senders));
        let permits = mode == config::RelayMode::Permit;
        self.grants_at(client).any(|grant| permits || (for_any && matches!(grant.subject, Subject::Server(_))))
    }

    /// Who is logged in: a login that is not usable is none.
    fn login(&self, door: &Door, asked: &Asked<'_>) -> Option<&LoginRight> {
        let right = self.logins.get(asked.login.filter(|_| door.login != LoginOffer::Never)?)?;
        (right.usable_from(asked.client, self.now_secs) == Usable::Yes).then_some(right)
    }

    fn turned_away(&self, door: &Door, asked: &Asked<'_>, login: Option<&LoginRight>) -> Option<WhyNot> {
        let is_in = |reach: &Addresses| asked.client.is_some_and(|client| reach.contains(client));
        if door.reach.as_ref().is_some_and(|reach| !is_in(reach)) {
            return Some(WhyNot::NoPeer);
        }
        if login.is_none() && door.login == LoginOffer::Required {
            return Some(WhyNot::LoginFirst);
        }
        // Who is told to have logged in is not looked at, whether the login counts here or not.
        let claims = login.is_some() || (door.login == LoginOffer::Told && asked.login.is_some());
        let looks = !matches!(door.way, Way::LookedUp(_)) && !claims;
        let banned = asked.client.is_some_and(|client| looks && self.is_banned(client));
        banned.then_some(WhyNot::Banned)
    }

    /// Whoever is listed by address is never banned, and who fetched mail by POP lately has proved himself.
    fn is_banned(&self, client: IpAddr) -> bool {
        let subscriber = cut_ipv6(client, 64);
        let is_listed = [&self.networks, &self.clients].iter().any(|listed| narrowest(listed, client).is_some());
        let is_known = self.grants.iter().any(|grant| grant.key_holds(client));
        self.banned.contains(&subscriber) && !is_listed && !is_known && !self.never.is_gateway(client)
    }

    /// What is said of a recipient that somebody answers for here.
    fn hosted(&self, door: &Door, asked: &Asked<'_>) -> Option<Answer> {
        let domains = if door.way == Way::Own { &self.own_domains } else { &self.asked_domains };
        match asked.hosting {
            Hosting::NotHosted | Hosting::RelayDomain => {
                let domain = asked.forward_path.mailbox()?.host.domain()?;
                named(domains, domain).map(|pattern| Answer::May(By::RelayDomain(pattern.line.clone())))
            }
            _ => Some(Answer::Ours),
        }
    }

    /// By the address alone, then by who fetched mail from there.
    fn by_address(&self, asked: &Asked<'_>) -> Answer {
        let Some(client) = asked.client else { return Answer::MayNot(WhyNot::NoRight) };
        match (self.by_itself(client, asked.name), &self.pop) {
            (Some(by), _) => Answer::May(by),
            (None, Some(pop)) => self.by_grant(client, pop, asked),
            (None, None) => Answer::MayNot(WhyNot::NoRight),
        }
    }

    fn by_itself(&self, client: IpAddr, name: Option<&Domain>) -> Option<By> {
        if self.by_network.contains(client) {
            return narrowest(&self.networks, client).map(|one| By::Network(one.line.clone()));
        }
        if self.by_client_map.contains(client) {
            return narrowest(&self.clients, client).map(|one| By::ClientMap(one.line.clone()));
        }
        let is_nobodys = self.nobodys.contains(&client) || self.never.is_gateway(client);
        let pattern = named(&self.names, name.filter(|_| !is_nobodys)?)?;
        Some(By::ClientMap(pattern.line.clone()))
    }

    fn grants_at(&self, client: IpAddr) -> impl Iterator<Item = &GrantRight> {
        self.grants.iter().filter(move |grant| grant.addresses.contains(client))
    }

    fn by_grant(&self, client: IpAddr, pop: &PopRight, asked: &Asked<'_>) -> Answer {
        if self.grants_at(client).next().is_none() {
            return Answer::MayNot(WhyNot::NoRight);
        }
        let Some(sender) = asked.reverse_path.mailbox() else { return Answer::MayNot(WhyNot::NullSender) };
        let may_any = listed(pop, sender, asked);
        let carries = |grant: &&GrantRight| match &grant.subject {
            Subject::Account(login) if asked.owners.is_empty() => {
                // An account of another server's is the address that is its name.
                let is_its_name = sender.to_string().eq_ignore_ascii_case(login);
                grant.source.is_foreign() && is_its_name && may_any
            }
            Subject::Account(login) => asked.owners.contains(login),
            Subject::Server(_) => may_any,
        };
        match self.grants_at(client).find(carries) {
            Some(grant) => Answer::May(By::Grant(grant.subject.clone())),
            None => Answer::MayNot(WhyNot::SenderNotGranted),
        }
    }
}

impl GrantRight {
    /// Whether a client's POP logins are kept under the same key.
    fn key_holds(&self, client: IpAddr) -> bool {
        self.key.contains(client)
    }
}

/// Whether a grant that names no account of ours may send so.
fn listed(pop: &PopRight, sender: &Mailbox, asked: &Asked<'_>) -> bool {
    match &pop.senders {
        DracSenders::Any => true,
        DracSenders::Hosted => asked.sender_hosted,
        DracSenders::Listed(patterns) => patterns.iter().any(|pattern| pattern.matches(sender)),
    }
}

/// The null reverse-path is everybody's who logged in.
fn owns(login: &LoginRight, asked: &Asked<'_>) -> bool {
    asked.reverse_path.mailbox().is_none() || asked.owners.contains(&login.account)
}
