//! The client's forward-confirmed name as a fact.

use std::net::IpAddr;

use dns::{Answer, Failure, Resolver};
use guard::{ConfirmedName, Fact, Fault};

/// The forward-confirmed name of an address; `Known(None)`: it has none. Without a resolver every name is *unknown*.
pub async fn confirmed_name(dns: Option<&Resolver>, ip: IpAddr) -> Fact<Option<ConfirmedName>> {
    let Some(dns) = dns else { return Fact::Unknown(Fault::Unavailable("dns")) };
    match Box::pin(dns.confirmed_name(ip)).await {
        Answer::Found(name) => Fact::Known(Some(ConfirmedName::attest_forward_confirmed(name))),
        Answer::None => Fact::Known(None),
        Answer::Failed(Failure::TimedOut) => Fact::Unknown(Fault::TimedOut("dns")),
        Answer::Failed(Failure::Server(_)) => Fact::Unknown(Fault::Unavailable("dns")),
    }
}
