//! What an address may do whoever sends from it. No grant comes of it.

use crate::authority::AddressRight;
use crate::authority::address::{AddressAnswer, ask};
use crate::case::Case;
use crate::command::Command;
use crate::fact::Fault;
use crate::facts::Need;
use crate::policy::Policy;

/// Judgement of an address alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AddressJudgement {
    /// Gather it, then ask again.
    Need(Need),
    /// This right.
    Is(AddressRight),
    /// It could not be found out, and nothing else gives a right.
    Fault(Fault),
}

/// Which right to relay the client's address has. Only facts about the client are looked at, a login is not.
pub fn judge_address(policy: &Policy, case: &Case, command: &mut Command<'_>) -> AddressJudgement {
    let mut trace = std::mem::take(&mut command.trace);
    let mark = trace.mark();
    let answer = ask(&mut super::step::View { policy, case, command, trace: &mut trace }.hearing());
    if matches!(answer, AddressAnswer::Need(_)) {
        trace.undo(mark);
    }
    command.trace = trace;
    match answer {
        AddressAnswer::Need(need) => AddressJudgement::Need(need),
        AddressAnswer::Is(right) if case.is_locked && right != AddressRight::Nothing => {
            AddressJudgement::Fault(Fault::Unavailable("relaying"))
        }
        AddressAnswer::Is(right) => AddressJudgement::Is(right),
        AddressAnswer::Fault(fault) => AddressJudgement::Fault(fault),
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;
    use std::sync::Arc;
    use std::time::{Duration, SystemTime};

    use super::*;
    use crate::attested::PopEvidence;
    use crate::case::{Depth, Manner};
    use crate::command::Stage;
    use crate::fact::Fact;
    use crate::facts::{FactName, Found, Gathered, Of, Value};
    use crate::line::ConfigLine;
    use crate::policy::{DracSenders, Entry, PopSpec, RelayPolicy, RelayPolicySpec};

    const NOW: SystemTime = SystemTime::UNIX_EPOCH;

    fn policy(drac_senders: DracSenders) -> Policy {
        let line = ConfigLine::new("t", 1);
        let entry = |text: &str| vec![Entry { text: text.to_owned(), line: line.clone() }];
        let relay = RelayPolicy::new(RelayPolicySpec {
            networks: entry("192.0.2.0/28"),
            client_map: entry("mail.example.net"),
            pop: Some(PopSpec { ipv6_prefix_bits: 128, drac_senders, line: line.clone() }),
            ..RelayPolicySpec::default()
        })
        .unwrap();
        Policy { relay, rules: Arc::default(), suspicion: Arc::default(), version: 1 }
    }

    /// What it comes to, the name always known; `pop` is what is told of POP logins once they are asked for.
    fn judged(policy: &Policy, ip: [u8; 4], pop: Option<&Fact<Vec<PopEvidence>>>) -> AddressJudgement {
        let mut case = Case::new(Some(ip.into()), Manner::asked_by_mail_server(Depth::Relaying));
        let mut command = Command::new(Stage::Connect, &case, NOW);
        loop {
            let need = match judge_address(policy, &case, &mut command) {
                AddressJudgement::Need(need) => need,
                decided => return decided,
            };
            let value = match (need.fact, pop) {
                (FactName::ClientName, _) => Fact::Known(Value::ClientName(None)),
                (_, Some(pop)) => pop.clone().map(Value::PopEvidence),
                (_, None) => return AddressJudgement::Need(need),
            };
            command.learn(&mut case, &need, Gathered::Found(Found::new(value, NOW)));
        }
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
        let need = Need { fact: FactName::PopEvidence, of: Of::Address(addr), older: None };
        assert_eq!(judged(&hosted, client, None), AddressJudgement::Need(need));
        let fault = Fault::Unavailable("state");
        assert_eq!(judged(&hosted, client, Some(&Fact::Unknown(fault))), AddressJudgement::Fault(fault));
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
            assert_eq!(judged(&hosted, client, evidence.as_ref()), is(by_hosted), "{evidence:?}");
            assert_eq!(judged(&any, client, evidence.as_ref()), is(by_any), "{evidence:?}");
        }
    }
}
