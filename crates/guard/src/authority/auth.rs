//! SMTP AUTH: who authenticated may relay with a reverse-path of his own.

use smtp::address::{Domain, ForwardPath, Host, Mailbox, ReversePath};

use super::{Answer, RelayGrant, Right};
use crate::fact::{Fact, Fault, RcptFacts};
use crate::trace::{Asked, Found, Trace};
use crate::verdict::{Need, Reason};

/// Who authenticated in this session by SMTP AUTH.
/// ```compile_fail,E0451
/// let forged = guard::Login { login: "alice@example.test", device: None };
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Login<'a> {
    login: &'a str,
    device: Option<Device<'a>>,
}

/// The device whose secret was used, with what it may do.
#[derive(Debug, Clone, Copy)]
pub struct Device<'a> {
    /// Its name.
    pub name: &'a str,
    /// The only reverse-path it may use; `None`: any of the account's.
    pub reverse_path: Option<&'a Mailbox>,
    /// To whom it may send.
    pub scope: RecipientScope<'a>,
}

/// To whom a device may send. Recipients hosted here are always within it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecipientScope<'a> {
    /// Anybody.
    Anyone,
    /// Only recipients hosted here.
    HostedOnly,
    /// Also these domains, not their subdomains.
    Domains(&'a [Domain]),
}

impl<'a> Login<'a> {
    /// The caller vouches that this login passed SMTP AUTH in this very session. `login` is the directory's form.
    pub fn attest_authenticated(login: &'a str, device: Option<Device<'a>>) -> Self {
        Self { login, device }
    }

    /// The account.
    pub fn login(&self) -> &'a str {
        self.login
    }

    /// The device.
    pub fn device(&self) -> Option<&Device<'a>> {
        self.device.as_ref()
    }
}

impl RecipientScope<'_> {
    fn holds(&self, path: &ForwardPath) -> bool {
        match self {
            Self::Anyone => true,
            Self::HostedOnly => false,
            Self::Domains(domains) => match path.mailbox().map(|mailbox| &mailbox.host) {
                Some(Host::Domain(domain)) => domains.contains(domain),
                _ => false,
            },
        }
    }
}

/// Whether the reverse-path is the login's.
pub(crate) enum Ownership {
    /// It is, or it is the null one, which belongs to everybody who authenticated (a DSN or MDN of a client).
    Owned,
    /// It is somebody else's.
    Foreign,
    /// Not known yet.
    Need,
    /// Could not be found out.
    Fault(Fault),
}

/// The same question at MAIL and at RCPT.
pub(crate) fn ownership(
    login: &Login<'_>,
    reverse_path: &ReversePath,
    owners: Option<&Fact<Vec<String>>>,
    trace: &mut Trace,
) -> Ownership {
    let ReversePath::Mailbox(mailbox) = reverse_path else {
        trace.note(Asked::Owner, Found::Null);
        return Ownership::Owned;
    };
    let fixed = login.device.and_then(|device| device.reverse_path);
    let (found, ownership) = match owners {
        _ if fixed.is_some_and(|only| only != mailbox) => (Found::No, Ownership::Foreign),
        None => (Found::Needed, Ownership::Need),
        Some(Fact::Unknown(fault)) => (Found::Unknown(*fault), Ownership::Fault(*fault)),
        Some(Fact::Known(logins)) if logins.iter().any(|owner| owner == login.login) => (Found::Yes, Ownership::Owned),
        Some(Fact::Known(_)) => (Found::No, Ownership::Foreign),
    };
    trace.note(Asked::Owner, found);
    ownership
}

pub(super) fn ask(login: &Login<'_>, facts: &RcptFacts<'_>, trace: &mut Trace) -> Answer {
    trace.note(Asked::Auth, Found::Yes);
    match ownership(login, facts.reverse_path, facts.reverse_path_owners.as_ref(), trace) {
        Ownership::Owned => {}
        Ownership::Foreign => return Answer::Refuse(Reason::SenderNotYours),
        Ownership::Need => return Answer::Need(Need::Owners),
        Ownership::Fault(fault) => return Answer::Fault(fault),
    }
    if let Some(device) = &login.device
        && !device.scope.holds(facts.forward_path)
    {
        trace.note(Asked::DeviceScope, Found::No);
        return Answer::Refuse(Reason::RecipientOutOfScope);
    }
    let device = login.device.map(|device| device.name.to_owned());
    Answer::Grant(RelayGrant { right: Right::Auth { login: login.login.to_owned(), device } })
}
