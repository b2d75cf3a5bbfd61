//! What is counted for a mail: the last step of a judgement. A charge is reserved when all else accepts, and given back when the
//! recipient is refused after all or its transaction does not come to its end.

use std::net::IpAddr;

use smtp::address::Mailbox;

use crate::attested::Subject;

/// A place to be taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Charge {
    /// On the quota of a POP grant.
    Pop(PopCharge),
    /// One message on the rate of a device.
    Device(DeviceCharge),
    /// Room in the mailboxes behind a recipient. Nothing is kept of it: delivery asks again.
    Quota(QuotaCharge),
}

/// What a POP grant is charged for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PopCharge {
    /// The evidence's key.
    pub addr: IpAddr,
    /// The evidence's account or server.
    pub subject: Subject,
    /// 1 for the first recipient of a transaction, then 0.
    pub messages: u32,
    /// Always 1: each recipient is judged for itself.
    pub recipients: u32,
}

/// What a device is charged for: one message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceCharge {
    /// What the device logs in with.
    pub login: String,
    /// Messages that it may send in an hour.
    pub per_hour: u32,
}

/// What a mailbox must have room for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuotaCharge {
    /// The recipient as the directory knows it.
    pub mailbox: Mailbox,
    /// The message's size, as far as it is known.
    pub octets: Option<u64>,
}

/// Whether there was a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Charged {
    /// It is taken.
    Within,
    /// There is none, and nothing was counted.
    Exceeded,
}

impl Charge {
    /// Stable word for traces and records.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Pop(_) => "pop",
            Self::Device(_) => "device",
            Self::Quota(_) => "room",
        }
    }

    /// Whether it gives nothing while it cannot be asked. Room that cannot be measured is delivery's to find.
    pub fn must_be_known(&self) -> bool {
        !matches!(self, Self::Quota(_))
    }
}

impl Charged {
    /// Stable word.
    pub fn code(self) -> &'static str {
        match self {
            Self::Within => "within",
            Self::Exceeded => "exceeded",
        }
    }
}
