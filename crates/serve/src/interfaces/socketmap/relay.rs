//! Map `relay`: who may relay. Found means yes.

use std::net::IpAddr;

use guard::{AddressRight, AskedRcpt, Depth, Reason};
use mta::socketmap::Reply;

use super::key::{Relayed, Relaying, relaying};
use super::{YES, told};
use crate::interfaces::client::Answer;
use crate::interfaces::{Connection, InForce};
use config::RelayMode;

/// A key names an address, or a whole recipient; what it names less of, it is answered more narrowly.
pub(super) async fn relay(connection: &Connection, in_force: &InForce, key: &[u8]) -> Reply {
    match relaying(key) {
        None => Reply::NotFound,
        Some(Relaying::Address(ip)) => address(connection, in_force, ip).await,
        Some(Relaying::Mail(relayed)) => mail(connection, in_force, relayed).await,
    }
}

/// By the address alone the reverse-path cannot be seen: a POP login would be one for every reverse-path, so that counts only
/// where the listener permits.
async fn address(connection: &Connection, in_force: &InForce, ip: IpAddr) -> Reply {
    let asking = connection.asking(in_force);
    match asking.address_right(&mut asking.case(&told(ip))).await {
        Ok(AddressRight::AnySender) => Reply::Ok(YES.to_owned()),
        Ok(AddressRight::SomeSenders) if asking.mode == RelayMode::Permit => Reply::Ok(YES.to_owned()),
        Ok(AddressRight::SomeSenders | AddressRight::Nothing) => Reply::NotFound,
        Err(reason) => no(reason),
    }
}

/// One recipient, judged and charged as at RCPT, whoever decides about relaying on this listener.
async fn mail(connection: &Connection, in_force: &InForce, relayed: Relayed) -> Reply {
    let Relayed { ip, reverse_path, forward } = relayed;
    let asking = connection.asking(in_force).to(Depth::Relaying);
    let asked = AskedRcpt { forward_path: &forward.path, had_source_route: forward.had_source_route };
    let mut case = asking.case(&told(ip));
    case.begin(reverse_path, None);
    match asking.right(&mut case, asked).await {
        Ok(Answer::Permit) => Reply::Ok(YES.to_owned()),
        Ok(Answer::Pass | Answer::Refuse(_)) => Reply::NotFound,
        Err(reason) => no(reason),
    }
}

/// Not found is for good; what passes by itself is a fault for now.
fn no(reason: Reason) -> Reply {
    if reason.is_temporary() { Reply::Temp(reason.code().to_owned()) } else { Reply::NotFound }
}
