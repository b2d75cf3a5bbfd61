//! What a step of a judgement sees: the policy, the facts of all scopes, and the trace that it writes.

use std::net::IpAddr;

use smtp::address::{ForwardPath, ReversePath};

use crate::attested::Login;
use crate::fact::Fact;
use crate::facts::{FactName, Facts, Key, LOGIN, Need, Of, Read, Scope};
use crate::policy::RelayPolicy;
use crate::trace::Trace;

/// One recipient, or one client, while it is judged.
pub(crate) struct Hearing<'a> {
    pub(crate) policy: &'a RelayPolicy,
    pub(crate) facts: Pages<'a>,
    /// `None`: nobody knows its address.
    pub(crate) client: Option<IpAddr>,
    /// Others seem to come by its address.
    pub(crate) is_distrusted: bool,
    /// Somebody is said to have logged in: who, says the fact.
    pub(crate) claims_login: bool,
    /// A rule may go by the client's name.
    pub(crate) rules_ask_name: bool,
    pub(crate) reverse_path: &'a ReversePath,
    /// Already without a source route.
    pub(crate) forward_path: &'a ForwardPath,
    pub(crate) counted: Counted,
    pub(crate) trace: &'a mut Trace,
}

/// What is known, by the scope that it is kept in.
#[derive(Clone, Copy)]
pub(crate) struct Pages<'a> {
    pub(crate) connection: &'a Facts,
    pub(crate) transaction: &'a Facts,
    pub(crate) command: &'a Facts,
    /// Answers of earlier commands, whose stamps may show them to be still true.
    pub(crate) older: &'a Facts,
}

/// What a transaction was charged so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counted {
    /// Recipients that a POP grant carries; the first is charged as a message.
    pub(crate) pop_recipients: u32,
    /// The message is counted for the device that sends it.
    pub(crate) device: bool,
}

impl<'a> Pages<'a> {
    fn of(&self, scope: Scope) -> &'a Facts {
        match scope {
            Scope::Connection => self.connection,
            Scope::Transaction => self.transaction,
            Scope::Command => self.command,
        }
    }

    /// A fact in its own type; `None`: not asked yet.
    pub(crate) fn read<T>(&self, key: &Key<T>, of: Of) -> Option<Read<'a, T>> {
        self.of(key.fact.row().scope).read(key, of)
    }

    /// The same without the time of its answer.
    pub(crate) fn fact<T>(&self, key: &Key<T>) -> Option<Fact<&'a T>> {
        Some(self.read(key, Of::Case)?.fact)
    }

    /// Whether it was asked for.
    pub(crate) fn has(&self, fact: FactName, of: Of) -> bool {
        self.of(fact.row().scope).find(fact, of).is_some()
    }

    /// The need of a fact that was not asked for yet.
    pub(crate) fn need(&self, fact: FactName, of: Of) -> Option<Need> {
        if self.has(fact, of) {
            return None;
        }
        let older = self.older.find(fact, of).and_then(crate::facts::Known::stamp);
        Some(Need { fact, of, older })
    }
}

impl<'a> Hearing<'a> {
    /// The need of a fact about the case, or of one that must be known before it.
    pub(crate) fn need(&self, fact: FactName) -> Option<Need> {
        let wanted = self.facts.need(fact, Of::Case)?;
        let before = fact.row().after.iter().filter(|before| self.is_there_to_ask(**before));
        before.copied().find_map(|before| self.need(before)).or(Some(wanted))
    }

    /// The client where its address is its own: behind a gateway's, or one by which others seem to come, is whoever comes through it, so that neither network nor name
    /// says who sends.
    pub(crate) fn client_by_itself(&self) -> Option<IpAddr> {
        self.client.filter(|client| !self.is_distrusted && !self.policy.never.is_gateway(*client))
    }

    /// Who proved himself is not judged by his address, and without an address there is none to judge by.
    pub(crate) fn is_judged_by_address(&self) -> bool {
        self.client.is_some() && self.proved().is_none()
    }

    /// Whether there is anything to ask for, for a rule.
    pub(crate) fn is_there_to_ask(&self, fact: FactName) -> bool {
        match fact {
            FactName::Login => self.claims_login,
            FactName::ClientName => self.rules_ask_name && self.is_judged_by_address(),
            _ => true,
        }
    }

    /// Who authenticated; nobody where no login is claimed. `None`: not asked yet.
    pub(crate) fn login(&self) -> Option<Fact<Option<&'a Login>>> {
        if !self.claims_login {
            return Some(Fact::Known(None));
        }
        Some(self.facts.fact(&LOGIN)?.map(Option::as_ref))
    }

    /// Who authenticated, where that is known.
    pub(crate) fn proved(&self) -> Option<&'a Login> {
        match self.login() {
            Some(Fact::Known(login)) => login,
            _ => None,
        }
    }
}
