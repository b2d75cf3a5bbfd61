//! Accounts and devices as rights: who authenticates may relay with reverse-paths of his own.

use std::collections::BTreeMap;
use std::net::IpAddr;

use directory::{Account, Device, DeviceLimits, RecipientScope};

/// What somebody may who logs in so.
#[derive(Debug, Clone)]
pub struct LoginRight {
    /// The account.
    pub account: String,
    /// Its device, if this is a device's login.
    pub device: Option<DeviceBounds>,
    /// Every login of the account is refused.
    pub locked: bool,
    /// Seconds since 1970 from which the account is refused.
    pub expires_at: Option<u64>,
    /// Seconds since 1970 when it was made.
    pub created_at: u64,
}

/// The bounds of a device.
#[derive(Debug, Clone)]
pub struct DeviceBounds {
    /// Its name within the account.
    pub name: String,
    /// What it may do.
    pub limits: DeviceLimits,
    /// It is cut off.
    pub revoked: bool,
}

/// Whether somebody can log in so now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Usable {
    /// He can.
    Yes,
    /// Not from this address.
    OutsideNetworks,
    /// The account is locked.
    Locked,
    /// Account or device has expired.
    Expired,
    /// The device is cut off.
    Revoked,
}

impl LoginRight {
    /// Whether somebody can log in so at a time, wherever he comes from.
    pub fn usable(&self, now_secs: u64) -> Usable {
        let limits = self.device.as_ref().map(|device| &device.limits);
        let is_over = |until: Option<u64>| until.is_some_and(|until| now_secs >= until);
        if self.locked {
            Usable::Locked
        } else if self.device.as_ref().is_some_and(|device| device.revoked) {
            Usable::Revoked
        } else if is_over(self.expires_at) || is_over(limits.and_then(|limits| limits.expires_at)) {
            Usable::Expired
        } else {
            Usable::Yes
        }
    }

    /// The same of a client at an address.
    pub fn usable_from(&self, client: Option<IpAddr>, now_secs: u64) -> Usable {
        let networks = self.device.as_ref().map_or(&[][..], |device| &device.limits.networks);
        let client = client.map(|client| client.to_canonical());
        let is_within = networks.is_empty() || client.is_some_and(|ip| networks.iter().any(|net| net.contains(&ip)));
        match self.usable(now_secs) {
            Usable::Yes if !is_within => Usable::OutsideNetworks,
            usable => usable,
        }
    }

    /// Whether mail to recipients that are not ours is within it.
    pub fn reaches_others(&self) -> bool {
        self.device.as_ref().is_none_or(|device| device.limits.recipients == RecipientScope::Anywhere)
    }
}

/// All of them, by what they log in with.
pub(super) fn all(accounts: &[Account], devices: &[Device]) -> BTreeMap<String, LoginRight> {
    let of_account = |account: &Account| LoginRight {
        account: account.login.clone(),
        device: None,
        locked: account.locked,
        expires_at: account.expires_at,
        created_at: account.created_at,
    };
    let mut all: BTreeMap<String, LoginRight> =
        accounts.iter().map(|account| (account.login.clone(), of_account(account))).collect();
    for device in devices {
        let Some(account) = all.get(&device.account).cloned() else { continue };
        let bounds = DeviceBounds {
            name: device.name.clone(),
            limits: device.limits.clone(),
            revoked: device.revoked_at.is_some(),
        };
        let right = LoginRight { device: Some(bounds), created_at: device.created_at, ..account };
        // A name may be used again after it was cut off: the one that is alive counts.
        let replaces = all.get(&device.login).is_none_or(|known| known.device.as_ref().is_some_and(|it| it.revoked));
        if replaces {
            all.insert(device.login.clone(), right);
        }
    }
    all
}
