//! Whether the next hop of a relay domain has a recipient: what it said lately, or what it says now.

use std::time::Duration;

use config::{RelayDomain, Verify};
use guard::{Fact, Fault, HopAnswer};
use smtp::Mailbox;
use tracing::debug;

use super::bench::Judge;
use super::facts;

/// How long a yes is remembered.
const YES_SPAN: Duration = Duration::from_hours(1);
/// How long a no is, also one to a mail: so long strangers are refused before 250, and a new mailbox there waits.
pub const NO_SPAN: Duration = Duration::from_mins(15);

/// What the next hop of a recipient's relay domain says of it. Where nobody is to ask it, only what it said to a mail counts.
pub(super) async fn answer(judge: Judge<'_>, mailbox: Option<&Mailbox>) -> Fact<HopAnswer> {
    let Some(mailbox) = mailbox else { return Fact::Known(HopAnswer::Fine) };
    let (state, forward_path) = (&judge.sources.state, mailbox.to_string());
    match facts::kept(state.is_hop_refused(&forward_path)).await {
        Fact::Known(true) => return Fact::Known(HopAnswer::HasNot),
        Fact::Known(false) => {}
        Fact::Unknown(fault) => return Fact::Unknown(fault),
    }
    let Some((relay, server)) = asked(judge, mailbox) else { return Fact::Known(HopAnswer::Fine) };
    if facts::kept(state.is_hop_taking(&forward_path)).await == Fact::Known(true) {
        return Fact::Known(HopAnswer::Fine);
    }
    let has = judge.sources.next_hops.ask(server, forward_path.clone()).await;
    let remembered = match has {
        Some(true) => state.hop_takes(&forward_path, YES_SPAN).await,
        Some(false) => state.hop_refused(&forward_path, NO_SPAN).await,
        None => Ok(()),
    };
    // Forgotten, it is asked again.
    let _ = remembered.inspect_err(|error| debug!(%error, "hop unremembered"));
    Fact::Known(match has {
        Some(false) => HopAnswer::HasNot,
        None if relay.verify == Verify::Strict => HopAnswer::Away,
        Some(true) | None => HopAnswer::Fine,
    })
}

/// The same as far as it is remembered: nobody is asked, and what is not remembered is not known.
pub(super) async fn remembered(judge: Judge<'_>, mailbox: Option<&Mailbox>) -> Fact<HopAnswer> {
    let Some(mailbox) = mailbox else { return Fact::Known(HopAnswer::Fine) };
    let (state, forward_path) = (&judge.sources.state, mailbox.to_string());
    match facts::kept(state.is_hop_refused(&forward_path)).await {
        Fact::Known(true) => Fact::Known(HopAnswer::HasNot),
        Fact::Known(false) if asked(judge, mailbox).is_none() => Fact::Known(HopAnswer::Fine),
        Fact::Known(false) if facts::kept(state.is_hop_taking(&forward_path)).await == Fact::Known(true) => {
            Fact::Known(HopAnswer::Fine)
        }
        Fact::Known(false) => Fact::Unknown(Fault::Unavailable("next-hop")),
        Fact::Unknown(fault) => Fact::Unknown(fault),
    }
}

/// The relay domain whose next hop is to be asked, and that hop.
fn asked<'j>(judge: Judge<'j>, mailbox: &Mailbox) -> Option<(&'j RelayDomain, String)> {
    let relay = judge.terms.settings.domains.relay_of(mailbox.host.domain()?)?;
    let hop = relay.next_hop.as_ref().filter(|_| relay.verify != Verify::No)?;
    Some((relay, hop.to_string()))
}
