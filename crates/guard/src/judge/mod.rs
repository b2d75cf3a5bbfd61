//! The one question: what becomes of a command. Asked by [`judge`] for each stage on the way of a mail; the answer is what must
//! be known first, what must be reserved first, or the verdict.
//!
//! A stage is a list of waves of steps (`step`). A judgement goes through them in order and stops where a step needs a fact;
//! the facts that later steps of the same wave need are asked for with it, so that they are gathered at once. When they are
//! known it goes on where it stopped.

mod address;
mod choice;
mod destination;
mod rules;
mod step;
mod suspicion;

use crate::authority::{Pending, RelayGrant};
use crate::case::Case;
use crate::charge::{Charge, Charged};
use crate::circumstances::Place;
use crate::command::{Aim, Command, End, Reserved};
use crate::effects::Effects;
use crate::fact::Fact;
use crate::facts::Need;
use crate::policy::Policy;
use crate::reason::Reason;
use crate::rule::Part;
use crate::trace::{self, Asked};
use crate::verdict::{Outcome, Recipient, Refusal, Verdict};

pub use address::{AddressJudgement, judge_address};

use self::step::{Seen, Step, View};

/// What a judgement says.
#[must_use]
#[derive(Debug, PartialEq, Eq)]
pub enum Judged {
    /// Gather these at once, give them by [`Command::learn`], and ask again. All of them can still change the verdict.
    Need(Vec<Need>),
    /// All else accepts. Reserve these, all or nothing, give the answer by [`Command::reserved`], and ask again.
    Reserve(Vec<Charge>),
    /// What becomes of the command.
    Verdict(Verdict),
}

/// Judges a command, as far as it is known what it is founded on.
pub fn judge(policy: &Policy, case: &mut Case, command: &mut Command<'_>) -> Judged {
    let waves = step::waves(command.stage);
    let mut judging = Judging { policy, case, command };
    while let Some(wave) = waves.get(judging.command.progress.wave) {
        let at = judging.command.progress.step;
        let Some(step) = wave.get(at) else {
            (judging.command.progress.wave, judging.command.progress.step) = (judging.command.progress.wave + 1, 0);
            continue;
        };
        let mark = judging.command.trace.mark();
        match judging.look(*step) {
            Seen::Need(needs) => {
                judging.command.trace.undo(mark);
                return Judged::Need(judging.with_later(needs, wave.get(at + 1..).unwrap_or_default()));
            }
            seen => match judging.act(seen) {
                Then::NextStep => judging.command.progress.step = at + 1,
                Then::Taken => (judging.command.progress.wave, judging.command.progress.step) = (step::TAKEN, 0),
                Then::Answer(judged) => return judged,
            },
        }
    }
    judging.conclude(Outcome::Proceed)
}

/// What comes after a step.
#[expect(clippy::large_enum_variant, reason = "one lives at a time, and is moved once")]
enum Then {
    NextStep,
    /// The recipient would be taken; what is left is what is held against a stranger, and the reservation.
    Taken,
    Answer(Judged),
}

/// A command that is judged now.
struct Judging<'j, 'c> {
    policy: &'j Policy,
    case: &'j mut Case,
    command: &'j mut Command<'c>,
}

impl Judging<'_, '_> {
    /// Looks at one step, and writes what it finds into the trace.
    fn look(&mut self, step: Step) -> Seen {
        let mut trace = std::mem::take(&mut self.command.trace);
        let seen = View { policy: self.policy, case: self.case, command: self.command, trace: &mut trace }.look(step);
        self.command.trace = trace;
        seen
    }

    /// The needs of one step with those of the later steps of its wave.
    fn with_later(&mut self, mut needs: Vec<Need>, later: &[Step]) -> Vec<Need> {
        let mark = self.command.trace.mark();
        for step in later {
            let Seen::Need(more) = self.look(*step) else { continue };
            for need in more {
                if !needs.contains(&need) {
                    needs.push(need);
                }
            }
        }
        self.command.trace.undo(mark);
        needs
    }

    /// While relaying is locked down, a right other than SMTP AUTH is none.
    fn unless_locked(&self, seen: Seen) -> Seen {
        let right = match &seen {
            Seen::Granted(grant) => grant.right(),
            Seen::Pending(pending) => pending.right(),
            _ => return seen,
        };
        if !self.case.is_locked || right.outlasts_a_lock() {
            return seen;
        }
        let refusal = Refusal::new(Reason::RelayLocked, Part::Recipient);
        if self.case.manner.depth.leaves(refusal.reason) { Seen::Left(refusal) } else { Seen::Refuse(refusal) }
    }

