//! The client map: single clients that may relay, by address or by forward-confirmed name.

use super::{Answer, RelayGrant, Right};
use crate::fact::Fact;
use crate::facts::{CLIENT_NAME, FactName};
use crate::hearing::Hearing;
use crate::line::ConfigLine;
use crate::trace::{Asked, Found};

pub(crate) fn ask_address(hearing: &mut Hearing<'_>) -> Answer {
    let line = hearing.client_by_itself().and_then(|client| hearing.policy.client_networks.find(client));
    hearing.trace.note_line(Asked::ClientAddress, line);
    line.map_or(Answer::Nothing, grant)
}

/// Asks for the name only if the map has names: a server without them never waits for DNS here.
pub(crate) fn ask_name(hearing: &mut Hearing<'_>) -> Answer {
    if hearing.policy.client_names.is_empty() || hearing.client_by_itself().is_none() {
        hearing.trace.note(Asked::ClientName, Found::Skipped);
        return Answer::Nothing;
    }
    if let Some(need) = hearing.need(FactName::ClientName) {
        return Answer::Need(need);
    }
    match hearing.facts.fact(&CLIENT_NAME) {
        Some(Fact::Known(name)) => {
            let line = name.as_ref().and_then(|name| hearing.policy.client_names.find(name.domain()));
            hearing.trace.note_line(Asked::ClientName, line);
            line.map_or(Answer::Nothing, grant)
        }
        Some(Fact::Unknown(fault)) => {
            hearing.trace.note(Asked::ClientName, Found::Unknown(fault));
            Answer::Fault(fault)
        }
        None => Answer::Nothing,
    }
}

fn grant(line: &ConfigLine) -> Answer {
    Answer::Grant(RelayGrant { right: Right::ClientMap(line.clone()) })
}
