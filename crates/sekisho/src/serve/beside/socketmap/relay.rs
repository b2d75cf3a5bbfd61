//! Map `relay`: who may relay. Found means yes.

use std::net::IpAddr;

use guard::AddressRight;
use mta::socketmap::Reply;
use tracing::info;

use super::key::{Relayed, Relaying, relaying};
use super::{YES, told};
use crate::config::RelayMode;
use crate::judge::{AskedRcpt, Ledger, Refused, Terms};
use crate::serve::beside::client::{Answer, Client};
use crate::serve::beside::{InForce, Visit};

/// A key names an address, or a whole recipient; what it names less of, it is answered more narrowly.
pub(super) async fn relay(visit: &Visit, in_force: &InForce, key: &[u8]) -> Reply {
    match relaying(key) {
        None => Reply::NotFound,
        Some(Relaying::Address(ip)) => address(visit, in_force, ip).await,
        Some(Relaying::Mail(relayed)) => mail(visit, &in_force.terms, &relayed).await,
    }
}

/// By the address alone the reverse-path cannot be seen: a POP login would be one for every reverse-path, so that counts only
/// where the listener permits.
async fn address(visit: &Visit, in_force: &InForce, ip: IpAddr) -> Reply {
    let mode = in_force.relay;
    let client = Client::new(visit, &in_force.terms, mode, told(ip)).await;
    match client.address_right(&mut Ledger::default()).await {
        Ok(AddressRight::AnySender) => Reply::Ok(YES.to_owned()),
        Ok(AddressRight::SomeSenders) if mode == RelayMode::Permit => Reply::Ok(YES.to_owned()),
        Ok(AddressRight::SomeSenders | AddressRight::Nothing) => Reply::NotFound,
        Err(refused) => no(&refused),
    }
}

/// One recipient, judged and charged as at RCPT.
async fn mail(visit: &Visit, terms: &Terms, relayed: &Relayed) -> Reply {
    let Relayed { ip, reverse_path, forward } = relayed;
    let client = Client::new(visit, terms, RelayMode::Permit, told(*ip)).await;
    let asked = AskedRcpt { reverse_path, forward_path: &forward.path, had_source_route: forward.had_source_route };
    let mut ledger = Ledger::default();
    match client.judge(asked, &mut ledger).await {
        Ok(Answer::Permit) => Reply::Ok(YES.to_owned()),
        Ok(Answer::Pass | Answer::Refuse(_)) => Reply::NotFound,
        Err(refused) => {
            info!(
                session = %visit.session,
                client = %ip,
                reverse_path = ?reverse_path.to_string(),
                forward_path = ?forward.path.to_string(),
                reason = refused.refusal.reason.code(),
                trace = %ledger.trace,
                "no right told"
            );
            no(&refused)
        }
    }
}

/// Not found is for good; what passes by itself is a fault for now.
fn no(refused: &Refused) -> Reply {
    if refused.refusal.temporary { Reply::Temp(refused.refusal.reason.code().to_owned()) } else { Reply::NotFound }
}
