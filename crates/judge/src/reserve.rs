//! Takes the places that the guard wants taken: on quotas and rates all or none, and whether mailboxes have room. They are kept
//! with the recipient, and count once its mail is taken; whatever ends the transaction before gives them back.

use std::time::Duration;

use guard::{Charge, Charged, Fact, Fault, Reserved};
use state::gcra::Rate;
use state::{PopLimits, RateCharge, RateKey, Reservation};
use tracing::warn;

use super::bench::Judge;
use super::case::Case;
use super::{facts, quota};

/// The window of the limits `relay.pop.…_per_hour` and of devices.
const HOUR: Duration = Duration::from_hours(1);

/// Places that are kept for a recipient. Dropped, they are given back.
#[derive(Debug, Default)]
#[must_use = "dropped, they are given back"]
pub struct Places(Option<Reservation>);

impl Places {
    /// What was reserved by somebody else.
    pub(super) fn of(reservation: Reservation) -> Self {
        Self(Some(reservation))
    }

    /// Takes others into these, so that all have one fate.
    pub fn join(&mut self, others: Self) {
        match (&mut self.0, others.0) {
            (Some(these), Some(others)) => these.join(others),
            (none @ None, others) => *none = others,
            (Some(_), None) => {}
        }
    }

    /// The mail is taken: they count. A failure is told in the log; the mail was taken all the same.
    pub async fn commit(self) {
        if let Some(reservation) = self.0
            && let Err(error) = reservation.commit().await
        {
            warn!(%error, "mail uncounted");
        }
    }
}

/// What came of it: the guard's answer, and the places if there were any.
pub(super) struct Taken {
    pub(super) reserved: Reserved,
    pub(super) places: Places,
}

impl Taken {
    fn none(reserved: Reserved) -> Self {
        Self { reserved, places: Places::default() }
    }
}

/// Takes a place for each charge, or for none of them.
pub(super) async fn all(judge: Judge<'_>, case: &Case, charges: &[Charge]) -> Taken {
    for (at, charge) in charges.iter().enumerate() {
        if let Charge::Quota(room) = charge {
            match quota::charge(judge, case.session, room).await {
                Fact::Known(Charged::Exceeded) => return Taken::none(Reserved::Exceeded { charge: at }),
                // Room that cannot be measured is delivery's to find.
                Fact::Known(Charged::Within) | Fact::Unknown(_) => {}
            }
        }
    }
    counted(judge, charges).await
}

async fn counted(judge: Judge<'_>, charges: &[Charge]) -> Taken {
    let counted: Vec<Counted<'_>> = (0..).zip(charges).filter_map(|(at, charge)| of(judge, at, charge)).collect();
    if counted.is_empty() {
        return Taken::none(Reserved::All);
    }
    let wanted: Vec<state::Charge<'_>> = counted.iter().map(|one| one.charge).collect();
    let at = |index: usize| counted.get(index).map_or(0, |one| one.at);
    match facts::kept(judge.sources.state.reserve(&wanted)).await {
        Fact::Known(answer) => match answer.value {
            state::Reserved::Within(reservation) => {
                Taken { reserved: Reserved::All, places: Places(Some(reservation)) }
            }
            // Without evidence there is no room either.
            state::Reserved::NoRoom(none) => Taken::none(Reserved::Exceeded { charge: at(none.charge) }),
        },
        Fact::Unknown(fault) => Taken::none(unknown(at(0), fault)),
    }
}

fn unknown(charge: usize, fault: Fault) -> Reserved {
    Reserved::Unknown { charge, fault }
}

/// A charge that is counted, and its place among all.
struct Counted<'a> {
    at: usize,
    charge: state::Charge<'a>,
}

fn of<'a>(judge: Judge<'_>, at: usize, charge: &'a Charge) -> Option<Counted<'a>> {
    let charge = match charge {
        Charge::Pop(pop) => {
            let settings = &judge.terms.settings.relay.pop;
            let limits = PopLimits {
                messages: settings.messages_per_hour,
                recipients: settings.recipients_per_hour,
                window: HOUR,
            };
            let guard::PopCharge { addr, ref subject, messages, recipients } = *pop;
            state::Charge::Pop(state::PopCharge { addr, subject, messages, recipients, limits })
        }
        // As many at once as it may send in an hour, then evenly.
        Charge::Device(device) => {
            let (key, rate) = (RateKey::Device(&device.login), Rate::per(HOUR, device.per_hour));
            state::Charge::Rate(RateCharge { key, rate, cost: 1 })
        }
        Charge::Quota(_) => return None,
    };
    Some(Counted { at, charge })
}
