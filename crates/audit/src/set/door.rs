//! A listener as a way to relay.

use config::{AuthOffer, Listener, Protocol, RelayMode};

use crate::addresses::Addresses;

/// A listener, and what it relays for.
#[derive(Debug, Clone)]
pub struct Door {
    /// Its name.
    pub name: String,
    /// What is spoken.
    pub protocol: Protocol,
    /// Where it listens.
    pub at: Vec<String>,
    /// For whom mail is relayed there.
    pub way: Way,
    /// Whether its clients can log in.
    pub login: LoginOffer,
    /// The addresses that may connect at all; `None`: all, or a proxy among them names its clients.
    pub reach: Option<Addresses>,
    /// Lists of its own turn clients away, too.
    pub has_lists: bool,
}

/// For whom mail is relayed at a listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// For its own clients.
    Own,
    /// For those that a mail server asks about: this server decides.
    Asked,
    /// For those that are looked up: the mail server goes by what is found. `relay` of the listener says whether an address
    /// with a POP login is found, too.
    LookedUp(RelayMode),
    /// For nobody: the mail server that asks decides by itself, and is only told what to refuse.
    Restricts,
    /// For nobody: mailboxes are read there, or logins are told of.
    NoMail,
}

/// Whether the clients of a listener can log in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoginOffer {
    /// They cannot.
    Never,
    /// They can.
    Offered,
    /// They must, before they send.
    Required,
    /// The mail server that asks tells who has logged in.
    Told,
}

impl Door {
    /// A listener as it is configured.
    pub fn new(listener: &Listener) -> Self {
        let inet = listener.bind.iter().map(ToString::to_string);
        let unix = listener.unix.iter().map(|path| format!("unix:{}", path.display()));
        Self {
            name: listener.name.to_string(),
            protocol: listener.protocol,
            at: inet.chain(unix).collect(),
            way: way(listener),
            login: login(listener),
            reach: reach(listener),
            has_lists: !listener.allow.is_empty() || !listener.deny.is_empty(),
        }
    }
}

fn way(listener: &Listener) -> Way {
    match listener.protocol {
        protocol if protocol.is_smtp() => Way::Own,
        // What is looked up is answered whoever decides: the mail server goes by it as it is set up to.
        Protocol::Socketmap => Way::LookedUp(listener.relay),
        Protocol::Policy | Protocol::Milter if listener.relay == RelayMode::Permit => Way::Asked,
        Protocol::Policy | Protocol::Milter => Way::Restricts,
        _ => Way::NoMail,
    }
}

fn login(listener: &Listener) -> LoginOffer {
    match (listener.protocol, listener.auth) {
        (Protocol::Policy | Protocol::Milter, _) => LoginOffer::Told,
        (protocol, _) if protocol.is_interface() => LoginOffer::Never,
        (_, AuthOffer::Never) => LoginOffer::Never,
        _ if listener.auth_required => LoginOffer::Required,
        _ => LoginOffer::Offered,
    }
}

/// Who names other clients brings them in whoever they are.
fn reach(listener: &Listener) -> Option<Addresses> {
    let names_others = !listener.proxy_from.is_empty() || !listener.xclient_from.is_empty();
    if listener.peers.is_empty() || names_others || listener.protocol.is_interface() {
        return None;
    }
    Some(listener.peers.iter().copied().collect())
}
