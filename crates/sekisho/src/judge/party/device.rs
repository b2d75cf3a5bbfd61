//! The limit that a device has of its own: messages an hour. To whom it may write is the guard's matter.

use std::time::SystemTime;

use guard::{Charge, Reason, Recipient, Right};
use state::ChargeOutcome;

use super::{Ledger, Party};

impl Party<'_> {
    /// Refuses if the device that sends has sent as much as it may. A message is counted once, at the first recipient that
    /// is accepted because the device logged in; what anybody may send it is not counted for.
    pub(super) fn within_device_limit(&self, recipient: &Recipient, ledger: &mut Ledger) -> Result<(), Reason> {
        let Recipient::Relayed(_, grant) = recipient else { return Ok(()) };
        let device = self.proved.and_then(|proved| proved.identity.device.as_deref());
        let limited = device.and_then(|device| Some((device, device.limits.messages_per_hour?)));
        let Some((device, per_hour)) = limited.filter(|_| matches!(grant.right(), Right::Auth { .. })) else {
            return Ok(());
        };
        if ledger.device_charged {
            return Ok(());
        }
        match self.sources.state.charge_device(&device.login, per_hour, SystemTime::now()) {
            ChargeOutcome::Within => {
                ledger.device_charged = true;
                ledger.trace.limited(Charge::Within);
                Ok(())
            }
            ChargeOutcome::Exceeded { .. } | ChargeOutcome::NoEvidence => {
                ledger.trace.limited(Charge::Exceeded);
                Err(Reason::GrantExhausted)
            }
        }
    }
}
