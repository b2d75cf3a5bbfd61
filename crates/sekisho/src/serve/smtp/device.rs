//! The limits that a device has of its own: messages an hour. To whom it may write is the guard's matter.

use std::time::SystemTime;

use guard::{Charge, RcptJudgement, Reason, Recipient, Right};
use state::ChargeOutcome;

use super::talk::{Talk, Transaction};

impl Talk {
    /// The judgement, if the device that sends has not sent as much as it may. A message is counted once, at the first
    /// recipient that is accepted because the device logged in; what anybody may send it is not counted for.
    pub(super) fn within_device_limit(&self, judgement: RcptJudgement, transaction: &mut Transaction) -> RcptJudgement {
        let RcptJudgement::Accept(Recipient::Relayed(_, grant)) = &judgement else { return judgement };
        let device = self.proved.as_ref().and_then(|proved| proved.identity.device.as_deref());
        let limited = device.and_then(|device| Some((device, device.limits.messages_per_hour?)));
        let Some((device, per_hour)) = limited.filter(|_| matches!(grant.right(), Right::Auth { .. })) else {
            return judgement;
        };
        if transaction.device_charged {
            return judgement;
        }
        match self.client.border.state.charge_device(&device.login, per_hour, SystemTime::now()) {
            ChargeOutcome::Within => {
                transaction.device_charged = true;
                transaction.ledger.trace.limited(Charge::Within);
                judgement
            }
            ChargeOutcome::Exceeded { .. } | ChargeOutcome::NoEvidence => {
                transaction.ledger.trace.limited(Charge::Exceeded);
                RcptJudgement::Refuse(Reason::GrantExhausted.into())
            }
        }
    }
}
