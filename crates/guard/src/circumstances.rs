//! Under what a decision was made that neither its words nor its facts tell: how the case was driven, what was seen of its client,
//! what was counted before. It is kept with each record, so it is small; by it the same can be judged again.

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use smtp::address::ReversePath;

use crate::case::{Case, Conduct, Manner, Transaction};
use crate::serial;

/// What else a judgement depended on. Of most there is nothing to be told.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Circumstances {
    /// What the transaction had been charged and slowed before.
    #[serde(skip_serializing_if = "serial::is_default")]
    pub before: Before,
    /// The recipient was given with a source route.
    #[serde(skip_serializing_if = "serial::is_default")]
    pub source_route: bool,
    /// The mailbox that the accounts were asked about, where the forward-path is not it.
    #[serde(skip_serializing_if = "serial::is_default")]
    pub own_mailbox: Option<String>,
    /// The place that was to be reserved.
    #[serde(skip_serializing_if = "serial::is_default")]
    pub place: Option<Place>,
    /// The DNS lists that were asked.
    #[serde(skip_serializing_if = "serial::is_default")]
    pub lists: Vec<Arc<str>>,
}

/// What a transaction had come to before the command.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Before {
    /// Recipients that a POP grant carries.
    pub pop_recipients: u32,
    /// The message is counted for the device that sends it.
    pub device: bool,
    /// Seconds for which its replies were held back.
    pub slowed_secs: u32,
}

/// A place that was to be reserved, and whether there was one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The charge's word.
    pub charge: Cow<'static, str>,
    /// Whether there was one.
    pub found: PlaceFound,
}

/// Whether there was a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PlaceFound {
    /// It was taken.
    Within,
    /// There was none.
    Exceeded,
    /// It could not be asked.
    Unknown,
}

impl Before {
    /// What the open transaction comes to now.
    pub(crate) fn of(case: &Case) -> Self {
        case.greeting.transaction.as_ref().map_or_else(Self::default, |open| Self {
            pop_recipients: open.counted.pop_recipients,
            device: open.counted.device,
            slowed_secs: open.slowed_secs,
        })
    }

    fn put(self, open: &mut Transaction) {
        open.counted.pop_recipients = self.pop_recipients;
        open.counted.device = self.device;
        open.slowed_secs = self.slowed_secs;
    }
}

/// A case as it stood.
#[derive(Debug, Clone)]
pub struct Stood {
    /// In what the interface differs.
    pub manner: Manner,
    /// What was noted of its client.
    pub conduct: Conduct,
    /// Others seemed to come by its address.
    pub distrusted: bool,
    /// Somebody was said to have logged in.
    pub claims_login: bool,
    /// The client; `None`: nobody knows its address.
    pub client: Option<IpAddr>,
    /// What it called itself.
    pub helo: Option<String>,
    /// The transaction that was open.
    pub open: Option<OpenTransaction>,
}

/// A transaction as it stood.
#[derive(Debug, Clone)]
pub struct OpenTransaction {
    /// RFC 5321 §4.1.1.2.
    pub reverse_path: ReversePath,
    /// `SIZE=` in octets (RFC 1870).
    pub declared_octets: Option<u64>,
    /// What it had come to.
    pub before: Before,
}

impl Case {
    /// A case as it stood when it was judged, so that it can be judged again. What was known of it is no part of it: that is
    /// given by [`crate::Command::learn`].
    pub fn again(stood: &Stood) -> Self {
        let mut case = Self::new(stood.client, stood.manner);
        case.conduct = stood.conduct;
        case.is_distrusted = stood.distrusted;
        case.greeting.helo.clone_from(&stood.helo);
        case.greeting.claims_login = stood.claims_login;
        if let Some(open) = &stood.open {
            case.begin(open.reverse_path.clone(), open.declared_octets);
        }
        if let (Some(open), Some(stood)) = (&mut case.greeting.transaction, &stood.open) {
            stood.before.put(open);
        }
        case
    }
}
