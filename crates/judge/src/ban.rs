//! Whether a client is banned, and whether somebody proved something at its address lately. What cannot be asked is taken for what
//! does the client no harm.

use std::net::IpAddr;

use guard::RelayPolicy;
use state::{Ban, State, StateError};
use tracing::warn;

/// A ban that is in force: who fetched mail from the address by POP lately has proved himself.
pub async fn ban_of(state: &State, relay: &RelayPolicy, client: IpAddr) -> Option<Ban> {
    let ban = or_harmless(state.ban_of(client).await, None)?;
    (!has_evidence(state, relay, client).await).then_some(ban)
}

/// Whether somebody proved something there lately: by a login, or by a POP login that counts for relaying still.
pub async fn is_known(state: &State, relay: &RelayPolicy, client: IpAddr) -> bool {
    or_harmless(state.has_logged_in_from(client).await, true) || has_evidence(state, relay, client).await
}

async fn has_evidence(state: &State, relay: &RelayPolicy, client: IpAddr) -> bool {
    let evidence = state.evidence_at(relay.pop_key(client)).await;
    or_harmless(evidence.map(|answer| !answer.value.is_empty()), true)
}

fn or_harmless<T>(asked: Result<T, StateError>, harmless: T) -> T {
    asked.unwrap_or_else(|error| {
        warn!(%error, "door unasked");
        harmless
    })
}
