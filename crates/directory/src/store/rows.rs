//! What is kept, as it is written and read, whichever database it is.

use std::sync::Arc;

use crate::chosen::{ChoiceKind, Others};
use crate::listed::PasswordKind;
use crate::listed::{Device, DeviceLimits};

/// An account as it is written.
pub(crate) struct AccountRow {
    pub(crate) login: String,
    pub(crate) domain: String,
    pub(crate) maildir: String,
    pub(crate) secrets: Option<Secrets>,
    pub(crate) quota_octets: Option<u64>,
    pub(crate) passwords: PasswordKind,
    pub(crate) expires_at: Option<u64>,
    pub(crate) name: String,
    pub(crate) created_at: u64,
}

/// The stored forms of a main password.
#[derive(Clone)]
pub(crate) struct Secrets {
    pub(crate) hash: String,
    pub(crate) scram: Option<String>,
}

/// Everything about a login: the account, and the device if the login is one of a device.
pub(crate) struct LoginRow {
    pub(crate) account_id: i64,
    pub(crate) password_version: i64,
    pub(crate) login: Arc<str>,
    pub(crate) maildir: Arc<str>,
    pub(crate) quota_octets: Option<u64>,
    pub(crate) hash: Option<String>,
    pub(crate) scram: Option<String>,
    pub(crate) apop_only: bool,
    pub(crate) locked: bool,
    pub(crate) expires_at: Option<u64>,
    pub(crate) device: Option<DeviceRow>,
}

/// A device as it is written.
pub(crate) struct NewDeviceRow<'a> {
    pub(crate) account: &'a str,
    pub(crate) login: &'a str,
    pub(crate) name: &'a str,
    pub(crate) sealed_secret: Vec<u8>,
    pub(crate) scram: String,
    pub(crate) limits: &'a DeviceLimits,
    pub(crate) now: u64,
}

/// A device as it is read, with what only a login needs.
#[derive(Clone)]
pub(crate) struct DeviceRow {
    pub(crate) device: Device,
    pub(crate) sealed_secret: Vec<u8>,
    pub(crate) scram: String,
}

/// What an account chose.
#[derive(Default)]
pub(crate) struct ChoicesRow {
    pub(crate) others: Others,
    /// By sender.
    pub(crate) senders: Vec<(String, ChoiceKind)>,
}

/// An alias, and where it leads.
pub(crate) struct AliasRow {
    pub(crate) address: String,
    pub(crate) target: String,
}

/// An alias as it is written.
pub(crate) struct NewAliasRow<'a> {
    pub(crate) address: &'a str,
    pub(crate) targets: Vec<String>,
    pub(crate) copy: OwnCopy,
}

/// Whether the account whose address an alias has gets its mail too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OwnCopy {
    /// As the targets say.
    AsNamed,
    /// It does.
    Kept,
}

/// Who takes what nobody else in a domain takes.
pub(crate) struct CatchAll<'a> {
    pub(crate) address: Option<&'a str>,
    pub(crate) new_domain: NewDomain,
}

/// Whether a domain that is not there is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NewDomain {
    /// It is an error.
    Missing,
    /// It is.
    Made,
}

/// Which answers are no longer true, since somebody has changed what is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Changed {
    pub(crate) routing: bool,
    pub(crate) logins: bool,
}

/// Logins that changed after a revision, up to another one.
#[derive(Debug)]
pub(crate) struct LoginChanges {
    pub(crate) revision: i64,
    pub(crate) logins: Which,
}

/// Which logins.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Which {
    /// These.
    These(Vec<String>),
    /// So many that it is not worth while to name them.
    Many,
}

/// What a rotation did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rotated {
    /// Devices whose secrets are sealed anew.
    pub devices: usize,
    /// Those whose secrets could not be opened before either; they stay as they were.
    pub damaged: Vec<String>,
}
