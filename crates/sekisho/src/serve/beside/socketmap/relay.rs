//! Map `relay`: who may relay. Found means yes.

use std::net::IpAddr;

use guard::AddressRight;
use mta::socketmap::Reply;
use smtp::ReversePath;
use smtp::address::ForwardPathParse;
use tracing::info;

use super::key::{Relaying, relaying};
use super::{YES, told};
use crate::config::RelayMode;
use crate::judge::{AskedRcpt, Ledger, Refused};
use crate::serve::beside::Visit;
use crate::serve::beside::client::{Answer, Client};
use crate::serve::site::Site;

/// A key names an address, or a whole recipient; what it names less of, it is answered more narrowly.
pub(super) async fn relay(visit: &Visit, (site, mode): (&Site, RelayMode), key: &[u8]) -> Reply {
    match relaying(key) {
        None => Reply::NotFound,
        Some(Relaying::Address(ip)) => address(visit, (site, mode), ip).await,
        Some(Relaying::Mail(ip, reverse_path, forward)) => mail(visit, site, (ip, &reverse_path, &forward)).await,
    }
}

/// By the address alone the reverse-path cannot be seen: a POP login would be one for every reverse-path, so that counts only
/// where the listener permits.
async fn address(visit: &Visit, (site, mode): (&Site, RelayMode), ip: IpAddr) -> Reply {
    let client = Client::new(visit, (site, mode), told(ip)).await;
    match client.address_right(&mut Ledger::default()).await {
        Ok(AddressRight::AnySender) => Reply::Ok(YES.to_owned()),
        Ok(AddressRight::SomeSenders) if mode == RelayMode::Permit => Reply::Ok(YES.to_owned()),
        Ok(AddressRight::SomeSenders | AddressRight::Nothing) => Reply::NotFound,
        Err(refused) => no(&refused),
    }
}

/// One recipient, judged and charged as at RCPT.
async fn mail(
    visit: &Visit,
    site: &Site,
    (ip, reverse_path, forward): (IpAddr, &ReversePath, &ForwardPathParse),
) -> Reply {
    let client = Client::new(visit, (site, RelayMode::Permit), told(ip)).await;
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
