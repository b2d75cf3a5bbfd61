//! How much of strangers' mail aliases send on to other hosts: whoever may write to an alias makes us send, to somebody who may
//! not want it.

use std::time::Duration;

use state::gcra::Rate;
use state::{Charge, RateCharge, RateKey, Reserved};
use tracing::{info, warn};

use super::bench::Judge;
use super::case::Case;
use super::harvest;
use super::reserve::Places;

/// The window of `limits.forwards_per_…`.
const HOUR: Duration = Duration::from_hours(1);

impl Judge<'_> {
    /// Takes a place for one message that an alias sends outside; `None`: there is none. What cannot be counted is not limited.
    pub async fn forwards(&self, case: &Case, alias: &str) -> Option<Places> {
        let limits = &self.terms.settings.limits;
        let client = harvest::client(case);
        let charge = |key, per_hour| Charge::Rate(RateCharge { key, rate: Rate::per(HOUR, per_hour), cost: 1 });
        let charges = [
            charge(RateKey::ForwardsOf(alias), limits.forwards_per_alias),
            charge(RateKey::ForwardsFrom(client), limits.forwards_per_client),
        ];
        match self.sources.state.reserve(&charges).await.map(|answer| answer.value) {
            Ok(Reserved::Within(reservation)) => Some(Places::of(reservation)),
            Ok(Reserved::NoRoom(none)) => {
                let limit = if none.charge == 0 { "forwards_per_alias" } else { "forwards_per_client" };
                info!(session = %case.session, client = %client, alias = ?alias, limit, "forward limited");
                None
            }
            Err(error) => {
                warn!(session = %case.session, %error, "forward uncounted");
                Some(Places::default())
            }
        }
    }
}
