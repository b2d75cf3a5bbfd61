//! What an address may do whoever sends from it: for maps that are asked about a client alone. No grant comes of it.

use super::{AddressRight, Answer, client_map, network, pop};
use crate::fact::Fault;
use crate::facts::Need;
use crate::hearing::Hearing;
use crate::trace::{Asked, Found};

/// What can be said of an address now.
pub(crate) enum AddressAnswer {
    Need(Need),
    Is(AddressRight),
    /// It could not be found out, and nothing else gives a right.
    Fault(Fault),
}

/// Which right to relay the client's address has. A login is not looked at.
pub(crate) fn ask(hearing: &mut Hearing<'_>) -> AddressAnswer {
    let mut fault = None;
    for authority in [network::ask, client_map::ask_address, client_map::ask_name] {
        match authority(hearing) {
            Answer::Grant(_) => return AddressAnswer::Is(AddressRight::AnySender),
            Answer::Need(need) => return AddressAnswer::Need(need),
            Answer::Fault(unknown) => fault = fault.or(Some(unknown)),
            Answer::Nothing | Answer::Pending(_) | Answer::Refuse(_) => {}
        }
    }
    let right = match pop::of_address(hearing) {
        Ok(right) => right,
        Err(Answer::Need(need)) => return AddressAnswer::Need(need),
        Err(Answer::Fault(unknown)) => {
            fault = fault.or(Some(unknown));
            AddressRight::Nothing
        }
        Err(_) => AddressRight::Nothing,
    };
    match (right, fault) {
        (AddressRight::Nothing, Some(fault)) => AddressAnswer::Fault(fault),
        (right, _) => {
            hearing.trace.note(Asked::Verdict, if right == AddressRight::Nothing { Found::No } else { Found::Yes });
            AddressAnswer::Is(right)
        }
    }
}
