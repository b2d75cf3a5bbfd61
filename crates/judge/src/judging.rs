//! Drives a case: gathers what the guard must know, reserves what it wants reserved, and tells what it decided. Decides nothing.
#![expect(clippy::similar_names, reason = "a case has a cause")]

use std::fmt::Display;
use std::time::{Duration, SystemTime};

use guard::{
    AddressJudgement, AddressRight, Arrived, AskedRcpt, Command, Effects, ExplainId, Judged, Outcome, Part, Reason,
    Refusal, Stage, Verdict,
};
use smtp::replies;
use smtp::reply::Reply;
use tokio::time::Instant;

use super::bench::Judge;
use super::case::Case;
use super::gather::Wanted;
use super::report::Beside;
use super::reserve::Places;
use super::{gather, harvest, report, reserve, trust};

/// Rounds of gathering for one command; the guard needs fewer, so reaching it is a fault of ours.
const ROUNDS_MAX: usize = 10;

/// What a command came to.
#[must_use]
#[derive(Debug)]
pub struct Decision {
    /// Yes or no.
    pub outcome: Outcome,
    /// What is to be done besides, if it is yes.
    pub effects: Effects,
    /// The reply, if it is no.
    pub refused: Option<Reply>,
    /// What is counted once the mail is taken.
    pub places: Places,
    /// The id by which the decision was told of, if it was.
    pub explain: Option<ExplainId>,
}

impl Judge<'_> {
    /// The connection, or a greeting.
    pub async fn connect(&self, case: &mut Case) -> Decision {
        let command = Command::new(Stage::Connect, &case.guard, SystemTime::now());
        self.decide(case, command).await
    }

    /// MAIL: whether the transaction that has just begun may.
    pub async fn mail(&self, case: &mut Case) -> Decision {
        let command = Command::new(Stage::Mail, &case.guard, SystemTime::now());
        self.decide(case, command).await
    }

    /// RCPT: whether a recipient may enter the envelope.
    pub async fn rcpt(&self, case: &mut Case, asked: AskedRcpt<'_>) -> Decision {
        if !harvest::may_try(*self, case).await {
            return self.later(case, asked).await;
        }
        let decision = self.decide(case, Command::rcpt(asked, &case.guard, SystemTime::now())).await;
        if decision.effects.slow_secs > 0 {
            tokio::time::sleep(Duration::from_secs(decision.effects.slow_secs.into())).await;
        }
        if harvest::may_be_told(*self, case, &decision.outcome).await {
            decision
        } else {
            self.later(case, asked).await
        }
    }

    /// The client has tried too many names that nobody has.
    async fn later(&self, case: &Case, asked: AskedRcpt<'_>) -> Decision {
        harvest::tell(*self, case).await;
        let path = asked.forward_path.to_string();
        // Who goes on guessing is told the same, and has fewer records.
        let reply = match self.sources.records.id_for(case.client()) {
            None => replies::recipients_guessed(&path),
            Some(id) => {
                let reply: fn(&dyn Display, &dyn Display) -> Reply =
                    |path, id| replies::recipients_guessed(path).explained(id);
                let (reason, cause) =
                    (Reason::TooManyUnknown.code(), "too many recipients that nobody has in the last hour");
                self.refused_as(case, id, Beside { stage: Stage::Rcpt, reason, cause, forward_path: &path, reply })
            }
        };
        Decision {
            outcome: Refusal::new(Reason::TooManyUnknown, Part::Recipient).into(),
            effects: Effects::default(),
            refused: Some(reply),
            places: Places::default(),
            explain: None,
        }
    }

    /// Whether a recipient that was taken still would be, now that its message is there. Nothing is charged.
    pub async fn confirm(&self, case: &mut Case, asked: AskedRcpt<'_>) -> Decision {
        let command = Command::confirm(asked, &case.guard, SystemTime::now());
        self.decide(case, command).await
    }

    /// The message is there.
    pub async fn message(&self, case: &mut Case, arrived: Arrived<'_>) -> Decision {
        let command = Command::message(arrived, &case.guard, SystemTime::now());
        self.decide(case, command).await
    }

    async fn decide(&self, case: &mut Case, mut command: Command<'_>) -> Decision {
        trust::look(*self, case);
        case.guard.set_relaying(self.sources.relay_lock.relaying());
        let mut places = Places::default();
        let verdict = self.drive(case, &mut command, &mut places).await;
        let report::Telling { id: explain, reply: refused } = report::tell(*self, case, command, &verdict);
        if refused.is_some() {
            places = Places::default();
        }
        Decision { outcome: verdict.outcome, effects: verdict.effects, refused, places, explain }
    }

    async fn drive(&self, case: &mut Case, command: &mut Command<'_>, places: &mut Places) -> Verdict {
        let mut deadline = None;
        for _ in 0..ROUNDS_MAX {
            match guard::judge(self.policy, &mut case.guard, command) {
                Judged::Verdict(verdict) => return verdict,
                Judged::Need(needs) => {
                    let until = *deadline.get_or_insert_with(|| Instant::now() + gather::STAGE_WAIT);
                    // Boxed: most commands need nothing, and would be moved about with it.
                    Box::pin(gather::all(*self, case, command, Wanted { needs, until })).await;
                }
                Judged::Reserve(charges) => {
                    // Boxed for the same reason.
                    let taken = Box::pin(reserve::all(*self, case, &charges)).await;
                    places.join(taken.places);
                    command.reserved(taken.reserved);
                }
            }
        }
        let outcome = Refusal::new(Reason::AuthorityUnavailable, Part::Recipient).into();
        Verdict { outcome, effects: Effects::default() }
    }

    /// Which right to relay the client's address has, whoever sends; a client that a rule refuses has none. No grant, and
    /// nothing is charged.
    pub async fn address_right(&self, case: &mut Case) -> Result<AddressRight, Reason> {
        if let Some(refusal) = self.connect(case).await.outcome.refusal() {
            return Err(refusal.reason);
        }
        case.guard.set_relaying(self.sources.relay_lock.relaying());
        let mut command = Command::new(Stage::Connect, &case.guard, SystemTime::now());
        let until = Instant::now() + gather::STAGE_WAIT;
        for _ in 0..ROUNDS_MAX {
            match guard::judge_address(self.policy, &case.guard, &mut command) {
                AddressJudgement::Need(need) => {
                    gather::all(*self, case, &mut command, Wanted { needs: vec![need], until }).await;
                }
                AddressJudgement::Is(right) => return Ok(right),
                AddressJudgement::Fault(_) => break,
            }
        }
        Err(Reason::AuthorityUnavailable)
    }
}
