//! Accounts and devices as they are listed, and what a device may do.

use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::error::DirectoryError;
use crate::name;

/// An account as it is listed; no secret is in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Account {
    /// `user@domain`, in lower case.
    pub login: String,
    /// Where its mail lies, relative to the mail directory.
    pub maildir: String,
    /// Octets that the mailbox may hold; `None`: no bound.
    pub quota_octets: Option<u64>,
    /// Which passwords it may log in with.
    pub passwords: PasswordKind,
    /// Whether every login is refused. Mail still comes in.
    pub locked: bool,
    /// Seconds since 1970 from which every login is refused.
    pub expires_at: Option<u64>,
    /// Whose it is, for people; often empty.
    pub name: String,
    /// Seconds since 1970.
    pub created_at: u64,
    /// The scheme of the main password's hash; `None`: it has no main password.
    pub scheme: Option<String>,
    /// Whether SCRAM keys of the main password are stored.
    pub scram: bool,
    /// Devices that are not revoked.
    pub devices: u32,
}

/// Which secrets of an account are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PasswordKind {
    /// The main password and the devices' secrets, by every mechanism.
    #[default]
    Any,
    /// Only a device's secret, and only by APOP or CRAM-MD5: no password ever crosses the net.
    ApopOnly,
}

/// A device as it is listed and as a login tells it; no secret is in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Device {
    /// The login of the account it belongs to.
    pub account: String,
    /// Its name within the account.
    pub name: String,
    /// `user-name@domain`: what the device logs in with.
    pub login: String,
    /// What it may do.
    #[serde(flatten)]
    pub limits: DeviceLimits,
    /// Seconds since 1970 when it was cut off.
    pub revoked_at: Option<u64>,
    /// Seconds since 1970.
    pub created_at: u64,
}

/// What a device may do. The directory keeps networks and expiry; messages and recipients are the judge's to keep.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DeviceLimits {
    /// Where it may log in from; empty: everywhere.
    pub networks: Vec<IpNet>,
    /// Messages that it may send in an hour; `None`: no bound of its own.
    pub messages_per_hour: Option<u32>,
    /// Whom it may send to.
    pub recipients: RecipientScope,
    /// Seconds since 1970 from which it is refused.
    pub expires_at: Option<u64>,
}

impl DeviceLimits {
    /// Reads networks as an operator writes them: addresses or CIDR without host bits.
    pub fn with_networks(mut self, written: &[impl AsRef<str>]) -> Result<Self, DirectoryError> {
        self.networks = written.iter().map(|network| name::network(network.as_ref())).collect::<Result<_, _>>()?;
        Ok(self)
    }

    pub(crate) fn allows(&self, client_ip: IpAddr) -> bool {
        let client_ip = client_ip.to_canonical();
        self.networks.is_empty() || self.networks.iter().any(|network| network.contains(&client_ip))
    }
}

/// When a device logged in last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastUse {
    /// What it logs in with.
    pub login: Arc<str>,
    /// Seconds since 1970.
    pub at: u64,
    /// The client's address.
    pub from: IpAddr,
}

/// Whom a device may send to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RecipientScope {
    /// Only addresses of hosted domains.
    #[default]
    OwnDomains,
    /// Everybody.
    Anywhere,
}

impl RecipientScope {
    /// As written in commands and kept in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OwnDomains => "own-domains",
            Self::Anywhere => "anywhere",
        }
    }

    /// The reverse of [`Self::as_str`].
    pub fn parse(text: &str) -> Option<Self> {
        [Self::OwnDomains, Self::Anywhere].into_iter().find(|scope| scope.as_str() == text)
    }
}
