//! Whether the owner of a recipient of ours takes mail of this sender.

use crate::authority::{Answer, pop};
use crate::choice::{Choice, Proof};
use crate::fact::Fact;
use crate::facts::{CHOICE, FactName, Need, SPF};
use crate::hearing::Hearing;
use crate::reason::Reason;
use crate::reputation::SpfResult;
use crate::trace::{Asked, Found};

/// What the owner's choices come to.
pub(super) enum Owner {
    /// Nothing is said against it.
    Silent,
    /// Mail of the sender is taken, who is known so.
    Takes(Proof),
    Need(Need),
    Refuses(Reason),
}

/// Choices that cannot be found out weigh nothing (law 2).
pub(super) fn ask(hearing: &mut Hearing<'_>) -> Owner {
    if let Some(need) = hearing.need(FactName::Choice) {
        return Owner::Need(need);
    }
    let choice = match hearing.facts.fact(&CHOICE) {
        Some(Fact::Known(Choice::None)) | None => return Owner::Silent,
        Some(Fact::Known(choice)) => *choice,
        Some(Fact::Unknown(fault)) => {
            hearing.trace.note(Asked::Choice, Found::Unknown(fault));
            return Owner::Silent;
        }
    };
    hearing.trace.note(Asked::Choice, Found::Choice(choice));
    match sender(choice, hearing) {
        Sender::Known(proof) if choice.takes(proof) => Owner::Takes(proof),
        Sender::Known(_) => Owner::Refuses(Reason::RefusedByRecipient),
        Sender::Need(need) => Owner::Need(need),
        Sender::Unknown if choice.takes(Proof::None) => Owner::Silent,
        Sender::Unknown => Owner::Refuses(Reason::AuthorityUnavailable),
    }
}

/// How the reverse-path is known.
enum Sender {
    Known(Proof),
    Need(Need),
    /// It cannot be found out now.
    Unknown,
}

/// How the reverse-path is known, as far as anything depends on it. Who logged in has been bound to his own addresses before; a
/// POP login counts by the rules of its right to relay.
fn sender(choice: Choice, hearing: &mut Hearing<'_>) -> Sender {
    if !choice.goes_by_proof() {
        return Sender::Known(Proof::None);
    }
    match hearing.login() {
        Some(Fact::Known(Some(_))) => return Sender::Known(Proof::Login),
        Some(Fact::Unknown(_)) => return Sender::Unknown,
        Some(Fact::Known(None)) | None => {}
    }
    match pop::ask(hearing) {
        Answer::Pending(_) => Sender::Known(Proof::Login),
        Answer::Need(need) => Sender::Need(need),
        Answer::Fault(_) => Sender::Unknown,
        _ if choice == Choice::NotAccepted => Sender::Known(Proof::None),
        _ => by_domain(hearing),
    }
}

/// Whether the domain of the reverse-path lets this client send for it (SPF, RFC 7208). Of the null reverse-path SPF says only
/// what the greeting name lets.
fn by_domain(hearing: &mut Hearing<'_>) -> Sender {
    if hearing.reverse_path.mailbox().is_none() {
        return Sender::Known(Proof::None);
    }
    if let Some(need) = hearing.need(FactName::Spf) {
        return Sender::Need(need);
    }
    match hearing.facts.fact(&SPF) {
        Some(Fact::Known(SpfResult::Pass)) => Sender::Known(Proof::Domain),
        Some(Fact::Known(SpfResult::TempError) | Fact::Unknown(_)) => Sender::Unknown,
        Some(Fact::Known(_)) | None => Sender::Known(Proof::None),
    }
}