    /// Does what a step found.
    fn act(&mut self, seen: Seen) -> Then {
        match self.unless_locked(seen) {
            Seen::Nothing | Seen::Need(_) => Then::NextStep,
            Seen::Fault(fault) => {
                self.command.progress.fault.get_or_insert(fault);
                Then::NextStep
            }
            Seen::Rules(held) => {
                self.command.hits.extend(held.hits);
                self.command.score.add(held.score);
                self.command.effects.add(held.effects);
                held.refused.map_or(Then::NextStep, |refusal| Then::Answer(self.conclude(refusal.into())))
            }
            Seen::Refuse(refusal) => Then::Answer(self.conclude(refusal.into())),
            Seen::Left(refusal) => Then::Answer(self.leave(refusal)),
            Seen::Done => Then::Answer(self.conclude(Outcome::Proceed)),
            Seen::Granted(_) | Seen::Pending(_) | Seen::Hosted(_) if self.command.aim == Aim::Confirm => {
                Then::Answer(self.conclude(Outcome::Proceed))
            }
            Seen::Granted(grant) => Then::Answer(self.relay(grant)),
            Seen::Pending(pending) => {
                self.command.progress.end = End::Pending(pending);
                Then::Taken
            }
            Seen::Hosted(hosted) => {
                self.command.progress.end = End::Hosted(hosted);
                Then::Taken
            }
            Seen::SentBy(proof) => {
                if let End::Hosted(hosted) = &mut self.command.progress.end {
                    hosted.set_sent_by(proof);
                }
                Then::NextStep
            }
            Seen::Charges(charges) => Then::Answer(self.reserve(charges)),
        }
    }

    /// Reserves, and goes by the answer once there is one.
    fn reserve(&mut self, charges: Vec<Charge>) -> Judged {
        let reserved = match self.command.progress.reserved.take() {
            None if charges.is_empty() => Reserved::All,
            None => return Judged::Reserve(charges),
            Some(reserved) => reserved,
        };
        self.command.place = charges.first().map(|charge| Place::new(charge.code(), reserved));
        let (answer, short) = match reserved {
            Reserved::All => (Fact::Known(Charged::Within), None),
            Reserved::Exceeded { charge } => (Fact::Known(Charged::Exceeded), charges.get(charge)),
            Reserved::Unknown { charge, fault } => (Fact::Unknown(fault), charges.get(charge)),
        };
        if charges.iter().any(Charge::must_be_known) {
            let found = match answer {
                Fact::Known(answer) => trace::Found::Charge(answer),
                Fact::Unknown(fault) => trace::Found::Unknown(fault),
            };
            let line = match &self.command.progress.end {
                End::Pending(pending) => pending.line().cloned(),
                End::Hosted(_) | End::Open => None,
            };
            self.command.trace.note_with(Asked::Charge, found, line);
        }
        if matches!(short, Some(Charge::Quota(_))) {
            return self.refuse(Reason::MailboxFull);
        }
        match std::mem::take(&mut self.command.progress.end) {
            End::Pending(pending) => self.charged(*pending, answer),
            End::Hosted(hosted) => self.conclude(Outcome::Accept(Recipient::Hosted(hosted))),
            End::Open => self.conclude(Outcome::Proceed),
        }
    }

    fn charged(&mut self, pending: Pending, answer: Fact<Charged>) -> Judged {
        let by_pop = matches!(pending.charge(), Charge::Pop(_));
        match pending.reserved(answer) {
            Ok(grant) => {
                if let Some(transaction) = &mut self.case.greeting.transaction {
                    transaction.counted.pop_recipients += u32::from(by_pop);
                    transaction.counted.device |= !by_pop;
                }
                self.relay(grant)
            }
            Err(reason) if self.case.manner.depth.leaves(reason) => self.leave(Refusal::new(reason, Part::Recipient)),
            Err(reason) => self.refuse(reason),
        }
    }

    fn relay(&mut self, grant: RelayGrant) -> Judged {
        let Some(forward_path) = self.command.forward_path else { return self.refuse(Reason::RelayDenied) };
        self.conclude(Outcome::Accept(Recipient::Relayed(forward_path.clone(), grant)))
    }

    fn refuse(&mut self, reason: Reason) -> Judged {
        self.conclude(Refusal::new(reason, Part::Recipient).into())
    }

    /// The mail server says itself what becomes of it. Who was permitted and has no right any more is refused all the same.
    fn leave(&mut self, refusal: Refusal) -> Judged {
        let confirms = self.command.aim == Aim::Confirm;
        self.conclude(if confirms { refusal.into() } else { Outcome::Proceed })
    }

    /// The verdict. What rules ask for counts with what is taken: a recipient that is refused does nothing to the others.
    fn conclude(&mut self, outcome: Outcome) -> Judged {
        self.note(&outcome);
        let mut effects = std::mem::take(&mut self.command.effects);
        if self.command.aim == Aim::Confirm {
            return Judged::Verdict(Verdict { outcome, effects: Effects::default() });
        }
        if let Some(transaction) = &mut self.case.greeting.transaction {
            transaction.older = self.command.facts.clone_stamped();
            effects.slow_secs = effects.slow_secs.saturating_sub(transaction.slowed_secs);
            transaction.slowed_secs += effects.slow_secs;
            if outcome.refusal().is_none() {
                transaction.effects.add(effects.clone());
            }
        }
        Judged::Verdict(Verdict { outcome, effects })
    }

    fn note(&mut self, outcome: &Outcome) {
        let trace = &mut self.command.trace;
        match outcome {
            Outcome::Proceed => {}
            Outcome::Accept(Recipient::Hosted(_)) => trace.note(Asked::Verdict, trace::Found::Hosted),
            Outcome::Accept(Recipient::Relayed(_, grant)) => {
                trace.relayed(grant.right().code(), grant.right().line());
            }
            Outcome::Refuse(refusal) | Outcome::Defer(refusal) => {
                trace.note(Asked::Verdict, trace::Found::Refused(refusal.reason));
            }
        }
    }
}
