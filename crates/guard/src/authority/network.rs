//! Relay networks: clients that may relay by their address.

use super::{Answer, RelayGrant, Right};
use crate::hearing::Hearing;
use crate::trace::Asked;

pub(crate) fn ask(hearing: &mut Hearing<'_>) -> Answer {
    let line = hearing.client_by_itself().and_then(|client| hearing.policy.networks.find(client));
    hearing.trace.note_line(Asked::Network, line);
    match line {
        Some(line) => Answer::Grant(RelayGrant { right: Right::Network(line.clone()) }),
        None => Answer::Nothing,
    }
}
