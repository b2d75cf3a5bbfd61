//! What DNS calls a client, and whether the domain it sends for is there, as facts.

use std::net::IpAddr;

use dns::{Answer, Failure, Resolver};
use guard::{ConfirmedName, Fact, Fault, PtrName, SenderDomain};

/// The forward-confirmed name of an address; `Known(None)`: it has none. Without a resolver every name is *unknown*.
pub async fn confirmed_name(dns: Option<&Resolver>, ip: IpAddr) -> Fact<Option<ConfirmedName>> {
    let Some(dns) = dns else { return Fact::Unknown(Fault::Unavailable("dns")) };
    match Box::pin(dns.confirmed_name(ip)).await {
        Answer::Found(name) => Fact::Known(Some(ConfirmedName::attest_forward_confirmed(name))),
        Answer::None => Fact::Known(None),
        Answer::Failed(failure) => Fact::Unknown(fault(&failure)),
    }
}

/// What an address is called, believed or not. Its names are asked for once: the cache has them.
pub(super) async fn ptr_name(dns: Option<&Resolver>, ip: IpAddr) -> Fact<PtrName> {
    let Some(dns) = dns else { return Fact::Unknown(Fault::Unavailable("dns")) };
    match Box::pin(dns.confirmed_name(ip)).await {
        Answer::Found(name) => return Fact::Known(PtrName::Confirmed(name.as_str().into())),
        Answer::None => {}
        Answer::Failed(failure) => return Fact::Unknown(fault(&failure)),
    }
    match Box::pin(dns.names(ip)).await {
        Answer::Found(names) => {
            // A name that is no host's cannot lead back.
            let name = names.first().map_or("", |name| name.as_str());
            Fact::Known(PtrName::Name(name.into()))
        }
        Answer::None => Fact::Known(PtrName::None),
        Answer::Failed(failure) => Fact::Unknown(fault(&failure)),
    }
}

/// Whether a bounce could reach the domain of a reverse-path, if it has one (RFC 5321 §5.1, RFC 7505).
pub(super) async fn sender_domain(dns: Option<&Resolver>, domain: Option<&str>) -> Fact<SenderDomain> {
    let Some(domain) = domain else { return Fact::Known(SenderDomain::Alive) };
    let Some(dns) = dns else { return Fact::Unknown(Fault::Unavailable("dns")) };
    match Box::pin(dns.exchanges(domain)).await {
        Answer::Found(exchanges) => {
            let takes_mail = exchanges.iter().any(|exchange| !exchange.host.is_empty());
            return Fact::Known(if takes_mail { SenderDomain::Alive } else { SenderDomain::Dead });
        }
        Answer::None => {}
        Answer::Failed(failure) => return Fact::Unknown(fault(&failure)),
    }
    match Box::pin(dns.addresses(domain)).await {
        Answer::Found(_) => Fact::Known(SenderDomain::Alive),
        Answer::None => Fact::Known(SenderDomain::Dead),
        Answer::Failed(failure) => Fact::Unknown(fault(&failure)),
    }
}

fn fault(failure: &Failure) -> Fault {
    match failure {
        Failure::TimedOut => Fault::TimedOut("dns"),
        Failure::Server(_) => Fault::Unavailable("dns"),
    }
}
