//! What an address may do whoever sends from it: for maps that are asked about a client alone. No grant comes of it.

use super::{Answer, client_map, network, pop};
use crate::fact::{Fault, RcptFacts};
use crate::policy::RelayPolicy;
use crate::trace::{Asked, Found, Trace};
use crate::verdict::Need;

/// Which right belongs to a client's address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddressRight {
    /// None.
    Nothing,
    /// A POP login, or what DRAC told: it holds for some reverse-paths only, and has a quota.
    SomeSenders,
    /// One for every reverse-path: a relay network, the client map, or DRAC where the policy wants no reverse-path.
    AnySender,
}

/// Judgement of an address alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AddressJudgement {
    /// Look it up, then ask again: [`Need::ClientName`] or [`Need::PopEvidence`].
    Need(Need),
    /// This right.
    Is(AddressRight),
    /// It could not be found out, and nothing else gives a right.
    Fault(Fault),
}

/// Which right to relay an address has. Of the facts only those about the client are looked at, a login is not.
pub fn judge_address(policy: &RelayPolicy, facts: &RcptFacts<'_>, trace: &mut Trace) -> AddressJudgement {
    trace.begin(facts.client_ip);
    let mut fault = None;
    for authority in [network::ask, client_map::ask_address, client_map::ask_name] {
        match authority(policy, facts, trace) {
            Answer::Grant(_) => return AddressJudgement::Is(AddressRight::AnySender),
            Answer::Need(need) => return AddressJudgement::Need(need),
            Answer::Fault(unknown) => fault = fault.or(Some(unknown)),
            Answer::Nothing | Answer::Refuse(_) => {}
        }
    }
    let right = match pop::of_address(policy, facts, trace) {
        Ok(right) => right,
        Err(Answer::Need(need)) => return AddressJudgement::Need(need),
        Err(Answer::Fault(unknown)) => {
            fault = fault.or(Some(unknown));
            AddressRight::Nothing
        }
        Err(_) => AddressRight::Nothing,
    };
    match (right, fault) {
        (AddressRight::Nothing, Some(fault)) => AddressJudgement::Fault(fault),
        (right, _) => {
            trace.note(Asked::Verdict, if right == AddressRight::Nothing { Found::No } else { Found::Yes });
            AddressJudgement::Is(right)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;
    use std::time::{Duration, SystemTime};

    use smtp::address::{ForwardPath, ReversePath};

    use super::*;
    use crate::authority::PopEvidence;
    use crate::fact::{Fact, MailFacts};
    use crate::policy::{ConfigLine, DracSenders, Entry, PopSpec, RelayPolicySpec};

    const NOW: SystemTime = SystemTime::UNIX_EPOCH;

    fn policy(drac_senders: DracSenders) -> RelayPolicy {
        let line = ConfigLine::new("t", 1);
        let entry = |text: &str| vec![Entry { text: text.to_owned(), line: line.clone() }];
        RelayPolicy::new(RelayPolicySpec {
            networks: entry("192.0.2.0/28"),
            client_map: entry("mail.example.net"),
            pop: Some(PopSpec { ipv6_prefix_bits: 128, drac_senders, line: line.clone() }),
            ..RelayPolicySpec::default()
        })
        .unwrap()
    }

    fn judged(policy: &RelayPolicy, ip: [u8; 4], pop: Option<Fact<Vec<PopEvidence>>>) -> AddressJudgement {
        let mail = MailFacts {
            client_ip: ip.into(),
            listener: "t",
            login: None,
            reverse_path: &ReversePath::Null,
            reverse_path_owners: None,
        };
        let mut facts = RcptFacts::new(&mail, &ForwardPath::Postmaster, NOW);
        facts.client_name = Some(Fact::Known(None));
        facts.pop = pop;
        judge_address(policy, &facts, &mut Trace::new())
    }

    #[test]
    fn an_address_alone() {
        let hosted = policy(DracSenders::Hosted);
        let (client, expires) = ([198, 51, 100, 7], NOW + Duration::from_mins(30));
        let addr = IpAddr::from(client);
        let login = PopEvidence::attest_pop_login("alice@example.test".to_owned(), addr, NOW, expires);
        let drac = PopEvidence::attest_drac_grant([127, 0, 0, 1].into(), addr, NOW, expires);
        let dead = PopEvidence::attest_pop_login("alice@example.test".to_owned(), addr, NOW, NOW);
        let elsewhere = PopEvidence::attest_drac_grant([127, 0, 0, 1].into(), [198, 51, 100, 8].into(), NOW, expires);
        let known = |evidence: &[&PopEvidence]| Some(Fact::Known(evidence.iter().map(|one| (*one).clone()).collect()));
        let is = AddressJudgement::Is;
        assert_eq!(judged(&hosted, [192, 0, 2, 7], None), is(AddressRight::AnySender), "POP is not asked for");
        assert_eq!(judged(&hosted, client, None), AddressJudgement::Need(Need::PopEvidence(addr)));
        let fault = Fault::Unavailable("state");
        assert_eq!(judged(&hosted, client, Some(Fact::Unknown(fault))), AddressJudgement::Fault(fault));
        let table = [
            (known(&[]), AddressRight::Nothing, AddressRight::Nothing),
            (known(&[&dead]), AddressRight::Nothing, AddressRight::Nothing),
            (known(&[&elsewhere]), AddressRight::Nothing, AddressRight::Nothing),
            (known(&[&login]), AddressRight::SomeSenders, AddressRight::SomeSenders),
            (known(&[&drac]), AddressRight::SomeSenders, AddressRight::AnySender),
            (known(&[&login, &drac]), AddressRight::SomeSenders, AddressRight::AnySender),
        ];
        let any = policy(DracSenders::Any);
        for (evidence, by_hosted, by_any) in table {
            assert_eq!(judged(&hosted, client, evidence.clone()), is(by_hosted), "{evidence:?}");
            assert_eq!(judged(&any, client, evidence.clone()), is(by_any), "{evidence:?}");
        }
    }
}
