//! One mail transaction, and its message while that comes in.

use std::collections::BTreeMap;

use guard::Recipient;
use judge::Places;
use smtp::reply::Reply;
use spool::Incoming;

use listen::memory::HeldComing;
use smtp::head::HeaderReader;

/// What enters the envelope with a recipient, and goes with it.
#[derive(Debug)]
pub(super) struct Proof {
    /// Why it may be taken.
    pub(super) recipient: Recipient,
    /// What is counted once the message is taken.
    pub(super) places: Places,
    /// By which id it was told of.
    pub(super) explain: Option<guard::ExplainId>,
}

/// A recipient of ours, and the accounts that it leads to.
#[derive(Debug)]
pub(super) struct LocalRecipient {
    pub(super) path: String,
    /// Each with a copy.
    pub(super) accounts: Vec<String>,
    /// It leads to nothing but accounts.
    pub(super) is_only_here: bool,
}

/// One mail transaction, from MAIL on.
#[derive(Default)]
pub(super) struct Transaction {
    /// `SMTPUTF8`.
    pub(super) smtputf8: bool,
    /// The first accepted recipient.
    pub(super) first_recipient: Option<String>,
    /// How many are accepted.
    pub(super) recipients: usize,
    /// `SIZE=`.
    pub(super) declared_octets: Option<u64>,
    /// Those of them that are ours.
    pub(super) local: Vec<LocalRecipient>,
    /// How many copies each account gets by them.
    pub(super) copies: BTreeMap<String, u64>,
    /// One of them is outside: somebody who may send by us does.
    pub(super) relays: bool,
    pub(super) arriving: Option<Arriving>,
}

/// A message that is coming in.
pub(super) struct Arriving {
    pub(super) incoming: Incoming,
    /// Its header, as far as it is here.
    pub(super) header: HeaderReader,
    /// Why it cannot be taken; told at its end, when the client listens.
    pub(super) failed: Option<Reply>,
    pub(super) declared_size: Option<u64>,
    /// Memory for what the session has of it and did not yet hand on, until it has ended.
    pub(super) _in_session: Option<HeldComing>,
    /// Its part of the memory for messages, and how many octets it may have there; without one it goes to its file piece
    /// by piece.
    pub(super) held: Option<(HeldComing, u64)>,
}
