//! Whether an address that may relay by itself is trusted still: see `identity` for what speaks against it.

use std::time::Instant;

use config::IdentityCollapse;
use tracing::warn;

use super::bench::Judge;
use super::case::{Case, Login};
use super::identity::{Identity, Showing};

/// Looks at what the client shows, and says whether it is trusted by itself still.
pub(super) fn look(judge: Judge<'_>, case: &mut Case) {
    let mode = judge.terms.settings.relay.identity_collapse;
    let listed = case.client().filter(|client| judge.policy.relay.is_listed_client(*client));
    let (Some(client), true) = (listed, matches!(case.login, Login::Nobody) && mode != IdentityCollapse::Off) else {
        return case.guard.trust();
    };
    let showing = Showing { client, helo: case.guard.helo(), domain: case.sender_domain() };
    let identity = judge.sources.identities.show(showing, Instant::now());
    if identity == Identity::CollapsedNow {
        let enforced = mode == IdentityCollapse::Enforce;
        keep::tally::COUNTED.collapses.one();
        keep::tally::notice("trust-collapsed", client.to_string());
        warn!(session = %case.session, %client, enforced, note = "strangers may come through this address: list the real clients", "trust collapsed");
    }
    if identity != Identity::Whole && mode == IdentityCollapse::Enforce {
        case.guard.distrust();
    } else {
        case.guard.trust();
    }
}
