//! Counts what the guard wants counted. The guard asks for one charge at a time: of several, those before one without a place
//! would stay counted, since the state does not give back yet.

use guard::{Charge, Charged, Fact, Reserved};

use super::bench::Judge;
use super::case::Case;
use super::{facts, quota};

/// Reserves them in order; the first that has no place ends it.
pub(super) async fn all(judge: Judge<'_>, case: &Case, charges: &[Charge]) -> Reserved {
    for (at, charge) in charges.iter().enumerate() {
        let answer = one(judge, case, charge).await;
        match answer {
            Fact::Known(Charged::Exceeded) => return Reserved::Exceeded { charge: at },
            Fact::Unknown(fault) if charge.must_be_known() => return Reserved::Unknown { charge: at, fault },
            Fact::Known(Charged::Within) | Fact::Unknown(_) => {}
        }
    }
    Reserved::All
}

async fn one(judge: Judge<'_>, case: &Case, charge: &Charge) -> Fact<Charged> {
    let state = &judge.sources.state;
    match charge {
        Charge::Pop(pop) => facts::charge(state, pop, &judge.terms.settings.relay.pop).await,
        Charge::Device(device) => facts::charge_device(state, device).await,
        Charge::Room(room) => quota::charge(judge, case.session, room).await,
    }
}
