//! `[[relay.clients]]`: single clients that may relay.

use crate::reading::Reading;
use crate::source::Position;
use crate::value;
use ipnet::IpNet;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

/// `[[relay.clients]]`: exactly one of the two keys.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename = "Client", deny_unknown_fields, default)]
pub struct WrittenClient {
    /// Address or network of the client, `ADDRESS` or `ADDRESS/PREFIX`. Default none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ip: Option<String>,
    /// Name of the client: a host, or `.example.net` for every host below it. It counts only if the name of the address resolves
    /// back to the address. Default none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// One of `relay.clients`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client {
    /// How it is known.
    pub who: ClientWho,
    /// The entry.
    pub place: Position,
}

/// How a relay client is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientWho {
    /// By address.
    Net(IpNet),
    /// By forward-confirmed name; `.example.net` is every host below it.
    Name(String),
}

impl fmt::Display for ClientWho {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Net(net) => net.fmt(f),
            Self::Name(name) => name.fmt(f),
        }
    }
}

impl WrittenClient {
    pub(super) fn meant(&self, path: &str, reading: &mut Reading<'_>) -> Option<Client> {
        let place = reading.position(path);
        let who = match (&self.ip, &self.name) {
            (Some(ip), None) => ClientWho::Net(reading.parsed(&format!("{path}.ip"), value::network(ip))?),
            (None, Some(name)) => {
                let below = name.strip_prefix('.');
                let host = reading.parsed(&format!("{path}.name"), value::domain(below.unwrap_or(name)))?;
                let host = host.as_str();
                ClientWho::Name(if below.is_some() { format!(".{host}") } else { host.to_owned() })
            }
            _ => {
                reading.wrong(path, "a relay client has either `ip` or `name`", "give exactly one of the two");
                return None;
            }
        };
        Some(Client { who, place })
    }
}
