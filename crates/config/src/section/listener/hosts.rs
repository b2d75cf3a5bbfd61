//! `listener.allow` and `listener.deny`: who may connect, by the client lists of TCP wrappers.

use crate::reading::Reading;
use crate::value::Unreadable;
use guard::ConfigLine;
use maps::Clients;

/// Clients of one entry, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedClients {
    /// Who.
    pub clients: Clients,
    /// The entry's line.
    pub line: ConfigLine,
}

pub(super) fn meant(texts: &[String], path: &str, reading: &mut Reading<'_>) -> Vec<ListedClients> {
    let mut listed = Vec::new();
    for (index, text) in texts.iter().enumerate() {
        let path = format!("{path}[{index}]");
        let line = reading.position(&path).line();
        let clients = Clients::parse(text).map_err(|why| {
            let (message, hint) = why.split_once("; ").unwrap_or((why.as_str(), ""));
            Unreadable { message: message.to_owned(), hint: hint.to_owned().into() }
        });
        listed.extend(reading.parsed(&path, clients).map(|clients| ListedClients { clients, line }));
    }
    listed
}
