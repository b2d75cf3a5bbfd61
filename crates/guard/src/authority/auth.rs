//! SMTP AUTH: who authenticated may relay with a reverse-path of his own.

use smtp::address::ReversePath;

use super::{Answer, Pending, RelayGrant, Right};
use crate::attested::Login;
use crate::charge::{Charge, DeviceCharge};
use crate::fact::{Fact, Fault};
use crate::facts::{FactName, Need, OWNERS};
use crate::hearing::Hearing;
use crate::reason::Reason;
use crate::trace::{Asked, Found};

/// Whether the reverse-path is the login's.
pub(crate) enum Ownership {
    /// It is, or it is the null one, which belongs to everybody who authenticated (a DSN or MDN of a client).
    Owned,
    /// It is somebody else's.
    Foreign,
    /// Not known yet.
    Need(Need),
    /// Could not be found out.
    Fault(Fault),
}

/// The same question at MAIL and at RCPT.
pub(crate) fn ownership(login: &Login, hearing: &mut Hearing<'_>) -> Ownership {
    let ReversePath::Mailbox(mailbox) = hearing.reverse_path else {
        hearing.trace.note(Asked::Owner, Found::Null);
        return Ownership::Owned;
    };
    let fixed = login.device().and_then(|device| device.reverse_path.as_ref());
    if fixed.is_some_and(|only| only != mailbox) {
        hearing.trace.note(Asked::Owner, Found::No);
        return Ownership::Foreign;
    }
    if let Some(need) = hearing.need(FactName::Owners) {
        return Ownership::Need(need);
    }
    let (found, ownership) = match hearing.facts.fact(&OWNERS) {
        Some(Fact::Known(logins)) if logins.iter().any(|owner| owner == login.login()) => {
            (Found::Yes, Ownership::Owned)
        }
        Some(Fact::Unknown(fault)) => (Found::Unknown(fault), Ownership::Fault(fault)),
        Some(Fact::Known(_)) | None => (Found::No, Ownership::Foreign),
    };
    hearing.trace.note(Asked::Owner, found);
    ownership
}

/// A login binds: who authenticated is judged by that alone, so that a device cannot shed its limits by its address.
pub(crate) fn ask(login: &Login, hearing: &mut Hearing<'_>) -> Answer {
    hearing.trace.note(Asked::Auth, Found::Yes);
    match ownership(login, hearing) {
        Ownership::Owned => {}
        Ownership::Foreign => return Answer::Refuse(Reason::SenderNotYours),
        Ownership::Need(need) => return Answer::Need(need),
        Ownership::Fault(fault) => return Answer::Fault(fault),
    }
    if let Some(device) = login.device()
        && !device.scope.holds(hearing.forward_path)
    {
        hearing.trace.note(Asked::DeviceScope, Found::No);
        return Answer::Refuse(Reason::RecipientOutOfScope);
    }
    let device = login.device();
    let right = Right::Auth { login: login.login().to_owned(), device: device.map(|device| device.name.clone()) };
    match device.and_then(|device| Some((device, device.messages_per_hour?))).filter(|_| !hearing.counted.device) {
        Some((device, per_hour)) => {
            let charge = Charge::Device(DeviceCharge { login: device.login.clone(), per_hour });
            Answer::Pending(Box::new(Pending { right, charge }))
        }
        None => Answer::Grant(RelayGrant { right }),
    }
}
