//! The table of facts.

use serde::Serialize;

use crate::attested::{ConfirmedName, Login, PopEvidence};
use crate::choice::Choice;
use crate::fact::{Fact, Fault};
use crate::hosting::{HopAnswer, Hosting};
use crate::origin::Origin;
use crate::reputation::{Listing, SpfResult};
use crate::rule::Entry;
use crate::standing::{Greylist, PtrName, SenderDomain};

/// How long an answer counts. What somebody may do (login, evidence, owners) is asked anew at each command; what is held
/// against a mail is asked once for the connection, the transaction or the recipient.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Until the connection ends, or another client takes it over (XCLIENT).
    Connection,
    /// Until the transaction ends.
    Transaction,
    /// For one command.
    Command,
}

/// What it means that a fact is unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Absence {
    /// It gives no right, and a no is for now only (law 1).
    NoRight,
    /// It weighs nothing (law 2).
    NoWeight,
}

/// Who gathers a fact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The accounts.
    Directory,
    /// The evidence of logins.
    State,
    /// The domain name system.
    Dns,
    /// The access maps, and the files that say where clients are.
    Maps,
}

/// What the table says of a fact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// Stable word for records.
    pub code: &'static str,
    /// How long an answer counts.
    pub scope: Scope,
    /// What it means that it is unknown.
    pub absence: Absence,
    /// Who gathers it.
    pub source: Source,
    /// Facts that whoever gathers this one goes by, so that they are gathered before, where there is anything to ask.
    pub after: &'static [FactName],
}

/// Makes the names, the values and the typed keys of the table.
macro_rules! rows {
    ($(
        $(#[$doc:meta])*
        $name:ident $key:ident($type:ty) $code:literal, $scope:ident, $absence:ident, $source:ident, after [$($after:ident),*];
    )*) => {
        /// Which fact.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum FactName {
            $($(#[$doc])* $name,)*
        }

        impl FactName {
            /// The whole table.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// Its row.
            pub fn row(self) -> Row {
                match self {
                    $(Self::$name => Row {
                        code: $code,
                        scope: Scope::$scope,
                        absence: Absence::$absence,
                        source: Source::$source,
                        after: &[$(Self::$after),*],
                    },)*
                }
            }
        }

        /// The answer of a look-up.
        #[derive(Debug, Clone, PartialEq, Eq, Serialize)]
        #[serde(untagged)]
        pub enum Value {
            $($(#[$doc])* $name($type),)*
        }

        impl Value {
            /// Which fact it answers.
            pub fn fact(&self) -> FactName {
                match self {
                    $(Self::$name(_) => FactName::$name,)*
                }
            }
        }

        $(
            $(#[$doc])*
            pub(crate) const $key: Key<$type> = Key {
                fact: FactName::$name,
                read: |value| match value {
                    Value::$name(value) => Some(value),
                    _ => None,
                },
            };
        )*
    };
}

rows! {
    /// Who authenticated, if he may still log in; `None`: nobody that we know.
    Login LOGIN(Option<Login>) "login", Command, NoRight, Directory, after [];
    /// Who answers for the recipient, see [`crate::RelayPolicy::directory_mailbox`].
    Hosting HOSTING(Hosting) "hosting", Command, NoRight, Directory, after [];
    /// What the choices behind a recipient of ours come to for the reverse-path. Who looks for the recipient and sees that nobody
    /// there chose anything says so at once.
    Choice CHOICE(Choice) "choice", Command, NoWeight, Directory, after [];
    /// Logins that own the reverse-path.
    Owners OWNERS(Vec<String>) "owners", Command, NoRight, Directory, after [];
    /// Whether the domain of the reverse-path is one of ours.
    SenderHosted SENDER_HOSTED(bool) "sender-hosted", Command, NoRight, Directory, after [];
    /// The client's forward-confirmed name; `None`: it has none. Rules see no name where it is unknown.
    ClientName CLIENT_NAME(Option<ConfirmedName>) "client-name", Connection, NoRight, Dns, after [];
    /// What DNS calls the client's address, believed or not.
    PtrNames PTR_NAMES(PtrName) "ptr-names", Connection, NoWeight, Dns, after [];
    /// Whether the domain of the reverse-path is there.
    SenderDomain SENDER_DOMAIN(SenderDomain) "sender-domain", Transaction, NoWeight, Dns, after [];
    /// Whether a stranger has waited. To ask is to come: it is asked only of whom it would stop.
    Greylist GREYLIST(Greylist) "greylist", Command, NoWeight, State, after [PtrNames, Spf];
    /// POP logins seen at the address of [`crate::RelayPolicy::pop_key`].
    PopEvidence POP_EVIDENCE(Vec<PopEvidence>) "pop-evidence", Command, NoRight, State, after [];
    /// What the next hop of a relay domain says of the recipient.
    HopAnswer HOP_ANSWER(HopAnswer) "hop-answer", Command, NoWeight, State, after [];
    /// The lists that have the client's address; what is unknown is not among them.
    Listings LISTINGS(Vec<Listing>) "listings", Connection, NoWeight, Dns, after [];
    /// The lists that have the domain of the reverse-path, or the greeting name where that is null.
    DomainListings DOMAIN_LISTINGS(Vec<Listing>) "domain-listings", Transaction, NoWeight, Dns, after [];
    /// What SPF says of the reverse-path and the client.
    Spf SPF(SpfResult) "spf", Transaction, NoWeight, Dns, after [];
    /// Where the client is, as the files of the configuration have it.
    Origin ORIGIN(Origin) "origin", Connection, NoWeight, Maps, after [];
    /// What access maps have of the client, its greeting, the reverse-path and the recipient. In memory, so it is asked at each
    /// command: a reload counts at once.
    Entries ENTRIES(Vec<Entry>) "entries", Command, NoWeight, Maps, after [Login, ClientName];
}

impl FactName {
    /// Stable word for records.
    pub fn code(self) -> &'static str {
        self.row().code
    }
}

/// A fact with its own type, for reading it.
pub(crate) struct Key<T: 'static> {
    pub(crate) fact: FactName,
    read: fn(&Value) -> Option<&T>,
}

impl<T> Key<T> {
    /// A fact in its own type. What is no value of the fact is not known.
    pub(super) fn read<'v>(&self, value: &'v Fact<Value>) -> Fact<&'v T> {
        match value {
            Fact::Known(value) => {
                (self.read)(value).map_or(Fact::Unknown(Fault::Broken(self.fact.code())), Fact::Known)
            }
            Fact::Unknown(fault) => Fact::Unknown(*fault),
        }
    }
}
