//! Looking without touching: what is known now for a command that nobody gave. Nothing is counted, remembered, told or kept, and no
//! next hop is asked.

use std::time::SystemTime;

use guard::{
    AskedRcpt, Charge, Command, Fact, FactName, Fault, Found, Gathered, Judged, Need, Outcome, Recipient, Relaying,
    Reserved,
};

use super::bench::Judge;
use super::case::{Case, Login};
use super::session::SessionId;
use super::{gather, reserve};

/// Rounds of gathering; the guard needs fewer.
const ROUNDS_MAX: usize = 10;

/// What would become of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Would {
    /// It would be relayed, by this right ([`guard::Right::code`]), or by one that is only charged first.
    Relay(&'static str),
    /// It is one of ours.
    Host,
    /// It would not be taken, or nothing is said of it.
    Refuse,
}

impl Case {
    /// A case that is only looked at.
    pub fn imagined(guard: guard::Case) -> Self {
        Self { guard, session: SessionId::NOBODYS, listener: "".into(), login: Login::Nobody, ended: None }
    }

    /// What the guard knows of it.
    pub fn as_guard(&self) -> &guard::Case {
        &self.guard
    }

    /// The same for who judges it himself.
    pub fn as_guard_mut(&mut self) -> &mut guard::Case {
        &mut self.guard
    }
}

impl Judge<'_> {
    /// What a command of an imagined case needs, as it is known now.
    pub async fn look_up(&self, case: &Case, command: &Command<'_>, needs: &[Need]) -> Vec<Gathered> {
        gather::looked_up(*self, case, command, needs).await
    }

    /// Whether there would be places now.
    pub async fn has_places(&self, case: &Case, charges: &[guard::Charge]) -> Reserved {
        reserve::all(*self, case, charges).await.reserved
    }

    /// What would become of a recipient of the case's open transaction, were relaying not locked down.
    pub async fn would(&self, case: &mut Case, asked: AskedRcpt<'_>) -> Would {
        case.guard.set_relaying(Relaying::Free);
        let mut command = Command::rcpt(asked, &case.guard, SystemTime::now());
        for _ in 0..ROUNDS_MAX {
            match guard::judge(self.policy, &mut case.guard, &mut command) {
                Judged::Verdict(verdict) => {
                    return match verdict.outcome {
                        Outcome::Accept(Recipient::Relayed(_, grant)) => Would::Relay(grant.right().code()),
                        Outcome::Accept(Recipient::Hosted(_)) => Would::Host,
                        Outcome::Proceed | Outcome::Refuse(_) | Outcome::Defer(_) => Would::Refuse,
                    };
                }
                Judged::Reserve(charges) => {
                    return if charges.iter().any(Charge::must_be_known) {
                        Would::Relay("charged")
                    } else {
                        Would::Host
                    };
                }
                Judged::Need(needs) => {
                    let (needs, others): (Vec<Need>, Vec<Need>) = needs.into_iter().partition(is_of_relaying);
                    for need in others {
                        let found = Found::new(Fact::Unknown(Fault::Unavailable("unasked")), SystemTime::now());
                        command.learn(&mut case.guard, &need, Gathered::Found(found));
                    }
                    if !needs.is_empty() {
                        let answers = Box::pin(gather::looked_up(*self, case, &command, &needs)).await;
                        for (need, gathered) in needs.iter().zip(answers) {
                            command.learn(&mut case.guard, need, gathered);
                        }
                    }
                }
            }
        }
        Would::Refuse
    }
}

/// Facts on which a right can rest, or by which a rule refuses one. To ask for the others is to be noted: a stranger who comes to
/// a greylist has come.
fn is_of_relaying(need: &Need) -> bool {
    matches!(
        need.fact,
        FactName::Login
            | FactName::Hosting
            | FactName::Owners
            | FactName::SenderHosted
            | FactName::ClientName
            | FactName::PopEvidence
            | FactName::Entries
    )
}
